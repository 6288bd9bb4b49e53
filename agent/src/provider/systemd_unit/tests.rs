//! What is planned for a definition; and that systemd is asked to read it once, and again if it could not.

use std::cell::Cell;

use super::*;
use crate::provider::Need;
use crate::provider::trial::{self, want};
use crate::system::double::{Double, failed};

const TIMER: &str = "/etc/systemd/system/backup.timer";

fn machine() -> Double {
    let double = Double::new(|_| None);
    double.put("/run/systemd/system/kept", "");
    double
}

fn unit(title: &str, content: &str) -> SystemdUnit {
    want(title, &[("content", content.into())])
}

/// What is planned with a systemd that has read everything that is not recorded as unread.
fn changes(double: &Double, want: &SystemdUnit) -> Vec<Change> {
    match planned(double, want, None) {
        Ok(Plan::Changes(changes)) => changes,
        Ok(Plan::InSync(_)) => Vec::new(),
        other => panic!("{other:?}"),
    }
}

fn planned(double: &Double, want: &SystemdUnit, unasked: Option<BusError>) -> Result<Plan, Error> {
    let named = CatalogClaims::new(&[]);
    let content = &crate::content::Nowhere;
    let reading = Reading { machine: double, content, named: &named, state_dir: Path::new("/none") };
    let seen = Seen { unread: UnreadUnits::of(double)?, unasked, ..Seen::default() };
    SystemdUnits.plan(want, &seen, reading)
}

fn said(double: &Double, want: &SystemdUnit) -> Vec<String> {
    trial::said(&changes(double, want))
}

/// Corrects these together; `reload` is systemd's answer. Returns how often it was asked, and the results.
fn correct(
    double: &Double,
    wants: &[SystemdUnit],
    reload: Result<(), &str>,
) -> (usize, Vec<Result<(), String>>) {
    let asked = Cell::new(0);
    let changes: Vec<_> = wants.iter().map(|want| changes(double, want)).collect();
    let jobs: Vec<_> = wants.iter().zip(&changes).map(|(want, changes)| Job { want, changes }).collect();
    let answers = trial::writing(double, |writing| {
        write_and_reload(&jobs, writing, || {
            asked.set(asked.get() + 1);
            reload.map_err(|why| Error::Refused(why.to_owned()))
        })
    });
    let in_words = |answer: Result<Applied, Error>| answer.map(|_| ()).map_err(|error| error.to_string());
    (asked.get(), answers.into_iter().map(in_words).collect())
}

#[test]
fn definitions_are_written_and_read_once_for_all() {
    let double = machine();
    let wants = [unit("backup.timer", "[Timer]\n"), unit("nginx.service.d/limits.conf", "[Service]\n")];
    assert_eq!(said(&double, &wants[0]), ["ensure: absent -> present"]);
    let (asked, answers) = correct(&double, &wants, Ok(()));
    assert_eq!((asked, answers), (1, vec![Ok(()), Ok(())]));
    let place = double.root.path().join("etc/systemd/system/nginx.service.d/limits.conf");
    assert_eq!(std::fs::read_to_string(place).unwrap(), "[Service]\n");
    assert!(wants.iter().all(|want| said(&double, want).is_empty()));
    double.put(TIMER, "[Timer]\nOnBootSec=1\n");
    let changes = said(&double, &wants[0]);
    assert!(changes.len() == 1 && changes[0].starts_with("content: sha256:"), "{changes:?}");
}

#[test]
fn what_systemd_did_not_read_is_a_failure_and_asked_for_again() {
    let double = machine();
    let wants = [unit("backup.timer", "[Timer]\n")];
    let (_, answers) = correct(&double, &wants, Err("no answer"));
    assert!(answers[0].as_ref().unwrap_err().contains("no answer"), "{answers:?}");
    let changes = said(&double, &wants[0]);
    assert!(changes[0].starts_with("content: not yet read by systemd ->"), "{changes:?}");
    assert_eq!(said(&double, &unit("other.timer", "[Timer]\n")), ["ensure: absent -> present"]);
    assert_eq!(correct(&double, &wants, Ok(())).1, [Ok(())]);
    assert_eq!(said(&double, &wants[0]), [""; 0]);
}

