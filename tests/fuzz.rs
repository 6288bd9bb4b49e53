//! The fuzz targets, with inputs from the tree that are altered at random, from the same seeds each time. This many
//! inputs are tried in every test run; `cargo fuzz run NAME`, in `fuzz/`, tries more.

use std::fs;
use std::path::Path;

use harness::binaries::workspace;
use holdfast_catalog::join::JoinString;
use holdfast_catalog::random::Random;
use holdfast_catalog::report::Counts;

#[path = "../fuzz/targets.rs"]
mod targets;

/// The number of inputs for each target; `HOLDFAST_FUZZ` sets another, for runs by hand.
const INPUTS: u64 = 1_500;

/// The pieces to insert: tokens of the languages, and characters that often cause errors.
const PIECES: [&str; 38] = [
    "${",
    "}",
    "{{",
    "}}",
    "{{#each ",
    "{{/each}}",
    "{{> a/b}}",
    "[",
    "]",
    "[[",
    "]]",
    "\"",
    "'",
    "\"\"\"",
    "=",
    ".",
    ",",
    "\n",
    "\r",
    "\0",
    "#",
    "\\",
    "\\u{110000}",
    "é",
    "\u{202e}",
    "\u{feff}",
    "-",
    "9223372036854775808",
    "1e999",
    "nan",
    "Sensitive[",
    "Variant[",
    "String[1, ",
    "| ",
    "null",
    "{\"a\":",
    "!include",
    "<<<<<<< HEAD\n",
];

#[test]
fn whatever_the_parsers_are_given_they_answer_and_point_into_it() {
    let inputs = std::env::var("HOLDFAST_FUZZ").map_or(INPUTS, |number| number.parse().unwrap());
    let mut fallen = Vec::new();
    for (name, target) in targets::TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "no seeds for {name}");
        seeds.iter().for_each(|seed| target(seed));
        for number in 0..inputs {
            let mut random = Random::new(number);
            let input = altered(&seeds, &mut random);
            if std::panic::catch_unwind(|| target(&input)).is_err() {
                fallen.push(format!("{name} by input {number}: {:?}", String::from_utf8_lossy(&input)));
                break;
            }
        }
    }
    assert!(fallen.is_empty(), "{}", fallen.join("\n"));
}

#[test]
fn each_target_has_its_file() {
    let files = fs::read_dir(workspace().join("fuzz/fuzz_targets")).unwrap();
    let mut files: Vec<String> = files
        .map(|file| file.unwrap().file_name().to_string_lossy().trim_end_matches(".rs").to_owned())
        .collect();
    files.sort();
    assert_eq!(files, targets::TARGETS.map(|(name, _)| name));
}

/// The inputs for a target that the tree has.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let below = |folder: &str, end: &str| {
        let mut found = Vec::new();
        collect(&workspace().join(folder), end, &mut found);
        found
    };
    let lines = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match name {
        "data" => below("hieradata", ".toml"),
        "inventory" => below("inventory", ".toml"),
        "manifest" => [below("modules", ".toml"), below("server/tests/golden/errors", ".toml")].concat(),
        "template" => below("modules", ".hbs"),
        "expression" => lines(&[
            "facts.os.family == 'Debian' ? 'a' : \"b\"",
            "[1, 2.5, -3].map(x, x * 2).filter(y, y > 1) + [size('ü')]",
            "{'a': {'b': [1]}}.a.?b[0].orValue(lookup('x')) in [null, true]",
            "'%s %08.3f %x'.format(['a', 2, 255]).matches('^a(b|c)*$')",
        ]),
        "type" => lines(&[
            "Optional[Struct[{ 'port' => Integer[1, 65535], Optional['tls'] => Boolean }]]",
            "Variant[Sensitive[String[1]], Array[Enum['a', 'b'], 1, 9], Hash[Pattern[/^a+$/], Float[0.0]]]",
            "Tuple[String, Integer, 1, 3]",
        ]),
        "join" => {
            let join = JoinString::new("server.example:8140", [7; 32], "abc123", "secret99abcd");
            lines(&[&join.unwrap().reveal()])
        }
        "facts" => lines(&[
            r#"{"os":{"family":"Debian","release":{"major":12}},"net":[{"address":"192.0.2.1"}],"load":0.5,"x":null}"#,
        ]),
        "wire" => lines(&[
            r#"{"code":"revoked","message":"this node was revoked"}"#,
            r#"{"facts_hash":"00","facts":{"os":{"name":"debian"}},"agent":"0.1.0"}"#,
            r#"{"token":"abc","secret":"def","csr":"-----BEGIN CERTIFICATE REQUEST-----"}"#,
            r#"{"answer":"unchanged","commit":"a","next_run":60,"reported":"00000000-0000-7000-8000-000000000001"}"#,
            &report(),
        ]),
        _ => Vec::new(),
    }
}

fn report() -> String {
    serde_json::json!({
        "run": "00000000-0000-7000-8000-000000000001", "catalog": "0".repeat(64), "commit": "0".repeat(40),
        "environment": "main", "mode": "enforce", "source": "server", "started": "2026-01-01T00:00:00Z",
        "duration_ms": 210, "phases": { "facts": 9 }, "types": { "file": 180 }, "agent": "0.1.0",
        "volatile": { "uptime": 86_400 }, "counts": Counts { total: 1, changed: 1, ..Counts::default() },
        "events": [{ "resource": "file[/a]", "property": "content", "status": "changed", "cause": "corrective" }],
    })
    .to_string()
}

/// Collects the files of a folder whose names have this end.
fn collect(folder: &Path, end: &str, found: &mut Vec<Vec<u8>>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, end, found);
        } else if path.to_string_lossy().ends_with(end) {
            found.push(fs::read(&path).unwrap());
        }
    }
}

/// An input with some pieces inserted, removed, doubled, or mixed with another input.
fn altered(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..random.below(6) {
        let (from, to) = stretch(input.len(), random);
        match random.below(6) {
            0 => drop(input.drain(from..to)),
            1 => drop(input.splice(from..from, random.of(&PIECES).bytes())),
            2 => drop(input.splice(from..to, random.of(&PIECES).bytes())),
            3 => {
                let part = input[from..to].to_vec();
                drop(input.splice(from..from, part));
            }
            4 => {
                let other = &seeds[random.below(seeds.len())];
                let (begin, end) = stretch(other.len(), random);
                drop(input.splice(from..from, other[begin..end].to_vec()));
            }
            _ => {
                if let Some(byte) = input.get_mut(from) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    input
}

/// A short range within a number of bytes.
fn stretch(length: usize, random: &mut Random) -> (usize, usize) {
    let from = random.below(length + 1);
    (from, (from + random.below(24)).min(length))
}
