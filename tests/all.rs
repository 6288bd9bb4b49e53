//! The acceptance tests: one binary, so that the programs are built and the lab is booted only once.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is tests, and what fails in one is to be seen where it did"
)]

mod abuse;
mod canary;
mod claims;
mod compile;
mod contract;
mod docs;
mod estate;
mod failing;
mod faults;
mod fuzz;
mod implied;
mod lab;
mod modules;
mod nginx_check;
mod node;
mod open_pages;
mod path;
mod random;
mod readme;
mod reference;
mod releases;
mod scripts;
mod tidy;
mod unheard;
