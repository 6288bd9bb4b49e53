//! What users other than root can neither change nor see.

use super::*;

#[test]
fn a_validator_sees_nothing_that_others_could_change_and_a_swap_is_told() {
    for (swap, access) in [(false, 0o777), (true, 0o777), (true, 0o775)] {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("bob");
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join("app.conf"), "old").unwrap();
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(access)).unwrap();
        let bob = place.clone();
        let mut bench = Bench::double(Double::at(root, move |invocation| {
            let text = invocation.command.to_string();
            let path = text.strip_prefix("check ")?;
            // A user who can write the directory has waited for this moment.
            let staged = std::fs::read_dir(&bob).unwrap().map(|entry| entry.unwrap().path());
            let staged = staged.filter(|path| path.to_string_lossy().contains(".holdfast-")).last().unwrap();
            if swap {
                std::fs::remove_file(&staged).unwrap();
                std::fs::write(&staged, "evil").unwrap();
            }
            assert!(!Path::new(path).starts_with(&bob) && path.ends_with(".conf"), "{path}");
            assert_eq!(std::fs::read_to_string(path).unwrap(), "new");
            assert!(invocation.detached);
            Some(said(""))
        }));
        let check: Value = vec!["check".into(), "%".into()].into();
        let content = bench.contents.keep(b"new");
        bench.add("file", "/bob/app.conf", &[("content", content), ("validate", check)].into());
        let findings = bench.run(Mode::Enforce);
        let now = std::fs::read_to_string(place.join("app.conf")).unwrap();
        if swap {
            let reason = findings.events[0].reason.as_deref().unwrap();
            assert!(findings.counts.failed == 1 && reason.contains("was swapped"), "{findings:?}");
            assert_eq!(now, "old");
        } else {
            assert_eq!((findings.counts.changed, now.as_str()), (1, "new"), "{findings:?}");
        }
    }
}

#[test]
fn a_validator_that_is_not_there_has_refused_nothing_and_is_named() {
    let mut bench = Bench::live();
    let at = bench.dir().join("app").to_str().unwrap().to_owned();
    std::fs::write(&at, "old").unwrap();
    let check: Value = vec!["nosuch-check".into(), "%".into()].into();
    let file = bench.add("file", &at, &[("content", "new".into()), ("validate", check)].into());
    for (check, words) in [
        (None, "`nosuch-check` could not be started: No such file or directory"),
        (Some("nosuch-check %"), "`nosuch-check %` could not be run, with exit code 127"),
        (Some("kill -KILL $$"), "`kill -KILL $$` was ended by signal 9"),
    ] {
        check.into_iter().for_each(|check| bench.set(file, "validate", check));
        let findings = bench.run(Mode::Enforce);
        let reason = findings.events[0].reason.as_deref().unwrap();
        assert!(
            reason.starts_with("`validate` could not check the new content, so the old content stays"),
            "{reason}"
        );
        assert!(reason.contains(words) && !reason.contains("setsid"), "{reason}");
    }
    bench.set(file, "validate", "echo no; exit 3");
    let findings = bench.run(Mode::Enforce);
    assert!(
        findings.events[0].reason.as_deref().unwrap().contains("refused the new content with exit code 3"),
        "{findings:?}"
    );
    assert_eq!(bench.read("app").as_deref(), Some("old"));
}

