//! The demonstration: a server, three machines of two customers, a commit and a drift, and how each is detected and
//! reported.
//!
//! With root, the machines are booted hosts; otherwise they are directories, in which everything that needs a running
//! system is not applicable. With `--once` it ends by itself, and fails unless all of this was seen.

#![allow(clippy::print_stdout)] // printing is its purpose

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::lab::{self, Lab};
use harness::progress;
use harness::scene::{Scene, SceneMachine};
use harness::server::SOON;
use holdfast_catalog::report::{Cause, Event, Report};
use serde_json::Value;

const NODES: [&str; 3] = ["web1.acme.example", "db1.acme.example", "web1.birch.example"];

fn main() -> ExitCode {
    let once = std::env::args().any(|argument| argument == "--once");
    progress::show();
    match demonstrate(once) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nnot seen: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate(once: bool) -> Result<()> {
    let begun = Instant::now();
    let (mut making, mut first_runs) = ("booting three machines", "install and configure everything");
    let lab = match lab::available() {
        Ok(()) => Some(Lab::new()?),
        Err(why) => {
            say(&format!(
                "machines are directories here, since {why}; what needs a running system is not applicable"
            ));
            (making, first_runs) = ("making three machines", "write what a directory can have");
            None
        }
    };
    let scene = progress::during("starting the server", || Scene::start(lab))?;
    say(&format!(
        "the server follows a clone of this tree's control repository; its dashboard is {}",
        scene.dashboard()
    ));
    let machines = progress::during(making, || scene.machines(&NODES))?;
    let [web, database, foreign] = &machines[..] else { unreachable!("three were asked for") };

    converge(&scene, &machines, first_runs)?;
    if web.host().is_some() {
        see_page(web, "shop.acme.example", "Acme Climbing")?;
        see_page(foreign, "www.birch.example", "Birch Furniture")?;
    }
    commit(&scene, web, database, foreign)?;
    drift_of_a_file(&scene, web)?;
    if web.host().is_some() {
        drift_of_a_service(&scene, web)?;
    }
    for machine in &machines {
        nothing_to_do(machine)?;
    }
    say("a last run on each machine had nothing to do");
    println!("\nall of it was seen, in {} seconds", begun.elapsed().as_secs());
    if once { Ok(()) } else { stay(&scene, &machines) }
}

fn say(what: &str) {
    println!("· {what}");
}

/// Enrols the machines, and runs each until there is nothing to do.
fn converge(scene: &Scene, machines: &[SceneMachine], first_runs: &str) -> Result<()> {
    progress::during("enrolling them", || machines.iter().try_for_each(|machine| scene.enroll(machine)))?;
    say(&format!("{} are enrolled, each by its own join string", NODES.join(", ")));
    say(&format!("their first runs {first_runs}"));
    std::thread::scope(|scope| {
        let first = |machine| scope.spawn(move || changed(machine));
        let runs: Vec<_> = machines.iter().map(first).collect();
        runs.into_iter().try_for_each(|run| run.join().expect("a run does not panic").map(drop))
    })?;
    for machine in machines {
        nothing_to_do(machine)?;
        let counts = last_counts(scene, machine)?;
        let absent = counts["not_applicable"].as_u64().unwrap_or_default();
        let note = if absent > 0 { format!(", {absent} of them not applicable here") } else { String::new() };
        say(&format!("{} has converged: {} resources{note}", machine.certname(), counts["total"]));
    }
    Ok(())
}

/// Runs the agent once; the run must change something and have no failures.
fn changed(machine: &SceneMachine) -> Result<Report> {
    let run = progress::during(&format!("a run on {}", machine.certname()), || machine.run_once())?;
    ensure!(run.code == 2, "a run on {} should have changed something: {run:?}", machine.certname());
    run.report()
}

/// The only event of a run, which must have corrected a drift.
fn corrected(machine: &SceneMachine, resource: &str) -> Result<Event> {
    let events = changed(machine)?.events;
    let drifts =
        events.into_iter().filter(|event| event.cause == Some(Cause::Corrective)).collect::<Vec<_>>();
    match <[Event; 1]>::try_from(drifts) {
        Ok([event]) if event.resource.to_string() == resource => Ok(event),
        Ok([event]) => bail!("the drift is of {}", event.resource),
        Err(events) => bail!("the run reported {} drifts: {events:?}", events.len()),
    }
}

fn nothing_to_do(machine: &SceneMachine) -> Result<()> {
    let run = progress::during(&format!("a run on {}", machine.certname()), || machine.run_once())?;
    ensure!(run.code == 0, "a run on {} should have had nothing to do: {run:?}", machine.certname());
    Ok(())
}

/// The counts of the newest report of a machine on the server.
fn last_counts(scene: &Scene, machine: &SceneMachine) -> Result<Value> {
    let node = scene.holdfast(&["node", "show", machine.certname(), "--format", "json"])?;
    let node: Value = serde_json::from_str(&node)?;
    Ok(node["reports"][0]["counts"].clone())
}

fn see_page(machine: &SceneMachine, site: &str, title: &str) -> Result<()> {
    let host = machine.host().context("a booted host")?;
    let page = host.wait_for(&format!("{site} answers"), SOON, |host| {
        // From the machine itself: behind a balancer, it answers no one else.
        host.sh(&format!("curl --silent --show-error --fail --header 'Host: {site}' http://127.0.0.1/"))
    })?;
    ensure!(page.contains(title), "{site} shows {page:?}");
    say(&format!("nginx on {} answers for {site} with “{title}”", machine.certname()));
    Ok(())
}

/// A commit to one customer's data changes only that customer's machines.
fn commit(scene: &Scene, web: &SceneMachine, database: &SceneMachine, foreign: &SceneMachine) -> Result<()> {
    let file = "hieradata/customers/acme.toml";
    let to = "[profile.base]\ncontact = \"ropes@acme.example\"\n\n[profile.shop]";
    let (id, said) = scene.commit(file, "[profile.shop]", to, "Acme's machines say whom to ask")?;
    ensure!(said.contains("is in force"), "the push said {said:?}");
    for machine in [web, database] {
        let before = machine.read("/etc/motd")?;
        changed(machine)?;
        let after = machine.read("/etc/motd")?;
        ensure!(before != after && after.contains("ropes@acme.example"), "/etc/motd is {after:?}");
        let counts = last_counts(scene, machine)?;
        ensure!(counts["changed"] == 1 && counts["corrective"] == 0, "the report counts {counts}");
    }
    nothing_to_do(foreign)?;
    let short = id.get(..10).unwrap_or(&id);
    say(&format!("commit {short} to {file} changed acme's two machines, as intended, and birch's not"));
    Ok(())
}

fn drift_of_a_file(scene: &Scene, web: &SceneMachine) -> Result<()> {
    let good = web.read("/etc/motd")?;
    web.write("/etc/motd", format!("{good}Somebody was here.\n").as_bytes())?;
    let diff = corrected(web, "file[/etc/motd]")?.diff.unwrap_or_default();
    ensure!(diff.contains("-Somebody was here."), "the diff is {diff:?}");
    ensure!(web.read("/etc/motd")? == good, "/etc/motd is not as it was");
    let counts = last_counts(scene, web)?;
    ensure!(counts["corrective"] == 1, "the report counts {counts}");
    say("a line written into /etc/motd by hand was reported as corrective, with a diff, and corrected");
    Ok(())
}

fn drift_of_a_service(scene: &Scene, web: &SceneMachine) -> Result<()> {
    let host = web.host().context("a booted host")?;
    host.sh("systemctl stop nginx")?;
    corrected(web, "service[nginx]")?;
    ensure!(host.sh("systemctl is-active nginx")? == "active", "nginx does not run");
    let counts = last_counts(scene, web)?;
    ensure!(counts["corrective"] == 1, "the report counts {counts}");
    say("nginx, stopped by hand, runs again, and the report shows the drift");
    Ok(())
}

/// Keeps the server and running agents for people to look at, until the lab's time is over or Ctrl-C is pressed.
/// Directories have no running agent: they are run from here, so that none is late.
fn stay(scene: &Scene, machines: &[SceneMachine]) -> Result<()> {
    for machine in machines {
        if let Some(host) = machine.host() {
            host.sh(
                "systemd-run --quiet --collect --unit=holdfast-agent /opt/holdfast/bin/holdfast-agent run",
            )?;
        }
    }
    println!("\nThe dashboard is open: {}", scene.login_link("demo")?);
    println!("The link lets you in once, within a quarter of an hour.");
    println!("The certificate is by the server's own authority, so the browser asks you to confirm it.");
    let minutes = lab::time_to_live().as_secs() / 60;
    match machines.iter().any(|machine| machine.host().is_some()) {
        true => {
            println!(
                "Control-C ends everything; after {minutes} minutes the machines are taken down anyway."
            );
        }
        false => println!("Control-C ends everything."),
    }
    loop {
        std::thread::sleep(Duration::from_secs(45));
        for machine in machines.iter().filter(|machine| machine.host().is_none()) {
            machine.run_once()?;
        }
    }
}
