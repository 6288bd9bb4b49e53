//! A scene for the demonstration and tests: a git remote with the tree's own control repository, a server that follows
//! it, and machines with agents: booted hosts if there is a lab, directories otherwise.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use holdfast_catalog::report::Report;
use tempfile::TempDir;

use crate::lab::{Forward, Host, Lab, PROGRAMS_AT};
use crate::process::{self, ChildGuard};
use crate::server::ServerPaths;
use crate::{binaries, estate};

/// A server that follows a git remote, and its machines.
pub struct Scene {
    folder: TempDir,
    lab: Option<Lab>,
    server: ServerPaths,
    process: Option<ChildGuard>,
    forward: Option<Forward>,
}

/// The folders of a bare Debian that files and settings of the estate go into.
const FOLDERS: [&str; 22] = [
    "etc/apt/apt.conf.d",
    "etc/apt/keyrings",
    "etc/apt/preferences.d",
    "etc/apt/sources.list.d",
    "etc/cron.d",
    "etc/default",
    "etc/logrotate.d",
    "etc/security/limits.d",
    "etc/sysctl.d",
    "etc/systemd/system",
    "home",
    "opt",
    "root",
    "srv",
    "tmp",
    "usr/local/bin",
    "usr/local/lib",
    "usr/local/sbin",
    "usr/share/keyrings",
    "usr/share/zoneinfo/Europe",
    "var/lib",
    "var/log",
];

/// Files that only have to exist.
const FILES: [&str; 2] =
    ["usr/share/keyrings/debian-archive-keyring.gpg", "usr/share/zoneinfo/Europe/Zurich"];

impl Scene {
    /// Makes the remote from the tree's own control repository, and starts a server on it: on the lab's network if
    /// there is a lab, on the loopback address otherwise.
    pub fn start(lab: Option<Lab>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (listen, dashboard) = match &lab {
            Some(lab) => ((lab.address(), 8140).into(), (lab.address(), 8443).into()),
            None => (process::free_address()?, process::free_address()?),
        };
        let at = |name: &str| folder.path().join(name);
        let server = ServerPaths {
            repo: at("control.git"),
            data_dir: at("data"),
            log_file: at("server.log"),
            listen,
            dashboard,
        };
        let mut scene = Self { folder, lab, server, process: None, forward: None };
        scene.make_remote()?;
        scene.start_server()?;
        if let Some(lab) = &scene.lab {
            scene.forward = Some(lab.forward((Ipv4Addr::LOCALHOST, 0).into(), dashboard)?);
        }
        Ok(scene)
    }

    fn make_remote(&self) -> Result<()> {
        let (remote, clone) = (&self.server.repo, self.clone_folder());
        git(self.folder.path(), &["init", "--quiet", "--bare", "--initial-branch=main", path(remote)?])?;
        git(self.folder.path(), &["clone", "--quiet", path(remote)?, path(&clone)?])?;
        estate::copy(&clone)?;
        if self.lab.is_some() {
            estate::use_packages_of_lab(&clone)?;
        }
        git(&clone, &["add", "--all"])?;
        git(&clone, &["commit", "--quiet", "--message", "The estate as it stands"])?;
        git(&clone, &["push", "--quiet", "origin", "main"])?;
        // As an operator would do it: a push waits until its commit is in force, and shows what is wrong with it.
        let hook = remote.join("hooks/post-receive");
        let script = format!(
            "#!/bin/sh\nwhile read -r _ commit _; do\n    {} poke --data-dir {} --commit \"$commit\" 2>&1\ndone\n",
            binaries().server.display(),
            self.server.data_dir.display(),
        );
        fs::write(&hook, script)?;
        process::run(Command::new("chmod").arg("755").arg(&hook))?;
        Ok(())
    }

    /// Starts the server, which must not be running.
    pub fn start_server(&mut self) -> Result<()> {
        let program = &binaries().server;
        let command = match &self.lab {
            Some(lab) => lab.command_in_network(path(program)?),
            None => Command::new(program),
        };
        let more = ["--name", &self.server.listen.ip().to_string(), "--interval", "60"];
        self.process = Some(self.server.start(command, &more)?);
        Ok(())
    }

    /// Ends the server, as a crash would.
    pub fn stop_server(&mut self) {
        self.process = None;
    }

