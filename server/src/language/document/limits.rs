//! Limits that every file must meet. They are checked before the parser runs, since some texts would cost it too much.

use holdfast_catalog::origin::Origin;

use crate::diagnostic::{Code, Diagnostic};
use crate::outline;

use super::line_index::LineIndex;

/// The most tables, however they are written: each takes a kilobyte in the parser, even if two bytes of text make it.
const MAX_TABLES: usize = 20_000;

/// The most segments of a dotted key or of a header: each is a table inside the one before.
const MAX_SEGMENTS: usize = 128;

/// The first limit that the text exceeds.
pub(super) fn beyond(text: &str, places: &LineIndex<'_>) -> Option<Diagnostic> {
    let mut message = String::new();
    let place = outline::until(text.as_bytes(), |so_far, _| {
        if so_far.parts > MAX_SEGMENTS {
            message = format!("a key of more than {MAX_SEGMENTS} parts");
        } else if so_far.tables > MAX_TABLES {
            message = format!("more than {MAX_TABLES} tables in one file");
        }
        !message.is_empty()
    })?;
    Some(Diagnostic::error(Code::Limit, message, Origin::clone(&places.origin(place..place))))
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
        assert_eq!(problems.len(), crate::language::problems::MAX_PROBLEMS + 1);
    }

    #[test]
    fn too_many_tables_and_too_deep_keys_are_told_with_their_place() {
        let tables: String = (0..20_001).map(|n| format!("[a{n}]\n")).collect();
        assert_eq!(first(&tables).unwrap(), "a.toml:20001:1: more than 20000 tables in one file");
        let deep = format!("x = 1\n  {} = 1\n", ["a"; 1_000_000].join("."));
        assert_eq!(first(&deep).unwrap(), "a.toml:2:3: a key of more than 128 parts");
        let deep = format!("[{}]\n", ["a"; 1_000_000].join(" . "));
        assert_eq!(first(&deep).unwrap(), "a.toml:1:1: a key of more than 128 parts");
        for tables in ["{n} = { a = 1 }\n", "{n} = {}\n", "{n}.a = 1\n", "[[x]]\n"] {
            let many = |count: usize| -> String {
                (0..count).map(|n| tables.replace("{n}", &format!("a{n}"))).collect()
            };
            assert!(first(&many(20_001)).is_some_and(|told| told.contains("20000 tables")), "{tables}");
        }
        let most: String = (0..20_000).map(|n| format!("a{n} = {{ b = 1 }}\n")).collect();
        assert_eq!(first(&most), None);
        let lists = format!("x = [{}]\n", "{},".repeat(20_001));
        assert_eq!(first(&lists).unwrap(), "a.toml:1:60006: more than 20000 tables in one file");
        let text = format!("x = \"\"\"\n{}\n\"\"\"\n", "1.2.3 ".repeat(10));
        assert_eq!(first(&text), None);
    }

    #[test]
    fn what_a_text_says_is_no_key_and_no_table() {
        let dots = ["a"; 200].join(".");
        for quotes in ["\"\"\"", "'\'\'"] {
            assert_eq!(first(&format!("x = {quotes}\n{dots}\n{quotes}\n")), None);
            assert_eq!(first(&format!("x = {quotes}\n{}{quotes}\n", "[a]\n".repeat(20_001))), None);
            for before in ["# x", "y = 1 #", "y = \"a\\\"", "y = '", "y = 'a'\n#"] {
                let text = match before {
                    "y = '" | "y = \"a\\\"" => format!("{before}{}\n{dots} = 1\n", &quotes[..1]),
                    _ => format!("{before} {quotes}\n{dots} = 1\n"),
                };
                assert!(
                    first(&text).is_some_and(|said| said.contains("128 parts")),
                    "{text}: {:?}",
                    first(&text)
                );
            }
            let closed = format!("x = {quotes}a{quotes}\n{dots} = 1\ny = {quotes}{quotes}\n");
            assert!(first(&closed).is_some_and(|said| said.contains("128 parts")));
            let quoted = format!("x = {quotes}\na{quotes}{}\n{dots} = 1\n", &quotes[..2]);
            assert!(
                first(&quoted).is_some_and(|said| said.contains("128 parts")),
                "up to two belong to the text"
            );
        }
    }
}
