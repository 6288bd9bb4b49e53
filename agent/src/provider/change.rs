//! One difference between the actual and the wanted state.

use std::borrow::Cow;

use holdfast_catalog::resource::attribute::Secret;
use holdfast_catalog::value::MASK;

/// A property's value, for people and for the comparison with the last run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisplayValue {
    Plain(String),
    /// A secret: masked wherever it is shown. Contains nothing of it.
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

/// The kinds of differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The machine differs from what is wanted: drift, or a new wanted value.
    Differs,
    /// The target moved by itself, as the newest version of a package does: never drift.
    Moved,
    /// A program has to read what is already there and others made: never drift, and no resource is notified.
    Unread,
    /// Done in every run: never drift.
    Always,
    /// Only reported: there is nothing to do.
    Note,
}

/// A resource that an earlier catalog may have had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    pub type_name: &'static str,
    /// Some of the values that it left, by name: [`Provider::left`](super::Provider::left).
    pub left: Vec<(&'static str, String)>,
}

impl ChangeKind {
    /// Whether the change leaves something different on the machine.
    pub fn brings_news(self) -> bool {
        match self {
            Self::Differs | Self::Moved | Self::Always => true,
            Self::Unread | Self::Note => false,
        }
    }
}

/// One difference between the actual and the wanted state, in a property of the provider's own type. The harness, which
/// works for all providers, knows the property by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<P = Cow<'static, str>> {
    pub kind: ChangeKind,
    pub property: P,
    /// The path below the resource's own, for a directory's members, as [`path_text`](crate::system::path_text) writes
    /// it.
    pub path: Option<String>,
    /// What the machine has.
    pub is: DisplayValue,
    /// Other words for what the machine has, one of which may be what an earlier wish left: `present` for any version
    /// of a package.
    pub also: Vec<String>,
    pub should: DisplayValue,
    /// The values that earlier resources would have left if they made what this change removes, where no path shows it:
    /// one each, for everything. A commit may have removed those resources.
    pub unclaimed: Vec<Former>,
    /// A unified diff of a text.
    pub diff: Option<String>,
    /// A further remark.
    pub note: Option<String>,
    /// Whether the machine got here by itself, as a service that fails does: no resource is blamed for it.
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

    /// Sets the kind.
    #[must_use]
    pub fn kind(mut self, kind: ChangeKind) -> Self {
        self.kind = kind;
        self
    }

    /// Adds other words for what the machine has.
    #[must_use]
    pub fn also<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.also = words.into_iter().map(Into::into).collect();
        self
    }

    /// Marks the change as one that removes only what these resources would have left.
    #[must_use]
    pub fn unclaimed(mut self, formers: Vec<Former>) -> Self {
        self.unclaimed = formers;
        self
    }

    /// Marks a change that the machine caused by itself.
    #[must_use]
    pub fn by_itself(mut self) -> Self {
        self.by_itself = true;
        self
    }

    /// Sets the path below the resource's own.
    #[must_use]
    pub fn below(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Sets the diff.
    #[must_use]
    pub fn diff(mut self, diff: Option<String>) -> Self {
        self.diff = diff;
        self
    }

    /// Sets the remark.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The same change, with its property converted to another type.
    pub fn of<Q>(self, property: impl FnOnce(P) -> Q) -> Change<Q> {
        let Self { kind, property: own, path, is, also, should, unclaimed, diff, note, by_itself } = self;
        Change { kind, property: property(own), path, is, also, should, unclaimed, diff, note, by_itself }
    }
}
