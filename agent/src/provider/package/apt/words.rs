//! What apt prints when it fails: which package's script failed, with that script's own output.

use holdfast_catalog::count::counted;

use crate::provider::Error;
use crate::system::{Invocation, Output};

/// The most lines of one package's script that are reported; the last ones are kept.
const MAX_LINES: usize = 12;

/// What dpkg itself prints about a lock that another process holds, with that process.
const LOCKED_BY: &str = "was locked by another process";

/// What apt prints about a lock that it cannot open: the file system is read-only, or full.
const NOT_OPENED: &str = "Could not open lock";

/// What dpkg prints before it runs a package's scripts.
const TURNS: [&str; 6] = [
    "Setting up ",
    "Preparing to unpack ",
    "Unpacking ",
    "Removing ",
    "Purging ",
    "Processing triggers for ",
];

/// The error of a transaction. dpkg lists the failed packages at the end; the output of their scripts comes before
/// that, mixed with that of all others.
pub(super) fn failure(command: &Invocation, output: &Output) -> Error {
    let Error::Command { command, exit, said } = Error::command(command, output) else {
        return Error::command(command, output);
    };
    let stdout = output.text();
    let scripts: Vec<String> = failed(output).iter().filter_map(|name| turn_of(name, &stdout)).collect();
    let said = if scripts.is_empty() { said } else { format!("{}\n{said}", scripts.join("\n")) };
    let said = match holder(&stdout).filter(|holder| is_locked(output) && !said.contains(holder)) {
        Some(holder) => format!("{said}\n{holder}"),
        None => said,
    };
    Error::Command { command, exit, said }
}

/// The process that holds the lock for which apt has waited. apt names it while it waits, and not when it gives up.
fn holder(stdout: &str) -> Option<&str> {
    let rest = stdout.get(stdout.rfind("It is held by process ")?..)?;
    rest.get(..=rest.find(')')?)
}

/// Whether another program holds apt's or dpkg's lock.
pub(super) fn is_locked(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains(NOT_OPENED) {
        return false;
    }
    ["Could not get lock", "Unable to acquire the dpkg frontend lock", "Unable to lock", LOCKED_BY]
        .iter()
        .any(|sign| said.contains(sign))
}

/// Whether another program holds a lock that was not waited for: one of apt's own, for its lists or archives, or one of
/// dpkg's if dpkg itself reports it.
pub(super) fn lacks_lock(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    let is_not_waited_for = |line: &str| {
        let of_apt = line.contains("/apt/lists/lock") || line.contains("/apt/archives/lock");
        (line.contains("Could not get lock") && of_apt) || line.contains(LOCKED_BY)
    };
    !output.succeeded() && said.lines().any(is_not_waited_for)
}

/// The packages that dpkg lists as failed, at most three.
fn failed(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    let names = said.lines().filter_map(|line| {
        let rest = line.trim().strip_prefix("dpkg: error processing ")?;
        let name = rest.strip_prefix("package ").or_else(|| rest.strip_prefix("archive "))?;
        let name = name.split(' ').next()?.rsplit('/').next()?;
        Some(name.split(['_', ':']).next().unwrap_or(name).to_owned())
    });
    let mut names: Vec<_> = names.take(3).collect();
    names.dedup();
    names
}

/// The text after the words with which a package's turn begins.
fn begins(line: &str) -> Option<&str> {
    TURNS.iter().find_map(|turn| line.strip_prefix(turn))
}