    /// The output of the server so far.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// The working clone in which commits are made.
    pub fn clone_folder(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    /// The dashboard's address as seen from this machine, `https://host:port`.
    pub fn dashboard(&self) -> String {
        let address = self.forward.as_ref().map_or(self.server.dashboard, Forward::address);
        format!("https://{address}")
    }

    /// A one-time login link for a new user, with the address as seen from this machine.
    pub fn login_link(&self, user: &str) -> Result<String> {
        let answer = self.holdfast(&["user", "add", user, "--format", "json"])?;
        let answer: serde_json::Value = serde_json::from_str(&answer)?;
        let url = answer["value"]["url"].as_str().context("no link in the answer")?;
        let (_, link) = url.split_once("/login/").context("not a login link")?;
        Ok(format!("{}/login/{link}", self.dashboard()))
    }

    /// Runs an operator's command on the server, which must succeed.
    pub fn holdfast(&self, arguments: &[&str]) -> Result<String> {
        self.server.holdfast(arguments)
    }

    /// Replaces text in a file of the clone, commits and pushes. Returns the commit, and the output of the push.
    pub fn commit(&self, file: &str, from: &str, to: &str, message: &str) -> Result<(String, String)> {
        let clone = self.clone_folder();
        let before = fs::read_to_string(clone.join(file))?;
        ensure!(before.contains(from), "{file} does not hold {from:?}");
        fs::write(clone.join(file), before.replacen(from, to, 1))?;
        git(&clone, &["commit", "--quiet", "--all", "--message", message])?;
        let said = git(&clone, &["push", "--quiet", "origin", "main"])?;
        Ok((git(&clone, &["rev-parse", "HEAD"])?, said))
    }

    /// Makes machines with these names: hosts if there is a lab, directories otherwise. They are not enrolled.
    pub fn machines(&self, certnames: &[&str]) -> Result<Vec<SceneMachine>> {
        match &self.lab {
            Some(lab) => Ok(lab.boot(certnames)?.into_iter().map(SceneMachine::Host).collect()),
            None => certnames.iter().map(|name| self.directory(name)).collect(),
        }
    }

    fn directory(&self, certname: &str) -> Result<SceneMachine> {
        let root = self.folder.path().join("machines").join(certname);
        for folder in FOLDERS {
            fs::create_dir_all(root.join(folder))?;
        }
        for file in FILES {
            fs::write(root.join(file), "")?;
        }
        fs::copy("/etc/os-release", root.join("etc/os-release"))?;
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
        fs::write(root.join("etc/group"), "root:x:0:\n")?;
        Ok(SceneMachine::Directory { certname: certname.to_owned(), root })
    }

    /// Adds a machine as a node, and enrols it.
    pub fn enroll(&self, machine: &SceneMachine) -> Result<()> {
        let join = self.holdfast(&["node", "add", machine.certname()])?;
        let run = machine.agent(&["enroll"], join.trim().as_bytes())?;
        ensure!(run.code == 0, "enrolling {}: {run:?}\n{}", machine.certname(), self.log());
        Ok(())
    }
}

/// A machine with an agent.
pub enum SceneMachine {
    /// A booted host of the lab.
    Host(Host),
    /// A directory that the agent uses as the root.
    Directory { certname: String, root: PathBuf },
}

/// The result of a command of the agent.
#[derive(Debug)]
pub struct CommandResult {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl CommandResult {
    /// The report that a run printed.
    pub fn report(&self) -> Result<Report> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no report in {self:?}"))
    }
}

impl SceneMachine {
    /// The node's name.
    pub fn certname(&self) -> &str {
        match self {
            Self::Host(host) => host.certname(),
            Self::Directory { certname, .. } => certname,
        }
    }

    /// The host, if the machine is one.
    pub fn host(&self) -> Option<&Host> {
        if let Self::Host(host) = self { Some(host) } else { None }
    }

    /// Runs a command of the agent with this standard input.
    pub fn agent(&self, arguments: &[&str], input: &[u8]) -> Result<CommandResult> {
        match self {
            Self::Host(host) => {
                let program = format!("{PROGRAMS_AT}/holdfast-agent");
                let all: Vec<&str> = [program.as_str()].iter().chain(arguments).copied().collect();
                let output = host.exec_with_input(&all, input)?;
                let code = output.status.code().unwrap_or(-1);
                Ok(CommandResult { code, stdout: output.stdout, stderr: output.stderr })
            }
            Self::Directory { root, .. } => {
                let mut command = Command::new(&binaries().agent);
                command.args(arguments).arg("--root").arg(root);
                run_with_input(&mut command, input)
            }
        }
    }

    /// Runs the agent once. The exit code shows the result: 0 nothing to do, 2 changed, 4 failed, 6 both.
    pub fn run_once(&self) -> Result<CommandResult> {
        self.agent(&["run", "--once", "--detailed-exitcodes", "--format", "json"], b"")
    }

    /// The content of a file.
    pub fn read(&self, file: &str) -> Result<String> {
        let bytes = match self {
            Self::Host(host) => host.read(file)?,
            Self::Directory { root, .. } => fs::read(root.join(file.trim_start_matches('/')))?,
        };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Writes a file, as a person with an editor would.
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Host(host) => host.write(file, bytes)?,
            Self::Directory { root, .. } => fs::write(root.join(file.trim_start_matches('/')), bytes)?,
        }
        Ok(())
    }
}

fn run_with_input(command: &mut Command, input: &[u8]) -> Result<CommandResult> {
    use std::io::Write as _;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // Closed when dropped; it is not an error here if the program does not read it.
    let _ = child.stdin.take().context("no standard input")?.write_all(input);
    let output = child.wait_with_output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    Ok(CommandResult { code, stdout: text(&output.stdout), stderr: text(&output.stderr) })
}

/// Runs git without this machine's own settings; returns its output.
fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for person in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{person}_NAME"), "Otto Operator");
        command.env(format!("GIT_{person}_EMAIL"), "otto@hosting.example");
    }
    let output = command.output()?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        bail!("git {}: {}\n{said}", arguments.join(" "), output.status);
    }
    Ok(said.trim().to_owned())
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}
