//! Resource types: one file for each type, and the registry that everything else is derived from.
//!
//! A type is a set of typed attributes, each of a kind. The server compiles only by kinds and names no type; the agent
//! reads the same attributes into the type's struct. Docs, schemas and errors come from the one definition.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use claim::Claim;

use crate::value::Value;

pub mod alternatives;
pub mod apt_key;
pub mod apt_pin;
pub mod apt_repository;
pub mod archive;
pub mod attribute;
pub mod authorized_key;
pub mod claim; // which parts of a machine each resource manages
pub mod cron;
mod define;
pub mod deployment;
pub mod exec;
pub mod file;
pub mod file_line;
pub mod firewall;
pub mod fragment;
pub mod git_checkout;
pub mod group;
pub mod host;
pub mod hostname;
pub mod implied;
pub mod ini_setting;
pub mod kernel_module;
pub mod locale;
pub mod mount;
pub mod mysql_database;
pub mod mysql_grant;
pub mod mysql_user;
pub mod notify;
pub mod package;
pub mod postgresql_database;
pub mod postgresql_grant;
pub mod postgresql_role;
pub mod service;
pub mod sysctl;
pub mod systemd_unit;
pub mod tidy;
pub mod timezone;
mod unit_text; // what systemd shows about a unit to every user
pub mod user;

pub use alternatives::Alternatives;
pub use apt_key::AptKey;
pub use apt_pin::AptPin;
pub use apt_repository::AptRepository;
pub use archive::Archive;
pub use attribute::{Attribute, AttributeKind, Mismatch};
pub use authorized_key::AuthorizedKey;
pub use cron::Cron;
pub use deployment::Deployment;
pub use exec::Exec;
pub use file::File;
pub use file_line::FileLine;
pub use firewall::Firewall;
pub use fragment::Fragment;
pub use git_checkout::GitCheckout;
pub use group::Group;
pub use host::Host;
pub use hostname::Hostname;
pub use implied::{Bond, Implied};
pub use ini_setting::IniSetting;
pub use kernel_module::KernelModule;
pub use locale::Locale;
pub use mount::Mount;
pub use mysql_database::MysqlDatabase;
pub use mysql_grant::MysqlGrant;
pub use mysql_user::MysqlUser;
pub use notify::Notify;
pub use package::Package;
pub use postgresql_database::PostgresqlDatabase;
pub use postgresql_grant::PostgresqlGrant;
pub use postgresql_role::PostgresqlRole;
pub use service::Service;
pub use sysctl::Sysctl;
pub use systemd_unit::SystemdUnit;
pub use tidy::Tidy;
pub use timezone::Timezone;
pub use user::User;

define::registry!(
    Alternatives,
    AptKey,
    AptPin,
    AptRepository,
    Archive,
    AuthorizedKey,
    Cron,
    Deployment,
    Exec,
    File,
    FileLine,
    Firewall,
    Fragment,
    GitCheckout,
    Group,
    Host,
    Hostname,
    IniSetting,
    KernelModule,
    Locale,
    Mount,
    MysqlDatabase,
    MysqlGrant,
    MysqlUser,
    Notify,
    Package,
    PostgresqlDatabase,
    PostgresqlGrant,
    PostgresqlRole,
    Service,
    Sysctl,
    SystemdUnit,
    Tidy,
    Timezone,
    User,
);

/// A resource's identity: `type[title]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceRef {
    /// The type's name; `class` in references to classes.
    pub type_name: Arc<str>,
    pub title: Arc<str>,
}

impl ResourceRef {
    /// The reference `type_name[title]`.
    pub fn new(type_name: impl Into<Arc<str>>, title: impl Into<Arc<str>>) -> Self {
        Self { type_name: type_name.into(), title: title.into() }
    }

    /// Parses `type[title]`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (type_name, rest) = text.split_once('[')?;
        let title = rest.strip_suffix(']')?;
        (!type_name.is_empty() && !title.is_empty()).then(|| Self::new(type_name, title))
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.type_name, self.title)
    }
}

impl fmt::Debug for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for ResourceRef {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not a reference of the form type[title]"))
    }
}

impl From<ResourceRef> for String {
    fn from(reference: ResourceRef) -> Self {
        reference.to_string()
    }
}

impl schemars::JsonSchema for ResourceRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ResourceRef".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "type[title]" })
    }
}

/// Attribute values by name, as they are sent.
pub type Attributes = BTreeMap<Arc<str>, Value>;

