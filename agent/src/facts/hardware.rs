//! Processors, memory, and what the machine really is: metal, a virtual machine, a container.

use std::collections::BTreeMap;
use std::path::Path;

use holdfast_catalog::value::{Map, Value};

use super::tree::host;
use super::{known, text};

/// Kernels and firmware reserve a few megabytes more or less from one boot to the next.
const MEMORY_STEP_MB: u64 = 64;

pub(super) fn collect(facts: &mut Map) {
    let cpuinfo = host("/proc/cpuinfo").unwrap_or_default();
    let meminfo = host("/proc/meminfo").unwrap_or_default();
    let processors = known([
        ("count", Some(processors().into())),
        ("model", cpuinfo_field(&cpuinfo, "model name").and_then(text)),
    ]);
    facts.insert("processors".into(), processors);
    let total = kilobytes(&meminfo, "MemTotal").map(|kb| steady(kb).into());
    facts.insert("memory".into(), known([("total_mb", total)]));
    let container = container();
    let kind = match &container {
        Some(_) => "container",
        None => hypervisor(&cpuinfo),
    };
    facts.insert("virtual".into(), kind.into());
    if let Some(runtime) = container.and_then(text) {
        facts.insert("container".into(), runtime);
    }
}

pub(super) fn volatile() -> BTreeMap<String, Value> {
    let meminfo = host("/proc/meminfo").unwrap_or_default();
    let available = kilobytes(&meminfo, "MemAvailable").and_then(|kb| i64::try_from(kb / 1024).ok());
    let first = |path: &str| host(path)?.split_whitespace().next()?.parse::<f64>().ok();
    let uptime = first("/proc/uptime").map(|seconds| Value::from(seconds as i64));
    [
        ("uptime_seconds", uptime),
        ("load_1m", first("/proc/loadavg").map(Value::from)),
        ("memory_available_mb", available.map(Value::from)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

fn processors() -> i64 {
    let online = host("/sys/devices/system/cpu/online").and_then(|list| count_list(list.trim()));
    online.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get() as i64))
}

/// Counts the numbers in a list of ranges: `0-3,8` has five.
fn count_list(list: &str) -> Option<i64> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(last.parse::<i64>().ok()? - first.parse::<i64>().ok()? + 1)
    };
    list.split(',').map(range).sum()
}

fn kilobytes(meminfo: &str, field: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

fn steady(kilobytes: u64) -> i64 {
    let step = MEMORY_STEP_MB * 1024;
    i64::try_from((kilobytes + step / 2) / step * MEMORY_STEP_MB).unwrap_or(i64::MAX)
}

fn cpuinfo_field<'a>(cpuinfo: &'a str, name: &str) -> Option<&'a str> {
    cpuinfo.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))
}

/// The container runtime, if this is a container.
fn container() -> Option<String> {
    // Written by systemd in containers that tell it what they are.
    if let Some(runtime) = host("/run/systemd/container") {
        return Some(runtime.trim().to_owned());
    }
    let marks = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman"), ("/dev/lxd/sock", "lxc")];
    if let Some((_, runtime)) = marks.iter().find(|(path, _)| Path::new(path).exists()) {
        return Some((*runtime).to_owned());
    }
    let environment = host("/proc/1/environ")?;
    environment.split('\0').find_map(|variable| variable.strip_prefix("container=")).map(str::to_owned)
}

fn hypervisor(cpuinfo: &str) -> &'static str {
    let dmi = |name: &str| host(format!("/sys/class/dmi/id/{name}")).unwrap_or_default();
    if host("/sys/hypervisor/type").is_some_and(|kind| kind.trim() == "xen") {
        return "xen";
    }
    let flags = cpuinfo_field(cpuinfo, "flags").unwrap_or_default();
    by_dmi(dmi("sys_vendor").trim(), dmi("product_name").trim(), flags.split(' ').any(|f| f == "hypervisor"))
}

/// What DMI says of the machine. A vendor's name alone does not tell a guest from the vendor's own hardware; the
/// processor's flag does, where there is one (x86).
fn by_dmi(vendor: &str, product: &str, flagged: bool) -> &'static str {
    match vendor {
        _ if product.starts_with("KVM") => "kvm",
        "QEMU" | "Red Hat" | "OpenStack Foundation" | "DigitalOcean" | "Hetzner" | "UpCloud" => "kvm",
        "Amazon EC2" | "Google" if flagged => "kvm",
        "innotek GmbH" => "virtualbox",
        "Xen" => "xen",
        "Microsoft Corporation" if product == "Virtual Machine" => "hyperv",
        vendor if vendor.starts_with("VMware") => "vmware",
        _ if flagged => "virtual",
        _ => "physical",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_does_not_flap_from_boot_to_boot() {
        assert_eq!(steady(2_014_988), steady(2_016_540));
        assert_eq!(steady(2_014_988), 1984);
        assert_eq!(kilobytes("MemTotal:       2014988 kB\nMemFree: 1 kB\n", "MemTotal"), Some(2_014_988));
    }

    #[test]
    fn lists_of_processors_are_counted() {
        assert_eq!(count_list("0-3,8"), Some(5));
        assert_eq!(count_list("0"), Some(1));
        assert_eq!(count_list("x"), None);
    }

    #[test]
    fn a_guest_is_told_from_metal() {
        assert_eq!(by_dmi("QEMU", "Standard PC", true), "kvm");
        assert_eq!(by_dmi("Dell Inc.", "PowerEdge R640", false), "physical");
        assert_eq!(by_dmi("Microsoft Corporation", "Surface", false), "physical");
        assert_eq!(by_dmi("Amazon EC2", "m5.metal", false), "physical");
        assert_eq!(by_dmi("", "", true), "virtual");
    }
}
