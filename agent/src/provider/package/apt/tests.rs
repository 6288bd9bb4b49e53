//! What apt is given, and how its answers are read.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::super::tests::{held, want};
use holdfast_catalog::resource::TypedResource;

use super::super::{Packages, Plan};
use super::words::lacks_lock;
use super::*;
use crate::provider::{Provider as _, Reading};
use crate::system::double::{Double, failed, said};

const STATUS: &str = "\
Package: nginx
Status: install ok installed
Architecture: amd64
Version: 1.22.1-9

Package: chrony
Status: hold ok installed
Architecture: amd64
Version: 4.3-2
";

/// Runs `correct` with a state directory of its own.
fn correct(machine: &Double, wants: &[&Package], catalog: &[&Package]) -> Vec<Result<Applied, Error>> {
    let state = tempfile::tempdir().unwrap();
    super::correct(machine, state.path(), wants, catalog)
}

/// The option by which apt waits for the lock.
const LOCK: &str = "DPkg::Lock::Timeout=300";

#[test]
fn one_transaction_installs_changes_and_removes() {
    let wants = [want("nginx", "1.0-1"), want("htop", "present"), want("chrony", "absent")];
    let wants: Vec<&Package> = wants.iter().collect();
    let options = ["--no-install-recommends".to_owned()];
    let command = command(AptVerb::Install, &options, &wants, &DpkgStatus::parse(STATUS), LOCK);
    assert_eq!(
        command.command.to_string(),
        "apt-get -y -q -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 --allow-downgrades \
         install --no-install-recommends -- nginx=1.0-1 htop chrony-"
    );
}

#[test]
fn a_downgrade_is_allowed_only_where_a_version_or_a_pin_may_ask_for_it() {
    let asks = |title, ensure| {
        let want = want(title, ensure);
        let command =
            command(AptVerb::Install, &[], &[&want], &DpkgStatus::parse(STATUS), LOCK).command.to_string();
        command.contains("--allow-downgrades")
    };
    assert!(asks("nginx", "1.22.1-8"));
    assert!(!asks("nginx", "1.22.1-10"));
    assert!(!asks("nginx", "present"));
    assert!(asks("nginx", "latest"), "apt takes an older one by a pin alone");
}

#[test]
fn a_hold_alone_is_not_apts() {
    let status = DpkgStatus::parse(STATUS);
    assert!(!wants_apt(&want("nginx", "held"), &status));
    assert!(wants_apt(&want("htop", "held"), &status));
    assert!(wants_apt(&want("chrony", "5.0"), &status));
}

/// A machine whose apt installs whatever it is given, unless that includes `bad`.
fn machine_with_apt() -> Double {
    let root: Arc<OnceLock<PathBuf>> = Arc::default();
    let place = Arc::clone(&root);
    let double = Double::new(move |invocation| {
        let command = invocation.command.to_string();
        if command.contains("--simulate") {
            return Some(said(""));
        }
        if command.ends_with("--configure -a") {
            let _ = std::fs::remove_file(place.get()?.join("var/lib/dpkg/updates/0001"));
            let status = std::fs::read_to_string(place.get()?.join("var/lib/dpkg/status")).ok()?;
            if status.contains("half-configured") {
                return Some(failed(1, "its script failed"));
            }
        }
        let Some((_, names)) = command.split_once(" install -- ") else { return Some(said("")) };
        if names.split(' ').any(|name| name == "bad") {
            return Some(failed(100, "E: bad has no luck"));
        }
        let path = place.get()?.join("var/lib/dpkg/status");
        let mut status = std::fs::read_to_string(&path).ok()?;
        for name in names.split(' ') {
            status +=
                &format!("\nPackage: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n");
        }
        std::fs::write(path, status).ok()?;
        Some(said(""))
    });
    double.put("/var/lib/dpkg/status", STATUS);
    root.set(double.root.path().to_owned()).unwrap();
    double
}

fn transactions(double: &Double) -> Vec<String> {
    let last = |command: &String| command.split_once(" -- ").map(|(_, names)| names.to_owned());
    double.ran().iter().filter(|command| command.starts_with("apt-get")).filter_map(last).collect()
}

