//! What is planned for a module, and what is run and written for it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use holdfast_catalog::value::Value;

use super::*;
use crate::provider::trial::{self, want};
use crate::system::double::{Double, failed, said};

const LOAD: &str = "etc/modules-load.d/holdfast-snd-usb-audio.conf";
const PROBE: &str = "etc/modprobe.d/holdfast-snd-usb-audio.conf";
const HEADER: &str =
    "# Written by holdfast for kernel_module[snd-usb-audio]; what is changed here is undone.\n";

const OTHER_MODULES: &str = "nf_tables 1 0 - Live 0x0\n";
const LOADED: &str = "snd_usb_audio 290816 2 - Live 0x0000000000000000\nnf_tables 1 0 - Live 0x0\n";

/// A machine on which modprobe does what it is told.
fn machine(loaded: bool) -> Double {
    machine_with(loaded, |command| {
        let removes = command.starts_with("modprobe --remove");
        Some(if removes { OTHER_MODULES } else { LOADED })
    })
}

/// A machine that has these modules loaded after a command.
fn machine_with(loaded: bool, after: fn(&str) -> Option<&'static str>) -> Double {
    let root = Arc::new(OnceLock::<PathBuf>::new());
    let at = root.clone();
    let double = Double::new(move |invocation| {
        if let Some(modules) = after(&invocation.command.to_string()) {
            std::fs::write(at.get()?.join("proc/modules"), modules).ok()?;
        }
        Some(said(""))
    });
    root.set(double.root.path().to_owned()).unwrap();
    double.put("/proc/modules", if loaded { LOADED } else { OTHER_MODULES });
    double.put("/proc/sys/kernel/osrelease", "6.1.0-1-amd64\n");
    double.put("/lib/modules/6.1.0-1-amd64/modules.builtin", "kernel/fs/binfmt-elf.ko\n");
    double.put("/sys/module/loop/parameters/max_loop", "0\n");
    double.put("/etc/modules-load.d/x", "");
    double.put("/etc/modprobe.d/x", "");
    double
}

fn module(attributes: &[(&str, Value)]) -> KernelModule {
    want("snd-usb-audio", attributes)
}

fn changes(machine: &Double, want: &KernelModule) -> Vec<String> {
    trial::said(&trial::changes(&KernelModules, machine, want))
}

fn file(machine: &Double, path: &str) -> String {
    std::fs::read_to_string(machine.root.path().join(path)).unwrap_or_default()
}

#[test]
fn a_module_is_loaded_now_and_at_boot_with_its_options_first() {
    let machine = machine(false);
    let want = module(&[("options", "nrpacks=1  index=2 ".into())]);
    assert_eq!(
        changes(&machine, &want),
        ["ensure: absent -> present", "persist: false -> true", "options:  -> nrpacks=1  index=2"]
    );
    assert!(trial::correct(&KernelModules, &machine, &want).unwrap().failed.is_empty());
    assert_eq!(machine.ran(), ["modprobe -- snd-usb-audio"]);
    assert_eq!(file(&machine, LOAD), format!("{HEADER}snd-usb-audio\n"));
    assert_eq!(file(&machine, PROBE), format!("{HEADER}options snd-usb-audio nrpacks=1  index=2\n"));
    assert_eq!(changes(&machine, &want), [""; 0]);
}

#[test]
fn what_modprobe_only_says_it_did_fails() {
    for (loaded, ensure, is) in [(false, "present", "absent"), (true, "absent", "present")] {
        let machine = machine_with(loaded, |_| None);
        let want = module(&[("ensure", ensure.into()), ("persist", false.into())]);
        let applied = trial::correct(&KernelModules, &machine, &want).unwrap();
        let error = applied.failed[0].1.to_string();
        assert!(error.contains(&format!("`snd-usb-audio` is {is} in the kernel")), "{error}");
    }
}

