//! Conflicts about the same thing on a booted host: by names that only the machine knows, and by pairs of resources
//! that used to undo each other in every run.

use harness::lab::{self, Host};
use holdfast_catalog::report::{Report, Status};
use serde_json::{Value, json};

use crate::failing::{apply, event};

/// Asserts that both failed, and that each one names the other and why they are the same.
fn assert_rivals(report: &Report, pair: [&str; 2], why: &str) {
    for (own, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
        let event = event(report, own);
        let reason = event.reason.as_deref().unwrap_or_default();
        let begins = format!("it and `{other}` both manage ");
        assert!(event.status == Status::Failed && reason.starts_with(&begins), "{event:#?}");
        assert!(reason.contains(why), "{reason}");
    }
}

#[test]
fn what_only_a_machine_knows_fails_both_before_anything_is_done_to_either() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["claims.acme.example"]).expect("a host boots")[0];
    let native = host.sh("dpkg --print-architecture").unwrap().trim().to_owned();
    let foreign_name = format!("package[htop:{native}]");

    // The alias comes with the package, in the same run.
    let ssh = json!([
        ["package[openssh-server]", {}],
        ["service[ssh]", { "ensure": "running", "enable": true }],
        ["service[sshd]", { "ensure": "stopped" }],
    ]);
    let edges = json!([{ "from": 0, "to": 1, "kind": "order" }, { "from": 0, "to": 2, "kind": "order" }]);
    for package in [Some(Status::Changed), None] {
        let report = apply(host, &ssh, &edges);
        assert_rivals(
            &report,
            ["service[ssh]", "service[sshd]"],
            "`sshd.service` is an alias of `ssh.service`",
        );
        let of_package = report.events.iter().find(|event| &*event.resource.type_name == "package");
        assert_eq!(of_package.map(|event| event.status), package);
        assert_eq!(host.sh("systemctl is-active ssh").unwrap(), "active", "nothing was done to it");
    }
    let report = apply(
        host,
        &json!([["service[ssh]", { "enable": true }], ["service[sshd]", { "enable": true }]]),
        &json!([]),
    );
    assert_eq!(report.counts.failed, 0, "{:#?}", report.events);
    assert_eq!(event(&report, "service[sshd]").status, Status::Info, "who wants the same is told so");

    let report = apply(
        host,
        &json!([
            ["service[getty@]", { "enable": true }],
            ["service[getty@tty1]", { "enable": false }],
            ["file[/run/claimed]", { "content": "1" }],
            ["file[/var/run/claimed]", { "content": "2" }],
            ["package[htop]", {}],
            [foreign_name, { "ensure": "absent" }],
            ["package[awk]", {}],
            ["package[mawk]", { "ensure": "absent" }],
            ["user[daemon]", { "comment": "daemon" }],
            ["user[other]", { "uid": 1 }],
        ]),
        &json!([]),
    );
    let pair = ["service[getty@]", "service[getty@tty1]"];
    assert_rivals(&report, pair, "`getty@.service` is enabled as `getty@tty1.service`");
    let pair = ["file[/run/claimed]", "file[/var/run/claimed]"];
    assert_rivals(&report, pair, "`/var/run` leads to `/run`");
    assert_rivals(&report, ["package[htop]", &foreign_name], "this machine's own architecture");
    let pair = ["package[awk]", "package[mawk]"];
    assert_rivals(&report, pair, "`awk` is a virtual package, which `mawk` provides");
    assert_rivals(&report, ["user[daemon]", "user[other]"], "`daemon` has it on this machine");
    assert_eq!(report.counts.failed, 10);
    host.sh("! [ -e /run/claimed ] && ! command -v htop && command -v mawk && ! id other").unwrap();
}

