//! References in manifests: `service[nginx]`, `service[nginx]:reload`, `package[x]?`.

use holdfast_catalog::resource::ResourceRef;

/// A reference as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// What it names.
    pub(super) target: ResourceRef,
    /// How a notification reaches it.
    pub(super) refresh: Refresh,
    /// Whether what it names must be declared.
    pub(super) need: Need,
}

/// How a notification reaches its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refresh {
    /// As the target likes.
    Usual,
    /// By a reload.
    Reload,
}

/// Whether what a reference names must be declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// It must.
    Declared,
    /// The edge is there only if it is.
    IfDeclared,
}

impl Reference {
    /// Parses a reference; none where it is anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (text, need) = match text.strip_suffix("]?").or_else(|| text.strip_suffix("]:reload?")) {
            Some(_) => (&text[..text.len() - 1], Need::IfDeclared),
            None => (text, Need::Declared),
        };
        let (text, refresh) = match text.strip_suffix("]:reload") {
            Some(_) => (&text[..text.len() - ":reload".len()], Refresh::Reload),
            None => (text, Refresh::Usual),
        };
        ResourceRef::parse(text).map(|target| Self { target, refresh, need })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_read_and_nothing_else_is_taken_for_one() {
        let read = |text| Reference::parse(text).map(|r| (r.target.to_string(), r.refresh, r.need));
        let service = || "service[nginx]".to_owned();
        assert_eq!(read("service[nginx]"), Some((service(), Refresh::Usual, Need::Declared)));
        assert_eq!(read("service[nginx]:reload"), Some((service(), Refresh::Reload, Need::Declared)));
        assert_eq!(read("service[nginx]?"), Some((service(), Refresh::Usual, Need::IfDeclared)));
        assert_eq!(read("service[nginx]:reload?"), Some((service(), Refresh::Reload, Need::IfDeclared)));
        assert_eq!(
            read("exec[is it there?]"),
            Some(("exec[is it there?]".into(), Refresh::Usual, Need::Declared))
        );
        for bad in ["nginx", "service[nginx]:restart", "service[nginx]??", "service[]", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
