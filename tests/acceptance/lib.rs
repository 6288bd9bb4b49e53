//! What the acceptance tests and `make docs` need beside the harness: the book as a site, and a browser.
//!
//! Both have many dependencies, which the demonstration does not build.

pub mod book;
pub mod browser;