#[test]
fn of_a_secret_no_backup_lies_in_the_clear_and_what_was_kept_before_goes() {
    let secret = |text: &str| Value::from(Kind::Sensitive(Sensitive::text(text)));
    let mut bench = Bench::directory();
    std::fs::write(bench.dir().join("a"), "CANARY one").unwrap();
    std::fs::write(bench.dir().join("b"), "shared").unwrap();
    std::fs::write(bench.dir().join("c"), "shared").unwrap();
    let a = bench.add("file", "/a", &[("content", "CANARY two".into()), ("backup", true.into())].into());
    for path in ["/b", "/c"] {
        bench.add("file", path, &[("content", "new".into()), ("backup", true.into())].into());
    }
    bench.run(Mode::Enforce);
    assert_eq!(places(&bench), ["/a", "/b", "/c"]);
    // From now on it is secret, and so is the other one: all backups of it are removed, and content that it shares with
    // another is kept.
    bench.set(a, "content", secret("CANARY two"));
    bench.set(1, "content", secret("new"));
    bench.run(Mode::Audit);
    assert_eq!(places(&bench), ["/a", "/b", "/c"], "an audit changes nothing");
    bench.run(Mode::Enforce);
    assert_eq!(places(&bench), ["/c"]);
    bench.set(a, "content", secret("CANARY three"));
    let event = &bench.run(Mode::Enforce).events[0];
    assert!(format!("{event:?}").contains("no backup is kept, despite backup = true"), "{event:?}");
    let left = std::fs::read_dir(bench.state().join("backups")).unwrap().map(|entry| entry.unwrap().path());
    for path in left {
        assert!(!std::fs::read_to_string(&path).unwrap().contains("CANARY"), "{}", path.display());
    }
}

#[test]
fn of_what_an_earlier_catalog_had_as_a_secret_no_backup_lies_in_the_clear() {
    let secret = || Value::from(Kind::Sensitive(Sensitive::text("CANARY one")));
    let kept = |kind: &'static str| {
        move |bench: &mut Bench| {
            let attributes = [("ensure", kind.into()), ("backup", true.into()), ("force", true.into())];
            let at = bench.add("file", "/d/a", &attributes.into());
            match kind {
                "file" => bench.set(at, "content", "plain"),
                "symlink" => bench.set(at, "target", "/x"),
                _ => {}
            }
        }
    };
    let above = |attributes: &'static [(&'static str, &'static str)]| {
        move |bench: &mut Bench| {
            let at = bench.add("file", "/d", &[("backup", true.into()), ("force", true.into())].into());
            for (name, value) in attributes {
                bench.set(at, name, if *value == "true" { Value::from(true) } else { Value::from(*value) });
            }
        }
    };
    let file = |bench: &mut Bench| {
        bench.add("file", "/d/a", &[("content", secret())].into());
    };
    let line = |bench: &mut Bench| {
        bench.add("file_line", "password", &[("path", "/d/a".into()), ("line", secret())].into());
    };
    let seconds: [&dyn Fn(&mut Bench); 5] = [
        &kept("file"),
        &kept("absent"),
        &kept("symlink"),
        &above(&[("ensure", "absent")]),
        &above(&[("ensure", "directory"), ("purge", "true")]),
    ];
    for (first, second) in [&file as &dyn Fn(&mut Bench), &line]
        .into_iter()
        .flat_map(|first| seconds.iter().map(move |second| (first, second)))
    {
        let mut bench = Bench::directory();
        std::fs::create_dir(bench.dir().join("d")).unwrap();
        std::fs::write(bench.dir().join("d/a"), "theirs\n").unwrap();
        std::fs::write(bench.dir().join("d/b"), "theirs too\n").unwrap();
        first(&mut bench);
        assert_eq!(bench.run(Mode::Enforce).counts.failed, 0);
        bench.catalog.resources.clear();
        second(&mut bench);
        let findings = bench.run(Mode::Enforce);
        assert!(format!("{findings:?}").contains("kept, despite backup = true"), "{findings:?}");
        assert!(bench.read("d/a").is_none_or(|text| !text.contains("CANARY")));
        let all = std::fs::read_dir(bench.state().join("backups"));
        for path in all.into_iter().flatten().map(|entry| entry.unwrap().path()) {
            assert!(!std::fs::read_to_string(&path).unwrap().contains("CANARY"), "{}", path.display());
        }
        if bench.read("d/a").as_deref() == Some("plain") {
            // What is plain now is kept again.
            bench.set(0, "content", "plainer");
            bench.run(Mode::Enforce);
            assert_eq!(places(&bench), ["/d/a"]);
        }
    }
}

