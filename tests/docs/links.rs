//! Links: in the HTML of the built site, and in the text of the tree's Markdown files. Nothing is fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use harness::binaries::workspace;

/// A built site.
pub struct Site {
    root: PathBuf,
    /// The text of each page, by its path in the site.
    pages: BTreeMap<PathBuf, String>,
}

impl Site {
    /// Reads all pages below a folder.
    pub fn read(root: &Path) -> Self {
        let mut pages = BTreeMap::new();
        read_pages(root, root, &mut pages);
        Self { root: root.to_owned(), pages }
    }

    /// The number of pages.
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Every broken link within the site.
    pub fn broken(&self) -> Vec<String> {
        let anchors: BTreeMap<&PathBuf, BTreeSet<&str>> =
            self.pages.iter().map(|(path, text)| (path, values(text, " id=\"").collect())).collect();
        let mut broken = Vec::new();
        // The page for addresses that do not exist, and the one with all chapters, have other addresses.
        let own = self
            .pages
            .iter()
            .filter(|(path, _)| !matches!(path.to_str(), Some("404.html" | "print.html" | "toc.html")));
        for (page, text) in own {
            for link in
                values(text, " href=\"").chain(values(text, " src=\"")).filter(|link| is_internal(link))
            {
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                let target = if path.is_empty() { page.clone() } else { joined(page, path) };
                let is_there = match anchors.get(&target) {
                    Some(ids) => anchor.is_empty() || ids.contains(anchor),
                    None => self.root.join(&target).is_file(),
                };
                if !is_there {
                    broken.push(format!("{}: {link}", page.display()));
                }
            }
        }
        broken
    }
}

fn read_pages(root: &Path, folder: &Path, pages: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_pages(root, &path, pages);
        } else if path.extension().is_some_and(|extension| extension == "html") {
            let text = std::fs::read_to_string(&path).unwrap();
            pages.insert(path.strip_prefix(root).unwrap().to_owned(), text);
        }
    }
}

/// The texts between this beginning and the next quote.
fn values<'a>(text: &'a str, beginning: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(beginning).skip(1).filter_map(|rest| rest.split('"').next())
}

fn is_internal(link: &str) -> bool {
    !link.contains("://") && !link.starts_with("mailto:") && !link.starts_with("data:")
}

/// The path of a link, relative to the site's root, without `.` and `..`.
fn joined(page: &Path, link: &str) -> PathBuf {
    let mut path = page.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

/// The broken links of a Markdown file to other files in the tree.
pub fn broken_in(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let name = file.strip_prefix(workspace()).unwrap_or(file);
    let mut broken = Vec::new();
    let outside_blocks: String = text.split("```").step_by(2).collect();
    let prose: String = outside_blocks.split('`').step_by(2).collect();
    for link in prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()) {
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        // The book's pages of modules are made when it is built; the check of the site covers them.
        let is_made = name.starts_with("docs/src") && path.contains("modules/");
        if !is_internal(link) || is_made {
            continue;
        }
        let target = if path.is_empty() { name.to_owned() } else { joined(name, path) };
        let target = workspace().join(target);
        let has = |anchor: &str| {
            std::fs::read_to_string(&target).is_ok_and(|text| headings(&text).any(|h| h == anchor))
        };
        if !target.exists() || !anchor.is_empty() && !has(anchor) {
            broken.push(format!("{}: {link}", name.display()));
        }
    }
    broken
}

/// The anchors of headings: in lower case, with hyphens between words, and nothing else.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    lines.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}
