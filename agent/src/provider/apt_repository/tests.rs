//! What is planned for a repository, and what apt is given before its file is written.

use std::path::PathBuf;

use holdfast_catalog::value::Value;

use super::*;
use crate::provider::CatalogClaims;
use crate::provider::trial::{self, want};
use crate::system::Machine;
use crate::system::double::{Double, failed, said};

const KEY: &str = "/etc/apt/keyrings/example.asc";

fn place(double: &Double, name: &str) -> PathBuf {
    double.root.path().join(format!("etc/apt/sources.list.d/{name}.sources"))
}

/// A machine whose apt fetches lists unless a source contains `bad`.
fn machine() -> Double {
    let double = Double::new(|invocation| {
        let command = invocation.command.to_string();
        if command.ends_with("-q indextargets") && !command.contains("sourceparts=") {
            return Some(said(""));
        }
        let parts = command.split("sourceparts=").nth(1)?.split(' ').next()?;
        let texts =
            std::fs::read_dir(parts).ok()?.map(|entry| std::fs::read_to_string(entry.unwrap().path()));
        let is_bad = texts.map(Result::unwrap).any(|text| text.contains("bad"));
        Some(if is_bad { failed(100, "E: The repository 'https://bad' is not signed.") } else { said("") })
    });
    for path in [apt::APT, KEY, "/state/kept", "/etc/apt/sources.list.d/kept"] {
        double.put(path, "");
    }
    double
}

fn repository(name: &str, more: &[(&str, Value)]) -> AptRepository {
    let base = [
        ("uris", Value::from(format!("https://{name}.example.com/debian"))),
        ("suites", vec![Value::from("bookworm"), "bookworm-updates".into()].into()),
        ("components", "main".into()),
        ("signed_by", KEY.into()),
        ("options", [("Check-Valid-Until", Value::from("no"))].into()),
    ];
    want(name, &base.iter().cloned().chain(more.iter().cloned()).collect::<Vec<_>>())
}

fn differs(double: &Double, want: &AptRepository) -> Vec<String> {
    trial::said(&trial::changes(&AptRepositories, double, want))
}

#[test]
fn a_file_is_written_whole_and_read_back_field_by_field() {
    let (double, example) = (machine(), repository("example", &[]));
    assert_eq!(differs(&double, &example), ["ensure: absent -> present"]);
    trial::correct(&AptRepositories, &double, &example).unwrap();
    let text = std::fs::read_to_string(place(&double, "example")).unwrap();
    assert_eq!(
        text,
        "# Managed by Holdfast: changes made here are undone.\nTypes: deb\nURIs: https://example.example.com/debian\n\
         Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /etc/apt/keyrings/example.asc\n\
         Check-Valid-Until: no\n"
    );
    assert_eq!(differs(&double, &example), [""; 0]);
    for (from, to, change) in [
        ("Types: deb", "Types: deb deb-src", "types: deb deb-src -> deb"),
        ("/debian", "/evil", "uris: https://example.example.com/evil -> https://example.example.com/debian"),
        (" bookworm-updates", "", "suites: bookworm -> bookworm bookworm-updates"),
        ("main", "main non-free", "components: main non-free -> main"),
        ("Signed-By: /etc/apt/keyrings/example.asc\n", "", "signed_by:  -> /etc/apt/keyrings/example.asc"),
        ("Types:", "Architectures: arm64\nTypes:", "architectures: arm64 -> "),
        ("Until: no", "Until: yes", "options: check-valid-until=yes -> check-valid-until=no"),
        (
            "Types:",
            "Trusted: yes\nTypes:",
            "options: check-valid-until=no, trusted=yes -> check-valid-until=no",
        ),
        ("Suites:", "\nTypes: deb\nSuites:", "ensure: a file with 2 stanzas -> present"),
    ] {
        double.put("/etc/apt/sources.list.d/example.sources", &text.replace(from, to));
        assert_eq!(differs(&double, &example), [change]);
    }
}

#[test]
fn lists_are_fetched_first_and_of_new_sources_alone() {
    let double = machine();
    trial::correct(&AptRepositories, &double, &repository("example", &[])).unwrap();
    let [update] = &double.ran()[..] else { panic!("{:?}", double.ran()) };
    let parts = double.root.path().join("state/apt-sources");
    assert_eq!(
        *update,
        format!(
            "apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts={} \
             -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any update",
            parts.display()
        )
    );
    assert!(!parts.exists(), "nothing stays behind");
}

