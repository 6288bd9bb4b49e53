//! The compiler with a role whose sites come from a deep merge of five levels of data, with templates.

use holdfast_catalog::certname::Certname;
use holdfast_catalog::facts::Facts;
use holdfast_server::{Compiled, Directory, Program, Snapshot, compile};

use crate::figure::{Figure, own};

const RUNS: usize = 30;

/// The number of sites and of resources, the target in milliseconds, and Puppet Server's figure for as many.
const SIZES: [(usize, usize, f64, &str); 2] =
    [(108, 544, 3.0, "Puppet Server 0.9–1.0 s"), (394, 1974, 10.0, "Puppet Server 2.6–2.7 s")];

/// Measures warm compiles in CPU time of this process, and the first one with everything that it reads.
pub fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (sites, resources, target, peer) in SIZES {
        let directory = tempfile::tempdir()?;
        harness::synthetic::write(directory.path(), 1, sites)?;
        let snapshot = Directory::new(directory.path()).snapshot()?;
        let mut cold = Vec::new();
        let mut program = Program::new(&snapshot, None);
        for _ in 0..5 {
            let before = own()?;
            program = Program::new(&snapshot, None);
            one(&program, &snapshot)?;
            cold.push((own()? - before).as_secs_f64() * 1e3);
        }
        let mut warm = Vec::new();
        for _ in 0..RUNS {
            let before = own()?;
            let compiled = one(&program, &snapshot)?;
            warm.push((own()? - before).as_secs_f64() * 1e3);
            anyhow::ensure!(compiled.catalog.resources.len() == resources, "the role has other resources");
        }
        figures.push(
            Figure::of(format!("compile, {resources} resources, warm"), warm, "ms").beside(target, peer),
        );
        figures.push(
            Figure::of(format!("read and compile, {resources} resources, cold"), cold, "ms")
                .beside(1000.0, "Puppet Server 17 s, after 24–32 s to ready"),
        );
    }
    Ok(figures)
}

fn one(program: &Program, snapshot: &Snapshot) -> anyhow::Result<Compiled> {
    let node = program.inventory().get(&Certname::parse(harness::synthetic::NODE)?);
    let node = node.ok_or_else(|| anyhow::anyhow!("the node is not in the inventory"))?;
    let facts = snapshot.get("facts/default.json").ok_or_else(|| anyhow::anyhow!("no facts"))?;
    let facts: Facts = serde_json::from_slice(facts.bytes())?;
    compile(program, node, &facts, "bench", b"key").map_err(|problems| {
        anyhow::anyhow!("{}", problems.first().map(ToString::to_string).unwrap_or_default())
    })
}
