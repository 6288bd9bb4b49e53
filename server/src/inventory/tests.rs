//! Tests of nodes with their places, and of contradictions.

use super::*;

fn read(files: &[(&str, &str)]) -> (Inventory, String) {
    let snapshot = Snapshot::of_files(files.iter().map(|(path, text)| (*path, text.as_bytes())));
    let (inventory, problems) = Inventory::read(&snapshot, &BTreeSet::from(["cluster".into()]));
    (inventory, problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

const NODE: &str = "[\"web1.acme.example\"]\nrole = \"webshop\"\nstage = \"test\"\n";

#[test]
fn a_node_has_its_owners_by_the_path() {
    let text = format!("{NODE}labels = {{ cluster = \"shop\" }}\n");
    let (inventory, problems) = read(&[("inventory/alpinhost/acme.toml", &text)]);
    assert_eq!(problems, "");
    let node = inventory.nodes().next().unwrap();
    assert_eq!(
        (node.reseller.as_str(), node.customer.as_str(), &*node.role),
        ("alpinhost", "acme", "webshop")
    );
    assert_eq!(node.stage, Stage::Test);
    assert_eq!(node.origin.to_string(), "inventory/alpinhost/acme.toml:1:2");
    let value = node.to_value("main");
    assert_eq!(
        value.as_map().unwrap().keys().map(|key| &**key).collect::<Vec<_>>(),
        holdfast_catalog::manifest_words::NODE
    );
    assert_eq!(value.at_path(["labels", "cluster"]).and_then(Value::as_str), Some("shop"));
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_the_node_is_left_out() {
    for (text, expected) in [
        ("[web1.acme.example]\nrole = \"a\"\nstage = \"test\"\n", "a name with dots is quoted"),
        ("[\"Web1.acme\"]\nrole = \"a\"\nstage = \"test\"\n", "`Web1.acme` is not a certname"),
        ("[\"a.b\"]\nrole = \"a\"\n", "node `a.b` has no `stage`"),
        ("[\"a.b\"]\nrole = \"../x\"\nstage = \"test\"\n", "`../x` is not a role"),
        ("[\"a.b\"]\nrole = \"a\"\nstage = \"prod\"\n", "a stage is one of test, integration, production"),
        ("[\"a.b\"]\nrole = \"a\"\nstage = \"test\"\nlabel = {}\n", "did you mean `labels`?"),
        (
            "[\"a.b\"]\nrole = \"a\"\nstage = \"test\"\nlabels = { clutser = \"x\" }\n",
            "did you mean `cluster`?",
        ),
        ("[\"a.b\"]\nrole = \"a\"\nstage = \"test\"\nlabels = { cluster = \"../x\" }\n", "is not a name"),
    ] {
        let (inventory, problems) = read(&[("inventory/r/c.toml", text)]);
        assert!(
            problems.contains("inventory/r/c.toml:") && problems.contains(expected),
            "{text}: {problems}"
        );
        assert_eq!(inventory.nodes().count(), 0, "{text}");
    }
}

#[test]
fn a_node_and_a_customer_belong_to_one_place_alone() {
    let (_, problems) = read(&[("inventory/a/one.toml", NODE), ("inventory/a/two.toml", NODE)]);
    assert!(
        problems.contains("inventory/a/two.toml:1:2: node `web1.acme.example` is listed twice"),
        "{problems}"
    );
    let (inventory, problems) = read(&[("inventory/a/acme.toml", NODE), ("inventory/b/acme.toml", "")]);
    assert!(problems.contains("customer `acme` already belongs to `a`"), "{problems}");
    assert_eq!(inventory.nodes().count(), 1);
}

#[test]
fn files_elsewhere_in_the_inventory_are_errors() {
    let (_, problems) = read(&[("inventory/loose.toml", NODE), ("inventory/a/B!.toml", NODE)]);
    assert!(problems.contains("inventory/RESELLER/CUSTOMER.toml") && problems.contains("`B!`"), "{problems}");
}
