//! The agent with files of 1 KiB in a directory: a first run, a converged run, and a run with one change.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use holdfast_catalog::catalog::{Bundle, Catalog, CatalogId, Policy, Resource};
use holdfast_catalog::certname::Certname;
use holdfast_catalog::resource::ResourceRef;

use crate::figure::{Figure, on_disk, run};

const RUNS: usize = 7;

/// How much longer a run with one change may take than a converged one: both look at everything once, and it then looks
/// once more.
const ONE_CHANGE: f64 = 2.2;

/// The number of files, the targets for the converged and for the first run in seconds, and the peers' figures for
/// both, measured earlier on the same kind of machine.
const SIZES: [(usize, f64, Option<f64>, &str, &str); 4] = [
    (100, 0.01, None, "Puppet 1.9 s, CFEngine 0.05–0.08 s", "–"),
    (1_000, 0.02, Some(0.15), "Puppet 3.0 s, CFEngine 0.26–0.34 s", "Puppet 5.6 s, CFEngine 0.46–0.78 s"),
    (5_000, 0.06, None, "Puppet 8.1 s, CFEngine 1.39 s", "–"),
    // As many as a catalog can have, with their directories.
    (49_500, 0.6, None, "–", "–"),
];

/// Measures each size: first runs in new directories, then converged runs in the last one.
pub fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut figures = vec![
        on_disk("agent: on disk, stripped", &harness::binaries().agent)?
            .beside(6.0, "Puppet 108 MiB with 56 packages, CFEngine 94 MiB with 62"),
    ];
    for (files, converged, first, peer_converged, peer_first) in SIZES {
        let work = tempfile::tempdir()?;
        let bundle = work.path().join("bundle.json");
        write_bundle(&bundle, files)?;
        let directory = |run: usize| work.path().join(format!("run{run}"));
        let apply = |run_number: usize| run(&command(&bundle, &directory(run_number)));

        let firsts = (0..3).map(apply).collect::<Result<Vec<_>, _>>()?;
        let again = (0..RUNS).map(|_| apply(0)).collect::<Result<Vec<_>, _>>()?;
        let one_change = || -> anyhow::Result<_> {
            std::fs::write(directory(0).join("root/srv/d0/f0"), "by hand")?;
            apply(0)
        };
        let changed = (0..RUNS).map(|_| one_change()).collect::<Result<Vec<_>, _>>()?;
        let seconds = |runs: &[crate::figure::Usage]| runs.iter().map(|u| u.cpu.as_secs_f64()).collect();
        let peak = again.iter().map(|usage| usage.memory).collect();
        let figure = Figure::of(format!("converged run, {files} files of 1 KiB"), seconds(&again), "s");
        let twice = (figure.spread[1] * ONE_CHANGE * 1_000.0).round() / 1_000.0;
        figures.push(figure.beside(converged, peer_converged));
        let figure = Figure::of(format!("run with one change among {files} files"), seconds(&changed), "s");
        figures.push(figure.beside(twice, "–"));
        let figure = Figure::of(format!("first run, {files} files, each with fsync"), seconds(&firsts), "s");
        figures.push(match first {
            Some(target) => figure.beside(target, peer_first),
            None => figure,
        });
        let figure = Figure::of(format!("peak memory, converged, {files} files"), peak, "MiB");
        figures.push(match files {
            1_000 => figure.beside(14.0, "Puppet 102 MiB, CFEngine 24 MiB"),
            _ => figure,
        });
    }
    Ok(figures)
}

fn command(bundle: &Path, directory: &Path) -> Command {
    let mut command = Command::new(&harness::binaries().agent);
    command.arg("apply").arg("--catalog").arg(bundle);
    command.arg("--root").arg(directory.join("root")).arg("--state-dir").arg(directory.join("state"));
    std::fs::create_dir_all(directory.join("root")).ok();
    command
}

/// Writes a catalog of `files` files in directories of a hundred each.
fn write_bundle(path: &Path, files: usize) -> anyhow::Result<()> {
    let directories = (0..files.div_ceil(100)).map(|d| (format!("/srv/d{d}"), directory_attributes()));
    let members = (0..files).map(|f| (format!("/srv/d{}/f{f}", f / 100), file_attributes(f)));
    let parents = [("/srv".to_owned(), directory_attributes())];
    let resources =
        parents.into_iter().chain(directories).chain(members).map(|(title, attributes)| Resource {
            reference: ResourceRef::new("file", title),
            attributes,
            policy: Policy::Enforce,
            container: None,
            tags: Vec::new(),
            origin: None,
            sources: BTreeMap::new(),
        });
    let mut catalog = Catalog {
        id: CatalogId::parse(&"0".repeat(64)).expect("64 digits"),
        certname: Certname::parse("bench1.customer.example")?,
        commit: "bench".into(),
        environment: "bench".into(),
        resources: resources.collect(),
        containers: Vec::new(),
        edges: Vec::new(),
    };
    catalog.id = catalog.compute_id(b"bench");
    let bundle = Bundle { catalog, contents: BTreeMap::new() };
    Ok(std::fs::write(path, serde_json::to_vec(&bundle)?)?)
}

fn directory_attributes() -> holdfast_catalog::resource::Attributes {
    [(Arc::from("ensure"), "directory".into()), (Arc::from("mode"), "0755".into())].into()
}

fn file_attributes(number: usize) -> holdfast_catalog::resource::Attributes {
    let line = format!("file {number} of the benchmark, one of many lines that are alike\n");
    let text: String = line.chars().cycle().take(1024).collect();
    [(Arc::from("content"), text.into()), (Arc::from("mode"), "0644".into())].into()
}
