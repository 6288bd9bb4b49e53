//! The agent: enforces a catalog on one machine and reports drift. A module uses those above it alone:

pub mod regular; // files that are read whole
pub mod config; // the agent's own settings
pub mod state; // its own directory, and the lock of a run
pub mod facts; // what the machine says about itself
pub(crate) mod clock; // the time as this machine has it
pub mod trust; // whom it believes to be the server
pub mod keypair; // its key and certificate
pub mod fetch; // the way to the server
pub mod cache; // the last good catalog, sealed
mod slot; // the node's own place in time
pub mod stop; // signals
mod talk; // standard error, for anyone who reads it in time
mod at_hand; // what a run is doing at the moment

pub mod content; // file contents by their hash
pub mod contents; // file contents on disk
pub mod system; // the only door to the machine
pub mod download; // files of the network, for providers
pub mod provider; // one file or folder a resource type
pub mod enforce; // check all, correct what is off

pub mod status; // what the last run left to be told
pub mod identity; // who it is
pub mod spool; // reports on their way
pub mod run; // a run, as a list of calls
pub mod service; // whether the daemon runs
pub mod daemon; // the clock that starts runs
pub mod doctor; // what keeps an agent from working
pub mod cli; // the commands: one file each

/// The agent's version, as it tells it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
