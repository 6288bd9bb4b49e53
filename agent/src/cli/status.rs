//! `holdfast-agent status`: who this machine is, how it is, how the last run went, and when the next one is.

use std::process::ExitCode;

use holdfast_catalog::harmless;
use holdfast_catalog::report::{Mode, Source};
use holdfast_catalog::state::{Judgement, State, span};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Common, Format, Style};
use crate::config::Place;
use crate::identity::{self, Identity, now};
use crate::run::unended;
use crate::service::Service;
use crate::spool::Spool;
use crate::state::{Held, StateDir};
use crate::status::Status;

/// What is shown, in both formats.
#[derive(Serialize)]
struct Shown {
    certname: String,
    #[serde(flatten)]
    judgement: Judgement,
    server: String,
    certificate_until: Timestamp,
    certificate_renewal: Timestamp,
    reports_waiting: usize,
    /// The daemon's process.
    daemon: Option<String>,
    /// What keeps runs from coming by themselves, or from beginning at all.
    trouble: Vec<String>,
    /// The process of a run that is going on.
    running: Option<String>,
    runs_on: Option<String>,
    last_run: Option<Status>,
}

pub(super) fn run(common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    // To look makes nothing.
    anyhow::ensure!(place.state_dir.exists(), identity::Error::NotEnrolled);
    let state = StateDir::open(&place.state_dir)?;
    let shown = look(&place, &state)?;
    match common.format {
        Format::Json => super::print_json(&shown)?,
        Format::Text => super::print_text(&text(&shown, now(), Style::of(&std::io::stdout())))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn look(place: &Place, state: &StateDir) -> anyhow::Result<Shown> {
    let identity = Identity::load(state)?;
    let service = Service::look(state, &place.root)?;
    let last_run = Status::load(state)?;
    let interval = place.config.interval.try_into()?;
    let running = state.holder(Held::Run)?;
    let mut judgement = Status::judge(last_run.as_ref(), now(), interval);
    if running.is_none()
        && let Some(began) = unended(state)
        && last_run
            .as_ref()
            .is_none_or(|last| began.parse().is_ok_and(|began: Timestamp| last.started < began))
    {
        judgement = cut_off(judgement, &began);
    }
    Ok(Shown {
        certname: identity.certname.to_string(),
        judgement,
        server: place.config.server.clone().unwrap_or_else(|| identity.server.clone()),
        certificate_until: identity.current.validity().map_err(anyhow::Error::msg)?.until,
        certificate_renewal: identity.renewal()?,
        reports_waiting: Spool::open(state)?.waiting()?,
        trouble: state.unwritable().into_iter().chain(service.trouble()).collect(),
        daemon: service.daemon,
        running,
        runs_on: last_run.as_ref().and_then(|last| last.runs_on.clone()),
        last_run,
    })
}

/// How a machine is whose last run, begun then, left no status.
fn cut_off(Judgement { state, reason }: Judgement, began: &str) -> Judgement {
    let why = format!("the last run, begun {began}, did not end: what it changed is in no report");
    match state.wants_attention() {
        true => Judgement { state: state.min(State::Failed), reason: format!("{why}; {reason}") },
        false => Judgement { state: State::Failed, reason: why },
    }
}

fn text(shown: &Shown, now: Timestamp, style: Style) -> String {
    let mut lines = vec![
        ("node", style.strong(&shown.certname)),
        ("state", state(&shown.judgement, style)),
        ("server", shown.server.clone()),
        ("certificate", certificate(shown, now, style)),
    ];
    lines.extend(shown.daemon.as_ref().map(|daemon| ("daemon", format!("runs: {}", harmless::line(daemon)))));
    lines.extend(shown.trouble.iter().map(|trouble| ("trouble", style.bad(&harmless::line(trouble)))));
    let running = |holder: &String| ("run", style.warn(&format!("is going on: {}", harmless::line(holder))));
    lines.extend(shown.running.as_ref().map(running));
    match &shown.last_run {
        None => lines.push(("last run", "none has ended yet".to_owned())),
        Some(last) => of_last_run(&mut lines, shown, last, now, style),
    }
    if shown.reports_waiting > 0 {
        let waiting = format!("{} wait to be delivered", shown.reports_waiting);
        lines.push(("reports", style.warn(&waiting)));
    }
    lines.into_iter().map(|(name, value)| format!("{name:<12} {value}\n")).collect()
}

fn of_last_run(lines: &mut Vec<(&str, String)>, shown: &Shown, last: &Status, now: Timestamp, style: Style) {
    let source = match last.source {
        Source::Server => "the server",
        Source::Cache => "the cache",
        Source::File => "a file",
    };
    let audit = if last.mode == Mode::Audit { ", an audit" } else { "" };
    let ago = ago(now.duration_since(last.started));
    if last.took_place() {
        lines.push(("last run", format!("{ago}, by the catalog of {source}{audit}")));
        lines.push(("result", result(last, style)));
    } else {
        lines.push(("last run", style.bad(&format!("{ago}: it did not take place, nothing was looked at"))));
    }
    let runs_on = shown
        .runs_on
        .as_deref()
        .map_or("no commit: no run has corrected anything yet".into(), harmless::line);
    lines.push(("runs on", runs_on.into_owned()));
    let looked_at = last.commit.as_ref().filter(|commit| shown.runs_on.as_ref() != Some(commit));
    lines.extend(looked_at.map(|commit| ("looked at", harmless::line(commit).into_owned())));
    lines.extend(last.error.as_ref().map(|error| ("note", style.warn(&harmless::line(error)))));
    // Without the daemon none comes, whatever was planned.
    if shown.daemon.is_some() {
        let next = last.next_run.duration_since(now);
        let when = if next.is_positive() { format!("in {}", span(next)) } else { "due".to_owned() };
        lines.push(("next run", when));
    }
}

fn state(judgement: &Judgement, style: Style) -> String {
    let words = format!("{}: {}", judgement.state.word(), harmless::line(&judgement.reason));
    match judgement.state {
        State::InOrder | State::Drifted | State::Changed => words,
        State::Late | State::Failed | State::Broken => style.bad(&words),
        _ => style.warn(&words),
    }
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
    let mut words = format!(
        "{} changed, {} would change, {} failed, {} skipped, {} unchanged",
        counts.changed, counts.would_change, counts.failed, counts.skipped, counts.unchanged
    );
    if counts.not_applicable > 0 {
        words.push_str(&format!(", {} not applicable", counts.not_applicable));
    }
    if counts.off > 0 {
        words.push_str(&format!(", {} switched off by policy", counts.off));
    }
    if counts.failed > 0 { style.bad(&words) } else { words }
}

fn ago(passed: SignedDuration) -> String {
    if passed.is_negative() {
        "in the future (the clock was set back)".to_owned()
    } else {
        format!("{} ago", span(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(certificate_until: Timestamp, certificate_renewal: Timestamp) -> Shown {
        Shown {
            certname: "web1.acme.example".into(),
            judgement: Status::judge(None, Timestamp::UNIX_EPOCH, std::time::Duration::from_secs(1_800)),
            server: "cfg:8140".into(),
            certificate_until,
            certificate_renewal,
            reports_waiting: 2,
            daemon: None,
            trouble: vec![],
            running: None,
            runs_on: None,
            last_run: None,
        }
    }

    #[test]
    fn expiry_counts_down_and_never_surprises() {
        let at = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let shown = shown(at(168), at(84));
        let told = |now| text(&shown, now, Style::Plain);
        assert!(told(at(0)).contains("valid for 7 days, renews in 3 days"), "{}", told(at(0)));
        assert!(told(at(100)).contains("renewal is due"));
        assert!(told(at(200)).contains("expired"));
        assert!(told(at(0)).contains("2 wait") && told(at(0)).contains("none has ended yet"));
    }

    #[test]
    fn a_run_that_did_not_end_is_no_success_of_the_one_before() {
        let was = |state, reason: &str| Judgement { state, reason: reason.to_owned() };
        let cut = cut_off(was(State::InOrder, "all as it should be"), "2026-11-29T03:00:00Z");
        assert_eq!(cut.state, State::Failed);
        assert_eq!(
            cut.reason,
            "the last run, begun 2026-11-29T03:00:00Z, did not end: what it changed is in no report"
        );
        let cut = cut_off(was(State::Late, "nothing was heard for 3 h"), "2026-11-29T03:00:00Z");
        assert_eq!((cut.state, cut.reason.ends_with("; nothing was heard for 3 h")), (State::Late, true));
    }

    #[test]
    fn a_run_that_goes_on_and_a_daemon_that_does_not_are_said() {
        let at = Timestamp::UNIX_EPOCH;
        let told = text(
            &Shown {
                running: Some("process 12 since \u{1b}[2J".into()),
                trouble: vec!["it does not run".into()],
                ..shown(at, at)
            },
            at,
            Style::Plain,
        );
        assert!(told.contains("run          is going on: process 12 since \\u{1b}[2J"), "{told}");
        assert!(told.contains("trouble      it does not run"), "{told}");
        assert!(told.contains("state        no run yet: "), "{told}");
        assert!(!told.contains("\nnext run"), "none comes by itself: {told}");
    }
}
