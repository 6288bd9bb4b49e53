//! Golden cases. Each is a folder with a small repository, which is laid over `golden/base`, and the expected result.
//! `without.txt` lists the files of the base to leave out.
//!
//! With `HOLDFAST_BLESS=1` the expected results are rewritten; nothing else does that.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::facts::Facts;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

use super::{Compiled, Program, compile};
use crate::check::{check, facts_of};
use crate::diagnose::{self, Colour};
use crate::diagnostic::{Code, Diagnostic};
use crate::excerpt::Excerpts;
use crate::repo::{Presence, Snapshot};

mod edges;
mod inclusion;

const KEY: &[u8] = b"a key of the tests";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

type TestFiles = BTreeMap<Arc<str>, Vec<u8>>;

fn read_folder(folder: &Path, below: &str, files: &mut TestFiles) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{below}{name}");
        if entry.file_type().unwrap().is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), files);
        } else if !name.starts_with("expected.") {
            files.insert(path.into(), std::fs::read(entry.path()).unwrap());
        }
    }
}

/// The repository of a case.
fn repository(case: &Path) -> Snapshot {
    let mut files = TestFiles::new();
    read_folder(&golden().join("base"), "", &mut files);
    read_folder(case, "", &mut files);
    let without = files.remove("without.txt").unwrap_or_default();
    str::from_utf8(&without).unwrap().lines().for_each(|path| drop(files.remove(path)));
    Snapshot::of_files(files)
}

/// The base, with these files laid over it.
fn over_base(overlay: &[(&str, &str)]) -> Snapshot {
    let mut files = TestFiles::new();
    read_folder(&golden().join("base"), "", &mut files);
    files.extend(overlay.iter().map(|(path, text)| (Arc::from(*path), text.as_bytes().to_vec())));
    Snapshot::of_files(files)
}

