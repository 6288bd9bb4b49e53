//! Rules for the code as tests; each says what it checks, and why.

use std::path::{Path, PathBuf};

use harness::binaries::workspace as root;

mod dependencies;
mod imports;
mod mentions;
mod size;

/// Every Rust file of the workspace with its text, by path from the root.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for dir in ["catalog", "server", "agent", "tests"] {
        walk(&root().join(dir), &mut files);
    }
    files.retain(|path| path.extension().is_some_and(|e| e == "rs"));
    let named = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a source file is text");
        (path.strip_prefix(root()).expect("it was found there").to_string_lossy().into_owned(), text)
    };
    files.into_iter().map(named).collect()
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a folder of the workspace") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("target") {
            walk(&path, files);
        } else if path.is_file() {
            files.push(path);
        }
    }
}

/// The part of a file before its tests. A line that declares tests in another file does not count.
fn without_tests(text: &str) -> &str {
    let mut tests = text.match_indices("#[cfg(test)]\n").map(|(at, _)| at);
    let are_here = |at: &usize| {
        let declared = text[*at..].lines().nth(1).unwrap_or_default();
        declared.contains("mod ") && declared.ends_with('{')
    };
    tests.find(are_here).map_or(text, |at| &text[..at])
}

fn assert_none(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert_none("a file opens with `//!`: what it is, and what it deliberately is not", &silent);
}

/// The line above `index` that is not part of an attribute.
fn above<'t>(lines: &[&'t str], index: usize) -> &'t str {
    let ends = |line: &str| line.is_empty() || line.starts_with("///") || line.ends_with(['{', '}', ';']);
    lines[..index].iter().rev().map(|line| line.trim()).find(|line| ends(line)).unwrap_or("")
}

#[test]
fn every_public_item_is_documented() {
    let items = ["fn", "async fn", "const fn", "struct", "enum", "trait", "const", "static", "type"];
    let is_item = |line: &str| {
        line.strip_prefix("pub ").is_some_and(|rest| {
            items.iter().any(|item| rest.strip_prefix(item).is_some_and(|rest| rest.starts_with(' ')))
        })
    };
    let mut found = Vec::new();
    for (path, text) in sources() {
        if path.contains("test") {
            continue;
        }
        let lines: Vec<_> = without_tests(&text).lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let line = line.trim();
            if is_item(line) && !line.contains('$') && !above(&lines, index).starts_with("///") {
                found.push(format!("{path}:{}: {line}", index + 1));
            }
        }
    }
    assert_none("a public item says what it is; fields and variants only where the name does not", &found);
}

#[test]
fn names_are_words_of_the_domain() {
    let vague = ["utils", "util", "helpers", "helper", "manager", "handler", "mod", "common", "misc"];
    let stem = |path: &str| Path::new(path).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let found: Vec<_> = sources()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| vague.contains(&stem(path).as_str()))
        .collect();
    assert_none("a file is named by a word of the domain, and `foo.rs` + `foo/` stand for a module", &found);
}

#[test]
fn nothing_is_skipped_or_left_for_later() {
    let words = [
        concat!("#[igno", "re"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
    ];
    let found: Vec<_> = sources()
        .iter()
        .flat_map(|(path, text)| text.lines().enumerate().map(move |(i, line)| (path, i + 1, line)))
        .filter(|(_, _, line)| words.iter().any(|word| line.contains(word)))
        .map(|(path, number, line)| format!("{path}:{number}: {}", line.trim()))
        .collect();
    assert_none("a test that is skipped proves nothing, and a stub is not a feature", &found);
}

#[test]
fn no_test_is_left_out_in_silence() {
    let found: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| {
            path.starts_with("agent/src/") && path != "agent/src/skip.rs" && text.contains(".is_root()")
        })
        .map(|(path, _)| path)
        .collect();
    assert_none("a test that needs root asks `skip::is_root`, which says that it is left out", &found);
}

#[test]
fn the_crates_know_only_whom_the_house_allows() {
    let manifest = |name: &str| std::fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
    assert!(!manifest("server").contains("holdfast-agent"), "the server never sees the agent");
    assert!(!manifest("agent").contains("holdfast-server"), "the agent never sees the server");
    let catalog = manifest("catalog");
    for crate_name in ["tokio", "actix", "rusqlite", "reqwest", "rustix", "zbus"] {
        assert!(!catalog.contains(crate_name), "`catalog` does no I/O, but depends on {crate_name}");
    }
}

