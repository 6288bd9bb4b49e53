//! Tests of lookup over small repositories: which values are found, which files are opened, what is refused, and how it
//! is explained.

use holdfast_catalog::catalog::Policy;
use holdfast_catalog::certname::Certname;
use holdfast_catalog::resource::ResourceRef;

use super::*;
use crate::inventory::Inventory;
use crate::lookup::hierarchy::HierarchySettings;
use crate::modules::Modules;
use crate::repo::{Presence, Snapshot};

const INVENTORY: (&str, &str) = (
    "inventory/alpinhost/acme.toml",
    "[\"web1.acme.example\"]\nrole = \"webshop\"\nstage = \"production\"\n",
);
const NGINX: (&str, &str) = (
    "modules/profile/manifests/nginx.toml",
    "[parameters]\n\
     port = { type = \"Integer\", default = 80 }\n\
     names = { type = \"Array[String]\", default = [], merge = \"unique\" }\n\
     vhosts = { type = \"Hash[String, Hash[String, Any]]\", default = {}, merge = { strategy = \"deep\", knockout_prefix = \"--\" } }\n",
);
const TLS: (&str, &str) =
    ("modules/profile/manifests/nginx/tls.toml", "[parameters]\nciphers = { type = \"String\" }\n");
const KEYS: (&str, &str) = (
    "hieradata/keys.toml",
    "smarthost = { type = \"String\" }\nport = { type = \"Integer\" }\nall = { type = \"Array[String]\", merge = \"unique\" }\n\
     one = { type = \"Any\" }\ntwo = { type = \"Any\" }\n\
     db = { type = \"Struct[{user => String, password => Sensitive[String]}]\", merge = \"deep\" }\n\
     users = { type = \"Hash[String, Sensitive[String]]\", merge = \"deep\" }\n\
     plain = { type = \"Hash[String, String]\", merge = \"hash\" }\n",
);

/// A repository of these files beside the fixed ones, and facts as JSON.
struct LookupFixture {
    snapshot: Snapshot,
    data: DataTree,
    node: Arc<Node>,
    facts: Facts,
    problems: Vec<Diagnostic>,
}

impl LookupFixture {
    fn new(files: &[(&str, &str)]) -> Self {
        Self::with_facts(files, "{}")
    }

    fn with_facts(files: &[(&str, &str)], facts: &str) -> Self {
        let fixed = [INVENTORY, NGINX, TLS, KEYS];
        let all = fixed.iter().chain(files).map(|(path, text)| (*path, text.as_bytes()));
        let snapshot = Snapshot::of_files(all);
        let (settings, mut problems) = HierarchySettings::read(&snapshot);
        let (inventory, found) = Inventory::read(&snapshot, &settings.labels);
        problems.extend(found);
        let modules = Modules::read(&snapshot, None);
        problems.extend(modules.problems());
        let (data, found) = DataTree::new(&snapshot, Arc::new(settings), modules);
        problems.extend(found);
        let node = inventory.get(&Certname::parse("web1.acme.example").unwrap()).unwrap().clone();
        let facts = serde_json::from_str(facts).unwrap();
        Self { snapshot, data, node, facts, problems }
    }

