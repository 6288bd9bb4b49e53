//! What the `file` type guarantees beyond the contract.

use std::os::unix::fs::PermissionsExt;

use holdfast_catalog::catalog::Policy;
use holdfast_catalog::report::{Cause, Event, Mode, Status};
use holdfast_catalog::value::{Kind, Sensitive, Value};

use super::*;
use crate::enforce::bench::Bench;
use crate::provider::trial;
use crate::system::double::{Double, failed, said};

mod members;
mod others;

fn tree(bench: &mut Bench, files: &[(&str, &str)]) -> Value {
    let entries =
        files.iter().map(|(path, text)| ((*path).into(), bench.contents.keep(text.as_bytes()))).collect();
    FileContent::tree_value(entries)
}

/// The attributes of a resource.
fn attributes(all: &[(&str, Value)]) -> Value {
    let all = all.iter().map(|(name, value)| ((*name).into(), value.clone()));
    all.collect::<std::collections::BTreeMap<_, _>>().into()
}

fn mode(bench: &Bench, path: &str) -> u32 {
    std::fs::metadata(bench.dir().join(path)).unwrap().permissions().mode() & 0o7777
}

/// Events as `path property status`, sorted.
fn told(events: &[Event]) -> Vec<String> {
    let told = |event: &Event| {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{} {} {:?}", part(&event.path), part(&event.property), event.status)
    };
    let mut told: Vec<_> = events.iter().map(told).collect();
    told.sort();
    told
}

#[test]
fn what_is_said_of_all_below_a_directory_holds_there_and_not_what_is_said_further_up() {
    use crate::enforce::bench::Bench;
    use holdfast_catalog::report::Mode as RunMode;
    let mut bench = Bench::directory();
    std::fs::create_dir_all(bench.dir().join("a/b")).unwrap();
    for name in ["a/x", "a/b/y"] {
        std::fs::write(bench.dir().join(name), "").unwrap();
    }
    for (title, mode) in [("/a", "0644"), ("/a/b", "0600")] {
        let sides = [("ensure", "directory".into()), ("recurse", true.into()), ("mode", mode.into())];
        bench.add("file", title, &sides.into());
    }
    let first = bench.run(RunMode::Enforce);
    assert_eq!(first.counts.failed, 0, "{:?}", first.events);
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(bench.dir().join(name)).unwrap().permissions().mode() & 0o7777
    };
    assert_eq!(["a", "a/x", "a/b", "a/b/y"].map(mode), [0o755, 0o644, 0o700, 0o600]);
    assert_eq!(bench.run(RunMode::Enforce).events, [], "neither undoes the other");
}

#[test]
fn a_tree_is_made_kept_and_corrected_path_by_path() {
    let mut bench = Bench::directory();
    let content = tree(&mut bench, &[("a", "1"), ("sub/b", "2"), ("sub/deep/c", "3")]);
    let attributes = [
        ("ensure", "directory".into()),
        ("recurse", true.into()),
        ("content", content),
        ("mode", "0640".into()),
    ];
    let tree = bench.add("file", "/t", &attributes.into());
    let made = bench.run(Mode::Enforce).events;
    assert_eq!(
        told(&made),
        [
            " ensure Changed",
            "a ensure Changed",
            "sub ensure Changed",
            "sub/b ensure Changed",
            "sub/deep ensure Changed",
            "sub/deep/c ensure Changed"
        ]
    );
    assert_eq!((mode(&bench, "t/sub"), mode(&bench, "t/sub/b")), (0o750, 0o640));
    assert!(bench.run(Mode::Enforce).events.is_empty());

    std::fs::write(bench.dir().join("t/sub/b"), "drift").unwrap();
    std::fs::remove_dir_all(bench.dir().join("t/sub/deep")).unwrap();
    std::fs::write(bench.dir().join("t/foreign"), "left alone").unwrap();
    let corrected = bench.run(Mode::Enforce);
    let expected = ["sub/b content Changed", "sub/deep ensure Changed", "sub/deep/c ensure Changed"];
    assert_eq!(told(&corrected.events), expected);
    assert!(corrected.events.iter().all(|e| e.cause == Some(Cause::Corrective)));
    assert_eq!(bench.read("t/sub/b").as_deref(), Some("2"));

    bench.set(tree, "content", self::tree(&mut Bench::directory(), &[]));
    bench.set(tree, "purge", true);
    bench.set(tree, "ignore", Value::from("fore*"));
    bench.set(tree, "force", true);
    assert_eq!(told(&bench.run(Mode::Enforce).events), ["a purge Changed", "sub purge Changed"]);
    assert_eq!(bench.read("t/foreign").as_deref(), Some("left alone"));
}

