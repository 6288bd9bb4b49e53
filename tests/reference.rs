//! The reference pages are made from the definitions; they are rewritten only with `HOLDFAST_BLESS=1`.

use std::fmt::Write as _;

use holdfast_catalog::resource::{Role, TypeDef, definitions};

#[test]
fn the_page_of_types_is_what_the_definitions_say() {
    let page = harness::binaries::workspace().join("docs/types.md");
    let text = types();
    if std::env::var_os("HOLDFAST_BLESS").is_some() {
        std::fs::write(&page, &text).unwrap();
    }
    let there = std::fs::read_to_string(&page).unwrap_or_default();
    assert_eq!(there, text, "docs/types.md differs from the definitions; HOLDFAST_BLESS=1 rewrites it");
}

fn types() -> String {
    let mut page = String::from(
        "# Resource types\n\nMade from the definitions in `catalog/src/resource/`. A *property* is compared with the machine, and \
         a difference is drift; a *parameter* says how. Every resource also takes `require`, `before`, `notify`, `subscribe`, \
         `when`, `for_each`, `\"*\"`, `title` and `tag`.\n",
    );
    definitions().iter().for_each(|def| type_section(&mut page, def));
    page
}

fn type_section(page: &mut String, def: &TypeDef) {
    let _ = write!(page, "\n## `{}`\n\n{}\n\nThe title is {}.\n\n", def.name, one_line(def.doc), def.title);
    page.push_str("| attribute | takes | | what it is |\n| --- | --- | --- | --- |\n");
    for attribute in def.attributes {
        let role = if attribute.role == Role::Property { "property" } else { "parameter" };
        let required = if attribute.required { ", required" } else { "" };
        let kind = attribute.kind.to_string().replace('|', "\\|");
        let _ = writeln!(
            page,
            "| `{}` | {kind} | {role}{required} | {} |",
            attribute.name,
            one_line(attribute.doc)
        );
    }
    if let Some(content) = def.content_attribute() {
        let _ = writeln!(
            page,
            "\n`template = \"x.hbs\"` and `source = \"x\"` give `{}` from the module's `templates/` and `files/`.",
            content.name
        );
    }
}

fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
