//! The text of an `authorized_keys` file: bytes, since its lines may be in any encoding, and each line that sshd could
//! read.

use data_encoding::{BASE64, BASE64_NOPAD};
use holdfast_catalog::resource::attribute::KeyType;
use holdfast_catalog::resource::{Attribute as _, AuthorizedKey};
use sha2::{Digest as _, Sha256};

/// A line with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyLine<'a> {
    options: &'a [u8],
    kind: &'a [u8],
    pub(super) material: &'a [u8],
    comment: &'a [u8],
}

impl<'a> KeyLine<'a> {
    /// Reads a line as sshd does: a key, or options and then a key.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let line = line.trim_ascii();
        if line.starts_with(b"#") {
            return None;
        }
        let (first, rest) = word(line);
        if is_type(first) {
            return Self::of(b"", first, rest);
        }
        let (options, rest) = line.split_at(end_of_options(line));
        let (kind, rest) = word(rest.trim_ascii_start());
        is_type(kind).then(|| Self::of(options, kind, rest)).flatten()
    }

    fn of(options: &'a [u8], kind: &'a [u8], rest: &'a [u8]) -> Option<Self> {
        let (material, comment) = word(rest);
        (!material.is_empty()).then_some(Self { options, kind, material, comment })
    }

    pub(super) fn kind(&self) -> String {
        lossy(self.kind)
    }

    pub(super) fn options(&self) -> String {
        lossy(self.options)
    }

    pub(super) fn comment(&self) -> String {
        lossy(self.comment)
    }

    /// Whether it has the comment that a resource gives it.
    pub(super) fn is_called_by(&self, want: &AuthorizedKey) -> bool {
        self.comment == want.comment().as_bytes()
    }
}

/// The first word, and what follows it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| matches!(b, b' ' | b'\t')).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_ascii_start())
}

/// Whether a word is a key type that is managed here.
fn is_type(word: &[u8]) -> bool {
    std::str::from_utf8(word).is_ok_and(|word| KeyType::read(&word.into()).is_ok())
}

/// The end of the options at the beginning of a line: the first white space outside quotes.
fn end_of_options(line: &[u8]) -> usize {
    let (mut quoted, mut at) = (false, 0);
    while at < line.len() {
        match line[at] {
            b'\\' if line.get(at + 1) == Some(&b'"') => at += 1,
            b'"' => quoted = !quoted,
            b' ' | b'\t' if !quoted => break,
            _ => {}
        }
        at += 1;
    }
    at.min(line.len())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(500).collect()
}

/// The fingerprint of a key's material, as `ssh-keygen -l` shows it.
pub(in crate::provider) fn fingerprint(material: &[u8]) -> String {
    BASE64.decode(material).map_or_else(
        |_| "damaged".to_owned(),
        |bytes| format!("SHA256:{}", BASE64_NOPAD.encode(&Sha256::digest(bytes))),
    )
}

/// Whether a key is in a text.
pub(super) fn has(text: &[u8], material: &str) -> bool {
    keys(text).any(|key| key.material == material.as_bytes())
}

fn keys(text: &[u8]) -> impl Iterator<Item = KeyLine<'_>> {
    text.split(|b| *b == b'\n').filter_map(KeyLine::parse)
}

/// The line of a resource: the one with its key, or else one with its comment and a key that no other resource has.
pub(super) fn own<'a>(text: &'a [u8], want: &AuthorizedKey, others: &[&str]) -> Option<KeyLine<'a>> {
    let by_key = keys(text).find(|key| key.material == want.key.material().as_bytes());
    let is_others = |key: &KeyLine<'_>| others.iter().any(|other| other.as_bytes() == key.material);
    let by_comment = || keys(text).find(|key| key.is_called_by(want) && !is_others(key));
    by_key.or_else(by_comment)
}

/// The options of further lines with the same key: each of them also opens the account.
pub(super) fn further_options(text: &[u8], want: &AuthorizedKey) -> impl Iterator<Item = String> {
    let same = keys(text).filter(|key| key.material == want.key.material().as_bytes());
    same.skip(1).map(|key| key.options())
}

/// The text with the key on one line, in place of its earlier line.
pub(super) fn with(text: &[u8], want: &AuthorizedKey, others: &[&str]) -> Vec<u8> {
    let own = own(text, want, others);
    let is_own = |key: &KeyLine<'_>| own.is_some_and(|own| std::ptr::eq(own.material, key.material));
    let new = line(want);
    let mut edited = edit(text, |line| match KeyLine::parse(line) {
        Some(key) if is_own(&key) => Some(&new),
        Some(key) if key.material == want.key.material().as_bytes() => Some(&[]),
        _ => None,
    });
    if own.is_none() {
        if !edited.is_empty() && !edited.ends_with(b"\n") {
            edited.push(b'\n');
        }
        edited.extend(&new);
    }
    edited
}

/// The line of a resource.
fn line(want: &AuthorizedKey) -> Vec<u8> {
    let options = want.options_text();
    let space = if options.is_empty() { "" } else { " " };
    format!("{options}{space}{} {} {}\n", want.key.key_type(), want.key.material(), want.comment())
        .into_bytes()
}

/// The text without a key.
pub(super) fn without(text: &[u8], material: &str) -> Vec<u8> {
    let is_it = |line| KeyLine::parse(line).is_some_and(|key| key.material == material.as_bytes());
    edit(text, |line| is_it(line).then_some(&[][..]))
}

