//! A secret like no other text, in every form that a secret can have, is put through both programs. No six bytes of it
//! may be anywhere except in the file that it is meant for, in the bundle that was requested with secrets, and in the
//! repository.

mod commands;
mod pages;
mod shapes;
mod told;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::binaries::workspace;
use harness::process::{self, ChildGuard};
use harness::server::{SOON, ServerPaths};
use harness::wait;
use holdfast_catalog::log::LogFormat;

use commands::{TestedProgram, Tried, are_objects};
use pages::Session;
use told::{CANARY, Told};

const NODE: &str = "web1.acme.example";

/// Keys of the repository whose values are or may be secret.
const KEYS: [&str; 11] = [
    "m::declared",
    "m::either",
    "m::listed",
    "m::mapped",
    "m::mapped.one",
    "m::deeper",
    "m::parts",
    "m::pair",
    "m::maybe",
    "m::fallback",
    "token",
];

/// The folders that an agent finds below its root.
const FOLDERS: [&str; 4] = ["etc/cron.d", "etc/systemd/system", "tmp", "var/lib"];

#[test]
fn no_piece_of_a_secret_is_anywhere_but_where_it_must_be() {
    let folder = tempfile::tempdir().unwrap();
    let (mut told, mut tried) = (Told::new(), Tried::default());
    without_a_server(folder.path(), &mut told, &mut tried);
    let scene = Scene::start(folder.path(), &mut tried);
    scene.runs(&mut told, &mut tried);
    scene.broken_commits(&mut told, &mut tried);
    scene.end(&mut told, &mut tried);
    tried.is_all();
    told.end(2000);
}

#[test]
fn nor_in_logs_for_programs_each_of_whose_lines_is_an_object() {
    let folder = tempfile::tempdir().unwrap();
    let (mut told, mut tried) = (Told::new(), Tried::by(LogFormat::Json));
    let scene = Scene::start(folder.path(), &mut tried);
    scene.runs(&mut told, &mut tried);
    scene.push_what_is_wrong(&mut told, &mut tried);
    scene.agent(&mut told, &mut tried, "run", &["--once"]);
    let log = fs::read_to_string(&scene.server.log_file).unwrap();
    told.look("the server's log", log.as_bytes());
    are_objects(&log);
    for part in
        ["\"name\":\"request\"", "\"name\":\"compile\"", "\"name\":\"commit\"", "the commit is broken"]
    {
        assert!(log.contains(part), "no {part}: nothing of it was looked at");
    }
    told.end(50);
}

#[test]
fn nor_of_what_golden_cases_keep_secret() {
    let golden = workspace().join("server/tests/golden");
    let (mut told, mut tried) = (Told::new(), Tried::default());
    for kind in ["compile", "errors"] {
        for case in fs::read_dir(golden.join(kind)).unwrap() {
            let folder = tempfile::tempdir().unwrap();
            copy(&golden.join("base"), folder.path());
            copy(&case.unwrap().path(), folder.path());
            offline(folder.path(), &[], &mut told, &mut tried);
        }
    }
    told.end(500);
}

