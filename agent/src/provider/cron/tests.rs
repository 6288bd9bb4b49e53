//! What is planned for a cron job, and what is in its file afterwards.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};

use holdfast_catalog::value::{Kind, Sensitive, Value};

use super::*;
use crate::provider::trial::{self, want};
use crate::system::double::{Double, failed, said};
use crate::system::{Exit, Output};

const TEXT: &str = "\
# Written by holdfast for cron[backup]; what is changed here is undone.
MAILTO=ops@acme.example
*/5 * * * * backup /usr/bin/backup --date $(date +\\%F)
";

fn job(extra: &[(&str, Value)]) -> Cron {
    let mut attributes: Vec<(&str, Value)> = vec![
        ("command", "/usr/bin/backup --date $(date +%F)".into()),
        ("user", "backup".into()),
        ("schedule", "*/5 * * * *".into()),
        ("environment", [("MAILTO", "ops@acme.example".into())].into()),
    ];
    attributes.retain(|(name, _)| extra.iter().all(|(other, _)| name != other));
    attributes.extend_from_slice(extra);
    want("backup", &attributes)
}

/// A machine whose `getent` gives this answer.
fn asked(answer: impl Fn() -> Output + Send + Sync + 'static) -> Double {
    Double::new(move |command| command.command.to_string().starts_with("getent passwd ").then(&answer))
}

fn machine(text: Option<&str>) -> Double {
    let double = asked(|| failed(2, ""));
    double.put("/etc/cron.d/.placeholder", "");
    double.put("/usr/sbin/cron", "");
    double.put("/etc/passwd", "backup:x:34:34::/var/backups:/usr/sbin/nologin\n");
    if let Some(text) = text {
        double.put("/etc/cron.d/backup", text);
    }
    double
}

fn changes(machine: &Double, want: &Cron) -> Vec<String> {
    trial::said(&trial::changes(&Jobs, machine, want))
}

fn file(machine: &Double) -> (String, u32) {
    let path = machine.root.path().join("etc/cron.d/backup");
    (std::fs::read_to_string(&path).unwrap(), std::fs::metadata(&path).unwrap().mode() & 0o7777)
}

#[test]
fn a_job_is_a_file_and_then_in_sync() {
    let machine = machine(None);
    assert_eq!(changes(&machine, &job(&[])), ["ensure: absent -> present"]);
    trial::correct(&Jobs, &machine, &job(&[])).unwrap();
    assert_eq!(file(&machine), (TEXT.to_owned(), 0o644));
    assert_eq!(changes(&machine, &job(&[])), [""; 0]);
    let absent = want("backup", &[("ensure", "absent".into())]);
    assert_eq!(changes(&machine, &absent), ["ensure: present -> absent"]);
    trial::correct(&Jobs, &machine, &absent).unwrap();
    assert_eq!(changes(&machine, &absent), [""; 0]);
}

#[test]
fn each_property_is_seen_by_itself() {
    for (from, to, change) in [
        ("*/5 *", "*/6 *", "schedule: */6 * * * * -> */5 * * * *"),
        (" backup ", " root ", "user: root -> backup"),
        (
            "--date",
            "--data",
            "command: /usr/bin/backup --data $(date +%F) -> /usr/bin/backup --date $(date +%F)",
        ),
        ("ops@", "me@", "environment: MAILTO=me@acme.example -> MAILTO=ops@acme.example"),
    ] {
        let machine = machine(Some(&TEXT.replace(from, to)));
        assert_eq!(changes(&machine, &job(&[])), [change]);
        trial::correct(&Jobs, &machine, &job(&[])).unwrap();
        assert_eq!(file(&machine).0, TEXT);
    }
}

#[test]
fn other_lines_are_seen_and_removed() {
    for (added, shown) in [
        ("* * * * * root evil\n", "command: /usr/bin/backup --date $(date +%F); evil -> "),
        ("# a note\n", "command: /usr/bin/backup --date $(date +%F) (among other lines) -> "),
    ] {
        let machine = machine(Some(&format!("{TEXT}{added}")));
        let said = changes(&machine, &job(&[]));
        assert!(said.len() == 1 && said[0].starts_with(shown), "{said:?}");
        trial::correct(&Jobs, &machine, &job(&[])).unwrap();
        assert_eq!(file(&machine).0, TEXT);
    }
    let machine = machine(Some(""));
    assert_eq!(trial::changes(&Jobs, &machine, &job(&[]))[0].property, Property::Command);
}

#[test]
fn what_cron_refuses_is_no_job() {
    let machine = machine(Some(TEXT));
    let path = machine.root.path().join("etc/cron.d/backup");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    assert_eq!(changes(&machine, &job(&[])), ["ensure: present, with user id 0 and mode 0666 -> present"]);
    std::fs::remove_file(&path).unwrap();
    symlink("/etc/passwd", &path).unwrap();
    assert_eq!(changes(&machine, &job(&[])), ["ensure: not a regular file -> present"]);
    trial::correct(&Jobs, &machine, &job(&[])).unwrap();
    assert_eq!(file(&machine), (TEXT.to_owned(), 0o644));
}

