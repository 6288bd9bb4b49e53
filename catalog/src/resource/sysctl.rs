//! `sysctl`: a setting of the kernel.

use std::fmt;

use super::attribute::{Presence, SysctlKey};
use super::claim::Claim;
use super::define::resource_type;
use super::{Attribute, AttributeError, AttributeKind, Implied, Mismatch, Rules};
use crate::value::Value;

/// The value of a kernel setting: one line, with a single space in place of white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysctlValue(String);

impl SysctlValue {
    /// A value in the form of the kernel or a file.
    pub fn new(text: &str) -> Self {
        Self(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Whether another value means the same to the kernel, which sorts and joins lists of numbers and ranges: `80,81`
    /// is `80-81`.
    pub fn is_same(&self, other: &Self) -> bool {
        self == other || self.ranges().is_some_and(|ranges| Some(ranges) == other.ranges())
    }

    /// The numbers of a list with commas and ranges, joined where possible; `None` for any other text.
    fn ranges(&self) -> Option<Vec<(u32, u32)>> {
        let range = |part: &str| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let ends = (from.parse().ok()?, to.parse().ok()?);
            (is_number(from) && is_number(to) && ends.0 <= ends.1).then_some(ends)
        };
        let mut all: Vec<(u32, u32)> = self.0.split(',').map(range).collect::<Option<_>>()?;
        all.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(all.len());
        for (from, to) in all {
            match joined.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        Some(joined)
    }

    /// The value as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SysctlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for SysctlValue {
    const KIND: AttributeKind = AttributeKind::TextOrInteger;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        if let Some(number) = value.as_int() {
            return Ok(Self(number.to_string()));
        }
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        if text.contains(|c: char| c.is_control() && c != '\t') || text.len() > 1000 {
            let why = "contains a line break or another control character, or is longer than 1000 bytes";
            return Err(Mismatch::because(why).help("write one line"));
        }
        Ok(Self::new(text))
    }
}

resource_type! {
    /// A setting of the kernel. The title is its key, such as `net.ipv4.ip_forward`.
    Sysctl("sysctl"), titled SysctlKey {
        /// Whether its value is kept. Absent removes the file of `persist`; the value that the kernel has now stays until the
        /// next boot, since nobody knows what it was before.
        property ensure: Presence = Presence::Present,
        /// The value. White space between several numbers counts as one space.
        property value: Option<SysctlValue> => "required, unless absent",
        /// Whether the value is set at each boot too, by the file `/etc/sysctl.d/99-zz-holdfast-KEY.conf`. Where another file
        /// that the boot reads later sets another value, such as `/etc/sysctl.d/local.conf`, that is a failure which names it.
        /// Settings of this machine that the kernel changes with it, as `net.ipv4.ip_forward` changes those of each interface, are
        /// set once more after it.
        property persist: bool = true,
    }
}

impl Rules for Sysctl {
    fn validate(&self) -> Vec<AttributeError> {
        if self.ensure == Presence::Absent || self.value.is_some() {
            return Vec::new();
        }
        let error = AttributeError::new("value", "attribute `value` is missing");
        vec![error.help("say what it is to be: value = 1")]
    }

    fn implied(&self) -> Vec<Implied> {
        vec![Implied::OnAll("kernel_module"), Implied::on_parent(self.title.file())]
    }

    fn claims(&self) -> Vec<Claim> {
        let mut claims = vec![Claim::whole("kernel setting", self.title.setting())];
        // If it should not be set at boot, the file is removed.
        let file = if self.persist { self.ensure } else { Presence::Absent };
        claims.extend(Claim::whole_file(self.title.file(), file));
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_number_or_one_line() {
        let read = |value: Value| SysctlValue::read(&value);
        assert_eq!(read(1.into()).unwrap().as_str(), "1");
        assert_eq!(read("4096\t 131072  6291456".into()).unwrap().as_str(), "4096 131072 6291456");
        assert!(read("1\nkernel.core_pattern = |/tmp/x".into()).unwrap_err().help.is_some());
        assert!(read(1.5.into()).is_err());
    }

    #[test]
    fn a_list_of_ranges_is_the_same_however_it_is_written() {
        let same = |one: &str, other: &str| SysctlValue::new(one).is_same(&SysctlValue::new(other));
        assert!(same("8080,8081", "8080-8081") && same("9000-9010,80,81,9005", "80-81,9000-9010"));
        assert!(!same("8080,8082", "8080-8082") && !same("80", "81") && !same("10-5", "5-10"));
        assert!(!same("1 2", "1,2") && !same("01", "x") && !same("-1", "1"));
    }
}