#[test]
fn many_packages_are_one_transaction() {
    let machine = machine_with_apt();
    let wants = [want("a1", "present"), want("b1", "present"), want("nginx", "present")];
    let answers = correct(&machine, &wants.iter().collect::<Vec<_>>(), &[]);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(transactions(&machine), ["a1 b1"]);
}

#[test]
fn a_bad_package_fails_alone_and_says_why() {
    let machine = machine_with_apt();
    let wants = [want("a1", "present"), want("bad", "present"), want("b1", "present")];
    let answers = correct(&machine, &wants.iter().collect::<Vec<_>>(), &[]);
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert!(answers[1].as_ref().unwrap_err().to_string().contains("bad has no luck"));
    assert_eq!(transactions(&machine), ["a1 bad b1", "a1", "bad", "b1"]);
}

#[test]
fn an_interrupted_dpkg_is_put_in_order_first_and_that_is_said() {
    let machine = machine_with_apt();
    machine.put("/var/lib/dpkg/updates/0001", "");
    let want = want("a1", "present");
    let answer = correct(&machine, &[&want], &[]).pop().unwrap().unwrap();
    assert_eq!(machine.ran()[0], "dpkg --force-confold --configure -a");
    assert!(answer.said[0].1.contains("interrupted"), "{answer:?}");
}

#[test]
fn what_dpkg_cannot_finish_is_not_called_finished() {
    let machine = machine_with_apt();
    let half = STATUS.replacen("install ok installed", "deinstall ok half-installed", 1);
    machine.put("/var/lib/dpkg/status", &half);
    let want = want("a1", "present");
    let answer = correct(&machine, &[&want], &[]).pop().unwrap().unwrap();
    assert_eq!(machine.ran()[0], "dpkg --force-confold --configure -a");
    assert!(answer.said.is_empty(), "{answer:?}");
}

#[test]
fn what_dpkg_cannot_finish_is_told_once_or_of_what_failed() {
    let told = |names: &[&str]| -> Vec<String> {
        let machine = machine_with_apt();
        let half = STATUS.replacen("install ok installed", "install ok half-configured", 1);
        machine.put("/var/lib/dpkg/status", &half);
        let wants: Vec<Package> = names.iter().map(|name| want(name, "present")).collect();
        let answers = correct(&machine, &wants.iter().collect::<Vec<_>>(), &[]).into_iter();
        let words = |answer: Result<Applied, Error>| match answer {
            Ok(applied) => applied.said.into_iter().map(|(_, said)| said).collect(),
            Err(error) => error.to_string(),
        };
        answers.map(words).collect()
    };
    let words = "`dpkg --force-confold --configure -a` failed with exit code 1: its script failed";
    assert_eq!(told(&["a1", "b1", "c1"]), [words, "", ""]);
    let all = told(&["a1", "bad"]);
    assert!(all[0].is_empty() && all[1].ends_with(words), "{all:?}");
}

fn apt<'a>(machine: &'a Double, state_dir: &'a Path, lock_is_held: &'a AtomicBool) -> Apt<'a> {
    Apt {
        machine,
        state_dir,
        catalog: &[],
        said: Vec::new(),
        unfinished: None,
        was_repaired: false,
        lock_is_held,
    }
}

#[test]
fn a_lock_that_was_waited_for_by_the_lists_is_not_waited_for_again() {
    let machine = Double::new(|_| {
        Some(failed(100, "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 9 (x)"))
    })
    .until(crate::stop::RunEnd::after(Duration::ZERO));
    let (lock_is_held, state) = (AtomicBool::new(false), tempfile::tempdir().unwrap());
    let apt = apt(&machine, state.path(), &lock_is_held);
    apt.has_waited(&said(""));
    assert!(!lock_is_held.load(Relaxed));
    assert!(!apt.update().unwrap().1.succeeded());
    assert!(lock_is_held.load(Relaxed));
    assert!(apt.lock_timeout().ends_with("=0"));
}

