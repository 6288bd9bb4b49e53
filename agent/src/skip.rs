//! Skips tests that this machine cannot run: always with a message, and never if skipping is forbidden.

use std::env;
use std::io::{self, Write as _};

/// The variable that is set if everything must be proven, as in continuous integration.
const REQUIRED: &str = "HOLDFAST_REQUIRE_LAB";

/// Whether this test runs as root, which it needs; reports a skip if it does not.
pub(crate) fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        leave_out("it needs root");
    }
    is_root
}

/// Whether the programs that a test needs are installed. Reports the first one that is not.
pub(crate) fn has(programs: &[&str]) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &str| env::split_paths(&path).any(|folder| folder.join(name).exists());
    let missing = programs.iter().find(|name| !is_there(name));
    if let Some(name) = missing {
        leave_out(&format!("`{name}` is not installed"));
    }
    missing.is_none()
}

/// Reports that this test, or a part of it, is skipped and why.
///
/// # Panics
/// Panics if nothing may be skipped: it would count as proven.
pub(crate) fn leave_out(why: &str) {
    assert!(env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, so this test must run: {why}");
    let thread = std::thread::current();
    // Written past the capture of a passing test's output: a skip must be seen.
    let _ = writeln!(io::stderr(), "SKIPPED: {}: {why}", thread.name().unwrap_or("a test"));
}