#[test]
fn what_goes_with_the_owner_is_said() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    if !crate::skip::is_root() {
        return;
    }
    let double = Double::new(|_| None);
    double.put("/srv/su1", "");
    let place = double.root.path().join("srv/su1");
    let put = || {
        chown(&place, Some(1), Some(1)).unwrap();
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o4755)).unwrap();
    };
    put();
    let mut attributes = vec![("owner", Value::from("0"))];
    let alone: File = trial::want("/srv/su1", &attributes);
    let changes = trial::changes(&Files, &double, &alone);
    assert!(
        changes[0].note.as_deref().unwrap().contains("its set-user-id bit is cleared by that (4755 now)"),
        "{changes:?}"
    );
    trial::correct(&Files, &double, &alone).unwrap();
    assert_eq!(
        std::fs::metadata(&place).unwrap().mode() & 0o7777,
        0o755,
        "who it was before may have set them"
    );
    // Without execute permission for the group, the second bit is kept.
    for (mode, is_lost, stays) in [(0o2755, true, 0o755), (0o2644, false, 0o2644), (0o6744, true, 0o2744)] {
        chown(&place, Some(1), Some(1)).unwrap();
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode)).unwrap();
        let changes = trial::changes(&Files, &double, &alone);
        assert_eq!(changes[0].note.is_some(), is_lost, "{mode:o}: {changes:?}");
        trial::correct(&Files, &double, &alone).unwrap();
        assert_eq!(std::fs::metadata(&place).unwrap().mode() & 0o7777, stays, "{mode:o}");
    }
    put();
    attributes.push(("mode", "4755".into()));
    let whole: File = trial::want("/srv/su1", &attributes);
    let changes = trial::changes(&Files, &double, &whole);
    assert_eq!(changes[0].note, None, "they are set again");
    trial::correct(&Files, &double, &whole).unwrap();
    assert_eq!(std::fs::metadata(&place).unwrap().mode() & 0o7777, 0o4755);
    let capability = [&0x0200_0001_u32.to_le_bytes()[..], &[0, 4], &[0; 14]].concat();
    let flags = rustix::fs::XattrFlags::empty();
    chown(&place, Some(1), Some(1)).unwrap();
    rustix::fs::setxattr(&place, "security.capability", &capability, flags).unwrap();
    let changes = trial::changes(&Files, &double, &whole);
    let owner = changes.iter().find(|change| change.property == Property::Owner).unwrap();
    assert!(owner.note.as_deref().unwrap().contains("clears its capabilities"), "{changes:?}");
}

fn secret(text: &str) -> Value {
    Kind::Sensitive(Sensitive::text(text)).into()
}

/// A file of the bench that everybody may read.
fn public(bench: &Bench, path: &str, text: &str) {
    std::fs::write(bench.dir().join(path), text).unwrap();
    std::fs::set_permissions(bench.dir().join(path), PermissionsExt::from_mode(0o644)).unwrap();
}

#[test]
fn what_is_or_becomes_secret_is_its_owners_alone_where_no_mode_is_given() {
    let mut bench = Bench::directory();
    public(&bench, "packaged", "package's own\n");
    let becomes = bench.file("/becomes", "user=x\n");
    bench.add("file", "/packaged", &[("content", secret("hunter2-packaged"))].into());
    bench.add("file", "/parts", &[("fragments", true.into())].into());
    let part = bench.add("fragment", "a", &[("target", "/parts".into()), ("content", "plain".into())].into());
    bench.run(Mode::Enforce);
    assert_eq!(["becomes", "packaged", "parts"].map(|path| mode(&bench, path)), [0o644, 0o600, 0o644]);
    bench.set(becomes, "content", secret("hunter2-becomes"));
    bench.set(part, "content", secret("hunter2-part"));
    let events = bench.run(Mode::Enforce).events;
    let intentional = |event: &Event| event.cause == Some(Cause::Intentional);
    assert!(events.len() == 4 && events.iter().all(intentional), "{events:#?}");
    assert_eq!(["becomes", "packaged", "parts"].map(|path| mode(&bench, path)), [0o600; 3]);
    assert!(bench.run(Mode::Enforce).events.is_empty());
    // A file that someone opens to others has drifted.
    std::fs::set_permissions(bench.dir().join("becomes"), PermissionsExt::from_mode(0o644)).unwrap();
    let events = bench.run(Mode::Enforce).events;
    let [event] = &events[..] else { panic!("{events:#?}") };
    assert_eq!((event.property.as_deref(), event.cause), (Some("mode"), Some(Cause::Corrective)));
    assert_eq!(mode(&bench, "becomes"), 0o600);
}

