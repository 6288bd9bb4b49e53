//! The pages that are generated from definitions: the reference in `docs/src/reference`, and the README of each module.
//! They are rewritten only with `HOLDFAST_BLESS=1`: `make pages`.

use std::path::PathBuf;

use harness::binaries::workspace;
use holdfast_server::docs::{self, commands, module};
use holdfast_server::{Directory, Modules};

const AGENT_EXIT_CODES: &[(u8, &str)] = &[
    (0, "nothing failed; with `--detailed-exitcodes`: nothing to do"),
    (
        1,
        "a resource failed or was skipped, there was no run, the server refused a new catalog, or the output cannot be written",
    ),
    (2, "with `--detailed-exitcodes`: changed, or would change"),
    (4, "with `--detailed-exitcodes`: failed"),
    (6, "with `--detailed-exitcodes`: changed and failed"),
    (64, "wrong usage"),
];

#[test]
fn the_reference_is_what_the_definitions_say() {
    let folder = workspace().join("docs/src/reference");
    let agent = commands::page(&holdfast_agent::cli::command(), AGENT_EXIT_CODES);
    let pages = docs::pages(&holdfast_server::cli::command())
        .into_iter()
        .map(|page| (page.path, page.text))
        .chain([("holdfast-agent.md", agent)]);
    compare(pages.map(|(path, text)| (folder.join(path), text)));
}

#[test]
fn the_readme_of_a_module_is_what_its_manifests_say() {
    let modules = Modules::read(&Directory::new(workspace()).snapshot().unwrap(), None);
    let folder = workspace().join("modules");
    compare(
        module::readmes(&modules)
            .into_iter()
            .map(|(name, text)| (folder.join(&*name).join(module::FILE), text)),
    );
}

fn compare(pages: impl Iterator<Item = (PathBuf, String)>) {
    let mut differing = Vec::new();
    for (path, text) in pages {
        if std::env::var_os("HOLDFAST_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != text {
            differing.push(path.display().to_string());
        }
    }
    assert!(
        differing.is_empty(),
        "these differ from the definitions; `make pages` rewrites them: {differing:#?}"
    );
}
