//! How a parameter or key declares that its values of several levels become one: `merge = "deep"`, or a table with
//! options. The merging itself is in `lookup::merge`.

use std::sync::Arc;

use holdfast_catalog::manifest_words::Keyword;
use holdfast_catalog::origin::Origin;

use crate::diagnostic::{Code, Diagnostic};

use super::document::{Item, unknown_key};
use super::types::{Type, TypeShape};

/// How values of several levels become one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Merge {
    /// Only the most specific value.
    #[default]
    First,
    /// Scalars and lists as one flat list without duplicates, most specific first.
    Unique,
    /// Maps, by their top-level keys; the most specific value is used.
    Hash,
    /// Maps and lists at every depth.
    Deep(DeepOptions),
}

/// Options of a deep merge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeepOptions {
    /// The prefix of an element or a key that removes those of lower levels.
    pub knockout_prefix: Option<Arc<str>>,
    /// The order of merged lists.
    pub lists: ListOrder,
    /// How lists of maps are merged.
    pub maps_in_lists: MapsInLists,
}

/// The order of merged lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListOrder {
    /// The least specific level's elements first.
    #[default]
    ByLevel,
    Sorted,
}

/// How lists of maps are merged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MapsInLists {
    /// They are not merged: each map is an element like any other.
    #[default]
    Whole,
    /// By position: the first with the first, the second with the second.
    ByPosition,
    /// Maps that have the same value under this key are merged.
    ByKey(Arc<str>),
}

/// The merge strategies, with their documentation.
pub const STRATEGY_WORDS: &[Keyword; 4] = &[
    Keyword::new("first", "any value", "Only the most specific value. This is the default."),
    Keyword::new(
        "unique",
        "scalars and lists",
        "All levels as one flat list without duplicates, most specific first.",
    ),
    Keyword::new(
        "hash",
        "maps",
        "One map with the keys of all levels; each key has its most specific value.",
    ),
    Keyword::new(
        "deep",
        "maps and lists",
        "Like `hash`, at every depth; lists become one list without duplicates.",
    ),
];
/// The keys of a merge with options, with their documentation.
pub const OPTION_WORDS: &[Keyword; 4] = &[
    Keyword::new("strategy", "a strategy", "The strategy; only `deep` has further options."),
    Keyword::new(
        "knockout_prefix",
        "a string such as `\"--\"`",
        "An element or key that begins with it removes the element or key of that name from all lower levels.",
    ),
    Keyword::new("sort_merged_arrays", "true or false", "Whether merged lists are sorted."),
    Keyword::new(
        "merge_hash_arrays",
        "true, false or a key",
        "Whether maps in lists are merged: by position, or those that have the same value for a key.",
    ),
];
const STRATEGIES: [&str; 4] = Keyword::names(STRATEGY_WORDS);
const OPTIONS: [&str; 4] = Keyword::names(OPTION_WORDS);