/// The lines that sshd may read and that have none of these keys, for people.
pub(in crate::provider) fn strays(text: &[u8], named: &[&str]) -> Vec<String> {
    text.split(|b| *b == b'\n').filter(|line| is_stray(line, named)).map(shown).collect()
}

/// The text without those lines.
pub(in crate::provider) fn without_strays(text: &[u8], named: &[&str]) -> Vec<u8> {
    edit(text, |line| is_stray(line, named).then_some(&[][..]))
}

fn is_stray(line: &[u8], named: &[&str]) -> bool {
    let line = line.trim_ascii();
    let is_named = |key: KeyLine<'_>| named.iter().any(|other| other.as_bytes() == key.material);
    !line.is_empty() && !line.starts_with(b"#") && !KeyLine::parse(line).is_some_and(is_named)
}

/// A key by its fingerprint and comment. Nothing is shown of any other line: the user may have linked any file there.
fn shown(line: &[u8]) -> String {
    KeyLine::parse(line).map_or_else(
        || "a line of another kind".to_owned(),
        |key| {
            let comment: String = lossy(key.comment).chars().take(60).collect();
            format!("{} {comment}", fingerprint(key.material)).trim_end().to_owned()
        },
    )
}

/// Replaces lines. Those for which `replace` returns `None` are kept unchanged, byte for byte.
fn edit<'a>(text: &'a [u8], replace: impl Fn(&'a [u8]) -> Option<&'a [u8]>) -> Vec<u8> {
    text.split_inclusive(|b| *b == b'\n').flat_map(|line| replace(line).unwrap_or(line)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::trial::want;

    const A: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJZTZYpbxf5B6S7xh0bZmyP1yAyuoVYuBQSyfDbYq0sG";
    const B: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIBl+9sn4g2nTpDNGrGBdqPpgBvQmRzrxfRLUeWUEjXxQ";

    fn key(material: &str, title: &str) -> AuthorizedKey {
        want(title, &[("user", "alice".into()), ("key", material.into())])
    }

    fn text(lines: &[&str]) -> Vec<u8> {
        lines.concat().replace("$A", A).replace("$B", B).into_bytes()
    }

    #[test]
    fn lines_are_read_as_sshd_reads_them() {
        let line = format!("  command=\"echo \\\"a b\\\" # x\",no-pty\tssh-ed25519  {A} alice at home \r");
        let key = KeyLine::parse(line.as_bytes()).unwrap();
        assert_eq!(key.options(), "command=\"echo \\\"a b\\\" # x\",no-pty");
        assert_eq!(
            (key.kind(), key.material, key.comment),
            ("ssh-ed25519".into(), A.as_bytes(), &b"alice at home"[..])
        );
        assert_eq!(fingerprint(key.material), "SHA256:dowKU/Dl9i1eBIkrg0X+lN4DaV3Ys9rw4/fbokIHQpA");
        for none in [
            "",
            "# ssh-ed25519 x",
            "ssh-ed25519",
            "no-pty",
            "ssh-foo AAAA x",
            "a=\"unclosed ssh-ed25519 AAAA",
        ] {
            assert_eq!(KeyLine::parse(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn other_lines_stay_to_the_byte() {
        let mut before = text(&["# comment\r\n", "ssh-ed25519 $B caf"]);
        before.extend(b"\xe9\n\n  junk");
        let after = with(&before, &key(A, "laptop"), &[]);
        assert_eq!(after[..before.len()], before);
        assert_eq!(after[before.len()..], text(&["\nssh-ed25519 $A laptop\n"]));
        assert_eq!(without(&after, A), [&before[..], b"\n"].concat());
    }

    #[test]
    fn a_key_keeps_its_line_and_takes_the_title_as_its_comment() {
        let before = text(&["no-pty ssh-ed25519 $A old name\n", "ssh-ed25519 $B b\n", "ssh-ed25519 $A\n"]);
        let after = with(&before, &key(A, "laptop"), &[]);
        assert_eq!(after, text(&["ssh-ed25519 $A laptop\n", "ssh-ed25519 $B b\n"]));
    }

    #[test]
    fn a_new_key_takes_the_place_of_the_old_one_but_never_of_anothers() {
        let before = text(&["ssh-ed25519 $B laptop\n"]);
        assert_eq!(with(&before, &key(A, "laptop"), &[]), text(&["ssh-ed25519 $A laptop\n"]));
        let both = text(&["ssh-ed25519 $B laptop\n", "ssh-ed25519 $A laptop\n"]);
        assert_eq!(with(&before, &key(A, "laptop"), &[B]), both);
    }

    #[test]
    fn whatever_sshd_could_read_and_nobody_names_is_stray() {
        let before = text(&[
            "# note\n\n",
            "no-pty ssh-ed25519 $A a\n",
            "ssh-ed25519 $B \x1b[2Jb\n",
            "ssh-dss AAAA old\n",
        ]);
        let found = strays(&before, &[A]);
        assert_eq!(
            found,
            [format!("{} [2Jb", fingerprint(B.as_bytes())), "a line of another kind".to_owned()]
        );
        assert_eq!(without_strays(&before, &[A]), text(&["# note\n\n", "no-pty ssh-ed25519 $A a\n"]));
    }
}
