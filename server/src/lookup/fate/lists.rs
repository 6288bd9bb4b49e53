//! Finds elements of lists without looking at each one: tenants write these lists, so the time must grow with their
//! length and not with its square.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::rc::Rc;
use std::sync::Arc;

use holdfast_catalog::value::Value;

/// The indexes of the lists that were asked about, by the address of each list.
#[derive(Default)]
pub(super) struct Lists<'a> {
    hasher: RandomState,
    by_value: ListCache<ByHash<'a>>,
    by_key: ListCache<ByHash<'a>>,
    markers: ListCache<HashSet<&'a str>>,
}

type ListCache<T> = RefCell<HashMap<*const [Value], Rc<T>>>;

/// The values that elements are found by, with the elements, by hash.
type ByHash<'a> = HashMap<u64, Vec<(&'a Value, &'a Value)>>;

impl<'a> Lists<'a> {
    /// The first element that is equal to a value; with a key, the first whose entry of this key is.
    pub(super) fn like(&self, list: &'a [Value], value: &Value, key: Option<&str>) -> Option<&'a Value> {
        let cache = if key.is_some() { &self.by_key } else { &self.by_value };
        let known = known(cache, list, || {
            let mut by_hash = ByHash::new();
            for item in list {
                if let Some(name) = key.map_or(Some(item), |key| item.get(key)) {
                    by_hash.entry(self.hasher.hash_one(name)).or_default().push((name, item));
                }
            }
            by_hash
        });
        let same = known.get(&self.hasher.hash_one(value))?;
        same.iter().find(|(name, _)| *name == value).map(|(_, item)| *item)
    }

    /// Whether an element of the list, with this prefix, removes an element of another list.
    pub(super) fn knocks_out(&self, list: &'a [Value], prefix: &str, item: &Value) -> bool {
        let markers = known(&self.markers, list, || {
            list.iter().filter_map(|marker| marker.as_str()?.strip_prefix(prefix)).collect()
        });
        let is_named = |text: Arc<str>| markers.contains(&*text);
        markers.contains("") || (!markers.is_empty() && item.scalar_text().is_some_and(is_named))
    }
}

fn known<T>(cache: &ListCache<T>, list: &[Value], make: impl FnOnce() -> T) -> Rc<T> {
    cache.borrow_mut().entry(std::ptr::from_ref(list)).or_insert_with(|| Rc::new(make())).clone()
}
