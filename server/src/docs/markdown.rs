//! Tables and words of Markdown.

use std::fmt::Write as _;

/// A table: its heading, and a row for each.
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

/// On one line, with what would end the cell escaped.
fn cell_text(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

/// White space of any length, line ends too, as one space.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// With a full stop at its end.
pub(super) fn sentence(line: &str) -> String {
    let ends = line.is_empty() || line.ends_with(['.', ':', '!']);
    if ends { line.to_owned() } else { format!("{line}.") }
}

/// As code, with a fence that the text does not hold.
pub(super) fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// Text that is shown as it is: nothing of it is taken for Markdown or HTML.
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
