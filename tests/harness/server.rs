//! The server under test: started on a control repository, and used as an operator would.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::{self, ChildGuard};
use crate::{binaries, wait};

/// How long something that takes moments may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);

/// The directories and addresses of a server.
pub struct ServerPaths {
    pub repo: PathBuf,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The file for its output.
    pub log_file: PathBuf,
    /// The address for nodes.
    pub listen: SocketAddr,
    /// The address for operators.
    pub dashboard: SocketAddr,
}

impl ServerPaths {
    /// Starts the server, and waits until it answers. The command runs its program on the network that it is to use.
    pub fn start(&self, mut command: Command, more: &[&str]) -> Result<ChildGuard> {
        command.arg("server").arg("--repo").arg(&self.repo).arg("--data-dir").arg(&self.data_dir);
        command.arg("--listen").arg(self.listen.to_string());
        command.arg("--dashboard").arg(self.dashboard.to_string()).args(more);
        let log = fs::File::options().create(true).append(true).open(&self.log_file)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = process::start(&mut command)?;
        let asked = || self.holdfast(&["ca", "show"]).map(drop);
        wait::until("the server answers", SOON, asked).with_context(|| self.log())?;
        Ok(process)
    }

    /// The output of the server so far.
    pub fn log(&self) -> String {
        format!("the server's log:\n{}", fs::read_to_string(&self.log_file).unwrap_or_default())
    }

    /// Runs an operator's command on the server, which must succeed.
    pub fn holdfast(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&binaries().server);
        Ok(process::run(command.args(arguments).arg("--data-dir").arg(&self.data_dir))?)
    }
}
