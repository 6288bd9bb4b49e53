//! The tree's own modules: each class compiles alone, and every one is used by a machine of the estate.

use std::collections::{BTreeMap, BTreeSet};

use harness::binaries::workspace;
use harness::estate;
use holdfast_catalog::certname::Certname;
use holdfast_server::{Directory, Presence, Program, Snapshot, compile, facts_of};
use toml::{Table, Value};

/// Values for the required parameters of classes.
const GIVEN: [(&str, &str); 4] = [
    ("borg", "host = \"backup.example\""),
    ("postgresql", "version = \"15\""),
    ("rsyslog::forward", "server = \"log.example\""),
    ("shop", "name = \"Shop\"\ngreeting = \"Hello.\""),
];

/// Values for a class on its own, as data.
pub fn given(class: &str) -> &'static str {
    GIVEN.iter().find(|(known, _)| *known == class).map_or("", |(_, given)| given)
}

#[test]
fn every_class_stands_alone() {
    let estate = Directory::new(workspace()).snapshot().unwrap();
    for class in classes(&estate) {
        let added = estate::role_of_one("alone", &class, given(&class));
        // Without the estate's data, as a new user has them.
        let kept =
            estate.files().filter(|(path, _)| path.starts_with("modules/") || path.starts_with("facts/"));
        let mut files: BTreeMap<String, Vec<u8>> =
            kept.map(|(path, file)| (path.to_string(), file.bytes().to_vec())).collect();
        files.extend(added.map(|(path, text)| (path, text.into_bytes())));
        compile_alone(&class, &Snapshot::of_files(files));
    }
}

fn compile_alone(class: &str, estate: &Snapshot) {
    let program = Program::new(estate, None);
    let node = program.inventory().get(&"alone.nordops.example".parse().unwrap()).unwrap().clone();
    let facts = facts_of(estate, &node.certname).unwrap().unwrap();
    compile(&program, &node, &facts, "main", b"").unwrap_or_else(|problems| {
        let problems: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
        panic!("{class} alone:\n{problems}")
    });
}

/// All classes of modules except roles and profiles, which combine modules.
pub fn classes(estate: &Snapshot) -> Vec<String> {
    let manifests = estate.files().filter_map(|(path, file)| {
        let parts: Vec<&str> = path.split('/').collect();
        let ["modules", module, "manifests", ..] = parts[..] else { return None };
        let manifest: Table = std::str::from_utf8(file.bytes()).unwrap().parse().unwrap();
        let is_class = manifest.get("kind").and_then(Value::as_str) != Some("define");
        (is_class && !["role", "profile"].contains(&module)).then(|| unit_name(module, path))
    });
    manifests.collect()
}

/// The lists that operators keep: a machine that is added must be added there too.
#[test]
fn every_machine_is_watched_backed_up_and_known_by_name() {
    let estate = Directory::new(workspace()).snapshot().unwrap();
    let read = |path: &str| -> Table {
        std::str::from_utf8(estate.get(path).unwrap().bytes()).unwrap().parse().unwrap()
    };
    let operations = read("hieradata/roles/operations.toml");
    let names = read("hieradata/customers/nordops.toml");
    let watched = operations["profile"]["prometheus"]["machines"].as_array().unwrap();
    let backed_up = operations["borg"]["server"]["clients"].as_table().unwrap();
    let zones = names["profile"]["nameserver"]["zones"].as_table().unwrap();
    let mut forgotten = Vec::new();
    for node in Program::new(&estate, None).inventory().nodes() {
        let name = node.certname.as_str();
        let (host, zone) = name.split_once('.').unwrap();
        let records = zones.get(zone).and_then(|zone| zone.get("records"));
        let known = [
            ("profile.prometheus.machines", watched.iter().any(|machine| machine.as_str() == Some(name))),
            ("borg.server.clients", backed_up.contains_key(name) || &*node.role == "operations"),
            ("a zone", records.and_then(|records| records.get(host)).is_some()),
        ];
        forgotten.extend(known.iter().filter(|(_, is_in)| !is_in).map(|(list, _)| format!("{name}: {list}")));
    }
    assert!(forgotten.is_empty(), "machines of the inventory are missing:\n{}", forgotten.join("\n"));
}

