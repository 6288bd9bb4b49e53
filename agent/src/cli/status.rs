//! `holdfast-agent status`: who this machine is, its state, how the last run went, and when the next one is.

use std::process::ExitCode;

use holdfast_catalog::commit::CommitId;
use holdfast_catalog::harmless;
use holdfast_catalog::report::{Mode, Source};
use holdfast_catalog::state::{Judgement, State, span};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Common, Format, Style};
use crate::clock::now;
use crate::config::Installation;
use crate::identity::enroll::is_over_by;
use crate::identity::{self, Identity};
use crate::run::{self, Unended, unended};
use crate::service::Service;
use crate::spool::{AsideCounts, Spool};
use crate::state::{LockKind, StateDir};
use crate::status::LastRunStatus;

/// Shown in place of what cannot be read.
const UNKNOWN: &str = "not known";

/// The data of the output, for both formats.
#[derive(Serialize)]
struct StatusOutput {
    /// `None` if not even that is known.
    certname: Option<String>,
    #[serde(flatten)]
    judgement: Judgement,
    server: Option<String>,
    /// `None` if the identity is damaged.
    certificate_until: Option<Timestamp>,
    certificate_renewal: Option<Timestamp>,
    /// `None` if that is unknown.
    reports_waiting: Option<usize>,
    /// Reports that are not going to be delivered.
    reports_aside: Option<AsideCounts>,
    daemon: Option<String>,
    /// What keeps runs from starting by themselves, or at all.
    trouble: Vec<String>,
    /// The process of a run in progress.
    running: Option<String>,
    runs_on: Option<CommitId>,
    last_run: Option<LastRunStatus>,
}

