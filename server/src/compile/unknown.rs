//! Errors about names in blocks that their type, class or define does not have, each with a suggestion.

use std::sync::Arc;

use holdfast_catalog::manifest_words::METAPARAMETERS;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::TypeDef;

use crate::diagnostic::{Code, Diagnostic};
use crate::language::manifest::{Manifest, cure};

/// The error for an attribute that the type does not have.
pub(super) fn unknown_attribute(def: &'static TypeDef, name: &str, origin: &Arc<Origin>) -> Diagnostic {
    let message = format!("`{}` has no attribute `{name}`", def.name);
    let problem =
        Diagnostic::error(Code::UnknownAttribute, message, Origin::clone(origin)).label("unknown attribute");
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return problem.help(format!("a title with a dot is quoted: [{}.\"….{name}\"]", def.name));
    }
    match cure(def, name, &[]) {
        Some(cure) => problem.help(cure.help),
        None => problem,
    }
}

/// The error for a parameter that a class or define does not have.
pub(super) fn unknown_parameter(manifest: &Manifest, name: &str, origin: &Arc<Origin>) -> Diagnostic {
    let message = format!("`{}` has no parameter `{name}`", manifest.name);
    let names = manifest.parameters.iter().map(|parameter| &*parameter.name);
    Diagnostic::error(Code::UnknownParameter, message, Origin::clone(origin))
        .label("unknown parameter")
        .did_you_mean(name, names.chain(METAPARAMETERS.iter().copied()))
}
