//! `systemd_unit`: a unit's definition, or a drop-in that changes one.

use super::attribute::{FileContent, Presence};
use super::claim::Claim;
use super::define::resource_type;
use super::unit_text;
use super::{Attribute, AttributeError, AttributeKind, Bond, Implied, Mismatch, ResourceRef, Rules};
use crate::value::Value;

/// The directory with an administrator's units.
const DIRECTORY: &str = "/etc/systemd/system/";

/// Kinds of units that a file defines.
const DEFINED: [&str; 9] =
    ["service", "socket", "mount", "automount", "swap", "target", "path", "timer", "slice"];

/// A unit's file, or a drop-in's: `backup.timer`, `nginx.service.d/limits.conf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFile {
    path: String,
    /// Where the unit's name ends in the path.
    unit: usize,
}

impl UnitFile {
    /// The title as text.
    pub fn as_str(&self) -> &str {
        &self.path[DIRECTORY.len()..]
    }

    /// The path of the file.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The unit that it defines or changes.
    pub fn unit(&self) -> &str {
        &self.path[DIRECTORY.len()..self.unit]
    }

    /// Whether it changes a unit that is defined elsewhere.
    pub fn is_drop_in(&self) -> bool {
        self.unit < self.path.len()
    }

    /// Whether it applies to no single unit: a template, or a drop-in for all units of a kind or with a prefix.
    pub fn is_of_many(&self) -> bool {
        let stem = self.unit().rsplit_once('.').map_or("", |(stem, _)| stem);
        stem.is_empty() || stem.ends_with('@') || (self.is_drop_in() && stem.ends_with('-'))
    }
}

impl std::fmt::Display for UnitFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Attribute for UnitFile {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let wrong = |why: &str, help: &str| {
            Mismatch::because(format!("is `{}`, {why}", text.escape_debug())).help(help)
        };
        let unit = match text.split_once('/') {
            None => text,
            Some((directory, file)) => match (directory.strip_suffix(".d"), file.strip_suffix(".conf")) {
                (Some(unit), Some(name)) if is_word(name) => unit,
                _ => return Err(wrong("which is not a drop-in", "name it as nginx.service.d/limits.conf")),
            },
        };
        if !is_unit(unit, unit.len() < text.len()) {
            let help = format!("name it as backup.service; kinds are {}", DEFINED.join(", "));
            return Err(wrong("which is not a valid name for a unit with a file", &help));
        }
        Ok(Self { path: format!("{DIRECTORY}{text}"), unit: DIRECTORY.len() + unit.len() })
    }
}

fn is_word(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b);
    !text.is_empty() && text.len() <= 200 && !text.starts_with(['.', '-']) && text.bytes().all(plain)
}

/// Whether a text names a unit. A drop-in may also be for all units of a kind: `service.d`.
fn is_unit(unit: &str, has_drop_in: bool) -> bool {
    let also = if has_drop_in { &["scope", "device"][..] } else { &[] };
    let is_kind = |kind: &str| DEFINED.contains(&kind) || also.contains(&kind);
    match unit.rsplit_once('.') {
        Some((stem, kind)) => is_kind(kind) && is_word(stem) && !stem.starts_with('@'),
        None => has_drop_in && is_kind(unit),
    }
}

resource_type! {
    /// The definition of a unit of systemd, or a drop-in that changes one, under `/etc/systemd/system`. The title is the
    /// unit with its kind (`backup.timer`, `worker@.service`), or `UNIT.d/NAME.conf` for a drop-in.
    ///
    /// systemd reads what changed at once, once for all. Whether a unit runs, and whether it starts at boot, is
    /// `service`'s; a changed definition restarts nothing by itself: notify the service.
    ///
    /// A drop-in of its unit that no resource manages, and that systemd reads after this file, is a failure that names it where it
    /// gives a key of this file another value, or empties a list of it: `systemctl set-property` and `systemctl edit` write such ones.
    /// One of a package, or for all units of a kind, is only reported. What adds to a list, and other keys, are left. Templates, and
    /// drop-ins for all units of a kind, are not compared.
    SystemdUnit("systemd_unit"), titled UnitFile {
        /// Whether it is there. Before it goes, its service is stopped, if that is managed so.
        property ensure: Presence = Presence::Present,
        /// What it holds: inline, by `template` or by `source`. A secret in a directive is an error, since systemd shows to every user what a unit says: write it into a `file`, and name that with `EnvironmentFile=` or `LoadCredential=`. With one in a comment, only root can read the file.
        property content: Option<FileContent> => "required, unless absent",
    }
}