pub(super) fn run(common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    let shown = look(&place, &StateDir::look(&place.state_dir)?)?;
    match common.format {
        Format::Json => super::print_json(&shown)?,
        Format::Text => super::print_text(&text(&shown, now(), Style::of(&std::io::stdout())))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The text that is printed for people.
#[cfg(test)]
pub(crate) fn status_of(place: &Installation) -> anyhow::Result<String> {
    Ok(text(&look(place, &StateDir::look(&place.state_dir)?)?, now(), Style::Plain))
}

/// Collects the status. Damaged parts are reported beside the rest; only a machine that was never enrolled has nothing
/// to show.
fn look(place: &Installation, state: &StateDir) -> anyhow::Result<StatusOutput> {
    let identity = match Identity::load(state) {
        Err(error @ identity::Error::NotEnrolled) => return Err(error.into()),
        loaded => loaded,
    };
    let (last_run, unreadable) = match run::last_status(state) {
        Ok(last_run) => (last_run, None),
        Err(error) => (None, Some(error.for_people_here())),
    };
    let running = state.holder(LockKind::Run);
    let mut judgement = LastRunStatus::judge(last_run.as_ref(), now(), place.config.interval.try_into()?);
    if let Some(why) = &unreadable {
        judgement = Judgement {
            state: State::Trouble,
            reason: format!("the result of the last run is unknown: {why}"),
        };
    }
    if let Some(error) = identity.as_ref().err() {
        judgement = worse(judgement, State::Trouble, error.to_string());
    }
    if running.is_none()
        && let Some(unended) = unended(state)
    {
        judgement = cut_off(judgement, &unended);
    }
    let note = match &identity {
        Ok(identity) => identity.note.clone(),
        Err(error) => Some(error.to_string()),
    };
    let waiting = Spool::open(state).and_then(|spool| spool.waiting());
    let aside = Spool::open(state).and_then(|spool| spool.aside());
    let service = Service::look(state, &place.root);
    let owner = identity.as_ref().ok().and_then(|identity| run::owner_fault(state, identity));
    let trouble = state.unwritable().into_iter().chain(note).chain(unreadable).chain(state.oddities());
    let trouble = trouble.chain(owner);
    let trouble =
        trouble.chain(run::memory_faults(state)).chain(waiting.as_ref().err().map(ToString::to_string));
    let certificate = identity.as_ref().ok().and_then(|identity| identity.current.validity().ok());
    Ok(StatusOutput {
        certname: run::certname(state).ok().map(|certname| certname.to_string()),
        judgement,
        server: place.config.server.clone().or_else(|| identity.as_ref().ok().map(|id| id.server.clone())),
        certificate_until: certificate.map(|validity| validity.until),
        certificate_renewal: identity.as_ref().ok().and_then(|identity| identity.renewal().ok()),
        reports_waiting: waiting.ok(),
        reports_aside: aside.ok(),
        trouble: trouble.chain(service.trouble()).collect(),
        daemon: service.daemon,
        running,
        runs_on: last_run.as_ref().and_then(|last| last.runs_on.clone()),
        last_run,
    })
}

/// The state of a machine whose last run left no status.
fn cut_off(judgement: Judgement, unended: &Unended) -> Judgement {
    let why = format!("{}: no report says what it changed", unended.words("the last run"));
    worse(judgement, State::Failed, why)
}

/// The state of a machine with a further problem: the worse of the two, with both reasons.
fn worse(Judgement { state, reason }: Judgement, with: State, why: String) -> Judgement {
    match state.wants_attention() {
        true => Judgement { state: state.min(with), reason: format!("{why}; {reason}") },
        false => Judgement { state: with, reason: why },
    }
}

fn text(shown: &StatusOutput, now: Timestamp, style: Style) -> String {
    let mut lines = vec![
        ("node", style.strong(shown.certname.as_deref().unwrap_or(UNKNOWN))),
        ("state", state(&shown.judgement, style)),
        ("server", shown.server.clone().unwrap_or_else(|| UNKNOWN.to_owned())),
        ("certificate", certificate(shown, now, style)),
    ];
    lines.extend(shown.daemon.as_ref().map(|daemon| ("daemon", format!("runs: {}", harmless::line(daemon)))));
    lines.extend(shown.trouble.iter().map(|trouble| ("trouble", style.bad(&harmless::line(trouble)))));
    let running = |holder: &String| ("run", style.warn(&format!("in progress: {}", harmless::line(holder))));
    lines.extend(shown.running.as_ref().map(running));
    match &shown.last_run {
        None if shown.judgement.state == State::NoRun => {
            lines.push(("last run", "no run has ended yet".to_owned()));
        }
        None => lines.push(("last run", UNKNOWN.to_owned())),
        Some(last) => of_last_run(&mut lines, shown, last, now, style),
    }
    if let Some(count) = shown.reports_waiting.filter(|count| *count > 0) {
        let refusal = shown.last_run.as_ref().and_then(|last| last.refused.as_ref());
        let waiting = match refusal.is_some_and(is_over_by) {
            true => {
                format!(
                    "{count} waiting, and the server does not accept reports from this machine: {}",
                    Spool::UNTIL_ENROLLED
                )
            }
            false => format!("{count} waiting to be delivered"),
        };
        lines.push(("reports", style.warn(&waiting)));
    }
    lines.extend(
        shown.reports_aside.and_then(AsideCounts::words).map(|words| ("reports", style.warn(&words))),
    );
    lines.into_iter().map(|(name, value)| format!("{name:<12} {value}\n")).collect()
}

fn of_last_run(
    lines: &mut Vec<(&str, String)>,
    shown: &StatusOutput,
    last: &LastRunStatus,
    now: Timestamp,
    style: Style,
) {
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
        lines.push(("last run", style.bad(&format!("{ago}: it did not take place; nothing was checked"))));
    }
    let runs_on = shown
        .runs_on
        .as_deref()
        .map_or("no commit: no run has corrected anything yet".into(), harmless::line);
    lines.push(("runs on", runs_on.into_owned()));
    let looked_at = last.commit.as_ref().filter(|commit| shown.runs_on.as_ref() != Some(commit));
    lines.extend(looked_at.map(|commit| ("looked at", harmless::line(commit).into_owned())));
    lines.extend(last.error.as_ref().map(|error| ("note", style.warn(&harmless::line(error)))));
    // Without the daemon there is no next run, whatever was planned.
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

fn certificate(shown: &StatusOutput, now: Timestamp, style: Style) -> String {
    let (Some(until), Some(renewal)) = (shown.certificate_until, shown.certificate_renewal) else {
        return style.bad(UNKNOWN);
    };
    let left = until.duration_since(now);
    if !left.is_positive() {
        return style.bad("expired: the next run may still renew it; if not, enroll again");
    }
    let renewal = renewal.duration_since(now);
    let renewal = match renewal.is_positive() {
        true => format!("renews in {}", span(renewal)),
        false => style.warn("renewal is due"),
    };
    format!("valid for {}, {renewal}", span(left))
}

fn result(last: &LastRunStatus, style: Style) -> String {
    let counts = &last.counts;
    let mut words = format!(
        "{} changed, {} would change, {} failed, {} skipped, {} unchanged",
        counts.changed, counts.would_change, counts.failed, counts.skipped, counts.unchanged
    );
    if counts.refreshed > 0 {
        words.push_str(&format!(", {} refreshed", counts.refreshed));
    }
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

    fn shown(certificate_until: Timestamp, certificate_renewal: Timestamp) -> StatusOutput {
        StatusOutput {
            certname: Some("web1.acme.example".into()),
            judgement: LastRunStatus::judge(
                None,
                Timestamp::UNIX_EPOCH,
                std::time::Duration::from_secs(1_800),
            ),
            server: Some("cfg:8140".into()),
            certificate_until: Some(certificate_until),
            certificate_renewal: Some(certificate_renewal),
            reports_waiting: Some(2),
            reports_aside: None,
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
        assert!(told(at(0)).contains("2 waiting") && told(at(0)).contains("no run has ended yet"));
    }

    #[test]
    fn what_is_put_aside_is_told_with_what_can_be_done() {
        let at = Timestamp::UNIX_EPOCH;
        let aside = AsideCounts { refused: 3, of_earlier_nodes: 1, removed: 0 };
        let told = text(&StatusOutput { reports_aside: Some(aside), ..shown(at, at) }, at, Style::Plain);
        assert!(told.contains("reports      3 reports were set aside"), "{told}");
        assert!(
            told.contains("--retry") && told.contains("--clear") && told.contains("1 report was"),
            "{told}"
        );
    }

    #[test]
    fn a_run_that_did_not_end_is_no_success_of_the_one_before() {
        let was = |state, reason: &str| Judgement { state, reason: reason.to_owned() };
        let cut = worse(was(State::InOrder, "all as it should be"), State::Failed, "it did not end".into());
        assert_eq!((cut.state, &*cut.reason), (State::Failed, "it did not end"));
        let cut = worse(was(State::Late, "nothing was heard"), State::Failed, "it did not end".into());
        assert_eq!((cut.state, &*cut.reason), (State::Late, "it did not end; nothing was heard"));
    }

    #[test]
    fn a_run_that_goes_on_and_a_daemon_that_does_not_are_said() {
        let at = Timestamp::UNIX_EPOCH;
        let told = text(
            &StatusOutput {
                running: Some("process 12 since \u{1b}[2J".into()),
                trouble: vec!["it does not run".into()],
                ..shown(at, at)
            },
            at,
            Style::Plain,
        );
        assert!(told.contains("run          in progress: process 12 since \\u{1b}[2J"), "{told}");
        assert!(told.contains("trouble      it does not run"), "{told}");
        assert!(told.contains("state        no run yet: "), "{told}");
        assert!(!told.contains("\nnext run"), "none starts by itself: {told}");
    }
}
