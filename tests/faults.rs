//! The agent is killed at every system call of a run that changes the machine, on a booted host. Every file is whole,
//! old or new; the next run does the rest and leaves nothing behind; and a restart that was owed happens.
//!
//! A run from the old catalog to the new one is traced first: each call that can change the machine is a point. Then,
//! for each point and from the same old state, a run is killed on entering that call. Power cuts are not covered.

mod matrix;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use harness::lab::{self, Host};
use harness::{binaries, process};
use holdfast_catalog::report::Status;

const NODE: &str = "killed.acme.example";

/// How many points to try in one command: they take a few minutes, and a command on a host must take less than a
/// quarter of an hour.
const AT_ONCE: usize = 50;

/// How many kills continuous integration tries, spread over the whole run; `HOLDFAST_KILLS=all` tries all. A kill and
/// the run after it take three seconds, since a restarted service is watched.
const SAMPLE: usize = 150;

/// Everything that runs on the host, as shell functions.
const SCRIPT: &str = include_str!("faults/sweep.sh");

/// The file that the service reads when it starts.
const CONFIG: &str = "/etc/holdfast-sample.conf";

/// A run with fewer points than this proves too little.
const FEWEST: usize = 200;

#[test]
fn killed_anywhere_every_file_is_whole_and_the_next_run_does_the_rest() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&[NODE]).expect("a host boots")[0];
    for generation in ["old", "new"] {
        host.write(&format!("/root/{generation}.bundle"), bundle(generation)).unwrap();
    }
    host.write("/root/sweep.sh", SCRIPT).unwrap();
    sweep(host, "prepare", "");
    let old = files(&sweep(host, "look", ""));
    let points = points(&sweep(host, "trace", ""));
    let new = files(&sweep(host, "look", ""));
    assert!(old != new && points.len() >= FEWEST, "{} points are too few: {points:#?}", points.len());

    let every = if std::env::var_os("HOLDFAST_KILLS").is_some() { 1 } else { points.len().div_ceil(SAMPLE) };
    let points: Vec<String> = points.into_iter().step_by(every).collect();
    let (mut killed, mut owed) = (0, 0);
    let mut broken = Vec::new();
    for some in points.chunks(AT_ONCE) {
        for trial in sweep(host, "strike", &(some.join("\n") + "\n")).split("== ").skip(1) {
            match judge(trial, &old, &new) {
                Ok(End::Killed { owing }) => {
                    killed += 1;
                    owed += usize::from(owing);
                }
                Ok(End::Elsewhere) => {}
                Err(why) => broken.push(why),
            }
        }
    }
    assert!(broken.is_empty(), "{} of {} kills did harm:\n{}", broken.len(), points.len(), broken.join("\n"));
    // Not captured with a passing test's output, since the number is part of the result.
    let said = format!(
        "the agent was killed at {killed} of {} mutating system calls (one in {every}), {owed} times with a restart owed",
        points.len()
    );
    writeln!(std::io::stderr(), "{said}").unwrap();
    assert!(10 * killed >= 9 * points.len() && owed > 0, "{said}");
}

#[test]
fn f10_a_stopped_agent_ends_the_command_at_hand_says_so_and_does_it_next_time() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["stopped.acme.example"]).expect("a host boots")[0];
    let resources = serde_json::json!([
        ["exec[make]", {
            "command": "touch /srv/begun; [ -e /srv/quick ] || sleep 3600; touch /srv/made",
            "creates": "/srv/made", "timeout": 0,
        }],
        ["file[/srv/after]", { "content": "after" }],
    ]);
    let edges = serde_json::json!([{ "from": 0, "to": 1, "kind": "order" }]);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| crate::failing::apply(host, &resources, &edges));
        let patience = std::time::Duration::from_secs(60);
        host.wait_for("the command is at hand", patience, |host| host.sh("ls /srv/begun")).unwrap();
        host.sh("pkill --signal TERM --oldest --exact holdfast-agent").unwrap();
        let report = run.join().unwrap();
        let event = crate::failing::event(&report, "exec[make]");
        let reason = event.reason.as_deref().unwrap_or_default();
        assert_eq!(event.status, Status::Failed);
        assert!(reason.contains("interrupted because the run was told to stop"), "{event:#?}");
        assert!(report.error.as_ref().is_some_and(|note| note.contains("interrupted")), "{report:#?}");
        assert_eq!((report.counts.failed, report.counts.skipped), (1, 1));
    });
    host.sh("! [ -e /srv/made ] && ! pgrep --exact sleep && touch /srv/quick").unwrap();
    let report = crate::failing::apply(host, &resources, &edges);
    assert_eq!((report.counts.changed, report.counts.failed), (2, 0), "{:#?}", report.events);
}

/// Runs a function of the script on the host with this standard input; returns its output.
fn sweep(host: &Host, function: &str, input: &str) -> String {
    let output = host.exec_with_input(&["sh", "/root/sweep.sh", function], input.as_bytes()).unwrap();
    assert!(output.status.success(), "{function}: {}\n{}{}", output.status, output.stdout, output.stderr);
    output.stdout
}

/// The calls of a traced run that can change the machine, as the name and the count among its thread's calls with that
/// name.
fn points(trace: &str) -> Vec<String> {
    let mut counts = BTreeMap::<(&str, &str), usize>::new();
    let mut points = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let Some((name, _)) = call.trim_start().split_once('(') else { continue };
        let count = counts.entry((thread, name)).or_default();
        *count += 1;
        if changes_the_machine(call.trim_start()) {
            points.push(format!("{name} {count}"));
        }
    }
    points
}

