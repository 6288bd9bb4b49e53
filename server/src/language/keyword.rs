//! Which keys of a manifest may hold a secret.

use holdfast_catalog::manifest_words::METAPARAMETERS;
use holdfast_catalog::resource::{AttributeKind, definitions};

use super::{PARAMETER, TOP};

/// Whether what stands under a key never is a secret, whatever table the key stands in.
pub fn is_plain(key: &str) -> bool {
    if matches!(key, "default" | "*" | "for_each") {
        return false;
    }
    let of_manifests = TOP.iter().chain(PARAMETER).map(|word| word.name);
    let of_resources = METAPARAMETERS.iter().copied();
    of_manifests.chain(of_resources).chain(["source", "template"]).any(|word| word == key) || {
        let mut attributes = definitions().iter().filter_map(|def| def.attribute(key)).peekable();
        attributes.peek().is_some() && attributes.all(|attribute| !may_be_secret(attribute.kind))
    }
}

/// Whether a text that stands under such an attribute may be a secret.
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
