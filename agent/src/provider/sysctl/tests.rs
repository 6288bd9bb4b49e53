//! What is planned for a setting, and what is written to the kernel and to the file.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use holdfast_catalog::resource::TypedResource;
use holdfast_catalog::value::Value;

use super::*;
use crate::content;
use crate::provider::CatalogClaims;
use crate::provider::trial::{self, want};
use crate::system::double::{Double, failed, said};

const KEY: &str = "net.ipv4.tcp_rmem";
const FILE: &str = "/etc/sysctl.d/99-zz-holdfast-net.ipv4.tcp_rmem.conf";
const TEXT: &str = "\
# Written by holdfast for sysctl[net.ipv4.tcp_rmem]; what is changed here is undone.
net/ipv4/tcp_rmem = 4096 131072 6291456
";

fn machine(live: &str, file: Option<&str>) -> Double {
    let double = Double::new(|_| Some(said("")));
    double.put("/proc/sys/net/ipv4/tcp_rmem", live);
    double.put("/etc/sysctl.d/99-sysctl.conf", "");
    if let Some(file) = file {
        double.put(FILE, file);
    }
    double
}

/// A machine whose kernel stores `take` of what it is given.
fn taking(take: fn(&str) -> &str) -> Double {
    let root = Arc::new(OnceLock::<PathBuf>::new());
    let at = root.clone();
    let double = Double::new(move |invocation| {
        let command = invocation.command.to_string();
        let place = at.get()?.join(command.strip_prefix("tee -- /")?);
        let given = String::from_utf8(invocation.input.as_ref()?.bytes().to_vec()).ok()?;
        std::fs::write(place, take(&given)).ok().map(|()| said(&given))
    });
    root.set(double.root.path().to_owned()).unwrap();
    double
}

fn setting(extra: &[(&str, Value)]) -> Sysctl {
    let value = ("value", Value::from("4096 131072\t6291456"));
    want(KEY, &[value].iter().chain(extra).cloned().collect::<Vec<_>>())
}

fn changes(machine: &Double, want: &Sysctl) -> Vec<String> {
    trial::said(&trial::changes(&KernelSettings, machine, want))
}

#[test]
fn white_space_counts_as_one_space() {
    assert_eq!(changes(&machine("4096\t131072\t6291456\n", Some(TEXT)), &setting(&[])), [""; 0]);
}

#[test]
fn a_list_of_ports_is_as_wanted_as_the_kernel_joins_it() {
    let machine = taking(|_| "8080-8081\n");
    machine.put("/proc/sys/net/ipv4/ip_local_reserved_ports", "\n");
    machine.put("/etc/sysctl.d/x", "");
    let ports = want("net.ipv4.ip_local_reserved_ports", &[("value", "8081,8080".into())]);
    assert!(trial::correct(&KernelSettings, &machine, &ports).unwrap().failed.is_empty());
    assert_eq!(changes(&machine, &ports), [""; 0]);
}

