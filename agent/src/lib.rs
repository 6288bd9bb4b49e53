//! The agent: enforces a catalog on one machine and reports drift. In the order in which data flows:

pub mod config; // the agent's own settings
pub mod state; // its own directory, and the lock of a run
pub mod facts; // what the machine says about itself
pub mod identity; // who it is, and whom it trusts
pub mod fetch; // the way to the server
pub mod cache; // the last good catalog, sealed
pub mod contents; // file contents on disk
mod slot; // the node's own place in time
pub mod stop; // signals
pub mod run; // a run, as a list of calls

pub mod content; // file contents by their hash
pub mod download; // files of the network, for providers
pub mod enforce; // check all, mend what is off
pub mod provider; // one file or folder a resource type
pub mod system; // the only door to the machine

pub mod spool; // reports on their way
pub mod status; // what the last run left to be told
pub mod service; // whether the daemon runs
pub mod daemon; // the clock that starts runs
pub mod doctor; // what keeps an agent from working
pub mod cli; // the commands: one file each

/// The agent's version, as it tells it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