#[test]
fn dpkg_s_own_lock_is_waited_for_before_a_hold_is_set() {
    let held = "dpkg: error: dpkg frontend lock was locked by another process with pid 2173";
    let machine =
        Double::new(move |_| Some(failed(2, held))).until(crate::stop::RunEnd::after(Duration::ZERO));
    let lock_is_held = AtomicBool::new(false);
    let state = tempfile::tempdir().unwrap();
    let apt = apt(&machine, state.path(), &lock_is_held);
    assert!(apt.mark("hold", ["bash"].into_iter()).unwrap_err().to_string().contains("pid 2173"));
    assert!(lock_is_held.load(Relaxed), "what comes later fails at once");
    assert!(lacks_lock(&failed(2, held)) && is_locked(&failed(2, held)));
}

#[test]
fn a_hold_is_released_for_a_version_that_the_data_asks_for_and_set_for_held() {
    let machine = machine_with_apt();
    let wants = [want("chrony", "absent"), want("nginx", "held")];
    correct(&machine, &wants.iter().collect::<Vec<_>>(), &[]);
    let marks: Vec<_> = machine.ran().into_iter().filter(|command| command.starts_with("apt-mark")).collect();
    assert_eq!(marks, ["apt-mark unhold -- chrony", "apt-mark hold -- chrony nginx"]);
}

#[test]
fn a_hold_that_nobody_manages_stays_whatever_comes_of_it() {
    for (ensure, apt) in
        [("9.9", failed(100, "E: Version '9.9' for 'chrony' was not found")), ("latest", said(""))]
    {
        let machine = Double::new(move |invocation| {
            let command = invocation.command.to_string();
            Some(if command.contains(" install ") { apt.clone() } else { said("") })
        });
        machine.put("/var/lib/dpkg/status", STATUS);
        correct(&machine, &[&want("chrony", ensure)], &[]);
        let marks: Vec<_> =
            machine.ran().into_iter().filter(|command| command.starts_with("apt-mark")).collect();
        assert_eq!(marks, ["apt-mark unhold -- chrony", "apt-mark hold -- chrony"], "{ensure}");
    }
}

#[test]
fn f23_a_hold_is_not_lost_where_a_run_is_killed_before_it_is_set_again() {
    // Killed in the middle of the transaction: only what is on disk at that time is left of the run.
    let state = tempfile::tempdir().unwrap();
    let (place, kept) = (state.path().to_owned(), Arc::new(OnceLock::new()));
    let seen = kept.clone();
    let machine = Double::new(move |invocation| {
        if invocation.command.to_string().contains(" install ") {
            let _ = seen.set(std::fs::read(place.join("holds.json")).unwrap());
        }
        Some(said(""))
    });
    machine.put("/var/lib/dpkg/status", STATUS);
    let wants = [want("chrony", "9.9")];
    super::correct(&machine, state.path(), &[&wants[0]], &[]);
    assert!(!state.path().join("holds.json").exists(), "it was set again");

    // The next run, with a catalog that does not mention a hold.
    machine.put("/state/holds.json", &String::from_utf8_lossy(kept.get().unwrap()));
    machine.put("/var/lib/dpkg/status", &STATUS.replace("hold ok", "install ok"));
    let present = want("chrony", "present");
    let changes = crate::provider::trial::changes(&Packages, &machine, &present);
    assert_eq!(crate::provider::trial::said(&changes), ["hold: false -> true"]);
    assert!(changes[0].note.as_deref().unwrap().contains("was on hold"));
    let before = machine.ran().len();
    crate::provider::trial::correct(&Packages, &machine, &present).unwrap();
    assert_eq!(machine.ran()[before..], ["apt-mark hold -- chrony"]);
    machine.put("/var/lib/dpkg/status", STATUS);
    for other in [held("chrony", "present", false), want("nginx", "present")] {
        machine.put("/state/holds.json", "[\"chrony\"]");
        let changes = crate::provider::trial::changes(&Packages, &machine, &other);
        assert!(changes.iter().all(|change| change.note.is_none()), "{changes:?}");
    }
}

