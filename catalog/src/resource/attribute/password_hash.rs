//! The password field of the shadow file.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::{Attribute, AttributeKind, Mismatch, Secret};
use crate::value::Value;

/// A hash in a form of crypt(5), or a lock: `!`, `*`, or `!` before a hash.
///
/// DES hashes are refused: thirteen letters and digits may just as well be a password, and such a hash is broken in
/// hours.
#[derive(Debug, Clone, PartialEq)]
pub struct PasswordHash(Secret);

impl PasswordHash {
    /// The text itself, only for the shadow file.
    pub fn expose(&self) -> Arc<str> {
        self.0.expose()
    }
}

const CURE: &str = "give the hash that `mkpasswd` or `openssl passwd -6` makes, or \"!\" to lock the account";

impl Attribute for PasswordHash {
    const KIND: AttributeKind = AttributeKind::Secret;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let secret = Secret::read(value)?;
        let text = secret.expose();
        if text.is_empty() {
            let why = "is empty, which would open the account to everyone without a password";
            return Err(Mismatch::because(why).help(CURE));
        }
        if !is_lock(&text) && !is_hash(text.trim_start_matches('!')) {
            let why = "is not a crypt(5) hash (it is not shown), so no password would match";
            return Err(Mismatch::because(why).help(CURE));
        }
        Ok(Self(secret))
    }
}

fn is_lock(text: &str) -> bool {
    matches!(text.trim_start_matches('!'), "" | "*")
}

/// Whether a text has one of the forms in crypt(5), with the length of its hash: no password matches one that was cut
/// off.
fn is_hash(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('$') else { return false };
    match *rest.split('$').collect::<Vec<_>>() {
        ["y" | "gy", parameters, salt, hash] => {
            is_word(parameters, 1..=64) && is_word(salt, 0..=86) && is_word(hash, 43..=43)
        }
        ["7", salt, hash] => is_word(salt, 11..=97) && is_word(hash, 43..=43),
        ["2a" | "2b" | "2x" | "2y", cost, hash] => {
            cost.len() == 2 && is_number(cost) && is_word(hash, 53..=53)
        }
        ["6", ref salt @ .., hash] => is_salt(salt) && is_word(hash, 86..=86),
        ["5", ref salt @ .., hash] => is_salt(salt) && is_word(hash, 43..=43),
        ["sha1", rounds, salt, hash] => is_number(rounds) && is_word(salt, 1..=64) && is_word(hash, 28..=96),
        ["md5", salt, "", hash] => is_word(salt, 8..=8) && is_word(hash, 22..=22),
        [form, salt, ref hash @ ..] if form.starts_with("md5,rounds=") => {
            let hash = hash.strip_prefix(&[""]).unwrap_or(hash);
            is_number(&form["md5,rounds=".len()..])
                && is_word(salt, 8..=8)
                && matches!(hash, [hash] if is_word(hash, 22..=22))
        }
        ["1", salt, hash] => is_free(salt, 0..=8) && is_word(hash, 22..=22),
        ["3", "", hash] => hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit()),
        _ => false,
    }
}

/// Whether these are a salt of SHA-2, perhaps with a number of rounds before it.
fn is_salt(parts: &[&str]) -> bool {
    match parts {
        [salt] => is_free(salt, 1..=16),
        [rounds, salt] => rounds.strip_prefix("rounds=").is_some_and(is_number) && is_free(salt, 1..=16),
        _ => false,
    }
}

fn is_free(text: &str, length: RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b':')
}

fn is_word(text: &str, length: RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"./".contains(&b))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Kind, Sensitive};

    const SHA512: &str =
        "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/0";

    #[test]
    fn hashes_and_locks_are_taken() {
        for good in [
            SHA512,
            &format!("!{SHA512}"),
            &SHA512.replace("$6$", "$6$rounds=5000$"),
            "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
            "$2b$05$abcdefghijklmnopqrstuuxXZvqwCLPNtjRF2iyfqmIoxF.9Bz0Q2",
            "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
            "$5$saltsalt$Xj9rhWBWqbaZ1mGCXQmYhmH6WVPRLSXNqCHd2rRWYY2",
            "$md5,rounds=5000$GUBv0xjJ$$mSwgIswdjlTY0YxV7HBVm0",
            "!",
            "*",
            "!!",
            "!*",
        ] {
            assert!(PasswordHash::read(&good.into()).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_the_cure_and_never_shown() {
        for bad in [
            "hunter2",
            "correcthorse1",
            "x",
            " ",
            "$6$salt$short",
            "$6$",
            "$6",
            "$9$salt$hash",
            "!hunter2",
            "*LOCKED*",
            &format!("{SHA512}\n"),
            &format!("{SHA512}:0"),
            &format!("{SHA512}\nroot:{SHA512}"),
            &SHA512[1..],
            &format!(" {SHA512}"),
        ] {
            for value in [Value::from(bad), Kind::Sensitive(Sensitive::text(bad)).into()] {
                let error = PasswordHash::read(&value).unwrap_err();
                let said = format!("{} {}", error.why.unwrap(), error.help.unwrap());
                assert!(said.contains("mkpasswd"), "{said}");
                assert!(bad.len() < 5 || !said.contains(bad), "{said}");
            }
        }
        let error = PasswordHash::read(&"".into()).unwrap_err();
        assert!(error.why.unwrap().contains("without a password"));
    }
}
