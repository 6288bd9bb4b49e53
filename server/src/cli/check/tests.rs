//! The last line of a check describes what the server does.

use super::*;
use crate::repo::{GitRepository, Scratch, Snapshot};

const INVENTORY: (&str, &str) =
    ("inventory/a/acme.toml", "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n");
const ROLE: (&str, &str) =
    ("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"profile::web\"]\n");
const WEB: &str = "modules/profile/manifests/web.toml";
const ACME: &str = "hieradata/customers/acme.toml";
const TAKES: &str =
    "doc = \"Web.\"\n[parameters]\nport = { type = \"Port\", default = 80, doc = \"Port.\" }\n";
const NEEDS: &str = "doc = \"Web.\"\n[parameters]\nport = { type = \"Port\", doc = \"Port.\" }\n";

fn checked(overlay: &[(&str, &str)]) -> CheckFindings {
    let mut files = std::collections::BTreeMap::from([INVENTORY, ROLE, (WEB, TAKES)]);
    files.extend(overlay.iter().copied());
    let files = files.into_iter().map(|(path, text)| (path, text.as_bytes()));
    check(&Program::new(&Snapshot::of_files(files), None))
}

#[test]
fn a_check_says_what_the_server_does_with_the_commit() {
    let bad = "[profile.web]\nport = 0\n";
    let kept = checked(&[(ACME, bad)]);
    let said = verdict(&kept, BaselineName::Commit("HEAD"));
    assert!(
        said.contains("with HEAD in force, the server accepts this as a commit: the node that does"),
        "{said}"
    );
    let said = verdict(&kept, BaselineName::Unknown);
    assert!(said.contains("as a first commit") && said.contains("depends on that commit"), "{said}");
    let refused = checked(&[("hieradata/common.toml", bad)]);
    assert!(verdict(&refused, BaselineName::Whatever).starts_with("the server refuses this as a commit"));
    assert_eq!((uncounted(&kept), uncounted(&refused)), ("", ""));
    let inventory = "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"tset\"\n";
    let wrong = checked(&[("inventory/a/acme.toml", inventory)]);
    assert!(uncounted(&wrong).contains("are not counted") && !wrong.depends_on_the_one_before());
}

#[test]
fn a_check_counts_the_nodes_that_it_compiled() {
    let of = |files: &[(&str, &str)]| compiled(&checked(files), 1);
    assert_eq!(of(&[]), "1 of 1 node compiles");
    assert_eq!(of(&[(ACME, "[profile.web]\nport = 0\n")]), "0 of 1 node compiles");
    assert_eq!(of(&[("facts/web1.acme.example.json", "{")]), "0 of 1 node compiles");
    let nothing = check(&Program::new(&Snapshot::of_files(Vec::<(&str, &[u8])>::new()), None));
    assert_eq!(compiled(&nothing, 0), "no node was compiled");
}

/// Writes files of a work tree, and deletes those without a text.
fn write(scratch: &Scratch, files: &[(&str, &str)]) {
    for (path, text) in files {
        let file = scratch.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        match *text {
            "" => std::fs::remove_file(file).unwrap(),
            text => std::fs::write(file, text).unwrap(),
        }
    }
}

fn commit(scratch: &Scratch, files: &[(&str, &str)]) {
    write(scratch, files);
    scratch.git(&["add", "-A"]);
    scratch.git(&["commit", "--quiet", "-m", "next"]);
}

