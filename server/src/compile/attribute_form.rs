//! How a word in a block gives its attribute: as it is, by `template` or by `source`.

use holdfast_catalog::resource::TypeDef;

/// How a word in a block gives its attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttributeForm {
    Plain,
    /// By a template's name.
    Template,
    /// By the name of a file or folder.
    Source,
}

/// The attribute that a word gives, and how; `None` if the type has no such word.
pub(super) fn way(def: &TypeDef, word: &str) -> Option<(&'static str, AttributeForm)> {
    if let Some(attribute) = def.attribute(word) {
        return Some((attribute.name, AttributeForm::Plain));
    }
    let way = match word {
        "template" => AttributeForm::Template,
        "source" => AttributeForm::Source,
        _ => return None,
    };
    def.content_attribute().map(|attribute| (attribute.name, way))
}
