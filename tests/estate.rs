//! The tree's own estate on booted hosts: on a bare Debian, each role converges in one run, its services answer in
//! their own protocols, and there is nothing left to do in further runs.

use std::collections::BTreeSet;
use std::env;
use std::thread;
use std::time::{Duration, Instant};

use harness::binaries::workspace;
use harness::estate::{self, Estate};
use harness::lab::{self, Host, Lab};
use harness::wait;
use holdfast_server::{Directory, Program};

use crate::modules;

mod changes;
mod customers;
mod sealed_logs;

/// How long a service may take to answer on a busy machine.
const SOON: Duration = Duration::from_secs(90);

/// How many more runs a converged machine gets.
const RUNS: usize = 5;

/// The time between two runs of a soak test.
const INTERVAL: Duration = Duration::from_secs(60);

/// How many machines converge at once.
const AT_ONCE: usize = 4;

/// Machines that work together, and the probes for them, in order.
struct Scene {
    nodes: &'static [&'static str],
    probes: &'static [Probe],
}

/// A condition: a shell script that must succeed in the end.
struct Probe {
    on: &'static str,
    what: &'static str,
    script: &'static str,
}

/// Functions for scripts: a grep that also shows its input, and a start that shows the unit's log if it fails, to see
/// the reason.
const SEE: &str = "see() { tee /dev/stderr | grep \"$@\"; }\n\
    begin() { systemctl start \"$1\" || { journalctl --unit \"$1\" --lines 30 --output cat >&2; return 1; }; }\n";

const fn probe(on: &'static str, what: &'static str, script: &'static str) -> Probe {
    Probe { on, what, script }
}

const OPS: &str = "ops1.nordops.example";
const WEB: &str = "web1.acme.example";
const DB: &str = "db1.acme.example";

const OPERATIONS: Scene = Scene {
    nodes: &[OPS, WEB, DB],
    probes: &[
        probe(
            WEB,
            "the machine has its name, zone and language",
            "[ \"$(hostname)\" = web1 ] && [ \"$(readlink -f /etc/localtime)\" = /usr/share/zoneinfo/Europe/Zurich ] \
             && locale -a | see -x en_US.utf8 && locale -a | see -x de_CH.utf8 && grep -x LANG=en_US.UTF-8 /etc/default/locale",
        ),
        probe(
            WEB,
            "the kernel's settings are live",
            "[ \"$(cat /proc/sys/net/ipv4/conf/all/accept_redirects)\" = 0 ]",
        ),
        probe(WEB, "ssh answers", "nc -w 5 ops1.nordops.example 22 </dev/null | see '^SSH-2.0-'"),
        probe(
            OPS,
            "sshd is strict, and lets backups in",
            "sshd -T | see -x 'permitrootlogin no' && sshd -T | see -x 'passwordauthentication no' \
             && sshd -T | see -x 'allowgroups people' && sshd -T | see -x 'allowgroups borg'",
        ),
        probe(
            OPS,
            "a person logs in by key and becomes root",
            "[ \"$(ssh -i /root/otto -o BatchMode=yes -o StrictHostKeyChecking=no otto@web1.acme.example sudo -n id -u)\" = 0 ]",
        ),
        probe(
            OPS,
            "root does not log in",
            "! ssh -i /root/otto -o BatchMode=yes -o StrictHostKeyChecking=no root@web1.acme.example true",
        ),
        probe(
            OPS,
            "the ruleset is loaded, and in the file that is loaded at boot",
            "nft list chain inet holdfast input | see 'dport 22' && nft list chain inet holdfast input | see drop \
             && systemctl is-active nftables && grep 'dport' /etc/nftables.d/holdfast.nft",
        ),
        probe(OPS, "prometheus is ready", "curl -sSf http://127.0.0.1:9090/-/ready"),
        probe(
            OPS,
            "prometheus has the figures of another machine",
            "curl -sSfG http://127.0.0.1:9090/api/v1/query --data-urlencode \
             'query=up{job=\"node\",instance=\"web1.acme.example:9100\"}' | see -F ',\"1\"]'",
        ),
        probe(
            OPS,
            "prometheus knows what is wrong",
            "curl -sSf http://127.0.0.1:9090/api/v1/rules | see BackupOld",
        ),
        probe(DB, "figures are shown to nobody else", "! nc -z -w 3 web1.acme.example 9100"),
        probe(WEB, "something is logged", "logger --id --tag estate 'a line of the estate'"),
        probe(
            OPS,
            "what another machine logs arrives in a file of its own",
            "for from in $(getent ahosts web1.acme.example | cut -d' ' -f1 | sort -u); do \
             grep 'estate.*a line of the estate' /var/log/remote/$from/messages.log && exit; done; false",
        ),
        probe(
            OPS,
            "its file is rotated",
            // A log that was rotated today is not rotated again.
            "logrotate --force /etc/logrotate.conf || true; ls /var/log/remote/*/messages.log-*",
        ),
        probe(WEB, "a backup is made", "begin borg-backup"),
        probe(
            WEB,
            "a file comes back from the backup as it was",
            "d=$(mktemp -d) && cd \"$d\" && borg-backup extract \"::$(borg-backup list --last 1 --short)\" etc/borg/patterns \
             && cmp etc/borg/patterns /etc/borg/patterns",
        ),
        probe(WEB, "the repository is whole", "begin borg-check"),
        probe(
            WEB,
            "the monitoring is told",
            "curl -sSf http://127.0.0.1:9100/metrics | see -x 'borg_backup_last_exit_code 0' \
             && curl -sSf http://127.0.0.1:9100/metrics | see -x 'borg_check_last_exit_code 0'",
        ),
        probe(
            DB,
            "the key of one machine opens no repository of another",
            "! BORG_RELOCATED_REPO_ACCESS_IS_OK=yes borg-backup list ssh://borg@ops1.nordops.example/srv/borg/web1.acme.example",
        ),
        probe(
            OPS,
            "the backup server can tidy up",
            "runuser -u borg -- borg compact /srv/borg/web1.acme.example",
        ),
        probe(
            WEB,
            "upgrades come by themselves",
            "unattended-upgrade --dry-run && systemctl is-enabled logrotate.timer",
        ),
    ],
};

