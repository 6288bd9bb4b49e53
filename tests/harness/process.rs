//! Runs programs of the machine: to their end with their output, or as a child that ends with its owner.

use std::env;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

/// Why a program gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started or waited for.
    #[error("cannot run {program}")]
    Start {
        program: String,
        #[source]
        source: io::Error,
    },
    /// Its exit status was not zero.
    #[error("{command}: {status}: {stderr}")]
    Failed {
        /// The program and its arguments.
        command: String,
        status: ExitStatus,
        /// What it printed on standard error, without white space around it.
        stderr: String,
    },
}

/// Checks that these programs are installed; the error names those that are missing.
pub fn installed(programs: &[&str]) -> Result<(), String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = |program: &str| env::split_paths(&path).any(|folder| folder.join(program).exists());
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !found(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("not installed: {}; tests/install.sh installs all that is needed", missing.join(", ")))
}

/// Runs a program to its end, whatever its exit status.
pub fn output(command: &mut Command) -> Result<Output, Error> {
    command.output().map_err(|source| Error::Start { program: name(command), source })
}

/// Runs a program that must succeed, and returns its output.
pub fn run(command: &mut Command) -> Result<String, Error> {
    let output = output(command.stdin(Stdio::null()))?;
    if !output.status.success() {
        return Err(Error::Failed {
            command: format!("{command:?}"),
            status: output.status,
            stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Starts a program that ends at the latest when its owner is dropped.
pub fn start(command: &mut Command) -> Result<ChildGuard, Error> {
    command.spawn().map(ChildGuard).map_err(|source| Error::Start { program: name(command), source })
}

/// A loopback address that a program can listen on: its port is free at the moment.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// A running child, killed by its id when dropped.
#[derive(Debug)]
pub struct ChildGuard(Child);

impl ChildGuard {
    /// The child itself: its streams, its id, its exit status.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        // Both fail only if the child has already ended and was waited for, which is all that they are for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        let error = run(Command::new("sh").args(["-c", "echo no such thing >&2; exit 3"])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("\"sh\" \"-c\"") && text.ends_with("exit status: 3: no such thing"), "{text}");
    }

    #[test]
    fn only_missing_programs_are_named() {
        assert_eq!(installed(&["sh", "cat"]), Ok(()));
        let missing = installed(&["sh", "no-such-program"]).unwrap_err();
        assert!(missing.starts_with("not installed: no-such-program;"), "{missing}");
    }

    #[test]
    fn an_owned_child_does_not_outlive_its_owner() {
        let mut sleeper = start(Command::new("sleep").arg("600")).unwrap();
        let process = format!("/proc/{}", sleeper.child().id());
        assert!(std::fs::exists(&process).unwrap());
        drop(sleeper);
        assert!(!std::fs::exists(&process).unwrap());
    }
}
