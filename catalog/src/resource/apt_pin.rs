//! `apt_pin`: which version of a package apt prefers.

use super::attribute::{AptFiles, AptName, AptWord, Bounded, Presence};
use super::claim::Claim;
use super::define::resource_type;
use super::{Attribute, AttributeError, AttributeKind, Bond, Implied, Mismatch, ResourceRef, Rules};
use crate::value::Value;

/// Preferences files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreferenceFiles {}

impl AptFiles for PreferenceFiles {
    const DIRECTORY: &'static str = "/etc/apt/preferences.d";
    const SUFFIXES: &'static [&'static str] = &[".pref"];
}

/// Which versions a pin applies to: `version 1.2*`, `release a=stable`, `origin deb.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinTarget(String);

impl std::fmt::Display for PinTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for PinTarget {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let known = text.split_once(' ').is_some_and(|(word, rest)| {
            ["version", "release", "origin"].contains(&word) && rest.trim() == rest && !rest.is_empty()
        });
        if !known || !text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            let why = format!("is `{}`, which apt does not read", text.escape_debug());
            let help = "write `version 1.2*`, `release a=stable`, or `origin deb.example.com`";
            return Err(Mismatch::because(why).help(help));
        }
        Ok(Self(text.to_owned()))
    }
}

resource_type! {
    /// Which version of packages apt prefers: `/etc/apt/preferences.d/NAME.pref`, which is managed whole. The title is
    /// NAME. Every `package` comes after.
    AptPin("apt_pin"), titled AptName<PreferenceFiles> {
        /// Whether it is there.
        property ensure: Presence = Presence::Present,
        /// The packages: names, patterns such as `nginx*` or `/^linux-/`, `src:NAME`, or `*` for all.
        property packages: Vec<AptWord> => "required, unless absent",
        /// Which versions of them: `version 1.2*`, `release a=stable, l=Debian`, or `origin deb.example.com`.
        property pin: Option<PinTarget> => "required, unless absent",
        /// How much they are preferred: below 0 never, from 1000 on even where that is a downgrade. 0 means nothing to apt.
        property priority: Option<Bounded<-32_768, 32_767>> => "required, unless absent",
    }
}

impl Rules for AptPin {
    const SETS: &'static [&'static str] = &["packages"];

    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        let mut refuse = |attribute, message: &str, help: &str| {
            errors.push(AttributeError::new(attribute, message).help(help));
        };
        if self.ensure == Presence::Present {
            if self.packages.is_empty() {
                refuse("packages", "a pin needs `packages`", "name at least one, or \"*\" for all");
            }
            if self.pin.is_none() {
                refuse("pin", "a pin needs a `pin`", "say which versions: pin = \"version 1.2*\"");
            }
            if self.priority.is_none() {
                refuse("priority", "a pin needs a `priority`", "1001 prefers it in any case, -1 never");
            }
        }
        if self.priority.is_some_and(|priority| priority.get() == 0) {
            refuse("priority", "apt gives the priority 0 no meaning", "use -1 for what is never installed");
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let path = self.title.paths().iter().map(|path| Implied::on_parent(path));
        // Without its pin, a package could be installed in an unwanted version.
        let pinned = self.packages.iter().map(|name| ResourceRef::new("package", name.as_str()));
        path.chain(pinned.map(|package| Implied::Under(package, Bond::Part))).collect()
    }

    fn claims(&self) -> Vec<Claim> {
        self.title.paths().iter().flat_map(|path| Claim::whole_file(path, self.ensure)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};

    #[test]
    fn a_pin_says_which_versions_in_one_line() {
        for good in ["version 1.2*", "release a=stable, l=Debian", "origin \"\"", "origin deb.example.com"] {
            assert!(PinTarget::read(&good.into()).is_ok(), "{good}");
        }
        for bad in ["1.2", "version ", "version", "release a\nPin-Priority: 1", "codename x", "version  1"] {
            assert!(PinTarget::read(&bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_a_pin_lacks_is_said_at_once() {
        let errors = AptPin::read("x", &Attributes::new()).unwrap_err();
        assert_eq!(errors.iter().map(|e| e.attribute).collect::<Vec<_>>(), ["packages", "pin", "priority"]);
        assert!(AptPin::read("x", &[("ensure".into(), "absent".into())].into()).is_ok());
        let zero = [("packages", Value::from("x")), ("pin", "version 1".into()), ("priority", 0.into())];
        let zero = zero.into_iter().map(|(name, value)| (name.into(), value)).collect();
        assert_eq!(AptPin::read("x", &zero).unwrap_err()[0].attribute, "priority");
    }
}
