//! `package`: software from the distribution's package manager.

use super::attribute::{SystemName, ToToml, keywords, quoted};
use super::claim::Claim;
use super::define::resource_type;
use super::{Attribute, AttributeError, AttributeKind, Implied, Mismatch, Rules};
use crate::value::Value;

keywords! {
    /// States that have a word of their own.
    PackageState {
        /// Installed, in any version.
        Present = "present",
        /// Not installed; its configuration may be left.
        Absent = "absent",
        /// Not installed, and its configuration removed.
        Purged = "purged",
        /// Installed in the newest available version.
        Latest = "latest",
        /// Installed, and kept from being upgraded.
        Held = "held",
    }
}

/// What is wanted of a package: a state, or one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageEnsure {
    State(PackageState),
    Version(String),
}

impl std::fmt::Display for PackageEnsure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::State(state) => state.fmt(f),
            Self::Version(version) => f.write_str(version),
        }
    }
}

impl ToToml for PackageEnsure {
    fn written(&self) -> String {
        quoted(self)
    }
}

impl Attribute for PackageEnsure {
    const KIND: AttributeKind =
        AttributeKind::EnumOr(&["present", "absent", "purged", "latest", "held"], "a version");
    fn read(value: &Value) -> Result<Self, Mismatch> {
        if let Ok(state) = PackageState::read(value) {
            return Ok(Self::State(state));
        }
        if matches!(value.noun(), "a float" | "an integer") {
            let shown = value.shown();
            let why = format!("is the number {shown}");
            return Err(Mismatch::because(why).help("quote a version: in TOML 2.10 is the number 2.1"));
        }
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        // Debian Policy 5.6.12: a version begins with a digit; these are its characters.
        let version = text.bytes().next().is_some_and(|b| b.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-~:^_".contains(&b));
        if !version {
            let words = ["present", "absent", "purged", "latest", "held"];
            let help = crate::spelling::did_you_mean(text, words);
            return Err(Mismatch { why: None, help });
        }
        Ok(Self::Version(text.to_owned()))
    }
}

resource_type! {
    /// A package of Debian and its relatives, by dpkg and apt. The title is its name.
    Package("package"), titled SystemName {
        /// The state or version that is wanted.
        property ensure: PackageEnsure = PackageEnsure::State(PackageState::Present),
        /// Whether it is kept from being upgraded: together with a version, that version stays. Left alone without it, or
        /// with ensure = "held", which means hold = true in whatever version.
        property hold: Option<bool> => "left alone; held with ensure = \"held\"",
        /// Further options of the package manager's install command, such as `--no-install-recommends`.
        parameter options: Vec<String>,
    }
}

impl Package {
    /// Whether it should not be installed.
    pub fn is_unwanted(&self) -> bool {
        matches!(self.ensure, PackageEnsure::State(PackageState::Absent | PackageState::Purged))
    }
}

impl Rules for Package {
    fn validate(&self) -> Vec<AttributeError> {
        let refuse = |why: &str, help: &str| vec![AttributeError::new("hold", why).help(help)];
        match (self.hold, &self.ensure) {
            (Some(true), _) if self.is_unwanted() => {
                refuse("a package that is not installed cannot be held", "leave `hold` out")
            }
            (Some(false), PackageEnsure::State(PackageState::Held)) => {
                refuse("ensure = \"held\" means hold = true", "use ensure = \"present\" with hold = false")
            }
            _ => Vec::new(),
        }
    }

    fn implied(&self) -> Vec<Implied> {
        ["apt_key", "apt_repository", "apt_pin"].map(Implied::OnAll).into()
    }

    fn claims(&self) -> Vec<Claim> {
        // dpkg's own word for the architecture of the machine.
        let name = self.title.as_str();
        vec![Claim::whole("package", name.strip_suffix(":native").unwrap_or(name))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ResourceType;

    #[test]
    fn a_version_that_is_a_number_is_met_with_the_cure() {
        assert!(PackageEnsure::read(&2.1.into()).unwrap_err().help.unwrap().contains("quote"));
        assert!(matches!(PackageEnsure::read(&"1:2.10-1~deb12".into()), Ok(PackageEnsure::Version(_))));
        assert!(PackageEnsure::read(&"instaled".into()).is_err());
        let help = PackageEnsure::read(&"presnt".into()).unwrap_err().help;
        assert_eq!(help.as_deref(), Some("did you mean `present`?"));
    }

    fn read(ensure: &str, hold: bool) -> Result<Package, Vec<AttributeError>> {
        Package::read("nginx", &[("ensure".into(), ensure.into()), ("hold".into(), hold.into())].into())
    }

    #[test]
    fn a_version_can_be_held_and_what_is_not_there_cannot() {
        assert!(read("1.2", true).is_ok() && read("held", true).is_ok() && read("absent", false).is_ok());
        assert!(
            read("absent", true).is_err() && read("purged", true).is_err() && read("held", false).is_err()
        );
    }

    #[test]
    fn packages_come_after_what_apt_gets_them_by() {
        assert!(read("present", false).unwrap().implied().contains(&Implied::OnAll("apt_repository")));
    }
}
