//! The order in which classes are included never matters: every permutation gives the same catalog, containers and id,
//! or the same errors.
//!
//! `HOLDFAST_SEEDS=20000` tries more than each test's sample (for the estate, a hundredth of that number);
//! `HOLDFAST_SEED=7` repeats a single one.

use std::collections::BTreeSet;
use std::ops::Range;

use holdfast_catalog::catalog::Catalog;
use holdfast_catalog::graph::NodeIndex;
use holdfast_catalog::random::Random;
use serde_json::Value as Json;

use super::*;
use crate::inventory::Node;
use crate::repo::Directory;

mod repository;
mod shuffle;

use repository::RepositorySpec;

/// How many random repositories, and permutations of the estate, each test tries.
const SAMPLE: u64 = 150;
const ESTATE_SAMPLE: u64 = 4;

fn seeds(sample: u64, share: u64) -> Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("HOLDFAST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HOLDFAST_SEEDS").map_or(sample, |seeds| seeds / share),
    }
}

/// What a node gets, apart from the commit and the places: the catalog or the problems.
fn outcome(program: &Program, node: &Node) -> Result<Json, Vec<String>> {
    let facts = facts_of(program.snapshot(), &node.certname).unwrap().unwrap_or_else(Facts::none);
    match compile(program, node, &facts, "main", KEY) {
        Ok(compiled) => Ok(placeless(&compiled.catalog)),
        Err(problems) => {
            let mut words: Vec<_> = problems.iter().map(words).collect();
            words.sort();
            Err(words)
        }
    }
}

fn placeless(catalog: &Catalog) -> Json {
    let mut json = serde_json::to_value(catalog).unwrap();
    json["commit"] = Json::Null;
    for resource in json["resources"].as_array_mut().unwrap() {
        resource["origin"] = Json::Null;
        resource["sources"] = Json::Null;
    }
    json
}

/// All texts of a problem, without line numbers.
fn words(problem: &Diagnostic) -> String {
    let related = problem.related.iter().map(|(origin, words)| format!("{words} in {}", origin.file));
    let related: BTreeSet<_> = related.collect();
    let Diagnostic { code, message, label, help, origin, .. } = problem;
    let file = origin.as_ref().map(|origin| &*origin.file);
    format!("{code}: {message}, {label:?}, {help:?} in {file:?}; {related:?}")
}

#[test]
fn the_order_of_includes_never_matters_in_the_estate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let snapshot = Directory::new(root).snapshot().unwrap();
    let files: TestFiles =
        snapshot.files().map(|(path, file)| (path.clone(), file.bytes().to_vec())).collect();
    let outcomes = |files: &TestFiles| -> Vec<_> {
        let program = Program::new(&Snapshot::of_files(files.clone()), None);
        program.inventory().nodes().map(|node| (node.certname.clone(), outcome(&program, node))).collect()
    };
    let as_written = outcomes(&files);
    let broken: Vec<_> = as_written.iter().filter(|(_, outcome)| outcome.is_err()).collect();
    assert!(as_written.len() >= 12 && broken.is_empty(), "{broken:?}");
    for seed in seeds(ESTATE_SAMPLE, 100) {
        let mut random = Random::new(seed);
        let mut shuffled = files.clone();
        for (_, bytes) in shuffled.iter_mut().filter(|(path, _)| path.contains("/manifests/")) {
            let text = std::str::from_utf8(bytes).unwrap();
            *bytes = shuffle::manifest(text, &mut random).into_bytes();
        }
        assert_ne!(shuffled, files, "seed {seed}: nothing was moved");
        for ((node, first), (_, second)) in as_written.iter().zip(outcomes(&shuffled)) {
            assert_eq!(*first, second, "seed {seed}, {node}");
        }
    }
}

#[test]
fn the_order_of_includes_never_matters_in_random_repositories() {
    let (mut good, mut bad) = (0, 0);
    for seed in seeds(SAMPLE, 1) {
        let mut random = Random::new(seed);
        let repository = RepositorySpec::random(&mut random);
        let once = |random: &mut Random| {
            let mut files = TestFiles::new();
            read_folder(&golden().join("base"), "", &mut files);
            files.extend(repository.files(random));
            let program = Program::new(&Snapshot::of_files(files), None);
            let node = program.inventory().nodes().next().expect("the base's node");
            outcome(&program, node)
        };
        let first = once(&mut random);
        for round in 0..3 {
            assert_eq!(first, once(&mut random), "seed {seed}, round {round}");
        }
        match first {
            Ok(_) => good += 1,
            Err(_) => bad += 1,
        }
    }
    assert!(good + bad < 100 || (good > 30 && bad > 30), "{good} compile and {bad} do not");
}