#[test]
fn operations_watches_its_clients_and_keeps_their_logs_and_backups() {
    if lab::shared().is_none() {
        return;
    }
    let cast = Cast::of(&[&OPERATIONS]);
    for _ in 0..RUNS {
        cast.expect_nothing_to_do("again");
    }
    cast.host(OPS).reboot().unwrap();
    cast.ask("after a reboot", OPERATIONS.probes);
    cast.expect_nothing_to_do("after a reboot");
    changes::reach_only_whom_they_concern(&cast, cast.host(OPS));
    sealed_logs::are_heard_by_certificate_alone(&cast);
    cast.converge("after changes");
    cast.expect_nothing_to_do("after changes");
}

/// Checks each class on a machine that has nothing else.
#[test]
fn every_class_converges_alone() {
    let Some(lab) = lab::shared() else { return };
    let classes = modules::classes(&Directory::new(workspace()).snapshot().unwrap());
    for classes in classes.chunks(AT_ONCE) {
        let names: Vec<String> =
            classes.iter().map(|class| class.replace("::", "-").replace('_', "-")).collect();
        let machines: Vec<String> = names.iter().map(|name| format!("{name}.nordops.example")).collect();
        let hosts =
            lab.boot(&machines.iter().map(String::as_str).collect::<Vec<_>>()).expect("the hosts boot");
        let estate = Estate::on(&hosts).unwrap();
        for (name, class) in names.iter().zip(classes) {
            estate.add(&estate::role_of_one(name, class, modules::given(class))).unwrap();
        }
        let cast = Cast { hosts, estate };
        cast.converge("alone");
        cast.expect_nothing_to_do("alone, once more");
    }
}

/// Checks all machines at once, for as long as `HOLDFAST_SOAK_MINUTES` says: any change is a failure.
#[test]
fn nothing_changes_over_time() {
    let Ok(minutes) = env::var("HOLDFAST_SOAK_MINUTES") else { return };
    let time = Duration::from_secs(60 * minutes.parse::<u64>().expect("HOLDFAST_SOAK_MINUTES is a number"));
    let needed = time + Duration::from_secs(1800);
    assert!(
        lab::time_to_live() > needed,
        "the lab ends before the soak: set LAB_TTL to {} or more",
        needed.as_secs()
    );
    if lab::shared().is_none() {
        return;
    }
    let cast = Cast::of(&SCENES);
    let begun = Instant::now();
    while begun.elapsed() < time {
        wait::pass(INTERVAL);
        let when = format!("after {} minutes", begun.elapsed().as_secs() / 60);
        cast.expect_nothing_to_do(&when);
    }
}

#[test]
fn each_role_has_a_machine_that_is_tried() {
    let estate = Directory::new(workspace()).snapshot().unwrap();
    let program = Program::new(&estate, None);
    let tried: Vec<&str> = SCENES.iter().flat_map(|scene| scene.nodes).copied().collect();
    let nodes = program.inventory().nodes().filter(|node| tried.contains(&node.certname.as_str()));
    let roles: BTreeSet<String> =
        nodes.map(|node| format!("modules/role/manifests/{}.toml", node.role)).collect();
    let all: BTreeSet<String> =
        estate.under("modules/role/manifests").map(|(path, _)| path.to_string()).collect();
    assert_eq!(roles, all);
}

