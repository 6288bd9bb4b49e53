//! References in manifests: `service[nginx]`, `service[nginx]:reload`, `package[x]?`.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::{ResourceRef, TypeDef};

use crate::diagnostic::{Code, Diagnostic};
use crate::language::manifest::RelationWord;

/// A reference, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) target: ResourceRef,
    /// How a notification reaches its target.
    pub(super) refresh: Refresh,
    /// Whether its target must be declared.
    pub(super) need: Requirement,
}

/// How a notification reaches its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refresh {
    /// By the target's default.
    Usual,
    Reload,
}

/// Whether the target of a reference must be declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Requirement {
    Declared,
    /// The edge exists only if the target is declared.
    IfDeclared,
}

impl Reference {
    /// Parses a reference; `None` if the text is not one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (text, need) = match text.strip_suffix("]?").or_else(|| text.strip_suffix("]:reload?")) {
            Some(_) => (&text[..text.len() - 1], Requirement::IfDeclared),
            None => (text, Requirement::Declared),
        };
        let (text, refresh) = match text.strip_suffix("]:reload") {
            Some(_) => (&text[..text.len() - ":reload".len()], Refresh::Reload),
            None => (text, Refresh::Usual),
        };
        ResourceRef::parse(text).map(|target| Self { target, refresh, need })
    }

    /// Whether its target must be declared.
    pub(super) fn must_exist(&self) -> bool {
        self.need == Requirement::Declared
    }
}

/// Reads a reference, in the form that `word` allows.
pub(super) fn read_reference(
    text: &str,
    origin: &Arc<Origin>,
    word: RelationWord,
) -> Result<Reference, Box<Diagnostic>> {
    let problem = |message: String| Diagnostic::error(Code::BadReference, message, Origin::clone(origin));
    let Some(reference) = Reference::parse(text) else {
        let help = "write type[title], such as \"package[nginx]\", or class[name]";
        return Err(Box::new(problem(format!("`{}` is not a reference", text.escape_debug())).help(help)));
    };
    if reference.refresh == Refresh::Reload && word != RelationWord::Notify {
        let message = format!("`{text}`: only `notify` can ask for a reload");
        let help = "leave `:reload` out, or notify from the other side";
        return Err(Box::new(problem(message).help(help)));
    }
    if let Some(meant) = as_in_puppet(&reference.target) {
        return Err(Box::new(
            problem(format!("`{text}` is a Puppet reference")).help(format!("use `{meant}`")),
        ));
    }
    let deaf = TypeDef::find(&reference.target.type_name).filter(|def| !def.reloads);
    if let Some(def) = deaf.filter(|_| reference.refresh == Refresh::Reload) {
        let message = format!("`{text}`: a `{}` cannot reload", def.name);
        return Err(Box::new(problem(message).help("leave `:reload` out")));
    }
    Ok(reference)
}

/// The reference that was meant if one is written with a capital letter or quotes, as in Puppet: `Package['nginx']`.
fn as_in_puppet(written: &ResourceRef) -> Option<ResourceRef> {
    let title = ['\'', '"']
        .into_iter()
        .find_map(|mark| written.title.strip_prefix(mark)?.strip_suffix(mark))
        .unwrap_or(&written.title);
    let meant = ResourceRef::new(written.type_name.to_ascii_lowercase(), title);
    (meant != *written && !title.is_empty()).then_some(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_read_and_nothing_else_is_taken_for_one() {
        let read = |text| Reference::parse(text).map(|r| (r.target.to_string(), r.refresh, r.need));
        let service = || "service[nginx]".to_owned();
        assert_eq!(read("service[nginx]"), Some((service(), Refresh::Usual, Requirement::Declared)));
        assert_eq!(read("service[nginx]:reload"), Some((service(), Refresh::Reload, Requirement::Declared)));
        assert_eq!(read("service[nginx]?"), Some((service(), Refresh::Usual, Requirement::IfDeclared)));
        assert_eq!(
            read("service[nginx]:reload?"),
            Some((service(), Refresh::Reload, Requirement::IfDeclared))
        );
        assert_eq!(
            read("exec[is it there?]"),
            Some(("exec[is it there?]".into(), Refresh::Usual, Requirement::Declared))
        );
        for bad in ["nginx", "service[nginx]:restart", "service[nginx]??", "service[]", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
