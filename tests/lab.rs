//! The lab itself: its hosts are what the other tests assume, and nothing of it is left behind.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::lab::{self, Host, Lab};
use harness::process;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_host_is_a_running_debian_of_its_own() {
    let Some(lab) = lab::shared() else { return };
    let hosts = lab.boot(&["own1.acme.example", "own2.acme.example"]).expect("two hosts boot");
    let [one, two] = &hosts[..] else { panic!("two hosts were asked for") };

    let seen = one.sh("cat /proc/1/comm; systemctl is-system-running; hostname -f; hostname").unwrap();
    assert_eq!(seen, "systemd\nrunning\nown1.acme.example\nown1");
    assert_ne!(one.read("/etc/machine-id").unwrap(), two.read("/etc/machine-id").unwrap());
    one.sh("ping -c1 -W5 own2.acme.example && ping -c1 -W5 server.lab").unwrap();
    assert!(
        !one.exec(&["ping", "-c1", "-W1", "192.0.2.1"]).unwrap().status.success(),
        "the lab leads outside"
    );
    one.sh(
        "strace --quiet -e inject=openat:error=ENOSPC:when=3+ cat /etc/hostname 2>&1 | grep 'No space left'",
    )
    .unwrap();
    for program in ["holdfast", "holdfast-agent"] {
        one.sh(&format!("command -v {program}")).unwrap();
    }
}

#[test]
fn commands_files_and_exit_codes_pass_through_unchanged() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["through.acme.example"]).expect("a host boots")[0];

    let arguments = ["printf", "%s|", "100%n", "$HOME", "${HOME}", "$$", "a  b", "\\n"];
    assert_eq!(host.exec(&arguments).unwrap().stdout, "100%n|$HOME|${HOME}|$$|a  b|\\n|");
    assert_eq!(host.exec(&["sh", "-c", "echo no >&2; exit 7"]).unwrap().status.code(), Some(7));
    let error = host.sh("echo what happened >&2; false").unwrap_err().to_string();
    assert!(error.contains("what happened"), "{error}");

    let bytes: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
    assert_eq!(
        host.exec_with_input(&["cat"], &bytes).unwrap().stdout.len(),
        String::from_utf8_lossy(&bytes).len()
    );
    for path in ["/tmp/deep/file", "/root/file"] {
        host.write(path, &bytes).unwrap();
        assert_eq!(host.read(path).unwrap(), bytes);
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("inner")).unwrap();
    fs::write(folder.path().join("inner/script"), "#!/bin/sh\necho pushed\n").unwrap();
    process::run(Command::new("chmod").arg("755").arg(folder.path().join("inner/script"))).unwrap();
    host.push(folder.path(), "/srv/pushed").unwrap();
    host.push(&folder.path().join("inner/script"), "/usr/local/bin/pushed").unwrap();
    assert_eq!(
        host.sh("/srv/pushed/inner/script; pushed; stat -c %U /srv/pushed/inner").unwrap(),
        "pushed\npushed\nroot"
    );
}

#[test]
fn packages_install_offline_and_their_services_answer_by_name() {
    let Some(lab) = lab::shared() else { return };
    let hosts = lab.boot(&["web.acme.example", "visitor.acme.example"]).expect("two hosts boot");
    let (web, visitor) = (&hosts[0], &hosts[1]);

    web.sh("apt-get install -qq -y nginx-light && systemctl is-active nginx").unwrap();
    visitor.sh("curl -sSf http://web.acme.example/ | grep -q nginx").unwrap();
    let page = web.http_get(80, "web.acme.example", "/").unwrap();
    assert!(page.status == 200 && page.body.contains("nginx"), "{page:?}");
    web.sh("systemctl stop nginx").unwrap();
    assert!(web.http_get(80, "web.acme.example", "/").is_err(), "a stopped service answers");
    web.sh("systemctl start nginx").unwrap();
    web.wait_for("nginx answers", SOON, |host| host.http_get(80, "web.acme.example", "/")).unwrap();
}

