//! Renders definitions as pages of Markdown: the reference, and the README of each module.
//!
//! Nothing here is a list of what exists: resource types, functions, keys, codes, commands and modules are documented
//! where they are defined.

pub mod codes; // errors and warnings
pub mod commands; // commands, from clap's definitions
pub mod language; // functions, helpers, types and keys
mod markdown; // tables and escaping
pub mod module; // a module's README
pub mod types; // resource types

/// A page of the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferencePage {
    /// Its path below `reference/` of the book.
    pub path: &'static str,
    pub text: String,
}

/// The pages of the reference, with the server's `command`. The page of the agent's commands is not among them, since
/// only the agent has their definitions.
pub fn pages(command: &clap::Command) -> Vec<ReferencePage> {
    let page = |path, text| ReferencePage { path, text };
    vec![
        page("types.md", types::page()),
        page("functions.md", language::functions()),
        page("templates.md", language::templates()),
        page("parameters.md", language::parameters()),
        page("keys.md", language::keys()),
        page("codes.md", codes::page()),
        page("holdfast.md", commands::page(command, SERVER_EXIT_CODES)),
    ]
}

const SERVER_EXIT_CODES: &[(u8, &str)] = &[
    (0, "found, no problems, done"),
    (1, "not found, errors in the repository, failed; `docs --check`: a page differs"),
    (2, "`lookup`: an error in the data; `poke --commit`: in force, but with faults in tenants' data"),
    (64, "wrong usage"),
];