/// The output of a package's last turn.
fn turn_of(name: &str, stdout: &str) -> Option<String> {
    let lines: Vec<&str> = stdout.lines().collect();
    let is_its = |line: &&str| {
        let of = begins(line).and_then(|rest| rest.split([' ', ':', '_']).find(|word| !word.is_empty()));
        of.is_some_and(|of| of.rsplit('/').next() == Some(name) || of == name)
    };
    let start = lines.iter().rposition(is_its)?;
    let rest = &lines[start + 1..];
    let end = rest.iter().position(|line| begins(line).is_some()).unwrap_or(rest.len());
    let said: Vec<&str> = rest[..end].iter().copied().filter(|line| !line.trim().is_empty()).collect();
    if said.is_empty() {
        return None;
    }
    let left_out = match said.len().saturating_sub(MAX_LINES) {
        0 => String::new(),
        count => format!("[{} left out]\n", counted(count, "line", "lines")),
    };
    let last = &said[said.len().saturating_sub(MAX_LINES)..];
    Some(format!("{}\n{left_out}{}", lines[start], last.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Exit;

    const STDOUT: &str = "\
Reading package lists...
Setting up alpha (1.0) ...
alpha is fine
Setting up fok (1.0-1) ...
checking the licence
no way: the licence is missing
Setting up omega (2) ...
omega is fine
";
    const STDERR: &str = "\
dpkg: error processing package fok (--configure):
 installed fok package post-installation script subprocess returned error exit status 1
Errors were encountered while processing:
 fok
E: Sub-process /usr/bin/dpkg returned an error code (1)
";

    fn output(stdout: &str, stderr: &str) -> Output {
        Output { exit: Exit::Code(100), stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn a_lock_that_cannot_be_opened_is_no_other_programs() {
        for why in ["30: Read-only file system", "28: No space left on device"] {
            let said = format!(
                "E: Could not open lock file /var/lib/apt/lists/lock - open ({why})\nE: Unable to lock directory /var/lib/apt/lists/"
            );
            let output = output("", &said);
            assert!(!is_locked(&output) && !lacks_lock(&output), "{said}");
        }
    }

    #[test]
    fn f23_a_failing_script_s_own_words_are_told_with_its_package() {
        let error = failure(&Invocation::new(["apt-get"]), &output(STDOUT, STDERR)).to_string();
        assert!(error.contains("Setting up fok (1.0-1) ...\nchecking the licence\nno way"), "{error}");
        assert!(error.contains("post-installation script") && !error.contains("is fine"), "{error}");
    }

    #[test]
    fn of_a_script_that_says_much_the_last_lines_are_told_and_how_many_are_not() {
        let much: String = (1..=20).map(|line| format!("line {line}\n")).collect();
        let stdout = format!("Setting up fok (1.0-1) ...\n{much}");
        let error = failure(&Invocation::new(["apt-get"]), &output(&stdout, STDERR)).to_string();
        assert!(error.contains("Setting up fok (1.0-1) ...\n[8 lines left out]\nline 9\n"), "{error}");
    }

    #[test]
    fn an_archive_that_cannot_be_unpacked_is_found_by_its_file() {
        let stdout = "Preparing to unpack .../0-big_1.0_all.deb ...\nUnpacking big (1.0) ...\nhalf of it\n";
        let stderr = "dpkg: error processing archive /var/cache/apt/archives/big_1.0_all.deb (--unpack):\n \
                      cannot copy: No space left on device\n";
        let error = failure(&Invocation::new(["apt-get"]), &output(stdout, stderr)).to_string();
        assert!(error.contains("half of it") && error.contains("No space left"), "{error}");
    }

    #[test]
    fn who_holds_a_lock_of_dpkg_is_named_as_apt_named_it_while_it_waited() {
        let waited = "Waiting for cache lock: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 542 (perl)...\r\n";
        let stderr = "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?\n";
        let error = failure(&Invocation::new(["apt-get"]), &output(waited, stderr)).to_string();
        assert!(error.ends_with("is another process using it?\nIt is held by process 542 (perl)"), "{error}");
        let named = format!("{stderr}E: It is held by process 542 (perl)\n");
        let error = failure(&Invocation::new(["apt-get"]), &output(waited, &named)).to_string();
        assert_eq!(error.matches("process 542").count(), 1, "{error}");
        let error = failure(&Invocation::new(["apt-get"]), &output(waited, "E: no such thing\n")).to_string();
        assert!(error.ends_with("E: no such thing"), "it waited, and got the lock: {error}");
    }

    #[test]
    fn what_has_no_script_is_told_as_it_is() {
        let error = failure(&Invocation::new(["apt-get"]), &output(STDOUT, "E: no such thing\n")).to_string();
        assert!(error.ends_with("E: no such thing"), "{error}");
    }
}
