//! Reports on their way to the server: they are stored first, then delivered; and what is lost of them.

use std::time::Duration;

use holdfast_catalog::report::Report;
use tokio::runtime::Runtime;

use crate::config::Installation;
use crate::identity::Identity;
use crate::identity::owner::EnrolledNode;
use crate::spool::{self, Delivery, Spool};
use crate::state::StateDir;

/// How long a run may take to deliver reports.
const DELIVERY: Duration = Duration::from_secs(600);

/// What the server should know about reports that it will never get.
pub(super) fn lost_reports(state: &StateDir, owner: &EnrolledNode) -> Option<String> {
    let spool = Spool::open(state).ok()?;
    if let Err(error) = spool.sift(owner) {
        tracing::warn!("cannot tell whether all waiting reports can be read: {error}");
    }
    spool.losses()
}

/// The numbers of reports that are set aside, as far as they can be read.
pub(super) fn put_aside(state: &StateDir) -> spool::AsideCounts {
    Spool::open(state).and_then(|spool| spool.aside()).unwrap_or_default()
}

/// Delivers the report, and those that still wait. It is on disk first, so a crash loses nothing. If the disk cannot be
/// written, it is sent from memory. It is lost only if neither the disk nor the server takes it.
pub(super) fn deliver(
    place: &Installation,
    state: &StateDir,
    identity: &Identity,
    network: &Runtime,
    report: &Report,
) -> Delivery {
    let (spool, owner) = (Spool::open(state), EnrolledNode::of(identity));
    let kept = match &spool {
        Ok(spool) => spool.add(Some(&owner), report).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let client = match identity.client(place.config.server.as_deref()) {
        Ok(client) => client,
        Err(error) => {
            return Delivery { lost: kept.err(), waits: Some(error.to_string()), ..Delivery::default() };
        }
    };
    let waits = |why: String| Delivery { waits: Some(why), ..Delivery::default() };
    let earlier = spool.map_or_else(
        |_| Delivery::default(),
        |spool| {
            network
                .block_on(spool.deliver(&client, &owner, DELIVERY))
                .unwrap_or_else(|error| waits(error.to_string()))
        },
    );
    match kept {
        Ok(()) => earlier,
        Err(why) => earlier.and(network.block_on(Spool::deliver_unkept(&client, report, why))),
    }
}