/// A catalog, for asking which resource waits for which.
struct WaitGraph(Catalog);

impl WaitGraph {
    fn of(overlay: &[(&str, &str)]) -> Self {
        let snapshot = over_base(overlay);
        match compiled(&snapshot) {
            Ok(compiled) => Self(compiled.catalog),
            Err(problems) => panic!("{}", rendered(&snapshot, &problems)),
        }
    }

    /// The nodes at which a resource or class begins and ends.
    fn ends(&self, name: &str) -> (NodeIndex, NodeIndex) {
        let at = |name: &str| self.0.resources.iter().position(|r| r.reference.to_string() == name);
        let class = |name: &str| self.0.containers.iter().position(|c| c.reference.to_string() == name);
        match (at(name), class(name)) {
            (Some(index), _) => (index.try_into().unwrap(), index.try_into().unwrap()),
            (_, Some(index)) => self.0.container_nodes(index.try_into().unwrap()),
            _ => panic!("there is no {name}"),
        }
    }

    /// Whether `one` waits for all of `other`.
    fn waits(&self, one: &str, other: &str) -> bool {
        self.0.graph().reaches(self.ends(other).1, self.ends(one).0)
    }

    fn container(&self, name: &str) -> Option<String> {
        let of_resource =
            self.0.resources.iter().find(|r| r.reference.to_string() == name).map(|r| r.container);
        let of_class =
            || self.0.containers.iter().find(|c| c.reference.to_string() == name).map(|c| c.container);
        let index = of_resource.or_else(of_class).unwrap_or_else(|| panic!("there is no {name}"))?;
        Some(self.0.containers[index as usize].reference.to_string())
    }

    fn tags(&self, name: &str) -> Vec<&str> {
        let resource = self.0.resources.iter().find(|r| r.reference.to_string() == name).unwrap();
        resource.tags.iter().map(|tag| &**tag).collect()
    }
}

const ROLE: &str = "modules/role/manifests/web.toml";

#[test]
fn a_class_that_several_include_waits_for_what_they_have_in_common_and_is_waited_for_with_each() {
    let waits = WaitGraph::of(&[
        (ROLE, "include = [\"profile::web\", \"profile::front\", \"profile::last\"]"),
        ("modules/profile/manifests/web.toml", "include = [\"nginx\"]\n[notify.web]\n"),
        ("modules/profile/manifests/front.toml", "include = [\"nginx\"]\n[notify.front]\n"),
        (
            "modules/profile/manifests/last.toml",
            "[notify.first]\nbefore = \"class[profile::web]\"\n\
             [notify.last]\nrequire = \"class[profile::front]\"\n",
        ),
    ]);
    assert_eq!(waits.container("class[nginx]").as_deref(), Some("class[role::web]"));
    assert!(waits.waits("notify[web]", "notify[first]"));
    assert!(!waits.waits("package[nginx]", "notify[first]"), "only one of the two waits for it");
    assert!(waits.waits("notify[last]", "package[nginx]"));
}

#[test]
fn what_all_who_include_a_class_wait_for_the_class_waits_for_unless_it_comes_first() {
    let first = "[notify.first]\nbefore = [\"class[profile::web]\", \"class[profile::front]\"]\n";
    let between = "[notify.between]\nrequire = \"package[nginx]\"\n\
                   before = [\"class[profile::web]\", \"class[profile::front]\"]\n";
    let waits = WaitGraph::of(&[
        (ROLE, "include = [\"profile::web\", \"profile::front\", \"profile::last\"]"),
        ("modules/profile/manifests/web.toml", "include = [\"nginx\"]\n[notify.web]\n"),
        ("modules/profile/manifests/front.toml", "include = [\"nginx\"]\n[notify.front]\n"),
        ("modules/profile/manifests/last.toml", &format!("{first}{between}")),
    ]);
    assert!(waits.waits("package[nginx]", "notify[first]"));
    assert!(waits.waits("notify[between]", "package[nginx]"));
    assert!(waits.waits("notify[web]", "notify[between]"));
}

