//! The tree's own estate: a warm compile of each of its machines, from one snapshot.

use anyhow::Context as _;
use harness::binaries::workspace;
use holdfast_server::{Directory, Program, compile, facts_of};

use crate::figure::{Figure, own};

const RUNS: usize = 15;

/// Measures the compile of each machine in CPU time of this process: one figure for all, and one for the machine with
/// the most resources.
pub fn measure() -> anyhow::Result<Vec<Figure>> {
    let snapshot = Directory::new(workspace()).snapshot()?;
    let before = own()?;
    let program = Program::new(&snapshot, None);
    let mut all = Vec::new();
    let mut fullest = (0, String::new(), Vec::new());
    for node in program.inventory().nodes() {
        let facts = facts_of(&snapshot, &node.certname).map_err(|problem| anyhow::anyhow!("{problem}"))?;
        let facts = facts.context("the estate has facts for all")?;
        let mut resources = 0;
        let mut times = Vec::new();
        for _ in 0..=RUNS {
            let before = own()?;
            let compiled = compile(&program, node, &facts, "bench", b"key").map_err(|problems| {
                anyhow::anyhow!("{}", problems.first().map(ToString::to_string).unwrap_or_default())
            })?;
            times.push((own()? - before).as_secs_f64() * 1e3);
            resources = compiled.catalog.resources.len();
        }
        // The first compile of a machine reads files that no earlier one needed.
        times.remove(0);
        all.extend(times.iter().copied());
        if resources > fullest.0 {
            fullest = (resources, node.certname.to_string(), times);
        }
    }
    let machines = program.inventory().nodes().count();
    let (resources, certname, times) = fullest;
    Ok(vec![
        Figure::of(
            format!("estate: read all and compile {machines} machines, {} times", RUNS + 1),
            vec![(own()? - before).as_secs_f64() * 1e3],
            "ms",
        ),
        Figure::of("estate: compile of a machine, warm", all, "ms"),
        Figure::of(
            format!("estate: compile of the fullest, {certname}, {resources} resources, warm"),
            times,
            "ms",
        ),
    ])
}