impl Merge {
    /// The strategy with this name, without options.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "first" => Some(Self::First),
            "unique" => Some(Self::Unique),
            "hash" => Some(Self::Hash),
            "deep" => Some(Self::Deep(DeepOptions::default())),
            _ => None,
        }
    }

    /// The strategy's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Unique => "unique",
            Self::Hash => "hash",
            Self::Deep(_) => "deep",
        }
    }

    /// Reads the value of `merge`. Adds what is wrong to `problems`.
    pub fn read(item: &Item, problems: &mut Vec<Diagnostic>) -> Self {
        if let Some(name) = item.as_str() {
            return Self::read_name(name, item, problems);
        }
        let Some(table) = item.as_table() else {
            problems.push(item.not("merge", "a strategy's name or a table with `strategy`"));
            return Self::First;
        };
        for entry in table.entries.iter().filter(|e| !OPTIONS.contains(&&*e.key)) {
            problems.push(unknown_key(entry, "a merge", OPTIONS, &[]));
        }
        let Some(strategy) = table.get("strategy") else {
            let message = "a merge with options needs a `strategy`";
            problems.push(
                Diagnostic::error(Code::MissingKey, message, Origin::clone(&item.origin))
                    .help("write { strategy = \"deep\", … }"),
            );
            return Self::First;
        };
        let Some(name) = strategy.item.as_str() else {
            problems.push(strategy.item.not("strategy", "a string"));
            return Self::First;
        };
        let merge = Self::read_name(name, &strategy.item, problems);
        let option = |name| table.get(name).map(|entry| &entry.item);
        let options = DeepOptions {
            knockout_prefix: option("knockout_prefix").and_then(|item| read_prefix(item, problems)),
            lists: option("sort_merged_arrays").map_or(ListOrder::ByLevel, |item| read_order(item, problems)),
            maps_in_lists: option("merge_hash_arrays")
                .map_or(MapsInLists::Whole, |item| read_maps(item, problems)),
        };
        match merge {
            Self::Deep(_) => Self::Deep(options),
            other if options == DeepOptions::default() => other,
            other => {
                let message = format!("`{}` takes no options; `deep` does", other.name());
                problems.push(Diagnostic::error(Code::BadValue, message, Origin::clone(&item.origin)));
                other
            }
        }
    }

    /// The error if the result of the merge can never be of the type `of`; `origin` is the place of the merge.
    pub fn misfit(&self, of: &Type, origin: &Origin) -> Option<Diagnostic> {
        let (list, map) = (of.has_shape(TypeShape::List), of.has_shape(TypeShape::Map));
        let (fits, gives) = match self {
            Self::First => return None,
            Self::Unique => (list, "a list"),
            Self::Hash => (map, "a map"),
            Self::Deep(_) => (list || map, "a map or a list"),
        };
        let message = format!("merge `{}` gives {gives}, which is not of the type {of}", self.name());
        let other = match (list, map) {
            (true, _) => "lists are merged by `unique`",
            (_, true) => "maps are merged by `hash` or `deep`",
            _ => "leave it out: of a single value, the most specific level decides",
        };
        let problem = || Diagnostic::error(Code::BadValue, message, origin.clone()).help(other);
        (!fits).then(problem)
    }

    fn read_name(name: &str, item: &Item, problems: &mut Vec<Diagnostic>) -> Self {
        Self::named(name).unwrap_or_else(|| {
            let message = format!("`{name}` is not a merge strategy; use one of {}", STRATEGIES.join(", "));
            problems.push(
                Diagnostic::error(Code::BadValue, message, Origin::clone(&item.origin))
                    .did_you_mean(name, STRATEGIES),
            );
            Self::First
        })
    }
}

fn read_prefix(item: &Item, problems: &mut Vec<Diagnostic>) -> Option<Arc<str>> {
    match item.as_str() {
        Some(text) if !text.is_empty() => Some(text.clone()),
        _ => {
            problems.push(item.not("knockout_prefix", "a string that is not empty"));
            None
        }
    }
}

fn read_order(item: &Item, problems: &mut Vec<Diagnostic>) -> ListOrder {
    match item.as_bool() {
        Some(true) => ListOrder::Sorted,
        Some(false) => ListOrder::ByLevel,
        None => {
            problems.push(item.not("sort_merged_arrays", "true or false"));
            ListOrder::ByLevel
        }
    }
}

fn read_maps(item: &Item, problems: &mut Vec<Diagnostic>) -> MapsInLists {
    match (item.as_bool(), item.as_str()) {
        (Some(true), _) => MapsInLists::ByPosition,
        (Some(false), _) => MapsInLists::Whole,
        (None, Some(key)) => MapsInLists::ByKey(key.clone()),
        (None, None) => {
            problems.push(item.not("merge_hash_arrays", "true, false or the name of a key"));
            MapsInLists::Whole
        }
    }
}
