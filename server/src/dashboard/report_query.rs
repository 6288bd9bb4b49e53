//! Which events of a report to show, and which page of them.

use std::ops::Range;

use holdfast_catalog::report::{Cause, Status};
use holdfast_catalog::run::RunId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Events of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Only")]
pub enum EventFilter {
    /// What failed.
    Failed,
    /// What was changed from outside.
    Drifted,
    /// What was changed without having drifted.
    Changed,
    /// What an audit would have changed.
    WouldChange,
    /// What was skipped.
    Skipped,
    /// What this machine, or another root than `/`, does not support.
    NotApplicable,
    /// Messages, refreshes and so on.
    Said,
}

impl EventFilter {
    /// All kinds; each event is of exactly one.
    pub const ALL: [Self; 7] = [
        Self::Failed,
        Self::Drifted,
        Self::Changed,
        Self::WouldChange,
        Self::Skipped,
        Self::NotApplicable,
        Self::Said,
    ];

    /// Whether an event is of this kind.
    pub fn takes(self, status: Status, cause: Option<Cause>) -> bool {
        self == match (status, cause) {
            (Status::Failed, _) => Self::Failed,
            (Status::Changed, Some(Cause::Corrective)) => Self::Drifted,
            (Status::Changed, _) => Self::Changed,
            (Status::WouldChange, _) => Self::WouldChange,
            (Status::Skipped, _) => Self::Skipped,
            (Status::NotApplicable, _) => Self::NotApplicable,
            (Status::Info, _) => Self::Said,
        }
    }

    /// Its name in addresses.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Drifted => "drifted",
            Self::Changed => "changed",
            Self::WouldChange => "would-change",
            Self::Skipped => "skipped",
            Self::NotApplicable => "not-applicable",
            Self::Said => "said",
        }
    }

    /// Its name for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Changed => "changed, not drift",
            Self::WouldChange => "would change",
            Self::NotApplicable => "not applicable",
            other => other.slug(),
        }
    }
}

/// The part of a report that is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Part")]
pub struct ReportQuery {
    /// Only events of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<EventFilter>,
    /// The page, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<usize>,
    /// The page with this event, given by its position in the report, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<usize>,
}

impl ReportQuery {
    /// The same kind of events on another page.
    pub fn at(self, page: usize) -> Self {
        Self { page: (page > 1).then_some(page), event: None, ..self }
    }

    /// The address of this part of a run of a node.
    pub fn address(self, node: &str, run: RunId) -> String {
        let only = self.only.map(|only| format!("only={}", only.slug()));
        let page = self.page.map(|page| format!("page={page}"));
        let pairs: Vec<_> = only.into_iter().chain(page).collect();
        match pairs.is_empty() {
            true => format!("/nodes/{node}/reports/{run}"),
            false => format!("/nodes/{node}/reports/{run}?{}", pairs.join("&")),
        }
    }

    /// Which of these pages is meant, counted from 1; `find` returns the index of an event among all events.
    pub fn page_of(self, pages: &[Range<usize>], find: impl FnOnce(usize) -> Option<usize>) -> usize {
        let place = self.event.and_then(find);
        let of_event = place.and_then(|place| pages.iter().position(|page| page.contains(&place)));
        let page = of_event.map(|index| index + 1).or(self.page);
        page.unwrap_or(1).clamp(1, pages.len().max(1))
    }
}
