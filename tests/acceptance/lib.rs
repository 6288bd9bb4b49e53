//! What the acceptance tests and `make docs` need in addition to the harness: the book as a site, and a browser.
//!
//! Both have many dependencies, which the demonstration does not need to build.

pub mod book;
pub mod browser;
