//! The control repository of a page: what `holdfast init` makes, overlaid with what the page shows.

use std::path::Path;
use std::process::Command;

use harness::{binaries, process};
use holdfast_server::diagnose::{self, Colour};
use holdfast_server::{Directory, Excerpts, Program, Snapshot, check};
use tempfile::TempDir;

/// A repository that grows along a page.
pub struct Repository {
    folder: TempDir,
    /// The paths of files from the page.
    laid: Vec<String>,
    /// The path and previous text of the file that a wrong block replaced.
    instead: Option<(String, Option<String>)>,
}

impl Repository {
    /// A repository as `holdfast init` makes it.
    pub fn of_init() -> Self {
        let folder = tempfile::tempdir().unwrap();
        process::run(Command::new(&binaries().server).arg("init").arg(folder.path())).unwrap();
        Self { folder, laid: Vec::new(), instead: None }
    }

    /// Writes a file. If it replaces one of the page's own, that one must have been right.
    pub fn lay(&mut self, path: &str, text: &str, wrong: bool) -> Result<(), String> {
        self.restore();
        if self.laid.iter().any(|laid| laid == path) {
            self.check()?;
        }
        let file = self.folder.path().join(path);
        if wrong {
            self.commit();
            self.instead = Some((path.to_owned(), std::fs::read_to_string(&file).ok()));
        } else {
            self.laid.push(path.to_owned());
        }
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        match wrong && self.check().is_ok() {
            true => Err(format!("{path} was to be refused, and nothing is wrong with it")),
            false => Ok(()),
        }
    }

    /// Checks the repository at the end of the page.
    pub fn end(&mut self) -> Result<(), String> {
        self.restore();
        self.check()
    }

    /// Commits the present state, since a wrong block is judged against it.
    fn commit(&self) {
        for arguments in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["add", "-A"],
            &[
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@example.com",
                "commit",
                "--quiet",
                "--allow-empty",
                "-m",
                "next",
            ],
        ] {
            let mut git = Command::new("git");
            process::run(git.current_dir(self.folder.path()).args(arguments)).unwrap();
        }
    }

    fn restore(&mut self) {
        let Some((path, before)) = self.instead.take() else { return };
        let file = self.folder.path().join(path);
        match before {
            Some(text) => std::fs::write(file, text).unwrap(),
            None => std::fs::remove_file(file).unwrap(),
        }
    }

    /// Finds all problems of the repository as it is, both on its machine and on one that has every class from the page.
    fn check(&self) -> Result<(), String> {
        let snapshot = Directory::new(self.folder.path()).snapshot().unwrap();
        let probed = self.with_probe(&snapshot);
        for snapshot in [&snapshot, &probed] {
            let problems = check(&Program::new(snapshot, None)).all();
            if !problems.is_empty() {
                let excerpts = Excerpts::new(snapshot, None);
                let shown: Vec<String> = problems
                    .iter()
                    .map(|problem| diagnose::text(problem, &|place| excerpts.line(place), Colour::Plain))
                    .collect();
                return Err(shown.join("\n\n"));
            }
        }
        Ok(())
    }

    fn with_probe(&self, snapshot: &Snapshot) -> Snapshot {
        let mut files: Vec<(String, Vec<u8>)> =
            snapshot.files().map(|(path, file)| (path.to_string(), file.bytes().to_vec())).collect();
        let classes: Vec<String> = self.laid.iter().filter_map(|path| class_of(snapshot, path)).collect();
        let node = b"\n[\"probe.example.com\"]\nrole = \"probe\"\nstage = \"test\"\n";
        if let Some((_, inventory)) =
            files.iter_mut().find(|(path, _)| path == "inventory/hosting/example.toml")
        {
            inventory.extend(node);
        }
        files
            .push(("modules/role/manifests/probe.toml".into(), b"include = [\"profile::probe\"]\n".to_vec()));
        files.push((
            "modules/profile/manifests/probe.toml".into(),
            format!("include = {classes:?}\n").into_bytes(),
        ));
        Snapshot::of_files(files)
    }

    /// Runs the commands of a console block, and returns the block as it should be.
    pub fn run(&self, block: &str) -> Result<String, String> {
        let mut shown = String::new();
        for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
            if !command.starts_with("holdfast ") {
                return Err(format!("only holdfast is run on pages, not `{command}`"));
            }
            let path = format!("{}:/usr/bin:/bin", binaries().folder.display());
            let output = Command::new("sh")
                .args(["-c", &format!("{command} 2>&1")])
                .env("PATH", path)
                .current_dir(self.folder.path())
                .output()
                .map_err(|error| error.to_string())?;
            shown += &format!("$ {command}\n{}", String::from_utf8_lossy(&output.stdout));
            if !shown.ends_with('\n') {
                shown.push('\n');
            }
        }
        Ok(shown.replace("\n\n$ ", "\n$ ").trim_end().to_owned() + "\n")
    }
}

/// The class of a manifest; `None` if it is a role or a define.
fn class_of(snapshot: &Snapshot, path: &str) -> Option<String> {
    let name = holdfast_server::ManifestName::of_path(path)?.ok()?;
    let text = String::from_utf8_lossy(snapshot.get(path)?.bytes()).into_owned();
    (name.module() != "role" && !text.contains("kind = \"define\"")).then(|| name.to_string())
}

/// Checks the settings of a program by reading them as the program does.
pub fn read_settings(path: &str, text: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, text).unwrap();
    match path {
        "/etc/holdfast/server.toml" => {
            let read = holdfast_server::ServerConfig::read(Some(&file));
            read.and_then(holdfast_server::ServerConfig::checked).map(drop).map_err(|error| error.to_string())
        }
        "/etc/holdfast/agent.toml" => {
            let read = holdfast_agent::Installation::find(Path::new("/"), Some(&file), None);
            read.map(drop).map_err(|error| error.to_string())
        }
        _ if path.starts_with("/etc/holdfast/facts.d/") => {
            toml::from_str::<toml::Table>(text).map(drop).map_err(|error| error.to_string())
        }
        _ => Err(format!("nobody reads {path}")),
    }
}
