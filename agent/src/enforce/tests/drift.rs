//! Drift: every combination of what the last run left, how the wanted value changed since, and what happened on the
//! machine.

use super::*;

/// What the last run did with `/d/a`, whose wanted content is `1`.
#[derive(Debug, Clone, Copy)]
enum Last {
    None,
    Looked,
    /// It was interrupted before the file's turn.
    Interrupted,
    /// It failed, since a directory was missing.
    Failed,
    /// It could not tell, since the owner was missing.
    Unknown,
    /// It skipped the file, since something before it failed.
    Skipped,
    /// It left the file as wanted.
    Wanted,
    /// A run before left the file as wanted, and it only looked.
    WantedThenLooked,
    /// A run before left the file as wanted, and it was interrupted.
    WantedThenInterrupted,
    /// A run before left the file as wanted, someone altered it, and the last run was interrupted.
    AlteredThenInterrupted,
    /// A run before left the file as wanted; the last one skipped it, and saw it as wanted at its end.
    WantedThenSkipped,
    /// A run before left the file as wanted, and the policy was `audit` in the last one.
    WantedThenWatched,
    /// A run before left the file as wanted, and the policy was `off` in the last one.
    WantedThenOff,
    /// A run before left the file as wanted, and it failed.
    WantedThenFailed,
    /// It set the content, and another resource undid that.
    Undone,
    /// A run before left the file as wanted, and it was killed.
    WantedThenKilled,
    /// It was killed, and a run that only looked saw the file as wanted.
    KilledThenLooked,
}

#[derive(Debug, Clone, Copy)]
enum Wish {
    Same,
    New,
}

#[derive(Debug, Clone, Copy)]
enum Done {
    Nothing,
    Altered,
    Removed,
}

/// What is reported for each: nothing, `C`orrective or `I`ntentional. Whether a file exists is a property of its own,
/// which new wanted content does not change.
const TABLE: [(Last, [char; 3], [char; 3]); 17] = [
    //                             the wish is the same   the wish is new
    // what others did:            -    altered removed   -    altered removed
    (Last::None, ['I', 'I', 'I'], ['I', 'I', 'I']),
    (Last::Looked, ['I', 'I', 'I'], ['I', 'I', 'I']),
    (Last::Interrupted, ['I', 'I', 'I'], ['I', 'I', 'I']),
    (Last::Failed, ['I', 'I', 'I'], ['I', 'I', 'I']),
    (Last::Unknown, ['I', 'I', 'I'], ['I', 'I', 'I']),
    (Last::Skipped, ['I', 'I', 'I'], ['I', 'I', 'I']),
    (Last::Wanted, ['-', 'C', 'C'], ['I', 'I', 'C']),
    (Last::WantedThenLooked, ['-', 'C', 'C'], ['I', 'I', 'C']),
    (Last::WantedThenInterrupted, ['-', 'C', 'C'], ['I', 'I', 'C']),
    (Last::AlteredThenInterrupted, ['C', 'C', 'C'], ['I', 'I', 'C']),
    (Last::WantedThenSkipped, ['-', 'C', 'C'], ['I', 'I', 'C']),
    (Last::WantedThenWatched, ['-', 'C', 'C'], ['I', 'I', 'C']),
    (Last::WantedThenOff, ['-', 'C', 'C'], ['I', 'I', 'C']),
    (Last::WantedThenFailed, ['-', 'I', 'I'], ['I', 'I', 'I']),
    (Last::Undone, ['I', 'I', 'C'], ['I', 'I', 'C']),
    (Last::WantedThenKilled, ['-', 'I', 'I'], ['I', 'I', 'I']),
    (Last::KilledThenLooked, ['-', 'C', 'C'], ['I', 'I', 'C']),
];

#[test]
fn corrective_is_what_the_last_run_left_as_wanted_and_others_changed() {
    for (last, same, new) in TABLE {
        for (wish, causes) in [(Wish::Same, same), (Wish::New, new)] {
            for (done, expected) in [Done::Nothing, Done::Altered, Done::Removed].into_iter().zip(causes) {
                for mode in [Mode::Audit, Mode::Enforce] {
                    let mut bench = Bench::directory();
                    let file = ran(&mut bench, last);
                    if let Wish::New = wish {
                        bench.set(file, "content", "2");
                    }
                    let path = bench.dir().join("d/a");
                    match done {
                        Done::Nothing => {}
                        Done::Altered => std::fs::write(&path, "by hand").unwrap(),
                        Done::Removed => drop(std::fs::remove_file(&path)),
                    }
                    let findings = bench.run(mode);
                    let causes: String = findings.events.iter().map(|event| told(event.cause)).collect();
                    let causes = if causes.is_empty() { "-".to_owned() } else { causes };
                    let row = format!("{last:?}, {wish:?}, {done:?}, {mode:?}");
                    assert_eq!(causes, expected.to_string(), "{row}: {:#?}", findings.events);
                    let corrected = mode == Mode::Enforce && expected == 'C';
                    assert_eq!(findings.counts.corrective, u32::from(corrected), "{row}");
                }
            }
        }
    }
}