#[test]
fn a_module_that_cannot_be_loaded_fails_alone() {
    let refusing = Double::new(|_| Some(failed(1, "modprobe: FATAL: Module snd-usb-audio not found")));
    for folder in ["/etc/modules-load.d/x", "/etc/modprobe.d/x"] {
        refusing.put(folder, "");
    }
    let applied = trial::correct(&KernelModules, &refusing, &module(&[])).unwrap();
    assert_eq!(applied.failed.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [0]);
    assert!(applied.failed[0].1.to_string().contains("not found"));
    assert_eq!(file(&refusing, LOAD), format!("{HEADER}snd-usb-audio\n"));
}

#[test]
fn one_that_is_absent_is_removed_and_blacklisted() {
    let machine = machine(true);
    machine.put(&format!("/{LOAD}"), &format!("{HEADER}snd-usb-audio\n"));
    let want = module(&[("ensure", "absent".into()), ("blacklist", true.into())]);
    assert_eq!(
        changes(&machine, &want),
        ["ensure: present -> absent", "persist: true -> false", "blacklist: false -> true"]
    );
    assert!(trial::correct(&KernelModules, &machine, &want).unwrap().failed.is_empty());
    assert_eq!(machine.ran(), ["modprobe --remove -- snd-usb-audio"]);
    assert!(!machine.root.path().join(LOAD).exists());
    assert_eq!(file(&machine, PROBE), format!("{HEADER}blacklist snd-usb-audio\n"));
}

#[test]
fn what_is_built_in_counts_as_loaded_and_cannot_be_removed() {
    let machine = machine(false);
    for name in ["binfmt_elf", "binfmt-elf", "loop"] {
        let here = want(name, &[("persist", false.into())]);
        assert_eq!(changes(&machine, &here), [""; 0], "{name}");
        let gone = want(name, &[("ensure", "absent".into())]);
        let refused = trial::plan(&KernelModules, &machine, &gone).unwrap_err().to_string();
        assert!(refused.contains("built into"), "{refused}");
    }
}

#[test]
fn files_that_others_wrote_in_are_seen() {
    let machine = machine(true);
    let want = module(&[("options", "index=2".into())]);
    trial::correct(&KernelModules, &machine, &want).unwrap();
    for (path, text, change) in [
        (LOAD, "snd-usb-audio\nevil\n", "persist: snd-usb-audio\nevil -> true"),
        (PROBE, "options snd_usb_audio index=3\n", "options: index=3 -> index=2"),
        (PROBE, "blacklist snd-usb-audio\noptions snd-usb-audio index=2\n", "blacklist: true -> false"),
        (
            PROBE,
            "options snd-usb-audio index=2\ninstall loop /tmp/evil\n",
            "options: index=2 (among other lines) -> index=2",
        ),
    ] {
        machine.put(&format!("/{path}"), text);
        assert_eq!(changes(&machine, &want), [change]);
        trial::correct(&KernelModules, &machine, &want).unwrap();
        assert_eq!(changes(&machine, &want), [""; 0]);
    }
    // Options that are not managed are kept, and removed with "".
    assert_eq!(changes(&machine, &module(&[])), [""; 0]);
    let none = module(&[("options", "".into())]);
    assert_eq!(changes(&machine, &none), ["options: index=2 -> "]);
    trial::correct(&KernelModules, &machine, &none).unwrap();
    assert!(!machine.root.path().join(PROBE).exists());
}

#[test]
fn without_kmod_it_waits() {
    let plan = trial::plan(&KernelModules, &Double::new(|_| None), &module(&[])).unwrap();
    assert!(matches!(&plan, Plan::Pending(need) if need.why.contains("kmod")), "{plan:?}");
}

/// What fails, by property.
fn failures(machine: &Double, want: &KernelModule) -> Vec<String> {
    trial::correct(&KernelModules, machine, want)
        .unwrap()
        .failed
        .iter()
        .map(|(_, error)| error.to_string())
        .collect()
}