#[test]
fn a_repository_that_cannot_be_fetched_fails_alone_and_is_tried_again() {
    let double = machine();
    let wants = [repository("one", &[]), repository("bad", &[]), repository("two", &[])];
    let answers = trial::writing(&double, |writing| {
        let jobs: Vec<_> = wants.iter().map(|want| Job { want, changes: &[] }).collect();
        AptRepositories.apply_together(&jobs, writing)
    });
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert!(answers[1].as_ref().unwrap_err().to_string().contains("is not signed"));
    assert_eq!(double.ran().len(), 4, "together, then each alone");
    assert!(place(&double, "one").exists() && !place(&double, "bad").exists());
    assert_eq!(differs(&double, &wants[1]), ["ensure: absent -> present"]);
}

#[test]
fn an_altered_repository_that_cannot_be_fetched_stays_as_it_is() {
    let double = machine();
    trial::correct(&AptRepositories, &double, &repository("example", &[])).unwrap();
    let before = std::fs::read(place(&double, "example")).unwrap();
    let moved = repository("example", &[("uris", "https://bad.example.com".into())]);
    assert!(trial::correct(&AptRepositories, &double, &moved).is_err());
    assert_eq!(std::fs::read(place(&double, "example")).unwrap(), before);
}

#[test]
fn keys_that_are_not_there_may_still_come() {
    let double = machine();
    let want = repository("example", &[("signed_by", "/etc/apt/keyrings/later.asc".into())]);
    let plan = trial::plan(&AptRepositories, &double, &want).unwrap();
    assert!(matches!(plan, Plan::Pending(need) if need.why.contains("later.asc")));
}

#[test]
fn other_keys_under_the_same_name_are_tried_before_they_are_believed() {
    let (double, example) = (machine(), repository("example", &[]));
    trial::correct(&AptRepositories, &double, &example).unwrap();
    assert_eq!(differs(&double, &example), [""; 0]);
    let changed = |path: &str| {
        use std::os::unix::fs::MetadataExt;
        let stat = std::fs::metadata(double.root.path().join(path.trim_start_matches('/'))).unwrap();
        (stat.ctime(), stat.ctime_nsec())
    };
    let sources = "/etc/apt/sources.list.d/example.sources";
    let set_mode = || {
        use std::os::unix::fs::PermissionsExt;
        let path = double.root.path().join(KEY.trim_start_matches('/'));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    };
    // Whether the keys differ is unknown, and nothing claims it.
    let touches: [&dyn Fn(); 2] = [&|| double.put(KEY, "other"), &set_mode];
    for (round, touch) in touches.into_iter().enumerate() {
        // The kernel's clock for files advances in steps.
        while changed(KEY) <= changed(sources) {
            touch();
        }
        let said = format!("signed_by: {KEY}, possibly with other keys -> {KEY}");
        assert_eq!(differs(&double, &example), [said]);
        assert_eq!(trial::changes(&AptRepositories, &double, &example)[0].kind, ChangeKind::Moved);
        trial::correct(&AptRepositories, &double, &example).unwrap();
        assert_eq!((double.ran().len(), differs(&double, &example)), (2 + round, Vec::new()));
    }
}

#[test]
fn removing_needs_no_fetching() {
    let double = machine();
    double.put("/etc/apt/sources.list.d/example.sources", "Types: deb\n");
    let gone = want("example", &[("ensure", "absent".into())]);
    trial::correct(&AptRepositories, &double, &gone).unwrap();
    assert!(!place(&double, "example").exists() && double.ran().is_empty());
}

#[test]
fn below_another_root_nothing_is_fetched() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::open(root.path()).unwrap();
    let want = repository("example", &[("signed_by", Value::NULL)]);
    let named = CatalogClaims::new(&[]);
    let content = &crate::content::Nowhere;
    let reading = Reading { machine: &machine, content, named: &named, state_dir: Path::new("/none") };
    assert!(matches!(AptRepositories.observe(&[&want], reading).unwrap(), Seen::FilesOnly));
    let writing = trial::writing_to(&machine, &named, root.path());
    AptRepositories.apply(&want, &[], writing).unwrap();
    assert!(root.path().join("etc/apt/sources.list.d/example.sources").exists());
}