#[test]
fn what_is_in_an_ignored_directory_is_left_alone_though_the_source_has_it() {
    let mut bench = Bench::directory();
    let content = tree(&mut bench, &[("app", "1"), ("cache/deep/a", "2")]);
    let attributes = [
        ("ensure", "directory".into()),
        ("recurse", true.into()),
        ("content", content),
        ("ignore", "cache".into()),
    ];
    bench.add("file", "/t", &attributes.into());
    std::fs::create_dir_all(bench.dir().join("t/cache/deep")).unwrap();
    std::fs::write(bench.dir().join("t/cache/deep/a"), "theirs").unwrap();
    assert_eq!(told(&bench.run(Mode::Enforce).events), ["app ensure Changed"]);
    assert!(bench.run(Mode::Enforce).events.is_empty());
    assert_eq!(bench.read("t/cache/deep/a").as_deref(), Some("theirs"));
}

#[test]
fn a_source_fills_a_mount_point_or_a_home_as_any_directory() {
    let home = [("home", "/t".into())];
    let mount = [("device", "/dev/vdb".into()), ("fstype", "ext4".into()), ("ensure", "present".into())];
    for (type_name, title, beside) in
        [("user", "pia", Value::from(home)), ("mount", "/t", Value::from(mount))]
    {
        let mut bench = Bench::directory();
        let content = tree(&mut bench, &[("sub/a", "1"), ("kept", "ours")]);
        let attributes = [
            ("ensure", "directory".into()),
            ("recurse", true.into()),
            ("content", content),
            ("replace", false.into()),
        ];
        bench.add("file", "/t", &attributes.into());
        let other = bench.add(type_name, title, &beside);
        bench.catalog.resources[other as usize].policy = Policy::Off;
        std::fs::create_dir(bench.dir().join("t")).unwrap();
        std::fs::write(bench.dir().join("t/kept"), "theirs").unwrap();
        let made = ["sub ensure Changed", "sub/a ensure Changed"];
        assert_eq!(told(&bench.run(Mode::Enforce).events), made, "beside a {type_name}");
        assert_eq!(bench.read("t/kept").as_deref(), Some("theirs"));
        assert!(bench.run(Mode::Enforce).events.is_empty(), "beside a {type_name}");
    }
}