impl SystemdUnit {
    /// Titles of the services that depend on it.
    fn services(&self) -> Vec<String> {
        let unit = self.title.unit();
        let Some((stem, kind)) = unit.rsplit_once('.').filter(|_| !self.title.is_of_many()) else {
            return Vec::new();
        };
        let mut services = vec![unit.to_owned()];
        if kind == "service" {
            services.push(stem.to_owned());
            // These start it, so it must exist before they do.
            services.extend(["timer", "path", "socket"].map(|starter| format!("{stem}.{starter}")));
        }
        services
    }

    /// The accounts that it runs as, if its text is known here: they exist before it can be started, and are removed
    /// after it.
    fn accounts(&self) -> Vec<Implied> {
        let Some(FileContent::Inline(text)) =
            self.content.as_ref().filter(|_| self.ensure == Presence::Present)
        else {
            return Vec::new();
        };
        let accounts = |line: &str| {
            let (key, name) = line.split_once('=')?;
            let types = match key.trim() {
                "User" => &["user"][..],
                "Group" => &["group", "user"],
                _ => return None,
            };
            let all = types.iter().map(|type_name| ResourceRef::new(*type_name, name.trim()));
            Some(Implied::On(all.collect(), Bond::Order))
        };
        text.expose().lines().filter_map(accounts).collect()
    }
}