fn cases(kind: &str) -> Vec<PathBuf> {
    let mut cases: Vec<_> =
        std::fs::read_dir(golden().join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// Compares with the expected result; with `HOLDFAST_BLESS=1`, replaces it.
fn matches(case: &Path, file: &str, actual: &str, wrong: &mut String) {
    let path = case.join(file);
    if std::env::var_os("HOLDFAST_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected != actual {
        let name = case.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(wrong, "== {name}: expected\n{expected}\n-- but got\n{actual}");
    }
}

fn rendered(snapshot: &Snapshot, problems: &[Diagnostic]) -> String {
    let excerpts = Excerpts::new(snapshot, None);
    let line = |origin: &Origin| excerpts.line(origin);
    let shown = problems.iter().map(|problem| diagnose::text(problem, &line, Colour::Plain) + "\n\n");
    shown.collect()
}

#[test]
fn every_error_is_told_with_its_place_and_its_cure() {
    let mut wrong = String::new();
    for case in cases("errors") {
        let snapshot = repository(&case);
        let problems = check(&Program::new(&snapshot, None)).all();
        if problems.is_empty() {
            let _ = writeln!(wrong, "{} has no error", case.display());
        }
        matches(&case, "expected.txt", &rendered(&snapshot, &problems), &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong}\nHOLDFAST_BLESS=1 rewrites what is expected");
}

#[test]
fn a_catalog_is_what_its_manifests_and_data_say() {
    let mut wrong = String::new();
    for case in cases("compile") {
        let snapshot = repository(&case);
        match compiled(&snapshot) {
            Ok(compiled) => {
                let mut json = compiled.catalog.to_json_masked();
                json["commit"] = "of this folder".into();
                matches(&case, "expected.json", &format!("{json:#}\n"), &mut wrong);
            }
            Err(problems) => wrong += &rendered(&snapshot, &problems),
        }
    }
    assert!(wrong.is_empty(), "{wrong}\nHOLDFAST_BLESS=1 rewrites what is expected");
}

/// Compiles the catalog of the base's node, with the facts that the repository has.
fn compiled(snapshot: &Snapshot) -> Result<Compiled, Vec<Diagnostic>> {
    let program = Program::new(snapshot, None);
    let certname = Certname::parse("web1.acme.example").unwrap();
    let facts = facts_of(snapshot, &certname).unwrap().unwrap_or_else(Facts::none);
    let node = program.inventory().get(&certname).expect("the base's node").clone();
    compile(&program, &node, &facts, "main", KEY)
}

#[test]
fn the_base_of_all_cases_has_no_error() {
    let snapshot = over_base(&[]);
    let checked = check(&Program::new(&snapshot, None));
    assert!(checked.all().is_empty(), "{}", rendered(&snapshot, &checked.all()));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for case in cases("compile") {
        let once = || {
            let compiled = compiled(&repository(&case)).unwrap();
            (serde_json::to_string(&compiled.catalog).unwrap(), compiled.reads)
        };
        assert_eq!(once(), once(), "{}", case.display());
    }
}

#[test]
fn a_partial_is_the_modules_whatever_the_folder_below_its_templates_is_called() {
    let snapshot = over_base(&[
        (
            "modules/profile/manifests/web.toml",
            "doc = \"Web.\"\n[file.\"/a\"]\ntemplate = \"old/templates/a.hbs\"\n",
        ),
        ("modules/profile/templates/old/templates/a.hbs", "{{> b}}\n"),
        ("modules/profile/templates/_b.hbs", "the partial\n"),
    ]);
    let compiled = compiled(&snapshot).map_err(|problems| rendered(&snapshot, &problems)).unwrap();
    let json = compiled.catalog.to_json_masked().to_string();
    assert!(json.contains("the partial"), "{json}");
}

/// Hostile values for each fact.
const HOSTILE: [&str; 8] = [
    "../customers/other",
    "${lookup('root_password')}",
    "$${x}",
    "{{node.certname}}",
    "{{> header}}",
    "nodes/other.acme.example",
    "\n[holdfast]\npolicy = \"off\"",
    "class[nginx]",
];

/// A manifest, templates and data that use facts wherever possible.
fn uses_facts() -> Snapshot {
    over_base(&[
        (
            "modules/profile/manifests/web.toml",
            r#"
[parameters]
greeting = { type = "String", default = "none", doc = "From a tenant's data." }

[file."/etc/inline"]
content = "${facts.virtual}"

[file."/etc/rendered"]
template = "facts.hbs"

[file."/etc/data"]
content = "${greeting}"
"#,
        ),
        ("modules/profile/templates/facts.hbs", "{{facts.virtual}}"),
        ("modules/profile/templates/_header.hbs", "a partial"),
        ("hieradata/customers/acme.toml", "[profile.web]\ngreeting = \"${facts.virtual}\"\n"),
        ("hieradata/customers/other.toml", "[profile.web]\ngreeting = \"another tenant's\"\n"),
        ("hieradata/nodes/other.acme.example.toml", "[profile.web]\ngreeting = \"another node's\"\n"),
        ("hieradata/os/debian-12.toml", "[profile.web]\ngreeting = \"of the level os\"\n"),
    ])
}

/// Facts with a hostile value: only where it cannot become part of a path, or everywhere.
fn hostile_facts(hostile: &str, os: &str) -> Facts {
    let release = Value::from([("major", os.into())]);
    let os = Value::from([("name", os.into()), ("family", os.into()), ("release", release)]);
    Facts::new(Value::from([("os", os), ("virtual", hostile.into()), (hostile, hostile.into())])).unwrap()
}

#[test]
fn hostile_facts_choose_no_file_and_are_never_interpreted() {
    let program = Program::new(&uses_facts(), None);
    let node = program.inventory().nodes().next().expect("the base's node");
    let long = "x".repeat(1 << 20);
    for hostile in HOSTILE.into_iter().chain([long.as_str()]) {
        let compiled = compile(&program, node, &hostile_facts(hostile, "debian"), "main", KEY).unwrap();
        for resource in &compiled.catalog.resources {
            assert_eq!(resource.attributes["content"].as_str(), Some(hostile), "{}", resource.reference);
        }
        for (path, presence) in &compiled.reads.files {
            let own = [
                "hieradata/nodes/web1.acme.example",
                "hieradata/customers/acme",
                "hieradata/resellers/alpin",
            ];
            let shared = [
                "hieradata/profiles/web.toml",
                "hieradata/roles/web.toml",
                "hieradata/stages/production.toml",
            ];
            let module = ["hieradata/common.toml", "modules/profile/templates/facts.hbs"];
            let mut allowed = own.iter().chain(&shared).chain(&module);
            let of_os =
                *presence == Presence::Absent && path.starts_with("hieradata/os/") && !path.contains("..");
            assert!(of_os || allowed.any(|start| path.starts_with(start)), "{path} was read for {hostile:?}");
        }
        let facts: Vec<&str> = compiled.reads.facts.iter().map(|path| &**path).collect();
        assert_eq!(facts, ["facts.virtual"]);
        let refused = compile(&program, node, &hostile_facts(hostile, hostile), "main", KEY).unwrap_err();
        assert!(refused.iter().all(|problem| problem.code == Code::BadFact), "{refused:?}");
    }
}

#[test]
fn one_tenants_bad_value_stops_its_own_nodes_alone() {
    let other =
        ("inventory/alpin/birch.toml", "[\"web1.birch.example\"]\nrole = \"web\"\nstage = \"test\"\n");
    let web = ("modules/profile/manifests/web.toml", "include = [\"nginx\"]\n");
    let stopped = |path: &'static str, text: &'static str| {
        let checked = check(&Program::new(&over_base(&[other, web, (path, text)]), None));
        let nodes: Vec<_> = checked.nodes.keys().map(|name| name.as_str().to_owned()).collect();
        (checked.is_usable(), nodes)
    };
    let acme = || vec!["web1.acme.example".to_owned()];
    for bad in ["[nginx]\nport = \"eighty\"\n", "[nginx]\nprot = 80\n", "[nginx\n"] {
        assert_eq!(stopped("hieradata/customers/acme.toml", bad), (true, acme()), "{bad}");
    }
    let broken = stopped("modules/profile/manifests/web.toml", "include = [\"ngnix\"]\n");
    assert!(!broken.0, "code that is broken is not taken");
}

#[test]
fn a_source_folder_brings_its_links_empty_folders_and_programs_and_says_what_it_leaves_out() {
    let root = tempfile::tempdir().unwrap();
    let manifest = "[file.\"/srv/t\"]\nensure = \"directory\"\nrecurse = true\nsource = \"t\"\n";
    let mut files = TestFiles::new();
    read_folder(&golden().join("base"), "", &mut files);
    files.insert("modules/profile/manifests/web.toml".into(), manifest.into());
    files.insert("modules/profile/files/t/bin/run".into(), b"#!/bin/sh\n".to_vec());
    files.insert("modules/profile/files/t/.htaccess".into(), b"deny\n".to_vec());
    for (path, bytes) in &files {
        let path = root.path().join(&**path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let tree = root.path().join("modules/profile/files/t");
    let program = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(tree.join("bin/run"), program).unwrap();
    std::fs::create_dir(tree.join("empty")).unwrap();
    for (target, link) in [("bin/run", "run"), ("../../manifests", "out"), ("/etc/passwd", "bin/away")] {
        std::os::unix::fs::symlink(target, tree.join(link)).unwrap();
    }
    let snapshot = crate::repo::Directory::new(root.path()).snapshot().unwrap();
    let compiled = compiled(&snapshot).unwrap();
    let titled = |resource: &&holdfast_catalog::catalog::Resource| &*resource.reference.title == "/srv/t";
    let resource = compiled.catalog.resources.iter().find(titled).unwrap();
    let content = serde_json::to_value(&resource.attributes["content"]).unwrap();
    let entries = content["tree"].as_object().unwrap();
    assert_eq!(entries.keys().collect::<Vec<_>>(), [".htaccess", "bin/run", "empty", "run"]);
    assert_eq!((&entries["bin/run"]["program"], &entries["run"]["link"]), (&true.into(), &"bin/run".into()));
    assert_eq!(
        (&entries["empty"]["folder"], &entries[".htaccess"]["program"]),
        (&true.into(), &serde_json::Value::Null)
    );

    let said: Vec<_> = compiled.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert!(said.len() == 2 && said[0].contains("t/bin/away") && said[1].contains("t/out"), "{said:?}");
    // A check without nodes finds those links that cannot work in any folder.
    let links = check(&Program::new(&snapshot, None)).warnings;
    assert!(links.iter().any(|warning| warning.message.contains("link to `/etc/passwd`")), "{links:?}");
}

#[test]
fn what_is_named_and_is_a_link_is_said_to_be_one() {
    let root = tempfile::tempdir().unwrap();
    let mut files = TestFiles::new();
    read_folder(&golden().join("base"), "", &mut files);
    files.insert("modules/profile/files/t/motd".into(), b"hello\n".to_vec());
    files.insert("modules/profile/templates/motd.hbs".into(), b"hello\n".to_vec());
    let module = root.path().join("modules/profile");
    let links = [("t/motd", "files/link"), ("t", "files/folder"), ("motd.hbs", "templates/link.hbs")];
    for (number, named) in [
        "source = \"link\"",
        "source = \"folder/motd\"",
        "ensure = \"directory\"\nrecurse = true\nsource = \"folder\"",
        "template = \"link.hbs\"",
        "content = \"${template('link.hbs')}\"",
    ]
    .into_iter()
    .enumerate()
    {
        let manifest = format!("[file.\"/srv/t\"]\n{named}\n");
        files.insert("modules/profile/manifests/web.toml".into(), manifest.into());
        for (path, bytes) in &files {
            let path = root.path().join(&**path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        for (target, link) in links.iter().filter(|_| number == 0) {
            std::os::unix::fs::symlink(target, module.join(link)).unwrap();
        }
        let problems = compiled(&crate::repo::Directory::new(root.path()).snapshot().unwrap()).unwrap_err();
        let [problem] = &*problems else { panic!("{named}: {problems:?}") };
        assert!(problem.message.ends_with("is a symbolic link, and is not followed"), "{named}: {problem:?}");
        assert!(problem.message.contains("modules/profile/"), "{named}: {problem:?}");
        assert!(problem.help.as_ref().unwrap().starts_with("name the file that it leads to"), "{problem:?}");
    }
}
