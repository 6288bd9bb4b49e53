//! What is planned for a unit, given what systemd says about it.

use holdfast_catalog::resource::{Attributes, ResourceType};
use holdfast_catalog::value::Value;

use super::unit::{Definition, Fall, Hollow};
use super::unread::Systemd;
use super::*;

fn want(attributes: &[(&str, Value)]) -> Service {
    let attributes: Attributes =
        attributes.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    Service::read("nginx", &attributes).unwrap()
}

/// A unit with this `LoadState`, `ActiveState`, `SubState` and unit file state.
fn unit(load: &str, active: &str, sub: &str, file: &str) -> Unit {
    Unit {
        name: "nginx.service".to_owned(),
        object: "/".to_owned(),
        definition: Definition::read(load),
        activity: UnitActivity::read(active, sub),
        enabling: Enabling::read(file),
        by_script: false,
        hollow: None,
        fall: None,
    }
}

/// Property, `is` and `should` of each change, and notes in parentheses.
fn planned(want: &Service, unit: &Unit) -> Vec<String> {
    let (Plan::Changes(changes) | Plan::InSync(changes)) = difference(want, unit, None).unwrap() else {
        panic!("neither changes nor in sync")
    };
    let line = |change: &Change| {
        let line = format!("{} {} -> {}", change.property, change.is.text(), change.should.text());
        if change.kind == ChangeKind::Note { format!("({line})") } else { line }
    };
    changes.iter().map(line).collect()
}

#[test]
fn a_service_is_compared_by_what_it_does() {
    let running = want(&[("ensure", "running".into())]);
    let stopped = want(&[("ensure", "stopped".into())]);
    for (active, sub, to_run, to_stop) in [
        ("active", "running", None, Some("ensure running -> stopped")),
        ("active", "exited", None, Some("ensure running -> stopped")),
        ("reloading", "reload", None, Some("ensure running -> stopped")),
        (
            "activating",
            "auto-restart",
            Some("ensure failing again and again -> running"),
            Some("ensure failing again and again -> stopped"),
        ),
        ("inactive", "dead", Some("ensure stopped -> running"), None),
        ("failed", "failed", Some("ensure failed -> running"), None),
    ] {
        let unit = unit("loaded", active, sub, "enabled");
        assert_eq!(planned(&running, &unit), Vec::from_iter(to_run), "{active} {sub}");
        assert_eq!(planned(&stopped, &unit), Vec::from_iter(to_stop), "{active} {sub}");
    }
}

#[test]
fn a_service_without_a_process_is_down_where_its_script_says_so() {
    let hollow =
        |hollow: Hollow| Unit { hollow: Some(hollow), ..unit("loaded", "active", "exited", "enabled") };
    let dead = hollow(Hollow::Script("`/etc/init.d/nginx status` ended with exit code 3: dead".to_owned()));
    let running = want(&[("ensure", "running".into())]);
    let Ok(Plan::Changes(changes)) = difference(&running, &dead, None) else { panic!("it is down") };
    assert_eq!((changes.len(), changes[0].is.text(), changes[0].should.text()), (1, "stopped", "running"));
    assert!(changes[0].note.as_deref().unwrap().ends_with("ended with exit code 3: dead"), "{changes:?}");
    assert_eq!(planned(&want(&[("ensure", "stopped".into())]), &dead), ["ensure running -> stopped"]);
    let native = hollow(Hollow::Native);
    assert_eq!(planned(&running, &native), ["(ensure running -> running)"]);
    let Ok(Plan::InSync(said)) = difference(&running, &native, None) else {
        panic!("systemd has the last word")
    };
    assert!(said[0].note.as_deref().unwrap().contains("RemainAfterExit=yes"), "{said:?}");
}

