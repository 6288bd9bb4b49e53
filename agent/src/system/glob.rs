//! File names that match the shell's patterns.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// Whether a name matches one of the patterns.
pub fn matches_any(patterns: &[String], name: impl AsRef<OsStr>) -> bool {
    patterns.iter().any(|pattern| fits(pattern.as_bytes(), name.as_ref().as_bytes()))
}

/// Whether a name matches a pattern.
pub fn matches(pattern: &str, name: &str) -> bool {
    fits(pattern.as_bytes(), name.as_bytes())
}

/// `*` matches any sequence of bytes, `?` one character: its first byte and all that continue it. Linear in practice:
/// only the last star is ever retried.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, n));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                n += 1;
                while name.get(n).is_some_and(|byte| byte & 0xc0 == 0x80) {
                    n += 1;
                }
            }
            Some(byte) if *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((after, from)) = star else { return false };
                star = Some((after, from + 1));
                p = after;
                n = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_are_the_shells() {
        for (pattern, name) in [
            ("*.bak", "a.bak"),
            ("?.c", "ü.c"),
            ("*", ""),
            ("a*b*c", "aXbYbZc"),
            (".git", ".git"),
            ("**x", "x"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.bak", "a.bak2"), ("?.c", "ab.c"), ("a", "A"), ("", "x"), ("a*b", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        let name = OsStr::from_bytes(b"x\xff.bak");
        assert!(matches_any(&["*.bak".into()], name) && matches_any(&["x?.bak".into()], name));
    }

    #[test]
    fn many_stars_end_soon() {
        let pattern = "*a".repeat(40) + "b";
        assert!(!matches(&pattern, &"a".repeat(5000)));
    }
}
