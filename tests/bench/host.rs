//! Converged runs on a booted host: with Puppet's mixed host, and as the machine of the tree's own estate that has the
//! most.

use anyhow::Context as _;
use harness::estate::{self, Estate};
use harness::lab::{self, Host, Lab, PROGRAMS_AT};
use serde_json::{Value, json};

use crate::figure::{ALONE, Figure, Usage, read_usage};

const RUNS: usize = 7;

/// What Puppet and CFEngine need for the mixed host, measured earlier on the same kind of machine.
const PEER: &str = "Puppet 2.6 s (+1.6 server), CFEngine 0.95 s";

/// The machine of the estate with the most resources.
const FULLEST: &str = "app1.birch.example";

/// Measures both; if there is no lab, returns the reason.
pub fn measure() -> anyhow::Result<Vec<Figure>> {
    if let Err(missing) = lab::available() {
        anyhow::bail!("no booted hosts to measure on: {missing}");
    }
    let lab = Lab::new()?;
    let mixed = &lab.boot(&["mixed.bench.example"])?[0];
    mixed.write("/root/mixed.json", mixed_host().to_string())?;
    let mut figures =
        converged(mixed, "/root/mixed.json", "mixed host (10 packages, 20 users, 50 lines, 100 files)")?;
    figures[0] = std::mem::replace(&mut figures[0], Figure::of("", vec![0.0], "s")).beside(0.05, PEER);
    let hosts = lab.boot(&[FULLEST])?;
    let estate = Estate::on(&hosts)?;
    estate.compile(&hosts[0])?;
    estate::run(&hosts[0])?;
    figures.extend(converged(&hosts[0], estate::BUNDLE, &format!("estate: {FULLEST}"))?);
    Ok(figures)
}

/// Runs the agent until there is nothing to do, then measures.
fn converged(host: &Host, catalog: &str, work: &str) -> anyhow::Result<Vec<Figure>> {
    let agent = format!("{PROGRAMS_AT}/holdfast-agent");
    host.exec(&[&agent, "apply", "--catalog", catalog])?;
    let measured = format!("{PROGRAMS_AT}/bench");
    let run = || -> anyhow::Result<Usage> {
        let output =
            host.exec(&[&measured, ALONE, &agent, "apply", "--catalog", catalog, "--detailed-exitcodes"])?;
        read_usage(&output.stdout).with_context(|| format!("a converged run: {output:?}"))
    };
    let runs = (0..RUNS).map(|_| run()).collect::<Result<Vec<_>, _>>()?;
    let seconds = runs.iter().map(|usage| usage.cpu.as_secs_f64()).collect();
    let memory = runs.iter().map(|usage| usage.memory).collect();
    Ok(vec![
        Figure::of(format!("converged run, {work}"), seconds, "s"),
        Figure::of(format!("peak memory, {work}"), memory, "MiB"),
    ])
}

/// The catalog of the mixed host, as the peers had it.
fn mixed_host() -> Value {
    let resource = |reference: String, attributes: Value| json!({ "reference": reference, "attributes": attributes, "container": null, "origin": null });
    const PACKAGES: [&str; 10] =
        ["apt", "bash", "cron", "curl", "dbus", "iproute2", "less", "procps", "sudo", "tzdata"];
    let packages = PACKAGES.map(|name| resource(format!("package[{name}]"), json!({})));
    let users = (0..20).map(|n| {
        resource(
            format!("user[bench{n}]"),
            json!({ "home": format!("/home/bench{n}"), "manage_home": true, "shell": "/bin/sh" }),
        )
    });
    let place = resource("file[/etc/bench]".into(), json!({ "ensure": "directory" }));
    let edited = resource("file[/etc/bench/lines]".into(), json!({ "mode": "0644" }));
    let lines = (0..50).map(|n| {
        resource(format!("file_line[bench {n}]"), json!({ "path": "/etc/bench/lines", "line": format!("setting{n} = {n}"), "match": format!("^setting{n} =") }))
    });
    let files = (0..100).map(|n| {
        let text = format!("# file {n}\n").repeat(60);
        resource(
            format!("file[/etc/bench/file{n}]"),
            json!({ "content": text, "mode": "0644", "owner": "root" }),
        )
    });
    let resources: Vec<Value> =
        packages.into_iter().chain(users).chain([place, edited]).chain(lines).chain(files).collect();
    json!({
        "id": "0".repeat(64), "certname": "mixed.bench.example", "commit": "bench", "environment": "bench",
        "resources": resources, "containers": [], "edges": [],
    })
}