#[test]
fn a_transaction_that_undoes_another_wish_is_not_run() {
    let machine = Double::new(|invocation| {
        let simulates = invocation.command.to_string().contains("--simulate");
        Some(said(if simulates { "Remv nginx [1.22.1-9]\nRemv chrony [4.3-2]\n" } else { "" }))
    });
    machine.put("/var/lib/dpkg/status", STATUS);
    let (gone, stays) = (want("chrony", "absent"), want("nginx", "present"));
    let error = correct(&machine, &[&gone], &[&gone, &stays]).pop().unwrap().unwrap_err().to_string();
    assert!(error.contains("package[nginx] wants installed"), "{error}");
    assert!(machine.ran().iter().all(|command| !command.starts_with("apt-get")), "{:?}", machine.ran());
}

#[test]
fn a_name_that_an_installed_package_provides_is_met_by_it() {
    const PROVIDER: &str = "\nPackage: hfprov\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nProvides: hfvirt, hfreal\n";
    let machine = Double::new(|invocation| {
        let policy = "hfvirt:\n  Installed: (none)\n  Candidate: (none)\nhfreal:\n  Installed: (none)\n  Candidate: 2\n";
        Some(said(if invocation.command.to_string().starts_with("apt-cache policy") { policy } else { "" }))
    });
    machine.put("/var/lib/dpkg/status", STATUS);
    let wants = [want("hfvirt", "present"), want("hfreal", "present"), want("hfvirt", "1.0")];
    let plan = |machine: &Double, want: &Package| crate::provider::trial::plan(&Packages, machine, want);
    assert!(matches!(plan(&machine, &wants[0]), Ok(Plan::Changes(_))), "nothing provides it");
    machine.put("/var/lib/dpkg/status", &format!("{STATUS}{PROVIDER}"));
    assert_eq!(plan(&machine, &wants[0]).unwrap(), Plan::IN_SYNC);
    assert!(matches!(plan(&machine, &wants[1]), Ok(Plan::Changes(_))), "it is on offer by itself");
    let refused = plan(&machine, &wants[2]).unwrap_err().to_string();
    assert!(refused.contains("`hfprov`"), "{refused}");
    for unwanted in ["absent", "purged"] {
        let refused = plan(&machine, &want("hfvirt", unwanted)).unwrap_err().to_string();
        assert!(refused.contains("`hfprov`") && refused.contains("virtual"), "{refused}");
        assert_eq!(plan(&machine, &want("hfreal", unwanted)).unwrap(), Plan::IN_SYNC, "it is not installed");
        let both = [want("hfvirt", unwanted), want("hfprov", "present")].map(TypedResource::Package);
        let named = crate::provider::CatalogClaims::new(&both);
        let content = &crate::content::Nowhere;
        let reading = Reading { machine: &machine, content, named: &named, state_dir: Path::new("/none") };
        let seen = Packages.observe(&[&want("hfvirt", unwanted)], reading).unwrap();
        let planned = Packages.plan(&want("hfvirt", unwanted), &seen, reading).unwrap();
        assert_eq!(planned, Plan::IN_SYNC, "what provides it is wanted");
    }
    // And the same after apt installed the one that provides it.
    let answer = correct(&machine, &[&wants[0]], &[]).pop().unwrap().unwrap();
    assert_eq!(answer.said, [(0, "`hfprov` provides it".to_owned())]);
}

#[test]
fn the_newest_is_looked_for_in_lists_of_today() {
    let machine = Double::new(|invocation| {
        let policy = "nginx:\n  Installed: 1.22.1-9\n  Candidate: 1.22.1-9\n";
        Some(said(if invocation.command.to_string().starts_with("apt-cache policy") { policy } else { "" }))
    });
    machine.put("/var/lib/dpkg/status", STATUS);
    machine.put("/var/lib/apt/lists/x", "");
    let latest = want("nginx", "latest");
    let plan = || crate::provider::trial::plan(&Packages, &machine, &latest).unwrap();
    assert_eq!(plan(), Plan::IN_SYNC);
    machine.pass(3 * 24 * 3600);
    let Plan::InSync(notes) = plan() else { panic!("it is the newest that is known") };
    assert!(notes[0].note.as_ref().unwrap().contains("3 days ago"), "{notes:?}");
}

