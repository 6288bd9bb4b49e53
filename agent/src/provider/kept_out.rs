//! Why a tool could not write. If the file system is mounted read-only, some tools only report that they did not get a
//! lock, as if another program held it.

use std::path::Path;

/// What tools print if they could not write, or could not lock what they write.
const SIGNS: [&str; 5] = ["cannot lock", "get lock", "lock file", "nable to lock", "ead-only file system"];

/// What prevents all writing at the paths in a tool's message; `None` if nothing does, or the message is about
/// something else.
pub(super) fn of_words(said: &str, kept_out: impl Fn(&Path) -> Option<String>) -> Option<String> {
    if !SIGNS.iter().any(|sign| said.contains(sign)) || said.contains("findmnt") {
        return None;
    }
    let ends = |c: char| !(c.is_alphanumeric() || matches!(c, '/' | '_'));
    let words = said.split(|c: char| {
        c.is_whitespace()
            || matches!(c, '`' | '\'' | '"' | '(' | ')' | '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}')
    });
    words
        .map(|word| word.trim_end_matches(ends))
        .filter(|word| word.starts_with('/'))
        .find_map(|path| kept_out(Path::new(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_on_a_read_only_file_system_is_no_other_programs() {
        let read_only =
            |path: &Path| path.starts_with("/etc").then(|| format!("; {} is read-only", path.display()));
        for said in [
            "useradd: cannot lock /etc/passwd; try again later.",
            "useradd: /etc/passwd.1234: Read-only file system\nuseradd: cannot lock /etc/passwd; try again later.",
            "E: Could not open lock file /etc/lock - open (30: Read-only file system)",
            "sed: couldn\u{2019}t open temporary file \u{201c}/etc/sedX\u{201d}: Read-only file system",
        ] {
            let words = of_words(said, read_only).unwrap_or_else(|| panic!("{said}"));
            assert!(words.starts_with("; /etc/") && words.ends_with(" is read-only"), "{words}");
        }
        for said in ["useradd: cannot lock /var/x", "cat: /etc/x: No such file or directory", "lock", ""] {
            assert_eq!(of_words(said, read_only), None, "{said}");
        }
    }
}
