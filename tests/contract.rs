//! The contract of every resource type, tested on a booted host: a change from outside is found, alone and as drift; an
//! audit leaves the machine untouched; enforcing corrects exactly that change, and then nothing is left to do.
//!
//! The types come from the registry, and the changes from `agent/contract/<type>.toml`; the agent's own tests check
//! that no property is missing there.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::binaries::workspace;
use harness::lab::{self, Host, PROGRAMS_AT};
use harness::skip;
use holdfast_catalog::catalog::{Catalog, CatalogId, Policy, Resource};
use holdfast_catalog::certname::Certname;
use holdfast_catalog::graph::{Edge, EdgeKind};
use holdfast_catalog::report::{Cause, Event, Report, Status};
use holdfast_catalog::resource::{Attributes, ResourceRef, TypeDef, definitions};
use holdfast_catalog::value::{Kind, Sensitive, Value};
use serde::Deserialize;

/// The cases of one type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContractTable {
    #[serde(default)]
    case: Vec<Case>,
}

/// A resource that is created and then changed from outside. The field for its requirements is not read: a host has
/// everything.
#[derive(Deserialize)]
struct Case {
    title: String,
    attributes: toml::Table,
    /// Resources that are applied before it.
    #[serde(default)]
    also: Vec<Companion>,
    /// Why a host of the lab cannot test it.
    unproven: Option<String>,
    /// The attributes with secret values.
    #[serde(default)]
    secrets: BTreeSet<String>,
    /// A script that makes what the resource depends on.
    #[serde(default)]
    before: String,
    alter: Vec<Alteration>,
}

/// A resource besides the one that a case is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Companion {
    r#type: String,
    title: String,
    attributes: toml::Table,
}

/// A property that is changed from outside.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alteration {
    /// The property that must be reported.
    property: String,
    /// A script that changes it.
    by: String,
    /// A script that succeeds only if it has the wanted value, using the machine's own tools and not the agent.
    corrected: String,
    /// The previous value that the report must have.
    is: Option<String>,
}

/// The hosts that share the types: most of the time is spent waiting for the types' tools.
const HOSTS: [&str; 2] = ["contract1.acme.example", "contract2.acme.example"];

#[test]
fn what_is_altered_is_seen_alone_and_corrected_alone() {
    let Some(lab) = lab::shared() else { return };
    let hosts = lab.boot(&HOSTS).expect("hosts boot");
    let asked_for: Vec<&TypeDef> = definitions().iter().filter(|def| is_asked_for(def)).collect();
    let next = AtomicUsize::new(0);
    let broken = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for host in &hosts {
            scope.spawn(|| {
                while let Some(def) = asked_for.get(next.fetch_add(1, Ordering::Relaxed)) {
                    broken.lock().expect("nobody panics with it").extend(broken_by(def, host));
                }
            });
        }
    });
    let broken = broken.into_inner().expect("nobody panics with it");
    assert!(broken.is_empty(), "{} cases broke the contract:\n{}", broken.len(), broken.join("\n\n"));
}

/// The violations of the contract by a type on a host, case by case.
fn broken_by(def: &'static TypeDef, host: &Host) -> Vec<String> {
    let mut broken = Vec::new();
    for (number, case) in table(def).case.iter().enumerate() {
        if let Some(why) = &case.unproven {
            skip::unproven(&format!("{}[{}]", def.name, case.title), why);
            continue;
        }
        let trial = Trial { host, def, case, folder: format!("{PLACE}/{}-{number}", def.name) };
        if let Err(why) = trial.run() {
            broken.push(format!("{}[{}], case {number}: {why}", def.name, case.title));
        }
    }
    broken
}

/// Whether a type is to be tested: all are, or those in `HOLDFAST_CONTRACT`, for those who work on one of them.
fn is_asked_for(def: &TypeDef) -> bool {
    std::env::var("HOLDFAST_CONTRACT").map_or(true, |names| names.split(',').any(|name| name == def.name))
}

fn table(def: &TypeDef) -> ContractTable {
    let path = workspace().join("agent/contract").join(def.name).with_extension("toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // On a host, the root is `/`.
    toml::from_str(&text.replace("${ROOT}", "")).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folder of catalogs, reports and states, which is not watched.
const PLACE: &str = "/var/lib/holdfast/contract";

/// Prints everything that a case could touch: files with their times, and the service that cases use. The machine's own
/// folders that hosts can see are left out.
const LOOK: &str = r"
find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/cache -o -path /var/log \
    -o -path /opt/holdfast/bin -o -path /srv/lab-repository -o -path /var/lib/holdfast -o -path /var/lib/systemd \) -prune -o -printf '%p %y %m %U %G %s %l %T@ %C@\n' | sort
systemctl show holdfast-sample.service -p ActiveState -p MainPID -p UnitFileState -p InvocationID -p StateChangeTimestamp
";

/// A case on a host.
struct Trial<'a> {
    host: &'a Host,
    def: &'static TypeDef,
    case: &'a Case,
    folder: String,
}

type Outcome = Result<(), String>;

