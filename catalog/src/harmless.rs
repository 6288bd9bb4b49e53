//! Texts that came from elsewhere, with nothing left in them that steers: wherever such a text is printed, on a terminal
//! or on a page, it goes through here.
//!
//! A node chooses the names of its files and the commit that it reports. Printed as they are, they could clear an
//! operator's terminal, or turn the reading direction so that a name looks like another.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character does something to the text around it instead of being seen: control characters, those that turn
/// the direction of reading, and those that have no width, or no ink though they are no white space.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A text of one line: what steers is written as `\u{1b}`, `\n` or `\r`. Tabs stay.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |c| steers(c) && c != '\t')
}

/// A text of several lines: as [`line`], and the ends of its lines stay.
pub fn block(text: &str) -> Cow<'_, str> {
    escaped(text, |c| steers(c) && !matches!(c, '\t' | '\n'))
}

/// JSON as it is printed: the same value for a program, with what steers written as `\u202e`.
pub fn json(text: &str) -> Cow<'_, str> {
    let unseen = |c: char| steers(c) && c != '\n';
    if !text.contains(unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            // These stand only in strings: what is between them is laid out with spaces and ends of lines.
            c if unseen(c) => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn escaped(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_bad(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_others_steers_a_terminal_or_the_direction_of_reading() {
        assert_eq!(line("a\u{1b}[2Jb\r\n\u{202e}c\tü"), "a\\u{1b}[2Jb\\r\\n\\u{202e}c\tü");
        assert_eq!(
            line("\u{9b}31m \u{7f} \u{2066} \u{200f} \u{61c}"),
            "\\u{9b}31m \\u{7f} \\u{2066} \\u{200f} \\u{61c}"
        );
        let unseen =
            "\u{34f}\u{115f}\u{1160}\u{17b4}\u{180b}\u{2800}\u{3164}\u{fe0f}\u{ffa0}\u{1d173}\u{e0100}";
        assert!(unseen.chars().all(steers), "{}", unseen.escape_unicode());
        assert_eq!(line("/etc/\u{3164}passwd"), "/etc/\\u{3164}passwd");
        assert_eq!(block("a\n\u{1b}c\r\n"), "a\n\\u{1b}c\\r\n");
        assert!(matches!(line("plain → ü ✓"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "a": "\u{1b}[2J\u{202e}\u{9b}\u{e0041}ü" });
        let printed = json(&serde_json::to_string_pretty(&value).unwrap()).into_owned();
        assert!(!printed.contains(|c| steers(c) && c != '\n'), "{printed}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
    }
}