/// A machine whose apt reads no sources if two of those that it is shown disagree about their keys.
fn contradicted() -> Double {
    let double = Double::new(|invocation| {
        let command = invocation.command.to_string();
        if !command.ends_with(" indextargets") {
            return Some(said(""));
        }
        let parts = command.split("sourceparts=").nth(1)?.split(' ').next()?;
        let texts =
            std::fs::read_dir(parts).ok()?.map(|entry| std::fs::read_to_string(entry.unwrap().path()));
        let keys = texts.map(|text| text.unwrap().contains("Signed-By: /etc/other"));
        let keys: Vec<bool> = keys.collect();
        let is_one = keys.iter().all(|other| *other == keys[0]);
        Some(if is_one { said("") } else { failed(100, "E: Conflicting values set for option Signed-By") })
    });
    for path in [apt::APT, KEY, "/etc/other.asc", "/state/kept"] {
        double.put(path, "");
    }
    double
}

#[test]
fn a_source_that_contradicts_another_is_not_written() {
    let double = contradicted();
    double.put("/etc/apt/sources.list.d/foreign.sources", "Signed-By: /etc/keys.asc\n");
    let other = repository("example", &[("signed_by", "/etc/other.asc".into())]);
    for _ in 0..2 {
        let error = trial::correct(&AptRepositories, &double, &other).unwrap_err().to_string();
        assert!(error.contains("Conflicting values"), "{error}");
        assert!(!place(&double, "example").exists());
    }
    trial::correct(&AptRepositories, &double, &repository("example", &[])).unwrap();
    // Its own old file is not in the way.
    std::fs::remove_file(place(&double, "foreign")).unwrap();
    trial::correct(&AptRepositories, &double, &other).unwrap();
    assert_eq!(differs(&double, &other), [""; 0]);
}

#[test]
fn of_two_sources_that_contradict_each_other_one_is_written() {
    let double = contradicted();
    let wants = [repository("one", &[]), repository("two", &[("signed_by", "/etc/other.asc".into())])];
    let answers = trial::writing(&double, |writing| {
        let jobs: Vec<_> = wants.iter().map(|want| Job { want, changes: &[] }).collect();
        AptRepositories.apply_together(&jobs, writing)
    });
    assert!(answers[0].is_ok() && answers[1].is_err(), "{answers:?}");
    assert!(place(&double, "one").exists() && !place(&double, "two").exists());
}

#[test]
fn what_apt_does_not_read_already_is_no_new_sources_fault() {
    let double = contradicted();
    double.put("/etc/apt/sources.list.d/a.sources", "Signed-By: /etc/keys.asc\n");
    double.put("/etc/apt/sources.list.d/b.sources", "Signed-By: /etc/other.asc\n");
    trial::correct(&AptRepositories, &double, &repository("example", &[])).unwrap();
    assert!(place(&double, "example").exists());
}

#[test]
fn a_file_of_sources_that_others_may_write_is_made_this_agents_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let (double, example) = (machine(), repository("example", &[]));
    trial::correct(&AptRepositories, &double, &example).unwrap();
    std::fs::set_permissions(place(&double, "example"), std::fs::Permissions::from_mode(0o666)).unwrap();
    let said = differs(&double, &example);
    assert!(said[0].starts_with("ensure: present, of ") && said[0].contains("0666"), "{said:?}");
    trial::correct(&AptRepositories, &double, &example).unwrap();
    assert_eq!(differs(&double, &example), [""; 0]);
}

#[test]
fn what_apt_no_longer_reads_is_not_as_wanted() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = asked.clone();
    let double = Double::new(move |invocation| {
        let command = invocation.command.to_string();
        if command.ends_with("-q indextargets") && !command.contains("sourceparts=") {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            return Some(failed(100, "E: Conflicting values set for option Signed-By"));
        }
        Some(said(""))
    });
    for path in [apt::APT, KEY, "/state/kept", "/etc/apt/sources.list.d/kept"] {
        double.put(path, "");
    }
    let example = repository("example", &[]);
    trial::correct(&AptRepositories, &double, &example).unwrap();
    assert_eq!(differs(&double, &example), [""; 0]);
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 0, "nothing was written since");
    // The clock of a file system advances in steps.
    while trial::plan(&AptRepositories, &double, &example).is_ok() {
        double
            .put("/etc/apt/sources.list.d/hand.list", "deb https://example.example.com/debian bookworm main");
    }
    let error = trial::plan(&AptRepositories, &double, &example).unwrap_err().to_string();
    assert!(error.contains("apt cannot read any sources") && error.contains("Conflicting values"), "{error}");
    std::fs::remove_file(double.root.path().join("etc/apt/sources.list.d/hand.list")).unwrap();
    assert_eq!(differs(&double, &example), [""; 0]);
}
