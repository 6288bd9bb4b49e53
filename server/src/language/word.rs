//! What a definition says about a word of the language: the reference is made of it, and every example is run.

/// A function, a macro, a helper or a type, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it does or means.
    pub doc: &'static str,
    /// A use of it.
    pub example: &'static str,
    /// What the example gives.
    pub gives: &'static str,
}

/// Words that belong together.
#[derive(Debug, Clone)]
pub struct Chapter {
    /// What they have in common.
    pub title: &'static str,
    /// The words, in the order in which they are defined.
    pub words: Vec<Word>,
}

impl Chapter {
    /// A chapter of these words.
    pub fn new(title: &'static str, words: impl IntoIterator<Item = Word>) -> Self {
        Self { title, words: words.into_iter().collect() }
    }
}
