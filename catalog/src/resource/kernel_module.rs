//! `kernel_module`: a module of the kernel.

use std::fmt;

use super::attribute::Presence;
use super::claim::{Claim, Hold};
use super::define::resource_type;
use super::{Attribute, AttributeError, AttributeKind, Implied, Mismatch, Rules};
use crate::value::Value;

/// A module's name, and the files about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleName {
    name: String,
    load_file: String,
    probe_file: String,
}

impl ModuleName {
    /// The name as the kernel has it: with `_` in place of `-`.
    pub fn normal(&self) -> String {
        self.name.replace('-', "_")
    }

    /// The file that makes the boot load it.
    pub fn load_file(&self) -> &str {
        &self.load_file
    }

    /// The file with its options.
    pub fn probe_file(&self) -> &str {
        &self.probe_file
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Attribute for ModuleName {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let character = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
        if (1..=55).contains(&text.len()) && text.bytes().all(character) && !text.starts_with('-') {
            return Ok(Self {
                name: text.to_owned(),
                load_file: format!("/etc/modules-load.d/holdfast-{text}.conf"),
                probe_file: format!("/etc/modprobe.d/holdfast-{text}.conf"),
            });
        }
        let why = format!("is `{}`, which is not a valid module name", text.escape_debug());
        Err(Mismatch::because(why).help("use its name as `modinfo` has it, without `.ko`"))
    }
}

resource_type! {
    /// A module of the kernel. The title is its name. One that is built into the kernel counts as loaded.
    KernelModule("kernel_module"), titled ModuleName {
        /// Whether it is loaded.
        property ensure: Presence = Presence::Present,
        /// Whether that is so after each boot too: a module that is wanted is named in `/etc/modules-load.d`, one that is absent is
        /// not. Where another file has the boot do otherwise, that is a failure which names it.
        property persist: bool = true,
        /// Its options, such as `"nested=1"`, in `/etc/modprobe.d`. They act when it is loaded the next time. Where a file that is
        /// read later gives one another value, that is a failure which names it. Left alone without it; `""` removes them.
        property options: Option<String>,
        /// Whether it is kept from being loaded by itself, when its hardware is found. Only for a module that is absent.
        property blacklist: bool = false,
    }
}

impl Rules for KernelModule {
    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        if self.options.as_deref().is_some_and(|text| text.contains(char::is_control) || text.ends_with('\\'))
        {
            let error =
                AttributeError::new("options", "`options` contains a line break, or ends with a backslash");
            errors.push(error.help("write one line: options = \"nested=1 ept=1\""));
        }
        if self.blacklist && self.ensure == Presence::Present {
            let message = "a blacklisted module is never loaded at boot";
            let error = AttributeError::new("blacklist", message);
            errors.push(error.help("use ensure = \"absent\" with it, or leave `blacklist` out"));
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        vec![
            Implied::on("package", "kmod"),
            Implied::on_parent(self.title.load_file()),
            Implied::on_parent(self.title.probe_file()),
        ]
    }

    fn claims(&self) -> Vec<Claim> {
        let mut claims = vec![Claim::whole("kernel module", self.title.normal())];
        // If it should not be loaded at boot, the file is removed.
        match (self.ensure, self.persist) {
            (Presence::Present, true) => {
                claims.extend(Claim::whole_file(self.title.load_file(), Presence::Present));
            }
            (Presence::Present, false) | (Presence::Absent, true) => {
                claims.extend(Claim::whole_file(self.title.load_file(), Presence::Absent));
            }
            (Presence::Absent, false) => {}
        }
        // Whether the line that keeps it from being loaded is there is managed in any case.
        let has_options = self.options.as_deref().is_some_and(|options| !options.is_empty());
        match has_options || self.blacklist {
            true => claims.extend(Claim::whole_file(self.title.probe_file(), Presence::Present)),
            false => claims.push(Claim::path(self.title.probe_file(), Hold::Content)),
        }
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType as _};

    fn wrong(title: &str, attributes: &[(&str, Value)]) -> Vec<&'static str> {
        let attributes: Attributes = attributes.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
        KernelModule::read(title, &attributes).err().into_iter().flatten().map(|e| e.attribute).collect()
    }

    #[test]
    fn names_are_no_paths_and_no_options() {
        assert_eq!(ModuleName::read(&"snd-hda-intel".into()).unwrap().normal(), "snd_hda_intel");
        for bad in ["", "-r", "a.ko", "a/b", "../x", "a b", "a\nb"] {
            assert_eq!(wrong(bad, &[]), ["title"], "{bad}");
        }
    }

    #[test]
    fn options_are_one_line_and_what_is_wanted_is_not_blacklisted() {
        assert_eq!(wrong("kvm", &[("options", "nested=1".into())]), [""; 0]);
        assert_eq!(wrong("kvm", &[("options", "a=1\ninstall kvm /tmp/x".into())]), ["options"]);
        assert_eq!(wrong("kvm", &[("options", "a=1 \\".into())]), ["options"]);
        assert_eq!(wrong("kvm", &[("blacklist", true.into())]), ["blacklist"]);
        assert_eq!(wrong("kvm", &[("blacklist", true.into()), ("ensure", "absent".into())]), [""; 0]);
    }
}
