//! The agent: enforces a catalog on one machine and reports drift. In the order in which data flows:

pub mod facts; // what the machine says about itself

pub mod content; // file contents by their hash
pub mod enforce; // check all, mend what is off
pub mod provider; // one file or folder a resource type
pub mod system; // the only door to the machine
