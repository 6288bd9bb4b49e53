//! Access to a host: commands under its own systemd, its files, and its web pages.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use super::super::{Error, PROGRAMS_AT};
use super::Host;
use crate::{process, wait};

/// How long a command may run on a host.
const COMMAND_LIMIT: &str = "RuntimeMaxSec=900";

/// The exit status and the output of a command on a host.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit status; also not zero if a signal ended the command.
    pub status: ExitStatus,
    pub stdout: String,
    /// What the command printed on standard error.
    pub stderr: String,
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Self {
        Self {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Host {
    /// A command on the host, as a unit of its own systemd, and so with the host's permissions and not the machine's.
    ///
    /// Standard streams and the exit status are passed through. The project's programs are in its `PATH`.
    pub fn command(&self, arguments: &[&str]) -> Result<Command, Error> {
        let path = format!("PATH={PROGRAMS_AT}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        let mut command = self.enter(&["systemd-run", "--quiet", "--pipe", "--wait", "--collect"])?;
        command.args(["--service-type=exec", "--working-directory=/root", "--property", COMMAND_LIMIT]);
        for variable in ["HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", &path] {
            command.arg("--setenv").arg(variable);
        }
        command.arg("--").args(arguments.iter().map(|argument| literal(argument)));
        Ok(command)
    }

    /// Runs a command to its end, whatever its exit status.
    pub fn exec(&self, arguments: &[&str]) -> Result<Output, Error> {
        Ok(process::output(self.command(arguments)?.stdin(Stdio::null()))?.into())
    }

    /// Runs a command with this standard input, whatever its exit status.
    pub fn exec_with_input(&self, arguments: &[&str], input: &[u8]) -> Result<Output, Error> {
        let mut command = self.command(arguments)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(Error::io(Path::new("nsenter")))?;
        let mut stdin = child.stdin.take();
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(move || stdin.as_mut().map_or(Ok(()), |stdin| stdin.write_all(input)));
            let output = child.wait_with_output();
            // It is not an error here if a command ends without reading all of it; the exit status shows how it went.
            drop(writer.join());
            output
        });
        Ok(written.map_err(Error::io(Path::new("nsenter")))?.into())
    }

    /// Runs a shell script that must succeed, and returns its output without the last line end.
    pub fn sh(&self, script: &str) -> Result<String, Error> {
        let output = self.exec(&["sh", "-ec", script])?;
        if !output.status.success() {
            return Err(Error::OnHost { host: self.certname.clone(), script: script.to_owned(), output });
        }
        Ok(output.stdout.trim_end_matches('\n').to_owned())
    }

    /// Reads a file on the host.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, Error> {
        let output = process::output(&mut self.enter(&["cat", "--", path])?)?;
        if !output.status.success() {
            return Err(Error::OnHost {
                host: self.certname.clone(),
                script: format!("cat {path}"),
                output: output.into(),
            });
        }
        Ok(output.stdout)
    }

    /// Writes a file with mode 0644, and creates the folders that it needs. An existing file is written in place.
    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
        const WRITE: &str = r#"umask 022; mkdir -p "$(dirname "$1")"; cat >"$1""#;
        let output = self.exec_with_input(&["sh", "-ec", WRITE, "write", path], bytes.as_ref())?;
        self.must_have("write", path, output)
    }

    /// Copies a file or a whole folder from the machine to a path on the host, where it belongs to root.
    pub fn push(&self, from: &Path, to: &str) -> Result<(), Error> {
        if !from.is_dir() {
            self.write(to, fs::read(from).map_err(Error::io(from))?)?;
            let mode = fs::metadata(from).map_err(Error::io(from))?.permissions().mode() & 0o7777;
            self.sh(&format!("chmod {mode:o} '{to}'"))?;
            return Ok(());
        }
        let mut pack = Command::new("tar");
        pack.arg("--directory").arg(from).args(["--create", "."]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut pack = process::start(&mut pack)?;
        let packed = pack.child().stdout.take().map_or_else(Stdio::null, Stdio::from);
        const UNPACK: &str = r#"mkdir -p "$1"; tar --directory "$1" --extract --no-same-owner"#;
        let mut unpack = self.command(&["sh", "-ec", UNPACK, "push", to])?;
        let output = process::output(unpack.stdin(packed))?;
        self.must_have("push", to, output.into())
    }

    /// Fetches a page of the host from the lab's network, with any name in the `Host` header.
    pub fn http_get(&self, port: u16, host_header: &str, path: &str) -> Result<HttpAnswer, Error> {
        let mut curl = self.site.command("curl");
        curl.args(["--silent", "--show-error", "--max-time", "10", "--write-out", "\n%{http_code}"]);
        curl.arg("--header").arg(format!("Host: {host_header}"));
        let answer = process::run(curl.arg(format!("http://{}:{port}{path}", self.address())))?;
        let (body, status) = answer.rsplit_once('\n').unwrap_or_default();
        Ok(HttpAnswer { status: status.parse().unwrap_or(0), body: body.to_owned() })
    }

    /// Polls the host until `look` returns an answer; see [`wait::until`].
    pub fn wait_for<T, E: std::fmt::Display>(
        &self,
        what: &str,
        timeout: Duration,
        look: impl Fn(&Self) -> Result<T, E>,
    ) -> Result<T, Error> {
        Ok(wait::until(&format!("{}: {what}", self.certname), timeout, || look(self))?)
    }

    /// Runs a program in the host's namespaces with the machine's permissions, so it must be harmless.
    pub(super) fn enter(&self, arguments: &[&str]) -> Result<Command, Error> {
        if self.group.is_frozen() {
            return Err(Error::Unavailable(format!("{} is frozen and would never answer", self.certname)));
        }
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.leader()?.to_string()).args(["--all", "--"]).args(arguments);
        Ok(command)
    }

    fn must_have(&self, what: &str, path: &str, output: Output) -> Result<(), Error> {
        if output.status.success() {
            return Ok(());
        }
        Err(Error::OnHost { host: self.certname.clone(), script: format!("{what} {path}"), output })
    }
}

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    pub status: u16,
    pub body: String,
}

/// Escapes an argument of a transient unit: systemd expands `$` in it, but not `%`.
fn literal(argument: &str) -> String {
    argument.replace('$', "$$")
}
