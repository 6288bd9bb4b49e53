//! Only the README: its commands for a new user, exactly as written, on two fresh machines.

use std::fs;
use std::time::Duration;

use harness::binaries::workspace;
use harness::lab::{self, Host, PROGRAMS_AT};

/// How long what the README promises may take on a busy machine.
const SOON: Duration = Duration::from_secs(120);

/// The files from the tree that a new user has, apart from the programs.
const FILES: [&str; 4] = [
    "Makefile",
    "agent/systemd/holdfast-agent.service",
    "server/systemd/holdfast-server.service",
    "server/systemd/holdfast-server.sysusers",
];

#[test]
fn by_the_readme_alone_a_machine_is_managed() {
    let Some(lab) = lab::shared() else { return };
    let [server, web] = &lab.boot(&["server.example.com", "web1.example.com"]).unwrap()[..] else { return };
    acquaint(server, web);
    unpack(server);
    in_tree(server, "make install");
    let [begin, bring, look, change] = &blocks()[..] else {
        panic!("the README has other blocks than these")
    };

    let said = in_tree(server, begin);
    assert!(said.contains("dashboard  https://server.example.com:8443"), "{said}");
    assert!(said.contains("login      https://server.example.com:8443/"), "{said}");
    assert!(exposure(server) < 2.0, "the server's unit is open to more than it bears");
    in_tree(server, bring);
    // At once, as someone would who pastes one block after another.
    let said = in_tree(server, look);
    assert!(said.contains("web1.example.com") && said.contains("Welcome to nginx!"), "{said}");
    assert!(said.contains("state        in order") || said.contains("state        changed"), "{said}");
    assert!(web.sh("cat /etc/motd").unwrap().contains("operations@example.com"));
    in_tree(server, change);
    web.wait_for("the change", SOON, |host| {
        // Reloads once more: the first time may have been before the server had read the file.
        host.sh("grep night@example.com /etc/motd || { systemctl reload holdfast-agent; false; }")
    })
    .unwrap();
}

/// How much of the machine the server's unit could harm, from 0 to 10, as computed by systemd.
fn exposure(server: &Host) -> f64 {
    let number = "sed -n 's/.*: \\([0-9.]*\\) .*/\\1/p'";
    let said = server.sh(&format!("systemd-analyze security holdfast-server.service | {number}")).unwrap();
    said.trim().parse().unwrap_or(10.0)
}

/// The blocks in the README's section on managing a machine, in order.
fn blocks() -> Vec<String> {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let after = readme.split("```sh manage\n").skip(1);
    after.map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// Lets the server reach the machine with ssh as root.
fn acquaint(server: &Host, web: &Host) {
    web.sh("apt-get install -qq -y openssh-server").unwrap();
    server.sh("apt-get install -qq -y make openssh-client && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519").unwrap();
    let key = server.sh("cat /root/.ssh/id_ed25519.pub").unwrap();
    web.sh("mkdir -p -m 700 /root/.ssh").unwrap();
    web.write("/root/.ssh/authorized_keys", key).unwrap();
    server.sh("ssh -o StrictHostKeyChecking=accept-new root@web1.example.com true").unwrap();
}

/// The tree as it is after `make build`.
fn unpack(server: &Host) {
    for file in FILES {
        server.push(&workspace().join(file), &format!("/root/holdfast/{file}")).unwrap();
    }
    let programs = format!("{PROGRAMS_AT}/holdfast {PROGRAMS_AT}/holdfast-agent");
    server.sh(&format!("install -D -t /root/holdfast/target/release {programs}")).unwrap();
}

fn in_tree(server: &Host, script: &str) -> String {
    server.sh(&format!("cd /root/holdfast\n{script}")).unwrap()
}
