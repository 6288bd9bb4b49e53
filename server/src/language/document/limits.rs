//! What a file may not be, whatever it says: found before the parser is asked, which some texts cost too much.

use holdfast_catalog::diagnostic::Diagnostic;
use holdfast_catalog::origin::Origin;

use super::places::Places;

/// Tables with a header. The parser moves what it has where a header comes again or late, once for each.
const MAX_HEADERS: usize = 20_000;

/// Segments of a dotted key, or of a header: each is a table inside the one before.
const MAX_SEGMENTS: usize = 128;

/// The first thing that is too much.
pub(super) fn beyond(text: &str, places: &Places<'_>) -> Option<Diagnostic> {
    let (mut headers, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        let begun = line.trim_start();
        headers += usize::from(begun.starts_with('['));
        let message = if headers > MAX_HEADERS {
            Some(format!("more than {MAX_HEADERS} tables in one file"))
        } else if key(begun).bytes().filter(|byte| *byte == b'.').count() >= MAX_SEGMENTS {
            Some(format!("a key of more than {MAX_SEGMENTS} parts"))
        } else {
            None
        };
        if let Some(message) = message {
            let start = at + line.len() - begun.len();
            return Some(Diagnostic::error("limit", message, Origin::clone(&places.origin(start..start))));
        }
        at += line.len();
    }
    None
}

/// What stands before the value, if the line begins with a key at all: a quoted key ends it early, which is no matter,
/// since it is the parts between dots that count.
fn key(line: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ' | '\t' | '[');
    line.split(|c| !plain(c)).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::Document;

    fn first(text: &str) -> Option<String> {
        let (_, problems) = Document::parse(&"a.toml".into(), text.as_bytes(), None);
        problems.first().map(ToString::to_string)
    }

    #[test]
    fn of_a_large_file_with_an_error_on_each_line_the_first_is_told() {
        let (_, problems) = Document::parse(&"a.toml".into(), "=\n".repeat(200_000).as_bytes(), None);
        assert_eq!(problems.len(), 1);
        let (_, problems) = Document::parse(&"a.toml".into(), "=\n".repeat(1_000).as_bytes(), None);
        assert_eq!(problems.len(), crate::language::problems::MOST + 1);
    }

    #[test]
    fn too_many_tables_and_too_deep_keys_are_told_with_their_place() {
        let tables: String = (0..20_001).map(|n| format!("[a{n}]\n")).collect();
        assert_eq!(first(&tables).unwrap(), "a.toml:20001:1: more than 20000 tables in one file");
        let deep = format!("x = 1\n  {} = 1\n", ["a"; 1_000_000].join("."));
        assert_eq!(first(&deep).unwrap(), "a.toml:2:3: a key of more than 128 parts");
        let deep = format!("[{}]\n", ["a"; 1_000_000].join(" . "));
        assert_eq!(first(&deep).unwrap(), "a.toml:1:1: a key of more than 128 parts");
        let text = format!("x = \"\"\"\n{}\n\"\"\"\n", "1.2.3 ".repeat(10));
        assert_eq!(first(&text), None);
    }
}
