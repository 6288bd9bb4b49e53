//! The agent: enforces a catalog on one machine and reports drift. In the order in which data flows:

pub mod facts; // what the machine says about itself
pub mod content;
pub mod enforce;
pub mod provider;
pub mod system;