#[test]
fn samples_have_versions_a_configuration_file_and_a_service_that_reloads() {
    let Some(lab) = lab::shared() else { return };
    let host = &lab.boot(&["sample.acme.example"]).expect("a host boots")[0];
    let active = || host.sh("cat /run/holdfast-sample/active");

    host.sh("apt-get install -qq -y holdfast-sample=1.0 holdfast-sample-extra").unwrap();
    host.wait_for("the service is up", SOON, |_| active()).unwrap();
    assert_eq!(active().unwrap(), "greeting = \"hello from 1.0\"");
    host.sh("apt-get install -qq -y holdfast-sample=1.1").unwrap();
    host.wait_for("1.1 is active", SOON, |_| host.sh("grep 'from 1.1' /run/holdfast-sample/active")).unwrap();

    let process = || host.sh("systemctl show --property MainPID --value holdfast-sample").unwrap();
    let before = process();
    host.sh("echo mine >/etc/holdfast-sample.conf; systemctl reload holdfast-sample").unwrap();
    host.wait_for("mine is active", SOON, |_| host.sh("grep -x mine /run/holdfast-sample/active")).unwrap();
    assert_eq!(process(), before, "a reload is not a restart");
    host.sh(
        "apt-get upgrade -qq -y -o Dpkg::Options::=--force-confold; grep -x mine /etc/holdfast-sample.conf",
    )
    .unwrap();
    assert_eq!(host.sh("dpkg-query --show --showformat '${Version}' holdfast-sample").unwrap(), "2.0");
}

#[test]
fn a_host_can_crash_reboot_hang_and_lose_its_network() {
    let Some(lab) = lab::shared() else { return };
    let hosts = lab.boot(&["fault.acme.example", "witness.acme.example"]).expect("two hosts boot");
    let (host, witness) = (&hosts[0], &hosts[1]);
    let reached = || witness.sh("ping -c1 -W1 fault.acme.example");
    let boot_of = || host.sh("cat /run/this-boot 2>/dev/null || echo another").unwrap();

    host.sh("echo kept >/root/kept; sync; echo first >/run/this-boot").unwrap();
    host.crash().unwrap();
    assert!(host.exec(&["true"]).is_err() && reached().is_err(), "a crashed host answers");
    host.start().unwrap();
    assert_eq!((host.read("/root/kept").unwrap(), boot_of()), (b"kept\n".to_vec(), "another".into()));

    host.sh("echo second >/run/this-boot").unwrap();
    host.reboot().unwrap();
    assert_eq!(boot_of(), "another");
    host.stop().unwrap();
    host.start().unwrap();

    host.cut().unwrap();
    assert!(reached().is_err(), "a cut cable carries");
    host.heal().unwrap();
    host.wait_for("it is reached again", SOON, |_| reached()).unwrap();

    host.sh("systemd-run --quiet --unit ticks sh -c 'while :; do date +%N >/root/ticks; sleep 0.02; done'")
        .unwrap();
    let ticks = || fs::read_to_string(host.root().join("root/ticks")).unwrap_or_default();
    let moves = |since: &str| if ticks() == since { Err("no tick") } else { Ok(()) };
    harness::wait::until("the first tick", SOON, || moves("")).unwrap();
    host.freeze().unwrap();
    assert!(host.exec(&["true"]).is_err());
    let frozen = ticks();
    assert!(
        harness::wait::until("a tick", Duration::from_millis(300), || moves(&frozen)).is_err(),
        "it still ticks"
    );
    host.thaw().unwrap();
    harness::wait::until("a tick", SOON, || moves(&frozen)).unwrap();
}

