//! Random catalogs on a booted host, with conflicts, tools that fail or lie, and drift between the runs. What a report
//! contains must equal what a second look finds, which uses the host's own tools and knows nothing about the agent.
//!
//! `HOLDFAST_BOOTED_SEEDS=500` tries more than the few in every test run; `HOLDFAST_BOOTED_SEED=7` repeats one.

use std::collections::BTreeSet;
use std::env;

use harness::lab::{self, Host, PROGRAMS_AT};
use holdfast_catalog::report::{Cause, Report, Status};
use serde_json::{Value, json};

mod make;

use make::{SeededRandom, Wanted};

const PLACE: &str = "/var/lib/holdfast/random";
const SEEDS: u64 = 8;
const ROUNDS: usize = 3;

#[test]
fn what_a_report_says_is_what_the_hosts_own_tools_find() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["random.acme.example"]).expect("a host boots")[0];
    let number = |name| env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("HOLDFAST_BOOTED_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HOLDFAST_BOOTED_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        tried(host, seed);
    }
}

fn tried(host: &Host, seed: u64) {
    host.sh(&format!("set +e; rm -rf {PLACE}; mkdir -p -m 700 {PLACE}; {}", make::FRESH)).unwrap();
    let mut random = SeededRandom::new(seed);
    let (wanted, edges) = make::catalog(&mut random);
    let scene = Scene { host, wanted, edges };
    scene.drift(&mut random);
    for round in 0..ROUNDS {
        let place = format!("seed {seed}, round {round}");
        if random.one_in(3) {
            scene.looked(&place);
        }
        let all_well = scene.enforced(&place);
        assert!(all_well || random.is_wild(), "{place}: nothing is in the way: {:#?}", scene.wanted);
        if all_well {
            let again = scene.apply(&[]);
            let counts = again.counts;
            assert_eq!(counts.unchanged, counts.total, "{place}: converged, and then: {:#?}", again.events);
        }
        scene.drift(&mut random);
    }
}

/// A host, and a catalog for it.
struct Scene<'a> {
    host: &'a Host,
    wanted: Vec<Wanted>,
    edges: Value,
}

impl Scene<'_> {
    fn apply(&self, options: &[&str]) -> Report {
        let resource = |one: &Wanted| {
            json!({
                "reference": one.reference, "attributes": one.attributes, "container": null, "origin": null
            })
        };
        let resources: Vec<Value> = self.wanted.iter().map(resource).collect();
        let catalog = json!({
            "id": "0".repeat(64), "certname": self.host.certname(), "commit": "random",
            "environment": "directory", "resources": resources, "containers": [], "edges": self.edges,
        });
        let (from, to) = (format!("{PLACE}/catalog.json"), format!("{PLACE}/report.json"));
        self.host.write(&from, catalog.to_string()).unwrap();
        let (agent, state) = (format!("{PROGRAMS_AT}/holdfast-agent"), format!("{PLACE}/state"));
        let apply = [&*agent, "--state-dir", &state, "apply", "--catalog", &from, "--report", &to];
        self.host.exec(&[&apply, options].concat()).unwrap();
        serde_json::from_slice(&self.host.read(&to).unwrap()).unwrap()
    }

    /// Which resources are as wanted, according to the host's own tools.
    fn as_wanted(&self) -> Vec<bool> {
        let look =
            |one: &Wanted| format!("if ( {} ) >/dev/null 2>&1; then echo yes; else echo no; fi", one.look);
        let script = self.wanted.iter().map(look).collect::<Vec<_>>().join("\n");
        self.host.sh(&script).unwrap().lines().map(|line| line == "yes").collect()
    }

    fn drift(&self, random: &mut SeededRandom) {
        let script = make::drift(random, &self.wanted);
        self.host.sh(&format!("set +e; ( :\n{script}\n) >/dev/null 2>&1; true")).unwrap();
    }

    /// Runs an audit: deviations are reported, and nothing is changed.
    fn looked(&self, place: &str) {
        let before = self.as_wanted();
        let report = self.apply(&["--audit"]);
        assert_eq!(self.as_wanted(), before, "{place}: an audit touched the host: {:#?}", report.events);
        assert_eq!(report.counts.changed, 0, "{place}");
        self.compare(&report, &before, &format!("{place}, audit"));
    }

    /// Enforces the catalog; returns whether everything succeeded.
    fn enforced(&self, place: &str) -> bool {
        let before = self.as_wanted();
        let report = self.apply(&[]);
        self.compare(&report, &self.as_wanted(), place);
        for event in report.events.iter().filter(|event| event.cause == Some(Cause::Corrective)) {
            let name = event.resource.to_string();
            let index = self.wanted.iter().position(|one| one.reference == name).unwrap();
            assert!(!before[index], "{place}: drift of what was as wanted: {event:#?}");
        }
        report.counts.failed == 0 && report.counts.skipped == 0
    }

    fn compare(&self, report: &Report, as_wanted: &[bool], place: &str) {
        let is_excuse = |status| matches!(status, Status::Failed | Status::Skipped | Status::WouldChange);
        let excused = report.events.iter().filter(|event| is_excuse(event.status));
        let excused: BTreeSet<String> = excused.map(|event| event.resource.to_string()).collect();
        let said = || format!("{:#?}\n{}\n{:#?}", self.wanted, self.edges, report.events);
        for (one, is_as_wanted) in self.wanted.iter().zip(as_wanted) {
            assert!(
                *is_as_wanted || excused.contains(&one.reference),
                "{place}: {} is off and nothing says so\n{}",
                one.reference,
                said()
            );
        }
        assert!(report.is_consistent(), "{place}: the server would refuse this report\n{}", said());
        let counts = report.counts;
        let well = self.wanted.len() - excused.len();
        assert_eq!((counts.unchanged + counts.changed) as usize, well, "{place}: {counts:?}\n{}", said());
        assert_eq!(counts.not_applicable, 0, "{place}\n{}", said());
    }
}
