//! A report: what a run found and did. It does not name the node: the server takes that from the caller's certificate.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::bounded;
use crate::catalog::{CatalogId, MAX_RESOURCES};
use crate::commit::CommitId;
use crate::origin::Origin;
use crate::resource::ResourceRef;
use crate::run::RunId;

/// The most events in a report; the rest is counted in [`Counts::dropped`].
pub const MAX_EVENTS: usize = 2_000;

/// The longest diff of an event, in bytes.
pub const MAX_DIFF: usize = 16 * 1024;

/// The most sources that are read of one event; a long list can have an element from each of many lines.
pub const MAX_SOURCES: usize = 256;

/// The most phases, and the most types, whose times are in a report.
pub const MAX_TIMES: usize = 128;

/// Whether a run corrects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It corrects.
    Enforce,
    /// It only reports what it would correct.
    Audit,
}

/// Which catalog a run worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// One that the server named in this run.
    Server,
    /// The last good one, since the server gave no new one: it was away, or refused.
    Cache,
    /// A file given by hand.
    File,
}

/// The result of a change.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was made.
    Changed,
    /// It would be made if this were not an audit.
    WouldChange,
    /// It could not be made.
    Failed,
    /// Its turn did not come: something that it needs has failed.
    Skipped,
    /// This machine, or a root other than `/`, cannot do it.
    NotApplicable,
    /// A message, a refresh or an exec with `always`: done, and never drift.
    Info,
}

/// Why something changed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// Someone changed what the last run left: drift.
    Corrective,
    /// It is not drift: what is wanted is new, the last run did not leave it in order, or it changes by itself, such as
    /// old files that a `tidy` removes.
    Intentional,
}

/// One change, or why there was none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The resource.
    pub resource: ResourceRef,
    /// The property; none if the whole resource is meant, such as when it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// The path below the resource's own, for a directory's members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What the machine had; masked if sensitive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
    /// What is wanted; masked if sensitive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub should: Option<String>,
    /// The result.
    pub status: Status,
    /// Why it changed; only with changed, would change, and failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// A sentence: the error, why it was skipped, or the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A unified diff of a text; never of sensitive content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// Where it is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The manifest line and the data lines that set the property's value.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "bounded::list::<_, _, MAX_SOURCES>"
    )]
    pub sources: Vec<Origin>,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
}

/// How many resources ended in which way; each counts once, by the worst of its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// All resources of the catalog.
    pub total: u32,
    /// Nothing to do.
    pub unchanged: u32,
    /// Corrected.
    pub changed: u32,
    /// Of those that changed: with a corrective event, so something that others had changed is now as it should be
    /// again. What drifted and is left alone, or could not be corrected, has the cause in its events.
    pub corrective: u32,
    /// Not as wanted, and only reported.
    pub would_change: u32,
    /// Failed.
    pub failed: u32,
    /// Skipped because of a failure.
    pub skipped: u32,
    /// Not applicable here.
    pub not_applicable: u32,
    /// Switched off by policy.
    pub off: u32,
    /// Refreshed by a notification.
    pub refreshed: u32,
    /// Only looked at, and notified by something that would change: a run that corrects would refresh them.
    #[serde(default)]
    pub would_refresh: u32,
    /// Events that the report leaves out, over [`MAX_EVENTS`].
    #[serde(default)]
    pub dropped: u32,
}

impl Counts {
    /// Whether each resource of a possible catalog is counted once. The counts are only what a node claims.
    pub fn add_up(&self) -> bool {
        let each = [
            self.unchanged,
            self.changed,
            self.would_change,
            self.failed,
            self.skipped,
            self.not_applicable,
            self.off,
        ];
        let sum: u64 = each.iter().map(|count| u64::from(*count)).sum();
        sum == u64::from(self.total)
            && usize::try_from(self.total).is_ok_and(|total| total <= MAX_RESOURCES)
            && self.corrective <= self.changed
            && u64::from(self.refreshed) <= MAX_REFRESHES * u64::from(self.total)
            && self.would_refresh <= self.total
    }
}

/// How often a run refreshes a resource: once in each pass.
const MAX_REFRESHES: u64 = 2;

/// What separates the notes of a run that are joined to one text.
pub const NOTES: &str = "; ";

/// Why the server had no new catalog for the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoCatalog {
    /// The commit that has no catalog for it.
    pub commit: CommitId,
    /// The words of the server, and what the run used instead.
    pub why: String,
}

/// What a run found and did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The id of the run: UUIDv7; a report sent twice counts once.
    pub run: RunId,
    /// The catalog; none if there was none to run.
    pub catalog: Option<CatalogId>,
    /// The commit of the catalog.
    pub commit: Option<CommitId>,
    /// The commit's environment.
    pub environment: Option<String>,
    /// Whether it corrected.
    pub mode: Mode,
    /// Where the catalog came from.
    pub source: Source,
    /// When it began.
    #[schemars(with = "String")]
    pub started: jiff::Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Milliseconds by phase: `facts`, `poll`, `check`, `apply`.
    #[serde(default, deserialize_with = "bounded::map::<_, _, MAX_TIMES>")]
    pub phases: BTreeMap<String, u64>,
    /// Milliseconds by resource type.
    #[serde(default, deserialize_with = "bounded::map::<_, _, MAX_TIMES>")]
    pub types: BTreeMap<String, u64>,
    /// How many resources ended in which way.
    pub counts: Counts,
    /// What changed, would change, failed or was skipped.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_EVENTS>")]
    pub events: Vec<Event>,
    /// Why the server had no new catalog, if it named the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_catalog: Option<NoCatalog>,
    /// Why there was no run, why the catalog is an old one, or what else went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The agent's version.
    pub agent: String,
    /// Facts that change all the time (uptime, free memory); they never cause a compile.
    #[serde(default, deserialize_with = "volatile")]
    pub volatile: BTreeMap<String, crate::value::Value>,
}