#[test]
fn a_tree_has_its_links_empty_folders_and_programs() {
    let mut bench = Bench::directory();
    let run = bench.contents.keep(b"#!/bin/sh\n");
    let entries = [
        ("bin/run", FileContent::program_value(run.clone())),
        ("bin/data", run),
        ("bin/link", FileContent::link_value("../bin/run")),
        ("spool/empty", FileContent::folder_value()),
    ];
    let content = FileContent::tree_value(entries.map(|(path, value)| (path.into(), value)).into());
    let attributes = [("ensure", "directory".into()), ("recurse", true.into()), ("content", content)];
    let tree = bench.add("file", "/t", &attributes.into());
    bench.run(Mode::Enforce);
    let target = |bench: &Bench| std::fs::read_link(bench.dir().join("t/bin/link")).unwrap();
    assert_eq!(target(&bench), Path::new("../bin/run"));
    assert_eq!((mode(&bench, "t/bin/run"), mode(&bench, "t/bin/data")), (0o755, 0o644));
    assert!(bench.dir().join("t/spool/empty").is_dir());
    assert!(bench.run(Mode::Enforce).events.is_empty());

    let alter = std::fs::Permissions::from_mode;
    std::fs::set_permissions(bench.dir().join("t/bin/run"), alter(0o640)).unwrap();
    std::fs::set_permissions(bench.dir().join("t/bin/data"), alter(0o755)).unwrap();
    std::fs::remove_file(bench.dir().join("t/bin/link")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", bench.dir().join("t/bin/link")).unwrap();
    std::fs::remove_dir(bench.dir().join("t/spool/empty")).unwrap();
    let corrected = bench.run(Mode::Enforce).events;
    assert_eq!(
        told(&corrected),
        [
            "bin/data mode Changed",
            "bin/link target Changed",
            "bin/run mode Changed",
            "spool/empty ensure Changed"
        ]
    );
    assert!(corrected.iter().all(|event| event.cause == Some(Cause::Corrective)), "{corrected:#?}");
    assert_eq!(target(&bench), Path::new("../bin/run"));
    assert_eq!(mode(&bench, "t/bin/run"), 0o750, "who reads it may run it");
    assert_eq!(mode(&bench, "t/bin/data"), 0o644, "what is not a program in the source is not one here");
    // A declared mode applies to every user, and to programs that can be executed.
    bench.set(tree, "mode", "0640");
    bench.run(Mode::Enforce);
    assert_eq!((mode(&bench, "t/bin/run"), mode(&bench, "t/bin/data")), (0o750, 0o640));
    assert!(bench.run(Mode::Enforce).events.is_empty());
}

#[test]
fn a_new_path_of_a_source_is_a_new_wish_and_no_drift() {
    let mut bench = Bench::directory();
    let content = tree(&mut bench, &[("a", "1")]);
    let attributes = [("ensure", "directory".into()), ("recurse", true.into()), ("content", content)];
    let index = bench.add("file", "/t", &attributes.into());
    bench.run(Mode::Enforce);
    let content = tree(&mut bench, &[("a", "1"), ("b", "2")]);
    bench.set(index, "content", content);
    let findings = bench.run(Mode::Enforce);
    assert_eq!(told(&findings.events), ["b ensure Changed"]);
    assert_eq!(findings.counts.corrective, 0);
}

#[test]
fn a_purge_reports_what_it_removed_and_says_what_it_kept() {
    let mut bench = Bench::directory();
    bench.add("file", "/t", &[("ensure", "directory".into()), ("purge", true.into())].into());
    bench.file("/t/named", "x");
    bench.file("/t/deep/named", "x");
    for dir in ["t/stray", "t/deep"] {
        std::fs::create_dir_all(bench.dir().join(dir)).unwrap();
    }
    std::fs::write(bench.dir().join("t/file"), "x").unwrap();
    for _ in 0..2 {
        let events = bench.run(Mode::Enforce).events;
        let kept: Vec<_> = events.iter().filter(|event| event.status == Status::Info).collect();
        assert_eq!(kept.len(), 1, "{events:?}");
        assert_eq!(kept[0].path.as_deref(), Some("stray"));
        assert!(kept[0].reason.as_ref().unwrap().starts_with("kept: "), "{kept:?}");
    }
    assert!(!bench.dir().join("t/file").exists());
    assert_eq!(bench.read("t/named").as_deref(), Some("x"));
    assert_eq!(bench.run(Mode::Enforce).counts.unchanged, 3, "what is kept is not drift");
}

#[test]
fn what_is_to_be_ignored_stays_wherever_it_is() {
    for recurse in [false, true] {
        let mut bench = Bench::directory();
        for path in ["t/sub/deep/keep.x", "t/sub/stray", "t/other/stray", "t/keep.y"] {
            let path = bench.dir().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let attributes = [
            ("ensure", "directory".into()),
            ("purge", true.into()),
            ("force", true.into()),
            ("recurse", recurse.into()),
            ("ignore", vec![Value::from("keep.*")].into()),
        ];
        bench.add("file", "/t", &attributes.into());
        let told = told(&bench.run(Mode::Enforce).events);
        let stray = if recurse { "sub/stray purge Changed" } else { "sub purge Info" };
        assert_eq!(told, ["other purge Changed", stray]);
        assert!(bench.dir().join("t/sub/deep/keep.x").exists() && bench.dir().join("t/keep.y").exists());
        assert_eq!(bench.dir().join("t/sub/stray").exists(), !recurse);
    }
}

#[test]
fn a_link_is_not_replaced_by_a_file_of_which_nothing_says_what_it_holds() {
    let mut bench = Bench::directory();
    std::fs::write(bench.dir().join("real"), "nameserver").unwrap();
    std::os::unix::fs::symlink("real", bench.dir().join("l")).unwrap();
    let link = bench.add("file", "/l", &[("mode", "0644".into())].into());
    for ensure in [None, Some("file")] {
        if let Some(ensure) = ensure {
            bench.set(link, "ensure", ensure);
        }
        let findings = bench.run(Mode::Enforce);
        let reason = findings.events[0].reason.as_deref().unwrap();
        assert_eq!(findings.counts.failed, 1);
        assert!(reason.contains("/l is a symlink to real") && reason.contains("`content`"), "{reason}");
    }
    assert_eq!(bench.read("l").as_deref(), Some("nameserver"));
    bench.set(link, "content", "own");
    assert_eq!(bench.run(Mode::Enforce).counts.changed, 1);
    assert_eq!(
        (bench.read("l").as_deref(), bench.read("real").as_deref()),
        (Some("own"), Some("nameserver"))
    );
}

#[test]
fn a_directory_goes_only_by_force() {
    let mut bench = Bench::directory();
    std::fs::create_dir_all(bench.dir().join("d/sub")).unwrap();
    let file = bench.file("/d", "x");
    let refused = bench.run(Mode::Enforce);
    assert!(refused.events[0].reason.as_ref().unwrap().contains("force = true"), "{refused:?}");
    assert!(bench.dir().join("d/sub").exists());
    bench.set(file, "force", true);
    bench.run(Mode::Enforce);
    assert_eq!(bench.read("d").as_deref(), Some("x"));
}

#[test]
fn a_validator_sees_the_new_file_and_can_refuse_it() {
    let bench_of = |accepts: bool| {
        let mut bench = Bench::of(Double::new(move |invocation| {
            let text = invocation.command.to_string();
            let path = text.strip_prefix("check ")?;
            assert_eq!(std::fs::read_to_string(path).unwrap(), "new");
            Some(if accepts { said("") } else { failed(1, "line 1 is bad") })
        }));
        let check: Value = vec!["check".into(), "%".into()].into();
        bench.add("file", "/a", &[("content", "new".into()), ("validate", check)].into());
        bench.run(Mode::Enforce)
    };
    assert_eq!(bench_of(true).counts.changed, 1);
    let refused = bench_of(false);
    let reason = refused.events[0].reason.clone().unwrap();
    assert!(reason.contains("line 1 is bad") && reason.contains("the old content stays"), "{reason}");
}

#[test]
fn a_validator_sees_the_extension_and_must_leave_the_file_where_it_is() {
    let bench_of = |removes: bool| {
        let mut bench = Bench::double(Double::new(move |invocation| {
            let text = invocation.command.to_string();
            let path = text.strip_prefix("check ").unwrap();
            assert!(path.ends_with(".conf"), "{path}");
            if removes {
                std::fs::remove_file(path).unwrap();
            }
            Some(said(""))
        }));
        let check: Value = vec!["check".into(), "%".into()].into();
        bench.add("file", "/a.conf", &[("content", "new".into()), ("validate", check)].into());
        let findings = bench.run(Mode::Enforce);
        let is_there = bench.root().join("a.conf").exists();
        (findings, is_there)
    };
    let (findings, is_there) = bench_of(false);
    assert!(findings.counts.changed == 1 && is_there, "{findings:?}");
    let (findings, is_there) = bench_of(true);
    let reason = findings.events[0].reason.clone().unwrap();
    assert!(reason.contains("`check %` removed or replaced the file") && !is_there, "{reason}");
}

#[test]
fn content_that_is_not_what_the_catalog_names_is_never_written() {
    let mut bench = Bench::directory();
    let content = bench.contents.keep(b"good");
    bench.add("file", "/a", &[("content", content)].into());
    bench.contents.falsify();
    let findings = bench.run(Mode::Enforce);
    assert!(findings.events[0].reason.as_ref().unwrap().contains("nothing was written"), "{findings:?}");
    assert_eq!(std::fs::read_dir(bench.dir()).unwrap().count(), 0);
}

#[test]
fn what_is_replaced_is_kept_where_that_is_wanted() {
    let mut bench = Bench::directory();
    std::fs::write(bench.dir().join("a"), "old").unwrap();
    bench.add("file", "/a", &[("content", "new".into()), ("backup", true.into())].into());
    bench.run(Mode::Enforce);
    let kept = bench.state().join("backups").join(holdfast_catalog::hash::sha256(b"old"));
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "old");
    assert_eq!(places(&bench), ["/a"]);
}

/// The paths that have backups, sorted.
fn places(bench: &Bench) -> Vec<String> {
    let all = std::fs::read_dir(bench.state().join("backups")).unwrap().map(|entry| entry.unwrap().path());
    let about = all.filter(|path| path.extension().is_some_and(|end| end == "json"));
    let about = about.map(|path| {
        let about: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if about["kind"] == "file" {
            let name = path.file_name().unwrap().to_str().unwrap().split('.').next().unwrap();
            let kept = std::fs::read(path.with_file_name(name)).unwrap();
            assert_eq!(holdfast_catalog::hash::sha256(&kept), name);
        }
        let target = about["target"].as_str().map(|target| format!(" -> {target}")).unwrap_or_default();
        format!("{}{target}", about["path"].as_str().unwrap())
    });
    let mut places: Vec<_> = about.collect();
    places.sort();
    places
}

#[test]
fn whatever_is_replaced_or_removed_is_kept_with_its_place() {
    let write = |bench: &Bench, path: &str| {
        let path = bench.dir().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "same").unwrap();
    };
    let all = ["/d", "/d/a", "/d/l -> a", "/d/sub", "/d/sub/b"];
    let attributes =
        |ensure: &str| [("ensure", Value::from(ensure)), ("force", true.into()), ("backup", true.into())];
    for (ensure, more, kept) in [
        ("absent", None, &all[..]),
        ("file", Some(("content", Value::from("x"))), &all),
        ("symlink", Some(("target", "/x".into())), &all),
        ("directory", Some(("purge", true.into())), &all[1..]),
    ] {
        let mut bench = Bench::directory();
        write(&bench, "d/a");
        write(&bench, "d/sub/b");
        std::os::unix::fs::symlink("a", bench.dir().join("d/l")).unwrap();
        let directory = bench.add("file", "/d", &attributes(ensure).into());
        if let Some((name, value)) = more {
            bench.set(directory, name, value);
        }
        assert_eq!(bench.run(Mode::Enforce).counts.failed, 0, "{ensure}");
        assert_eq!(places(&bench), kept, "{ensure}");
    }
    for (name, value) in [("target", "/new"), ("content", "x")] {
        let mut bench = Bench::directory();
        std::os::unix::fs::symlink("old", bench.dir().join("l")).unwrap();
        bench.add("file", "/l", &[(name, value.into()), ("backup", true.into())].into());
        assert_eq!(bench.run(Mode::Enforce).counts.changed, 1, "{name}");
        assert_eq!(places(&bench), ["/l -> old"], "{name}");
    }
}