#[test]
fn the_machine_serves_hosts_and_reaches_them_from_its_own_loopback() {
    let Some(lab) = lab::shared() else { return };
    lab.name_machine("holdfast.acme.example").unwrap();
    let host = &lab.boot(&["client.acme.example"]).expect("a host boots")[0];
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("page"), "from the machine").unwrap();
    let mut server = lab.command_in_network("python3");
    server.args(["-m", "http.server", "8000", "--directory"]).arg(folder.path());
    let _server = process::start(server.stdout(Stdio::null()).stderr(Stdio::null())).unwrap();

    let page =
        host.wait_for("the page", SOON, |host| host.sh("curl -sSf http://holdfast.acme.example:8000/page"));
    assert_eq!(page.unwrap(), "from the machine");

    let forward = lab.forward(([127, 0, 0, 1], 0).into(), (lab.address(), 8000).into()).unwrap();
    let url = format!("http://{}/page", forward.address());
    let page = process::run(Command::new("curl").args(["-sSf", "--max-time", "10", &url]));
    assert_eq!(page.unwrap(), "from the machine");
}

#[test]
fn what_is_dropped_leaves_nothing_on_the_machine() {
    if lab::shared().is_none() {
        return;
    }
    let lab = Lab::new().expect("a second lab beside the shared one");
    let hosts = lab.boot(&["left.acme.example"]).expect("a host boots");
    let number = number_of(&hosts[0]);
    let traces = || traces_of(&number);
    assert!(traces().len() >= 5, "{:?}", traces());

    drop(hosts);
    assert!(traces().iter().all(|trace| !trace.contains(&format!("holdfast-{number}-10"))), "{:?}", traces());
    drop(lab);
    assert_eq!(traces(), BTreeSet::new());
}

/// Plays both parts: the process that is killed is this same test, started again with a variable set.
#[test]
fn a_killed_process_leaves_nothing_on_the_machine() {
    const PART: &str = "HOLDFAST_LAB_TEST_VICTIM";
    if std::env::var_os(PART).is_some() {
        let lab = Lab::new().expect("a lab");
        let hosts = lab.boot(&["killed.acme.example"]).expect("a host boots");
        let _server = process::start(lab.command_in_network("sleep").arg("600")).expect("a program starts");
        // The test runner may have begun a line already.
        writeln!(std::io::stdout(), "\nlab {}", number_of(&hosts[0])).expect("somebody listens");
        std::io::stdin().read_line(&mut String::new()).expect("a line that never comes");
        return;
    }
    if lab::shared().is_none() {
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap());
    victim.args(["--exact", "lab::a_killed_process_leaves_nothing_on_the_machine", "--nocapture"]);
    victim.env(PART, "1").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut victim = process::start(&mut victim).unwrap();
    let output = BufReader::new(victim.child().stdout.take().unwrap());
    let number =
        output.lines().find_map(|line| line.unwrap().strip_prefix("lab ").map(str::to_owned)).unwrap();
    assert!(traces_of(&number).len() >= 5, "{:?}", traces_of(&number));

    drop(victim);
    harness::wait::until("everything of it is gone", SOON, || {
        let left = traces_of(&number);
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .unwrap();
}

fn number_of(host: &Host) -> String {
    let root = host.root();
    let folder =
        root.ancestors().nth(4).and_then(Path::file_name).expect("a host's disk lies in its lab's folder");
    folder.to_string_lossy().into_owned()
}

/// The namespaces, mounts, control groups and processes with the number of a lab.
fn traces_of(lab: &str) -> BTreeSet<String> {
    let prefix = format!("holdfast-{lab}-");
    let path = format!("holdfast-lab/labs/{lab}/");
    let mut seen = BTreeSet::new();
    let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
    seen.extend(mounts.lines().filter(|line| line.contains(&path)).map(str::to_owned));
    let find =
        "find /run/netns /run/systemd/nspawn/propagate /sys/fs/cgroup /var/tmp/holdfast-lab/labs -maxdepth 2;
                pgrep --full --list-full systemd-nspawn; true";
    let list = process::run(Command::new("sh").args(["-c", find])).expect("a list");
    let own = |line: &&str| line.contains(&prefix) || line.contains(&path);
    seen.extend(list.lines().filter(own).map(str::to_owned));
    seen
}
