//! Reports: attributed only to their sender, checked, and stored once.

use holdfast_catalog::report::{MAX_DIFF, MAX_EVENTS, NoCatalog, Report};
use jiff::Timestamp;

use super::{Control, StateChange};
use crate::identity::Caller;
use crate::metrics::ReportResult;
use crate::store::{self, report::InsertOutcome};

/// The longest commit, environment or version in a report, in bytes.
const MAX_NAME: usize = 128;

/// The longest text in a report apart from diffs, in bytes: a title, a path, a value, a reason, or a place.
const MAX_TEXT: usize = 64 * 1024;

/// Why a report is not stored.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It exceeds a limit.
    #[error("the report's {0} is over the limit")]
    OverLimit(&'static str),
    /// Its counts contradict each other, its mode or its events.
    #[error("the report contradicts itself: its counts do not fit each other, its mode or its events")]
    Counts,
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Control {
    /// Stores a report from the caller. Returns false if it was stored before.
    ///
    /// # Errors
    /// Returns an error if it exceeds a limit, or if the store fails.
    pub async fn report(&self, caller: &Caller, report: Report) -> Result<bool, ReportError> {
        let taken = self.take_report(caller, report).await;
        self.metrics.reported(outcome(&taken));
        taken
    }

    async fn take_report(&self, caller: &Caller, report: Report) -> Result<bool, ReportError> {
        check(&report)?;
        let now = Timestamp::now();
        self.see(caller.node, now);
        let InsertOutcome::New(number) = self.store.put_report(caller.node, report, now).await? else {
            return Ok(false);
        };
        // Pages read the store as soon as they are notified, and the time of the poll that they show must match the report.
        self.write_contacts().await;
        self.tell(StateChange::ReportStored {
            certname: caller.certname.clone(),
            tenancy: caller.tenancy.clone(),
            report: number,
        });
        Ok(true)
    }
}

fn outcome(taken: &Result<bool, ReportError>) -> ReportResult {
    match taken {
        Ok(true) => ReportResult::Stored,
        Ok(false) => ReportResult::Known,
        Err(ReportError::OverLimit(_) | ReportError::Counts) => ReportResult::Refused,
        Err(ReportError::Store(_)) => ReportResult::Failed,
    }
}

fn check(report: &Report) -> Result<(), ReportError> {
    let within = |what, length: usize, most| {
        if length <= most { Ok(()) } else { Err(ReportError::OverLimit(what)) }
    };
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    within("number of events", report.events.len(), MAX_EVENTS)?;
    within("commit", report.commit.as_ref().map_or(0, |commit| commit.len()), MAX_NAME)?;
    within("environment", length(&report.environment), MAX_NAME)?;
    within("agent", report.agent.len(), MAX_NAME)?;
    within("error", length(&report.error), MAX_TEXT)?;
    if let Some(NoCatalog { commit, why }) = &report.no_catalog {
        within("commit", commit.len(), MAX_NAME)?;
        within("error", why.len(), MAX_TEXT)?;
    }
    if !report.is_consistent() {
        return Err(ReportError::Counts);
    }
    within("phases", report.phases.len(), MAX_NAME)?;
    within("types", report.types.len(), MAX_NAME)?;
    for event in &report.events {
        within("diff", length(&event.diff), 2 * MAX_DIFF)?;
        within("title", event.resource.title.len(), MAX_TEXT)?;
        for (what, text) in [
            ("property", &event.property),
            ("path", &event.path),
            ("value", &event.is),
            ("value", &event.should),
            ("reason", &event.reason),
        ] {
            within(what, length(text), MAX_TEXT)?;
        }
        for origin in event.origin.iter().chain(&event.sources) {
            let level = origin.level.as_ref().map_or(0, |level| level.len());
            within("place", origin.file.len() + level, MAX_TEXT)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_the_store_does_not_take_is_no_fault_of_the_report() {
        assert_eq!(outcome(&Err(ReportError::Store(store::Error::Closed))), ReportResult::Failed);
        assert_eq!(outcome(&Err(ReportError::Counts)), ReportResult::Refused);
        assert_eq!(outcome(&Ok(false)), ReportResult::Known);
    }
}