impl Trial<'_> {
    fn run(&self) -> Outcome {
        self.sh(&format!("mkdir -p -m 700 {}", self.folder))?;
        self.sh(&self.case.before)?;
        let catalog = serde_json::to_vec(&self.catalog()).map_err(|error| error.to_string())?;
        self.host.write(&format!("{}/catalog.json", self.folder), catalog).map_err(|e| e.to_string())?;
        self.apply(&[])?;
        self.expect_nothing_to_do("after the first run")?;
        for alteration in &self.case.alter {
            self.alter(alteration)
                .map_err(|why| format!("{} by `{}`: {why}", alteration.property, alteration.by))?;
        }
        Ok(())
    }

    fn alter(&self, alteration: &Alteration) -> Outcome {
        self.sh(&alteration.corrected).map_err(|why| format!("was not as wanted before: {why}"))?;
        self.sh(&alteration.by)?;
        if self.sh(&alteration.corrected).is_ok() {
            return Err("altered nothing".to_owned());
        }
        self.sh(&format!("{{ {LOOK} }} >/run/before"))?;
        let audited = self.apply(&["--audit"])?;
        let touched =
            self.sh(&format!("{{ {LOOK} }} >/run/after; diff -U0 /run/before /run/after | head -n 20"))?;
        if !touched.is_empty() {
            return Err(format!("the audit touched the machine:\n{touched}"));
        }
        self.expect(&audited, alteration, Status::WouldChange)?;
        let corrected = self.apply(&[])?;
        self.expect(&corrected, alteration, Status::Changed)?;
        self.sh(&alteration.corrected).map_err(|why| format!("was not corrected: {why}"))?;
        self.expect_nothing_to_do("after it was corrected")
    }

    fn expect_nothing_to_do(&self, when: &str) -> Outcome {
        let report = self.apply(&[])?;
        match off(&report).next() {
            None => Ok(()),
            Some(_) => Err(format!("something to do {when}: {:#?}", report.events)),
        }
    }

    /// Checks that exactly this property is reported, as drift.
    fn expect(&self, report: &Report, alteration: &Alteration, status: Status) -> Outcome {
        let events: Vec<&Event> = off(report).collect();
        let is_it = |event: &Event| {
            event.property.as_deref() == Some(&alteration.property)
                && event.status == status
                && event.cause == Some(Cause::Corrective)
                && alteration.is.as_deref().is_none_or(|is| event.is.as_deref().unwrap_or_default() == is)
        };
        match events[..] {
            [event] if is_it(event) => self.keeps_secrets(report),
            _ => Err(format!("one {status:?} was expected, of {:?}: {events:#?}", alteration.is)),
        }
    }

    fn keeps_secrets(&self, report: &Report) -> Outcome {
        let report = serde_json::to_string(report).map_err(|error| error.to_string())?;
        let shown = self.case.secrets.iter().find(|name| {
            self.case
                .attributes
                .get(*name)
                .and_then(toml::Value::as_str)
                .is_some_and(|text| report.contains(text))
        });
        shown.map_or(Ok(()), |name| Err(format!("the report shows the secret `{name}`")))
    }

    fn apply(&self, options: &[&str]) -> Result<Report, String> {
        let folder = &self.folder;
        let (catalog, report) = (format!("{folder}/catalog.json"), format!("{folder}/report.json"));
        let (state, agent) = (format!("{folder}/state"), format!("{PROGRAMS_AT}/holdfast-agent"));
        let command = [&agent, "--state-dir", &state, "apply", "--catalog", &catalog, "--report", &report];
        let command: Vec<&str> = command.iter().chain(options).copied().collect();
        let output = self.host.exec(&command).map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("{options:?} {}:\n{}{}", output.status, output.stdout, output.stderr));
        }
        let report = self.host.read(&report).map_err(|error| error.to_string())?;
        serde_json::from_slice(&report).map_err(|error| error.to_string())
    }

    fn sh(&self, script: &str) -> Result<String, String> {
        self.host.sh(script).map_err(|error| error.to_string())
    }

    fn catalog(&self) -> Catalog {
        let also = self.case.also.iter();
        let also = also
            .map(|other| (ResourceRef::new(&*other.r#type, &*other.title), attributes(&other.attributes)));
        let own = (ResourceRef::new(self.def.name, &*self.case.title), self.attributes());
        let resource = |(reference, attributes)| Resource {
            reference,
            attributes,
            policy: Policy::Enforce,
            container: None,
            tags: Vec::new(),
            origin: None,
            sources: Default::default(),
        };
        let resources: Vec<Resource> = also.chain([own]).map(resource).collect();
        let order = |(to, from)| Edge { from, to, kind: EdgeKind::Order };
        let edges = (1..).zip(0..).take(resources.len() - 1).map(order).collect();
        let mut catalog = Catalog {
            id: CatalogId::unknown(),
            certname: Certname::parse(self.host.certname()).expect("the lab's names are certnames"),
            commit: "contract".into(),
            environment: "directory".to_owned(),
            resources,
            containers: Vec::new(),
            edges,
        };
        catalog.id = catalog.compute_id(b"contract");
        catalog
    }

    fn attributes(&self) -> Attributes {
        let mut attributes = attributes(&self.case.attributes);
        for name in &self.case.secrets {
            let text =
                attributes.get(name.as_str()).and_then(Value::scalar_text).expect("a secret is a text");
            attributes.insert(name.as_str().into(), Kind::Sensitive(Sensitive::text(text)).into());
        }
        attributes
    }
}

fn attributes(table: &toml::Table) -> Attributes {
    let value = |(name, value): (&String, &toml::Value)| {
        let value = serde_json::to_value(value).and_then(serde_json::from_value);
        (name.as_str().into(), value.expect("what TOML can say, a value can"))
    };
    table.iter().map(value).collect()
}

/// The events about what was not as it should be, without notes.
fn off(report: &Report) -> impl Iterator<Item = &Event> {
    report.events.iter().filter(|event| event.status != Status::Info)
}