#[test]
fn a_definition_that_goes_is_forgotten_by_systemd_too() {
    let double = machine();
    double.put(TIMER, "[Timer]\n");
    let gone = [want("backup.timer", &[("ensure", "absent".into())])];
    assert_eq!(said(&double, &gone[0]), ["ensure: present -> absent"]);
    assert!(correct(&double, &gone, Err("no answer")).1[0].is_err());
    assert!(!double.root.path().join(&TIMER[1..]).exists());
    assert_eq!(said(&double, &gone[0]), ["ensure: still known to systemd -> absent"]);
    assert_eq!(correct(&double, &gone, Ok(())), (1, vec![Ok(())]));
    assert_eq!(said(&double, &gone[0]), [""; 0]);
}

#[test]
fn a_definition_that_goes_takes_the_links_along_by_which_it_was_started() {
    let double = machine();
    double.put(TIMER, "[Timer]\n");
    double.put("/etc/systemd/system/timers.target.wants/kept", "");
    let at = |path: &str| double.root.path().join("etc/systemd/system").join(path);
    std::os::unix::fs::symlink(TIMER, at("timers.target.wants/backup.timer")).unwrap();
    std::os::unix::fs::symlink("backup.timer", at("nightly.timer")).unwrap();
    let gone = [want("backup.timer", &[("ensure", "absent".into())])];
    // Someone removed only the file.
    std::fs::remove_file(at("backup.timer")).unwrap();
    assert_eq!(said(&double, &gone[0]), ["ensure: linked still -> absent"]);
    double.put(TIMER, "[Timer]\n");
    assert_eq!(correct(&double, &gone, Ok(())).1, [Ok(())]);
    for path in ["backup.timer", "timers.target.wants/backup.timer", "nightly.timer"] {
        assert!(std::fs::symlink_metadata(at(path)).is_err(), "{path}");
    }
    assert!(at("timers.target.wants/kept").exists());
    assert_eq!(said(&double, &gone[0]), [""; 0]);
    // Links to a package's own definition are kept.
    double.put("/usr/lib/systemd/system/backup.timer", "");
    std::os::unix::fs::symlink(
        "/usr/lib/systemd/system/backup.timer",
        at("timers.target.wants/backup.timer"),
    )
    .unwrap();
    assert_eq!(said(&double, &gone[0]), [""; 0]);
}

#[test]
fn a_mask_is_no_definition() {
    let double = machine();
    double.put("/etc/systemd/system/kept", "");
    std::os::unix::fs::symlink("/dev/null", double.root.path().join(&TIMER[1..])).unwrap();
    assert_eq!(said(&double, &want("backup.timer", &[("ensure", "absent".into())])), [""; 0]);
    assert_eq!(said(&double, &unit("backup.timer", "[Timer]\n")), ["ensure: symlink -> present"]);
}

#[test]
fn without_systemd_they_are_files() {
    let double = Double::new(|_| None);
    double.put("/etc/x", "");
    assert_eq!(
        correct(&double, &[unit("backup.timer", "[Timer]\n")], Err("not to be asked")),
        (0, vec![Ok(())])
    );
    assert!(!double.root.path().join("run").exists());
}

