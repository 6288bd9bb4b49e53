//! The order that types imply, from a manifest to a booted host: a failure affects only what depends on it, and things
//! that belong together are created and removed in one run, however they are written.

use std::fs;
use std::process::Command;

use harness::binaries;
use harness::lab::{self, Host, PROGRAMS_AT};
use harness::process;
use holdfast_catalog::report::{Report, Status};

const PLACE: &str = "/var/lib/holdfast/implied";

/// Compiles a profile for the host, and applies it there.
fn apply(host: &Host, manifest: &str) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let node = format!("[\"{}\"]\nrole = \"app\"\nstage = \"test\"\n", host.certname());
    put("inventory/hosting/acme.toml", &node);
    put("modules/role/manifests/app.toml", "doc = \"App.\"\ninclude = [\"profile::app\"]\n");
    put("modules/profile/manifests/app.toml", &format!("doc = \"App.\"\n{manifest}"));
    let bundle = folder.path().join("bundle");
    let mut compile = Command::new(&binaries().server);
    compile.args(["compile", "--node", host.certname(), "--repo"]).arg(folder.path());
    process::run(compile.arg("--bundle").arg(&bundle)).unwrap();
    host.sh(&format!("mkdir -p -m 700 {PLACE}")).unwrap();
    let (from, to) = (format!("{PLACE}/bundle"), format!("{PLACE}/report.json"));
    host.write(&from, fs::read(bundle).unwrap()).unwrap();
    let (agent, state) = (format!("{PROGRAMS_AT}/holdfast-agent"), format!("{PLACE}/state"));
    host.exec(&[&agent, "--state-dir", &state, "apply", "--catalog", &from, "--report", &to]).unwrap();
    serde_json::from_slice(&host.read(&to).unwrap()).unwrap()
}

/// What failed or was skipped, with the reason.
fn wrong(report: &Report) -> Vec<(String, Status, String)> {
    let is_wrong = |status| matches!(status, Status::Failed | Status::Skipped);
    let wrong = report.events.iter().filter(|event| is_wrong(event.status));
    wrong.map(|e| (e.resource.to_string(), e.status, e.reason.clone().unwrap_or_default())).collect()
}

/// Applies a profile that must converge completely in one run.
fn converge(host: &Host, manifest: &str) {
    let report = apply(host, manifest);
    assert_eq!(wrong(&report), [], "{:#?}", report.events);
    let again = apply(host, manifest);
    assert_eq!(again.counts.unchanged, again.counts.total, "{:#?}", again.events);
}

const INSTALLED: &str = r#"
[package.holdfast-sample]

[service.holdfast-sample]
ensure = "running"
enable = true

[sysctl."net.ipv4.conf.lo.rp_filter"]
value = 2
"#;

const FAILING: &str = r#"
[apt_repository.away]
uris   = ["http://127.0.0.1:9/debian"]
suites = ["./"]

[package.only-there]

[kernel_module.holdfast_no_such_module]
"#;

#[test]
fn what_is_installed_and_set_is_unchanged_though_a_repository_and_a_module_fail() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["implied.acme.example"]).expect("a host boots")[0];
    converge(host, INSTALLED);

    let report = apply(host, &format!("{INSTALLED}{FAILING}"));
    let failed: Vec<_> = wrong(&report).into_iter().map(|(name, status, _)| (name, status)).collect();
    for name in ["apt_repository[away]", "kernel_module[holdfast_no_such_module]", "package[only-there]"] {
        assert!(failed.contains(&(name.to_owned(), Status::Failed)), "{name}: {:#?}", report.events);
    }
    assert_eq!((report.counts.failed, report.counts.skipped, report.counts.unchanged), (3, 0, 3));

    host.sh("systemctl stop holdfast-sample; echo 1 >/proc/sys/net/ipv4/conf/lo/rp_filter").unwrap();
    let report = apply(host, &format!("{INSTALLED}{FAILING}"));
    assert_eq!((report.counts.failed, report.counts.skipped, report.counts.corrective), (3, 0, 2));
    host.sh("systemctl is-active holdfast-sample; grep -x 2 /proc/sys/net/ipv4/conf/lo/rp_filter").unwrap();
}

/// Things that depend on each other, dependents first.
const THERE: &str = r#"
[file."/srv/crew/data/list"]
content = "x"
owner   = "dave"
group   = "zoe"

[cron.tick]
command  = "true"
schedule = "@daily"
user     = "dave"

[service.watch]
ensure = "running"

[mount."/srv/crew/data"]
device = "tmpfs"
fstype = "tmpfs"

[file."/srv/crew/data"]
ensure = "directory"

[systemd_unit."watch.service"]
content = "[Service]\nUser=dave\nExecStart=/bin/sleep infinity\n"

[service.holdfast-sample]
ensure = "running"

[group.crew]
members = ["dave", "erin"]

[user.dave]
groups = ["crew"]

[user.erin]

[user.zoe]

[file."/srv/crew"]
ensure = "directory"

[package.holdfast-sample]
"#;

/// The same things to be removed, starting with those that others depend on.
const GONE: &str = r#"
[package.holdfast-sample]
ensure = "absent"

[file."/srv/crew"]
ensure = "absent"
force  = true

[group.crew]
ensure = "absent"

[group.dave]
ensure = "absent"

[user.dave]
ensure = "absent"
groups = ["crew"]

[systemd_unit."watch.service"]
ensure = "absent"

[service.watch]
ensure = "stopped"

[service.holdfast-sample]
ensure = "stopped"

[mount."/srv/crew/data"]
ensure = "absent"

[cron.tick]
ensure = "absent"
user   = "dave"
"#;

#[test]
fn what_hangs_on_each_other_comes_and_goes_in_one_run() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["comes.acme.example"]).expect("a host boots")[0];
    converge(host, THERE);
    let seen = host.sh("stat -c '%U %G' /srv/crew/data/list; stat -f -c %T /srv/crew/data; \
         getent group crew | cut -d: -f4 | tr , '\\n' | sort | paste -sd,; \
         systemctl is-active watch holdfast-sample");
    assert_eq!(seen.unwrap(), "dave zoe\ntmpfs\ndave,erin\nactive\nactive");

    converge(host, GONE);
    host.sh(
        "if getent passwd dave || getent group dave crew || test -e /srv/crew || test -e /etc/cron.d/tick || \
         systemctl is-active watch || test -e /usr/sbin/holdfast-sample; then exit 1; fi",
    )
    .unwrap();
}
