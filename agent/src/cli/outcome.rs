//! What a run found and did, as text that explains itself. On a terminal each event is a block. Elsewhere it is a line,
//! with the differences of a text indented below it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::count::counted;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::report::{Cause, Event, Mode, Report, Status};

use super::style::harmless;
use super::{Common, Format, Style, logs};

/// The most characters of a value that are shown.
const MAX_VALUE: usize = 200;

/// Prints the report in the requested format.
pub(super) fn print(report: &Report, certname: Option<&Certname>, common: &Common) -> anyhow::Result<()> {
    if common.format == Format::Json {
        return super::print_json(report);
    }
    if super::is_json() && super::UNATTENDED.load(Ordering::Relaxed) {
        logs::ended(report, certname, &summary(report, Style::Plain));
        return Ok(());
    }
    super::print_text(&text(report, certname, Style::of(&std::io::stdout())))
}

/// The exit code of a run, for scripts. `is_refused` means that the server was reached and refused a new catalog.
pub(super) fn exit_code(report: &Report, is_refused: bool, common: &Common) -> ExitCode {
    code(report, is_refused, common).into()
}

/// The same as a number.
pub(super) fn code(report: &Report, is_refused: bool, common: &Common) -> u8 {
    let counts = &report.counts;
    // What a run skipped because it was stopped, or ran out of time, is not done.
    let failed = is_refused || counts.failed + counts.skipped > 0 || !report.took_place();
    // A resource of which one change was made and another failed counts as failed, but something was changed.
    let in_part = report.events.iter().any(|event| event.status == Status::Changed);
    // A command that runs in every run changes nothing that is compared, but it still notifies others.
    let refreshes = counts.refreshed + counts.would_refresh > 0;
    let off = in_part || refreshes || counts.changed + counts.would_change > 0;
    match (common.detailed_exitcodes, off, failed) {
        (false, _, failed) => u8::from(failed),
        (true, off, failed) => 2 * u8::from(off) + 4 * u8::from(failed),
    }
}

fn text(report: &Report, certname: Option<&Certname>, style: Style) -> String {
    let mut out = String::new();
    let by_block = style != Style::Plain;
    if by_block {
        let _ = writeln!(out, "{}\n", style.strong(&title(report, certname)));
    }
    let mut last = None;
    for event in &report.events {
        if by_block && last != Some(&event.resource) {
            heading(&mut out, event, style);
        }
        if by_block {
            block(&mut out, event, style);
        } else {
            line(&mut out, event);
        }
        difference(&mut out, event, style);
        last = Some(&event.resource);
    }
    if by_block && !report.events.is_empty() {
        out.push('\n');
    }
    if let Some(notes) = report.notes() {
        let _ = writeln!(out, "{} {}", style.warn("note:"), harmless(&notes));
    }
    let _ = writeln!(out, "{}", summary(report, style));
    out
}

/// What a run does, in a word or two.
pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Audit => "audit: nothing is changed",
    }
}