/// Copies a folder, with its secrets replaced by the canary.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&from, &to);
        } else if let Ok(text) = fs::read_to_string(&from) {
            fs::write(to, text.replace("hunter2", CANARY)).unwrap();
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

fn write(folder: &Path, files: &[(&str, String)]) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Runs the commands that read a repository.
fn offline(repository: &Path, keys: &[&str], told: &mut Told, tried: &mut Tried) {
    let at = repository.to_str().unwrap();
    let mut run =
        |words: &str, arguments: &[&str]| tried.run(told, TestedProgram::Holdfast, words, arguments, "");
    run("check", &[at]);
    run("check", &[at, "--strict"]);
    run("help", &["unknown-key"]);
    run("compile", &["--node", NODE, "--repo", at]);
    for key in keys {
        run("lookup", &[key, "--node", NODE, "--repo", at]);
        run("lookup", &[key, "--node", NODE, "--repo", at, "--explain"]);
        run("lookup", &[key, "--node", NODE, "--repo", at, "--explain", "--merge", "deep"]);
    }
}

fn without_a_server(folder: &Path, told: &mut Told, tried: &mut Tried) {
    let repository = folder.join("offline");
    write(&repository, &shapes::right());
    let at = repository.to_str().unwrap();
    let checked = tried.run(told, TestedProgram::Holdfast, "check", &[at], "");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    offline(&repository, &KEYS, told, tried);
    for merge in ["first", "unique", "hash"] {
        for key in KEYS {
            let arguments = [key, "--node", NODE, "--repo", at, "--merge", merge];
            tried.run(told, TestedProgram::Holdfast, "lookup", &arguments, "");
        }
    }
    for (path, text) in shapes::wrong() {
        let original = fs::read(repository.join(path)).ok();
        write(&repository, &[(path, text.clone())]);
        let checked = tried.run(told, TestedProgram::Holdfast, "check", &[at], "");
        assert!(!checked.status.success(), "nothing is wrong with {path}: {text}");
        offline(&repository, &KEYS[..4], told, tried);
        match original {
            Some(bytes) => fs::write(repository.join(path), bytes).unwrap(),
            None => fs::remove_file(repository.join(path)).unwrap(),
        }
    }
    bundles(folder, &repository, told, tried);
    tried.run(told, TestedProgram::Holdfast, "docs", &[at], "");
    told.look("a module's page", &fs::read(repository.join("modules/m/README.md")).unwrap());
    tried.run(told, TestedProgram::Holdfast, "init", &[folder.join("made").to_str().unwrap()], "");
    for program in [TestedProgram::Holdfast, TestedProgram::Agent] {
        tried.run(told, program, "completions", &["bash"], "");
    }
    parts_are_not_counted(&repository);
}

/// Writes bundles without secrets and, if asked for, with them; an agent without a server enforces them.
fn bundles(folder: &Path, repository: &Path, told: &mut Told, tried: &mut Tried) {
    let (masked, whole) = (folder.join("masked"), folder.join("whole"));
    let at = repository.to_str().unwrap();
    for (file, more) in [(&masked, None), (&whole, Some("--with-secrets"))] {
        let mut arguments = vec!["--node", NODE, "--repo", at, "--bundle", file.to_str().unwrap()];
        arguments.extend(more);
        tried.run(told, TestedProgram::Holdfast, "compile", &arguments, "");
    }
    told.look("a bundle without secrets", &fs::read(&masked).unwrap());
    let root = machine(&folder.join("alone"));
    let (report, root_text) = (folder.join("report.json"), root.display().to_string());
    for bundle in [&masked, &whole] {
        for more in [&["--audit"][..], &[]] {
            let mut arguments = vec!["--catalog", bundle.to_str().unwrap(), "--root", &root_text];
            arguments.extend(["--report", report.to_str().unwrap()]);
            arguments.extend(more);
            tried.run(told, TestedProgram::Agent, "apply", &arguments, "");
        }
    }
    told.look("a report in a file", &fs::read(report).unwrap());
    assert!(fs::read_to_string(root.join("etc/m/joined")).unwrap().contains(CANARY));
    told.folder("a machine without a server", &root, &managed(&root));
}

/// Checks that nothing reveals into how many parts a secret is split.
fn parts_are_not_counted(repository: &Path) {
    let common = repository.join("hieradata/common.toml");
    let text = fs::read_to_string(&common).unwrap();
    let compiled = |parts: &str| {
        let parts = format!("parts = \"{parts}\"");
        let line = text.lines().find(|line| line.starts_with("parts")).unwrap();
        fs::write(&common, text.replace(line, &parts)).unwrap();
        let mut command = TestedProgram::Holdfast.command(LogFormat::Text);
        process::run(command.args(["compile", "--node", NODE, "--repo"]).arg(repository)).unwrap()
    };
    // Of the same length, since places in the file are shown.
    assert_eq!(without_ids(&compiled("a,bbbbbbb")), without_ids(&compiled("a,b,c,d,e")));
}

/// The catalog without its id and commit, which depend on everything in the repository.
fn without_ids(catalog: &str) -> serde_json::Value {
    let mut catalog: serde_json::Value = serde_json::from_str(catalog).unwrap();
    catalog.as_object_mut().unwrap().retain(|key, _| key != "commit" && key != "id");
    catalog
}

/// Makes a directory that an agent accepts as a machine.
fn machine(root: &Path) -> PathBuf {
    FOLDERS.iter().for_each(|folder| fs::create_dir_all(root.join(folder)).unwrap());
    write(
        root,
        &[("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n".into()), ("etc/group", "root:x:0:\n".into())],
    );
    fs::copy("/etc/os-release", root.join("etc/os-release")).unwrap();
    root.to_owned()
}

/// The files that the repository's secrets are meant for.
fn managed(root: &Path) -> Vec<PathBuf> {
    ["etc/m", "etc/cron.d/job", "etc/systemd/system/m.service"].iter().map(|path| root.join(path)).collect()
}

/// A server with a git repository, and a machine.
struct Scene {
    server: ServerPaths,
    _process: ChildGuard,
    root: PathBuf,
    folder: PathBuf,
}

impl Scene {
    fn start(folder: &Path, tried: &mut Tried) -> Self {
        let server = ServerPaths {
            repo: folder.join("control"),
            data_dir: folder.join("data"),
            log_file: folder.join("server.log"),
            listen: process::free_address().unwrap(),
            dashboard: process::free_address().unwrap(),
        };
        write(&server.repo, &shapes::right());
        git(&server.repo, &["init", "--quiet", "--initial-branch=main"]);
        commit(&server.repo);
        let process = server.start(TestedProgram::Holdfast.command(tried.logs), &[]).unwrap();
        tried.note(TestedProgram::Holdfast, "server");
        Self { server, _process: process, root: machine(&folder.join("machine")), folder: folder.to_owned() }
    }

    /// Runs an operator's command.
    fn holdfast(&self, told: &mut Told, tried: &mut Tried, words: &str, arguments: &[&str]) -> String {
        let mut all = arguments.to_vec();
        all.extend(["--data-dir", self.server.data_dir.to_str().unwrap()]);
        let output = tried.run(told, TestedProgram::Holdfast, words, &all, "");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn agent(&self, told: &mut Told, tried: &mut Tried, words: &str, arguments: &[&str]) {
        let mut all = arguments.to_vec();
        all.extend(["--root", self.root.to_str().unwrap()]);
        tried.run(told, TestedProgram::Agent, words, &all, "");
    }

    /// The machine enrols, converges, drifts, and is given other secrets.
    fn runs(&self, told: &mut Told, tried: &mut Tried) {
        let join = self.server.holdfast(&["node", "add", NODE]).unwrap();
        tried.note(TestedProgram::Holdfast, "node add");
        let root = ["--root", self.root.to_str().unwrap()];
        tried.run(told, TestedProgram::Agent, "enroll", &root, &join);
        self.agent(told, tried, "run", &["--once", "--audit"]);
        self.agent(told, tried, "run", &["--once"]);
        assert!(fs::read_to_string(self.root.join("etc/m/joined")).unwrap().contains(CANARY));
        for file in ["joined", "template", "ini", "lines"] {
            let path = self.root.join("etc/m").join(file);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replace(CANARY, &CANARY[2..]) + "# by hand\n").unwrap();
        }
        self.agent(told, tried, "run", &["--once", "--audit"]);
        self.agent(told, tried, "run", &["--once"]);
        for (path, from, to) in [
            ("hieradata/customers/acme.toml", "acme-", "other-"),
            ("hieradata/common.toml", "CANARY,b-", "CANARY,c-"),
        ] {
            let from = from.replace("CANARY", CANARY);
            replace(&self.server.repo.join(path), &from, &to.replace("CANARY", CANARY));
            let id = commit(&self.server.repo);
            self.holdfast(told, tried, "poke", &["--commit", &id]);
            self.agent(told, tried, "run", &["--once"]);
        }
        for words in ["status", "doctor", "facts", "reports"] {
            self.agent(told, tried, words, &[]);
        }
    }

    /// Pushes each mistake. It is reported to the person who pushed it, and shown on pages to users of every kind.
    fn broken_commits(&self, told: &mut Told, tried: &mut Tried) {
        let users = [
            ("olga", &[][..]),
            ("vera", &["--viewer"]),
            ("rita", &["--scope", "hosting"]),
            ("anna", &["--viewer", "--scope", "hosting/acme"]),
        ];
        let sessions: Vec<_> = users.iter().map(|(name, more)| self.session(name, more)).collect();
        tried.note(TestedProgram::Holdfast, "user add");
        sessions[0].look_at_all(told, true);
        self.push_what_is_wrong(told, tried);
        self.agent(told, tried, "run", &["--once"]);
        for (session, (_, more)) in sessions.iter().zip(users) {
            let pages = session.look_at_all(told, false);
            // A user who sees everything finds every page.
            if more.is_empty() {
                session.is_all(&pages);
            }
        }
    }

    fn push_what_is_wrong(&self, told: &mut Told, tried: &mut Tried) {
        for (path, text) in shapes::wrong() {
            write(&self.server.repo, &[(path, text)]);
            let id = commit(&self.server.repo);
            self.holdfast(told, tried, "poke", &["--commit", &id]);
            git(&self.server.repo, &["rm", "--quiet", "--force", path]);
            git(&self.server.repo, &["checkout", "--quiet", "HEAD~1", "--", "."]);
            commit(&self.server.repo);
        }
    }

    fn session(&self, name: &str, more: &[&str]) -> Session<'_> {
        let mut arguments = vec!["user", "add", name];
        arguments.extend(more);
        let link = self.server.holdfast(&arguments).unwrap();
        let (_, token) = link.trim().split_once("/login/").unwrap();
        Session::by(&self.server, name, token, &self.folder)
    }

    /// Runs the other commands, and searches everything that is left on both disks.
    fn end(&self, told: &mut Told, tried: &mut Tried) {
        for (words, arguments) in [
            ("node list", &[][..]),
            ("node show", &[NODE]),
            ("user list", &[]),
            ("user link", &["olga"]),
            ("ca show", &[]),
            ("audit", &[]),
            ("audit", &["--verify"]),
            ("node move", &[NODE]),
            ("node revoke", &[NODE]),
            ("node remove", &[NODE]),
            ("user remove", &["vera"]),
        ] {
            self.holdfast(told, tried, words, arguments);
        }
        let log = || match fs::read_to_string(&self.server.log_file) {
            // Lines that are logged only with a more verbose filter.
            Ok(log) if log.contains("actix_server") => Ok(log),
            _ => Err("it logs no more than always"),
        };
        told.look("the server's log", wait::until("the log", SOON, log).unwrap().as_bytes());
        told.folder("the server's data", &self.server.data_dir, &[]);
        told.folder("the machine", &self.root, &managed(&self.root));
    }
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{} does not hold {from}", path.display());
    fs::write(path, text.replace(from, to)).unwrap();
}

/// Commits all changes, and returns the commit's id.
fn commit(repository: &Path) -> String {
    git(repository, &["add", "--all"]);
    git(repository, &["commit", "--quiet", "--allow-empty", "--message", "A commit"]);
    git(repository, &["rev-parse", "HEAD"]).trim().to_owned()
}

fn git(repository: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(repository).args(["-c", "user.name=Otto", "-c", "user.email=otto@hosting.example"]);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    process::run(command.args(arguments)).unwrap()
}