#[test]
fn existing_content_stays_where_it_is_not_to_be_replaced() {
    let mut bench = Bench::directory();
    std::fs::write(bench.dir().join("a"), "theirs").unwrap();
    let attributes = [("content", "ours".into()), ("replace", false.into()), ("mode", "0600".into())];
    bench.add("file", "/a", &attributes.into());
    assert_eq!(told(&bench.run(Mode::Enforce).events), [" mode Changed"]);
    assert_eq!(bench.read("a").as_deref(), Some("theirs"));
    std::fs::remove_file(bench.dir().join("a")).unwrap();
    bench.run(Mode::Enforce);
    assert_eq!((bench.read("a").as_deref(), mode(&bench, "a")), (Some("ours"), 0o600));
}

#[test]
fn a_diff_is_shown_for_text_and_never_for_secrets() {
    let mut bench = Bench::directory();
    std::fs::write(bench.dir().join("plain"), "one\n").unwrap();
    std::fs::write(bench.dir().join("secret"), "one\n").unwrap();
    bench.file("/plain", "two\n");
    let secret = Kind::Sensitive(Sensitive::text("hunter2\n")).into();
    bench.add("file", "/secret", &[("content", secret)].into());
    let events = bench.run(Mode::Audit).events;
    assert!(events[0].diff.as_ref().unwrap().contains("-one\n+two\n"));
    assert!(events[1].diff.is_none() && !format!("{:?}", events[1]).contains("hunter2"));
}

