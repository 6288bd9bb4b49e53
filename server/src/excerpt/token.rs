//! Finds the strings and comments of a TOML file, by its characters alone.

use std::ops::Range;

/// A string or a comment.
#[derive(Debug, PartialEq)]
pub(super) struct TextToken {
    pub(super) span: Range<usize>,
    pub(super) sort: TextTokenKind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TextTokenKind {
    Text,
    /// A string without its closing quote.
    Unclosed,
    Comment,
}

/// The comments of a file.
pub(super) fn comments(text: &str) -> Vec<Range<usize>> {
    let comments = tokens(text).into_iter().filter(|token| token.sort == TextTokenKind::Comment);
    comments.map(|token| token.span).collect()
}

/// The strings and comments of a TOML file, whether or not it can be parsed.
pub(super) fn tokens(text: &str) -> Vec<TextToken> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (end, sort) = match bytes[at] {
            b'#' => (line_end(bytes, at), TextTokenKind::Comment),
            quote @ (b'"' | b'\'') => quoted(bytes, at, quote),
            _ => {
                at += 1;
                continue;
            }
        };
        tokens.push(TextToken { span: at..end, sort });
        at = end;
    }
    tokens
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |length| at + length)
}

/// Where the string ends that begins with a quote.
fn quoted(bytes: &[u8], start: usize, quote: u8) -> (usize, TextTokenKind) {
    let many = bytes[start..].starts_with(&[quote; 3]);
    let length = if many { 3 } else { 1 };
    let mut at = start + length;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == b'"' => at += 2,
            b'\n' if !many => return (at, TextTokenKind::Unclosed),
            _ if bytes[at..].starts_with(&[quote; 3][..length]) => {
                let more = bytes[at + length..].iter().take(2).take_while(|b| many && **b == quote).count();
                return (at + length + more, TextTokenKind::Text);
            }
            _ => at += 1,
        }
    }
    (bytes.len(), TextTokenKind::Unclosed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, TextTokenKind)> {
        tokens(text).into_iter().map(|token| (&text[token.span], token.sort)).collect()
    }

    #[test]
    fn texts_and_remarks_are_told_apart() {
        let text = "a = \"x # \\\" y\" # z\nb = 'q\\'\nc = \"\"\"m\n\"n\"\"\"\" # end";
        let expected = [
            ("\"x # \\\" y\"", TextTokenKind::Text),
            ("# z", TextTokenKind::Comment),
            ("'q\\'", TextTokenKind::Text),
            ("\"\"\"m\n\"n\"\"\"\"", TextTokenKind::Text),
            ("# end", TextTokenKind::Comment),
        ];
        assert_eq!(found(text), expected);
    }

    #[test]
    fn a_missing_quote_ends_with_its_line_or_the_file() {
        assert_eq!(found("a = \"x\nb = 1"), [("\"x", TextTokenKind::Unclosed)]);
        assert_eq!(found("a = '''x\nb = 1"), [("'''x\nb = 1", TextTokenKind::Unclosed)]);
        assert_eq!(found("a = \"x\\"), [("\"x\\", TextTokenKind::Unclosed)]);
    }
}