    /// Runs with a lookup whose node has these profiles, each of which includes every class.
    fn run<T>(
        &self,
        profiles: &[&str],
        run: impl FnOnce(&Lookup<'_>, &SnapshotReader) -> T,
    ) -> Result<T, Vec<String>> {
        assert!(self.problems.is_empty(), "{:?}", self.problems);
        let profiles =
            |_: Option<&str>| profiles.iter().map(|name| Arc::from(*name)).collect::<Vec<Arc<str>>>();
        let reader = self.snapshot.reader();
        let lookup =
            Lookup::new(&self.data, &reader, &self.node, &self.facts, "main", &profiles).map_err(texts)?;
        Ok(run(&lookup, &reader))
    }

    fn get(&self, key: &str) -> Result<Option<Value>, Vec<String>> {
        let found = self.run(&["profile::nginx"], |lookup, _| lookup.get(key))?;
        found.map_err(|error| texts(error.diagnostics(None)))
    }

    fn json(&self, key: &str) -> String {
        serde_json::to_string(&self.get(key).unwrap().unwrap()).unwrap()
    }

    fn error(&self, key: &str) -> String {
        self.get(key).unwrap_err().join("\n")
    }
}

fn texts(problems: Vec<Diagnostic>) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_most_specific_level_wins_and_says_where() {
    let estate = LookupFixture::new(&[
        ("hieradata/common.toml", "[profile.nginx]\nport = 1\n"),
        ("hieradata/customers/acme.toml", "[profile.nginx]\nport = 2\n"),
        ("hieradata/customers/acme/roles/webshop.toml", "[profile.nginx]\nport = 3\n"),
    ]);
    let found = estate.run(&[], |lookup, _| lookup.get("profile::nginx::port").unwrap().unwrap()).unwrap();
    assert_eq!(found, 3.into());
    let origin = found.origin.unwrap();
    assert_eq!(origin.to_string(), "hieradata/customers/acme/roles/webshop.toml:2:8");
    assert_eq!(origin.level.as_deref(), Some("customer role"));
}

#[test]
fn the_longest_class_takes_the_table_and_the_rest_lies_inside_the_value() {
    let estate = LookupFixture::new(&[(
        "hieradata/common.toml",
        "[profile.nginx]\nvhosts.\"shop.example\".root = \"/srv\"\n[profile.nginx.tls]\nciphers = \"x\"\n",
    )]);
    assert_eq!(estate.json("profile::nginx::tls::ciphers"), "\"x\"");
    assert_eq!(estate.json("profile::nginx::vhosts"), r#"{"shop.example":{"root":"/srv"}}"#);
}

#[test]
fn only_files_on_the_nodes_own_path_are_opened() {
    let estate = LookupFixture::with_facts(
        &[
            ("hieradata/customers/other.toml", "this is [ broken"),
            ("hieradata/nodes/db1.other.example.toml", "broken"),
            ("hieradata/profiles/mail.toml", "broken"),
            ("hieradata/customers/acme.toml", "[profile.nginx]\nport = 2\n"),
            ("hieradata/profiles/nginx.toml", "[profile.nginx]\nnames = [\"a\"]\n"),
        ],
        r#"{"os":{"family":"debian"}}"#,
    );
    let reads = estate.run(&["profile::nginx"], |lookup, reader| {
        lookup.get("profile::nginx::names").unwrap();
        reader.reads()
    });
    let reads = reads.unwrap();
    let opened: Vec<_> =
        reads.iter().filter(|(_, p)| *p == Presence::Opened).map(|(path, _)| &**path).collect();
    assert_eq!(opened, ["hieradata/customers/acme.toml", "hieradata/profiles/nginx.toml"]);
    assert!(reads.iter().any(|(path, p)| &**path == "hieradata/os/debian.toml" && *p == Presence::Absent));
}

#[test]
fn hostile_facts_never_become_a_path() {
    for fact in
        ["../customers/other", "/etc/passwd", ".hidden", "a/b", "${node.certname}", "", "a..b", "x\u{0}y"]
    {
        let facts =
            serde_json::json!({ "os": { "family": fact, "name": "debian", "release": { "major": 12 } } });
        let estate = LookupFixture::with_facts(&[], &facts.to_string());
        let error = estate.run(&[], |_, _| ()).unwrap_err().join("\n");
        assert!(error.contains("the fact `os.family`"), "{fact:?}: {error}");
        assert!(fact.is_empty() || !error.contains(fact), "{error}");
    }
}

#[test]
fn a_level_is_skipped_where_its_fact_is_missing() {
    let files = [("hieradata/os/debian-12.toml", "[profile.nginx]\nport = 12\n")];
    assert_eq!(LookupFixture::new(&files).get("profile::nginx::port"), Ok(None));
    let facts = r#"{"os":{"family":"debian","name":"debian","release":{"major":"12"}}}"#;
    assert_eq!(LookupFixture::with_facts(&files, facts).json("profile::nginx::port"), "12");
}

#[test]
fn two_profiles_that_differ_are_both_named_and_equal_ones_agree() {
    let files = [
        ("hieradata/profiles/nginx.toml", "[profile.nginx]\nport = 1\nnames = [\"a\"]\n"),
        ("hieradata/profiles/shop.toml", "[profile.nginx]\nport = 2\nnames = [\"b\"]\n"),
    ];
    let estate = LookupFixture::new(&files);
    let ask = |profiles: &[&str], key: &str| {
        estate.run(profiles, |lookup, _| lookup.get(key).map_err(|e| e.diagnostics(None))).unwrap()
    };
    let both = ["profile::shop", "profile::nginx"];
    let problems = ask(&both, "profile::nginx::port").unwrap_err();
    assert_eq!(problems[0].origin.as_ref().unwrap().file.as_ref(), "hieradata/profiles/shop.toml");
    assert_eq!(&*problems[0].related[0].0.file, "hieradata/profiles/nginx.toml");
    assert_eq!(ask(&both[..1], "profile::nginx::port").unwrap().unwrap(), 2.into());
    let names = ask(&both, "profile::nginx::names").unwrap().unwrap();
    assert_eq!(serde_json::to_string(&names).unwrap(), r#"["a","b"]"#);
    // a more specific level decides, so the profiles are not read
    let decided =
        [files[0], files[1], ("hieradata/customers/acme/roles/webshop.toml", "[profile.nginx]\nport = 9\n")];
    let found = LookupFixture::new(&decided)
        .run(&both, |lookup, _| lookup.get("profile::nginx::port").unwrap().unwrap());
    assert_eq!(found.unwrap(), 9.into());
}

#[test]
fn keys_that_nobody_reads_are_errors_with_the_nearest_name() {
    for (text, expected) in [
        ("[profile.nginx]\nprot = 1\n", "did you mean `port`?"),
        ("[profile.ngnix]\nport = 1\n", "did you mean `profile::nginx`?"),
        ("smarthots = \"x\"\n", "did you mean `smarthost`?"),
        ("[profile.nginx]\nport = 1\nsmarthost = \"x\"\n", "move `smarthost` above the first header"),
        ("profile = 1\n", "is an integer"),
    ] {
        let error = LookupFixture::new(&[("hieradata/common.toml", text)]).error("profile::nginx::port");
        assert!(error.contains("hieradata/common.toml:") && error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn an_undeclared_key_cannot_be_looked_up() {
    let estate = LookupFixture::new(&[]);
    assert!(estate.error("smarthots").contains("did you mean `smarthost`?"));
    assert!(estate.error("profile::nginx::prot").contains("did you mean `profile::nginx::port`?"));
    assert_eq!(estate.get("smarthost"), Ok(None));
}

#[test]
fn expressions_in_data_see_the_node_and_lookup_keeps_the_type() {
    let estate = LookupFixture::with_facts(
        &[(
            "hieradata/common.toml",
            "port = 8080\nsmarthost = \"mx.${node.customer}.${facts.dom}\"\n[profile.nginx]\nport = \"${lookup('port')}\"\n",
        )],
        r#"{"dom":"example"}"#,
    );
    assert_eq!(estate.json("profile::nginx::port"), "8080");
    assert_eq!(estate.json("smarthost"), "\"mx.acme.example\"");
}

#[test]
fn tenants_levels_see_node_and_facts_alone() {
    let own = ("hieradata/customers/acme.toml", "smarthost = \"${node.certname}\"\n");
    assert_eq!(LookupFixture::new(&[own]).json("smarthost"), "\"web1.acme.example\"");
    let greedy = [
        ("hieradata/common.toml", "port = 1\nsmarthost = \"secret\"\n"),
        ("hieradata/customers/acme.toml", "two = \"${lookup('smarthost')}\"\n"),
    ];
    let error = LookupFixture::new(&greedy).error("port");
    assert!(error.contains("hieradata/customers/acme.toml:1:") && error.contains("lookup"), "{error}");
}

#[test]
fn a_recursion_is_named_with_the_whole_chain_and_its_places() {
    let estate = LookupFixture::new(&[
        ("hieradata/common.toml", "one = \"${lookup('two')}\"\n"),
        ("hieradata/roles/webshop.toml", "two = \"${lookup('one')}\"\n"),
    ]);
    let result = estate.run(&[], |lookup, _| lookup.get("one")).unwrap();
    let problem = result.unwrap_err().diagnostics(None).remove(0);
    assert!(problem.message.contains("`one` → `two` → `one`"), "{}", problem.message);
    let files: Vec<_> =
        problem.origin.iter().chain(problem.related.iter().map(|(o, _)| o)).map(|o| &*o.file).collect();
    assert!(
        files.contains(&"hieradata/common.toml") && files.contains(&"hieradata/roles/webshop.toml"),
        "{files:?}"
    );
}

#[test]
fn what_is_missing_never_becomes_an_empty_string() {
    let estate = LookupFixture::new(&[("hieradata/common.toml", "smarthost = \"x${lookup('port')}\"\n")]);
    assert!(estate.error("smarthost").contains("no level has the key `port`"));
    let map = LookupFixture::new(&[(
        "hieradata/common.toml",
        "one = {a = 1}\nsmarthost = \"x${lookup('one')}\"\n",
    )]);
    assert!(map.error("smarthost").contains("hieradata/common.toml:2:"));
}

#[test]
fn types_are_checked_where_the_data_stands() {
    let estate =
        LookupFixture::new(&[("hieradata/roles/webshop.toml", "[profile.nginx]\nport = \"eighty\"\n")]);
    assert!(estate.error("profile::nginx::port").starts_with("hieradata/roles/webshop.toml:2:8"));
    let merged = LookupFixture::new(&[
        ("hieradata/common.toml", "[profile.nginx]\nnames = [\"a\"]\n"),
        ("hieradata/customers/acme.toml", "[profile.nginx]\nnames = [\"b\", 4]\n"),
    ]);
    assert!(merged.error("profile::nginx::names").starts_with("hieradata/customers/acme.toml:2:15"));
}

#[test]
fn what_cannot_be_merged_is_the_fault_of_the_value_that_is_not_of_the_type() {
    let of_node = "db = { user = \"u\" }\nusers = { a = \"hunter2-a\" }\nplain = { a = \"b\" }\n";
    for wrong in
        ["\"hunter2-x\"", "[\"hunter2-x\"]", "\"${lower('HUNTER2-x')}\"", "[\"${lower('HUNTER2-x')}\"]"]
    {
        let of_customer = format!("db = {wrong}\nusers = {wrong}\nplain = {wrong}\n");
        let estate = LookupFixture::new(&[
            ("hieradata/customers/acme.toml", &of_customer),
            ("hieradata/nodes/web1.acme.example.toml", of_node),
        ]);
        for (line, key) in ["db", "users", "plain"].into_iter().enumerate() {
            let error = estate.error(key);
            let place = format!("hieradata/customers/acme.toml:{}:", line + 1);
            assert!(error.contains(&place) && !error.contains("nodes/"), "{wrong}: {error}");
            assert!(key == "plain" || !error.contains("unter2"), "{wrong}: {error}");
        }
    }
}

#[test]
fn a_level_whose_path_needs_a_label_is_for_the_nodes_that_have_it() {
    let hierarchy = "labels = [\"cluster\"]\n[[hierarchy]]\nname = \"cluster\"\npath = \"clusters/${node.labels.cluster}.toml\"\n\
                     [[hierarchy]]\nname = \"common\"\npath = \"common.toml\"\n";
    let files = [
        ("holdfast.toml", hierarchy),
        ("hieradata/clusters/shop.toml", "port = 1\n"),
        ("hieradata/common.toml", "port = 2\n"),
    ];
    assert_eq!(LookupFixture::new(&files).json("port"), "2");
    let steps = LookupFixture::new(&files).run(&[], |lookup, _| lookup.steps("port").unwrap()).unwrap();
    let skipped =
        |step: &Step| matches!(&step.says, LevelAnswer::Skipped(why) if &**why == "no label cluster");
    assert!(steps.iter().any(skipped), "{steps:?}");
    let labelled = "[\"web1.acme.example\"]\nrole = \"webshop\"\nstage = \"production\"\nlabels = { cluster = \"shop\" }\n";
    let with_label = [&files[..], &[(INVENTORY.0, labelled)]].concat();
    assert_eq!(LookupFixture::new(&with_label).json("port"), "1");
}

#[test]
fn policies_come_from_every_level_the_most_specific_first() {
    let estate = LookupFixture::new(&[
        (
            "hieradata/common.toml",
            "[holdfast]\npolicy = \"enforce\"\npolicies = { \"profile::nginx\" = \"audit\" }\n",
        ),
        (
            "hieradata/nodes/web1.acme.example.toml",
            "[holdfast]\npolicy = \"off\"\npolicies = { \"file[/etc/hosts]\" = \"enforce\" }\n",
        ),
    ]);
    let policies = estate.run(&[], |lookup, _| lookup.policies().unwrap()).unwrap();
    let of = |title: &str, class: &str| {
        policies.of(&ResourceRef::new("file", title), [&policies.inside(Some(class), [])])
    };
    assert_eq!(of("/etc/hosts", "profile::nginx"), Policy::Enforce);
    assert_eq!(of("/x", "profile::nginx"), Policy::Off, "the node's own level says so of everything");
    let typo =
        LookupFixture::new(&[("hieradata/common.toml", "[holdfast]\npolicies = { profile = \"audti\" }\n")]);
    assert!(typo.error("port").contains("there is no class `profile`"));
}

#[test]
fn check_reads_every_file_and_names_those_that_no_level_leads_to() {
    let estate = LookupFixture::new(&[
        ("hieradata/customers/other.toml", "[profile.nginx]\nprot = 1\n"),
        ("hieradata/profiles/nginx/tls.toml", "[profile.nginx]\nport = 1\n"),
        ("hieradata/custmers/acme.toml", "[profile.nginx]\nport = 1\n"),
        ("hieradata/customers/acme/stray.toml", "x = 1\n"),
    ]);
    let found = estate.data.check(&estate.snapshot);
    let level = |file: &str| {
        let origin =
            found.iter().filter_map(|problem| problem.origin.as_ref()).find(|o| o.file.ends_with(file));
        origin.unwrap().level.clone()
    };
    // a stray file of a tenant is that tenant's mistake
    assert_eq!(level("stray.toml").as_deref(), Some("customer role"));
    assert_eq!(level("custmers/acme.toml"), None);
    let found = texts(found);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found[0].contains("custmers/acme.toml") && found[2].contains("customers/other.toml:2:1"),
        "{found:?}"
    );
}

#[test]
fn a_parameter_named_like_a_class_below_is_an_error() {
    let text = "[parameters]\ntls = { type = \"Boolean\", default = true }\n";
    let estate = LookupFixture::new(&[("modules/profile/manifests/nginx.toml", text)]);
    assert!(
        texts(estate.problems)
            .join("\n")
            .contains("parameter `tls` has the same name as `profile::nginx::tls`")
    );
}

#[test]
fn what_is_typed_wrongly_is_never_suggested_and_every_advice_can_be_followed() {
    let define =
        "kind = \"define\"\ndoc = \"A site.\"\n[parameters]\nroot = { type = \"String\", doc = \"Root.\" }\n";
    let estate = LookupFixture::new(&[("modules/profile/manifests/site.toml", define)]);
    let said = |key: &str| estate.error(key);
    assert!(
        said("profile::site::root").contains("`profile::site` is a define"),
        "{}",
        said("profile::site::root")
    );
    assert!(said("profile.nginx.port").contains("did you mean `profile::nginx::port`?"));
    assert!(said("profile.nginx.vhosts.a").contains("look up `profile::nginx::vhosts`"));
    assert!(said("one.a").contains("look up `one`: `a` is inside its value"));
    assert!(said("a.b").contains("CLASS::PARAMETER") && !said("a.b").contains("declare it"));
    assert!(said("profile::nginx").contains("`profile::nginx::port`"));
    assert!(said("profile::nginx::prot").contains("did you mean `profile::nginx::port`?"));
}

#[test]
fn a_key_of_hieras_in_the_data_is_told_where_it_belongs() {
    let estate = LookupFixture::new(&[("hieradata/common.toml", "\"profile::nginx::port\" = 1\n")]);
    let said = texts(estate.data.check(&estate.snapshot)).join("\n");
    assert!(said.contains("write `port = …` under `[profile.nginx]`"), "{said}");
}

#[test]
fn a_declared_key_that_may_be_null_is_null_where_no_level_has_it() {
    let keys = format!("{}maybe = {{ type = \"Optional[String]\" }}\n", KEYS.1);
    let files =
        [("hieradata/keys.toml", &*keys), ("hieradata/common.toml", "one = [\"${lookup('maybe')}\"]\n")];
    assert_eq!(LookupFixture::new(&files).json("one"), "[null]");
}