#[test]
fn the_directory_of_the_settings_is_made_where_an_image_lacks_it() {
    let double = Double::new(|_| Some(said("")));
    double.put("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
    assert!(trial::correct(&KernelSettings, &double, &setting(&[])).unwrap().failed.is_empty());
    assert_eq!(changes(&double, &setting(&[])), [""; 0]);
}

#[test]
fn the_kernel_and_the_file_are_seen_by_themselves() {
    let live = machine("4096\t87380\t6291456\n", Some(TEXT));
    assert_eq!(changes(&live, &setting(&[])), ["value: 4096 87380 6291456 -> 4096 131072 6291456"]);
    let right = "4096 131072 6291456";
    for (file, shown) in [
        (None, "false".to_owned()),
        (Some(TEXT.replace("4096", "1")), "1 131072 6291456".to_owned()),
        (
            Some(TEXT.replace("net/ipv4/tcp_rmem = 4096 ", "net.ipv4.tcp_rmem=4096 ")),
            format!("net.ipv4.tcp_rmem={right}"),
        ),
        (
            Some(format!("{TEXT}vm.swappiness = 1\n")),
            format!("net/ipv4/tcp_rmem = {right}; vm.swappiness = 1"),
        ),
    ] {
        let machine = machine(right, file.as_deref());
        assert_eq!(changes(&machine, &setting(&[])), [format!("persist: {shown} -> {right}")]);
        trial::correct(&KernelSettings, &machine, &setting(&[])).unwrap();
        assert_eq!(std::fs::read_to_string(machine.root.path().join(&FILE[1..])).unwrap(), TEXT);
        assert!(machine.ran().is_empty(), "the kernel is left alone");
    }
}

#[test]
fn a_value_is_written_in_place_by_standard_input() {
    let machine = taking(|given| given);
    machine.put("/proc/sys/net/ipv4/conf/eth0.1/rp_filter", "0\n");
    let want = want("net/ipv4/conf/eth0.1/rp_filter", &[("value", 2.into()), ("persist", false.into())]);
    assert!(trial::correct(&KernelSettings, &machine, &want).unwrap().failed.is_empty());
    assert_eq!(machine.ran(), ["tee -- /proc/sys/net/ipv4/conf/eth0.1/rp_filter"]);
    let place = machine.root.path().join("proc/sys/net/ipv4/conf/eth0.1/rp_filter");
    assert_eq!(std::fs::read_to_string(place).unwrap(), "2\n");
    assert_eq!(changes(&machine, &want), [""; 0]);
}

#[test]
fn a_value_that_the_kernel_made_another_of_is_no_change() {
    let machine = taking(|_| "4096\n");
    machine.put("/proc/sys/kernel/sem", "250\n");
    let want = want("kernel.sem", &[("value", 4000.into()), ("persist", false.into())]);
    let applied = trial::correct(&KernelSettings, &machine, &want).unwrap();
    let error = applied.failed[0].1.to_string();
    assert!(error.contains("the kernel has `4096` instead of `4000`"), "{error}");
}

#[test]
fn what_the_kernel_refuses_is_not_written_down() {
    let machine = Double::new(|invocation| {
        let path = invocation.command.to_string().replace("tee -- ", "");
        Some(failed(1, &format!("tee: {path}: Invalid argument")))
    });
    machine.put("/proc/sys/net/ipv4/tcp_rmem", "1 2 3\n");
    machine.put("/etc/sysctl.d/x", "");
    let applied = trial::correct(&KernelSettings, &machine, &setting(&[])).unwrap();
    assert_eq!(applied.failed.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(
        applied.failed[0].1.to_string(),
        "the kernel does not accept `4096 131072 6291456` for net.ipv4.tcp_rmem: Invalid argument"
    );
    assert!(!machine.root.path().join(&FILE[1..]).exists());
    // Nor is a value that it stores differently.
    let machine = taking(|_| "30\n");
    machine.put("/proc/sys/vm/swappiness", "60\n");
    machine.put("/etc/sysctl.d/x", "");
    let hexadecimal = want("vm.swappiness", &[("value", "0x1e".into())]);
    assert_eq!(trial::correct(&KernelSettings, &machine, &hexadecimal).unwrap().failed.len(), 2);
    assert_eq!(std::fs::read_dir(machine.root.path().join("etc/sysctl.d")).unwrap().count(), 1);
}

#[test]
fn what_is_not_to_be_kept_has_no_file() {
    for (attributes, change) in [
        (vec![("ensure", "absent".into())], "ensure: present -> absent"),
        (vec![("persist", false.into())], "persist: 4096 131072 6291456 -> false"),
    ] {
        let machine = machine("4096 131072 6291456", Some(TEXT));
        let want = setting(&attributes);
        assert_eq!(changes(&machine, &want), [change]);
        trial::correct(&KernelSettings, &machine, &want).unwrap();
        assert!(!machine.root.path().join(&FILE[1..]).exists());
        assert_eq!(changes(&machine, &want), [""; 0]);
    }
}

#[test]
fn a_setting_that_is_not_there_may_come_with_a_module_and_has_one_name() {
    let missing = want("net.bridge.bridge-nf-call-iptables", &[("value", 1.into())]);
    let plan = trial::plan(&KernelSettings, &machine("", None), &missing).unwrap();
    assert!(matches!(&plan, Plan::Pending(need) if need.why.contains("module")), "{plan:?}");
    let dotted = machine("", None);
    dotted.put("/proc/sys/net/ipv4/conf/eth0.1/rp_filter", "0\n");
    dotted.put("/proc/sys/net/ipv4/conf/eth0/rp_filter", "0\n");
    let plan = trial::plan(
        &KernelSettings,
        &dotted,
        &want("net.ipv4.conf.eth0.1.rp_filter", &[("value", 1.into())]),
    );
    let help = "write it as `net/ipv4/conf/eth0.1/rp_filter`";
    assert!(matches!(&plan, Ok(Plan::Pending(need)) if need.why.contains(help)), "{plan:?}");
    let other = want("net/ipv4/tcp_rmem", &[("value", 1.into())]);
    let all = [TypedResource::Sysctl(setting(&[])), TypedResource::Sysctl(other)];
    let machine = machine("", None);
    let reading = Reading {
        machine: &machine,
        content: &content::Nowhere,
        named: &CatalogClaims::new(&all),
        state_dir: Path::new("/none"),
    };
    let texts = KernelSettings.observe(&[], reading).unwrap();
    let refused = KernelSettings.plan(&setting(&[]), &texts, reading).unwrap_err().to_string();
    assert!(refused.contains("sysctl[net/ipv4/tcp_rmem]"), "{refused}");
}

#[test]
fn a_file_that_the_boot_reads_later_is_a_failure_that_names_it() {
    let machine = machine("4096 131072 6291456", None);
    machine.put("/etc/sysctl.d/k8s.conf", "net.ipv4.tcp_rmem = 1 2 3\n");
    for persisted in [false, true] {
        let applied = trial::correct(&KernelSettings, &machine, &setting(&[])).unwrap();
        let error = applied.failed[0].1.to_string();
        assert!(error.contains("1 2 3") && error.contains("/etc/sysctl.d/k8s.conf"), "{persisted}: {error}");
    }
    assert_eq!(changes(&machine, &setting(&[])), ["persist: 1 2 3 -> 4096 131072 6291456"]);
    assert_eq!(
        changes(&machine, &setting(&[("persist", false.into())])),
        ["persist: 4096 131072 6291456 -> false"]
    );
    machine.put("/etc/sysctl.d/k8s.conf", "net.ipv4.tcp_rmem = 4096 131072 6291456\n");
    assert_eq!(changes(&machine, &setting(&[])), [""; 0]);
}

#[test]
fn what_sysctl_system_would_set_is_said() {
    let machine = machine("4096 131072 6291456", Some(TEXT));
    machine.put("/etc/sysctl.conf", "net.ipv4.tcp_rmem = 1 2 3\n");
    let plan = trial::plan(&KernelSettings, &machine, &setting(&[])).unwrap();
    assert!(
        matches!(&plan, Plan::InSync(all) if all[0].note.as_deref().unwrap().contains("/etc/sysctl.conf")),
        "{plan:?}"
    );
}

/// The plan of a setting among all of these.
fn plan_among(machine: &Double, all: &[TypedResource], want: &Sysctl) -> Plan {
    trial::plan_among(&KernelSettings, machine, want, all).unwrap()
}

#[test]
fn what_the_kernel_changes_with_a_setting_is_set_after_it_at_boot() {
    let machine = Double::new(|_| Some(said("")));
    machine.put("/proc/sys/net/ipv4/ip_forward", "1\n");
    machine.put("/proc/sys/net/ipv4/conf/eth0/forwarding", "0\n");
    machine.put("/etc/sysctl.d/x", "");
    let wide: Sysctl = want("net.ipv4.ip_forward", &[("value", 1.into())]);
    trial::correct(&KernelSettings, &machine, &wide).unwrap();
    let eth0 = |value: i64| want::<Sysctl>("net.ipv4.conf.eth0.forwarding", &[("value", value.into())]);
    let all = [TypedResource::Sysctl(eth0(0)), TypedResource::Sysctl(wide.clone())];
    let correct = |all: &[TypedResource], want: &Sysctl| {
        let Plan::Changes(changes) = plan_among(&machine, all, want) else { panic!("in sync") };
        let named = CatalogClaims::new(all);
        let writing = trial::writing_to(&machine, &named, machine.root.path());
        assert!(KernelSettings.apply(want, &changes, writing).unwrap().failed.is_empty());
        changes
    };
    let changes = correct(&all, &wide);
    assert_eq!((changes.len(), changes[0].kind), (1, ChangeKind::Moved), "nobody's drift: {changes:?}");
    let path = machine.root.path().join("etc/sysctl.d/99-zz-holdfast-net.ipv4.ip_forward.conf");
    let text = || std::fs::read_to_string(&path).unwrap();
    assert!(text().ends_with("\nnet/ipv4/ip_forward = 1\nnet/ipv4/conf/eth0/forwarding = 0\n"), "{}", text());
    assert_eq!(plan_among(&machine, &all, &wide), Plan::IN_SYNC);
    // A new value for one: its own file does not fail because of the other's old line, which is rewritten.
    let other = [TypedResource::Sysctl(eth0(1)), TypedResource::Sysctl(wide.clone())];
    machine.put("/proc/sys/net/ipv4/conf/eth0/forwarding", "1\n");
    correct(&other, &eth0(1));
    correct(&other, &wide);
    assert!(text().ends_with("eth0/forwarding = 1\n"), "{}", text());
    // A line that others wrote is their responsibility.
    machine.put(
        "/etc/sysctl.d/99-zz-holdfast-net.ipv4.ip_forward.conf",
        &format!("{}vm.swappiness = 1\n", text()),
    );
    assert_eq!(correct(&other, &wide)[0].kind, ChangeKind::Differs);
    // Without the other one there is one line.
    machine.put("/etc/sysctl.d/99-zz-holdfast-net.ipv4.conf.eth0.forwarding.conf", "");
    correct(&[TypedResource::Sysctl(wide.clone())], &wide);
    assert!(text().ends_with("\nnet/ipv4/ip_forward = 1\n"), "{}", text());
}

#[test]
fn two_names_of_one_setting_are_named_once() {
    let machine = machine("", None);
    let two: Sysctl = want("net.ipv4.conf.all.forwarding", &[("value", 0.into())]);
    let one: Sysctl = want("net.ipv4.ip_forward", &[("value", 1.into())]);
    let all = [TypedResource::Sysctl(one.clone()), TypedResource::Sysctl(two)];
    let refused = trial::plan_among(&KernelSettings, &machine, &one, &all).unwrap_err();
    assert!(refused.to_string().contains("sysctl[net.ipv4.conf.all.forwarding]"), "{refused}");
}

#[test]
fn a_file_that_others_may_write_is_made_this_agents_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let machine = machine("4096 131072 6291456", Some(TEXT));
    let place = machine.root.path().join(&FILE[1..]);
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o666)).unwrap();
    let said = changes(&machine, &setting(&[]));
    assert!(said[0].contains("with the mode 0666 -> 4096 131072 6291456"), "{said:?}");
    trial::correct(&KernelSettings, &machine, &setting(&[])).unwrap();
    assert_eq!(changes(&machine, &setting(&[])), [""; 0]);
}