#[test]
fn what_is_claimed_through_a_bind_mount_is_spared_where_it_really_is() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["bound.acme.example"]).expect("a host boots")[0];
    host.sh("mkdir -p /srv/b/src /srv/b/m && mount --bind /srv/b/src /srv/b/m").unwrap();
    host.sh("cd /srv/b/m && echo customer >u && echo stray >old && touch -d 2020-01-01 u old").unwrap();
    let claimed = json!(["file[/srv/b/m/u]", { "mode": "0644" }]);
    let report = apply(host, &json!([["tidy[/srv/b/src]", { "age": "1d" }], claimed]), &json!([]));
    assert_eq!(report.counts.failed, 0, "{:#?}", report.events);
    host.sh("cd /srv/b/src && ! [ -e old ] && grep -q customer u && echo stray >old").unwrap();
    let purge = json!({ "ensure": "directory", "purge": true });
    let report = apply(host, &json!([["file[/srv/b/src]", purge], claimed]), &json!([]));
    assert_eq!(report.counts.failed, 0, "{:#?}", report.events);
    host.sh("cd /srv/b/src && ! [ -e old ] && grep -q customer u").unwrap();

    let why = "what is mounted at `/srv/b/m` is in `/srv/b/src` too";
    let gone = json!(["file[/srv/b/src]", { "ensure": "absent", "force": true }]);
    let report = apply(host, &json!([gone, claimed]), &json!([]));
    assert_eq!((report.counts.failed, report.counts.changed), (2, 0), "{:#?}", report.events);
    let other = event(&report, "file[/srv/b/m/u]").reason.clone().unwrap_or_default();
    assert!(other.contains(why), "{other}");
    let contents = ["src", "m"].map(|at| json!([format!("file[/srv/b/{at}/u]"), { "content": at }]));
    let report = apply(host, &json!(contents), &json!([]));
    assert_rivals(&report, ["file[/srv/b/src/u]", "file[/srv/b/m/u]"], why);
    host.sh("grep -q customer /srv/b/src/u").unwrap();
}

/// Makes a package that has only dependencies, and a package source for it.
const PACKAGES: &str = r#"
set -e
mkdir -p /srv/own && cd /srv/own
pack() {
    mkdir -p "$1/DEBIAN"
    printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: nothing\n%s' "$1" "$2" >"$1/DEBIAN/control"
    dpkg-deb --build "$1" . >&2
}
pack own-b ''
pack own-a 'Depends: own-b
'
for file in *.deb; do
    dpkg-deb --field "$file"
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$file" "$(stat -c %s "$file")" "$(sha256sum <"$file" | cut -d' ' -f1)"
done >Packages
echo 'deb [trusted=yes] file:/srv/own ./' >/etc/apt/sources.list.d/own.list
apt-get -qq update
apt-get -qq -y install own-a >&2
"#;

/// Applies the same resources several times, and returns the reports.
fn times<const N: usize>(host: &Host, resources: &Value) -> [Report; N] {
    std::array::from_fn(|_| apply(host, resources, &json!([])))
}

#[test]
fn what_undid_itself_run_by_run_is_put_right_or_fails_with_a_name() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["undoing.acme.example"]).expect("a host boots")[0];
    host.sh(PACKAGES).unwrap();
    host.sh("apt-get install -qq -y holdfast-sample openssh-server >&2").unwrap();

    an_absent_package_that_another_depends_on(host);
    a_command_that_disables_a_service(host);
    an_alias_that_is_disabled(host);
    another_mode_of_a_tmpfs(host);
    an_account_without_its_home(host);
    a_mask_in_a_directory_that_is_purged(host);
}

fn an_absent_package_that_another_depends_on(host: &Host) {
    for turned in [false, true] {
        let mut both = vec![json!(["package[own-a]", {}]), json!(["package[own-b]", { "ensure": "absent" }])];
        if turned {
            both.reverse();
        }
        for report in times::<3>(host, &json!(both)) {
            let event = event(&report, "package[own-b]");
            let reason = event.reason.as_deref().unwrap_or_default();
            assert!(event.status == Status::Failed && reason.contains("package[own-a]"), "{event:#?}");
            assert_eq!((report.counts.failed, report.counts.unchanged), (1, 1), "{:#?}", report.events);
            host.sh("dpkg --status own-a own-b | grep -c 'ok installed' | grep -x 2").unwrap();
        }
    }
}

