//! A node's last runs: as bars, oldest first, and as a list in which runs that found nothing to do are combined.

use schemars::JsonSchema;
use serde::Serialize;

use super::text::{self, When};
use crate::store::report::ReportRow;
use holdfast_catalog::report::{Mode, Source};
use holdfast_catalog::run::RunId;
use holdfast_catalog::state::State;
use jiff::Timestamp;

/// A run of a node.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub struct RunLine {
    /// The agent's id of the run.
    pub run: RunId,
    /// When its report arrived.
    pub received: When,
    /// Its outcome, as a state that a node could have.
    pub outcome: State,
    /// Its outcome in words.
    pub words: String,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// The number of resources that were not as they should be.
    pub touched: u32,
    /// The number of runs directly before it that found nothing to do.
    pub quiet_before: usize,
    /// The number of resources that acted only because of a notification.
    #[serde(skip)]
    refreshed: u32,
}

/// A run as a bar of the chart.
#[derive(Debug)]
pub struct Bar {
    pub x: usize,
    pub y: u32,
    pub height: u32,
    pub run: RunLine,
}

/// The height of the chart, in pixels.
pub const HEIGHT: u32 = 48;

/// The distance from one bar to the next, in pixels.
pub const STEP: usize = 10;

impl RunLine {
    /// Makes a run from a report.
    pub fn of(report: &ReportRow, now: Timestamp) -> Self {
        let counts = &report.counts;
        Self {
            run: report.run,
            received: When::seen(report.received_at, now),
            outcome: outcome(report),
            words: words(report),
            duration_ms: report.duration_ms,
            touched: counts.changed.saturating_add(counts.would_change).saturating_add(counts.failed),
            quiet_before: 0,
            refreshed: counts.refreshed,
        }
    }

    /// Whether it found nothing to do, and nothing was unusual.
    fn is_quiet(&self) -> bool {
        self.outcome == State::InOrder && self.refreshed == 0
    }

    /// How long it took, in words.
    pub fn took(&self) -> String {
        text::duration(self.duration_ms)
    }
}

fn outcome(report: &ReportRow) -> State {
    let counts = &report.counts;
    match () {
        () if counts.failed > 0 || counts.skipped > 0 || !report.took_place() => State::Failed,
        () if report.source == Source::Cache && report.error.is_some() => State::KeptBack,
        () if counts.not_applicable > 0 => State::NotApplicable,
        () if counts.would_change > 0 => State::Pending,
        () if counts.corrective > 0 => State::Drifted,
        () if counts.changed > 0 => State::Changed,
        () if counts.off > 0 && counts.off == counts.total => State::SwitchedOff,
        () if report.error.is_some() => State::Trouble,
        () => State::InOrder,
    }
}

fn words(report: &ReportRow) -> String {
    let counts = &report.counts;
    let parts = [
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
        (counts.would_change, "would change"),
        (counts.not_applicable, "not applicable"),
        (counts.corrective, "drifted and corrected"),
        (counts.changed.saturating_sub(counts.corrective), "changed, not drift"),
        (counts.refreshed, "refreshed"),
    ];
    let said: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let mut words = match said.is_empty() {
        _ if !report.took_place() => "no run".to_owned(),
        true if counts.off > 0 && counts.off == counts.total => "all switched off".to_owned(),
        true if counts.total == 0 => "nothing is managed".to_owned(),
        true => "nothing to do".to_owned(),
        false => said.join(", "),
    };
    if report.mode == Mode::Audit {
        words.push_str(" (audit)");
    }
    if report.source == Source::Cache && report.commit.is_some() {
        words.push_str(" (from the cache)");
    }
    words
}

/// Makes bars from runs, which are given newest first.
pub fn bars(runs: &[RunLine]) -> Vec<Bar> {
    let bar = |(index, run): (usize, &RunLine)| {
        // One step for each doubling: a single change is visible, and a thousand still fit.
        let height =
            if run.is_quiet() { 6 } else { (14 + 4 * run.touched.saturating_add(1).ilog2()).min(HEIGHT) };
        Bar { x: index * STEP, y: HEIGHT - height, height, run: run.clone() }
    };
    runs.iter().rev().enumerate().map(bar).collect()
}

/// The runs with quiet ones folded into the later run before them. The newest run always stays.
pub fn folded(runs: &[RunLine]) -> Vec<RunLine> {
    let mut lines: Vec<RunLine> = Vec::new();
    for run in runs {
        match lines.last_mut() {
            Some(line) if run.is_quiet() => line.quiet_before += 1,
            _ => lines.push(run.clone()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_only_refreshed_is_not_folded_into_others() {
        let now = Timestamp::UNIX_EPOCH;
        let run = |run: u128, refreshed| RunLine {
            run: uuid::Uuid::from_u128(run).into(),
            received: When::seen(now, now),
            outcome: State::InOrder,
            words: String::new(),
            duration_ms: 1,
            touched: 0,
            quiet_before: 0,
            refreshed,
        };
        let lines = folded(&[run(1, 0), run(2, 1), run(3, 0)]);
        let lines: Vec<_> = lines.iter().map(|run| (run.run.number(), run.quiet_before)).collect();
        assert_eq!(lines, [(1, 0), (2, 1)]);
    }
}
