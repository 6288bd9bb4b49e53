//! What happened: the events, and how each resource ended.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_catalog::catalog::{Policy, Resource};
use holdfast_catalog::count::counted;
use holdfast_catalog::report::{Cause, Counts, Event, MAX_DIFF, MAX_EVENTS, Status};

use super::memory::Past;
use super::redact::Redact;
use super::{Subject, TypeTimes, milliseconds};
use crate::provider::{Change, ChangeKind};
use crate::system::shown_text;

/// The log target of events, so they can be left out where the report itself is shown.
pub(crate) const EVENTS: &str = "holdfast_agent::event";

/// The most bytes of diffs in one report; later events have none.
const MAX_DIFFS: usize = 4 * 1024 * 1024;

/// The most events of one resource for paths below it, and as many again for failures: a directory with many files must
/// leave room for all others. One event says how many more there were.
const MAX_MEMBERS: usize = 200;

/// The most bytes of any other text in an event: a command may print anything, and a server refuses what is too long.
const MAX_TEXT: usize = 2 * 1024;

/// The bytes needed to say how much of a text is missing.
const ROOM_FOR_MORE: usize = 40;

/// How a resource ended: the worst of its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ResourceOutcome {
    Unchanged,
    Off,
    NotApplicable,
    WouldChange,
    Changed,
    Skipped,
    Failed,
}

impl ResourceOutcome {
    /// What an event makes of the outcome of its resource.
    pub(super) fn of(status: Status) -> Self {
        match status {
            Status::Info => Self::Unchanged,
            Status::NotApplicable => Self::NotApplicable,
            Status::WouldChange => Self::WouldChange,
            Status::Changed => Self::Changed,
            Status::Skipped => Self::Skipped,
            Status::Failed => Self::Failed,
        }
    }

    /// Counts a resource with this outcome.
    pub(super) fn count(self, counts: &mut Counts) {
        counts.total += 1;
        *match self {
            Self::Unchanged => &mut counts.unchanged,
            Self::Off => &mut counts.off,
            Self::NotApplicable => &mut counts.not_applicable,
            Self::WouldChange => &mut counts.would_change,
            Self::Changed => &mut counts.changed,
            Self::Skipped => &mut counts.skipped,
            Self::Failed => &mut counts.failed,
        } += 1;
    }
}

/// The events of a run, and how each resource ended.
pub(super) struct Record<'a> {
    subjects: &'a [Subject<'a>],
    past: &'a Past<'a>,
    pub(super) events: Vec<Event>,
    told: &'a (dyn Fn(&Event) + Sync),
    pub(super) times: TypeTimes<'a>,
    ended: Vec<ResourceEnd>,
    /// What is counted as it happens; the rest is in how resources ended.
    counts: Counts,
    /// Bytes of diffs so far.
    diffs: usize,
    /// The secrets of the catalog, gathered for the first event.
    secrets: OnceCell<Redact>,
    /// The secrets of each resource, gathered for its first event.
    own_secrets: BTreeMap<usize, Redact>,
}

struct ResourceEnd {
    outcome: ResourceOutcome,
    /// Whether the run was interrupted before the resource's turn.
    unreached: bool,
    corrective: bool,
    members: Members,
}

impl ResourceEnd {
    fn new() -> Self {
        let outcome = ResourceOutcome::Unchanged;
        Self { outcome, unreached: false, corrective: false, members: Members::default() }
    }
}

/// The result of a change.
pub(super) struct ChangeResult {
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    pub(super) took: Duration,
    /// Whether this run made the change due, so it is not drift.
    pub(super) by_this_run: bool,
}

/// How many paths below a resource have events.
#[derive(Default)]
struct Members {
    failed: usize,
    others: usize,
}

impl Members {
    /// Counts an event; returns whether there is room for it.
    fn take(&mut self, event: &Event) -> bool {
        if event.path.is_none() {
            return true;
        }
        let count = if event.status == Status::Failed { &mut self.failed } else { &mut self.others };
        *count += 1;
        *count <= MAX_MEMBERS
    }

    /// The number of events for which there was no room.
    fn over(&self) -> usize {
        self.failed.saturating_sub(MAX_MEMBERS) + self.others.saturating_sub(MAX_MEMBERS)
    }
}

