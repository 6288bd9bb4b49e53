//! The page of resource types.

use std::fmt::Write as _;

use holdfast_catalog::manifest_words::METAPARAMETERS;
use holdfast_catalog::resource::{AttributeDef, AttributeRole, LeftOut, TypeDef, definitions};

use super::markdown::{code, one_line, table};

/// Makes the page from all definitions.
pub fn page() -> String {
    let metaparameters: Vec<String> = METAPARAMETERS.iter().map(|name| code(name)).collect();
    let mut page = format!(
        "# Resource types\n\nMade from the definitions in `catalog/src/resource/`. A *property* is compared with the \
         machine, and a difference is drift; a *parameter* only says how. *Left out* is what applies if a manifest does not set it. Every resource also takes \
         [{}](keys.md#on-every-resource).\n\n",
        metaparameters.join(", ")
    );
    let row = |def: &TypeDef| [format!("[`{0}`](#{0})", def.name), first_sentence(def.doc)];
    page.push_str(&table(["type", "what it is"], definitions().iter().map(row)));
    definitions().iter().for_each(|def| section(&mut page, def));
    page
}

fn section(page: &mut String, def: &TypeDef) {
    let _ = write!(page, "\n## `{}`\n\n{}\n\nThe title is {}.\n\n", def.name, one_line(def.doc), def.title);
    if !def.attributes.is_empty() {
        page.push_str(&table(
            ["attribute", "takes", "left out", "", "what it is"],
            def.attributes.iter().map(row),
        ));
    }
    if let Some(content) = def.content_attribute() {
        let _ = writeln!(
            page,
            "\n`template = \"x.hbs\"` and `source = \"x\"` give `{}` from the module's `templates/` and `files/`.",
            content.name
        );
    }
}

fn row(attribute: &AttributeDef) -> [String; 5] {
    let role = if attribute.role == AttributeRole::Property { "property" } else { "parameter" };
    let left_out = match attribute.left_out {
        LeftOut::Refused => "required".to_owned(),
        LeftOut::Value(written) => code(&written()),
        LeftOut::Words(words) => words.to_owned(),
    };
    [code(attribute.name), attribute.kind.to_string(), left_out, role.to_owned(), attribute.doc.to_owned()]
}

/// The text up to the first full stop that is followed by a space.
fn first_sentence(doc: &str) -> String {
    let doc = one_line(doc);
    doc.split_once(". ").map_or(doc.clone(), |(first, _)| format!("{first}."))
}
