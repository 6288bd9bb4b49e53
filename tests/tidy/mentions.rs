//! The pages and files that comments name must exist in this tree.

use std::path::Path;

use super::{assert_none, root, sources};

/// Folders of this tree whose files comments may name. Other paths are examples of a control repository.
const FOLDERS: [&str; 8] = [".ci", "agent", "catalog", "docs", "fuzz", "server", "src", "tests"];

#[test]
fn no_comment_names_a_page_or_a_path_that_is_not_there() {
    let mut lost = Vec::new();
    for (path, text) in sources() {
        for (index, comment) in comments(&text) {
            let named = named(comment).filter(|named| !is_there(&path, named));
            lost.extend(named.map(|named| format!("{path}:{}: {named}", index + 1)));
        }
    }
    assert_none("a comment leads to what is there: correct the name, or remove it", &lost);
}

#[test]
fn names_of_pages_and_paths_are_found_in_comments() {
    let text = "//! See `docs/a.md`, [b](b.md).\nlet a = \"docs/c.md\"; // as server/src/d.rs::e\n/// `modules/x`, a/b\n";
    let found: Vec<_> = comments(text).flat_map(|(_, comment)| named(comment)).collect();
    assert_eq!(found, ["docs/a.md", "b.md", "server/src/d.rs"]);
}

/// The comments of a text, each with the index of its line.
fn comments(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let comment = |line| {
        let (before, comment): (&str, &str) =
            str::split_once(line, "// ").or_else(|| str::split_once(line, "//! "))?;
        // Two slashes inside a string are not a comment.
        (before.matches('"').count() % 2 == 0).then_some(comment)
    };
    text.lines().enumerate().filter_map(move |(index, line)| Some((index, comment(line)?)))
}

/// The pages and files of this tree that a comment names.
fn named(comment: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || "._-/<>*{}:".contains(c);
    let words = comment.split(move |c| !is_part(c)).map(|word| word.trim_end_matches(['.', ':']));
    // A test is named by its file and function; a pattern does not name a file.
    let files = words.map(|word| word.split("::").next().unwrap_or(word));
    files.filter(|file| !file.contains(['<', '>', '*', '{', '}', ':']) && is_of_this_tree(file))
}

fn is_of_this_tree(file: &str) -> bool {
    let is_page = file.len() > ".md".len() && file.ends_with(".md");
    is_page || file.split_once('/').is_some_and(|(first, _)| FOLDERS.contains(&first))
}

/// Whether it exists relative to the root, to the crate's folder, or to the folder of the file.
fn is_there(path: &str, named: &str) -> bool {
    let beside = Path::new(path).parent().unwrap_or(Path::new(""));
    let in_crate = beside.iter().next().map(Path::new).unwrap_or(Path::new(""));
    [Path::new(""), in_crate, beside].iter().any(|base| root().join(base).join(named).exists())
}
