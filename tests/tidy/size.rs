//! Limits on the length of functions and files.

use super::imports::test_modules;
use super::{assert_none, sources, without_tests};

/// The most lines of a function, from its signature to its closing brace.
const FUNCTION: usize = 60;

/// The most lines of a function in tests, which may contain a table of cases.
const FUNCTION_OF_TESTS: usize = 100;

/// The most lines of a file before its tests.
const FILE: usize = 400;

/// The most lines of a file that is only for tests.
const FILE_OF_TESTS: usize = 500;

#[test]
fn one_concept_a_file() {
    let sources = sources();
    let are_tests = files_of_tests(&sources);
    let long = sources.iter().filter_map(|(path, text)| {
        let most = if are_tests(path) { FILE_OF_TESTS } else { FILE };
        let lines = without_tests(text).lines().count();
        (lines > most).then(|| format!("{path} has {lines} lines before its tests, of {most}"))
    });
    assert_none("a file is one concept; a longer one is two", &long.collect::<Vec<_>>());
}

#[test]
fn one_thought_a_function() {
    let sources = sources();
    let are_tests = files_of_tests(&sources);
    let mut long = Vec::new();
    for (path, text) in &sources {
        let tests_begin = if are_tests(path) { 0 } else { without_tests(text).lines().count() };
        for (line, name, length) in functions(text) {
            let most = if line > tests_begin { FUNCTION_OF_TESTS } else { FUNCTION };
            if length > most {
                long.push(format!("{path}:{line}: `{name}` has {length} lines, of {most}"));
            }
        }
    }
    assert_none("a function is one thought; a longer one is two", &long);
}

/// Which files are for tests: those of the crate of acceptance tests, and modules that are declared for tests only.
fn files_of_tests(sources: &[(String, String)]) -> impl Fn(&str) -> bool {
    let declared = |(path, text): &(String, String)| {
        let folder = path.trim_end_matches(".rs").trim_end_matches("lib").to_owned();
        test_modules(text).map(|name| format!("{}/{name}", folder.trim_end_matches('/'))).collect::<Vec<_>>()
    };
    let modules: Vec<String> = sources.iter().flat_map(declared).collect();
    move |path| {
        let is_of = |module: &String| {
            path.strip_prefix(module.as_str()).is_some_and(|rest| rest.starts_with(['.', '/']))
        };
        path.starts_with("tests/") || modules.iter().any(is_of)
    }
}

#[test]
fn functions_are_measured_with_what_is_inside() {
    let text = "fn one() {}\nimpl X {\n    pub(crate) async fn two(\n        a: u8,\n    ) {\n        if a {\n        }\n    }\n}\n\
                trait Y {\n    fn three();\n    fn four(\n    );\n}\n";
    let measured: Vec<_> = functions(text).collect();
    assert_eq!(measured, [(1, "one", 1), (3, "two", 6), (11, "three", 1), (12, "four", 2)]);
}

/// The functions in a formatted text: the line, name and length of each.
fn functions(text: &str) -> impl Iterator<Item = (usize, &str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let begun: Vec<_> =
        lines.iter().enumerate().filter_map(|(at, line)| Some((at, name_of(line)?))).collect();
    begun.into_iter().map(move |(at, name)| (at + 1, name, length(&lines[at..])))
}

/// The name of a function whose signature begins on this line.
fn name_of(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("fn ")?;
    let words = ["pub", "pub(crate)", "pub(super)", "const", "async"];
    let is_signature =
        before.split_whitespace().all(|word| words.contains(&word) || word.starts_with("pub(in"));
    let end = after.find(['(', '<'])?;
    is_signature.then_some(&after[..end])
}

/// The number of lines up to the one that closes the function, which has the same indentation as the first.
fn length(lines: &[&str]) -> usize {
    let indent = &lines[0][..lines[0].len() - lines[0].trim_start().len()];
    let closes = |line: &str| {
        let own = line.strip_prefix(indent).filter(|rest| !rest.starts_with(' '));
        own.is_some_and(|rest| rest == "}" || rest.starts_with(')') && rest.ends_with(';'))
    };
    let is_whole = lines[0].ends_with([';', '}']);
    let last = if is_whole { Some(0) } else { lines.iter().position(|line| closes(line)) };
    last.map_or(lines.len(), |last| last + 1)
}
