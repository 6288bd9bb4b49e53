//! The documentation of a word of the language. The reference is made from it, and every example is run.

/// The documentation of a function, a macro, a helper or a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it does or means.
    pub doc: &'static str,
    /// An example.
    pub example: &'static str,
    /// The result of the example.
    pub gives: &'static str,
}

/// A group of words.
#[derive(Debug, Clone)]
pub struct Chapter {
    /// The title of the group.
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