#[test]
fn a_service_that_is_only_on_its_way_is_neither_running_nor_stopped() {
    let running = want(&[("ensure", "running".into())]);
    let stopped = want(&[("ensure", "stopped".into())]);
    let refused = |want: &Service, unit: &Unit| difference(want, unit, None).unwrap_err().to_string();
    let starting = unit("loaded", "activating", "start-pre", "enabled");
    assert!(refused(&running, &starting).contains("nginx.service is still starting: it has not reported"));
    assert_eq!(planned(&stopped, &starting), ["ensure starting -> stopped"]);
    let stopping = unit("loaded", "deactivating", "stop-sigterm", "enabled");
    assert!(refused(&stopped, &stopping).contains("nginx.service is still stopping: its processes"));
    assert_eq!(planned(&running, &stopping), ["ensure stopping -> running"]);
    let nothing = want(&[("enable", true.into())]);
    assert!(planned(&nothing, &starting).is_empty() && planned(&nothing, &stopping).is_empty());
    let both = want(&[("ensure", "running".into()), ("enable", false.into())]);
    assert_eq!(planned(&both, &starting), ["ensure starting -> running", "enable true -> false"]);
}

#[test]
fn what_is_not_read_yet_is_read_before_a_unit_that_is_only_starting_is_judged() {
    let running = want(&[("ensure", "running".into())]);
    let starting = unit("loaded", "activating", "start", "enabled");
    let newer = |systemd| {
        let files = vec!["/etc/systemd/system/nginx.service".into()];
        Ok(Newer { files, systemd })
    };
    let judged = |newer: Option<&Result<Newer, Error>>| {
        unread::judged(&running, &starting, difference(&running, &starting, None), newer)
    };
    let Ok(Plan::Changes(changes)) = judged(Some(&newer(Systemd::NotRead))) else {
        panic!("it is to be read")
    };
    assert_eq!((changes.len(), changes[0].kind), (1, ChangeKind::Unread), "{changes:?}");
    for read in [None, Some(&newer(Systemd::Read)), Some(&Err(Error::Refused("unknown".to_owned())))] {
        assert!(judged(read).unwrap_err().to_string().contains("is still starting"));
    }
}

#[test]
fn of_a_command_in_the_place_of_a_restart_only_what_is_seen_is_said() {
    assert!(
        was_run("x reload", "x.service", true)
            .ends_with("in the same run as before: it has not been restarted yet")
    );
    assert!(was_run("x restart", "x.service", false).ends_with("x.service is up in a new run"));
}

#[test]
fn what_a_unit_failed_by_is_told_of_this_start_and_of_the_unit_that_failed() {
    use crate::system::double::{Double, said};
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = asked.clone();
    let double = Double::new(move |command| {
        let words = command.command.to_string();
        log.lock().unwrap().push(words.clone());
        Some(said(if words.contains("_SYSTEMD_UNIT=o1.service") { "o1 lacks its key\n" } else { "" }))
    });
    let error = |by: Option<&str>| BusError::Job {
        unit: "d1.service".to_owned(),
        wanted: "started",
        said: "o1.service, which it requires, failed".to_owned(),
        run: None,
        by: by.map(str::to_owned),
    };
    let began = Timestamp::constant(1_795_921_200, 250_000_000);
    let told = with_last_words(error(Some("o1.service")), began, &double).to_string();
    assert!(told.contains("o1.service, which it requires, failed\no1 lacks its key"), "{told}");
    let told = with_last_words(error(None), began, &double).to_string();
    assert!(!told.contains("lacks"), "{told}");
    let asked = asked.lock().unwrap().join("\n");
    assert!(
        asked.contains("--since=@1795921200.250000 _SYSTEMD_UNIT=o1.service + UNIT=o1.service"),
        "{asked}"
    );
    assert!(!asked.contains("-1min"), "{asked}");
}

