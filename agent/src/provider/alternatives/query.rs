//! The answer of `update-alternatives --query`.

use std::fmt;

/// The most bytes of an answer that are read. Java has hundreds of lines.
pub(super) const MAX_OUTPUT: usize = 1024 * 1024;

/// The alternatives of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlternativesGroup {
    /// The path of the common name.
    pub(super) link: String,
    /// What it leads to now; `none` if nowhere.
    pub(super) value: String,
    /// Names that follow it, with their paths, such as the manual page of a program.
    pub(super) followers: Vec<(String, String)>,
    /// What can be chosen.
    pub(super) paths: Vec<String>,
    /// For each choice, in order, what the following names lead to.
    led: Vec<Vec<(String, String)>>,
    is_auto: bool,
    best: String,
}

/// What is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chosen<'a> {
    /// The best one, whichever that is.
    Best,
    /// The best one should be, but something has changed the link.
    Astray(&'a str),
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

impl AlternativesGroup {
    pub(super) fn parse(text: &str) -> Self {
        let mut blocks = text.split("\n\n");
        let followers_of_all = followers(blocks.next().unwrap_or_default());
        let mut group = Self { followers: followers_of_all, ..Self::default() };
        group.led =
            blocks.filter(|block| block.trim_start().starts_with("Alternative: ")).map(followers).collect();
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

    /// The names that follow what is chosen, each with its path and what it leads to.
    pub(super) fn following(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let chosen = self.paths.iter().zip(&self.led).find(|(path, _)| **path == self.value);
        chosen.into_iter().flat_map(|(_, led)| led).filter_map(|(name, target)| {
            let (_, link) = self.followers.iter().find(|(other, _)| other == name)?;
            Some((link.as_str(), name.as_str(), target.as_str()))
        })
    }

    pub(super) fn chosen(&self) -> Chosen<'_> {
        match (self.is_auto, self.value == self.best) {
            (true, true) => Chosen::Best,
            (true, false) => Chosen::Astray(&self.value),
            (false, _) => Chosen::ByHand(&self.value),
        }
    }
}

/// The `Slaves:` of one block. The first block has their paths, and that of each choice has what they lead to.
fn followers(block: &str) -> Vec<(String, String)> {
    let list = block.lines().skip_while(|line| *line != "Slaves:").skip(1);
    let pairs = list.map_while(|line| line.strip_prefix(' ')?.split_once(' '));
    pairs.map(|(name, path)| (name.to_owned(), path.to_owned())).collect()
}
