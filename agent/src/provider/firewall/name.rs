//! Titles in the form in which nftables can keep them with a rule: in its comment, which they cannot break out of.

use std::fmt::Write as _;

use holdfast_catalog::hash::sha256;

/// The most bytes of a comment.
const MAX_COMMENT: usize = 128;

/// The most bytes that the kernel writes before a logged packet.
const MAX_LOG_PREFIX: usize = 126;

/// The beginning of the comments of rules that belong to resources.
pub const PREFIX: &str = "holdfast:";

/// What separates the beginning of a long title from its hash; no short title contains it.
const CUT: &str = "%:";

const HASH: usize = 16;

/// The comment of a resource's rules.
pub fn comment(title: &str) -> String {
    let mut comment = PREFIX.to_owned();
    for byte in title.bytes() {
        match byte {
            b'"' | b'%' | b'\\' => escape(&mut comment, byte),
            b' '..=b'~' => comment.push(char::from(byte)),
            _ => escape(&mut comment, byte),
        }
    }
    if comment.len() > MAX_COMMENT {
        comment.truncate(MAX_COMMENT - CUT.len() - HASH);
        comment.push_str(CUT);
        comment.push_str(&sha256(title.as_bytes())[..HASH]);
    }
    comment
}

fn escape(comment: &mut String, byte: u8) {
    let _ = write!(comment, "%{byte:02X}");
}

/// The text that a resource's rules write into the kernel's log before a packet.
pub fn log_prefix(title: &str) -> String {
    let mut prefix = comment(title);
    prefix.truncate(MAX_LOG_PREFIX);
    prefix.push(' ');
    prefix
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_titles_stay_as_they_are() {
        assert_eq!(comment("web: HTTP & HTTPS"), "holdfast:web: HTTP & HTTPS");
        assert_eq!(comment("100% \"für\\\n"), "holdfast:100%25 %22f%C3%BCr%5C%0A");
    }

    #[test]
    fn long_titles_are_told_apart_by_their_hash() {
        let (one, two) =
            (comment(&format!("{}1", "a".repeat(200))), comment(&format!("{}2", "a".repeat(200))));
        assert_ne!(one, two);
        assert_eq!(one.len(), MAX_COMMENT);
        assert_ne!(comment(&one[PREFIX.len()..]), one, "no title looks like the hash of another");
    }

    proptest! {
        #[test]
        fn no_title_breaks_out_of_its_comment(title in any::<String>()) {
            for text in [comment(&title), log_prefix(&title)] {
                prop_assert!(text.len() <= MAX_COMMENT);
                prop_assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\'));
            }
        }

        #[test]
        fn titles_that_differ_have_comments_that_differ(a in ".{0,80}", b in ".{0,80}") {
            prop_assert_eq!(a == b, comment(&a) == comment(&b));
        }
    }
}
