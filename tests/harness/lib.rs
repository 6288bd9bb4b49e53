//! What the acceptance tests, the demonstration and the benchmarks need: the project's own programs, freshly built, and
//! a lab of booted hosts to run them on.
//!
//! Nothing here decides what is right: the tests do.

pub mod binaries;
pub mod estate;
pub mod lab;
pub mod made_of;
pub mod process;
pub mod progress;
pub mod scene;
pub mod server;
pub mod skip;
pub mod synthetic;
pub mod wait;

pub use binaries::binaries;
