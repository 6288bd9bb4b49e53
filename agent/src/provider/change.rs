//! One difference between what is and what should be.

use std::borrow::Cow;

use holdfast_catalog::resource::attribute::Secret;
use holdfast_catalog::value::MASK;

/// A property's value for people and for comparing with the last run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisplayValue {
    Plain(String),
    /// A secret: masked wherever it is shown. Holds nothing of it.
    Masked,
}

impl DisplayValue {
    /// The text for a report.
    pub fn text(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Masked => MASK,
        }
    }
}

impl<T: ToString> From<T> for DisplayValue {
    fn from(value: T) -> Self {
        Self::Plain(value.to_string())
    }
}

impl DisplayValue {
    /// A text that may be secret.
    pub fn secret(secret: &Secret) -> Self {
        if secret.is_sensitive() { Self::Masked } else { Self::Plain(secret.shown()) }
    }
}

/// What kind of difference it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The machine differs from what is wanted: drift, or a new wish.
    Differs,
    /// What is wanted moved on by itself, as the newest version of a package does: never drift.
    Moved,
    /// A program is to read what is there already, as others made it: never drift, and nobody is notified of it.
    Unread,
    /// Done at every run: never drift.
    Always,
    /// Only said: nothing to do.
    Note,
}

/// A resource as an earlier catalog may have had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    pub type_name: &'static str,
    /// Some of what it left, by name: [`Provider::left`](super::Provider::left).
    pub left: Vec<(&'static str, String)>,
}

impl ChangeKind {
    /// Whether something else than before is on the machine once it is made.
    pub fn brings_news(self) -> bool {
        match self {
            Self::Differs | Self::Moved | Self::Always => true,
            Self::Unread | Self::Note => false,
        }
    }
}

/// One difference between what is and what should be, of a property of one provider's own kind. The harness, which
/// works for all of them, knows the property by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<P = Cow<'static, str>> {
    /// What kind of difference it is.
    pub kind: ChangeKind,
    pub property: P,
    /// The path below the resource's own, for a directory's members.
    pub path: Option<String>,
    /// What the machine has.
    pub is: DisplayValue,
    /// Other words for what the machine has, one of which may be what an earlier wish left: `present` for a package in
    /// whatever version.
    pub also: Vec<String>,
    pub should: DisplayValue,
    /// What earlier resources left if what it removes is theirs, where no path tells: one each, for all of it. A commit may
    /// have taken them away.
    pub unclaimed: Vec<Former>,
    /// A unified diff of a text.
    pub diff: Option<String>,
    /// What more is to be said.
    pub note: Option<String>,
    /// Whether the machine came to this by itself, as a service does that fails: nobody is to blame for it.
    pub by_itself: bool,
}

impl<P> Change<P> {
    /// A property that differs.
    pub fn new(property: P, is: impl Into<DisplayValue>, should: impl Into<DisplayValue>) -> Self {
        Self {
            kind: ChangeKind::Differs,
            property,
            path: None,
            is: is.into(),
            also: Vec::new(),
            should: should.into(),
            unclaimed: Vec::new(),
            diff: None,
            note: None,
            by_itself: false,
        }
    }

    /// Of another kind.
    #[must_use]
    pub fn kind(mut self, kind: ChangeKind) -> Self {
        self.kind = kind;
        self
    }

    /// With other words for what the machine has.
    #[must_use]
    pub fn also<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.also = words.into_iter().map(Into::into).collect();
        self
    }

    /// Removes what these would have left, and nothing else.
    #[must_use]
    pub fn unclaimed(mut self, formers: Vec<Former>) -> Self {
        self.unclaimed = formers;
        self
    }

    /// Of what the machine came to by itself.
    #[must_use]
    pub fn by_itself(mut self) -> Self {
        self.by_itself = true;
        self
    }

    /// Of a member of the directory.
    #[must_use]
    pub fn below(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// With a diff.
    #[must_use]
    pub fn diff(mut self, diff: Option<String>) -> Self {
        self.diff = diff;
        self
    }

    /// With a word more.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The same change of a property of another kind.
    pub fn of<Q>(self, property: impl FnOnce(P) -> Q) -> Change<Q> {
        let Self { kind, property: own, path, is, also, should, unclaimed, diff, note, by_itself } = self;
        Change { kind, property: property(own), path, is, also, should, unclaimed, diff, note, by_itself }
    }
}