#[test]
fn a_new_secret_file_is_its_owners_alone() {
    let mut bench = Bench::directory();
    let secret = Kind::Sensitive(Sensitive::text("hunter2")).into();
    bench.add("file", "/secret", &[("content", secret)].into());
    bench.file("/plain", "x");
    bench.run(Mode::Enforce);
    assert_eq!((mode(&bench, "secret"), mode(&bench, "plain")), (0o600, 0o644));
}

#[test]
fn a_fifo_in_the_way_is_an_error_and_not_a_wait() {
    let mut bench = Bench::directory();
    let fifo = rustix::fs::FileType::Fifo;
    let path = bench.dir().join("a");
    rustix::fs::mknodat(rustix::fs::CWD, path, fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    bench.file("/a", "x");
    assert!(bench.run(Mode::Enforce).events[0].reason.as_ref().unwrap().contains("special file"));
}

#[test]
fn set_id_bits_that_nobody_declares_fall_with_owner_and_content() {
    if !crate::skip::is_root() {
        return;
    }
    let mut bench = Bench::directory();
    bench.add("file", "/a", &[("owner", "0".into())].into());
    bench.add("file", "/b", &[("owner", "0".into()), ("content", "ours".into())].into());
    for name in ["a", "b"] {
        let planted = bench.dir().join(name);
        std::fs::write(&planted, "a shell").unwrap();
        std::os::unix::fs::chown(&planted, Some(1), None).unwrap();
        std::fs::set_permissions(&planted, PermissionsExt::from_mode(0o4755)).unwrap();
    }
    bench.run(Mode::Enforce);
    assert_eq!((mode(&bench, "a"), mode(&bench, "b")), (0o755, 0o755));
}

#[test]
fn set_id_bits_outlast_a_change_of_owner() {
    if !crate::skip::is_root() {
        return;
    }
    let mut bench = Bench::directory();
    bench.add("file", "/a", &[("mode", "4755".into()), ("owner", "0".into())].into());
    bench.run(Mode::Enforce);
    std::os::unix::fs::chown(bench.dir().join("a"), Some(1), None).unwrap();
    std::fs::set_permissions(bench.dir().join("a"), PermissionsExt::from_mode(0o4755)).unwrap();
    assert_eq!(told(&bench.run(Mode::Enforce).events), [" owner Changed"]);
    assert_eq!(mode(&bench, "a"), 0o4755);
}
