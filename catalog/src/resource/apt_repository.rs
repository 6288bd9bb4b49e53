//! `apt_repository`: where apt gets packages from.

use std::collections::BTreeMap;

use super::apt_key::Keyrings;
use super::attribute::{AbsolutePath, AptFiles, AptName, AptUri, AptWord, Presence, Secret, keywords};
use super::claim::Claim;
use super::define::resource_type;
use super::{AttributeError, Bond, Implied, ResourceRef, Rules};

/// Sources files in deb822 format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceFiles {}

impl AptFiles for SourceFiles {
    const DIRECTORY: &'static str = "/etc/apt/sources.list.d";
    const SUFFIXES: &'static [&'static str] = &[".sources"];
}

keywords! {
    /// What kind of packages are to be had.
    SourceType {
        /// Binary packages.
        Deb = "deb",
        /// Source packages.
        DebSrc = "deb-src",
    }
}

resource_type! {
    /// A repository that apt gets packages from. The title is the name of its file,
    /// `/etc/apt/sources.list.d/NAME.sources`, which is managed whole.
    ///
    /// Its package lists are fetched before the file takes its place: a repository that does not answer, or is signed by
    /// another key, fails this resource with apt's words, changes nothing and spoils no other. Every `package` comes after.
    AptRepository("apt_repository"), titled AptName<SourceFiles> {
        /// Whether it is there.
        property ensure: Presence = Presence::Present,
        /// Where it is: `https://deb.example.com/debian`. Passwords belong in `/etc/apt/auth.conf.d`.
        property uris: Vec<AptUri> => "required, unless absent",
        /// Its suites, such as `bookworm`; one that ends in a slash is a directory without components.
        property suites: Vec<AptWord> => "required, unless absent",
        /// Its components, such as `main`.
        property components: Vec<AptWord> => "required, unless the suites are directories",
        /// What is to be had from it.
        property types: Vec<SourceType> = vec![SourceType::Deb],
        /// For which architectures.
        property architectures: Vec<AptWord> => "all that dpkg knows",
        /// The file with the keys that may sign it, such as that of an `apt_key`.
        property signed_by: Option<AbsolutePath> => "any key that apt trusts",
        /// Further fields of the file by their names, such as `Check-Valid-Until = "no"`.
        property options: BTreeMap<String, Secret>,
    }
}

/// Fields that have attributes of their own.
const OWN_FIELDS: [&str; 6] = ["types", "uris", "suites", "components", "architectures", "signed-by"];

impl Rules for AptRepository {
    const SETS: &'static [&'static str] = &["suites", "components", "types", "architectures"];

    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = self.validate_options();
        let mut refuse = |attribute, message: &str, help: &str| {
            errors.push(AttributeError::new(attribute, message).help(help));
        };
        if self.ensure == Presence::Present {
            if self.uris.is_empty() {
                refuse("uris", "a repository needs `uris`", "say where it is, or use ensure = \"absent\"");
            }
            if self.suites.is_empty() {
                refuse("suites", "a repository needs `suites`", "name at least one, such as \"bookworm\"");
            }
            if self.types.is_empty() {
                refuse("types", "`types` is empty", "leave it out for \"deb\"");
            }
        }
        let flat = self.suites.iter().filter(|suite| suite.as_str().ends_with('/')).count();
        if flat > 0 && !self.components.is_empty() {
            let help = "leave `components` out, or the slash at the end of the suite";
            refuse("components", "a suite that is a directory has no components", help);
        }
        if flat < self.suites.len() && self.components.is_empty() {
            let help =
                "name at least one, such as \"main\"; or end the suite in a slash if it is a directory";
            refuse("components", "a suite needs `components`", help);
        }
        let plain = |b: u8| b.is_ascii_graphic() && b != b',';
        if self.signed_by.as_ref().is_some_and(|path| !path.as_str().bytes().all(plain)) {
            let help = "name the file with letters, digits, `-`, `_` and `.`";
            refuse("signed_by", "apt does not read paths with a space or a comma", help);
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let path = self.title.paths().iter().map(|path| Implied::on_parent(path));
        let signed_by = self.signed_by.iter().map(AbsolutePath::as_str);
        let keys = signed_by.clone().filter_map(Keyrings::title_of);
        // Without the key, apt would refuse every list.
        let keys = keys.map(|key| Implied::On(vec![ResourceRef::new("apt_key", key)], Bond::Part));
        let key_files = signed_by.map(Implied::on_path);
        // apt reads all sources or none: what contradicts this one must be gone before.
        let others = ["file", "file_line", "ini_setting"].map(|of| Implied::OnAllAt(of, &SOURCES));
        path.chain(keys).chain(key_files).chain([Implied::OnAll("apt_key")]).chain(others).collect()
    }

    fn claims(&self) -> Vec<Claim> {
        self.title.paths().iter().flat_map(|path| Claim::whole_file(path, self.ensure)).collect()
    }
}