#[test]
fn a_mode_that_is_given_holds_for_a_secret_and_what_is_left_to_others_stays_as_it_is() {
    let mut bench = Bench::directory();
    public(&bench, "seed", "others wrote it\n");
    let given = [("content", secret("hunter2-given")), ("mode", "0640".into())];
    bench.add("file", "/given", &given.into());
    let seed = [("content", secret("hunter2-seed")), ("replace", false.into())];
    bench.add("file", "/seed", &seed.clone().into());
    bench.add("file", "/new-seed", &seed.into());
    bench.run(Mode::Enforce);
    assert_eq!(["given", "seed", "new-seed"].map(|path| mode(&bench, path)), [0o640, 0o644, 0o600]);
    assert!(bench.run(Mode::Enforce).events.is_empty());
}

#[test]
fn the_mode_of_a_directory_with_all_that_is_in_it_does_not_open_a_secret() {
    let mut bench = Bench::directory();
    let all = [("ensure", "directory".into()), ("recurse", true.into()), ("mode", "0644".into())];
    bench.add("file", "/d", &all.into());
    bench.add("file", "/d/secret", &[("content", secret("hunter2-inside"))].into());
    bench.run(Mode::Enforce);
    assert_eq!(bench.run(Mode::Enforce).events, [], "neither undoes the other");
    assert_eq!(["d", "d/secret"].map(|path| mode(&bench, path)), [0o755, 0o600]);
}

#[test]
fn an_owner_who_comes_from_another_source_than_the_files_is_taken_by_the_id() {
    use crate::provider::Plan;
    use crate::provider::trial::{self, want};
    use crate::system::double::{Double, failed, said};
    if !crate::skip::is_root() {
        return;
    }
    let machine = Double::new(|command| {
        Some(match command.command.to_string().as_str() {
            "getent passwd ldapu" | "getent passwd 60001" => {
                said("ldapu:*:60001:60002::/home/ldapu:/bin/sh\n")
            }
            "getent group ldapg" => said("ldapg:*:60002:\n"),
            "getent passwd slow" => failed(1, "it is away"),
            _ => failed(2, ""),
        })
    });
    machine.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    machine.put("/etc/group", "root:x:0:\n");
    machine.put("/srv/x", "");
    let theirs: File = want("/srv/x", &[("owner", "ldapu".into()), ("group", "ldapg".into())]);
    let changes = |want: &File| trial::said(&trial::changes(&Files, &machine, want));
    assert_eq!(changes(&theirs), ["owner: root -> ldapu", "group: root -> ldapg"]);
    trial::correct(&Files, &machine, &theirs).unwrap();
    assert_eq!(changes(&theirs), [""; 0]);
    assert_eq!(changes(&want("/srv/x", &[("owner", "root".into())])), ["owner: ldapu -> root"]);
    for (owner, words) in [
        ("nobody-here", "the user `nobody-here` does not exist; manage it too"),
        ("slow", "whether the user `slow` exists cannot be told: `getent passwd slow` failed with"),
    ] {
        let Plan::Pending(why) =
            trial::plan(&Files, &machine, &want("/srv/x", &[("owner", owner.into())])).unwrap()
        else {
            panic!("{owner}")
        };
        assert!(why.why.starts_with(words), "{why:?}");
    }
}

