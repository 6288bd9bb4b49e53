//! Lists and maps from strangers, of which only as much is read as anybody needs: the rest is skipped and not kept, so
//! a body of a few megabytes does not become hundreds.
//!
//! One entry beyond the limit is kept, which shows to anyone who checks the value that there were more.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A list of up to `MAX` elements, or the first of a longer one and one more.
///
/// # Errors
/// Fails if it is not a list of such elements.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(ListVisitor::<T, MAX>(PhantomData))
}

/// A map of up to `MAX` entries, or the first of a larger one and one more.
///
/// # Errors
/// Fails if it is not a map of such values.
pub fn map<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    deserializer.deserialize_map(MapVisitor::<T, MAX>(PhantomData))
}

struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Vec<T>, A::Error> {
        let mut kept = Vec::new();
        while kept.len() <= MAX {
            let Some(item) = access.next_element()? else { return Ok(kept) };
            kept.push(item);
        }
        while access.next_element::<IgnoredAny>()?.is_some() {}
        Ok(kept)
    }
}

struct MapVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for MapVisitor<T, MAX> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<BTreeMap<String, T>, A::Error> {
        let mut kept = BTreeMap::new();
        while kept.len() <= MAX {
            let Some((key, value)) = access.next_entry()? else { return Ok(kept) };
            kept.insert(key, value);
        }
        while access.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Both {
        #[serde(deserialize_with = "list::<_, _, 2>")]
        list: Vec<u8>,
        #[serde(deserialize_with = "map::<_, _, 2>")]
        map: BTreeMap<String, u8>,
    }

    #[test]
    fn a24_one_more_than_the_limit_is_kept_and_the_rest_is_skipped() {
        let read = |text: &str| serde_json::from_str::<Both>(text);
        // The fourth element, which has the wrong type, is not looked at.
        let both = read(r#"{"list":[1,2,3,"x",[]],"map":{"a":1,"b":2,"c":3,"d":[],"e":{}}}"#).unwrap();
        assert_eq!(both.list, [1, 2, 3]);
        assert_eq!(both.map.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        let both = read(r#"{"list":[1],"map":{}}"#).unwrap();
        assert_eq!((both.list, both.map.len()), (vec![1], 0));
        for bad in [r#"{"list":["x"],"map":{}}"#, r#"{"list":{},"map":{}}"#, r#"{"list":[1,2,3,4,"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