/// Whether an attribute can be compared with the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeRole {
    /// It can be compared: a difference is drift.
    Property,
    /// It only says how.
    Parameter,
}

/// One attribute of a type.
#[derive(Debug)]
pub struct AttributeDef {
    /// Its name in manifests.
    pub name: &'static str,
    /// Its description, from its doc comment.
    pub doc: &'static str,
    /// What values it takes.
    pub kind: AttributeKind,
    pub role: AttributeRole,
    /// What applies if it is left out.
    pub left_out: LeftOut,
}

/// What applies if an attribute is left out.
#[derive(Debug, Clone, Copy)]
pub enum LeftOut {
    /// It must be given.
    Refused,
    /// This value, as a manifest would write it.
    Value(fn() -> String),
    /// Something that depends on other things, in a few words.
    Words(&'static str),
}

impl LeftOut {
    /// The usual rule: a list or map is empty, a property is left alone, and a parameter has no value.
    const fn usual(role: AttributeRole, optional: bool, empty: Option<&'static str>) -> Self {
        match (optional, empty, role) {
            (false, ..) => Self::Refused,
            (true, Some(empty), _) => Self::Words(empty),
            (true, None, AttributeRole::Property) => Self::Words("left alone"),
            (true, None, AttributeRole::Parameter) => Self::Words("none"),
        }
    }
}

/// What a type says about a resource, for code that does not know its Rust type.
#[derive(Debug, Default)]
pub struct ResourceSummary {
    /// What it depends on, and what depends on it.
    pub implied: Vec<Implied>,
    pub claims: Vec<Claim>,
}

/// Reads a title and attributes as the agent will. Returns what the type says about them, or everything that is wrong.
pub type Check = fn(&str, &Attributes) -> Result<ResourceSummary, Vec<AttributeError>>;

/// Whether a resource with a title means the same with these attributes and with those.
pub type Equality = fn(&str, &Attributes, &Attributes) -> bool;

/// A type without its Rust type: what the server, docs and schemas work on.
#[derive(Debug)]
pub struct TypeDef {
    /// Its name in manifests.
    pub name: &'static str,
    /// Its description, from its doc comment.
    pub doc: &'static str,
    /// The kind of its titles.
    pub title: AttributeKind,
    /// Its attributes, in the order in which they are documented.
    pub attributes: &'static [AttributeDef],
    /// Whether a notification can ask for a reload.
    pub reloads: bool,
    /// Reads attributes as the agent will; returns implied edges and claims.
    pub check: Check,
    /// The attributes whose value is a list with no meaningful order.
    pub sets: &'static [&'static str],
    /// Whether two sets of attributes mean the same: a default that is written out equals one that is not.
    pub same: Equality,
}

impl TypeDef {
    /// The definition of a type by its name.
    pub fn find(name: &str) -> Option<&'static Self> {
        definitions().iter().find(|def| def.name == name)
    }

    /// Whether it makes no difference if an attribute is as in `there` instead of as in `here`.
    pub fn says_the_same(&self, title: &str, name: &str, here: &Attributes, there: &Attributes) -> bool {
        let mut changed = here.clone();
        match there.get_key_value(name) {
            Some((name, value)) => changed.insert(name.clone(), value.clone()),
            None => changed.remove(name),
        };
        (self.same)(title, &self.in_order(here), &self.in_order(&changed))
    }

    /// The attributes with the items of sets in a canonical order.
    fn in_order(&self, attributes: &Attributes) -> Attributes {
        let sorted = |(name, value): (&Arc<str>, &Value)| {
            let list = value.as_list().filter(|_| self.sets.contains(&&**name));
            let sorted = list.map(|list| {
                let mut list = list.to_vec();
                list.sort_by_cached_key(Value::scalar_text);
                Value::from(list)
            });
            (name.clone(), sorted.unwrap_or_else(|| value.clone()))
        };
        attributes.iter().map(sorted).collect()
    }

    /// An attribute by its name.
    pub fn attribute(&self, name: &str) -> Option<&'static AttributeDef> {
        self.attributes.iter().find(|def| def.name == name)
    }

    /// The attribute that `template` and `source` give, if the type has one of kind content.
    pub fn content_attribute(&self) -> Option<&'static AttributeDef> {
        self.attributes
            .iter()
            .find(|def| matches!(def.kind, AttributeKind::Content | AttributeKind::InlineContent))
    }
}

