//! The table of abuse tests, held against the tree; and what only the programs themselves show.

use std::collections::BTreeMap;

use harness::binaries::workspace;

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