fn told(cause: Option<Cause>) -> char {
    match cause {
        Some(Cause::Corrective) => 'C',
        Some(Cause::Intentional) => 'I',
        None => '?',
    }
}

/// Puts the machine into the state in which the last run left it; returns the file's index.
fn ran(bench: &mut Bench, last: Last) -> u32 {
    let dir = bench.dir().to_owned();
    let file = bench.file("/d/a", "1");
    if !matches!(last, Last::Failed) {
        std::fs::create_dir(dir.join("d")).unwrap();
    }
    let wanted = matches!(
        last,
        Last::Wanted
            | Last::WantedThenLooked
            | Last::WantedThenInterrupted
            | Last::AlteredThenInterrupted
            | Last::WantedThenSkipped
            | Last::WantedThenWatched
            | Last::WantedThenOff
            | Last::WantedThenFailed
            | Last::WantedThenKilled
    );
    if wanted {
        assert_eq!(bench.run(Mode::Enforce).counts.changed, 1);
    }
    let policy = |bench: &mut Bench, policy| bench.catalog.resources[file as usize].policy = policy;
    match last {
        Last::None | Last::Wanted => {}
        Last::Looked | Last::WantedThenLooked => drop(bench.run(Mode::Audit)),
        Last::Interrupted | Last::WantedThenInterrupted | Last::AlteredThenInterrupted => {
            if let Last::AlteredThenInterrupted = last {
                std::fs::write(dir.join("d/a"), "before").unwrap();
            }
            bench.stop.store(true, Ordering::Relaxed);
            bench.run(Mode::Enforce);
            bench.stop.store(false, Ordering::Relaxed);
        }
        Last::Failed => {
            assert_eq!(bench.run(Mode::Enforce).counts.failed, 1);
            std::fs::create_dir(dir.join("d")).unwrap();
        }
        Last::Unknown => {
            bench.set(file, "owner", "ghost");
            assert_eq!(bench.run(Mode::Enforce).counts.failed, 1);
            let own = rustix::process::geteuid().as_raw();
            std::fs::create_dir(dir.join("etc")).unwrap();
            std::fs::write(dir.join("etc/passwd"), format!("ghost:x:{own}:0::/:/bin/sh\n")).unwrap();
        }
        Last::Skipped | Last::WantedThenSkipped => {
            let blocker = bench.file("/no/such/directory", "x");
            bench.edge(blocker, file, EdgeKind::Order);
            assert_eq!(bench.run(Mode::Enforce).counts.skipped, 1);
            bench.catalog.resources.pop();
            bench.catalog.edges.clear();
        }
        Last::WantedThenWatched | Last::WantedThenOff => {
            policy(bench, if let Last::WantedThenOff = last { Policy::Off } else { Policy::Audit });
            bench.run(Mode::Enforce);
            policy(bench, Policy::Enforce);
        }
        Last::WantedThenFailed => {
            std::fs::remove_file(dir.join("d/a")).unwrap();
            std::fs::create_dir_all(dir.join("d/a/full")).unwrap();
            assert_eq!(bench.run(Mode::Enforce).counts.failed, 1);
            std::fs::remove_dir_all(dir.join("d/a")).unwrap();
            std::fs::write(dir.join("d/a"), "1").unwrap();
        }
        Last::WantedThenKilled | Last::KilledThenLooked => {
            std::fs::write(bench.state().join("unended"), "2026-11-29T03:00:00Z\n").unwrap();
            if let Last::KilledThenLooked = last {
                std::fs::write(dir.join("d/a"), "1").unwrap();
                assert!(bench.run(Mode::Audit).events.is_empty());
            }
        }
        Last::Undone => {
            bench.add("file_line", "x", &[("path", "/d/a".into()), ("line", "more".into())].into());
            assert_eq!(bench.run(Mode::Enforce).counts.failed, 1);
            std::fs::write(dir.join("d/a"), "1\nmore\n").unwrap();
            bench.catalog.resources.pop();
        }
    }
    file
}

