//! Diffs of texts for the report: bounded, and of texts only.

use std::io::Read as _;

use holdfast_catalog::report::MAX_DIFF;
use holdfast_catalog::resource::attribute::Content;
use similar::TextDiff;

use super::content;
use crate::content::ContentSource;
use crate::system::Opened;

/// Larger files are not compared line by line.
const MAX_TEXT: u64 = 256 * 1024;

const CUT: &str = "… (cut)\n";

/// A unified diff from what a file holds to what it should hold; none where either is large or no text.
pub(super) fn diff(old: Option<&mut Opened>, new: &Content, source: &dyn ContentSource) -> Option<String> {
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

fn read(opened: &mut Opened) -> Option<String> {
    use std::io::Seek as _;
    if opened.stat.size > MAX_TEXT {
        return None;
    }
    let mut bytes = Vec::new();
    opened.file.rewind().ok()?;
    opened.file.by_ref().take(MAX_TEXT).read_to_end(&mut bytes).ok()?;
    text(bytes)
}

/// The bytes as text, if they are one.
fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn unified(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let text = diff.unified_diff().context_radius(3).header("is", "should").to_string();
    if text.len() <= MAX_DIFF {
        return text;
    }
    let mut end = MAX_DIFF - CUT.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let end = text[..end].rfind('\n').map_or(end, |newline| newline + 1);
    format!("{}{CUT}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_diff_is_cut_at_a_line() {
        let new: String = (0..5000).map(|i| format!("line {i} ü\n")).collect();
        let diff = unified("", &new);
        assert!(diff.len() <= MAX_DIFF && diff.ends_with(&format!("ü\n{CUT}")));
    }

    #[test]
    fn bytes_that_are_no_text_have_no_diff() {
        assert_eq!(text(b"a\0b".to_vec()), None);
        assert_eq!(text(vec![0xff]), None);
    }
}