fn title(report: &Report, certname: Option<&Certname>) -> String {
    let commit = report.commit.as_deref().map(|commit| format!("commit {}", harmless(short(commit))));
    let name = certname.map(ToString::to_string);
    [name, commit, Some(mode(report.mode).to_owned())].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

fn heading(out: &mut String, event: &Event, style: Style) {
    let _ = writeln!(out, "{}", style.strong(&harmless(&event.resource.to_string())));
    if let Some(origin) = &event.origin {
        let _ = writeln!(out, "    {}", style.faint(&format!("declared in {}", place(origin))));
    }
}

fn block(out: &mut String, event: &Event, style: Style) {
    let (mark, word) = status(event.status);
    let painted = |text: &str| match event.status {
        Status::Failed => style.bad(text),
        Status::Changed => style.good(text),
        Status::WouldChange | Status::Skipped | Status::NotApplicable => style.warn(text),
        Status::Info => style.faint(text),
    };
    let _ = write!(out, "  {} ", painted(mark));
    if let Some(change) = change(event, "→") {
        let _ = write!(out, "{change}  ");
    }
    let cause = event.cause.map(|cause| format!(", {}", because(cause))).unwrap_or_default();
    let _ = writeln!(out, "{}{}", painted(word), style.faint(&cause));
    if let Some(reason) = &event.reason {
        for line in reason.lines() {
            let _ = writeln!(out, "    {}", harmless(line));
        }
    }
    for source in &event.sources {
        let _ = writeln!(out, "    {}", style.faint(&format!("set in {}", place(source))));
    }
}

/// Appends the diff of a text, line by line.
fn difference(out: &mut String, event: &Event, style: Style) {
    for line in event.diff.iter().flat_map(|diff| diff.lines()) {
        let line_text = harmless(line);
        let painted = match line.as_bytes().first() {
            Some(b'+') => style.good(&line_text),
            Some(b'-') => style.bad(&line_text),
            _ => style.faint(&line_text),
        };
        let _ = writeln!(out, "    {painted}");
    }
}

/// Appends one line, for journals and pipes: status, resource, change, cause, reason, places.
fn line(out: &mut String, event: &Event) {
    let _ = write!(out, "{} {}", status(event.status).1, harmless(&event.resource.to_string()));
    if let Some(change) = change(event, "->") {
        let _ = write!(out, " {change}");
    }
    if let Some(cause) = event.cause {
        let _ = write!(out, " ({})", word(cause));
    }
    if let Some(reason) = &event.reason {
        let _ = write!(out, ": {}", harmless(reason));
    }
    let places: Vec<_> = event.origin.iter().chain(&event.sources).map(place).collect();
    if !places.is_empty() {
        let _ = write!(out, " [{}]", places.join(", "));
    }
    out.push('\n');
}

/// `mode 0600 → 0644`, or those parts of it that the event has.
fn change(event: &Event, arrow: &str) -> Option<String> {
    let path = event.path.as_deref().map(harmless);
    let property = event.property.as_deref().map(harmless);
    let values = match (&event.is, &event.should) {
        (Some(is), Some(should)) => Some(format!("{} {arrow} {}", value(is), value(should))),
        (None, Some(should)) => Some(format!("{arrow} {}", value(should))),
        (Some(is), None) => Some(format!("is {}", value(is))),
        (None, None) => None,
    };
    let words: Vec<_> = [path, property, values].into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A value, shortened so people can compare it; the report has all of it.
fn value(text: &str) -> String {
    let most = if text.starts_with("sha256:") { "sha256:".len() + 12 } else { MAX_VALUE };
    let text = harmless(text);
    match text.char_indices().nth(most) {
        Some((end, _)) if most < MAX_VALUE => format!("{}…", &text[..end]),
        Some((end, _)) => {
            let more = counted(text[end..].chars().count(), "character", "characters");
            format!("{}… (and {more})", &text[..end])
        }
        None => text,
    }
}

fn status(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Changed => ("✓", "changed"),
        Status::WouldChange => ("~", "would change"),
        Status::Failed => ("✗", "failed"),
        Status::Skipped => ("-", "skipped"),
        Status::NotApplicable => ("·", "not applicable"),
        Status::Info => ("i", "info"),
    }
}

fn word(cause: Cause) -> &'static str {
    match cause {
        Cause::Corrective => "corrective",
        Cause::Intentional => "intentional",
    }
}

fn because(cause: Cause) -> &'static str {
    match cause {
        Cause::Corrective => "corrective: someone changed what the last run left",
        Cause::Intentional => "intentional: the catalog changed, or the last run did not leave it in order",
    }
}

fn place(origin: &Origin) -> String {
    let level = origin.level.as_ref().map(|level| format!(" ({level})")).unwrap_or_default();
    harmless(&format!("{}:{}{level}", origin.file, origin.line))
}

/// The summary: `2 changed (1 corrective), 1 failed, 40 unchanged in 1.2 s (check 60 ms, apply 1.1 s)`.
fn summary(report: &Report, style: Style) -> String {
    let counts = &report.counts;
    if !report.took_place() {
        return style.bad("there was no run: nothing was checked");
    }
    let corrective = |count| if count > 0 { format!(" ({count} corrective)") } else { String::new() };
    let (corrected, drifted) = (corrective(counts.corrective as usize), corrective(left_drifted(report)));
    let parts = [
        (counts.failed, style.bad(&format!("{} failed", counts.failed))),
        (counts.changed, style.good(&format!("{} changed{corrected}", counts.changed))),
        (counts.would_change, style.warn(&format!("{} would change{drifted}", counts.would_change))),
        (counts.skipped, style.warn(&format!("{} skipped", counts.skipped))),
        (counts.refreshed, format!("{} refreshed", counts.refreshed)),
        (counts.not_applicable, style.warn(&format!("{} not applicable", counts.not_applicable))),
        (counts.off, format!("{} off by policy", counts.off)),
    ];
    let mut words: Vec<_> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text).collect();
    words.push(format!("{} unchanged", counts.unchanged));
    let phases: Vec<_> = report.phases.iter().map(|(name, ms)| format!("{name} {}", duration(*ms))).collect();
    let phases = if phases.is_empty() { String::new() } else { format!(" ({})", phases.join(", ")) };
    let dropped = match counts.dropped {
        0 => String::new(),
        dropped => {
            let left_out = format!("{} left out of the report", counted(dropped, "event", "events"));
            format!("; {}", style.warn(&left_out))
        }
    };
    format!("{} in {}{}{dropped}", words.join(", "), duration(report.duration_ms), style.faint(&phases))
}

/// The number of resources that drifted and are left alone.
fn left_drifted(report: &Report) -> usize {
    let drifted =
        |event: &&Event| (event.status, event.cause) == (Status::WouldChange, Some(Cause::Corrective));
    let resources: BTreeSet<_> = report.events.iter().filter(drifted).map(|event| &event.resource).collect();
    resources.len()
}

fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests;