#[test]
fn a_file_of_no_resource_is_named_and_no_drift_of_the_managed_ones() {
    use holdfast_catalog::resource::TypedResource;
    let double = machine();
    let wants = [unit("r.service", "[Unit]\n"), unit("r.service.d/limit.conf", "[Service]\n")];
    correct(&double, &wants, Ok(()));
    let all: Vec<_> = wants.iter().cloned().map(TypedResource::SystemdUnit).collect();
    let named = CatalogClaims::new(&all);
    let content = &crate::content::Nowhere;
    let reading = Reading { machine: &double, content, named: &named, state_dir: Path::new("/none") };
    let planned = |files: &[&str]| {
        let files: Vec<_> = files.iter().map(PathBuf::from).collect();
        let stale = [("r.service".to_owned(), Ok(foreign(&files, &named)))].into();
        let seen = Seen { stale, ..Seen::default() };
        wants.iter().map(|want| SystemdUnits.plan(want, &seen, reading).unwrap()).collect::<Vec<_>>()
    };
    let hand = "/etc/systemd/system/r.service.d/zz-hand.conf";
    let plans = planned(&[hand]);
    let Plan::Changes(said) = &plans[0] else { panic!("{plans:?}") };
    assert_eq!(said[0].kind, ChangeKind::Unread, "it is read, and no drift");
    assert!(said[0].note.as_deref().is_some_and(|note| note.contains(hand)), "{said:?}");
    assert_eq!(plans[1], Plan::IN_SYNC, "it is said once");
    let plans = planned(&[hand, "/etc/systemd/system/r.service"]);
    assert!(plans.iter().all(|plan| matches!(plan, Plan::Changes(_))), "{plans:?}");
}

#[test]
fn where_systemd_cannot_be_asked_nothing_is_said_to_be_as_wanted() {
    let double = machine();
    let want = unit("backup.timer", "[Timer]\n");
    let planned = |unasked| planned(&double, &want, unasked);
    let silent = || Some(BusError::Silent(Duration::from_secs(20)));
    assert!(matches!(planned(silent()), Ok(Plan::Changes(_))), "its file is put in its place all the same");
    double.put(TIMER, "[Timer]\n");
    assert!(matches!(planned(None), Ok(Plan::InSync(_))));
    let error = planned(silent()).unwrap_err().to_string();
    assert!(
        error.contains(
            "it is not known whether systemd uses it: systemd cannot be asked: the bus did not answer \
                        within 20 s"
        ),
        "{error}"
    );
    let unreachable = BusError::Unreachable(zbus::Error::Failure("no socket".to_owned()));
    let Ok(Plan::Pending(Need { why, .. })) = planned(Some(unreachable)) else {
        panic!("a package may bring the bus")
    };
    assert!(
        why.contains(
            "it is not known whether systemd uses it: systemd cannot be asked over D-Bus: no socket"
        ),
        "{why}"
    );
}

#[test]
fn a_unit_that_systemd_refuses_is_not_as_wanted_and_says_why() {
    const WHY: &str = "bad.service: Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.";
    let double = Double::new(|command| {
        let is_asked = command.command.to_string() == "systemd-analyze verify --man=no -- bad.service";
        is_asked.then(|| {
            failed(
                1,
                &format!("{WHY}\nssh.service: not ours\nUnit bad.service has a bad unit file setting.\n"),
            )
        })
    });
    double.put("/run/systemd/system/kept", "");
    let (bad, drop_in) = (unit("bad.service", "[Service]\n"), unit("no.service.d/x.conf", "[Service]\n"));
    let named = CatalogClaims::new(&[]);
    let content = &crate::content::Nowhere;
    let reading = Reading { machine: &double, content, named: &named, state_dir: Path::new("/none") };
    let seen = || {
        let all = [("bad.service", Unusable::Refused), ("no.service", Unusable::Missing)];
        let unusable = all.map(|(unit, why)| (unit.to_owned(), why)).into();
        Seen { unusable, ..Seen::default() }
    };
    assert!(
        matches!(SystemdUnits.plan(&bad, &seen(), reading), Ok(Plan::Changes(_))),
        "its file comes first"
    );
    correct(&double, &[bad.clone(), drop_in.clone()], Ok(()));
    let error = SystemdUnits.plan(&bad, &seen(), reading).unwrap_err();
    assert!(error.is_by_itself(), "no other resource did it");
    let error = error.to_string();
    assert!(error.contains("systemd refuses the unit `bad.service`") && error.ends_with(WHY), "{error}");
    let Plan::InSync(notes) = SystemdUnits.plan(&drop_in, &seen(), reading).unwrap() else { panic!() };
    assert_eq!(notes[0].note.as_deref(), Some("there is no unit `no.service`, so this changes nothing"));
}

