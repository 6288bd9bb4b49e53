//! Paths as texts. The kernel takes any bytes as a name, and anyone who can write a directory can choose some that are
//! not UTF-8; no such name may be passed over.
//!
//! Each byte that is not UTF-8 is written as NUL and two digits. No path contains NUL, so two paths never have the same
//! text, and the text of such a path is never one that a catalog names.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// What comes before the two digits of a byte.
const MARK: char = '\0';

/// The text of a path.
pub fn path_text(path: &Path) -> Cow<'_, str> {
    if let Some(text) = path.to_str() {
        return Cow::Borrowed(text);
    }
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "{MARK}{byte:02x}");
        }
    }
    Cow::Owned(text)
}

/// The path of a text. A text that is not the text of a path becomes a path that does not exist.
pub fn text_path(text: &str) -> Cow<'_, Path> {
    let Some((first, rest)) = text.split_once(MARK) else { return Cow::Borrowed(Path::new(text)) };
    let mut bytes = first.as_bytes().to_vec();
    for part in rest.split(MARK) {
        let byte = part.split_at_checked(2).and_then(|(digits, valid)| {
            let byte = u8::from_str_radix(digits, 16).ok()?;
            Some((byte, valid))
        });
        let (byte, valid) = byte.unwrap_or((0, part));
        bytes.push(byte);
        bytes.extend(valid.as_bytes());
    }
    Cow::Owned(OsString::from_vec(bytes).into())
}

/// The text of a path, for people: bytes that are not UTF-8 are shown as `\xff`.
pub fn shown_text(text: &str) -> Cow<'_, str> {
    if text.contains(MARK) { text.replace(MARK, r"\x").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn every_path_has_a_text_of_its_own_and_comes_back_from_it() {
        for (bytes, shown) in [
            (&b"srv/caf\xc3\xa9"[..], "srv/café"),
            (b"x\xff", r"x\xff"),
            (br"x\xff", r"x\xff"),
            (b"\xe2\x82/\x80y\xffff", r"\xe2\x82/\x80y\xffff"),
            (b"", ""),
        ] {
            let path = Path::new(OsStr::from_bytes(bytes));
            let text = path_text(path);
            assert_eq!(text_path(&text), path, "{shown}");
            assert_eq!(shown_text(&text), shown);
        }
        assert_ne!(path_text(Path::new(OsStr::from_bytes(b"x\xff"))), r"x\xff");
        for odd in ["x\0", "x\0f", "x\0zz", "x\0\u{e9}"] {
            assert!(text_path(odd).as_os_str().as_bytes().contains(&0), "{odd:?}");
        }
    }
}