const SCENES: [&Scene; 6] = [
    &OPERATIONS,
    &customers::SHOP,
    &customers::STOREFRONT,
    &customers::MAIL,
    &customers::DATABASES,
    &customers::NAMES,
];

/// Checks each role of a customer, on a bare Debian and after a reboot. Returns the hosts; `None` if there is no lab.
fn serves(scene: &Scene) -> Option<Cast> {
    lab::shared()?;
    let cast = Cast::of(&[scene]);
    cast.hosts.iter().for_each(|host| host.reboot().unwrap());
    cast.ask("after a reboot", scene.probes);
    cast.expect_nothing_to_do("after a reboot");
    Some(cast)
}

#[test]
fn shops_stand_behind_a_balancer() {
    serves(&customers::SHOP);
}

#[test]
fn an_application_runs_its_release() {
    serves(&customers::STOREFRONT);
}

#[test]
fn mail_is_sent_taken_in_and_read() {
    let Some(cast) = serves(&customers::MAIL) else { return };
    customers::mailboxes_come_and_go(&cast);
}

#[test]
fn databases_have_what_data_says() {
    serves(&customers::DATABASES);
}

#[test]
fn names_are_known_and_resolved() {
    serves(&customers::NAMES);
}

/// The hosts of a scene, converged.
struct Cast {
    hosts: Vec<Host>,
    estate: Estate,
}

impl Cast {
    /// Boots the bare hosts of some scenes together, converges them, and runs the probes. They have a lab of their own,
    /// since scenes share machines.
    fn of(scenes: &[&Scene]) -> Self {
        let lab = Lab::new().expect("a lab");
        let nodes: BTreeSet<&str> = scenes.iter().flat_map(|scene| scene.nodes).copied().collect();
        let hosts = lab.boot(&nodes.into_iter().collect::<Vec<_>>()).expect("the hosts boot");
        let estate = Estate::on(&hosts).unwrap();
        let cast = Self { hosts, estate };
        cast.converge("from nothing");
        cast.introduce();
        cast.converge("when the backup server knows the keys");
        cast.expect_nothing_to_do("at once");
        scenes.iter().for_each(|scene| cast.ask("when all is there", scene.probes));
        cast.expect_nothing_to_do("after the services were used");
        cast
    }

    /// Writes into the data what operators would once there are keys: those of machines, and Otto's own.
    fn introduce(&self) {
        let Some(operations) = self.hosts.iter().find(|host| host.certname() == OPS) else { return };
        operations.sh("ssh-keygen -q -t ed25519 -N '' -C otto -f /root/otto").unwrap();
        let key = operations.sh("cut -d' ' -f2 /root/otto.pub").unwrap();
        self.estate.replace(OTTO, &key).unwrap();
        let key = operations.sh("cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub").unwrap();
        self.estate.replace(BACKUP_SERVER, &key).unwrap();
        for host in self.hosts.iter().filter(|host| host.certname() != OPS) {
            self.estate.trust_backups_of(host).unwrap();
        }
    }

    fn host(&self, certname: &str) -> &Host {
        self.hosts.iter().find(|host| host.certname() == certname).expect("a host of the scene")
    }

    fn each(&self, run: impl Fn(&Host) + Sync) {
        for hosts in self.hosts.chunks(AT_ONCE) {
            thread::scope(|scope| {
                let run = &run;
                let threads: Vec<_> = hosts.iter().map(|host| scope.spawn(move || run(host))).collect();
                threads.into_iter().for_each(|thread| thread.join().unwrap());
            });
        }
    }

    fn converge(&self, when: &str) {
        self.each(|host| {
            self.estate.compile(host).unwrap();
            estate::run(host).unwrap_or_else(|why| panic!("{when}: {why:#}"));
        });
    }

    fn expect_nothing_to_do(&self, when: &str) {
        self.each(|host| {
            self.estate.compile(host).unwrap();
            let report = estate::run(host).unwrap_or_else(|why| panic!("{when}: {why:#}"));
            let counts = &report.counts;
            assert!(
                counts.changed == 0 && counts.would_change == 0 && counts.refreshed == 0,
                "{when}, {} has something to do: {:#?}",
                host.certname(),
                report.events
            );
        });
    }

    fn ask(&self, when: &str, probes: &[Probe]) {
        for probe in probes {
            let host = self.host(probe.on);
            host.wait_for(probe.what, SOON, |host| host.sh(&format!("{SEE}{}", probe.script)))
                .unwrap_or_else(|why| panic!("{when}: {why}"));
        }
    }
}

/// Otto's key in the data, whose private key does not exist.
const OTTO: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIBmriSfW+V1MmzrTx36EjqnRUGNJq7ApIxdD9EkO8gmt";

/// The backup server's key in the data.
const BACKUP_SERVER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAK4p93Eqdo8AizYjrR+XilLqqnr8ZSmTuTpja7+cWpR";