impl Rules for SystemdUnit {
    fn validate(&self) -> Vec<AttributeError> {
        match (&self.content, self.ensure) {
            (None, Presence::Present) => {
                let error = AttributeError::new("content", "a unit needs a `content`");
                vec![error.help("give `content`, `template` or `source`, or use ensure = \"absent\"")]
            }
            (Some(FileContent::Tree(_)), _) => {
                let error = AttributeError::new("content", "the source is a directory");
                vec![error.help("name one file of it")]
            }
            (Some(FileContent::Inline(text)), _) => unit_text::refused("content", text).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn implied(&self) -> Vec<Implied> {
        let services = self.services().into_iter().map(|service| ResourceRef::new("service", service));
        let services = services.map(|service| Implied::Under(service, Bond::Part));
        let accounts = self.accounts().into_iter();
        std::iter::once(Implied::on_parent(self.title.path())).chain(services).chain(accounts).collect()
    }

    fn claims(&self) -> Vec<Claim> {
        Claim::whole_file(self.title.path(), self.ensure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};
    use crate::value::{Kind, Sensitive, TextPiece};

    fn unit(title: &str) -> SystemdUnit {
        let attributes: Attributes = [("content".into(), "[Unit]\n".into())].into();
        SystemdUnit::read(title, &attributes).unwrap_or_else(|errors| panic!("{title}: {errors:?}"))
    }

    #[test]
    fn a_title_is_a_unit_or_a_drop_in_of_one() {
        let unit_of = |title| unit(title).title.unit().to_owned();
        assert_eq!(unit_of("backup.timer"), "backup.timer");
        assert_eq!(unit_of("nginx.service.d/limits.conf"), "nginx.service");
        assert_eq!(unit_of("service.d/10-all.conf"), "service");
        assert_eq!(unit_of("srv-a\\x2db.mount"), "srv-a\\x2db.mount");
        assert_eq!(unit("backup.timer").title.path(), "/etc/systemd/system/backup.timer");
        for bad in [
            "backup",
            "../x.service",
            "a/b.conf",
            "nginx.service.d/../x.conf",
            "nginx.service.d/x",
            "x.service/y.conf",
            "x.scope",
            ".service",
            "@.service",
            "a b.service",
            "a\n.service",
            "nginx.service.d/.conf",
            "service",
        ] {
            assert!(UnitFile::read(&bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn templates_and_drop_ins_for_many_stand_for_no_single_unit() {
        for title in ["worker@.service", "service.d/x.conf", "foo-.service.d/x.conf"] {
            assert!(unit(title).title.is_of_many(), "{title}");
        }
        for title in ["worker@1.service", "foo-.service", "nginx.service.d/x.conf"] {
            assert!(!unit(title).title.is_of_many(), "{title}");
        }
    }

    #[test]
    fn what_runs_hangs_on_what_defines_it() {
        let nginx = || Implied::Under(ResourceRef::new("service", "nginx"), Bond::Part);
        let implied = unit("nginx.service.d/limits.conf").implied();
        assert!(implied.contains(&nginx()), "{implied:?}");
        let timer = Implied::Under(ResourceRef::new("service", "backup.timer"), Bond::Part);
        assert!(unit("backup.service").implied().contains(&timer));
        let gone = SystemdUnit::read("nginx.service", &[("ensure".into(), "absent".into())].into()).unwrap();
        assert!(gone.implied().contains(&nginx()));
    }

    fn secret(pieces: &[(&str, bool)]) -> Value {
        let piece = |(text, secret): &(&str, bool)| TextPiece { text: (*text).into(), secret: *secret };
        Kind::Sensitive(Sensitive::pieces(pieces.iter().map(piece))).into()
    }

    #[test]
    fn what_systemd_shows_to_every_user_holds_no_secret() {
        let error = |pieces: &[(&str, bool)]| {
            let attributes: Attributes = [("content".into(), secret(pieces))].into();
            SystemdUnit::read("a.service", &attributes).err().map(|errors| format!("{errors:?}"))
        };
        for (pieces, directive) in [
            (&[("[Service]\nEnvironment=P=", false), ("hunter2", true), ("\n", false)][..], "Environment="),
            (&[("[Service]\nExecStart=/bin/a \\\n  # x\n  --p ", false), ("hunter2", true)], "ExecStart="),
            (&[("[Service]\nX=1\n# note\n SetCredential = a:", false), ("hunter2", true)], "SetCredential="),
        ] {
            let said = error(pieces).unwrap();
            assert!(said.contains(&format!("`{directive}`")) && said.contains("LoadCredential="), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        // If the whole text is secret, so are its directives.
        let said = error(&[("[Service]\nHunter2=x\n", true)]).unwrap();
        assert!(!said.contains("Hunter2"), "{said}");
        assert_eq!(error(&[("# ", false), ("hunter2", true), ("\n[Service]\nX=1\n", false)]), None);
    }

    #[test]
    fn nor_does_a_unit_that_another_type_writes() {
        let value = || secret(&[("P=", false), ("hunter2", true)]);
        let refused = |type_name: &str, title: &str, attributes: &[(&str, Value)]| {
            let all: Attributes = attributes.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
            let read = crate::resource::TypedResource::read(type_name, title, &all).unwrap();
            read.is_err_and(|errors| errors[0].message.contains("shows to every user"))
        };
        let unit = "/etc/systemd/system/a.service";
        assert!(refused("file", unit, &[("content", value())]));
        assert!(refused("file", "/usr/lib/systemd/system/a.service.d/x.conf", &[("content", value())]));
        assert!(!refused("file", "/etc/systemd/system/a.service.d/secret.env", &[("content", value())]));
        assert!(!refused("file", "/etc/a.service", &[("content", value())]));
        assert!(refused("fragment", "x", &[("target", unit.into()), ("content", value())]));
        assert!(refused("file_line", "x", &[("path", unit.into()), ("line", value())]));
        let setting = [("path", unit.into()), ("section", "Service".into()), ("key", "Environment".into())];
        assert!(refused("ini_setting", "x", &[&setting[..], &[("value", value())]].concat()));
    }

    #[test]
    fn a_unit_that_is_to_be_there_needs_a_content() {
        assert!(SystemdUnit::read("a.service", &Attributes::new()).is_err());
    }
}
