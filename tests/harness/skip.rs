//! Leaves out tests that the machine cannot run: always with a message, and never where that is forbidden.

use std::env;
use std::io::{self, Write as _};

/// Reports that tests are left out, and why.
///
/// # Panics
///
/// If `variable` is set, as in continuous integration: there, a test that is left out would be taken for passed.
pub fn unless_required(variable: &str, what: &str, why: &str) {
    assert!(env::var_os(variable).is_none(), "{variable} is set, so {what} must run: {why}");
    say(&format!("SKIPPED: {what}: {why}"));
}

/// Reports that a host of the lab cannot test something, so that nobody takes it for tested.
pub fn unproven(what: &str, why: &str) {
    say(&format!("NOT PROVEN on a host of the lab: {what}: {why}"));
}

fn say(text: &str) {
    // Not captured with a passing test's output: a skipped test must be visible.
    let _ = writeln!(io::stderr(), "{text}");
}
