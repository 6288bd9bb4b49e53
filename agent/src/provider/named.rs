//! What the catalog names, beside the resource at hand: paths that a purge leaves alone, and other resources of a type.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::OnceLock;

use holdfast_catalog::resource::Typed;

use super::{Want, provider_of};

/// All paths that the resources of a catalog name, gathered when first asked for.
pub struct Named<'a> {
    all: &'a [Typed],
    paths: OnceLock<BTreeSet<Box<str>>>,
}

impl<'a> Named<'a> {
    /// Of these resources.
    pub fn new(all: &'a [Typed]) -> Self {
        Self { all, paths: OnceLock::new() }
    }

    /// Whether a resource names this path.
    pub fn contains(&self, path: &str) -> bool {
        self.paths().contains(path)
    }

    /// Whether a resource names a path below this one.
    pub fn any_below(&self, path: &str) -> bool {
        let inside = format!("{}/", path.trim_end_matches('/'));
        self.paths()
            .range::<str, _>((Bound::Included(inside.as_str()), Bound::Unbounded))
            .next()
            .is_some_and(|next| next.starts_with(&inside))
    }

    /// All resources of one type, in the catalog's order: for types that several resources make one thing of.
    pub fn of_type<W: Want>(&self) -> impl Iterator<Item = &'a W> + use<'a, W> {
        self.all.iter().filter_map(W::of)
    }

    fn paths(&self) -> &BTreeSet<Box<str>> {
        self.paths.get_or_init(|| {
            self.all.iter().flat_map(|typed| provider_of(typed).names_of(typed)).map(Box::from).collect()
        })
    }
}
