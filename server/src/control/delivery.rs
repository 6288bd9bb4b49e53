//! What a node was last given: enough to answer its next poll from memory, and the contents that it may fetch.

use std::collections::HashMap;
use std::sync::Arc;

use holdfast_catalog::catalog::CatalogId;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::hash::ContentHash;
use jiff::{SignedDuration, Timestamp};

/// How long the contents of a superseded catalog can be fetched at least, since a run may be using it.
pub const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// The most catalogs to keep for one node, however often its facts change.
const MAX_CATALOGS: usize = 16;

/// What a catalog was compiled from.
#[derive(Clone)]
pub struct CatalogBasis {
    pub commit: CommitId,
    pub facts: String,
    /// The catalog.
    pub catalog: CatalogId,
}

/// The files that a catalog refers to.
pub type ContentFiles = HashMap<ContentHash, Arc<[u8]>>;

struct DeliveredCatalog {
    catalog: CatalogId,
    contents: ContentFiles,
    superseded_at: Option<Timestamp>,
}

/// What one node was given.
pub struct NodeDelivery {
    basis: CatalogBasis,
    kept: Vec<DeliveredCatalog>,
}

impl NodeDelivery {
    /// Starts with the first catalog.
    pub fn new(basis: CatalogBasis, contents: ContentFiles) -> Self {
        let kept = vec![DeliveredCatalog { catalog: basis.catalog.clone(), contents, superseded_at: None }];
        Self { basis, kept }
    }

    /// The catalog, if it was compiled from exactly this commit and these facts.
    pub fn of(&self, commit: &CommitId, facts: &str) -> Option<&CatalogId> {
        (self.basis.commit == *commit && self.basis.facts == facts).then_some(&self.basis.catalog)
    }

    /// Whether the catalog was compiled from this commit.
    pub fn is_of(&self, commit: &CommitId) -> bool {
        self.basis.commit == *commit
    }

    /// Sets the next catalog, which may be the same as before.
    pub fn next(&mut self, basis: CatalogBasis, contents: ContentFiles, now: Timestamp) {
        let newest = DeliveredCatalog { catalog: basis.catalog.clone(), contents, superseded_at: None };
        self.kept.retain(|kept| kept.catalog != newest.catalog);
        for kept in &mut self.kept {
            kept.superseded_at.get_or_insert(now);
        }
        self.kept.insert(0, newest);
        let mut index = 0;
        self.kept.retain(|kept| {
            index += 1;
            let young = kept.superseded_at.is_none_or(|at| now.duration_since(at) < GRACE);
            index <= 2 || (young && index <= MAX_CATALOGS)
        });
        self.basis = basis;
    }

    /// Content that one of the kept catalogs refers to.
    pub fn content(&self, hash: &ContentHash) -> Option<Arc<[u8]>> {
        self.kept.iter().find_map(|kept| kept.contents.get(hash).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(digit: usize) -> (CatalogBasis, ContentFiles, ContentHash) {
        let bytes = digit.to_string();
        let hash = ContentHash::of(bytes.as_bytes());
        let basis = CatalogBasis {
            commit: format!("c{digit}").into(),
            facts: "f".into(),
            catalog: CatalogId::parse(hash.as_str()).unwrap(),
        };
        (basis, [(hash.clone(), Arc::from(bytes.into_bytes()))].into(), hash)
    }

    #[test]
    fn contents_of_the_last_two_stay_and_older_ones_for_an_hour() {
        let start = Timestamp::constant(1_800_000_000, 0);
        let (basis, contents, first) = catalog(1);
        let mut given = NodeDelivery::new(basis, contents);
        let (basis, contents, second) = catalog(2);
        given.next(basis, contents, start);
        let (basis, contents, third) = catalog(3);
        given.next(basis, contents, start + SignedDuration::from_mins(1));
        assert!([&first, &second, &third].iter().all(|hash| given.content(hash).is_some()));
        let (basis, contents, _) = catalog(3);
        given.next(basis, contents, start + SignedDuration::from_hours(2));
        assert!(given.content(&first).is_none(), "it was superseded long ago");
        assert!(given.content(&second).is_some() && given.content(&third).is_some());
    }

    #[test]
    fn a_node_that_changes_its_facts_in_a_loop_is_bounded() {
        let start = Timestamp::constant(1_800_000_000, 0);
        let (basis, contents, _) = catalog(0);
        let mut given = NodeDelivery::new(basis, contents);
        for digit in 1..100 {
            let (basis, contents, _) = catalog(digit);
            given.next(basis, contents, start);
        }
        assert_eq!(given.kept.len(), MAX_CATALOGS);
        assert!(given.of(&"c99".into(), "f").is_some() && given.of(&"c98".into(), "f").is_none());
    }
}