/// Where apt looks for sources.
const SOURCES: [&str; 2] = ["/etc/apt/sources.list", "/etc/apt/sources.list.d"];

impl AptRepository {
    fn validate_options(&self) -> Vec<AttributeError> {
        let check = |(name, value): (&String, &Secret)| {
            let wrong =
                |message: String, help: &str| Some(AttributeError::new("options", message).help(help));
            let is_name = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !is_name {
                let name = name.escape_debug();
                return wrong(format!("`options` has the name `{name}`"), "use letters and hyphens");
            }
            if OWN_FIELDS.contains(&name.to_ascii_lowercase().as_str()) {
                let own = name.to_ascii_lowercase().replace('-', "_");
                return wrong(format!("`options` names `{name}`"), &format!("use the attribute `{own}`"));
            }
            if value.is_sensitive() {
                let help = "everyone can read the file; secrets belong in /etc/apt/auth.conf.d";
                return wrong(format!("option `{name}` is sensitive"), help);
            }
            let text = value.expose();
            if text.trim().is_empty() || text.contains(char::is_control) {
                return wrong(
                    format!("option `{name}` is empty or has a line break"),
                    "write it in one line",
                );
            }
            None
        };
        self.options.iter().filter_map(check).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};
    use crate::value::{Kind, Sensitive, Value};

    fn read(more: &[(&str, Value)]) -> Result<AptRepository, Vec<AttributeError>> {
        let base = [
            ("uris", Value::from("https://deb.example.com/debian")),
            ("suites", "bookworm".into()),
            ("components", "main".into()),
        ];
        let all = base.iter().chain(more);
        let attributes: Attributes = all.map(|(name, value)| ((*name).into(), value.clone())).collect();
        AptRepository::read("example", &attributes)
    }

    fn refused(more: &[(&str, Value)]) -> &'static str {
        read(more).unwrap_err()[0].attribute
    }

    #[test]
    fn a_repository_has_uris_suites_and_the_components_that_go_with_them() {
        assert!(read(&[]).is_ok());
        assert_eq!(refused(&[("uris", Vec::<Value>::new().into())]), "uris");
        assert_eq!(refused(&[("suites", Vec::<Value>::new().into())]), "suites");
        assert_eq!(refused(&[("types", Vec::<Value>::new().into())]), "types");
        assert_eq!(refused(&[("components", Vec::<Value>::new().into())]), "components");
        assert_eq!(refused(&[("suites", "./".into())]), "components");
        assert!(read(&[("suites", "./".into()), ("components", Vec::<Value>::new().into())]).is_ok());
        assert!(AptRepository::read("example", &[("ensure".into(), "absent".into())].into()).is_ok());
    }

    #[test]
    fn options_cannot_be_fields_of_their_own_or_further_lines() {
        let option = |name: &str, value: Value| read(&[("options", [(name, value)].into())]);
        assert!(option("Check-Valid-Until", "no".into()).is_ok());
        for (name, value) in [
            ("Signed-By", "x"),
            ("uris", "x"),
            ("A B", "x"),
            ("a:b", "x"),
            ("Trusted", "no\nX: y"),
            ("X", " "),
        ] {
            assert!(option(name, value.into()).is_err(), "{name} {value:?}");
        }
        let secret = option("Pass", Kind::Sensitive(Sensitive::text("hunter2")).into()).unwrap_err();
        assert!(!secret[0].message.contains("hunter2"));
    }

    #[test]
    fn the_path_of_a_key_is_one_word() {
        assert_eq!(refused(&[("signed_by", "/etc/apt/a b.gpg".into())]), "signed_by");
        assert_eq!(refused(&[("signed_by", "/etc/apt/a\nTrusted: yes".into())]), "signed_by");
    }

    #[test]
    fn it_comes_after_the_keys() {
        let implied = read(&[("signed_by", "/etc/apt/keyrings/x.asc".into())]).unwrap().implied();
        assert!(implied.contains(&Implied::OnAll("apt_key")));
        assert!(implied.contains(&Implied::OnAllAt("file", &SOURCES)), "and after other sources");
        assert!(implied.contains(&Implied::on_path("/etc/apt/keyrings/x.asc")));
    }
}
