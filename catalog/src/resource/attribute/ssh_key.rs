//! Public SSH keys, and their options in `authorized_keys`.

use std::fmt;

use data_encoding::BASE64;

use super::{Attribute, AttributeKind, Mismatch, keywords};
use crate::value::Value;

keywords! {
    /// The types of keys that sshd accepts.
    KeyType {
        /// Ed25519.
        Ed25519 = "ssh-ed25519",
        /// RSA.
        Rsa = "ssh-rsa",
        /// ECDSA on the curve P-256.
        EcdsaP256 = "ecdsa-sha2-nistp256",
        /// ECDSA on the curve P-384.
        EcdsaP384 = "ecdsa-sha2-nistp384",
        /// ECDSA on the curve P-521.
        EcdsaP521 = "ecdsa-sha2-nistp521",
        /// Ed25519 in a hardware token.
        SkEd25519 = "sk-ssh-ed25519@openssh.com",
        /// ECDSA in a hardware token.
        SkEcdsa = "sk-ecdsa-sha2-nistp256@openssh.com",
    }
}

/// A public key: its type and its material. A comment is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshPublicKey {
    kind: KeyType,
    material: String,
}

impl SshPublicKey {
    /// The type, according to the material.
    pub fn key_type(&self) -> KeyType {
        self.kind
    }

    /// The material in base64.
    pub fn material(&self) -> &str {
        &self.material
    }
}

/// The fields of a key's material, if it is complete.
fn fields(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk()?;
        let (field, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        fields.push(field);
        bytes = rest;
    }
    Some(fields)
}

/// The type that a key's material names.
fn type_of(material: &str) -> Result<KeyType, Mismatch> {
    let cut = || {
        Mismatch::because("is not a complete public key: its base64 is damaged or cut short")
            .help("give the text of the `.pub` file, as one line")
    };
    let bytes = BASE64.decode(material.as_bytes()).map_err(|_| cut())?;
    let fields = fields(&bytes).filter(|fields| fields.len() > 1).ok_or_else(cut)?;
    let word = String::from_utf8_lossy(fields[0]).into_owned();
    KeyType::read(&word.as_str().into()).map_err(|_| {
        let why = format!("is of the type `{}`, which sshd does not take", word.escape_debug());
        Mismatch::because(why).help(format!("use a key of another type: {}", KeyType::KIND))
    })
}

impl Attribute for SshPublicKey {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        if text.trim().contains(char::is_control) {
            return Err(Mismatch::because("contains a line break").help("give one key, as one line"));
        }
        if text.contains("PRIVATE KEY") {
            return Err(Mismatch::because("is a private key").help("give the text of the `.pub` file"));
        }
        let (first, rest) = split(text.trim());
        let Ok(written) = KeyType::read(&first.into()) else {
            if !rest.is_empty() {
                let why = format!("begins with `{}`, which is not a key type", first.escape_debug());
                return Err(Mismatch::because(why).help("set the options of a key with `options`"));
            }
            return Ok(Self { kind: type_of(first)?, material: first.to_owned() });
        };
        let (material, _) = split(rest);
        let kind = type_of(material)?;
        if kind != written {
            let why = format!("says `{written}`, but its material is of the type `{kind}`");
            return Err(Mismatch::because(why).help("give the line of the `.pub` file as it is"));
        }
        Ok(Self { kind, material: material.to_owned() })
    }
}

/// The first word, and what follows the space after it.
fn split(text: &str) -> (&str, &str) {
    text.split_once([' ', '\t']).map_or((text, ""), |(first, rest)| (first, rest.trim_start()))
}

/// An option of a key, such as `no-pty` or `from="192.0.2.0/24"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOption(String);

impl fmt::Display for KeyOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for KeyOption {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let (name, given) = text.split_once('=').map_or((text, None), |(name, given)| (name, Some(given)));
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if is_name && given.is_none_or(is_quoted) {
            return Ok(Self(text.to_owned()));
        }
        let why = format!("has `{}`, which is not one option of a key", text.escape_debug());
        let help =
            "write one option each: \"no-pty\", or with its value in double quotes: 'from=\"192.0.2.0/24\"'";
        Err(Mismatch::because(why).help(help))
    }
}

/// Whether a text is one quoted value, in which `\"` is a quote.
fn is_quoted(text: &str) -> bool {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| {
        let bare = inner.replace("\\\"", "");
        !bare.contains('"') && !bare.ends_with('\\') && !inner.contains(char::is_control)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJZTZYpbxf5B6S7xh0bZmyP1yAyuoVYuBQSyfDbYq0sG";

    fn read(text: &str) -> Result<SshPublicKey, Mismatch> {
        SshPublicKey::read(&text.into())
    }

    #[test]
    fn a_key_is_its_material_or_the_whole_line() {
        let bare = read(ED25519).unwrap();
        assert_eq!((bare.key_type(), bare.material()), (KeyType::Ed25519, ED25519));
        let line = read(&format!("ssh-ed25519 {ED25519} alice at her laptop\n")).unwrap();
        assert_eq!(line, bare);
    }

    #[test]
    fn what_sshd_would_not_take_is_refused_with_the_cure() {
        let dsa = BASE64.encode(b"\0\0\0\x07ssh-dss\0\0\0\x01x");
        for (bad, why) in [
            (ED25519[..60].to_owned(), "cut short"),
            (format!("ssh-rsa {ED25519}"), "its material is of the type"),
            (format!("no-pty ssh-ed25519 {ED25519}"), "not a key type"),
            (format!("{ED25519}\nssh-ed25519 {ED25519}"), "line break"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), "private"),
            (dsa, "`ssh-dss`"),
            (String::new(), "cut short"),
        ] {
            let error = read(&bad).unwrap_err();
            assert!(error.why.as_ref().is_some_and(|said| said.contains(why)), "{bad}: {error:?}");
            assert!(error.help.is_some(), "{bad}");
        }
    }

    #[test]
    fn an_option_is_one_and_closes_its_quotes() {
        for good in ["no-pty", "restrict", "from=\"10.0.0.0/8,!10.1.1.1\"", r#"command="say \"hello\" # x""#]
        {
            assert!(KeyOption::read(&good.into()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "no-pty,restrict",
            "from=10.0.0.1",
            "a=\"x\" ssh-rsa",
            "a=\"x\",b=\"y\"",
            "a=\"x\\\"",
            "a=\"x\ny\"",
            "a=\"",
            "a b",
        ] {
            assert!(KeyOption::read(&bad.into()).unwrap_err().help.is_some(), "{bad}");
        }
    }
}