#[test]
fn what_another_file_has_loaded_at_boot_is_not_absent() {
    for (path, name) in [
        ("/etc/modules-load.d/other.conf", "snd-usb-audio"),
        ("/usr/lib/modules-load.d/v.conf", "  snd_usb_audio"),
        ("/run/modules-load.d/r.conf", "loop\nsnd_usb_audio\n"),
    ] {
        let machine = machine(false);
        machine.put(path, name);
        let gone = module(&[("ensure", "absent".into())]);
        for _ in 0..2 {
            assert_eq!(changes(&machine, &gone), [format!("persist: named in {path} -> false")]);
            assert!(failures(&machine, &gone)[0].contains(&format!("because {path} names it")));
        }
        let unloaded = module(&[("ensure", "absent".into()), ("persist", false.into())]);
        assert_eq!(changes(&machine, &unloaded), [""; 0]);
        // The boot ignores what is blacklisted.
        let kept_out = module(&[("ensure", "absent".into()), ("blacklist", true.into())]);
        assert_eq!(failures(&machine, &kept_out), [""; 0]);
        assert_eq!(changes(&machine, &kept_out), [""; 0]);
    }
    let machine = machine(false);
    machine.put("/etc/modules-load.d/other.conf", "# snd-usb-audio\nsnd-usb-audio-x\n");
    assert_eq!(changes(&machine, &module(&[("ensure", "absent".into())])), [""; 0]);
}

#[test]
fn what_another_file_blacklists_is_not_loaded_at_boot() {
    let machine = machine(true);
    machine.put("/lib/modprobe.d/vendor.conf", "blacklist snd_usb_audio\n");
    for _ in 0..2 {
        assert!(failures(&machine, &module(&[]))[0].contains("/lib/modprobe.d/vendor.conf blacklists it"));
    }
    assert_eq!(changes(&machine, &module(&[("persist", false.into())])), ["persist: true -> false"]);
}

#[test]
fn an_option_that_a_later_file_gives_another_value_is_not_in_force() {
    let machine = machine(true);
    machine.put("/etc/modprobe.d/a.conf", "options snd-usb-audio index=9\n");
    let want = module(&[("options", "index=2 nrpacks=1".into())]);
    assert_eq!(failures(&machine, &want), [""; 0]);
    assert_eq!(changes(&machine, &want), [""; 0], "an earlier file has not the last word");
    machine.put("/etc/modprobe.d/kvm.conf", "options snd_usb_audio nrpacks=1 index=0\n");
    for _ in 0..2 {
        let is = "index=0 by /etc/modprobe.d/kvm.conf, which is read later";
        assert_eq!(changes(&machine, &want), [format!("options: {is} -> index=2 nrpacks=1")]);
        assert!(failures(&machine, &want)[0].contains("/etc/modprobe.d/kvm.conf"));
    }
}

#[test]
fn files_that_others_may_write_are_made_this_agents_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let machine = machine(true);
    let want = module(&[("options", "index=2".into())]);
    trial::correct(&KernelModules, &machine, &want).unwrap();
    for path in [LOAD, PROBE] {
        let place = machine.root.path().join(path);
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(changes(&machine, &want).len(), 1, "{path}");
        assert_eq!(failures(&machine, &want), [""; 0]);
        assert_eq!(changes(&machine, &want), [""; 0]);
    }
}

#[test]
fn a_command_that_runs_in_its_place_and_does_nothing_keeps_it_from_being_loaded_at_boot() {
    let machine = machine(true);
    trial::correct(&KernelModules, &machine, &module(&[])).unwrap();
    let is_kept_out = |line: &str| {
        machine.put("/etc/modprobe.d/cis.conf", line);
        changes(&machine, &module(&[]))
    };
    for line in ["install snd_usb_audio /bin/false", "install snd-usb-audio true # CIS"] {
        let said = is_kept_out(line);
        assert_eq!(
            said,
            ["persist: replaced by a command that does nothing, in /etc/modprobe.d/cis.conf -> true"],
            "{line}"
        );
        let failed = failures(&machine, &module(&[]));
        assert!(failed[0].contains("/etc/modprobe.d/cis.conf has an `install` line"), "{failed:?}");
    }
    for other in ["install other /bin/false", "install snd_usb_audio /sbin/modprobe -i snd_usb_audio && x"] {
        assert_eq!(is_kept_out(other), [""; 0], "{other}");
    }
}
