//! Texts from outside, with nothing left in them that controls the output: wherever such a text is printed, on a
//! terminal or on a page, it passes through here.
//!
//! A node chooses the names of its files and the commit that it reports. Printed as they are, they could clear an
//! operator's terminal, or change the reading direction so that one name looks like another.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

/// The most combining marks on one character: scripts that use marks need no more, and further ones would be drawn over
/// the lines around.
const MAX_MARKS: usize = 4;

/// Whether a character affects the text around it and is not visible itself: control characters, those that change the
/// reading direction, and those that have no width, or leave no ink although they are not white space.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{13440}' | '\u{16fe4}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character is drawn on the one before it and takes no space of its own.
pub fn is_mark(c: char) -> bool {
    !c.is_ascii() && c.width() == Some(0)
}

/// A text on one line: characters that control the output are written as `\u{1b}`, `\n` or `\r`, and so are marks
/// without a base character, or beyond the first few. Tabs are kept.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, &['\t'], |out, c| out.extend(c.escape_default()))
}

/// A text of several lines: like [`line`], and line ends are kept.
pub fn block(text: &str) -> Cow<'_, str> {
    escaped(text, &['\t', '\n'], |out, c| out.extend(c.escape_default()))
}

/// JSON as it is printed: the same value for a program, with characters that control the output, or marks that pile up,
/// written as `\u202e`.
pub fn json(text: &str) -> Cow<'_, str> {
    // These occur only inside strings: between them, JSON has only spaces and line ends.
    escaped(text, &['\n'], |out, c| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn escaped<'a>(text: &'a str, stays: &[char], escape: impl Fn(&mut String, char)) -> Cow<'a, str> {
    let (mut base, mut out) = (Base::default(), None::<String>);
    for (at, c) in text.char_indices() {
        match (base.takes(c, stays), &mut out) {
            (true, None) => {}
            (true, Some(out)) => out.push(c),
            (false, out) => escape(out.get_or_insert_with(|| text[..at].to_owned()), c),
        }
    }
    out.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// What the next mark would be drawn on, and how many more marks it may have.
#[derive(Default)]
struct Base {
    room: usize,
}

impl Base {
    /// Whether a character can be printed as it is, after those before it.
    fn takes(&mut self, c: char, stays: &[char]) -> bool {
        if stays.contains(&c) {
            self.room = 0;
            return true;
        }
        if is_mark(c) && !steers(c) {
            let has_room = self.room > 0;
            self.room = self.room.saturating_sub(1);
            return has_room;
        }
        self.room = MAX_MARKS;
        !steers(c)
    }
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
    fn marks_are_not_piled_up_on_the_lines_around() {
        // Decomposed Vietnamese, Thai, pointed Hebrew, a Tibetan stack, and two enclosing marks.
        for written in ["e\u{302}\u{301}", "ที่ น้ำ", "בְּרֵאשִׁ֖ית", "སྒྲུབ", "1\u{20e3}\u{20de}"]
        {
            assert_eq!(line(written), written);
            assert_eq!(json(written), written);
        }
        let pile = format!("a{}b", "\u{301}".repeat(9));
        assert_eq!(line(&pile), format!("a{}{}b", "\u{301}".repeat(4), "\\u{301}".repeat(5)));
        assert_eq!(line("\u{338}x"), "\\u{338}x", "it would depend on our own words");
        assert_eq!(block("a\n\u{338}\u{301}x\u{301}"), "a\n\\u{338}\\u{301}x\u{301}");
        let thai = format!("ก{}", "\u{e49}".repeat(200));
        assert!(!line(&thai).contains(&"\u{e49}".repeat(5)) && thai.chars().skip(1).all(is_mark));
        let value = serde_json::json!({ "a": pile });
        let printed = json(&value.to_string()).into_owned();
        assert!(printed.contains("\\u0301\\u0301") && printed.matches('\u{301}').count() == 4, "{printed}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
    }

    #[test]
    fn what_is_never_painted_hides_nothing() {
        // Everything that Unicode lets a program ignore, and more that leaves no ink.
        let unseen = [
            "\u{fff0}",
            "\u{fff9}\u{fffa}\u{fffb}",
            "\u{1bca0}",
            "\u{13431}",
            "\u{16fe4}",
            "\u{1d159}",
            "\u{e0041}",
            "\u{e01ef}",
        ];
        for text in unseen {
            assert!(text.chars().all(steers), "{}", text.escape_unicode());
            assert!(line(&format!("a{text}")).is_ascii());
        }
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "a": "\u{1b}[2J\u{202e}\u{9b}\u{e0041}ü" });
        let printed = json(&serde_json::to_string_pretty(&value).unwrap()).into_owned();
        assert!(!printed.contains(|c| steers(c) && c != '\n'), "{printed}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
    }
}
