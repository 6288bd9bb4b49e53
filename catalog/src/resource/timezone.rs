//! `timezone`: the time zone in which the machine shows the time.

use std::fmt;

use super::attribute::keywords;
use super::claim::{Claim, Hold, PathKind};
use super::define::resource_type;
use super::{Attribute, AttributeKind, Implied, Mismatch, Rules};
use crate::value::Value;

keywords! {
    /// What can be wanted of a time zone, which every machine has.
    ZoneState {
        /// The machine uses it.
        Present = "present",
    }
}

/// A zone's name, such as `Europe/Zurich`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneName(String);

impl ZoneName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for ZoneName {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let character = |b: u8| b.is_ascii_alphanumeric() || b"_-+".contains(&b);
        let is_part =
            |part: &str| part.bytes().all(character) && part.starts_with(|c: char| c.is_ascii_alphabetic());
        if text.len() <= 200 && text.split('/').all(is_part) {
            return Ok(Self(text.to_owned()));
        }
        let why = format!("is `{}`, which is not a valid name for a time zone", text.escape_debug());
        Err(Mismatch::because(why)
            .help("write it as `timedatectl list-timezones` does: Europe/Zurich, Etc/UTC"))
    }
}

resource_type! {
    /// The time zone of the machine. The title is the zone, such as `Europe/Zurich`; a machine has one.
    Timezone("timezone"), titled ZoneName {
        /// `/etc/localtime` is a link to the zone, and on Debian `/etc/timezone` says it too.
        property ensure: ZoneState = ZoneState::Present,
    }
}

impl Rules for Timezone {
    fn implied(&self) -> Vec<Implied> {
        vec![Implied::on("package", "tzdata"), Implied::on_parent("/etc/localtime")]
    }

    fn claims(&self) -> Vec<Claim> {
        let mut claims = vec![Claim::whole("time zone", "")];
        claims.extend(Claim::standing("/etc/localtime", PathKind::Symlink));
        claims.push(Claim::path("/etc/timezone", Hold::Content));
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_names_and_never_ways_out() {
        for good in
            ["Europe/Zurich", "UTC", "Etc/GMT+1", "America/Argentina/Buenos_Aires", "America/Port-au-Prince"]
        {
            assert!(ZoneName::read(&good.into()).is_ok(), "{good}");
        }
        for bad in
            ["", "/etc/passwd", "../../etc/passwd", "Europe/", "Europe//Zurich", "a b", "a\nb", "zone.tab"]
        {
            assert!(ZoneName::read(&bad.into()).unwrap_err().help.is_some(), "{bad}");
        }
    }
}
