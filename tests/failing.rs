//! Packages and services with something wrong, on a booted host: each fails alone and reports why; a notified service
//! is restarted only if it is running, with the definition on disk.

use std::time::Duration;

use harness::lab::{self, Host, PROGRAMS_AT};
use holdfast_catalog::report::{Event, Report, Status};
use serde_json::{Value, json};

const PLACE: &str = "/var/lib/holdfast/failing";

/// Applies these resources, with edges given by index and kind.
pub(crate) fn apply(host: &Host, resources: &Value, edges: &Value) -> Report {
    let resources: Vec<Value> = resources
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| json!({ "reference": one[0], "attributes": one[1], "container": null, "origin": null }))
        .collect();
    let catalog = json!({
        "id": "0".repeat(64), "certname": host.certname(), "commit": "failing", "environment": "directory",
        "resources": resources, "containers": [], "edges": edges,
    });
    host.sh(&format!("mkdir -p -m 700 {PLACE}")).unwrap();
    let (from, to) = (format!("{PLACE}/catalog.json"), format!("{PLACE}/report.json"));
    host.write(&from, catalog.to_string()).unwrap();
    let (agent, state) = (format!("{PROGRAMS_AT}/holdfast-agent"), format!("{PLACE}/state"));
    host.exec(&[&agent, "--state-dir", &state, "apply", "--catalog", &from, "--report", &to]).unwrap();
    serde_json::from_slice(&host.read(&to).unwrap()).unwrap()
}

pub(crate) fn event<'a>(report: &'a Report, resource: &str) -> &'a Event {
    let found = report.events.iter().find(|event| event.resource.to_string() == resource);
    found.unwrap_or_else(|| panic!("no event of {resource}: {:#?}", report.events))
}

#[test]
fn a_package_that_nobody_has_and_a_service_that_fails_stand_alone_and_say_why() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["failing.acme.example"]).expect("a host boots")[0];
    host.sh(
        "printf '[Service]\\nExecStart=/bin/sh -c \"echo no luck today >&2; exit 3\"\\nType=oneshot\\n' \
         >/etc/systemd/system/unlucky.service",
    )
    .unwrap();
    let report = apply(
        host,
        &json!([
            ["package[htop]", { "ensure": "present" }],
            ["package[nobody-has-this]", { "ensure": "present" }],
            ["package[holdfast-sample]", { "ensure": "9.9" }],
            ["package[holdfast-sample-extra]", { "ensure": "present" }],
            ["service[unlucky]", { "ensure": "running" }],
            ["service[not-there]", { "ensure": "running" }],
        ]),
        &json!([]),
    );
    assert_eq!(event(&report, "package[htop]").status, Status::Changed);
    assert_eq!(event(&report, "package[holdfast-sample-extra]").status, Status::Changed);
    for (resource, why) in [
        ("package[nobody-has-this]", "Unable to locate package nobody-has-this"),
        ("package[holdfast-sample]", "Version '9.9' for 'holdfast-sample' was not found"),
        ("service[unlucky]", "no luck today"),
        ("service[not-there]", "there is no unit `not-there.service`"),
    ] {
        let event = event(&report, resource);
        assert_eq!(event.status, Status::Failed, "{event:#?}");
        assert!(event.reason.as_ref().is_some_and(|reason| reason.contains(why)), "{event:#?}");
    }
}

#[test]
fn a_notified_service_is_restarted_where_it_runs_with_its_definition_on_disk() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["notified.acme.example"]).expect("a host boots")[0];
    host.sh("apt-get install -qq -y holdfast-sample").unwrap();
    let process = || host.sh("systemctl show -P MainPID holdfast-sample").unwrap();
    let converge = |number: u32, service: Value, kind: &str| {
        let text = format!("[Service]\nEnvironment=NUMBER={number}\n");
        let path = "file[/etc/systemd/system/holdfast-sample.service.d/number.conf]";
        let resources = json!([
            ["file[/etc/systemd/system/holdfast-sample.service.d]", { "ensure": "directory" }],
            [path, { "content": text }],
            ["service[holdfast-sample]", service],
        ]);
        let edges = json!([{ "from": 0, "to": 1, "kind": "order" }, { "from": 1, "to": 2, "kind": kind }]);
        let report = apply(host, &resources, &edges);
        assert_eq!(report.counts.failed, 0, "{:#?}", report.events);
    };

    let before = process();
    converge(1, json!({ "ensure": "running" }), "notify");
    assert_ne!(process(), before, "it was not restarted");
    host.sh(
        "tr '\\0' '\\n' <\"/proc/$(systemctl show -P MainPID holdfast-sample)/environ\" | grep -x NUMBER=1",
    )
    .unwrap();

    let before = process();
    host.sh("echo mine >/etc/holdfast-sample.conf").unwrap();
    converge(2, json!({ "ensure": "running" }), "reload");
    assert_eq!(process(), before, "a reload is not a restart");
    let active = |host: &Host| host.sh("grep -x mine /run/holdfast-sample/active");
    host.wait_for("it was reloaded", Duration::from_secs(20), active).unwrap();

    host.sh("systemctl stop holdfast-sample").unwrap();
    converge(3, json!({ "enable": true }), "notify");
    assert_eq!(process(), "0", "what did not run was started by a notification");
}

