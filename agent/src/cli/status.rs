//! `holdfast-agent status`: who this machine is, how the last run went, and when the next one is.

use std::process::ExitCode;

use holdfast_catalog::report::Source;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::style::harmless;
use super::{Common, Format, Style};
use crate::identity::{Identity, now};
use crate::spool::Spool;
use crate::state::StateDir;
use crate::status::Status;

/// What is shown, in both formats.
#[derive(Serialize)]
struct Shown {
    certname: String,
    server: String,
    certificate_until: Timestamp,
    certificate_renewal: Timestamp,
    reports_waiting: usize,
    last_run: Option<Status>,
}

pub(super) fn run(common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    let state = StateDir::open(&place.state_dir)?;
    let identity = Identity::load(&state)?;
    let shown = Shown {
        certname: identity.certname.to_string(),
        server: place.config.server.unwrap_or_else(|| identity.server.clone()),
        certificate_until: identity.current.validity().map_err(anyhow::Error::msg)?.until,
        certificate_renewal: identity.renewal()?,
        reports_waiting: Spool::open(&state)?.waiting()?,
        last_run: Status::load(&state)?,
    };
    match common.format {
        Format::Json => super::print_json(&shown)?,
        Format::Text => super::print_text(&text(&shown, now(), Style::of(&std::io::stdout()))),
    }
    Ok(ExitCode::SUCCESS)
}

fn text(shown: &Shown, now: Timestamp, style: Style) -> String {
    let mut lines = vec![
        ("node", style.strong(&shown.certname)),
        ("server", shown.server.clone()),
        ("certificate", certificate(shown, now, style)),
    ];
    match &shown.last_run {
        None => lines.push(("last run", "none yet".to_owned())),
        Some(last) => {
            let source = match last.source {
                Source::Server => "the server",
                Source::Cache => "the cache",
                Source::File => "a file",
            };
            let ago = ago(now.duration_since(last.started));
            lines.push(("last run", format!("{ago}, by the catalog of {source}")));
            lines.push(("result", result(last, style)));
            lines.extend(last.commit.as_ref().map(|commit| ("commit", harmless(commit))));
            lines.extend(last.error.as_ref().map(|error| ("note", style.warn(&harmless(error)))));
            let next = last.next_run.duration_since(now);
            lines.push((
                "next run",
                if next.is_positive() { format!("in {}", span(next)) } else { "due".to_owned() },
            ));
        }
    }
    if shown.reports_waiting > 0 {
        let waiting = format!("{} wait to be delivered", shown.reports_waiting);
        lines.push(("reports", style.warn(&waiting)));
    }
    lines.into_iter().map(|(name, value)| format!("{name:<12} {value}\n")).collect()
}

fn certificate(shown: &Shown, now: Timestamp, style: Style) -> String {
    let left = shown.certificate_until.duration_since(now);
    if !left.is_positive() {
        return style.bad("expired: the server may still renew it at the next run; else enroll again");
    }
    let renewal = shown.certificate_renewal.duration_since(now);
    let renewal = match renewal.is_positive() {
        true => format!("renews in {}", span(renewal)),
        false => style.warn("renewal is due"),
    };
    format!("valid for {}, {renewal}", span(left))
}

fn result(last: &Status, style: Style) -> String {
    let counts = &last.counts;
    let words = format!(
        "{} changed, {} would change, {} failed, {} skipped, {} unchanged",
        counts.changed, counts.would_change, counts.failed, counts.skipped, counts.unchanged
    );
    if counts.failed > 0 { style.bad(&words) } else { words }
}

fn ago(passed: SignedDuration) -> String {
    if passed.is_negative() {
        "in the future (the clock was set back)".to_owned()
    } else {
        format!("{} ago", span(passed))
    }
}

fn span(duration: SignedDuration) -> String {
    match duration.as_secs() {
        secs @ ..120 => format!("{secs} s"),
        secs @ 120..7_200 => format!("{} min", secs / 60),
        secs @ 7_200..172_800 => format!("{} h", secs / 3_600),
        secs => format!("{} days", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_counts_down_and_never_surprises() {
        let at = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let shown = Shown {
            certname: "web1.acme.example".into(),
            server: "cfg:8140".into(),
            certificate_until: at(168),
            certificate_renewal: at(84),
            reports_waiting: 2,
            last_run: None,
        };
        let told = |now| text(&shown, now, Style::Plain);
        assert!(told(at(0)).contains("valid for 7 days, renews in 3 days"), "{}", told(at(0)));
        assert!(told(at(100)).contains("renewal is due"));
        assert!(told(at(200)).contains("expired"));
        assert!(told(at(0)).contains("2 wait") && told(at(0)).contains("none yet"));
    }
}