impl<'a> Record<'a> {
    pub(super) fn new(
        subjects: &'a [Subject<'a>],
        past: &'a Past<'a>,
        told: &'a (dyn Fn(&Event) + Sync),
    ) -> Self {
        let outcome = |s: &Subject<'_>| {
            if s.policy == Policy::Off { ResourceOutcome::Off } else { ResourceOutcome::Unchanged }
        };
        let ended = |s| ResourceEnd { outcome: outcome(s), ..ResourceEnd::new() };
        let ended = subjects.iter().map(ended).collect();
        Self {
            subjects,
            past,
            events: Vec::new(),
            told,
            times: TypeTimes::default(),
            ended,
            counts: Counts::default(),
            diffs: 0,
            secrets: OnceCell::new(),
            own_secrets: BTreeMap::new(),
        }
    }

    /// Records the result of one change.
    pub(super) fn change(&mut self, index: usize, change: &Change, told: ChangeResult) {
        let subject = &self.subjects[index];
        let status = match (change.kind, told.status) {
            (ChangeKind::Note, _) | (ChangeKind::Always, Status::Changed | Status::WouldChange) => {
                Status::Info
            }
            (_, status) => status,
        };
        let drifts = matches!(status, Status::Changed | Status::WouldChange | Status::Failed);
        let cause = drifts.then(|| match change.kind {
            ChangeKind::Differs if !told.by_this_run => self.past.cause(index, change),
            ChangeKind::Moved if !told.by_this_run => (self.past.cause_of_move(index, change), None),
            _ => (Cause::Intentional, None),
        });
        let (cause, doubt) = cause.map_or((None, None), |(cause, doubt)| (Some(cause), doubt));
        let reason = [told.reason.or_else(|| change.note.clone()), doubt];
        let reason = reason.into_iter().flatten().reduce(|first, second| format!("{first}; {second}"));
        let mut event = self.blank(index, status, reason, told.took);
        event.property = Some(change.property.to_string()).filter(|name| !name.is_empty());
        event.path = change.path.as_deref().map(|path| shown_text(path).into_owned());
        event.is = Some(change.is.text().to_owned()).filter(|text| !text.is_empty());
        event.should = Some(change.should.text().to_owned()).filter(|text| !text.is_empty());
        event.diff.clone_from(&change.diff);
        self.past.mask(index, &mut event);
        event.cause = cause;
        if let Some(sources) = subject.resource.sources.get(&*change.property) {
            event.sources.clone_from(sources);
        }
        self.add(index, event);
    }

    /// Records the result of the resource as a whole.
    pub(super) fn whole(&mut self, index: usize, status: Status, reason: impl Into<String>, took: Duration) {
        let event = self.blank(index, status, Some(reason.into()), took);
        self.add(index, event);
    }

    /// Records that the resource was refreshed.
    pub(super) fn refreshed(&mut self, index: usize, what: String, took: Duration) {
        self.counts.refreshed += 1;
        self.whole(index, Status::Info, what, took);
    }

    /// A run that corrects would refresh it.
    pub(super) fn would_be_refreshed(&mut self, index: usize, by: &str) {
        self.counts.would_refresh += 1;
        self.whole(index, Status::Info, format!("would be refreshed, notified by {by}"), Duration::ZERO);
    }

    /// Records, for each resource, how many of its paths have no events.
    pub(super) fn tell_the_rest(&mut self) {
        for index in 0..self.ended.len() {
            let over = self.ended[index].members.over();
            if over > 0 {
                let more = format!("and {}", counted(over, "more path", "more paths"));
                self.whole(index, Status::Info, more, Duration::ZERO);
            }
        }
    }

    /// The resources that an interrupted run was working on.
    pub(super) fn interrupted(&self) -> Vec<usize> {
        self.past.interrupted()
    }

    /// What failed half way in the last run, by resource.
    pub(super) fn half_done(&self) -> Vec<(usize, String)> {
        self.past.half_done()
    }

    /// Why a change of the resource failed; `None` if no change did.
    pub(super) fn why_failed(&self, index: usize) -> Option<String> {
        let reference = &self.subjects[index].resource.reference;
        let is_meant = |event: &&Event| {
            event.status == Status::Failed && event.property.is_some() && event.resource == *reference
        };
        self.events.iter().find(is_meant).and_then(|event| event.reason.clone())
    }

    /// Notes that the run was interrupted before a resource's turn.
    pub(super) fn unreached(&mut self, index: usize) {
        self.ended[index].unreached = true;
    }

    /// Whether the run was interrupted before the resource's turn.
    pub(super) fn is_unreached(&self, index: usize) -> bool {
        self.ended[index].unreached
    }

    /// How a resource ended.
    pub(super) fn outcome(&self, index: usize) -> ResourceOutcome {
        self.ended[index].outcome
    }

    /// Removes what was recorded of a resource that is only looked at, since it is no longer true; refreshes stay.
    pub(super) fn retract(&mut self, index: usize) {
        let reference = &self.subjects[index].resource.reference;
        self.events.retain(|event| {
            event.resource != *reference || (event.status == Status::Info && event.property.is_none())
        });
        self.ended[index] = ResourceEnd::new();
    }

    /// How many resources ended in which way.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = self.counts;
        for ended in &self.ended {
            ended.outcome.count(&mut counts);
            counts.corrective += u32::from(ended.corrective && ended.outcome == ResourceOutcome::Changed);
        }
        counts
    }

    fn blank(&self, index: usize, status: Status, reason: Option<String>, took: Duration) -> Event {
        blank(self.subjects[index].resource, status, reason, took)
    }

    /// Adds an event, redacted, counted and limited. There is no other way into the report.
    fn add(&mut self, index: usize, mut event: Event) {
        let of_it = || Redact::of(&self.subjects[index].resource.attributes);
        let own = self.own_secrets.entry(index).or_insert_with(of_it);
        let resources = self.subjects.iter().map(|subject| subject.resource);
        let all = resources.map(|resource| (&*resource.reference.title, &resource.attributes));
        let all = self.secrets.get_or_init(|| Redact::of_all(all));
        let subjects = self.subjects;
        let names = || subjects.iter().map(|subject| &*subject.resource.reference.title);
        event.diff = event.diff.take().map(|diff| own.text(all.text(diff)));
        // Cut last: half of a secret would not be recognized and replaced as the whole one is.
        event.reason =
            event.reason.take().map(|reason| cut(own.said(all.said(reason, &mut names()), &mut names())));
        event.path = event.path.take().map(|path| cut(own.text(path)));
        for text in [&mut event.is, &mut event.should] {
            *text = text.take().map(|text| cut(own.text(all.text(text))));
        }
        event.diff = event.diff.take().map(|diff| fitting(diff, &mut self.diffs));
        let ended = &mut self.ended[index];
        ended.outcome = ended.outcome.max(ResourceOutcome::of(event.status));
        ended.corrective |= event.cause == Some(Cause::Corrective);
        if ended.members.take(&event) {
            log(&event);
            (self.told)(&event);
            self.keep(event);
        }
    }

    /// Keeps an event. In a full report, failures and drift replace other events.
    fn keep(&mut self, event: Event) {
        let is_wrong =
            |event: &Event| event.status == Status::Failed || event.cause == Some(Cause::Corrective);
        if self.events.len() >= MAX_EVENTS {
            self.counts.dropped += 1;
            let well = self.events.iter().rposition(|event| !is_wrong(event));
            let Some(well) = well.filter(|_| is_wrong(&event)) else { return };
            self.events.remove(well);
        }
        self.events.push(event);
    }
}