/// Whether a call can change the machine. All traced calls can, except some of these two.
fn changes_the_machine(call: &str) -> bool {
    match call.split_once('(') {
        Some(("openat", _)) => call.contains("O_CREAT") || call.contains("O_TRUNC"),
        // To a file: pipes and so on have no path.
        Some(("write", arguments)) => arguments.split_once('<').is_some_and(|(_, at)| at.starts_with('/')),
        Some(_) => true,
        None => false,
    }
}

/// How a run that was to be killed ended.
enum End {
    /// At a call that can change the machine. `owing` if the new configuration was on disk and the old one in force.
    Killed { owing: bool },
    /// After the run, or in another call with that name, since threads race for the n-th call.
    Elsewhere,
}

/// Files by path, each with its mode, owner and hash, or its target.
type Files = BTreeMap<String, String>;

fn files(seen: &str) -> Files {
    let line = |line: &str| line.split_once(' ').map(|(path, what)| (path.to_owned(), what.to_owned()));
    seen.lines().filter_map(line).collect()
}

/// Judges the result of one kill: the point, the last call, the files, and the configuration that the service uses;
/// then the exit code of the next run, the files, and the configuration.
fn judge(trial: &str, old: &Files, new: &Files) -> Result<End, String> {
    let mut parts = trial.split("-- ");
    let mut part = |name: &str| {
        let part = parts.next().and_then(|part| part.strip_prefix(name));
        part.map(str::trim).ok_or_else(|| format!("no {name:?} in {trial}"))
    };
    let (point, call, after) = (part("")?, part("call")?, files(part("after")?));
    let running = part("running")?;
    let wrong = |why: String| Err(format!("{point}, before {call}: {why}"));
    for path in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let is = after.get(path);
        if is != old.get(path) && is != new.get(path) {
            return wrong(format!("{path} is {is:?}, was {:?}, becomes {:?}", old.get(path), new.get(path)));
        }
    }
    let known =
        |path: &String| old.contains_key(path) || new.contains_key(path) || path.contains("/.holdfast-");
    if let Some(stranger) = after.keys().find(|path| !known(path)) {
        return wrong(format!("{stranger} is nobody's"));
    }
    let (next, last, active) = (part("next")?, files(part("last")?), part("active")?);
    if !["0", "2"].contains(&next) {
        return wrong(format!("the next run ended with {next}"));
    }
    let differs: Vec<_> = last.iter().filter(|(path, is)| new.get(*path) != Some(is)).collect();
    if last != *new {
        return wrong(format!("the next run did not converge: {} files, unlike {differs:?}", last.len()));
    }
    if active != "new" {
        return wrong(format!("the restart that was owed did not happen: the service runs on {active:?}"));
    }
    let owing = running == "old" && after.get(CONFIG) == new.get(CONFIG);
    Ok(if changes_the_machine(call) { End::Killed { owing } } else { End::Elsewhere })
}

/// A bundle, as an operator would bring to a machine without a server.
fn bundle(generation: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path(), generation);
    let bundle = folder.path().join("bundle");
    let mut compile = Command::new(&binaries().server);
    compile.args(["compile", "--node", NODE, "--repo"]).arg(folder.path()).arg("--bundle").arg(&bundle);
    process::run(&mut compile).unwrap();
    fs::read(bundle).unwrap()
}

/// Writes a control repository whose node has files of every kind, all of which contain `generation`.
fn repository(root: &Path, generation: &str) {
    let put = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("inventory/hosting/acme.toml", &format!("[\"{NODE}\"]\nrole = \"app\"\nstage = \"test\"\n"));
    put("modules/role/manifests/app.toml", "doc = \"App.\"\ninclude = [\"profile::app\"]\n");
    put("modules/profile/manifests/app.toml", &manifest(generation));
    put("modules/profile/files/tree/same", "same\n");
    put("modules/profile/files/tree/deep/changed", generation);
    put("modules/profile/files/tree/large", &format!("{generation} of many lines\n").repeat(20_000));
    put(&format!("modules/profile/files/tree/{generation}/only"), generation);
}

/// The manifest. The service's configuration comes first and its restart last, so that the restart is owed for most of
/// a run.
fn manifest(generation: &str) -> String {
    let (mode, owner, gone, fresh) = match generation {
        "old" => ("0644", "root", "file", "absent"),
        _ => ("0600", "daemon", "absent", "file"),
    };
    let mut text = format!(
        r#"doc = "App."

[file."/etc/holdfast-sample.conf"]
content = "{generation}"
notify = "service[holdfast-sample]"

[file."/srv/app"]
ensure = "directory"

[file."/srv/app/gone"]
ensure = "{gone}"

[file."/srv/app/fresh"]
ensure = "{fresh}"

[file."/srv/app/current"]
target = "tree/{generation}"

[file."/srv/app/owned"]
content = "{generation}"
owner = "{owner}"
mode = "4755"

[file."/srv/app/tree"]
ensure = "directory"
source = "tree"
recurse = true
purge = true
force = true
mode = "0644"
"#
    );
    for number in 0..PAGES {
        let backup = number % 4 == 0;
        let _ = write!(
            text,
            "\n[file.\"/srv/app/page{number}\"]\ncontent = \"page {number}, {generation}\"\nmode = \"{mode}\"\n\
             backup = {backup}\n\n[file.\"/srv/app/mode{number}\"]\ncontent = \"mode\"\nmode = \"{mode}\"\n"
        );
    }
    text + "\n[service.holdfast-sample]\nensure = \"running\"\nenable = true\n"
}

/// The number of files, chosen so that there are enough points, but not many more.
const PAGES: usize = 14;