/// What the machines use: files by path, with the machines that read them, and classes and defines by name, with the
/// machines that have them.
#[derive(Default)]
struct Used {
    files: BTreeMap<String, BTreeSet<Certname>>,
    units: BTreeMap<String, BTreeSet<Certname>>,
}

#[test]
fn every_manifest_template_file_and_value_is_of_use_to_a_machine() {
    let estate = Directory::new(workspace()).snapshot().unwrap();
    let used = Used::of(&estate);
    let mut unread: Vec<String> = Vec::new();
    for (path, file) in estate.files() {
        let parts: Vec<&str> = path.split('/').collect();
        match parts[..] {
            ["modules", module, "manifests", ..] => {
                let name = unit_name(module, path);
                unread.extend((!used.units.contains_key(&name)).then(|| path.to_string()));
            }
            // Made from the manifests, for people.
            ["modules", _, "README.md"] => {}
            ["modules", ..] | ["hieradata", "os" | "stages" | "roles" | "profiles" | "resellers", ..] => {
                unread.extend((!used.files.contains_key(&**path)).then(|| path.to_string()));
            }
            _ => {}
        }
        if path.starts_with("hieradata/") {
            unread.extend(used.idle_keys(path, std::str::from_utf8(file.bytes()).unwrap()));
        }
    }
    assert!(unread.is_empty(), "of no use to any machine of the inventory:\n{}", unread.join("\n"));
}

impl Used {
    fn of(estate: &Snapshot) -> Self {
        let program = Program::new(estate, None);
        let mut used = Self::default();
        for node in program.inventory().nodes() {
            let facts = facts_of(estate, &node.certname).unwrap().expect("the estate has facts for all");
            let compiled = compile(&program, node, &facts, "main", b"").unwrap_or_else(|problems| {
                panic!("{}: {}", node.certname, problems.iter().map(|p| format!("{p}\n")).collect::<String>())
            });
            for (path, presence) in compiled.reads.files {
                if presence == Presence::Opened {
                    used.files.entry(path.to_string()).or_default().insert(node.certname.clone());
                }
            }
            for container in compiled.catalog.containers {
                let reference = container.reference;
                let name =
                    if &*reference.type_name == "class" { reference.title } else { reference.type_name };
                used.units.entry(name.to_string()).or_default().insert(node.certname.clone());
            }
        }
        used
    }

    /// The keys of a data file for classes that none of the file's readers has.
    fn idle_keys(&self, path: &str, text: &str) -> Vec<String> {
        let data: Table = text.parse().unwrap();
        let mut classes = Vec::new();
        self.classes_in(&data, "", &mut classes);
        let none = BTreeSet::new();
        let readers = self.files.get(path).unwrap_or(&none);
        let is_idle = |class: &String| self.units.get(class).is_none_or(|nodes| nodes.is_disjoint(readers));
        classes.into_iter().filter(is_idle).map(|class| format!("{path}: values of `{class}`")).collect()
    }

    /// The classes that a table has values for: the class of that name if it has such a parameter, otherwise classes
    /// below it. If there is no such class, the longest name is given.
    fn classes_in(&self, table: &Table, prefix: &str, into: &mut Vec<String>) {
        for (key, value) in table {
            let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}::{key}") };
            match value {
                Value::Table(inner) if self.is_class_or_above(&name) => self.classes_in(inner, &name, into),
                Value::Table(_) if prefix.is_empty() && key == "holdfast" => {}
                _ if !into.iter().any(|known| known == prefix) => into.push(prefix.to_owned()),
                _ => {}
            }
        }
    }

    fn is_class_or_above(&self, name: &str) -> bool {
        let inside = format!("{name}::");
        self.units.keys().any(|unit| unit == name || unit.starts_with(&inside))
    }
}

/// The class or define of a manifest: `modules/profile/manifests/web/tls.toml` is `profile::web::tls`, and `init.toml`
/// is the module itself.
fn unit_name(module: &str, path: &str) -> String {
    let inner = path.split_once("/manifests/").unwrap().1.trim_end_matches(".toml");
    if inner == "init" { module.to_owned() } else { format!("{module}::{}", inner.replace('/', "::")) }
}