#[test]
fn enabling_is_compared_where_it_can_be_changed_and_else_explained() {
    let (on, off, mask) = (
        want(&[("enable", true.into())]),
        want(&[("enable", false.into())]),
        want(&[("enable", "mask".into())]),
    );
    for (file, to_enable, to_disable, to_mask) in [
        ("enabled", None, Some("enable true -> false"), Some("enable true -> mask")),
        ("disabled", Some("enable false -> true"), None, Some("enable false -> mask")),
        ("linked", Some("enable false -> true"), None, Some("enable false -> mask")),
        ("masked", Some("enable mask -> true"), Some("enable mask -> false"), None),
        (
            "masked-runtime",
            Some("enable mask, until the next boot -> true"),
            Some("enable mask, until the next boot -> false"),
            Some("enable mask, until the next boot -> mask"),
        ),
        (
            "enabled-runtime",
            Some("enable true, until the next boot -> true"),
            Some("enable true, until the next boot -> false"),
            Some("enable true, until the next boot -> mask"),
        ),
        ("static", Some("enable static -> true"), None, Some("enable static -> mask")),
        ("indirect", Some("enable indirect -> true"), None, Some("enable indirect -> mask")),
        (
            "generated",
            Some("(enable generated -> true)"),
            Some("(enable generated -> false)"),
            Some("enable generated -> mask"),
        ),
    ] {
        let unit = unit("loaded", "active", "running", file);
        assert_eq!(planned(&on, &unit), Vec::from_iter(to_enable), "{file}");
        assert_eq!(planned(&off, &unit), Vec::from_iter(to_disable), "{file}");
        assert_eq!(planned(&mask, &unit), Vec::from_iter(to_mask), "{file}");
    }
}

#[test]
fn a_unit_that_nothing_starts_at_boot_is_not_as_wanted_and_says_why() {
    for (file, words) in [("static", "[Install]"), ("indirect", "Also=")] {
        let unit = unit("loaded", "active", "running", file);
        let plan = difference(&want(&[("enable", true.into())]), &unit, None);
        let Ok(Plan::Changes(changes)) = plan else { panic!("{file}: {plan:?}") };
        let note = changes[0].note.as_ref().unwrap();
        assert!(note.contains("cannot be enabled") && note.contains(words), "{note}");
        assert_eq!((changes.len(), changes[0].kind), (1, ChangeKind::Differs));
        assert!(unit.enabling.never_enabled_because().is_some());
    }
    assert_eq!(Enabling::Generated.never_enabled_because(), None, "a generator may start it");
}

#[test]
fn a_unit_that_is_not_there_may_still_come_unless_it_is_not_to_run() {
    let missing = unit("not-found", "inactive", "dead", "");
    let pending = |attributes: &[(&str, Value)]| matches!(difference(&want(attributes), &missing, None), Ok(Plan::Pending(need)) if need.why.contains("nginx.service"));
    assert!(pending(&[("ensure", "running".into())]));
    assert!(pending(&[("ensure", "stopped".into()), ("enable", true.into())]));
    let gone = want(&[("ensure", "stopped".into()), ("enable", false.into())]);
    assert_eq!(planned(&gone, &missing), Vec::<String>::new());
}

#[test]
fn a_definition_that_systemd_cannot_use_is_an_error() {
    let plan = difference(
        &want(&[("ensure", "running".into())]),
        &unit("bad-setting", "inactive", "dead", "disabled"),
        None,
    );
    assert!(plan.unwrap_err().to_string().contains("systemd-analyze verify"));
}

