//! Writes tables and escapes text in Markdown.

use std::fmt::Write as _;

/// A table with a heading and rows.
pub(super) fn table<const N: usize>(
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = format!("| {} |\n|{}\n", heading.join(" | "), " --- |".repeat(N));
    for row in rows {
        let cells = row.map(|cell| cell_text(&cell));
        let _ = writeln!(table, "| {} |", cells.join(" | "));
    }
    table
}

/// The text of a cell: on one line, with characters that would end the cell escaped.
fn cell_text(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

/// Replaces each run of white space, line ends included, with one space.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Adds a full stop unless the line ends with punctuation.
pub(super) fn sentence(line: &str) -> String {
    let ends = line.is_empty() || line.ends_with(['.', ':', '!']);
    if ends { line.to_owned() } else { format!("{line}.") }
}

/// Formats text as code, with a fence that does not occur in the text.
pub(super) fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// Escapes text, so that nothing in it is interpreted as HTML.
pub(super) fn plain(text: &str) -> String {
    text.replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_line_and_ends_where_it_should() {
        let shown = table(["a", "b"], [["x | y".to_owned(), "one\n  two".to_owned()]]);
        assert_eq!(shown, "| a | b |\n| --- | --- |\n| x \\| y | one two |\n");
    }

    #[test]
    fn code_holds_backticks() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("`a`"), "`` `a` ``");
    }
}