/// An event with nothing but its status and the reason.
pub(super) fn blank(resource: &Resource, status: Status, reason: Option<String>, took: Duration) -> Event {
    Event {
        resource: resource.reference.clone(),
        property: None,
        path: None,
        is: None,
        should: None,
        status,
        cause: None,
        reason,
        diff: None,
        origin: resource.origin.clone(),
        sources: Vec::new(),
        duration_ms: milliseconds(took),
    }
}

/// A diff that fits the room that the others left: of a line that is too long, only its beginning is kept.
fn fitting(mut diff: String, taken: &mut usize) -> String {
    if diff.len() > MAX_DIFF {
        let begin = &diff[..diff.floor_char_boundary(MAX_DIFF - ROOM_FOR_MORE)];
        diff = format!("{begin}… (and {})\n", counted(diff.len() - begin.len(), "byte", "bytes"));
    }
    let room = MAX_DIFF.min(MAX_DIFFS.saturating_sub(*taken));
    if diff.len() > room {
        let size = counted(diff.len(), "byte", "bytes");
        return format!("(a diff of {size} left out: the report has no room for it)\n");
    }
    *taken += diff.len();
    diff
}

/// At most [`MAX_TEXT`] of a text. A longer one ends with how much is missing.
fn cut(text: String) -> String {
    if text.len() <= MAX_TEXT {
        return text;
    }
    let begin = &text[..text.floor_char_boundary(MAX_TEXT - ROOM_FOR_MORE)];
    format!("{begin}… (and {})", counted(text.len() - begin.len(), "byte", "bytes"))
}

