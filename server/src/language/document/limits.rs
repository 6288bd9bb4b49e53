//! Limits that every file must meet. They are checked before the parser runs, since some texts would cost it too much.

use holdfast_catalog::origin::Origin;

use crate::diagnostic::{Code, Diagnostic};

use super::places::Places;

/// The most tables with a header. If a header comes again or late, the parser moves what it has so far, once for each.
const MAX_HEADERS: usize = 20_000;

/// The most segments of a dotted key or of a header: each is a table inside the one before.
const MAX_SEGMENTS: usize = 128;

/// The first limit that the text exceeds.
pub(super) fn beyond(text: &str, places: &Places<'_>) -> Option<Diagnostic> {
    let (mut headers, mut at, mut within) = (0, 0, None);
    for line in text.split_inclusive('\n') {
        let begun = line.trim_start();
        let is_text = within.is_some();
        within = after(line, within);
        headers += usize::from(!is_text && begun.starts_with('['));
        let message = if is_text {
            None
        } else if headers > MAX_HEADERS {
            Some(format!("more than {MAX_HEADERS} tables in one file"))
        } else if key(begun).bytes().filter(|byte| *byte == b'.').count() >= MAX_SEGMENTS {
            Some(format!("a key of more than {MAX_SEGMENTS} parts"))
        } else {
            None
        };
        if let Some(message) = message {
            let start = at + line.len() - begun.len();
            return Some(Diagnostic::error(
                Code::Limit,
                message,
                Origin::clone(&places.origin(start..start)),
            ));
        }
        at += line.len();
    }
    None
}

/// The part of a line before the value, if the line begins with a key at all. A quoted key ends it early, which does
/// not matter, since only the parts between dots are counted.
fn key(line: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ' | '\t' | '[');
    line.split(|c| !plain(c)).next().unwrap_or_default()
}

/// The triple quotes of a multi-line string.
type Quotes = &'static str;

/// The multi-line string that continues after a line, given the one in which the line begins; `None` outside of strings.
fn after(line: &str, mut within: Option<Quotes>) -> Option<Quotes> {
    let mut rest = line;
    loop {
        if let Some(quotes) = within {
            let Some(length) = closing(rest, quotes, true) else { return within };
            rest = &rest[length..];
            within = None;
        }
        let at = rest.find(['"', '\'', '#'])?;
        rest = &rest[at..];
        let quotes = ["\"\"\"", "'\'\'"].into_iter().find(|quotes| rest.starts_with(quotes));
        match (quotes, &rest[..1]) {
            (_, "#") => return None,
            (Some(quotes), _) => {
                within = Some(quotes);
                rest = &rest[3..];
            }
            (None, quote) => {
                let length = closing(&rest[1..], quote, false)?;
                rest = &rest[1 + length..];
            }
        }
    }
}

/// The position after the quotes that end a string; in a row of more quotes than needed, the last ones count.
fn closing(text: &str, quotes: &str, many: bool) -> Option<usize> {
    let escapes = quotes.starts_with('"');
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if escapes && rest.starts_with('\\') {
            at += 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
        } else if rest.starts_with(quotes) {
            let more = if many {
                rest[3..].bytes().take(2).take_while(|byte| quotes.as_bytes()[0] == *byte).count()
            } else {
                0
            };
            return Some(at + quotes.len() + more);
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    None
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
