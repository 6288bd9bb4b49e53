//! When the next run is due if the server did not say.

use std::time::Duration;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::report::Report;

use super::last_status;
use crate::config::Installation;
use crate::state::StateDir;
use crate::status::LastRunStatus;

/// The first wait after a poll that failed is this fraction of the interval; each further failure doubles it.
const SOON: u32 = 16;

/// How many seconds after a boot a machine may still be starting up.
const BOOTING: i64 = 600;

/// How soon a run follows one that failed during that time.
const AFTER_BOOT: Duration = Duration::from_secs(120);

/// The shortest time to the next poll, unless the interval is shorter.
const SOONEST: Duration = Duration::from_secs(30);

/// The time to the next run after a poll without an answer: short at first, then longer and longer.
pub(super) fn retry_wait(place: &Installation, certname: &Certname) -> Duration {
    let last = last_status_at(place);
    let interval = interval(place, last.as_ref());
    let missed = last.map_or(0, |last| last.missed);
    let soon = (interval / SOON).saturating_mul(2_u32.saturating_pow(missed));
    in_slot(certname, soon.max(SOONEST).min(interval))
}

/// The time to the node's own slot, if the server did not say when to come.
pub(crate) fn fallback_wait(place: &Installation, certname: &Certname) -> Duration {
    in_slot(certname, interval(place, last_status_at(place).as_ref()))
}

/// The time to the node's own slot in an interval, so a server that comes back does not meet all nodes at once.
fn in_slot(certname: &Certname, interval: Duration) -> Duration {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    crate::slot::wait(certname, interval, now)
}

/// The time between two polls: as a server last said, or else as the settings say.
fn interval(place: &Installation, last: Option<&LastRunStatus>) -> Duration {
    let said = last.and_then(LastRunStatus::interval).or_else(|| place.config.interval.try_into().ok());
    said.unwrap_or(Duration::from_secs(1_800))
}

/// The time to the next run if the machine has just booted. It may only seem to be out of order, so what failed is
/// looked at again soon.
pub(super) fn soon_after_boot(report: &Report) -> Option<Duration> {
    let uptime = report.volatile.get("uptime_seconds")?.as_int()?;
    (report.counts.failed > 0 && uptime < BOOTING).then_some(AFTER_BOOT)
}

fn last_status_at(place: &Installation) -> Option<LastRunStatus> {
    StateDir::open(&place.state_dir).and_then(|state| last_status(&state)).ok().flatten()
}