#[test]
fn what_a_commit_took_away_is_no_drift_and_what_others_put_there_is() {
    let mut bench = Bench::directory();
    std::fs::create_dir(bench.dir().join("sites")).unwrap();
    let purge = [("ensure", "directory".into()), ("purge", true.into()), ("recurse", true.into())];
    bench.add("file", "/sites", &purge.into());
    bench.file("/sites/shop.conf", "x");
    bench.file("/sites/blog.conf", "x");
    bench.run(Mode::Enforce);
    std::fs::write(bench.dir().join("sites/stray.conf"), "by hand").unwrap();
    bench.catalog.resources.pop();
    for mode in [Mode::Audit, Mode::Enforce] {
        let findings = bench.run(mode);
        let causes: Vec<_> = findings
            .events
            .iter()
            .map(|event| (event.path.as_deref().unwrap(), event.cause.unwrap()))
            .collect();
        assert_eq!(
            causes,
            [("blog.conf", Cause::Intentional), ("stray.conf", Cause::Corrective)],
            "{mode:?}"
        );
    }
    assert!(bench.run(Mode::Enforce).events.is_empty());
    std::fs::write(bench.dir().join("sites/blog.conf"), "by hand").unwrap();
    assert_eq!(bench.run(Mode::Enforce).counts.corrective, 1, "what came back was put there by others");
}

#[test]
fn what_a_commit_took_away_stays_no_drift_until_it_is_gone() {
    let mut bench = Bench::directory();
    std::fs::create_dir(bench.dir().join("sites")).unwrap();
    let purge = [("ensure", "directory".into()), ("purge", true.into()), ("recurse", true.into())];
    let directory = bench.add("file", "/sites", &purge.into());
    bench.file("/sites/blog.conf", "x");
    bench.run(Mode::Enforce);
    bench.catalog.resources.pop();
    bench.catalog.resources[directory as usize].policy = Policy::Audit;
    for content in ["1", "2"] {
        bench.file("/other", content);
        let findings = bench.run(Mode::Enforce);
        assert_eq!(event(&findings, "file[/sites]", Status::WouldChange).cause, Some(Cause::Intentional));
        bench.catalog.resources.pop();
    }
}

#[test]
fn what_a_source_no_longer_has_is_no_drift() {
    let mut bench = Bench::directory();
    std::fs::create_dir(bench.dir().join("srv")).unwrap();
    let tree = |bench: &mut Bench, names: &[&str]| {
        let entries = names.iter().map(|name| (Arc::from(*name), bench.contents.keep(b"x")));
        holdfast_catalog::resource::attribute::FileContent::tree_value(entries.collect())
    };
    let content = tree(&mut bench, &["a", "old/b"]);
    let attributes = [
        ("ensure", "directory".into()),
        ("content", content),
        ("purge", true.into()),
        ("recurse", true.into()),
        ("force", true.into()),
    ];
    let directory = bench.add("file", "/srv", &attributes.into());
    bench.run(Mode::Enforce);
    let content = tree(&mut bench, &["a", "new/c"]);
    bench.set(directory, "content", content);
    let findings = bench.run(Mode::Enforce);
    let causes: Vec<_> = findings.events.iter().map(|event| event.cause.unwrap()).collect();
    assert_eq!(causes, [Cause::Intentional; 3], "{:#?}", findings.events);
    std::fs::write(bench.dir().join("srv/a"), "by hand").unwrap();
    assert_eq!(bench.run(Mode::Enforce).counts.corrective, 1);
}

#[test]
fn keys_that_a_commit_took_away_are_no_drift() {
    let double = Double::new(|_| Some(said("")));
    let own = rustix::process::geteuid().as_raw();
    double.put("/etc/passwd", &format!("otto:x:{own}:0::/home/otto:/bin/sh\n"));
    double.put("/home/otto/.ssh/authorized_keys", "");
    let keys = double.root.path().join("home/otto/.ssh/authorized_keys");
    let mut bench = Bench::of(double);
    bench.add("user", "otto", &[("purge_ssh_keys", true.into())].into());
    let body =
        |n: u8| data_encoding::BASE64.encode(&[&b"\0\0\0\x0bssh-ed25519\0\0\0\x20"[..], &[n; 32]].concat());
    let key = [("user", "otto".into()), ("type", "ssh-ed25519".into()), ("key", body(1).into())];
    let key = bench.add("authorized_key", "otto@laptop", &key.into());
    bench.edge(0, key, EdgeKind::Order);
    let first = bench.run(Mode::Enforce);
    assert_eq!(first.counts.failed, 0, "{:#?}", first.events);
    bench.catalog.resources.pop();
    bench.catalog.edges.clear();
    let taken = bench.run(Mode::Enforce);
    assert_eq!(event(&taken, "user[otto]", Status::Changed).cause, Some(Cause::Intentional));
    std::fs::write(&keys, format!("ssh-ed25519 {} stray\n", body(2))).unwrap();
    let stray = bench.run(Mode::Enforce);
    assert_eq!(event(&stray, "user[otto]", Status::Changed).cause, Some(Cause::Corrective));

    // Nor is a stray key excused because a commit removes somebody else's key, or another one of the same user.
    for user in ["otto", "root"] {
        let other = [("user", user.into()), ("type", "ssh-ed25519".into()), ("key", body(3).into())];
        let other = bench.add("authorized_key", "other", &other.into());
        bench.edge(0, other, EdgeKind::Order);
        bench.run(Mode::Enforce);
        std::fs::write(&keys, format!("ssh-ed25519 {} stray\n", body(2))).unwrap();
        bench.catalog.resources.pop();
        bench.catalog.edges.clear();
        let stray = bench.run(Mode::Enforce);
        assert_eq!(event(&stray, "user[otto]", Status::Changed).cause, Some(Cause::Corrective), "{user}");
    }
}