#[test]
fn a_file_whose_content_its_former_owner_could_still_write_is_written_anew() {
    use std::io::Write as _;
    use std::os::unix::fs::{MetadataExt as _, chown};
    if !crate::skip::is_root() {
        return;
    }
    let mut bench = Bench::directory();
    let content = tree(&mut bench, &[("member", "ours")]);
    let sides = [("owner", Value::from("0")), ("mode", "0640".into())];
    let all = |more: &[(&'static str, Value)]| attributes(&[&sides[..], more].concat());
    bench.add("file", "/a", &all(&[("content", "ours".into())]));
    bench.add("file", "/seed", &all(&[("content", "ours".into()), ("replace", false.into())]));
    let directory = [("ensure", "directory".into()), ("recurse", true.into())];
    bench.add("file", "/t", &all(&[&directory[..], &[("content", content)]].concat()));
    bench.add("file", "/u", &all(&directory));
    let places = ["a", "seed", "t/member", "u/any"].map(|name| bench.dir().join(name));
    let mut open = Vec::new();
    for path in &places {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "ours").unwrap();
        chown(path, Some(65534), Some(65534)).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o666)).unwrap();
        open.push(std::fs::File::options().write(true).open(path).unwrap());
    }
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.failed, findings.counts.changed), (0, 4), "{:?}", findings.events);
    for mut open in open {
        open.write_all(b"evil").unwrap();
    }
    for path in &places {
        let meta = std::fs::metadata(path).unwrap();
        assert_eq!((meta.uid(), meta.mode() & 0o7777), (0, 0o640), "{}", path.display());
        assert_eq!(std::fs::read_to_string(path).unwrap(), "ours", "{}", path.display());
    }
    assert_eq!(bench.run(Mode::Enforce).events, []);
}

#[test]
fn what_is_managed_has_no_list_of_a_user_that_was_there_before() {
    use std::os::unix::fs::chown;
    const LISTS: [&str; 2] = ["system.posix_acl_access", "system.posix_acl_default"];
    if !crate::skip::is_root() {
        return;
    }
    let mut bench = Bench::directory();
    let sides = [("owner", Value::from("0")), ("group", "1".into())];
    let own = |more: &[(&'static str, Value)]| attributes(&[&sides[..], more].concat());
    bench.add("file", "/bob/new", &own(&[("content", secret("x")), ("mode", "0640".into())]));
    bench.add("file", "/app", &own(&[("content", "x".into()), ("mode", "0664".into())]));
    bench.add("file", "/d", &own(&[("ensure", "directory".into()), ("mode", "0770".into())]));
    for name in ["bob", "d"] {
        std::fs::create_dir(bench.dir().join(name)).unwrap();
    }
    std::fs::write(bench.dir().join("app"), "x").unwrap();
    for (name, lists) in [("bob", &LISTS[1..]), ("app", &LISTS[..1]), ("d", &LISTS)] {
        let path = bench.dir().join(name);
        chown(&path, Some(65534), Some(65534)).unwrap();
        for list in lists {
            let flags = rustix::fs::XattrFlags::empty();
            if rustix::fs::setxattr(&path, *list, &crate::system::acl_for(65534), flags).is_err() {
                return crate::skip::leave_out("the file system has no access control lists");
            }
        }
    }
    assert_eq!(bench.run(Mode::Enforce).counts.failed, 0);
    for name in ["bob/new", "app", "d"] {
        let path = bench.dir().join(name);
        assert_eq!(LISTS.map(|list| crate::system::read_attribute(&path, list)), [None, None], "{name}");
    }
    assert_eq!(["bob/new", "app", "d"].map(|name| mode(&bench, name)), [0o640, 0o664, 0o770]);
    assert_eq!(bench.run(Mode::Enforce).events, []);
}