#[test]
fn a_check_names_the_machines_that_leave_a_customer() {
    let scratch = Scratch::new();
    let acme = "[\"db1.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n";
    let both = format!("{}{acme}", INVENTORY.1);
    commit(&scratch, &[(INVENTORY.0, both.as_str()), ROLE, (WEB, TAKES)]);
    let said = |revision| {
        let snapshot = repository::open(scratch.path(), revision).unwrap();
        let program = Program::new(&snapshot, None);
        let leaving = baseline::leaving(scratch.path(), revision, &program);
        leaving.iter().flat_map(left).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(said(None), "", "there is no commit before");
    write(&scratch, &[(INVENTORY.0, acme), ("inventory/a/birch.toml", INVENTORY.1)]);
    assert_eq!(
        said(None),
        "beside HEAD: 1 machine moved to another customer: web1.acme.example (a/acme to a/birch)"
    );
    commit(&scratch, &[(INVENTORY.0, ""), ("inventory/a/birch.toml", INVENTORY.1)]);
    let gone = "1 machine no longer in the inventory: db1.acme.example";
    assert!(said(None).starts_with(&format!("beside HEAD^: {gone}")), "{}", said(None));
    assert!(said(Some("main")).starts_with(&format!("beside main^: {gone}")), "{}", said(Some("main")));
}

#[test]
fn a_directory_that_is_not_there_is_not_the_one_around_it() {
    let scratch = Scratch::new();
    commit(&scratch, &[INVENTORY, ROLE, (WEB, TAKES)]);
    std::fs::create_dir(scratch.path().join("there")).unwrap();
    for revision in [None, Some("main")] {
        assert!(repository::open(&scratch.path().join("there"), revision).is_ok());
        let why = repository::open(&scratch.path().join("nowhere"), revision).unwrap_err();
        assert!(why.starts_with("cannot read ") && why.contains("nowhere: No such file"), "{why}");
    }
}

/// Whether the server would take the files as they are, and what they were judged against.
fn judged(scratch: &Scratch, revision: Option<&str>) -> (bool, String) {
    let snapshot = repository::open(scratch.path(), revision).unwrap();
    let program = Program::new(&snapshot, None);
    let in_force = baseline::find(scratch.path(), revision, &snapshot).unwrap();
    let checked = judge(&program, Some(in_force.before()), &|| false).unwrap();
    (checked.is_usable(), in_force.name)
}

#[test]
fn in_a_work_tree_a_check_judges_beside_the_commit_before() {
    let scratch = Scratch::new();
    let good = [INVENTORY, ROLE, (WEB, NEEDS), (ACME, "[profile.web]\nport = 3005\n")];
    commit(&scratch, &good);
    // A tenant removes something that is required: that is not the operators' fault.
    write(&scratch, &[(ACME, "")]);
    assert_eq!(judged(&scratch, None), (true, "HEAD".into()));
    commit(&scratch, &[]);
    assert_eq!(
        judged(&scratch, None),
        (true, "HEAD^".into()),
        "what is committed is judged as when it comes"
    );
    assert_eq!(judged(&scratch, Some("main")), (true, "main^".into()));
    // An operator changes a type so that a good value no longer fits.
    commit(&scratch, &[(ACME, "[profile.web]\nport = 3005\n")]);
    commit(&scratch, &[(WEB, &NEEDS.replace("Port\"", "Integer[1,100]\""))]);
    assert_eq!(judged(&scratch, None), (false, "HEAD^".into()));
    // The server refused that commit, so it has the one before in force.
    write(&scratch, &[("hieradata/common.toml", "# new\n")]);
    let before = format!(
        "commit {}",
        &GitRepository::open(scratch.path(), "HEAD^").unwrap().head().unwrap().as_str()[..10]
    );
    assert_eq!(judged(&scratch, None), (false, before));
    // In a clone, the upstream commit is in force.
    scratch.git(&["remote", "add", "origin", "nowhere"]);
    scratch.git(&["update-ref", "refs/remotes/origin/main", "HEAD^"]);
    scratch.git(&["config", "branch.main.remote", "origin"]);
    scratch.git(&["config", "branch.main.merge", "refs/heads/main"]);
    assert_eq!(judged(&scratch, None), (false, "origin/main".into()));
    assert_eq!(judged(&scratch, Some("main")), (false, "origin/main".into()));
}