#[test]
fn what_systemd_passes_over_is_said_when_it_is_written() {
    const SAID: &str = "/etc/systemd/system/backup.timer:3: Unknown key name 'OnClaendar' in section 'Timer', ignoring.\n\
                        /usr/lib/systemd/system/other.service:1: not ours\n";
    let double = Double::new(|command| {
        command.command.to_string().starts_with("systemd-analyze verify ").then(|| failed(1, SAID))
    });
    double.put("/run/systemd/system/kept", "");
    let want = unit("backup.timer", "[Timer]\n");
    let changes = changes(&double, &want);
    let jobs = [Job { want: &want, changes: &changes }];
    let answers = trial::writing(&double, |writing| write_and_reload(&jobs, writing, || Ok(())));
    let said = &answers[0].as_ref().unwrap().said;
    assert!(
        matches!(&said[..], [(0, words)] if words.ends_with("line 3: Unknown key name 'OnClaendar' in section 'Timer', ignoring.")),
        "{said:?}"
    );
}

#[test]
fn a_file_that_systemd_reads_instead_is_a_failure_that_names_it() {
    for name in ["foo.service", "nginx.service.d/limits.conf"] {
        let want = unit(name, "[Service]\nExecStart=/bin/true\n");
        for directory in ["/etc/systemd/system.control", "/run/systemd/transient"] {
            let double = machine();
            correct(&double, std::slice::from_ref(&want), Ok(()));
            assert_eq!(changes(&double, &want), []);
            double.put(&format!("{directory}/{name}"), "[Service]\nExecStart=/bin/false\n");
            let why = planned(&double, &want, None).unwrap_err().to_string();
            assert!(
                why.contains(&format!("{directory}/{name} instead of /etc/systemd/system/{name}")),
                "{why}"
            );
            double.put(&format!("{directory}/nginx.service.d/50-CPUQuota.conf"), "");
            std::fs::remove_file(double.root.path().join(directory.trim_start_matches('/')).join(name))
                .unwrap();
            assert_eq!(changes(&double, &want), [], "a drop-in of another name adds to it");
        }
    }
}

#[test]
fn a_loaded_drop_in_that_overrules_a_unit_fails_it_and_one_for_all_units_is_told() {
    let double = machine();
    let want = unit("lim.service", "[Service]\nExecStart=/bin/true\nCPUWeight=100\n");
    correct(&double, std::slice::from_ref(&want), Ok(()));
    let planned = |path: &str| {
        double.put(path, "[Service]\nCPUWeight=7\n");
        let named = CatalogClaims::new(&[]);
        let content = &crate::content::Nowhere;
        let reading = Reading { machine: &double, content, named: &named, state_dir: Path::new("/none") };
        let drop_ins = [("lim.service".to_owned(), vec![path.to_owned()])].into();
        SystemdUnits.plan(&want, &Seen { drop_ins, ..Seen::default() }, reading)
    };
    let own = "/etc/systemd/system.control/lim.service.d/50-CPUWeight.conf";
    let why = planned(own).unwrap_err().to_string();
    assert!(why.contains(&format!("`CPUWeight=7` of {own}")), "{why}");
    let of_all = "/run/systemd/system/service.d/zz.conf";
    let Ok(Plan::InSync(said)) = planned(of_all) else { panic!("it is about all services") };
    assert!(said[0].note.as_deref().unwrap().contains(of_all), "{said:?}");
}
