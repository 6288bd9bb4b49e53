//! Names of hosts, as `/etc/hosts` and the kernel accept them.

use std::fmt;

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// A host's name: labels of letters, digits, `-` and `_`, with dots between them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

impl HostName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for HostName {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        if text.len() <= 253 && text.split('.').all(is_label) {
            return Ok(Self(text.to_owned()));
        }
        let why = format!("is `{}`, which is not a host name", text.escape_debug());
        let help = "use letters, digits, `-` and `_`, with dots between labels of at most 63 characters";
        Err(Mismatch::because(why).help(help))
    }
}

fn is_label(label: &str) -> bool {
    let middle = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    (1..=63).contains(&label.len())
        && label.bytes().all(middle)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_labels_with_dots() {
        for good in ["web1", "web1.acme.example", "ip6-localhost", "_dmarc.example", "10.0.0.1"] {
            assert!(HostName::read(&good.into()).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "-w", "w-", "a..b", "a.", "a b", "a\nb", "a#b", "ü", &long] {
            let help = HostName::read(&bad.into()).unwrap_err().help;
            assert!(help.is_some(), "{bad}");
        }
    }
}
