//! Conflicting claims that only the machine reveals: both resources fail before anything is done to either, and name
//! each other.

use super::last_look::answering;
use super::*;

const PASSWD: &str =
    "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\ndave:x:1001:1001::/srv/d:/bin/sh\n";
const GROUP: &str = "root:x:0:\nops:x:1001:\n";

/// The dpkg status of an amd64 machine with one mail server.
const STATUS: &str = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n\
    Package: git\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2\n\n\
    Package: exim\nStatus: install ok installed\nArchitecture: amd64\nVersion: 4\nProvides: mta\n";

const EDITOR: &str = "Name: editor\nLink: /usr/bin/editor\nSlaves:\n editor.1.gz /usr/share/editor.1.gz\n\
    Status: auto\nBest: /bin/nano\nValue: /bin/nano\n\nAlternative: /bin/nano\nPriority: 40\n";

/// A machine with every sort of alias that needs no bus.
pub(super) fn machine() -> Double {
    let double = Double::new(|invocation| match invocation.command.to_string().as_str() {
        "apt-cache showpkg -- mta" => {
            Some(said("Package: mta\n\nReverse Provides: \nexim 4 (= )\npostfix 3 (= )\n"))
        }
        "update-alternatives --query editor" => Some(said(EDITOR)),
        _ => Some(said("")),
    });
    for (path, text) in [
        ("/etc/passwd", PASSWD),
        ("/etc/group", GROUP),
        ("/etc/shadow", ""),
        ("/etc/fstab", ""),
        ("/var/lib/dpkg/status", STATUS),
        ("/dev/sda2", ""),
        ("/run/foo/x", "0"),
        ("/data/app/conf", "0"),
        ("/srv/d/.ssh/authorized_keys", ""),
        ("/usr/lib/tmpfiles.d/x", "0"),
    ] {
        double.put(path, text);
    }
    link(&double, "/var/run", "/run");
    link(&double, "/lib", "usr/lib");
    link(&double, "/srv/app", "/data/app");
    link(&double, "/dev/disk/by-uuid/ab-cd", "../../sda2");
    double
}

pub(super) fn link(double: &Double, at: &str, target: &str) {
    let at = double.root.path().join(at.trim_start_matches('/'));
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(target, at).unwrap();
}