#[test]
fn secret_variables_are_read_by_root_alone_and_never_shown() {
    let secret = |text: &str| -> Value { Kind::Sensitive(Sensitive::text(text)).into() };
    let with = |text: &str| job(&[("environment", [("TOKEN", secret(text))].into())]);
    let machine = machine(None);
    trial::correct(&Jobs, &machine, &with("old-secret")).unwrap();
    assert_eq!(file(&machine).1, 0o600);
    assert!(file(&machine).0.contains("TOKEN=old-secret\n"));
    assert_eq!(changes(&machine, &with("new-secret")), ["environment: [sensitive] -> [sensitive]"]);
    // A job without secrets does not show those that the file still has.
    let said = changes(&machine, &job(&[]));
    assert!(said.iter().all(|line| !line.contains("old-secret")), "{said:?}");
    assert_eq!(said.last().unwrap(), "environment: [sensitive] -> MAILTO=ops@acme.example");
    // The mode that changes with the secrets is not drift of its own; a change of the mode alone is.
    assert!(said.iter().all(|line| !line.starts_with("ensure")), "{said:?}");
    let path = machine.root.path().join("etc/cron.d/backup");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(
        changes(&machine, &with("old-secret")),
        ["ensure: present, with user id 0 and mode 0644 -> present"]
    );
}

#[test]
fn without_a_cron_it_waits_for_one() {
    let machine = Double::new(|_| None);
    let plan = trial::plan(&Jobs, &machine, &job(&[])).unwrap();
    assert!(matches!(&plan, Plan::Pending(need) if need.why.contains("/etc/cron.d")), "{plan:?}");
}

#[test]
fn a_job_of_nobody_waits_for_the_account_and_one_of_another_directory_does_not() {
    let machine = machine(None);
    let ghost = job(&[("user", "ghost".into())]);
    let Plan::Pending(Need { why, .. }) = trial::plan(&Jobs, &machine, &ghost).unwrap() else {
        panic!("cron refuses it")
    };
    assert!(why.contains("`ghost` does not exist") && why.contains("manage it too"), "{why}");
    machine.put("/etc/passwd", "ghost:x:7:7:::\n");
    assert_eq!(changes(&machine, &ghost), ["ensure: absent -> present"]);

    let known = asked(|| said("ghost:*:7:7:::\n"));
    known.put("/etc/cron.d/.placeholder", "");
    known.put("/usr/sbin/cron", "");
    assert_eq!(changes(&known, &ghost), ["ensure: absent -> present"]);
    let gone = want("backup", &[("ensure", "absent".into())]);
    assert_eq!(changes(&known, &gone), [""; 0]);
}

#[test]
fn a_user_of_whom_nobody_could_say_is_not_said_to_be_missing_and_each_is_asked_for_once() {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    let hanging = asked(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Output { exit: Exit::TimedOut(std::time::Duration::from_secs(10)), ..said("") }
    });
    hanging.put("/etc/cron.d/.placeholder", "");
    hanging.put("/usr/sbin/cron", "");
    let ghost = job(&[("user", "ghost".into())]);
    let seen = |error: Error| error.to_string();
    let error = trial::plan(&Jobs, &hanging, &ghost).map_err(seen).unwrap_err();
    assert!(error.contains("cannot tell whether the user `ghost` exists: `getent"), "{error}");
    accounts::look(&[&ghost, &ghost], &hanging).unwrap();
    assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 1);
    for broken in [1, 3, 127] {
        let machine = asked(move || failed(broken, "no such service"));
        machine.put("/etc/cron.d/.placeholder", "");
        machine.put("/usr/sbin/cron", "");
        assert!(trial::plan(&Jobs, &machine, &ghost).is_err(), "{broken}");
    }
}

#[test]
fn a_job_of_an_expired_account_is_not_as_wanted() {
    let machine = machine(Some(TEXT));
    let access = PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(machine.root.path().join("etc/cron.d/backup"), access).unwrap();
    machine.put("/etc/shadow", "other:!:19000:0:99999:7::1:\nbackup:!:19000:0:99999:7:::\n");
    assert_eq!(changes(&machine, &job(&[])), [""; 0], "a locked password does not stop cron");
    machine.put("/etc/shadow", "backup:!:19000:0:99999:7::1:\n");
    let Plan::Pending(Need { why, .. }) = trial::plan(&Jobs, &machine, &job(&[])).unwrap() else {
        panic!("it never runs")
    };
    assert!(why.contains("`backup` has expired, and cron runs nothing"), "{why}");
    assert_eq!(changes(&machine, &want("backup", &[("ensure", "absent".into())])).len(), 1);
}