#[test]
fn a_setting_that_a_commit_moves_elsewhere_is_no_drift() {
    let mut bench = Bench::directory();
    for path in ["a.ini", "b.ini"] {
        std::fs::write(bench.dir().join(path), "").unwrap();
    }
    let setting = [("path", "/a.ini".into()), ("key", "k".into()), ("value", "1".into())];
    let setting = bench.add("ini_setting", "m", &setting.into());
    let line = [("path", "/a.ini".into()), ("line", "x = 2".into())];
    let line = bench.add("file_line", "l", &line.into());
    let cause = |bench: &mut Bench| {
        bench.run(Mode::Enforce).events.iter().map(|event| told(event.cause)).collect::<String>()
    };
    assert_eq!(cause(&mut bench), "II");
    bench.set(setting, "path", "/b.ini");
    bench.set(line, "path", "/b.ini");
    assert_eq!(cause(&mut bench), "II", "nobody had touched either file");
    bench.set(setting, "section", "s");
    assert_eq!(cause(&mut bench), "I");
    std::fs::write(bench.dir().join("b.ini"), "[s]\n").unwrap();
    assert_eq!(cause(&mut bench), "CC");
}

#[test]
fn a_version_that_somebody_put_back_is_drift_and_a_newer_one_on_offer_is_not() {
    let offered = Arc::new(Mutex::new("3"));
    let offer = offered.clone();
    let double = Double::new(move |invocation| {
        let command = invocation.command.to_string();
        let policy = format!("own:\n  Installed: 1\n  Candidate: {}\n", offer.lock().unwrap());
        command.starts_with("apt-cache policy").then(|| said(&policy))
    });
    let root = double.root.path().to_owned();
    double.put("/var/lib/apt/lists/x", "");
    double.put("/var/lib/dpkg/status", "");
    let install = |version: &str| {
        let status =
            format!("Package: own\nStatus: install ok installed\nArchitecture: all\nVersion: {version}\n");
        std::fs::write(root.join("var/lib/dpkg/status"), status).unwrap();
    };
    let mut bench = Bench::double(double);
    bench.add("package", "own", &[("ensure", "latest".into())].into());
    install("3");
    bench.run(Mode::Enforce);
    for (version, newest, cause) in
        [("1", "3", Cause::Corrective), ("3", "4", Cause::Intentional), ("1", "4", Cause::Intentional)]
    {
        install(version);
        *offered.lock().unwrap() = newest;
        let audited = bench.run(Mode::Audit);
        let told = event(&audited, "package[own]", Status::WouldChange);
        assert_eq!(told.cause, Some(cause), "{version} is installed, and {newest} on offer");
    }
}

#[test]
fn what_this_run_itself_put_off_is_no_drift() {
    let mut bench = Bench::directory();
    std::fs::create_dir(bench.dir().join("real")).unwrap();
    std::fs::create_dir(bench.dir().join("other")).unwrap();
    let link = bench.add("file", "/dir", &[("target", "real".into())].into());
    let inside = bench.file("/dir/a", "x");
    bench.edge(link, inside, EdgeKind::Order);
    bench.run(Mode::Enforce);
    bench.set(link, "target", "other");
    let findings = bench.run(Mode::Enforce);
    let moved = event(&findings, "file[/dir/a]", Status::Changed);
    assert_eq!((findings.counts.changed, moved.cause), (2, Some(Cause::Intentional)));
    assert_eq!(moved.reason.as_deref(), Some("undone by file[/dir] in this run"));
}
