//! Compiling the tree's own control repository: the same input gives the same bytes in any process; and what a node
//! reports about itself is only text, which selects nothing and is never interpreted.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::thread;

use harness::binaries::workspace;
use harness::{binaries, process};
use holdfast_catalog::facts::Facts;
use holdfast_server::{Directory, Node, Program, Snapshot, compile};
use serde_json::Value;

const TIMES: usize = 100;

#[test]
fn a_catalog_compiled_in_a_hundred_processes_is_the_same_bytes() {
    let once = || {
        let mut compile = Command::new(&binaries().server);
        process::run(compile.args(["compile", "--node", "web1.acme.example", "--repo"]).arg(workspace()))
            .unwrap()
    };
    let half = || (0..TIMES / 2).map(|_| once()).collect::<Vec<_>>();
    let catalogs = thread::scope(|scope| {
        let other = scope.spawn(half);
        let mut all = half();
        all.extend(other.join().unwrap());
        all
    });
    assert_eq!(catalogs.len(), TIMES);
    assert!(catalogs[0].contains("\"package[nginx-light]\""), "{}", catalogs[0]);
    assert_eq!(catalogs.iter().collect::<BTreeSet<_>>().len(), 1, "catalogs of the same input differ");
}

/// What a node may send for any fact: a path to another level, expressions of data and of templates, a line of TOML.
const HOSTILE: [&str; 7] = [
    "../customers/other",
    "../../customers/birch",
    "${lookup('x')}",
    "${node.certname}",
    "{{node.certname}}",
    "{{> base/motd}}{{#each facts}}{{this}}{{/each}}",
    "\"\n[holdfast]\npolicy = \"off\"",
];

/// A fact without any meaning, to compare the effect of other texts with.
const HARMLESS: &str = "harmless";

#[test]
fn hostile_facts_read_nothing_of_others_and_are_text() {
    let facts = serde_json::to_value(holdfast_agent::facts::stable(Path::new("/")).unwrap().facts).unwrap();
    let mut leaves = Vec::new();
    find_leaves(&facts, String::new(), &mut leaves);
    let program = Program::new(&estate_that_shows(&leaves), None);
    let long = "${x}{{y}}".repeat((1 << 20) / 9 + 1);
    let mut shown = 0;
    let nodes: Vec<_> = program.inventory().nodes().collect();
    let texts: Vec<&str> = HOSTILE.into_iter().chain([&long[..1 << 17], &long]).collect();
    // Every text in every fact, with the machines in turn: all combinations would be thousands of compiles.
    let all =
        leaves.iter().enumerate().flat_map(|leaf| texts.iter().enumerate().map(move |text| (leaf, text)));
    for ((turn, leaf), (shift, hostile)) in all {
        let node = nodes[(turn + shift) % nodes.len()];
        let with = |text: &str| outcome(&program, node, &replaced(&facts, leaf, text));
        let what = format!("{} with {leaf} = {:.60}", node.certname, hostile);
        match (with(hostile), with(HARMLESS)) {
            // A text that cannot be a file name is refused where it would be in the path of a level.
            (Err(codes), _) if codes == ["bad-fact"] && leaf.starts_with("/os/") => {}
            // Too much text in one file is refused; there is no other effect.
            (Err(codes), _) if codes.iter().any(|code| code == "limit") && *hostile == long => {}
            (Err(codes), Err(expected)) => assert_eq!(codes, expected, "{what}"),
            (Ok(mut catalog), Ok(expected)) => {
                shown += as_if_harmless(&mut catalog, hostile);
                assert_eq!(catalog, expected, "{what} is more than text");
            }
            (is, expected) => panic!("{what}: {is:?} instead of {expected:?}"),
        }
    }
    assert!(shown >= leaves.len(), "the facts are hardly in the catalogs: {shown} times");
}

/// The places of all facts that are not a list or a map.
fn find_leaves(value: &Value, at: String, leaves: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| find_leaves(value, format!("{at}/{key}"), leaves));
        }
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(index, value)| find_leaves(value, format!("{at}/{index}"), leaves));
        }
        _ => leaves.push(at),
    }
}

fn replaced(facts: &Value, leaf: &str, text: &str) -> Facts {
    let mut facts = facts.clone();
    *facts.pointer_mut(leaf).unwrap() = text.into();
    serde_json::from_value(facts).unwrap()
}

/// The tree's own estate, with a file on every machine that contains each fact, once through a template and once
/// through data.
fn estate_that_shows(leaves: &[String]) -> Snapshot {
    let estate = Directory::new(workspace()).snapshot().unwrap();
    let mut files: Vec<_> =
        estate.files().map(|(path, file)| (path.to_string(), file.bytes().to_vec())).collect();
    let is_name = |part: &str| part.starts_with(|c: char| c.is_ascii_lowercase()) && !part.contains('-');
    let names = leaves.iter().filter(|leaf| leaf.split('/').skip(1).all(is_name));
    let names: Vec<String> = names.map(|leaf| format!("facts{}", leaf.replace('/', "."))).collect();
    for (path, bytes) in &mut files {
        match path.as_str() {
            "modules/profile/templates/motd.hbs" => {
                bytes.extend(names.iter().flat_map(|name| format!("{{{{{name}}}}}\n").into_bytes()));
            }
            "modules/profile/manifests/base.toml" => {
                let data: String = names.iter().map(|name| format!("${{{name}}} ")).collect();
                bytes.extend(format!("\n[notify.facts]\nmessage = \"{data}\"\n").into_bytes());
            }
            _ => {}
        }
    }
    Snapshot::of_files(files)
}

/// The catalog without its id, or the codes of the errors. Checks in any case that only the node's own files were read.
fn outcome(program: &Program, node: &Node, facts: &Facts) -> Result<Value, Vec<String>> {
    let compiled = compile(program, node, facts, "main", b"key").map_err(|problems| {
        let codes: BTreeSet<_> = problems.iter().map(|problem| problem.code.to_string()).collect();
        codes.into_iter().collect::<Vec<_>>()
    })?;
    for (path, _) in &compiled.reads.files {
        assert!(is_own(path, node), "{path} was read for {}", node.certname);
    }
    let mut catalog = serde_json::to_value(compiled.catalog).unwrap();
    catalog.as_object_mut().unwrap().remove("id");
    Ok(catalog)
}

/// Whether a node may read a file: its own levels, the shared ones, and modules.
fn is_own(path: &str, node: &Node) -> bool {
    let own = [
        format!("hieradata/nodes/{}.toml", node.certname),
        format!("hieradata/customers/{}.toml", node.customer),
        format!("hieradata/customers/{}/roles/{}.toml", node.customer, node.role),
        format!("hieradata/resellers/{}.toml", node.reseller),
        format!("hieradata/roles/{}.toml", node.role),
        format!("hieradata/stages/{}.toml", node.stage.name()),
        "hieradata/common.toml".to_owned(),
    ];
    let shared = ["hieradata/os/", "hieradata/profiles/", "modules/"];
    !path.contains("..")
        && (own.iter().any(|own| own == path) || shared.iter().any(|at| path.starts_with(at)))
}

/// Replaces the hostile text with the harmless one, and returns how often.
fn as_if_harmless(value: &mut Value, hostile: &str) -> usize {
    match value {
        Value::String(text) => {
            let times = text.matches(hostile).count();
            *text = text.replace(hostile, HARMLESS);
            times
        }
        Value::Array(list) => list.iter_mut().map(|value| as_if_harmless(value, hostile)).sum(),
        Value::Object(map) => map.values_mut().map(|value| as_if_harmless(value, hostile)).sum(),
        _ => 0,
    }
}
