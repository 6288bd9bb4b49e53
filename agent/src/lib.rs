//! The agent: enforces a catalog on one machine and reports drift. A module uses only those above it:

mod regular; // files that are read as a whole
mod config; // the agent's own settings
mod state; // its own directory, and the lock of a run
pub mod facts; // what the machine says about itself
mod clock; // the time according to this machine
mod trust; // which server it believes
mod keypair; // its key and certificate
mod fetch; // the way to the server
mod cache; // the last good catalog, sealed
mod slot; // the node's own slot in time
mod stop; // signals
mod talk; // standard error, for whoever reads it in time
mod at_hand; // what a run is doing at the moment

mod content; // file contents by their hash
mod contents; // file contents on disk
mod system; // the only door to the machine
mod download; // downloads, for providers
mod provider; // one file or folder for each resource type
mod enforce; // check everything, correct what differs

mod status; // what the last run left for `status`
mod identity; // who this machine is
mod spool; // reports on their way to the server
pub mod run; // a run, as a list of calls
mod service; // whether the daemon runs
mod daemon; // the clock that starts runs
mod doctor; // what keeps an agent from working
pub mod cli; // the commands: one file each
#[cfg(test)]
mod skip; // tests that this machine cannot run

// Used by the tests and the benchmarks.
pub use config::{Config, Installation};
pub use fetch::Client;
pub use identity::Identity;
pub use identity::enroll::{OnExisting, enroll};
pub use state::StateDir;

/// The agent's version, as it reports it.
const VERSION: &str = env!("CARGO_PKG_VERSION");
