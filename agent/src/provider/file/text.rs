//! Diffs for the report: of texts only, and of limited length.

use std::io::Read as _;

use holdfast_catalog::count::counted;
use holdfast_catalog::report::MAX_DIFF;
use holdfast_catalog::resource::attribute::FileContent;
use similar::TextDiff;

use super::content;
use crate::content::ContentSource;
use crate::system::OpenFile;

/// Larger files are not compared line by line.
const MAX_TEXT: u64 = 256 * 1024;

/// The bytes needed to say how much of a diff is missing.
const ROOM_FOR_MORE: usize = 60;

/// A unified diff from the present to the wanted content; `None` if either is large or is not text.
pub(super) fn diff(
    old: Option<&mut OpenFile>,
    new: &FileContent,
    source: &dyn ContentSource,
) -> Option<String> {
    if new.is_sensitive() || content::size(new)? > MAX_TEXT {
        return None;
    }
    let old = match old {
        Some(opened) => read(opened)?,
        None => String::new(),
    };
    let mut bytes = Vec::new();
    let mut stream = content::open(Some(new), source).ok()?;
    stream.read_to_end(&mut bytes).ok()?;
    stream.verify().ok()?;
    Some(unified(&old, &text(bytes)?))
}

fn read(opened: &mut OpenFile) -> Option<String> {
    use std::io::Seek as _;
    if opened.stat.size > MAX_TEXT {
        return None;
    }
    let mut bytes = Vec::new();
    opened.file.rewind().ok()?;
    opened.file.by_ref().take(MAX_TEXT).read_to_end(&mut bytes).ok()?;
    text(bytes)
}

/// The bytes as text, if they are valid UTF-8 without NUL.
fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// The number of lines before the first one that is compared.
const HEADER: usize = 3;

fn unified(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let text = diff.unified_diff().context_radius(3).header("is", "should").to_string();
    if text.len() <= MAX_DIFF {
        return text;
    }
    let end = text.floor_char_boundary(MAX_DIFF - ROOM_FOR_MORE);
    match text[..end].rfind('\n') {
        Some(newline) if newline > 0 && text[..newline].lines().count() > HEADER => {
            let (shown, rest) = text.split_at(newline + 1);
            format!("{shown}… (and {})\n", counted(rest.lines().count(), "line", "lines"))
        }
        // A long line is cut later, when the report has removed the secrets: half of a secret would not be recognized.
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_diff_is_cut_at_a_line() {
        let new: String = (0..5000).map(|i| format!("line {i} ü\n")).collect();
        let diff = unified("", &new);
        let shown = diff.lines().filter(|line| line.starts_with("+line")).count();
        assert!(diff.len() <= MAX_DIFF, "{}", diff.len());
        assert!(diff.ends_with(&format!("ü\n… (and {} lines)\n", 5_000 - shown)), "{diff}");
    }

    #[test]
    fn a_line_is_never_cut_before_secrets_are_out_of_it() {
        let line = "ü".repeat(20_000);
        assert!(unified("", &line).contains(&line));
    }

    #[test]
    fn bytes_that_are_no_text_have_no_diff() {
        assert_eq!(text(b"a\0b".to_vec()), None);
        assert_eq!(text(vec![0xff]), None);
    }
}