fn a_command_that_disables_a_service(host: &Host) {
    let command = "systemctl disable --quiet --now holdfast-sample";
    let named = format!("exec[{command}]");
    let mut both = vec![
        json!([named, { "always": true }]),
        json!(["service[holdfast-sample]", { "ensure": "running", "enable": true }]),
    ];
    for _ in 0..2 {
        for report in times::<2>(host, &json!(both)) {
            let changes = report.events.iter().filter(|event| event.status == Status::Changed);
            for event in changes {
                let reason = event.reason.as_deref().unwrap_or_default();
                assert!(
                    reason.contains(&format!("{named}, which acted since, may have done it")),
                    "{event:#?}"
                );
            }
            assert_eq!((report.counts.changed, report.counts.failed), (1, 0), "{:#?}", report.events);
            host.sh("systemctl is-active --quiet holdfast-sample && systemctl is-enabled holdfast-sample")
                .unwrap();
        }
        both.reverse();
    }
}

fn an_alias_that_is_disabled(host: &Host) {
    let service = json!([["service[sshd]", { "enable": false }]]);
    let [first, second] = times::<2>(host, &service);
    assert_eq!((first.counts.changed, first.counts.failed), (1, 0), "{:#?}", first.events);
    assert_eq!(second.counts.unchanged, 1, "{:#?}", second.events);
    let state = host.sh("systemctl is-enabled ssh || true").unwrap();
    assert_eq!(state, "disabled");
}

fn another_mode_of_a_tmpfs(host: &Host) {
    host.sh("mkdir -p /srv/memory").unwrap();
    let mount = |mode: &str| {
        let options = format!("size=1m,mode={mode}");
        json!([["mount[/srv/memory]", { "device": "tmpfs", "fstype": "tmpfs", "options": options }]])
    };
    let [report] = times::<1>(host, &mount("0700"));
    assert_eq!(report.counts.changed, 1, "{:#?}", report.events);
    let [first, second] = times::<2>(host, &mount("0755"));
    let is = host.sh("stat -c %a /srv/memory").unwrap();
    let outcome = (first.counts.failed, second.counts.failed, second.counts.unchanged);
    match is.trim() {
        "755" => assert_eq!(outcome, (0, 0, 1), "{:#?}", second.events),
        _ => assert_eq!(outcome, (1, 1, 0), "{is}: {:#?}", second.events),
    }
}

fn an_account_without_its_home(host: &Host) {
    host.sh("echo in the way >/srv/homes").unwrap();
    let user = json!([["user[otto]", { "home": "/srv/homes/otto", "manage_home": true }]]);
    for report in times::<3>(host, &user) {
        assert_eq!((report.counts.failed, report.counts.unchanged), (1, 0), "{:#?}", report.events);
    }
    host.sh("rm /srv/homes && mkdir /srv/homes").unwrap();
    let [first, second] = times::<2>(host, &user);
    assert_eq!((first.counts.changed, second.counts.unchanged), (1, 1), "{:#?}", first.events);
    assert_eq!(host.sh("stat -c %U /srv/homes/otto").unwrap(), "otto");
}

fn a_mask_in_a_directory_that_is_purged(host: &Host) {
    host.sh("ln -s /dev/null /etc/systemd/system/stray.service").unwrap();
    let own = json!({ "ensure": "directory", "purge": true, "recurse": true, "force": true });
    let all = json!([
        ["file[/etc/systemd/system]", own],
        ["service[holdfast-sample]", { "enable": "mask" }],
        ["service[ssh]", { "enable": true }],
    ]);
    let [first, second] = times::<2>(host, &all);
    assert_eq!((first.counts.changed, first.counts.failed), (3, 0), "{:#?}", first.events);
    assert_eq!(second.counts.unchanged, 3, "{:#?}", second.events);
    let states = host.sh("systemctl is-enabled holdfast-sample ssh || true").unwrap();
    assert_eq!(states, "masked\nenabled");
    host.sh("! [ -L /etc/systemd/system/stray.service ]").unwrap();
}
