//! Checks the documentation: every block of TOML and every template on a page is part of a control repository without
//! problems, commands print what the page shows, and every link leads somewhere.
//!
//! The repository of a page is what `holdfast init` makes, with the page's blocks laid over it in order. The first line
//! of a TOML block names its file. Blocks marked `toml,wrong` must be refused. `console` blocks are run; `make pages`
//! updates what they print.

use std::path::{Path, PathBuf};

use harness::binaries::workspace;

#[path = "docs/links.rs"]
mod links;
#[path = "docs/page.rs"]
mod page;
#[path = "docs/repository.rs"]
mod repository;

use page::{CodeBlock, Page};
use repository::Repository;

/// Every page of the book in `docs/src`.
fn pages() -> Vec<Page> {
    let mut files = Vec::new();
    walk(&workspace().join("docs/src"), &mut files);
    files.sort();
    files.iter().map(|file| Page::read(file)).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

#[test]
fn what_the_pages_show_is_so() {
    let bless = std::env::var_os("HOLDFAST_BLESS").is_some();
    let mut wrong = Vec::new();
    for mut page in pages() {
        if !page.blocks().iter().any(|block| block.language() != "text") {
            continue;
        }
        let mut repository = Repository::of_init();
        for block in page.blocks() {
            if let Err(why) = see(&mut repository, &mut page, &block) {
                wrong.push(format!("{}:{}: {why}", page.name(), block.line));
            }
        }
        if let Err(why) = repository.end() {
            wrong.push(format!("{}: {why}", page.name()));
        }
        if page.is_changed() {
            match bless {
                true => page.write(),
                false => wrong.push(format!("{} shows other output; `make pages` rewrites it", page.name())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn see(repository: &mut Repository, page: &mut Page, block: &CodeBlock) -> Result<(), String> {
    match block.language() {
        "toml" | "hbs" => {
            let path = block
                .path()
                .ok_or("its first line does not name its file: `# modules/x/manifests/init.toml`")?;
            if path.starts_with('/') {
                return repository::read_settings(path, &block.text);
            }
            repository.lay(path, &block.text, block.is_wrong())
        }
        "console" => {
            page.replace(block, &repository.run(&block.text)?);
            Ok(())
        }
        // Not run here: commands for a shell, and output from elsewhere.
        "sh" | "text" | "json" | "ini" => Ok(()),
        other => Err(format!("a block is toml, hbs, console, sh, text, json or ini, not `{other}`")),
    }
}

/// The README quotes files of the repository that it is in.
#[test]
fn what_the_readme_shows_is_in_the_files_that_it_names() {
    let readme = Page::read(&workspace().join("README.md"));
    let mut wrong = Vec::new();
    for block in readme.blocks().iter().filter(|block| block.language() == "toml") {
        let file = block.path().and_then(|path| std::fs::read_to_string(workspace().join(path)).ok());
        let (_, quoted) = block.text.split_once('\n').unwrap_or_default();
        if !file.is_some_and(|file| file.contains(quoted)) {
            wrong.push(format!("README.md:{}: {:?} does not hold this", block.line, block.path()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_book_builds_and_every_link_in_it_leads_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    acceptance::book::build(folder.path()).unwrap();
    let site = links::Site::read(folder.path());
    assert!(site.pages() > 20, "the site has {} pages", site.pages());
    let broken = site.broken();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_setting_is_on_the_page_of_settings() {
    let page = std::fs::read_to_string(workspace().join("docs/src/reference/settings.md")).unwrap();
    let refused = [
        toml::from_str::<holdfast_server::ServerConfig>("unheard = 1").unwrap_err().to_string(),
        toml::from_str::<holdfast_agent::Config>("unheard = 1").unwrap_err().to_string(),
    ];
    for error in refused {
        let (_, known) = error.split_once("expected one of").unwrap_or_else(|| panic!("{error}"));
        for name in known.split('`').skip(1).step_by(2) {
            let is_there =
                page.contains(&format!("`{name}`")) || page.lines().any(|line| line.starts_with(name));
            assert!(is_there, "docs/src/reference/settings.md does not have `{name}`");
        }
    }
}

#[test]
fn every_command_has_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    acceptance::book::write_manual(folder.path()).unwrap();
    for (page, says) in [("holdfast-lookup.1", "explain"), ("holdfast-agent-run.1", "audit")] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let summary = std::fs::read_to_string(workspace().join("docs/src/SUMMARY.md")).unwrap();
    let forgotten: Vec<_> = pages()
        .iter()
        .map(Page::name)
        .filter(|name| {
            let below = name.strip_prefix("docs/src/").unwrap_or(name);
            below != "SUMMARY.md" && !summary.contains(&format!("({below})"))
        })
        .collect();
    assert!(forgotten.is_empty(), "docs/src/SUMMARY.md does not name {forgotten:?}");
}

/// Checks the files for people in the tree that are not part of the book.
#[test]
fn every_link_between_files_of_the_tree_leads_somewhere() {
    let mut files: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| workspace().join(name)).into();
    for folder in ["docs", "modules"] {
        walk(&workspace().join(folder), &mut files);
    }
    let broken: Vec<String> = files.iter().flat_map(|file| links::broken_in(file)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
