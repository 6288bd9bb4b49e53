//! Finds unresolved merge conflicts.

use std::ops::Range;

/// The first line of an unresolved merge conflict, which is a text with both sides.
pub fn conflict(text: &str) -> Option<Range<usize>> {
    let mut begin = None;
    let mut middle = false;
    for (span, line) in lines(text) {
        if line.starts_with("<<<<<<< ") {
            (begin, middle) = (Some(span), false);
        } else if line == "=======" {
            middle = begin.is_some();
        } else if line.starts_with(">>>>>>> ") && middle {
            return begin;
        }
    }
    None
}

/// The first line that looks like a marker of a merge conflict, for a text that cannot be read.
pub(super) fn marker(text: &str) -> Option<Range<usize>> {
    let is_marker =
        |line: &str| ["<<<<<<< ", ">>>>>>> ", "||||||| "].iter().any(|mark| line.starts_with(mark));
    lines(text).find(|(_, line)| is_marker(line)).map(|(span, _)| span)
}

fn lines(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        let line = line.trim_end();
        (start..start + line.len(), line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_marks_in_their_order_are_a_conflict() {
        let text = "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\n";
        assert_eq!(conflict(text).map(|span| &text[span]), Some("<<<<<<< HEAD"));
        assert_eq!(conflict("Title\n=======\n"), None);
        assert_eq!(conflict(">>>>>>> a\n=======\n<<<<<<< b\n"), None);
        assert!(conflict(&text.replace('\n', "\r\n")).is_some());
    }
}
