//! Tests of which levels are refused, and which paths belong to which level.

use crate::lookup::hierarchy::HierarchySettings;
use crate::repo::Snapshot;

fn problems(text: &str) -> String {
    let (_, problems) = HierarchySettings::read(&Snapshot::of_files([("holdfast.toml", text.as_bytes())]));
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_default_hierarchy_reads_without_a_problem() {
    let settings = HierarchySettings::default();
    let names: Vec<_> = settings.levels.iter().map(|level| &*level.name).collect();
    assert_eq!(
        names,
        ["node", "customer role", "profile", "role", "customer", "reseller", "stage", "os", "common"]
    );
    assert_eq!(settings.levels[7].paths.len(), 2);
    assert_eq!(problems("labels = [\"cluster\"]"), "");
}

#[test]
fn levels_that_could_mislead_are_refused_with_a_place() {
    let level = |inner: &str| problems(&format!("[[hierarchy]]\nname = \"x\"\n{inner}\n"));
    for (inner, expected) in [
        ("path = \"../${node.role}.toml\"", "is not a path of a file below"),
        ("path = \"/etc/x.toml\"", "is not a path of a file below"),
        ("path = \"${node.custmer}.toml\"", "`node.custmer` cannot be used in a path"),
        ("path = \"${facts.os.family.toml\"", "a `${` is not closed"),
        ("path = \"${facts.x}.toml\"\ntenant = true", "must not contain a fact"),
        ("path = \"a.toml\"\npaths = [\"b.toml\"]", "not both"),
        ("glob = \"*.toml\"\npath = \"a.toml\"", "`glob` is not supported in this version"),
        ("paht = \"a.toml\"", "did you mean `path`?"),
        ("path = \"${node.labels.rack}.toml\"", "label `rack` is not declared"),
        ("path = \"a.toml\"\nlabels = []", "above the first header"),
    ] {
        let found = level(inner);
        assert!(found.contains("holdfast.toml:") && found.contains(expected), "{inner}: {found}");
    }
    let twice = "[[hierarchy]]\nname = \"x\"\npath = \"a.toml\"\n".repeat(2);
    assert!(problems(&twice).contains("level `x` is listed twice"));
    let typo =
        "labels = [\"cluster\"]\n[[hierarchy]]\nname = \"x\"\npath = \"${node.labels.clutser}.toml\"\n";
    assert!(
        problems(typo).starts_with("holdfast.toml:4:") && problems(typo).contains("`cluster`"),
        "{}",
        problems(typo)
    );
}

#[test]
fn a_fact_matches_only_what_a_fact_may_be() {
    let text = "[[hierarchy]]\nname = \"rack\"\npath = \"racks/${facts.rack}.toml\"\n";
    let (settings, _) = HierarchySettings::read(&Snapshot::of_files([("holdfast.toml", text.as_bytes())]));
    let could_be = |path: &str| settings.levels[0].paths[0].could_be(path);
    assert!(could_be("hieradata/racks/z1.b_c-d.toml"));
    for never in ["zürich", "-a", "a..b", "a b", ".a", &"a".repeat(65)] {
        assert!(!could_be(&format!("hieradata/racks/{never}.toml")), "{never}");
    }
}

#[test]
fn names_match_one_segment_and_a_profile_several() {
    let settings = HierarchySettings::default();
    let level = |path: &str| {
        let leads = |level: &&crate::lookup::hierarchy::Level| level.paths.iter().any(|p| p.could_be(path));
        settings.levels.iter().find(leads).map(|level| level.name.to_string())
    };
    assert_eq!(level("hieradata/customers/acme.toml").as_deref(), Some("customer"));
    assert_eq!(level("hieradata/customers/acme/roles/db.toml").as_deref(), Some("customer role"));
    assert_eq!(level("hieradata/profiles/web/tls.toml").as_deref(), Some("profile"));
    assert_eq!(level("hieradata/customers/acme/other/db.toml"), None);
    assert_eq!(level("hieradata/nodes/.toml"), None);
}