#[test]
fn a_template_fails_alone_where_it_is_to_run_and_can_be_enabled() {
    let template = Unit { name: "w@.service".to_owned(), ..unit("loaded", "inactive", "dead", "disabled") };
    let refused =
        difference(&want(&[("ensure", "running".into())]), &template, None).unwrap_err().to_string();
    assert!(refused.contains("w@1.service"), "{refused}");
    assert_eq!(planned(&want(&[("enable", true.into())]), &template), ["enable false -> true"]);
    let lost = BusError::Unreachable(zbus::Error::Failure("spoilt".to_owned()));
    let sound = Ok(unit("loaded", "active", "running", "enabled"));
    let seen = Seen::Units(
        [("nginx.service".to_owned(), sound), ("w.service".to_owned(), Err(Error::from(lost)))].into(),
        BTreeMap::new(),
    );
    let double = crate::system::double::Double::new(|_| None);
    let named = crate::provider::CatalogClaims::new(&[]);
    let reading = Reading {
        machine: &double,
        content: &crate::content::Nowhere,
        named: &named,
        state_dir: Path::new("/none"),
    };
    let plan = |title: &str| {
        let attributes: Attributes = [("ensure".into(), "running".into())].into();
        Services.plan(&Service::read(title, &attributes).unwrap(), &seen, reading)
    };
    assert_eq!(plan("nginx").unwrap(), Plan::IN_SYNC);
    assert!(plan("w").unwrap_err().to_string().contains("spoilt"));
}

#[test]
fn an_alias_that_would_go_is_refused_with_the_units_own_name() {
    let unit = Unit { name: "real.service".to_owned(), ..unit("loaded", "active", "running", "enabled") };
    let both = want(&[("ensure", "running".into()), ("enable", false.into())]);
    let refused = difference(&both, &unit, None).unwrap_err().to_string();
    assert!(
        refused.contains("`nginx.service` is an alias") && refused.contains("`real.service`"),
        "{refused}"
    );
    assert_eq!(planned(&want(&[("enable", false.into())]), &unit), ["enable true -> false"]);
}

#[test]
fn names_that_systemd_would_not_take_are_told_before_it_is_asked() {
    let named = |title: &str| is_unit_name(&Service::read(title, &Attributes::new()).unwrap());
    assert!(named("postgresql@15-main") && named("apt-daily.timer") && named("a\\x2db"));
    assert!(!named("a+b") && !named("a$"));
}

#[test]
fn an_old_definition_that_is_in_force_is_read_again_and_no_drift() {
    let double = crate::system::double::Double::new(|_| None);
    let hand = Path::new("/etc/systemd/system/nginx.service.d/hand.conf");
    let plan = |attributes: &[(&str, Value)], active: &str, systemd: Systemd| {
        let newer = Newer { files: vec![hand.to_owned()], systemd };
        let stale = [("nginx.service".to_owned(), Ok(newer))].into();
        let unit = unit("loaded", active, "dead", "enabled");
        let seen = Seen::Units([("nginx.service".to_owned(), Ok(unit))].into(), stale);
        let named = crate::provider::CatalogClaims::new(&[]);
        let content = &crate::content::Nowhere;
        let reading = Reading { machine: &double, content, named: &named, state_dir: Path::new("/none") };
        Services.plan(&want(attributes), &seen, reading).unwrap()
    };
    let planned =
        |attributes: &[(&str, Value)], active: &str| match plan(attributes, active, Systemd::NotRead) {
            Plan::Changes(changes) => changes,
            other => panic!("{other:?}"),
        };
    for attributes in [[("ensure", Value::from("running"))], [("enable", true.into())]] {
        let changes = planned(&attributes, "active");
        assert_eq!((changes.len(), changes[0].kind), (1, ChangeKind::Unread), "{changes:?}");
        assert_eq!(changes[0].is.text(), "running, by an older definition");
        assert!(changes[0].note.as_deref().unwrap().contains("nginx.service.d/hand.conf"), "{changes:?}");
    }
    let started = planned(&[("ensure", "running".into())], "inactive");
    assert_eq!((started.len(), started[0].kind), (1, ChangeKind::Differs), "a start reads it by itself");
    for (systemd, words) in [
        (Systemd::Read, "was written after nginx.service was started"),
        (Systemd::PassesOver, "does not use it for nginx.service"),
    ] {
        let Plan::InSync(said) = plan(&[("ensure", "running".into())], "active", systemd) else {
            panic!("what systemd has read is not read again")
        };
        assert!(said[0].note.as_deref().unwrap().contains(words), "{said:?}");
    }
    let files = ["/etc/a.conf", "/etc/b.conf"].map(Into::into).to_vec();
    let unit = unit("loaded", "active", "running", "enabled");
    let said = unread::change(&want(&[]), &unit, &Newer { files, systemd: Systemd::Read }).note;
    assert!(said.as_deref().unwrap().starts_with("/etc/a.conf, /etc/b.conf were written after"), "{said:?}");
}