/// Whether a run took place: it had a catalog, however small, and so reports a commit. Agent, command line, pages and
/// states all use this.
pub fn took_place(commit: Option<&CommitId>) -> bool {
    commit.is_some()
}

impl Report {
    /// Whether the run took place.
    pub fn took_place(&self) -> bool {
        took_place(self.commit.as_ref())
    }

    /// Whether its parts fit together: each resource of a possible catalog is counted once, an audit changed nothing, and
    /// the counts have at least the resources that failed or changed by its events. Which events there were is still only
    /// what a node claims.
    pub fn is_consistent(&self) -> bool {
        let Counts { changed, failed, skipped, .. } = self.counts;
        let those = |is_meant: fn(Status) -> bool| {
            let events = self.events.iter().filter(|event| is_meant(event.status));
            events.map(|event| &event.resource).collect::<BTreeSet<_>>().len() as u64
        };
        let failed = u64::from(failed);
        // A resource that changed and then failed counts as failed.
        let acted = failed + u64::from(changed) + u64::from(skipped);
        self.counts.add_up()
            && (self.mode == Mode::Enforce || changed == 0)
            && those(|status| status == Status::Failed) <= failed
            && those(|status| matches!(status, Status::Failed | Status::Changed)) <= acted
    }

    /// Everything that it reports besides its events: why there was no new catalog, and what else went wrong.
    pub fn notes(&self) -> Option<String> {
        let no_catalog = self.no_catalog.as_ref().map(|no_catalog| &no_catalog.why);
        let notes: Vec<_> = no_catalog.into_iter().chain(&self.error).map(String::as_str).collect();
        (!notes.is_empty()).then(|| notes.join(NOTES))
    }
}

fn volatile<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, crate::value::Value>, D::Error> {
    let value = crate::facts::limited(deserializer)?;
    let map = value.as_map().ok_or_else(|| D::Error::custom("volatile facts are a map"))?;
    Ok(map.iter().map(|(name, value)| (name.to_string(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_contradicts_itself_is_told_from_one_that_does_not() {
        let report = |mode: &str, counts: Counts, statuses: &[&str]| -> Report {
            let event = |(index, status): (usize, &&str)| serde_json::json!({ "resource": format!("file[/{index}]"), "status": status });
            let report = serde_json::json!({
                "run": "00000000-0000-0000-0000-000000000007", "catalog": null, "commit": "c", "environment": "main",
                "mode": mode, "source": "server", "started": "2026-01-01T00:00:00Z", "duration_ms": 1, "counts": counts,
                "events": statuses.iter().enumerate().map(event).collect::<Vec<_>>(), "agent": "x",
            });
            serde_json::from_value(report).unwrap()
        };
        let four = Counts { total: 4, ..Counts::default() };
        let cases = [
            ("enforce", Counts { unchanged: 4, ..four }, &[][..], true),
            ("enforce", Counts { unchanged: 4, corrective: 4, ..four }, &[], false),
            ("enforce", Counts { changed: 4, corrective: 4, ..four }, &["changed"; 4], true),
            ("audit", Counts { changed: 4, ..four }, &[], false),
            ("audit", Counts { would_change: 4, ..four }, &["would_change"; 4], true),
            ("enforce", Counts { unchanged: 4, refreshed: u32::MAX, ..four }, &[], false),
            ("enforce", Counts { unchanged: 4, ..four }, &["failed"], false),
            ("enforce", Counts { unchanged: 3, failed: 1, ..four }, &["failed", "failed"], false),
            ("enforce", Counts { unchanged: 2, failed: 2, ..four }, &["changed", "failed", "info"], true),
            ("enforce", Counts { unchanged: 4, ..four }, &["changed"], false),
        ];
        for (mode, counts, events, is_consistent) in cases {
            assert_eq!(
                report(mode, counts, events).is_consistent(),
                is_consistent,
                "{mode} {counts:?} {events:?}"
            );
        }
    }

    #[test]
    fn a24_events_beyond_the_limit_are_counted_and_not_kept() {
        let event = r#"{"resource":"file[/a]","status":"info"}"#;
        let events = vec![event; 3 * MAX_EVENTS].join(",");
        let counts = serde_json::to_string(&Counts::default()).unwrap();
        let report = format!(
            r#"{{"run":"00000000-0000-0000-0000-000000000007","catalog":null,"commit":null,"environment":null,
               "mode":"enforce","source":"server","started":"2026-01-01T00:00:00Z","duration_ms":1,
               "counts":{counts},"events":[{events}],"agent":"x"}}"#
        );
        let report: Report = serde_json::from_str(&report).unwrap();
        assert_eq!(report.events.len(), MAX_EVENTS + 1);
    }
}