#[test]
fn a_file_of_two_names_is_written_anew() {
    let machine = machine(Some(TEXT));
    let root = machine.root.path();
    std::fs::set_permissions(root.join("etc/cron.d/backup"), std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::hard_link(root.join("etc/cron.d/backup"), root.join("copy")).unwrap();
    let expected = "ensure: present, with 2 hard links, so cron ignores it -> present";
    assert_eq!(changes(&machine, &job(&[])), [expected]);
    trial::correct(&Jobs, &machine, &job(&[])).unwrap();
    assert_eq!((changes(&machine, &job(&[])), file(&machine).0), (Vec::new(), TEXT.to_owned()));
    assert_eq!(std::fs::metadata(root.join("copy")).unwrap().nlink(), 1);
}

/// A machine with a job that is as wanted, whose systemd gives this answer about the units of cron. Without one, it has
/// no systemd.
fn with_daemon(units: Option<&'static str>) -> Double {
    let double = Double::new(move |command| {
        let is_asked = command.command.to_string().starts_with("systemctl show ");
        is_asked.then(|| said(units.unwrap_or_default()))
    });
    double.put("/etc/passwd", "backup:x:34:34::/var/backups:/usr/sbin/nologin\n");
    double.put("/etc/cron.d/backup", TEXT);
    let access = PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(double.root.path().join("etc/cron.d/backup"), access).unwrap();
    if units.is_some() {
        double.put("/run/systemd/system/x", "");
    }
    double
}

fn missing(double: &Double) -> String {
    match trial::plan(&Jobs, double, &job(&[])).unwrap() {
        Plan::Pending(need) => need.why,
        other => panic!("{other:?}"),
    }
}

const GONE: &str = "Id=cron.service\nLoadState=not-found\nActiveState=inactive\n\n\
                    Id=crond.service\nLoadState=not-found\nActiveState=inactive\n";
const STOPPED: &str = "Id=cron.service\nLoadState=not-found\nActiveState=inactive\n\n\
                       Id=crond.service\nLoadState=loaded\nActiveState=inactive\n";
const MASKED: &str = "Id=cron.service\nLoadState=masked\nActiveState=inactive\n";

#[test]
fn a_job_that_no_daemon_runs_is_not_as_wanted() {
    let why = missing(&with_daemon(Some(GONE)));
    assert!(why.contains("no cron daemon") && why.contains("package `cron`"), "{why}");
    let why = missing(&with_daemon(Some(STOPPED)));
    assert!(why.contains("`crond.service` is not running") && why.contains("ensure = \"running\""), "{why}");
    let why = missing(&with_daemon(Some(MASKED)));
    assert!(why.contains("`cron.service` is masked"), "{why}");
    assert!(missing(&with_daemon(None)).contains("no cron daemon"));
    let absent = want("backup", &[("ensure", "absent".into())]);
    assert_eq!(changes(&with_daemon(Some(GONE)), &absent), ["ensure: present -> absent"]);
}

#[test]
fn a_daemon_that_runs_by_whatever_name_or_is_started_later_is_one() {
    for state in ["active", "activating", "reloading"] {
        let units: &'static str =
            Box::leak(format!("Id=crond.service\nLoadState=loaded\nActiveState={state}\n").into());
        assert_eq!(changes(&with_daemon(Some(units)), &job(&[])), [""; 0], "{state}");
    }
    // Under a supervisor of its own. A cron in a container is not the machine's.
    let double = with_daemon(Some(GONE));
    double.put("/proc/71/status", "Name:\tcron\nPid:\t71\nNSpid:\t71\t1\n");
    assert!(missing(&double).contains("no cron daemon"));
    double.put("/proc/72/status", "Name:\tcron\nPid:\t72\nNSpid:\t72\n");
    assert_eq!(changes(&double, &job(&[])), [""; 0]);
    // Without systemd it is unknown when it is started.
    let double = with_daemon(None);
    double.put("/usr/sbin/crond", "");
    assert_eq!(changes(&double, &job(&[])), [""; 0]);
}

#[test]
fn a_daemon_that_a_service_of_the_catalog_starts_is_one_if_it_is_installed() {
    use holdfast_catalog::resource::TypedResource;
    let service = |title: &str| TypedResource::Service(want(title, &[("ensure", "running".into())]));
    for (units, title, is_pending) in
        [(STOPPED, "crond", false), (MASKED, "cron", false), (STOPPED, "nginx", true), (GONE, "cron", true)]
    {
        let (double, all, job) = (with_daemon(Some(units)), [service(title)], job(&[]));
        let named = crate::provider::CatalogClaims::new(&all);
        let content = &crate::content::Nowhere;
        let reading = Reading { machine: &double, content, named: &named, state_dir: Path::new("/none") };
        let plan = Jobs.plan(&job, &Jobs.observe(&[&job], reading).unwrap(), reading).unwrap();
        assert_eq!(matches!(plan, Plan::Pending(_)), is_pending, "{title}: {plan:?}");
    }
}
