//! Leaving out tests where this machine cannot run them: always said, and never where it is forbidden.

use std::env;
use std::io::{self, Write as _};

/// Set where everything must be proven, as in continuous integration.
const REQUIRED: &str = "HOLDFAST_REQUIRE_LAB";

/// Whether this test runs as root, which it needs; says so where it does not.
pub(crate) fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        leave_out("it needs root");
    }
    is_root
}

/// Says that this test, or a part of it, is left out and why.
///
/// # Panics
/// Where nothing may be left out: it would be taken for proven.
pub(crate) fn leave_out(why: &str) {
    assert!(env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, so this test must run: {why}");
    let thread = std::thread::current();
    // Written past the capture of a passing test's output: a skip must be seen.
    let _ = writeln!(io::stderr(), "SKIPPED: {}: {why}", thread.name().unwrap_or("a test"));
}
