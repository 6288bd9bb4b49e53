//! Random catalogs on a temporary root, with conflicts that no edge orders, tools that fail and lie, and drift between
//! the runs. What a report says must equal what a second look finds, which knows nothing of providers.
//!
//! `HOLDFAST_SEEDS=20000` tries more than the usual thousand seeds; `HOLDFAST_SEED=7` repeats one.

use holdfast_catalog::random::Random;

use super::*;

mod look;
mod make;

use look::is_as_wanted;
use make::{Wanted, drift};

const SEEDS: u64 = 1_000;

/// A machine in memory if possible, since nothing of it has to last.
fn scratch() -> tempfile::TempDir {
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    let mut builder = tempfile::Builder::new();
    builder.permissions(private);
    builder.tempdir_in("/dev/shm").or_else(|_| builder.tempdir()).unwrap()
}

/// A bench whose commands are those of [`make`].
fn bench() -> Bench {
    let root = scratch();
    let at = root.path().to_owned();
    let double = Double::at(root, move |invocation| Some(make::obey(&at, &invocation.command.to_string())));
    Bench::double(double).with_state(scratch())
}

#[test]
fn what_a_report_says_is_what_a_second_look_finds() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("HOLDFAST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HOLDFAST_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        tried(seed);
    }
}

fn tried(seed: u64) {
    let mut random = Random::new(seed);
    let mut bench = bench();
    let mut wanted = make::catalog(&mut random, &mut bench);
    drift(&mut random, bench.root());
    for round in 0..4 {
        let place = format!("seed {seed}, round {round}");
        if random.one_in(3) {
            looked(&mut bench, &wanted, &place);
        }
        let converged = enforced(&mut bench, &wanted, &place);
        if converged && !wanted.iter().any(|one| matches!(one, Wanted::Always { .. })) {
            let again = bench.run(Mode::Enforce);
            assert!(again.events.is_empty(), "{place}: converged, and then: {:#?}", again.events);
        }
        if random.one_in(4) {
            make::change_a_wish(&mut random, &mut bench, &mut wanted);
        }
        drift(&mut random, bench.root());
    }
}

/// Audits: differences are reported, and nothing is touched.
fn looked(bench: &mut Bench, wanted: &[Wanted], place: &str) {
    let before = look::everything(bench.root());
    let findings = bench.run(Mode::Audit);
    assert_eq!(look::everything(bench.root()), before, "{place}: an audit touched the machine");
    compare(bench, wanted, &findings, &format!("{place}, audit"));
    assert_eq!(findings.counts.changed, 0, "{place}");
}

/// Enforces; returns whether everything went well.
fn enforced(bench: &mut Bench, wanted: &[Wanted], place: &str) -> bool {
    let off: Vec<bool> = wanted.iter().map(|one| !is_as_wanted(one, wanted, bench.root())).collect();
    let findings = bench.run(Mode::Enforce);
    compare(bench, wanted, &findings, place);
    for event in findings.events.iter().filter(|event| event.cause == Some(Cause::Corrective)) {
        let index = wanted.iter().position(|one| one.reference() == event.resource.to_string()).unwrap();
        assert!(off[index], "{place}: drift of what was as wanted: {event:#?}");
    }
    findings.counts.failed == 0 && findings.counts.skipped == 0
}

fn compare(bench: &Bench, wanted: &[Wanted], findings: &Findings, place: &str) {
    let told = |one: &Wanted, status| {
        findings.events.iter().any(|e| e.resource.to_string() == one.reference() && e.status == status)
    };
    let mut well = 0;
    for one in wanted {
        let excused =
            told(one, Status::Failed) || told(one, Status::Skipped) || told(one, Status::WouldChange);
        let is_as_wanted = is_as_wanted(one, wanted, bench.root());
        assert!(
            is_as_wanted || excused,
            "{place}: {} is off and nothing says so\n{wanted:#?}\n{:#?}",
            one.reference(),
            findings.events
        );
        well += u32::from(!excused);
    }
    let counts = findings.counts;
    assert_eq!(counts.unchanged + counts.changed, well, "{place}: {counts:?} {:#?}", findings.events);
    assert_eq!(counts.not_applicable, 0, "{place}");
}
