//! Nobody reads the agent's output, as when the journal hangs: neither a run nor the daemon waits for that.

use std::io::{PipeReader, PipeWriter};
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::{binaries, process, wait};
use serde_json::json;

use crate::node::{NODE, Scene};

/// How long the slowest machine may take.
const LONG: Duration = Duration::from_secs(120);

/// A pipe that is full.
fn full() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while rustix::io::write(&writer, &[b'.'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

#[test]
fn a_run_goes_on_to_its_end_and_its_report_says_that_nobody_reads() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    std::fs::create_dir(at("root")).unwrap();
    let file = |n: usize| {
        let attributes = json!({ "content": "x" });
        json!({ "reference": format!("file[/{n}]"), "attributes": attributes, "container": null, "origin": null })
    };
    let catalog = json!({
        "id": "0".repeat(64), "certname": NODE, "commit": "unheard", "environment": "directory",
        "resources": (0..50).map(file).collect::<Vec<_>>(), "containers": [], "edges": [],
    });
    std::fs::write(at("catalog.json"), catalog.to_string()).unwrap();
    let (_unread, writer) = full();
    let mut agent = Command::new(&binaries().agent);
    agent.arg("--root").arg(at("root")).arg("apply").arg("--catalog").arg(at("catalog.json"));
    agent.arg("--report").arg(at("report.json")).env("HOLDFAST_LOG", "debug");
    let mut run = process::start(agent.stdin(Stdio::null()).stdout(Stdio::null()).stderr(writer)).unwrap();
    let ended = wait::until("the end of the run", LONG, || run.child().try_wait().unwrap().ok_or("it runs"));
    assert!(ended.unwrap().success());
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(at("report.json")).unwrap()).unwrap();
    assert_eq!(report["counts"]["changed"], 50);
    assert!(report["error"].as_str().unwrap().contains("the log is not being read"), "{report}");
}

#[test]
fn the_daemon_goes_on_from_run_to_run() {
    actix_web::rt::System::new().block_on(async {
        let scene = Scene::new();
        let server = scene.server(([127, 0, 0, 1], 0).into()).await;
        scene.enroll(&server).await;
        server.stop().await;
        let place = scene.place.clone();
        let at_work = move || {
            let (_unread, writer) = full();
            let mut agent = Command::new(&binaries().agent);
            agent.arg("--root").arg(&place.root).arg("run").env("HOLDFAST_LOG", "debug");
            let both = agent.stdout(writer.try_clone().unwrap()).stderr(writer).stdin(Stdio::null());
            let mut daemon = process::start(both).unwrap();
            let pid = rustix::process::Pid::from_child(daemon.child());
            // Each run writes its result, and the first run starts by itself.
            let status = place.state_dir.join("status.json");
            let left = |before: &[u8]| {
                std::fs::read(&status).ok().filter(|text| text != before).ok_or("no other run has ended")
            };
            let first = wait::until("the first run", LONG, || left(b"")).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
            wait::until("the second run", LONG, || left(&first)).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            let ended =
                wait::until("the daemon's end", LONG, || daemon.child().try_wait().unwrap().ok_or("it runs"));
            assert!(ended.unwrap().success());
        };
        actix_web::web::block(at_work).await.unwrap();
    });
}
