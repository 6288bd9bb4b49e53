//! Leaving out tests where the machine cannot run them: always said, and never where it is forbidden.

use std::env;
use std::io::{self, Write as _};

/// Says that tests are left out and why.
///
/// # Panics
///
/// When `variable` is set, as continuous integration does: what it leaves out would be taken for proven.
pub fn unless_required(variable: &str, what: &str, why: &str) {
    assert!(env::var_os(variable).is_none(), "{variable} is set, so {what} must run: {why}");
    say(&format!("SKIPPED: {what}: {why}"));
}

/// Says that a host of the lab cannot prove something: nobody shall take it for proven.
pub fn unproven(what: &str, why: &str) {
    say(&format!("NOT PROVEN on a host of the lab: {what}: {why}"));
}

fn say(text: &str) {
    // Written past the capture of a passing test's output: a skip must be seen.
    let _ = writeln!(io::stderr(), "{text}");
}
