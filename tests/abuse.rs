//! The table of abuse tests, held against the tree; and what only the programs themselves show.

use std::collections::BTreeMap;
use std::process::Command;

use harness::binaries::workspace;
use harness::server::{SOON, Server};
use harness::{binaries, process, wait};

/// Attacks, and what enrolment meets.
const ATTACKS: std::ops::RangeInclusive<u32> = 1..=60;
const ENROLMENTS: std::ops::RangeInclusive<u32> = 1..=18;

/// The rows of the table: what stands in the last column, by number.
fn table() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(workspace().join("tests/abuse/README.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, _, tests] = cells[..] else { return None };
        number.starts_with(['A', 'E']).then(|| (number.to_owned(), tests.to_owned()))
    });
    let rows: Vec<_> = rows.collect();
    let table: BTreeMap<_, _> = rows.iter().cloned().collect();
    assert_eq!(rows.len(), table.len(), "a number stands in the table twice");
    table
}

#[test]
fn every_attack_is_in_the_table() {
    let wanted = ATTACKS.map(|n| format!("A{n:02}")).chain(ENROLMENTS.map(|n| format!("E{n:02}")));
    let table = table();
    let missing: Vec<_> = wanted.filter(|number| !table.contains_key(number)).collect();
    assert!(missing.is_empty(), "not in tests/abuse/README.md: {missing:?}");
}

#[test]
fn every_test_of_the_table_is_in_the_tree() {
    let mut lost = Vec::new();
    for (number, tests) in table() {
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(
            !named.is_empty() || tests.starts_with("not yet"),
            "{number} has neither a test nor a reason"
        );
        for test in named {
            let (file, name) = test.rsplit_once("::").unwrap_or((test, ""));
            let text = std::fs::read_to_string(workspace().join(file)).unwrap_or_default();
            if !text.contains(&format!("fn {name}(")) {
                lost.push(format!("{number}: {test}"));
            }
        }
    }
    assert!(lost.is_empty(), "tests of the table that are not there:\n  {}", lost.join("\n  "));
}

#[test]
fn a27_where_no_file_can_be_opened_that_is_said_and_not_what_seems_to_follow() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server {
        repo: folder.path().join("control"),
        data_dir: folder.path().join("data"),
        log_file: folder.path().join("server.log"),
        listen: process::free_address().unwrap(),
        dashboard: process::free_address().unwrap(),
    };
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(&server.repo);
        command.args(["-c", "user.name=Otto", "-c", "user.email=otto@hosting.example"]);
        process::run(command.args(arguments)).unwrap()
    };
    let customer = server.repo.join("inventory/hosting/acme.toml");
    std::fs::create_dir_all(customer.parent().unwrap()).unwrap();
    std::fs::write(customer, "# no machine yet\n").unwrap();
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "A customer"]);
    let mut running = server.start(Command::new(&binaries().server), &[]).unwrap();
    let id = running.child().id().to_string();
    let limit = |files: &str| {
        process::run(Command::new("prlimit").args(["--pid", &id, &format!("--nofile={files}:")])).unwrap()
    };
    let said = |words: &str| match server.log() {
        log if log.contains(words) => Ok(log),
        log => Err(log),
    };
    // Fewer than it has open already.
    limit("5");
    let log =
        wait::until("the server says it", SOON, || said("too many files are open, 5 is the limit")).unwrap();
    assert!(!log.contains("no branch") && !log.contains("is no commit"), "{log}");
    limit("1024");
    git(&["commit", "--quiet", "--allow-empty", "--message", "Another"]);
    let commit = git(&["rev-parse", "HEAD"]);
    wait::until("it reads again", SOON, || server.holdfast(&["poke", "--commit", commit.trim()])).unwrap();
}