#[test]
fn the_server_names_no_resource_type() {
    let types: Vec<String> =
        holdfast_catalog::resource::definitions().iter().map(|def| format!("\"{}\"", def.name)).collect();
    // These words have other meanings too: an account of the dashboard, a path, a metaparameter, an HTTP header.
    let ambiguous =
        ["\"user\"", "\"file\"", "\"group\"", "\"notify\"", "\"service\"", "\"host\"", "\"hostname\""];
    let found: Vec<_> = sources()
        .iter()
        .filter(|(path, _)| path.starts_with("server/src") && !path.contains("test"))
        .flat_map(|(path, text)| {
            without_tests(text).lines().enumerate().map(move |(i, line)| (path, i + 1, line))
        })
        .filter(|(_, _, line)| {
            types.iter().any(|t| !ambiguous.contains(&t.as_str()) && line.contains(t.as_str()))
        })
        .map(|(path, number, line)| format!("{path}:{number}: {}", line.trim()))
        .collect();
    assert_none("the compiler works on kinds of attributes; a type is one file in `catalog`", &found);
}

#[test]
fn compile_and_lookup_know_no_clock_network_or_database() {
    let forbidden = [
        "std::fs",
        // Addresses are only values in `std::net`; what opens a connection is forbidden.
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "std::net::To",
        "tokio",
        "rusqlite",
        "reqwest",
        "SystemTime",
        "Timestamp::now",
        "crate::store",
    ];
    let pure = ["server/src/compile", "server/src/lookup", "server/src/language", "catalog/src"];
    let found: Vec<_> = sources()
        .iter()
        .filter(|(path, _)| pure.iter().any(|dir| path.starts_with(dir)) && !path.contains("test"))
        .flat_map(|(path, text)| {
            without_tests(text).lines().enumerate().map(move |(i, line)| (path, i + 1, line))
        })
        .filter(|(_, _, line)| {
            !line.trim_start().starts_with("//") && forbidden.iter().any(|w| line.contains(w))
        })
        .map(|(path, number, line)| format!("{path}:{number}: {}", line.trim()))
        .collect();
    assert_none("the same input gives the same bytes: these see a snapshot and facts, nothing else", &found);
}

#[test]
fn the_machine_is_written_through_one_door() {
    let writes = ["fs::write", "File::create", "fs::rename", "fs::remove", "fs::create_dir", "Command::new"];
    let found: Vec<_> = sources()
        .iter()
        .filter(|(path, _)| path.starts_with("agent/src/provider") || path.starts_with("agent/src/enforce"))
        .filter(|(path, _)| !path.contains("test") && !path.ends_with("contract.rs"))
        .flat_map(|(path, text)| {
            without_tests(text).lines().enumerate().map(move |(i, line)| (path, i + 1, line))
        })
        .filter(|(_, _, line)| {
            !line.trim_start().starts_with("//") && writes.iter().any(|w| line.contains(w))
        })
        .map(|(path, number, line)| format!("{path}:{number}: {}", line.trim()))
        .collect();
    assert_none("every change of the machine goes through `agent/src/system`", &found);
}

#[test]
fn each_promise_names_a_test_that_is_there() {
    let page =
        std::fs::read_to_string(root().join("docs/src/operate/promises.md")).expect("the page is there");
    let all: Vec<_> = sources().into_iter().map(|(_, text)| text).collect();
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let named = rows.filter_map(|row| row.trim_end_matches(['|', ' ']).rsplit_once('|'));
    let tests = named.flat_map(|(_, tests)| tests.split('`').skip(1).step_by(2));
    let tests: Vec<_> = tests.filter_map(|test| test.rsplit_once("::")).map(|(_, name)| name).collect();
    assert!(tests.len() > 50, "the page has rows of promises and their tests");
    let is_there = |name: &str| all.iter().any(|text| text.contains(&format!("fn {name}(")));
    let lost: Vec<_> = tests.into_iter().filter(|name| !is_there(name)).map(str::to_owned).collect();
    assert_none("a promise is beside a test that would fail", &lost);
}
