//! The book in `docs/`, built as a site by mdBook from the pages in `docs/src`, with a chapter for each module's
//! README; and man pages of both programs.

use std::path::Path;

use anyhow::{Context as _, Result};
use mdbook_driver::MDBook;
use mdbook_driver::book::{BookItem, Chapter};

use harness::binaries::workspace;

/// The page whose chapters are the modules.
const MODULES: &str = "modules/index.md";

/// Builds the site in a folder, which is emptied first.
///
/// # Errors
/// Returns the error of mdBook.
pub fn build(into: &Path) -> Result<()> {
    let mut book = MDBook::load(workspace().join("docs"))?;
    book.config.build.build_dir = into.to_owned();
    add_modules(&mut book)?;
    book.build()
}

/// Writes a man page for each command of both programs to a folder.
///
/// # Errors
/// Returns the error of the system.
pub fn write_manual(into: &Path) -> Result<()> {
    std::fs::create_dir_all(into)?;
    for program in [holdfast_server::cli::command(), holdfast_agent::cli::command()] {
        clap_mangen::generate_to(program.disable_help_subcommand(true), into)?;
    }
    Ok(())
}

fn add_modules(book: &mut MDBook) -> Result<()> {
    let readmes = readmes()?;
    let mut missing = true;
    book.book.for_each_mut(|item| {
        if let BookItem::Chapter(index) = item
            && index.path.as_deref() == Some(Path::new(MODULES))
        {
            missing = false;
            index.sub_items = readmes.iter().map(|(name, text)| chapter(name, text, index)).collect();
        }
    });
    anyhow::ensure!(!missing, "docs/src/SUMMARY.md has no {MODULES}");
    Ok(())
}

fn chapter(name: &str, text: &str, parent: &Chapter) -> BookItem {
    let parents = [&parent.parent_names[..], std::slice::from_ref(&parent.name)].concat();
    BookItem::Chapter(Chapter::new(name, text.to_owned(), format!("modules/{name}.md"), parents))
}

/// Each module with its README, in the order of their names.
fn readmes() -> Result<Vec<(String, String)>> {
    let mut readmes = Vec::new();
    for entry in std::fs::read_dir(workspace().join("modules"))? {
        let entry = entry?;
        let readme = entry.path().join("README.md");
        let text =
            std::fs::read_to_string(&readme).with_context(|| format!("cannot read {}", readme.display()))?;
        readmes.push((entry.file_name().to_string_lossy().into_owned(), text));
    }
    readmes.sort();
    Ok(readmes)
}
