//! Implied edges: what a type says about the order between its resources and others, if those are in the catalog.
//!
//! A type says what its resource depends on, and how ([`Bond`]). Which of the two comes first follows from what is
//! wanted of both: what should exist comes after what it depends on, and what should be removed comes before it
//! ([`Bond::edge`]).

use std::sync::Arc;

use super::{Attributes, ResourceRef};
use crate::graph::EdgeKind;
use crate::value::Value;

/// What a resource says about its order. It has no effect if the other end is not in the catalog, or if it would close
/// a cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Implied {
    /// It depends on the first of these that is in the catalog.
    On(Vec<ResourceRef>, Bond),
    /// It depends on every resource of this type, but only for the order.
    OnAll(&'static str),
    /// It comes after every resource of this type at or below one of these paths, judged by `path` or the title.
    OnAllAt(&'static str, &'static [&'static str]),
    /// The other resource depends on it.
    Under(ResourceRef, Bond),
    /// It comes after every resource of this type, whatever is wanted of that one.
    AfterAll(&'static str),
    /// The other resource contains it as a part: it must be in the catalog, and this attribute must be true.
    PartOf(ResourceRef, &'static str),
}

/// How a resource depends on another, its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bond {
    /// It is in the other, or made of it, as a file is in a directory: it is not touched if the base has failed.
    Part,
    /// The base brings something that it requires, such as the user who owns a file. Whether that exists is checked on
    /// the machine.
    Lack,
    /// The base comes first, but neither requires the other.
    Order,
    /// Its path means another thing before and after the base, as for a file below a mount: the base always comes
    /// first.
    Place,
}

/// Which of two resources comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// The base.
    Base,
    /// The dependent resource.
    Dependent,
}

impl Bond {
    /// Which comes first, and what the edge means, depending on whether the base and the dependent resource should be
    /// removed.
    pub fn edge(self, base_goes: bool, dependent_goes: bool) -> (First, EdgeKind) {
        match (self, base_goes, dependent_goes) {
            (Self::Place, _, _) => (First::Base, EdgeKind::Need),
            (Self::Part, true, true) => (First::Dependent, EdgeKind::Need),
            (_, true, true) => (First::Dependent, EdgeKind::After),
            // A base that is removed brings nothing, and what is removed needs nothing.
            (_, true, false) | (Self::Part, false, true) => (First::Base, EdgeKind::After),
            (Self::Part, false, false) => (First::Base, EdgeKind::Need),
            (Self::Lack, false, _) => (First::Base, EdgeKind::Provide),
            (Self::Order, false, _) => (First::Base, EdgeKind::After),
        }
    }
}

impl Implied {
    /// It requires something that this one brings.
    pub fn on(type_name: &str, title: impl Into<Arc<str>>) -> Self {
        Self::On(vec![ResourceRef::new(type_name, title)], Bond::Lack)
    }

    /// It comes after this one, but does not require it.
    pub fn after(type_name: &str, title: impl Into<Arc<str>>) -> Self {
        Self::On(vec![ResourceRef::new(type_name, title)], Bond::Order)
    }

    /// It consists of this file, or works through it.
    pub fn on_file(path: impl Into<Arc<str>>) -> Self {
        Self::On(vec![ResourceRef::new("file", path)], Bond::Part)
    }

    /// It requires a group: the group of this name, or the user who brings it.
    pub fn on_group(name: &str) -> Self {
        Self::On(["group", "user"].map(|type_name| ResourceRef::new(type_name, name)).into(), Bond::Lack)
    }

    /// It is in the nearest managed directory above its path.
    pub fn on_parent(path: &str) -> Self {
        Self::On(ancestors("file", path), Bond::Part)
    }

    /// It is in a file, or else in the nearest managed directory above it.
    pub fn on_path(path: &str) -> Self {
        let own = std::iter::once(ResourceRef::new("file", path));
        Self::On(own.chain(ancestors("file", path)).collect(), Bond::Part)
    }

    /// Its path is shown or hidden by the nearest managed mount around it.
    pub fn on_mount(path: &str) -> Self {
        Self::On(ancestors("mount", path), Bond::Place)
    }

    /// This one shows or hides the path of the other.
    pub fn place_of(type_name: &str, title: impl Into<Arc<str>>) -> Self {
        Self::Under(ResourceRef::new(type_name, title), Bond::Place)
    }

    /// The other resource contains it as a part, through its attribute `taken_by`.
    pub fn part_of(type_name: &str, title: impl Into<Arc<str>>, taken_by: &'static str) -> Self {
        Self::PartOf(ResourceRef::new(type_name, title), taken_by)
    }
}

/// Whether a resource is at or below one of these paths.
pub fn is_at(title: &str, attributes: &Attributes, places: &[&str]) -> bool {
    let path = attributes.get("path").and_then(Value::as_str).unwrap_or(title);
    let below =
        |place: &&str| path.strip_prefix(*place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    places.iter().any(below)
}

/// Whether something should be removed: absent, stopped, unmounted.
pub fn goes(attributes: &Attributes) -> bool {
    let ensure = attributes.get("ensure").and_then(Value::as_str);
    let enable = attributes.get("enable");
    match ensure {
        Some(ensure) => matches!(ensure, "absent" | "purged" | "stopped" | "unmounted"),
        // A service of which only the start at boot is managed.
        None => enable.is_some_and(|value| value.as_bool() == Some(false) || value.as_str() == Some("mask")),
    }
}

/// Resources of a type whose titles are the directories above a path, nearest first.
pub(super) fn ancestors(type_name: &str, path: &str) -> Vec<ResourceRef> {
    let all = std::iter::successors(parent(path), |path| parent(path));
    all.map(|path| ResourceRef::new(type_name, path)).collect()
}

fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        ("", "") => None,
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancestors_end_at_the_root() {
        let titles = |implied| match implied {
            Implied::On(list, _) => list.iter().map(ToString::to_string).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(titles(Implied::on_parent("/etc/nginx/x")), ["file[/etc/nginx]", "file[/etc]", "file[/]"]);
        assert_eq!(titles(Implied::on_path("/etc/x")), ["file[/etc/x]", "file[/etc]", "file[/]"]);
        assert!(titles(Implied::on_parent("/")).is_empty());
    }

    #[test]
    fn what_goes_goes_before_what_it_hangs_on() {
        use EdgeKind::{After, Need, Provide};
        use First::{Base, Dependent};
        let (stays, leaves) = (false, true);
        for (bond, base, dependent, edge) in [
            (Bond::Part, stays, stays, (Base, Need)),
            (Bond::Part, stays, leaves, (Base, After)),
            (Bond::Part, leaves, stays, (Base, After)),
            (Bond::Part, leaves, leaves, (Dependent, Need)),
            (Bond::Lack, stays, stays, (Base, Provide)),
            (Bond::Lack, stays, leaves, (Base, Provide)),
            (Bond::Lack, leaves, stays, (Base, After)),
            (Bond::Lack, leaves, leaves, (Dependent, After)),
            (Bond::Order, stays, stays, (Base, After)),
            (Bond::Order, stays, leaves, (Base, After)),
            (Bond::Order, leaves, stays, (Base, After)),
            (Bond::Order, leaves, leaves, (Dependent, After)),
            (Bond::Place, stays, stays, (Base, Need)),
            (Bond::Place, leaves, leaves, (Base, Need)),
        ] {
            assert_eq!(bond.edge(base, dependent), edge, "{bond:?}, {base}, {dependent}");
        }
    }

    #[test]
    fn what_is_at_a_place_is_known_by_its_path_or_its_title() {
        let places = ["/etc/a.list", "/etc/a.d"];
        let by = |title: &str, path: Option<&str>| {
            let attributes = path.map(|path| ("path".into(), Value::from(path)));
            is_at(title, &attributes.into_iter().collect(), &places)
        };
        assert!(by("/etc/a.list", None) && by("/etc/a.d", None) && by("/etc/a.d/x", None));
        assert!(by("x", Some("/etc/a.d/x")) && !by("/etc/a.d/x", Some("/srv/x")));
        assert!(!by("/etc/a.list2", None) && !by("/etc", None) && !by("x", None));
    }

    #[test]
    fn what_goes_is_known_by_its_attributes() {
        let goes = |name: &str, value: Value| goes(&[(name.into(), value)].into());
        for word in ["absent", "purged", "stopped", "unmounted"] {
            assert!(goes("ensure", word.into()), "{word}");
        }
        for word in ["present", "running", "1.2-3", "mounted", "latest", "directory"] {
            assert!(!goes("ensure", word.into()), "{word}");
        }
        assert!(
            goes("enable", false.into()) && goes("enable", "mask".into()) && !goes("enable", true.into())
        );
        assert!(!super::goes(&Attributes::new()));
    }
}