#[test]
fn what_cannot_be_read_of_one_unit_fails_that_one_alone_and_is_not_pending() {
    let double = crate::system::double::Double::new(|_| None);
    let looped = || Error::System(double.stat(Path::new("/loop")).unwrap_err());
    std::os::unix::fs::symlink("loop", double.root.path().join("loop")).unwrap();
    let up = |name: &str| (name.to_owned(), Ok(unit("loaded", "active", "running", "enabled")));
    let mut units: Units = [up("nginx.service")].into();
    units.insert("w.service".into(), Ok(Unit { name: "w.service".into(), ..up("w").1.unwrap() }));
    let gone = Error::missing("it went in that very moment");
    for why in [looped(), gone] {
        let told = format!("cannot tell whether systemd has read the whole definition of w.service: {why}");
        let seen = Seen::Units(std::mem::take(&mut units), [("w.service".to_owned(), Err(why))].into());
        let named = crate::provider::CatalogClaims::new(&[]);
        let content = &crate::content::Nowhere;
        let reading = Reading { machine: &double, content, named: &named, state_dir: Path::new("/none") };
        let plan = |title: &str, ensure: &str| {
            let attributes: Attributes = [("ensure".into(), ensure.into())].into();
            Services.plan(&Service::read(title, &attributes).unwrap(), &seen, reading)
        };
        assert_eq!(plan("nginx", "running").unwrap(), Plan::IN_SYNC);
        let failed = plan("w", "running").unwrap_err();
        assert!(failed.to_string() == told && failed.need().is_none(), "{failed}");
        assert!(
            matches!(plan("w", "stopped").unwrap(), Plan::Changes(_)),
            "what is off is put right all the same"
        );
        let Seen::Units(back, _) = seen else { unreachable!() };
        units = back;
    }
}

#[test]
fn what_a_service_came_to_by_itself_is_nobodys_drift_and_fails_where_it_goes_on() {
    let running = want(&[("ensure", "running".into())]);
    let failed = Unit {
        fall: Some(Fall::Down("it had failed".into())),
        ..unit("loaded", "failed", "failed", "enabled")
    };
    let Plan::Changes(changes) = difference(&running, &failed, None).unwrap() else { panic!("it is to run") };
    assert!(changes[0].by_itself && changes[0].note.as_deref() == Some("it had failed"), "{changes:?}");
    let killed = difference(&running, &Unit { fall: None, ..failed.clone() }, None).unwrap();
    assert!(matches!(&killed, Plan::Changes(changes) if !changes[0].by_itself), "{killed:?}");
    let ended = Unit { fall: Some(Fall::Ended("it had ended".into())), ..failed };
    let Plan::Changes(changes) = difference(&running, &ended, None).unwrap() else { panic!("it is to run") };
    assert!(!changes[0].by_itself && changes[0].note.as_deref() == Some("it had ended"), "{changes:?}");
    for (active, sub) in [("active", "running"), ("activating", "auto-restart")] {
        let again =
            Unit { fall: Some(Fall::Again("again".into())), ..unit("loaded", active, sub, "enabled") };
        let error = difference(&running, &again, None).unwrap_err();
        assert!(error.is_by_itself() && error.to_string() == "again", "{error}");
        assert!(difference(&want(&[("enable", true.into())]), &again, None).is_ok());
    }
}