#[test]
fn a_class_that_one_includes_lies_in_it() {
    let waits = WaitGraph::of(&[
        (ROLE, "include = [\"profile::web\", \"profile::last\"]"),
        ("modules/profile/manifests/web.toml", "include = [\"nginx\"]\n"),
        ("modules/profile/manifests/last.toml", "[notify.first]\nbefore = \"class[profile::web]\"\n"),
    ]);
    assert_eq!(waits.container("class[nginx]").as_deref(), Some("class[profile::web]"));
    assert!(waits.waits("package[nginx]", "notify[first]"));
}

#[test]
fn a_resource_that_several_declare_lies_in_what_holds_them_all_and_has_the_tags_of_all() {
    let shared = "[file.\"/etc/shared\"]\ncontent = \"x\"\n";
    let (front, web) = (format!("{shared}tag = \"front\"\n"), format!("{shared}tag = \"web\"\n"));
    let last = "[notify.first]\nbefore = \"class[profile::web]\"\n[notify.last]\nrequire = \"class[profile::front]\"\n";
    let waits = WaitGraph::of(&[
        (ROLE, "include = [\"profile::web\", \"profile::front\", \"profile::last\"]"),
        ("modules/profile/manifests/web.toml", &web),
        ("modules/profile/manifests/front.toml", &front),
        ("modules/profile/manifests/last.toml", last),
    ]);
    assert_eq!(waits.container("file[/etc/shared]").as_deref(), Some("class[role::web]"));
    assert!(!waits.waits("file[/etc/shared]", "notify[first]"));
    assert!(waits.waits("notify[last]", "file[/etc/shared]"));
    assert_eq!(waits.tags("file[/etc/shared]"), ["front", "web"]);
}

#[test]
fn classes_that_include_each_other_compile_and_order_nothing() {
    let waits = WaitGraph::of(&[
        (ROLE, "include = [\"profile::web\", \"profile::front\"]"),
        ("modules/profile/manifests/web.toml", "include = [\"profile::front\"]\n[notify.web]\n"),
        ("modules/profile/manifests/front.toml", "include = [\"profile::web\"]\n[notify.front]\n"),
    ]);
    for class in ["class[profile::web]", "class[profile::front]"] {
        assert_eq!(waits.container(class).as_deref(), Some("class[role::web]"));
    }
    let (web, front) = ("notify[web]", "notify[front]");
    assert!(!waits.waits(web, front) && !waits.waits(front, web));
}

#[test]
fn what_is_given_reaches_a_class_through_a_row_of_classes_that_have_the_wrong_order() {
    let mut files = vec![(ROLE.to_owned(), String::new())];
    let names: Vec<_> = (0..9).rev().map(|index| format!("profile::p{index}")).collect();
    files[0].1 = format!("include = {names:?}");
    for (name, next) in names.iter().zip(names.iter().skip(1).map(Some).chain([None])) {
        let gives =
            next.map(|next| format!("[class.\"{next}\"]\nport = \"${{port}}\"\n")).unwrap_or_default();
        let own = if next == Some(&names[1]) { "8080" } else { "1" };
        let text = format!(
            "[parameters]\nport = {{ type = \"Port\", default = {own}, doc = \"A port.\" }}\n{gives}\
             [notify.\"{name}\"]\nmessage = \"port ${{port}}\"\n"
        );
        let path = name.strip_prefix("profile::").unwrap();
        files.push((format!("modules/profile/manifests/{path}.toml"), text));
    }
    let overlay: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let catalog = WaitGraph::of(&overlay).0;
    let said: BTreeSet<_> = catalog.resources.iter().map(|r| r.attributes["message"].shown()).collect();
    assert_eq!((catalog.resources.len(), said.len()), (9, 1), "{said:?}");
}

#[test]
fn classes_may_stand_as_deep_in_each_other_as_they_like() {
    const DEEP: usize = 200;
    let mut files = vec![(ROLE.to_owned(), "include = [\"profile::p0\"]\n".to_owned())];
    for index in 0..DEEP {
        let text = format!("include = [\"profile::p{}\"]\n[notify.n{index}]\n", index + 1);
        files.push((format!("modules/profile/manifests/p{index}.toml"), text));
    }
    files.push((format!("modules/profile/manifests/p{DEEP}.toml"), "[notify.last]\n".to_owned()));
    let overlay: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let waits = WaitGraph::of(&overlay);
    assert_eq!(waits.container("notify[last]"), Some(format!("class[profile::p{DEEP}]")));
}
