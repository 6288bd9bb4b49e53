//! What `update-alternatives --query` says.

use std::fmt;

/// Bytes of an answer that are read; Java has hundreds of lines of them.
pub(super) const LIMIT: usize = 1024 * 1024;

/// The alternatives of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// The common name's path.
    pub(super) link: String,
    /// What it leads to now; `none` where to nothing.
    pub(super) value: String,
    /// Names that follow it, and their paths: a manual beside its program.
    pub(super) followers: Vec<(String, String)>,
    /// What can be chosen.
    pub(super) paths: Vec<String>,
    is_auto: bool,
    best: String,
}

/// What is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chosen<'a> {
    /// The best, whichever that is.
    Best,
    /// The best should be, but somebody has led the link elsewhere.
    Astray(&'a str),
    /// This one.
    ByHand(&'a str),
}

impl fmt::Display for Chosen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Best => f.write_str("auto"),
            Self::Astray(path) | Self::ByHand(path) => f.write_str(path),
        }
    }
}

impl Group {
    pub(super) fn parse(text: &str) -> Self {
        let mut group = Self { followers: followers(text), ..Self::default() };
        for (word, value) in text.lines().filter_map(|line| line.split_once(": ")) {
            let value = value.trim();
            match word {
                "Link" => value.clone_into(&mut group.link),
                "Status" => group.is_auto = value == "auto",
                "Best" => value.clone_into(&mut group.best),
                "Value" => value.clone_into(&mut group.value),
                "Alternative" => group.paths.push(value.to_owned()),
                _ => {}
            }
        }
        group
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.iter().any(|other| other == path)
    }

    pub(super) fn chosen(&self) -> Chosen<'_> {
        match (self.is_auto, self.value == self.best) {
            (true, true) => Chosen::Best,
            (true, false) => Chosen::Astray(&self.value),
            (false, _) => Chosen::ByHand(&self.value),
        }
    }
}

/// The list of `Slaves:`, which stands again below each choice.
fn followers(text: &str) -> Vec<(String, String)> {
    let head = text.split("\n\n").next().unwrap_or_default();
    let list = head.lines().skip_while(|line| *line != "Slaves:").skip(1);
    let pairs = list.map_while(|line| line.strip_prefix(' ')?.split_once(' '));
    pairs.map(|(name, path)| (name.to_owned(), path.to_owned())).collect()
}
