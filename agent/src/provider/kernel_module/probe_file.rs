//! The file in `modprobe.d` about one module: its options, and whether it is blacklisted.

use holdfast_catalog::resource::KernelModule;

use super::header;
use super::{Change, Property};

/// What a file says about its module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ProbeFile {
    options: String,
    blacklist: bool,
}

impl ProbeFile {
    /// Parses a file; what it says about other modules is ignored.
    pub(super) fn parse(want: &KernelModule, text: &str) -> Self {
        let mut file = Self::default();
        let is_own = |name: &str| name.replace('-', "_") == want.title.normal();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            match (words.next(), words.next()) {
                (Some("blacklist"), Some(name)) if is_own(name) => file.blacklist = true,
                (Some("options"), Some(name)) if is_own(name) => {
                    let options = Vec::from_iter(words).join(" ");
                    file.options = format!("{} {options}", file.options).trim().to_owned();
                }
                _ => {}
            }
        }
        file
    }

    /// What the file should say; options that are not managed are kept.
    pub(super) fn wanted(&self, want: &KernelModule) -> Self {
        let options = want.options.as_deref().map_or(&*self.options, str::trim);
        Self { options: options.to_owned(), blacklist: want.blacklist }
    }

    /// The file's text; empty if there is nothing to say.
    pub(super) fn text(&self, want: &KernelModule) -> String {
        let options = Some(&self.options).filter(|options| !options.is_empty());
        let options = options.map(|options| format!("options {} {options}\n", want.title));
        let blacklist = self.blacklist.then(|| format!("blacklist {}\n", want.title));
        let lines: String = blacklist.into_iter().chain(options).collect();
        if lines.is_empty() { lines } else { header(want) + &lines }
    }

    /// The changes that are needed; `text` is what this was parsed from.
    pub(super) fn differences(&self, want: &KernelModule, text: &str) -> Vec<Change> {
        let wanted = self.wanted(want);
        let same_words = |a: &str, b: &str| a.split_ascii_whitespace().eq(b.split_ascii_whitespace());
        let mut changes = Vec::new();
        if !same_words(&self.options, &wanted.options) {
            changes.push(Change::new(Property::Options, &self.options, &wanted.options));
        }
        if self.blacklist != wanted.blacklist {
            changes.push(Change::new(Property::Blacklist, self.blacklist, wanted.blacklist));
        }
        if changes.is_empty() && (want.options.is_some() || want.blacklist) && wanted.text(want) != text {
            let is = |value: String| format!("{value} (among other lines)");
            changes.push(match &want.options {
                Some(_) => Change::new(Property::Options, is(wanted.options.clone()), &wanted.options),
                None => Change::new(Property::Blacklist, is(wanted.blacklist.to_string()), wanted.blacklist),
            });
        }
        changes
    }
}