/// Makes a unit that starts only if `/run/NAME.good` exists.
fn fickle(host: &Host, name: &str, more: &str) {
    let start = format!(
        "/bin/sh -c \"test -e /run/{name}.good || {{ echo no luck today >&2; exit 3; }}; exec sleep infinity\""
    );
    let path = format!("/etc/systemd/system/{name}.service");
    host.write(&path, format!("[Unit]\n{more}\nExecStart={start}\n")).unwrap();
    host.sh(&format!("touch /run/{name}.good; systemctl daemon-reload; systemctl start {name}")).unwrap();
}

#[test]
fn what_is_down_after_its_restart_has_failed_and_says_why() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["fickle.acme.example"]).expect("a host boots")[0];
    fickle(host, "simple", "[Service]");
    fickle(host, "again", "StartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=50ms");
    fickle(host, "deaf", "[Service]\nExecReload=/bin/false");
    fickle(host, "skipped", "ConditionPathExists=/run/skipped.good\n[Service]");
    fickle(host, "sound", "[Service]");
    host.sh("rm /run/simple.good /run/again.good /run/skipped.good").unwrap();
    let all = ["simple", "again", "deaf", "skipped", "sound"];
    let mut resources = vec![json!(["file[/etc/fickle]", { "content": "new" }])];
    resources.extend(all.map(|name| {
        let restart = if name == "deaf" { "reload" } else { "restart" };
        json!([format!("service[{name}]"), { "enable": false, "restart": restart }])
    }));
    let edge = |to: usize| json!({ "from": 0, "to": to, "kind": "notify" });
    let edges: Vec<Value> = (1..=all.len()).map(edge).collect();
    let report = apply(host, &json!(resources), &json!(edges));
    for (name, why) in [
        ("simple", "no luck today"),
        ("again", "no luck today"),
        ("deaf", "its reload ended with exit-code; it keeps running unchanged"),
        ("skipped", "a condition (`Condition…=`) of its definition is not met"),
    ] {
        let event = event(&report, &format!("service[{name}]"));
        assert_eq!(event.status, Status::Failed, "{event:#?}");
        assert!(event.reason.as_ref().is_some_and(|reason| reason.contains(why)), "{event:#?}");
    }
    assert_eq!(event(&report, "service[sound]").status, Status::Info, "restarted");
    // A service that was left failed is not in order in the next run, even if nothing changes.
    let report = apply(host, &json!(resources), &json!(edges));
    let left = event(&report, "service[simple]");
    assert_eq!(left.status, Status::Failed, "{left:#?}");
    assert!(left.reason.as_ref().is_some_and(|reason| reason.contains("has failed and is not running")));
}

#[test]
fn a_drop_in_that_is_not_taken_and_one_that_cannot_be_read_concern_their_unit_alone() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["dropins.acme.example"]).expect("a host boots")[0];
    for name in ["masked", "looped", "sound"] {
        host.sh(&format!(
            "printf '[Service]\nExecStart=/bin/sleep infinity\n' >/run/systemd/system/{name}.service; \
             systemctl daemon-reload; systemctl start {name}"
        ))
        .unwrap();
    }
    host.sh("cd /etc/systemd/system; systemctl mask --quiet masked; mkdir masked.service.d; \
         printf '[Service]\n' >masked.service.d/own.conf; ln -s looped.service.d looped.service.d")
        .unwrap();
    let resources = json!([
        ["service[masked]", { "enable": "mask" }],
        ["service[looped]", { "ensure": "running" }],
        ["service[sound]", { "ensure": "running" }],
    ]);
    for _ in 0..2 {
        let report = apply(host, &resources, &json!([]));
        assert_eq!((report.counts.failed, report.counts.unchanged), (1, 2), "{:#?}", report.events);
        let failed = event(&report, "service[looped]");
        let reason = failed.reason.as_deref().unwrap_or_default();
        assert!(
            reason.contains("cannot tell whether systemd has read the whole definition of looped.service"),
            "{failed:#?}"
        );
    }
}

#[test]
fn a_definition_that_others_changed_is_read_and_restarts_nothing() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["unread.acme.example"]).expect("a host boots")[0];
    host.sh("apt-get install -qq -y holdfast-sample; systemctl start holdfast-sample").unwrap();
    let process = || host.sh("systemctl show -P MainPID holdfast-sample").unwrap();
    let before = process();
    let drop = |number: u32| {
        let text = format!("[Service]\\nEnvironment=NUMBER={number}\\n");
        host.sh(&format!(
            "cd /etc/systemd/system; mkdir -p holdfast-sample.service.d; \
             printf '{text}' >holdfast-sample.service.d/hand.conf"
        ))
        .unwrap();
    };
    let resources = json!([["service[holdfast-sample]", { "ensure": "running" }]]);
    let clean = |report: &Report| {
        assert_eq!((report.counts.failed, report.counts.corrective), (0, 0), "{:#?}", report.events);
        assert_eq!(process(), before, "it was restarted");
    };
    clean(&apply(host, &resources, &json!([])));
    for number in [1, 2] {
        drop(number);
        let report = apply(host, &resources, &json!([]));
        clean(&report);
        let event = event(&report, "service[holdfast-sample]");
        assert_eq!(event.status, Status::Changed, "{event:#?}");
        assert!(event.reason.as_ref().is_some_and(|reason| reason.contains("hand.conf")), "{event:#?}");
        let read = format!("systemctl show -P Environment holdfast-sample | grep NUMBER={number}");
        host.sh(&read).unwrap();
        let report = apply(host, &resources, &json!([]));
        clean(&report);
        // It still runs with the old definition, which is reported as long as it does.
        assert!(report.events.iter().all(|event| event.status == Status::Info), "{:#?}", report.events);
    }
}