type Said = (&'static str, &'static str, Vec<(&'static str, Value)>);

fn file(title: &'static str, text: &str) -> Said {
    ("file", title, vec![("content", text.into())])
}

fn of(type_name: &'static str, title: &'static str, attributes: &[(&'static str, &str)]) -> Said {
    let value = |name: &str, text: &str| match text.parse::<i64>() {
        Ok(number) if name.ends_with("id") => number.into(),
        _ => Value::from(text),
    };
    let attributes = attributes.iter().map(|(name, text)| (*name, value(name, text)));
    (type_name, title, attributes.collect())
}

/// A bench on such a machine, with these resources.
fn bench(all: &[Said]) -> Bench {
    let mut bench = Bench::double(machine());
    for (type_name, title, attributes) in all {
        let index = bench.add(type_name, title, &Value::from([]));
        attributes.iter().for_each(|(name, value)| bench.set(index, name, value.clone()));
    }
    bench
}

fn absent(type_name: &'static str, title: &'static str) -> Said {
    of(type_name, title, &[("ensure", "absent")])
}

/// Pairs of resources that claim one thing, and why.
fn rivals() -> Vec<(Said, Said, &'static str)> {
    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJZTZYpbxf5B6S7xh0bZmyP1yAyuoVYuBQSyfDbYq0sG";
    let key = |title, user| of("authorized_key", title, &[("user", user), ("key", KEY)]);
    let target = ("target", "/srv/d/.ssh/authorized_keys");
    let elsewhere =
        of("authorized_key", "other", &[("user", "root"), ("key", KEY), target, ("options", "no-pty")]);
    let swap = |title, device, options| {
        of("mount", title, &[("device", device), ("fstype", "swap"), ("options", options)])
    };
    vec![
        (file("/var/run/foo/x", "1"), file("/run/foo/x", "2"), "`/var/run` leads to `/run`"),
        (
            file("/lib/tmpfiles.d/x", "1"),
            absent("file", "/usr/lib/tmpfiles.d/x"),
            "`/lib` leads to `usr/lib`",
        ),
        (
            file("/srv/app/conf", "k=1"),
            of("ini_setting", "k", &[("path", "/data/app/conf"), ("key", "k"), ("value", "two")]),
            "`/srv/app` leads to `/data/app`",
        ),
        (file("/new/x", "1"), file("/run/foo/x", "2"), "`/new` leads to `/var/run/foo`"),
        (key("k", "dave"), elsewhere, "the home of `dave` is `/srv/d`"),
        (
            of("package", "git", &[("ensure", "present")]),
            absent("package", "git:amd64"),
            "`amd64` is this machine's own architecture",
        ),
        (
            of("package", "mta", &[("ensure", "present")]),
            absent("package", "exim"),
            "`mta` is a virtual package, which `exim` provides",
        ),
        (
            of("alternatives", "editor", &[("path", "auto")]),
            file("/usr/bin/editor", "x"),
            "update-alternatives changes `/usr/bin/editor` together with `editor`",
        ),
        (
            of("alternatives", "editor", &[("path", "auto")]),
            absent("file", "/usr/share/editor.1.gz"),
            "update-alternatives changes `/usr/share/editor.1.gz`",
        ),
        (
            of("user", "dave", &[("shell", "/bin/sh")]),
            of("user", "carol", &[("uid", "1001")]),
            "`dave` has it on this machine",
        ),
        (of("group", "ops", &[]), of("group", "dev", &[("gid", "1001")]), "`ops` has it on this machine"),
        (
            swap("none", "UUID=ab-cd", "defaults"),
            swap("/swap", "/dev/sda2", "pri=5"),
            "`UUID=ab-cd` is the device `/dev/sda2`",
        ),
    ]
}

#[test]
fn two_that_claim_one_thing_by_names_that_only_the_machine_knows_fail_untouched_and_name_each_other() {
    for (one, other, why) in rivals() {
        let names = [&one, &other].map(|(type_name, title, _)| format!("{type_name}[{title}]"));
        for turned in [false, true] {
            let way = ("file", "/new", vec![("target", Value::from("/var/run/foo"))]);
            let mut all = vec![way, one.clone(), other.clone()];
            if turned {
                all.reverse();
            }
            let mut bench = bench(&all);
            let before = snapshot(&bench);
            for mode in [Mode::Audit, Mode::Enforce, Mode::Enforce] {
                let findings = bench.run(mode);
                assert_eq!(findings.counts.failed, 2, "{names:?}: {:#?}", findings.events);
                for (own, other) in [(0, 1), (1, 0)] {
                    let reason = event(&findings, &names[own], Status::Failed).reason.clone().unwrap();
                    let begins = format!("it and `{}` both manage ", names[other]);
                    assert!(reason.starts_with(&begins) && reason.contains(why), "{reason}");
                }
            }
            assert_eq!(snapshot(&bench), before, "{names:?}: nothing was done to either");
        }
    }
}

/// The content of the files that are claimed twice.
fn snapshot(bench: &Bench) -> Vec<Option<String>> {
    let paths =
        ["run/foo/x", "usr/lib/tmpfiles.d/x", "data/app/conf", "srv/d/.ssh/authorized_keys", "etc/fstab"];
    paths.iter().map(|path| std::fs::read_to_string(bench.root().join(path)).ok()).collect()
}

#[test]
fn those_who_get_along_are_left_alone_whatever_their_things_are_called() {
    for (one, other) in [
        (of("file", "/var/run/foo/x", &[("mode", "0600")]), file("/run/foo/x", "0")),
        (of("package", "mta", &[("ensure", "present")]), of("package", "exim", &[("ensure", "present")])),
        (of("user", "root", &[("comment", "Root")]), of("user", "toor", &[("uid", "0")])),
        (file("/var/lib/x", "1"), file("/var/run/x", "2")),
    ] {
        let mut bench = bench(&[one, other]);
        bench.run(Mode::Enforce);
        let findings = bench.run(Mode::Enforce);
        let spoken: Vec<_> = findings.events.iter().map(|event| &event.reason).collect();
        assert!(spoken.iter().all(|reason| !format!("{reason:?}").contains("manage")), "{spoken:?}");
    }
}

#[test]
fn a_virtual_package_that_another_of_the_catalog_will_provide_is_no_rivalry() {
    let mut bench = bench(&[
        of("package", "mta", &[("ensure", "present")]),
        absent("package", "exim"),
        of("package", "postfix", &[("ensure", "present")]),
    ]);
    let findings = bench.run(Mode::Audit);
    assert_eq!(findings.counts.failed, 0, "{:#?}", findings.events);
}

#[test]
fn two_that_want_the_same_of_one_thing_are_told_so_and_do_not_fail() {
    let mut bench = bench(&[file("/var/run/foo/x", "1"), file("/run/foo/x", "1")]);
    for changed in [1, 0] {
        let findings = bench.run(Mode::Enforce);
        assert_eq!((findings.counts.failed, findings.counts.changed), (0, changed), "{:#?}", findings.events);
        let words = event(&findings, "file[/run/foo/x]", Status::Info).reason.clone().unwrap();
        assert_eq!(
            words,
            "`file[/var/run/foo/x]` wants the same of the content of `/run/foo/x`, since `/var/run` leads to `/run`: \
             remove one of the two"
        );
    }
}

#[test]
fn what_needs_one_of_two_rivals_is_skipped_and_others_go_on() {
    let mut bench = bench(&[
        file("/run/foo/x", "1"),
        file("/var/run/foo/x", "2"),
        file("/run/foo/after", "x"),
        file("/run/foo/beside", "x"),
    ]);
    bench.edge(0, 2, EdgeKind::Order);
    let findings = bench.run(Mode::Enforce);
    let counts = findings.counts;
    assert_eq!((counts.failed, counts.skipped, counts.changed), (2, 1, 1), "{:#?}", findings.events);
}

#[test]
fn a_resource_that_is_off_is_nobodys_rival() {
    let mut bench = bench(&[file("/run/foo/x", "1"), file("/var/run/foo/x", "2")]);
    bench.catalog.resources[0].policy = Policy::Off;
    assert_eq!(bench.run(Mode::Enforce).counts.failed, 0);
}

/// A command that makes `/made` a link to `/run/foo`.
fn leading(acted: bool) -> Bench {
    let (mut bench, _) = answering(|_, root| {
        std::os::unix::fs::symlink("/run/foo", root.join("made")).ok()?;
        Some(said(""))
    });
    std::fs::create_dir_all(bench.root().join("run/foo")).unwrap();
    std::fs::write(bench.root().join("run/foo/x"), "0").unwrap();
    let lead = |bench: &mut Bench| bench.add("exec", "lead", &[("creates", "/made".into())].into());
    if !acted {
        lead(&mut bench);
    }
    bench.file("/run/foo/x", "1");
    if acted {
        lead(&mut bench);
    }
    bench.file("/made/x", "2");
    bench
}

#[test]
fn a_link_that_a_run_itself_makes_is_seen_at_the_turn_of_whom_it_concerns() {
    for acted in [false, true] {
        let mut bench = leading(acted);
        let findings = bench.run(Mode::Enforce);
        for resource in ["file[/run/foo/x]", "file[/made/x]"] {
            let reason = event(&findings, resource, Status::Failed).reason.clone().unwrap();
            assert!(reason.contains("since `/made` leads to `/run/foo`"), "{reason}");
        }
        assert_eq!(findings.counts.failed, 2, "{:#?}", findings.events);
        let held = std::fs::read_to_string(bench.root().join("run/foo/x")).unwrap();
        assert_eq!(held, "1", "nothing is undone");
        assert_eq!(bench.run(Mode::Enforce).counts.failed, 2);
    }
}