#[test]
fn a_hold_is_released_for_another_version_and_set_again_where_it_is_asked_for() {
    let machine = machine_with_apt();
    let wants = [held("chrony", "5.0", true), held("nginx", "present", true)];
    correct(&machine, &wants.iter().collect::<Vec<_>>(), &[]);
    let marks: Vec<_> = machine.ran().into_iter().filter(|command| command.starts_with("apt-mark")).collect();
    assert_eq!(marks, ["apt-mark unhold -- chrony", "apt-mark hold -- chrony nginx"]);
    assert!(transactions(&machine).iter().all(|names| !names.contains("nginx")), "a hold alone is not apt's");
    let machine = machine_with_apt();
    correct(&machine, &[&held("chrony", "present", false)], &[]);
    assert_eq!(machine.ran(), ["apt-mark unhold -- chrony"]);
}

#[test]
fn what_apt_did_not_do_without_a_word_is_a_failure() {
    let machine = Double::new(|_| Some(said("")));
    machine.put("/var/lib/dpkg/status", STATUS);
    let want = want("htop", "present");
    let error = correct(&machine, &[&want], &[]).pop().unwrap().unwrap_err().to_string();
    assert_eq!(error, "apt reported success, but `htop` is absent");
}

#[test]
fn f23_locks_for_which_apt_does_not_wait_are_waited_for() {
    for lock in ["/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock"] {
        let update = quietly(["apt-get", "-q", "update"]);
        for has_waited in [false, true] {
            let tries = AtomicBool::new(false);
            let held = format!("E: Could not get lock {lock}. It is held by process 905 (apt-get)");
            let machine = Double::new(move |_| {
                Some(if tries.swap(true, Relaxed) { said("") } else { failed(100, &held) })
            });
            let output = unlocked(&machine, &update, &AtomicBool::new(has_waited)).unwrap();
            assert_eq!(output.succeeded(), !has_waited, "once in a run");
        }
    }
}

#[test]
fn what_apt_only_finished_for_dpkg_is_done_in_the_same_run() {
    let interrupted = STATUS.replace("install ok installed", "deinstall ok half-configured");
    let left = STATUS.replace("install ok installed", "deinstall ok config-files");
    let root = Arc::new(OnceLock::<PathBuf>::new());
    let (at, purges) = (root.clone(), AtomicBool::new(false));
    let machine = Double::new(move |invocation| {
        let command = invocation.command.to_string();
        let record =
            |text: &str| std::fs::write(at.get().unwrap().join("var/lib/dpkg/status"), text).unwrap();
        if command.starts_with("dpkg --force-confold") {
            record(&left);
        } else if command.contains(" purge ") && !command.contains("--simulate") && purges.swap(true, Relaxed)
        {
            record(&STATUS.replace("nginx", "other"));
        }
        Some(said(""))
    });
    root.set(machine.root.path().to_owned()).unwrap();
    machine.put("/var/lib/dpkg/status", &interrupted);
    correct(&machine, &[&want("nginx", "purged")], &[]).pop().unwrap().unwrap();
}

#[test]
fn f23_a_lock_that_others_hold_is_waited_for_once_and_all_fail_with_who_holds_it() {
    let machine = Double::new(|invocation| {
        let command = invocation.command.to_string();
        let held = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 905 (apt)";
        (command.starts_with("apt-get") && !command.contains("--simulate")).then(|| failed(100, held))
    });
    machine.put("/var/lib/dpkg/status", STATUS);
    let wants = [want("alpha", "present"), want("beta", "present"), want("gamma", "purged")];
    let wants: Vec<&Package> = wants.iter().collect();
    let held = AtomicBool::new(false);
    for _ in 0..2 {
        for outcome in correct_unless(&held, &machine, machine.root.path(), &wants[..2], &[]) {
            let error = outcome.err().unwrap().to_string();
            assert!(error.contains("held by process 905 (apt)"), "{error}");
        }
    }
    let ran = machine.ran();
    let waits = |seconds: u32| {
        let option = format!("Timeout={seconds} ");
        ran.iter().filter(|command| command.contains(&option)).count()
    };
    assert_eq!((waits(300), waits(0)), (1, 1), "{ran:?}");
}