/// What is wrong with one attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AttributeError {
    /// The attribute, or `title`.
    pub attribute: &'static str,
    /// What is wrong, including the value unless it is secret.
    pub message: String,
    pub help: Option<String>,
    /// Whether the message says only that the value is not of the attribute's kind.
    pub is_of_kind: bool,
}

impl AttributeError {
    /// An error of one attribute.
    pub fn new(attribute: &'static str, message: impl Into<String>) -> Self {
        Self { attribute, message: message.into(), help: None, is_of_kind: false }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What a type's author writes by hand, besides its attributes.
pub trait Rules {
    /// Whether a notification can ask for a reload.
    const RELOADS: bool = false;
    /// The attributes whose value is a list with no meaningful order.
    const SETS: &'static [&'static str] = &[];

    /// What is wrong with the attributes in combination.
    fn validate(&self) -> Vec<AttributeError> {
        Vec::new()
    }

    /// What it depends on, if that is in the catalog.
    fn implied(&self) -> Vec<Implied> {
        Vec::new()
    }

    /// What it manages of a machine, in the parts that it does: no other resource may claim the same. Paths are as a
    /// purge finds them.
    fn claims(&self) -> Vec<Claim>;
}

/// A resource type as Rust code uses it; made by `resource_type!`.
pub trait ResourceType: Rules + Sized {
    /// The definition without the Rust type.
    const DEF: TypeDef;

    /// Reads attributes into the typed form.
    ///
    /// # Errors
    /// Returns every attribute that is unknown, missing or of the wrong kind, and what [`Rules::validate`] reports.
    fn read(title: &str, attributes: &Attributes) -> Result<Self, Vec<AttributeError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_parse_and_print() {
        let reference = ResourceRef::parse("file[/etc/a[1]]").unwrap();
        assert_eq!(&*reference.title, "/etc/a[1]");
        assert_eq!(reference.to_string(), "file[/etc/a[1]]");
        for bad in ["file", "file[]", "[x]", "file[x"] {
            assert!(ResourceRef::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn every_type_has_docs_and_distinct_attributes_that_are_no_metaparameter() {
        let reserved = crate::manifest_words::METAPARAMETERS;
        for def in definitions() {
            assert!(!def.doc.is_empty(), "{}", def.name);
            for (i, attribute) in def.attributes.iter().enumerate() {
                assert!(!attribute.doc.is_empty(), "{}.{}", def.name, attribute.name);
                assert!(!reserved.contains(&attribute.name), "{}.{}", def.name, attribute.name);
                assert!(def.attributes[..i].iter().all(|other| other.name != attribute.name));
            }
        }
    }

    #[test]
    fn sets_are_lists_that_the_type_has() {
        for (def, name) in definitions().iter().flat_map(|def| def.sets.iter().map(move |name| (def, name))) {
            let kind = def.attribute(name).map(|attribute| attribute.kind);
            assert!(matches!(kind, Some(AttributeKind::List(_))), "{}.{name}: {kind:?}", def.name);
        }
    }

    #[test]
    fn a_default_that_is_written_out_and_a_set_in_another_order_say_the_same() {
        let says_the_same = |of: &str, name: &str, here: Value, there: Option<Value>| {
            let with =
                |value: Option<Value>| value.map(|value| (Arc::from(name), value)).into_iter().collect();
            TypeDef::find(of).unwrap().says_the_same("x", name, &with(Some(here)), &with(there))
        };
        let list =
            |items: &[&str]| Value::from(items.iter().map(|item| Value::from(*item)).collect::<Vec<_>>());
        assert!(says_the_same("package", "ensure", "present".into(), None));
        assert!(!says_the_same("package", "ensure", "latest".into(), None));
        assert!(says_the_same("user", "groups", list(&["a", "b"]), Some(list(&["b", "a"]))));
        assert!(!says_the_same("user", "groups", list(&["a", "b"]), Some(list(&["a"]))));
        assert!(says_the_same("user", "groups", list(&["a"]), Some("a".into())));
        assert!(!says_the_same("package", "options", list(&["-a", "-b"]), Some(list(&["-b", "-a"]))));
    }

    #[test]
    fn every_type_file_is_registered() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/src/resource");
        let mut files: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().trim_end_matches(".rs").to_owned())
            .filter(|name| !["attribute", "claim", "define", "implied", "unit_text"].contains(&name.as_str()))
            .collect();
        files.sort();
        // A type may have both a file and a folder.
        files.dedup();
        assert_eq!(files, definitions().iter().map(|d| d.name).collect::<Vec<_>>());
    }
}
