//! The keys of manifests that are not types, and which keys may have a secret.

use holdfast_catalog::manifest_words::{Keyword, METAPARAMETERS};
use holdfast_catalog::resource::{AttributeKind, definitions};

/// The keys of a manifest.
pub const TOP: &[Keyword; 7] = &[
    Keyword::new("doc", "a string", "What the class or define is for, in one sentence."),
    Keyword::new(
        "kind",
        "`\"class\"` or `\"define\"`",
        "A class is declared once and gets its parameters from data; a define is declared as often as needed, \
         like a resource. Without it, the manifest is a class.",
    ),
    Keyword::new(
        "parameters",
        "parameters by name",
        "What can be set: `[parameters]`, with one line for each.",
    ),
    Keyword::new("include", "a list of classes", "Classes to include, with their parameters from data."),
    Keyword::new(
        "class",
        "`[class.NAME]`",
        "Includes one class, with `when`, and with parameters that are set here and not by data.",
    ),
    Keyword::new(
        "let",
        "values by name",
        "Names for values in this manifest; each is evaluated when it is used.",
    ),
    Keyword::new(
        "defaults",
        "`[defaults.TYPE]`",
        "Attributes of all resources of a type in this manifest, unless a resource sets its own.",
    ),
];
/// The names of these keys.
pub const TOP_NAMES: [&str; 7] = Keyword::names(TOP);

/// The keys of a parameter.
pub const PARAMETER: &[Keyword; 4] = &[
    Keyword::new("type", "a type", "The type of its values; see the types of parameters."),
    Keyword::new(
        "default",
        "a value",
        "Its value if neither data nor a declaration sets it. Can contain `${…}`. Never merged with data.",
    ),
    Keyword::new("merge", "a strategy, or a table with options", "How values of several levels become one."),
    Keyword::new("doc", "a string", "What it is for, in one sentence."),
];

/// The ways to give the content attribute of a type.
pub const CONTENT: [&str; 2] = ["template", "source"];

/// Whether the value of a key is never a secret, whatever table the key is in.
pub fn is_plain(key: &str) -> bool {
    if matches!(key, "default" | "*" | "for_each") {
        return false;
    }
    let of_manifests = TOP.iter().chain(PARAMETER).map(|word| word.name);
    let of_resources = METAPARAMETERS.iter().copied();
    of_manifests.chain(of_resources).chain(CONTENT).any(|word| word == key) || {
        let mut attributes = definitions().iter().filter_map(|def| def.attribute(key)).peekable();
        attributes.peek().is_some() && attributes.all(|attribute| !may_be_secret(attribute.kind))
    }
}

/// Whether a text in an attribute of this kind may be a secret.
pub fn may_be_secret(kind: AttributeKind) -> bool {
    match kind {
        AttributeKind::Secret | AttributeKind::Setting | AttributeKind::TextMap => true,
        AttributeKind::List(inner) => may_be_secret(*inner),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_language_and_attributes_that_take_no_secret_are_plain() {
        assert!(["mode", "ensure", "doc", "notify", "when"].into_iter().all(is_plain));
        assert!(!["password", "default", "*", "for_each", "environment", "nobody"].into_iter().any(is_plain));
    }
}