/// One line in the log for each event.
fn log(event: &Event) {
    let status = match event.status {
        Status::Changed => "changed",
        Status::WouldChange => "would change",
        Status::Failed => "failed",
        Status::Skipped => "skipped",
        Status::NotApplicable => "not applicable",
        Status::Info => "info",
    };
    let mut text = format!("{}: {status}", event.resource);
    for part in [&event.property, &event.path].into_iter().flatten() {
        text.push_str(&format!(" {part}"));
    }
    if let (Some(is), Some(should)) = (&event.is, &event.should) {
        text.push_str(&format!(" {is} -> {should}"));
    }
    if let Some(reason) = &event.reason {
        text.push_str(&format!(": {reason}"));
    }
    // Text from the machine is data: none of its control characters may reach a terminal.
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if event.status == Status::Failed {
        tracing::error!(target: EVENTS, resource = %event.resource, "{text}");
    } else {
        tracing::info!(target: EVENTS, resource = %event.resource, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::report::Mode;
    use holdfast_catalog::value::{Kind, Sensitive, Value};

    use super::*;
    use crate::enforce::bench::Bench;

    #[test]
    fn a_directory_with_many_files_leaves_room_for_others() {
        let mut bench = Bench::directory();
        std::fs::create_dir(bench.dir().join("spool")).unwrap();
        for n in 0..MAX_MEMBERS + 50 {
            std::fs::write(bench.dir().join(format!("spool/{n}")), "x").unwrap();
        }
        bench.add("tidy", "/spool", &Value::from([("size", 1.into())]));
        let findings = bench.run(Mode::Enforce);
        assert_eq!(findings.events.len(), MAX_MEMBERS + 1);
        let last = findings.events.last().unwrap();
        assert_eq!((last.status, last.reason.as_deref()), (Status::Info, Some("and 50 more paths")));
        assert_eq!(findings.counts.dropped, 0);
        assert_eq!(std::fs::read_dir(bench.dir().join("spool")).unwrap().count(), 0, "all are removed");
    }

    #[test]
    fn what_is_cut_of_an_event_is_said() {
        let text = cut("ü".repeat(3_000));
        assert!(text.len() <= MAX_TEXT && text.ends_with("… (and 3992 bytes)"), "{text}");
        assert_eq!(cut("short".to_owned()), "short");
        let (large, mut taken) = ("x".repeat(MAX_DIFF), 0);
        for _ in 0..MAX_DIFFS / MAX_DIFF {
            assert_eq!(fitting(large.clone(), &mut taken), large);
        }
        let said = "(a diff of 3 bytes left out: the report has no room for it)\n";
        assert_eq!(fitting("+a\n".to_owned(), &mut taken), said);
    }

    #[test]
    fn a47_where_a_long_line_is_cut_no_half_of_a_secret_is_left() {
        let secret: String = (0..1_000).map(|n| format!("s{n:06}x")).collect();
        let mut bench = Bench::directory();
        let sensitive = Kind::Sensitive(Sensitive::text(secret.as_str()));
        bench.add("file", "/app.key", &Value::from([("content", Value::from(sensitive))]));
        bench.file("/long", &format!("{}{secret}{}\n", "a".repeat(12_000), "b".repeat(20_000)));
        let findings = bench.run(Mode::Enforce);
        let diff = findings.events.iter().find_map(|event| event.diff.as_deref()).unwrap();
        assert!(diff.len() <= MAX_DIFF && !diff.contains("s000001x"), "{diff}");
        assert!(diff.contains("aa[sensitive]bb") && diff.contains("b… (and "), "{diff}");
    }

    #[test]
    fn a_full_report_still_says_what_failed() {
        let mut bench = Bench::directory();
        for n in 0..=MAX_EVENTS {
            bench.add("notify", &format!("message {n}"), &Value::from([("message", "x".into())]));
        }
        bench.file("/no/such/directory/file", "text");
        let findings = bench.run(Mode::Enforce);
        assert_eq!((findings.events.len(), findings.counts.dropped), (MAX_EVENTS, 2));
        assert!(findings.events.iter().any(|event| event.status == Status::Failed));
    }
}
