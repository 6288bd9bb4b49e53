//! Test vectors of Hiera's behaviour, with the results that we want.

use holdfast_catalog::value::Sensitive;

use super::*;

const KO: Option<&str> = Some("--");

fn json(text: &str) -> Value {
    Value::from_json(&serde_json::from_str(text).unwrap())
}

fn deep(knockout: Option<&str>, lists: ListOrder, maps_in_lists: MapsInLists) -> Merge {
    Merge::Deep(DeepOptions { knockout_prefix: knockout.map(Arc::from), lists, maps_in_lists })
}

fn plain_deep(knockout: Option<&str>) -> Merge {
    deep(knockout, ListOrder::ByLevel, MapsInLists::Whole)
}

/// The merged value as JSON, `-` if nothing is left, `error` if it cannot be merged.
fn merged(how: &Merge, levels: &[&str]) -> String {
    let values: Vec<Value> = levels.iter().map(|text| json(text)).collect();
    match merge(how, &values) {
        Ok(Some(value)) => serde_json::to_string(&value).unwrap(),
        Ok(None) => "-".to_owned(),
        Err(_) => "error".to_owned(),
    }
}

#[test]
fn the_vectors_of_hiera_give_what_is_proposed() {
    let unique = Merge::Unique;
    let hash = Merge::Hash;
    let table: &[(&str, Merge, &[&str], &str)] = &[
        ("1", plain_deep(KO), &[r#"["--x","n1"]"#, r#"["y"]"#, r#"["x","q"]"#], r#"["q","y","n1"]"#),
        ("2", plain_deep(KO), &[r#"{"--gone":null}"#, r#"{"gone":1}"#, r#"{"gone":2}"#], "{}"),
        ("2 true", plain_deep(KO), &[r#"{"--gone":true}"#, r#"{"gone":1}"#, r#"{"gone":2}"#], "{}"),
        ("3", plain_deep(KO), &[r#"{"k2":"--"}"#, r#"{"k2":2}"#, r#"{"k2":3}"#], "{}"),
        ("4", plain_deep(None), &[r#"{"nul":null}"#, r#"{"nul":5}"#], r#"{"nul":null}"#),
        ("5", unique.clone(), &["[1,[2,3]]", "[2,4]", "5"], "[1,2,3,4,5]"),
        ("6", plain_deep(None), &["[1,[2,3]]", "[2,4]"], "[2,4,1,[2,3]]"),
        ("7 deep", plain_deep(None), &[r#"{"a":1}"#, "[1,2]"], "error"),
        ("7 hash", hash.clone(), &[r#"{"a":1}"#, "[1,2]"], "error"),
        ("8", plain_deep(None), &[r#"{"z":1}"#, r#"{"y":2}"#, r#"{"x":3}"#], r#"{"x":3,"y":2,"z":1}"#),
        (
            "9 position",
            deep(None, ListOrder::ByLevel, MapsInLists::ByPosition),
            &[r#"[{"a":1},{"b":1}]"#, r#"[{"c":1},{"d":1},{"e":1}]"#],
            r#"[{"a":1,"c":1},{"b":1,"d":1},{"e":1}]"#,
        ),
        (
            "9 key",
            deep(None, ListOrder::ByLevel, MapsInLists::ByKey("name".into())),
            &[r#"[{"name":"b","x":1},{"name":"c"}]"#, r#"[{"name":"a"},{"name":"b","x":2,"y":2}]"#],
            r#"[{"name":"a"},{"name":"b","x":1,"y":2},{"name":"c"}]"#,
        ),
        ("10 unique", unique.clone(), &[r#"["d","d","d"]"#], r#"["d"]"#),
        ("10 deep", plain_deep(None), &[r#"["d","d","d"]"#], r#"["d","d","d"]"#),
        (
            "10 in a part",
            plain_deep(None),
            &[r#"{"z":1}"#, r#"{"s":["d","e","d"]}"#],
            r#"{"s":["d","e"],"z":1}"#,
        ),
        (
            "10 in the other",
            plain_deep(None),
            &[r#"{"s":[["d","d"]]}"#, r#"{"z":1}"#],
            r#"{"s":[["d"]],"z":1}"#,
        ),
        ("10 hash", hash.clone(), &[r#"["d","d","d"]"#], "error"),
        ("11", unique.clone(), &[r#"{"a":1}"#], "error"),
        ("12", plain_deep(KO), &[r#"["--x","z"]"#], r#"["z"]"#),
        ("13", Merge::First, &["null", "5"], "null"),
        // further cases
        (
            "hash, top level only",
            hash,
            &[r#"{"a":{"x":1}}"#, r#"{"a":{"y":2},"b":3}"#],
            r#"{"a":{"x":1},"b":3}"#,
        ),
        ("one scalar under unique", unique, &["5"], "[5]"),
        ("all below", plain_deep(KO), &[r#"["--","a"]"#, r#"["b"]"#, r#"["c"]"#], r#"["a"]"#),
        ("added again", plain_deep(KO), &[r#"["x"]"#, r#"["--x"]"#, r#"["x","y"]"#], r#"["y","x"]"#),
        (
            "key added again",
            plain_deep(KO),
            &[r#"{"k":1}"#, r#"{"--k":true}"#, r#"{"k":{"deep":2}}"#],
            r#"{"k":1}"#,
        ),
        ("taken back", plain_deep(KO), &[r#"{"--k":false}"#, r#"{"k":2}"#], r#"{"k":2}"#),
        (
            "inside a map",
            plain_deep(KO),
            &[r#"{"l":["--x"]}"#, r#"{"m":1}"#, r#"{"l":["x","y"]}"#],
            r#"{"l":["y"],"m":1}"#,
        ),
        ("a number", plain_deep(KO), &[r#"["--80"]"#, "[80,443]"], "[443]"),
        ("without a prefix it is text", plain_deep(None), &[r#"["--x"]"#, r#"["x"]"#], r#"["x","--x"]"#),
        ("null below a map hides", plain_deep(None), &[r#"{"a":1}"#, "null", r#"{"b":2}"#], r#"{"a":1}"#),
        ("scalars", plain_deep(None), &["1", "2"], "1"),
        ("nothing left", plain_deep(KO), &[r#""--""#, "5"], "-"),
        ("sorted", deep(None, ListOrder::Sorted, MapsInLists::Whole), &["[3,1]", "[2]"], "[1,2,3]"),
        (
            "sorted, numbers",
            deep(None, ListOrder::Sorted, MapsInLists::Whole),
            &["[3,1.5]", "[2]"],
            "[1.5,2,3]",
        ),
        ("sorted, mixed", deep(None, ListOrder::Sorted, MapsInLists::Whole), &["[3]", r#"["a"]"#], "error"),
    ];
    for (name, how, levels, expected) in table {
        assert_eq!(merged(how, levels), *expected, "vector {name}");
    }
}

#[test]
fn no_values_are_none() {
    for how in [Merge::First, Merge::Unique, Merge::Hash, plain_deep(KO)] {
        assert_eq!(merge(&how, &[]).unwrap(), None);
    }
}

#[test]
fn each_part_of_a_merged_value_keeps_its_place() {
    let at = |file: &str, value: Value| {
        let origin = Arc::new(Origin::locate(&file.into(), "", 0..0));
        let inner = |(key, value): (&Arc<str>, &Value)| (key.clone(), value.clone().at(origin.clone()));
        let map: Map = value.as_map().unwrap().iter().map(inner).collect();
        Value::from(map).at(origin.clone())
    };
    let values = [at("node.toml", json(r#"{"a":1}"#)), at("common.toml", json(r#"{"a":2,"b":3}"#))];
    let merged = merge(&plain_deep(None), &values).unwrap().unwrap();
    let file = |value: &Value| value.origin.as_ref().unwrap().file.to_string();
    assert_eq!(file(&merged), "node.toml");
    assert_eq!(file(merged.get("a").unwrap()), "node.toml");
    assert_eq!(file(merged.get("b").unwrap()), "common.toml");
}

#[test]
fn duplicates_are_what_is_equal_whatever_its_kind() {
    let secret = |text: &str| Value::from(Kind::Sensitive(Sensitive::text(text)));
    let mut all: Vec<Value> =
        ["1", "1.0", "\"1\"", "true", "null", "[1]", "{\"a\":[1,{\"b\":2}]}"].map(json).into();
    all.extend([Value::from(Kind::Float(0.0)), secret("1"), secret("2")]);
    let mut distinct = Distinct::default();
    for round in 0..2 {
        for (at, value) in all.iter().enumerate() {
            assert_eq!(distinct.add(value.clone()), at, "{value:?}, round {round}");
        }
    }
    assert_eq!(distinct.add(Value::from(Kind::Float(-0.0))), 7, "zero is equal to the zero below it");
    assert_eq!(distinct.values, all);
}

#[test]
fn maps_of_one_name_are_merged_the_most_specific_first_and_the_nameless_stay() {
    let how = deep(None, ListOrder::ByLevel, MapsInLists::ByKey("n".into()));
    let levels = [
        r#"[{"n":"a","x":1},{"y":1},{"n":null,"z":1}]"#,
        r#"[{"n":"b","x":2},{"n":"a","x":2,"k":2},{"y":1}]"#,
        r#"[{"n":"a","x":3,"k":3,"l":3},{"n":null,"z":3,"w":3}]"#,
    ];
    let expected = r#"[{"k":2,"l":3,"n":"a","x":1},{"n":null,"w":3,"z":1},{"n":"b","x":2},{"y":1},{"y":1}]"#;
    assert_eq!(merged(&how, &levels), expected);
}

#[test]
fn what_only_one_level_has_is_shared() {
    let values = [json(r#"{"a":{"x":1}}"#), json(r#"{"b":{"y":[1]}}"#)];
    let whole = merge(&plain_deep(None), &values).unwrap().unwrap();
    let is_shared = |key: &str, of: &Value| match (&whole.get(key).unwrap().kind, &of.get(key).unwrap().kind)
    {
        (Kind::Map(one), Kind::Map(other)) => Arc::ptr_eq(one, other),
        _ => false,
    };
    assert!(is_shared("a", &values[0]));
    assert!(!is_shared("b", &values[1]), "the elements of a list may be equal");
}
