//! Finds the place in the file of a part of a TOML string, taking quotes, escapes and line folding into account.

use std::ops::Range;

use holdfast_catalog::origin::Origin;

/// The place of the bytes `span` of the string that is at `whole` in `source`; `whole` itself if the text there is not
/// a TOML string.
pub(super) fn place(whole: &Origin, source: &str, span: Range<usize>) -> Origin {
    let range = whole.start as usize..whole.end as usize;
    let found = source.get(range).and_then(|raw| {
        let starts = TomlStringBody::of(raw)?.offsets();
        let at = |n: usize| starts.get(n).or(starts.last()).copied();
        Some(at(span.start)?..at(span.end)?)
    });
    let Some(found) = found else { return whole.clone() };
    let base = whole.start as usize;
    let end = (base + found.end).max(base + found.start);
    let before = source.get(base..base + found.start).unwrap_or_default();
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    // Counted from the string's own place, since a file may contain many strings.
    let (line, column) = match before.rfind('\n') {
        Some(newline) => {
            let lines = before.bytes().filter(|byte| *byte == b'\n').count();
            (whole.line.saturating_add(narrow(lines)), narrow(before[newline + 1..].chars().count() + 1))
        }
        None => (whole.line, whole.column.saturating_add(narrow(before.chars().count()))),
    };
    Origin { start: narrow(base + found.start), end: narrow(end), line, column, ..whole.clone() }
}

/// The inside of a TOML string, as written.
struct TomlStringBody<'a> {
    inner: &'a str,
    start: usize,
    escapes: bool,
    folds: bool,
}

impl<'a> TomlStringBody<'a> {
    fn of(raw: &'a str) -> Option<Self> {
        [("\"\"\"", true), ("'''", false), ("\"", true), ("'", false)].into_iter().find_map(
            |(quote, escapes)| {
                let inner = raw.strip_prefix(quote)?.strip_suffix(quote)?;
                let folds = quote.len() == 3;
                let newline = [("\r\n", 2), ("\n", 1)].iter().find(|(n, _)| folds && inner.starts_with(n));
                let skipped = newline.map_or(0, |(_, length)| *length);
                Some(Self { inner: &inner[skipped..], start: quote.len() + skipped, escapes, folds })
            },
        )
    }

    /// For each byte of the decoded text, and for its end, the position in the raw text.
    fn offsets(&self) -> Vec<usize> {
        let mut offsets = Vec::with_capacity(self.inner.len() + 1);
        let mut at = 0;
        while let Some(c) = self.inner[at..].chars().next() {
            let (raw, decoded) = match c {
                '\\' if self.escapes => self.escape(at),
                _ => (c.len_utf8(), c.len_utf8()),
            };
            let step = usize::from(raw == decoded);
            offsets.extend((0..decoded).map(|n| self.start + at + n * step));
            at += raw;
        }
        offsets.push(self.start + at);
        offsets
    }

    /// The length of an escape in bytes, and the length of what it decodes to.
    fn escape(&self, at: usize) -> (usize, usize) {
        let rest = &self.inner[at + 1..];
        let digits = match rest.as_bytes().first() {
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            Some(b' ' | b'\t' | b'\n' | b'\r') if self.folds => {
                let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
                return (1 + blank, 0);
            }
            Some(_) => return (2, 1),
            None => return (1, 1),
        };
        let code = rest.get(1..=digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        (2 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The raw text of a part of the decoded one.
    fn under(raw: &str, span: Range<usize>) -> String {
        let source = format!("ü = 1\nkey = {raw}\n");
        let whole = Origin::locate(&"a.toml".into(), &source, 13..13 + raw.len());
        let place = place(&whole, &source, span);
        let range = place.start as usize..place.end as usize;
        assert_eq!(place, Origin::locate(&place.file, &source, range), "line and column");
        source[place.start as usize..place.end as usize].to_owned()
    }

    #[test]
    fn ordinary_strings_point_at_the_stretch() {
        for raw in ["\"a ${bcd} e\"", "'a ${bcd} e'", "\"\"\"a ${bcd} e\"\"\"", "'''\na ${bcd} e'''"] {
            assert_eq!(under(raw, 4..7), "bcd", "{raw}");
        }
    }

    #[test]
    fn escapes_are_stepped_over() {
        assert_eq!(under(r#""\t\"${bcd}""#, 4..7), "bcd");
        assert_eq!(under(r#""\u00fc${bcd}""#, 4..7), "bcd");
        assert_eq!(under("\"\"\"a\\\n   ${bcd}\"\"\"", 3..6), "bcd");
        assert_eq!(under(r#""a\tb""#, 1..2), "\\t");
    }

    #[test]
    fn what_is_no_string_is_pointed_at_whole() {
        assert_eq!(under("[1, 2]", 1..2), "[1, 2]");
    }

    #[test]
    fn a_span_past_the_end_stays_inside() {
        assert_eq!(under("\"ab\"", 1..99), "b");
    }
}
