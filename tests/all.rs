//! The acceptance tests: one binary, so that the programs are built, and the lab is booted, once.

mod contract;
mod failing;
mod faults;
mod lab;
mod path;
mod node;
mod tidy;
