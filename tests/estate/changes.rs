//! What a change of the data does to services: only those that it affects are restarted or reloaded.

use std::collections::BTreeMap;

use harness::estate;
use harness::lab::Host;

use super::Cast;

/// A change of a text in the data, and its expected effect on a machine.
struct Changed {
    from: &'static str,
    to: &'static str,
    /// Services that are new processes afterwards.
    restarted: &'static [&'static str],
    /// Services that reload their configuration and keep running.
    reloaded: &'static [&'static str],
    /// A script that succeeds only if the change is in force.
    in_force: &'static str,
}

/// The services that are checked.
const SERVICES: [&str; 6] =
    ["nftables", "prometheus", "prometheus-node-exporter", "rsyslog", "ssh", "systemd-journald"];

/// The changes on the operators' machine, one after another.
const CHANGES: [Changed; 6] = [
    Changed {
        from: "\"90d\"",
        to: "\"91d\"",
        restarted: &["prometheus"],
        reloaded: &[],
        in_force: "tr '\\0' ' ' </proc/$(pidof prometheus)/cmdline | grep 'retention.time=91d'",
    },
    Changed {
        from: "36 * 3600",
        to: "37 * 3600",
        restarted: &[],
        reloaded: &["prometheus"],
        in_force: "curl -sSf http://127.0.0.1:9090/api/v1/rules | grep '37 \\* 3600'",
    },
    Changed {
        from: "permit_root_login = \"no\"",
        to: "permit_root_login = \"prohibit-password\"",
        restarted: &[],
        reloaded: &["ssh"],
        in_force: "sshd -T | grep -x 'permitrootlogin without-password'",
    },
    Changed {
        from: "max_use = \"1G\"",
        to: "max_use = \"900M\"",
        restarted: &["systemd-journald"],
        reloaded: &[],
        in_force: "grep -x SystemMaxUse=900M /etc/systemd/journald.conf.d/holdfast.conf",
    },
    Changed {
        from: "keep_days = 180",
        to: "keep_days = 181",
        restarted: &[],
        reloaded: &[],
        in_force: "grep 'rotate 181' /etc/logrotate.d/holdfast-remote",
    },
    Changed {
        from: "\"10.99.0.0/16\"",
        to: "\"10.98.0.0/16\"",
        restarted: &[],
        reloaded: &[],
        in_force: "nft list chain inet holdfast input | grep '10.98.0.0/16'",
    },
];

/// Changes the data and checks the services, one change after another.
pub(super) fn reach_only_whom_they_concern(cast: &Cast, host: &Host) {
    cast.estate.give(host.certname(), EXTRA).unwrap();
    cast.converge("with a rule of its own");
    for change in &CHANGES {
        let what = format!("{} instead of {}", change.to, change.from);
        let before = invocations(host);
        cast.estate.replace(change.from, change.to).unwrap();
        cast.estate.compile(host).unwrap();
        let report = estate::run(host).unwrap();
        let after = invocations(host);
        let restarted: Vec<&str> =
            SERVICES.into_iter().filter(|service| before[service] != after[service]).collect();
        assert_eq!(restarted, change.restarted, "{what}: restarted; {:#?}", report.events);
        let refreshed = change.restarted.len() + change.reloaded.len();
        assert_eq!(report.counts.refreshed as usize, refreshed, "{what}: {:#?}", report.events);
        host.wait_for(&what, super::SOON, |host| host.sh(change.in_force)).unwrap();
    }
}

/// A rule that only this machine has, so that a change can be about it.
const EXTRA: &str =
    "[firewall.rules.visitors]\nsource = [\"10.99.0.0/16\"]\nprotocol = \"tcp\"\nports = [8080]\n";

/// Identifies the running start of each service.
fn invocations(host: &Host) -> BTreeMap<&'static str, String> {
    let start = |service| host.sh(&format!("systemctl show --property InvocationID {service}")).unwrap();
    SERVICES.into_iter().map(|service| (service, start(service))).collect()
}
