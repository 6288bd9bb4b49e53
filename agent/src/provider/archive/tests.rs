//! Archives on the machine that runs the tests, in directories of their own.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::report::{Event, Mode, Status};
use holdfast_catalog::value::Value;

use crate::enforce::bench::Bench;

mod zip;
mod names;

/// A bench in whose directory a script was run.
fn bench(script: &str) -> Bench {
    let bench = Bench::live();
    sh(&bench, script);
    bench
}

fn sh(bench: &Bench, script: &str) {
    let done = std::process::Command::new("sh").args(["-ec", script]).current_dir(bench.dir()).status();
    assert!(done.unwrap().success(), "{script}");
}

fn path(bench: &Bench, name: &str) -> PathBuf {
    bench.dir().join(name)
}

/// Adds an archive `app` from the file `file`, with more attributes.
fn add(bench: &mut Bench, file: &str, more: &[(&str, Value)]) -> u32 {
    let source = path(bench, file);
    let hash = ContentHash::of(&std::fs::read(&source).unwrap());
    let source = source.to_str().unwrap();
    let all = [("source", Value::from(source)), ("sha256", hash.as_str().into())];
    let attributes: Vec<_> =
        all.into_iter().chain(more.iter().cloned()).map(|(k, v)| (k.into(), v)).collect();
    let title = path(bench, "app").to_str().unwrap().to_owned();
    bench.add("archive", &title, &attributes.into_iter().collect::<std::collections::BTreeMap<_, _>>().into())
}

/// Runs once; returns the only event.
fn event(bench: &mut Bench) -> Event {
    let mut events = bench.run(Mode::Enforce).events;
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn fails(bench: &mut Bench, words: &str) {
    let event = event(bench);
    let reason = event.reason.clone().unwrap_or_default();
    assert!(event.status == Status::Failed && reason.contains(words), "{event:?}");
    let left: Vec<_> = std::fs::read_dir(bench.dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".holdfast")), "{left:?}");
}

fn succeeds(bench: &mut Bench) {
    let event = event(bench);
    assert_eq!(event.status, Status::Changed, "{event:?}");
    assert!(bench.run(Mode::Enforce).events.is_empty(), "the next run finds nothing to do");
}

const APP: &str = "mkdir -p app-1/bin; echo one >app-1/bin/app; chmod 0755 app-1/bin/app; echo x >README";

#[test]
fn each_kind_of_archive_is_unpacked() {
    let kinds: [(&str, &str, &[&str]); 6] = [
        ("a.tar", "tar -cf a.tar app-1 README", &[]),
        ("a.tar.gz", "tar -czf a.tar.gz ./app-1 ./README", &[]),
        ("a.tar.xz", "tar -cJf a.tar.xz app-1 README", &["xz"]),
        ("a.tar.bz2", "tar -cjf a.tar.bz2 app-1 README", &["bzip2"]),
        ("a.tar.zst", "tar --zstd -cf a.tar.zst app-1 README", &["zstd"]),
        ("a.zip", "python3 -m zipfile -c a.zip app-1 README", &["unzip", "python3"]),
    ];
    for (file, pack, needs) in kinds {
        if !crate::skip::has(needs) {
            continue;
        }
        let mut bench = bench(&format!("{APP}; {pack}"));
        add(&mut bench, file, &[("strip", 1.into()), ("creates", "bin/app".into())]);
        succeeds(&mut bench);
        assert_eq!(bench.read("app/bin/app").as_deref(), Some("one\n"), "{file}");
        assert!(!path(&bench, "app/README").exists(), "{file}: what is beside is dropped");
    }
}

#[test]
fn a_new_hash_replaces_the_directory_whole() {
    let mut bench = bench(&format!("{APP}; tar -czf a.tgz app-1"));
    let index = add(&mut bench, "a.tgz", &[("strip", 1.into())]);
    succeeds(&mut bench);
    sh(&bench, "chmod 0777 app; echo stray >app/stray; echo two >app-1/new; tar -czf b.tgz app-1");
    let hash = ContentHash::of(&std::fs::read(path(&bench, "b.tgz")).unwrap());
    bench.set(index, "source", path(&bench, "b.tgz").to_str().unwrap());
    bench.set(index, "sha256", hash.as_str());
    let event = event(&mut bench);
    assert_eq!((event.property.as_deref(), event.status), (Some("sha256"), Status::Changed));
    assert_eq!(event.cause, Some(holdfast_catalog::report::Cause::Intentional));
    assert_eq!(bench.read("app/new").as_deref(), Some("two\n"));
    assert!(!path(&bench, "app/stray").exists());
    assert_eq!(std::fs::metadata(path(&bench, "app")).unwrap().permissions().mode() & 0o7777, 0o755);
}

#[test]
fn another_strip_unpacks_again_and_is_no_drift() {
    let mut bench = bench(&format!("{APP}; tar -czf a.tgz app-1"));
    let index = add(&mut bench, "a.tgz", &[]);
    succeeds(&mut bench);
    bench.set(index, "strip", 1);
    let event = event(&mut bench);
    assert_eq!(event.cause, Some(holdfast_catalog::report::Cause::Intentional), "{event:?}");
    assert!(path(&bench, "app/bin/app").exists());
}

#[test]
fn another_content_than_the_hash_says_changes_nothing() {
    let mut bench = bench(&format!("{APP}; tar -czf a.tgz app-1"));
    let index = add(&mut bench, "a.tgz", &[]);
    bench.set(index, "sha256", "0".repeat(64).as_str());
    fails(&mut bench, "does not match");
    assert!(!path(&bench, "app").exists());
}

#[test]
fn what_leads_out_or_is_special_is_refused_whole() {
    for (pack, words) in [
        ("mkdir d; echo x >d/f; ln d/f evil; tar -cPf a.tar d/../evil", ".."),
        ("echo x >evil; tar -cPf a.tar \"$PWD/evil\"; rm evil", "absolute names"),
        ("mkfifo d; tar -cf a.tar d", "special file"),
        ("mkdir -p one two; tar -cf a.tar one two", "2 directories"),
    ] {
        let mut bench = bench(pack);
        let strip = i64::from(words.contains("directories"));
        add(&mut bench, "a.tar", &[("strip", strip.into())]);
        fails(&mut bench, words);
        assert!(!path(&bench, "app").exists(), "{pack}");
    }
}

#[test]
fn a_member_behind_a_link_stays_inside() {
    let pack = "mkdir outside in; ln -s ../outside in/link; tar -cf a.tar -C in link; rm in/link; \
        mkdir in/link; echo x >in/link/evil; tar -rf a.tar -C in link/evil";
    let mut bench = bench(pack);
    add(&mut bench, "a.tar", &[]);
    bench.run(Mode::Enforce);
    assert_eq!(std::fs::read_dir(path(&bench, "outside")).unwrap().count(), 0);
}

#[test]
fn set_id_bits_and_write_for_others_are_left_out() {
    let mut bench = bench("mkdir d; echo x >d/tool; chmod 6777 d/tool; chmod 1777 d; tar -cpf a.tar d");
    add(&mut bench, "a.tar", &[("strip", 1.into())]);
    succeeds(&mut bench);
    let mode = |name: &str| std::fs::metadata(path(&bench, name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("app/tool"), mode("app")), (0o755, 0o755));
}

#[test]
fn what_an_archive_did_not_make_stays_unless_it_is_forced() {
    let mut bench = bench(&format!("{APP}; tar -czf a.tgz app-1; mkdir app; echo mine >app/data"));
    let index = add(&mut bench, "a.tgz", &[]);
    fails(&mut bench, "force = true");
    bench.set(index, "ensure", "absent");
    fails(&mut bench, "force = true");
    assert_eq!(bench.read("app/data").as_deref(), Some("mine\n"));
    bench.set(index, "ensure", "present");
    bench.set(index, "force", true);
    let audited = bench.run(Mode::Audit).events;
    let told = "with everything in it, and nothing says that this archive made it: data";
    assert_eq!(audited[0].reason.as_deref(), Some(told), "{audited:?}");
    succeeds(&mut bench);
    assert!(!path(&bench, "app/data").exists());
    bench.set(index, "force", false);
    bench.set(index, "ensure", "absent");
    succeeds(&mut bench);
    assert!(!path(&bench, "app").exists());
}

#[test]
fn what_another_resource_has_in_a_foreign_directory_is_not_replaced_by_force() {
    let mut bench = bench(&format!("{APP}; tar -czf a.tgz app-1; mkdir app; echo mine >app/data"));
    add(&mut bench, "a.tgz", &[("force", true.into())]);
    let data = path(&bench, "app/data");
    bench.add("file", data.to_str().unwrap(), &[("mode", "0600".into())].into());
    let events = bench.run(Mode::Enforce).events;
    assert!(events.len() == 2 && events.iter().all(|event| event.status == Status::Failed), "{events:?}");
    let told: Vec<_> = events.iter().filter_map(|event| event.reason.as_deref()).collect();
    assert!(told.iter().any(|told| told.contains("and everything in it, but `file[")), "{told:?}");
    assert_eq!(bench.read("app/data").as_deref(), Some("mine\n"));
}

#[test]
fn what_is_said_of_all_below_a_directory_of_it_is_left_to_who_says_it() {
    let pack = format!("{APP}; mkdir app-1/data; echo d >app-1/data/d; tar -czf a.tgz app-1");
    let mut bench = bench(&pack);
    add(&mut bench, "a.tgz", &[("strip", 1.into())]);
    let data = path(&bench, "app/data").to_str().unwrap().to_owned();
    let sides = [("ensure", "directory".into()), ("recurse", true.into()), ("mode", "0640".into())];
    bench.add("file", &data, &sides.into());
    let first = bench.run(Mode::Enforce);
    assert_eq!((first.counts.failed, first.counts.changed), (0, 2), "{:?}", first.events);
    let mode = |name: &str| std::fs::metadata(path(&bench, name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("app/data"), mode("app/data/d"), mode("app/bin/app")), (0o750, 0o640, 0o755));
    assert_eq!(bench.run(Mode::Enforce).events, [], "neither undoes the other");
    sh(&bench, "echo other >app/data/d");
    let again = bench.run(Mode::Enforce);
    assert_eq!(
        (again.counts.failed, bench.read("app/data/d").as_deref()),
        (0, Some("d\n")),
        "{:?}",
        again.events
    );
    assert_eq!(bench.run(Mode::Enforce).events, []);
}

#[test]
fn a_tidy_in_it_takes_what_was_added_and_nothing_that_was_unpacked() {
    let old = "touch -d '2001-01-01' app-1/cache/own app-1/cache";
    let mut bench =
        bench(&format!("{APP}; mkdir app-1/cache; echo o >app-1/cache/own; {old}; tar -czf a.tgz app-1"));
    add(&mut bench, "a.tgz", &[("strip", 1.into())]);
    succeeds(&mut bench);
    sh(&bench, "echo added >app/cache/added; touch -d '2001-01-01' app/cache/added app/cache/own app/cache");
    let cache = path(&bench, "app/cache").to_str().unwrap().to_owned();
    let all = [("age", "1d".into()), ("recurse", true.into()), ("remove_dirs", true.into())];
    bench.add("tidy", &cache, &all.into());
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.failed, findings.counts.changed), (0, 1), "{:?}", findings.events);
    assert_eq!(bench.read("app/cache/own").as_deref(), Some("o\n"));
    assert!(!path(&bench, "app/cache/added").exists());
    assert_eq!(bench.run(Mode::Enforce).events, []);
}

#[test]
fn what_creates_names_must_be_in_the_archive() {
    let mut bench = bench(&format!("{APP}; tar -czf a.tgz app-1"));
    add(&mut bench, "a.tgz", &[("creates", "bin/other".into())]);
    fails(&mut bench, "does not contain `bin/other`");
}

#[test]
fn a_single_file_is_put_there_with_its_mode() {
    let mut bench = bench("echo tool >tool");
    add(&mut bench, "tool", &[("mode", "0755".into())]);
    succeeds(&mut bench);
    assert_eq!(bench.read("app").as_deref(), Some("tool\n"));
    sh(&bench, "echo other >app");
    let event = event(&mut bench);
    assert_eq!((event.property.as_deref(), event.status), (Some("sha256"), Status::Changed));
    assert_eq!(std::fs::metadata(path(&bench, "app")).unwrap().permissions().mode() & 0o7777, 0o755);
}

#[test]
fn a_source_that_may_still_come_is_waited_for() {
    let mut bench = bench("echo tool >tool");
    add(&mut bench, "tool", &[]);
    sh(&bench, "rm tool");
    fails(&mut bench, "is not there");
}

#[test]
fn an_owner_or_a_group_alone_is_given_all() {
    if !crate::skip::is_root() {
        return;
    }
    for (property, ids) in [("owner", "1 0"), ("group", "0 1")] {
        let mut bench = bench(&format!("{APP}; tar -czf a.tgz app-1"));
        add(&mut bench, "a.tgz", &[("strip", 1.into()), (property, "1".into())]);
        succeeds(&mut bench);
        sh(&bench, &format!("test \"$(stat -c '%u %g' app app/bin/app | sort -u)\" = '{ids}'"));
    }
}

/// What is reported as changed, each with its note.
fn said(bench: &mut Bench) -> Vec<(String, String)> {
    let events = bench.run(Mode::Enforce).events;
    assert!(events.iter().all(|event| event.status == Status::Changed), "{events:?}");
    let words = |event: Event| (event.property.unwrap_or_default(), event.reason.unwrap_or_default());
    let said = events.into_iter().map(words).collect();
    assert_eq!(bench.run(Mode::Enforce).events, [], "the next run finds nothing to do");
    said
}

#[test]
fn what_was_changed_in_place_is_corrected_and_what_was_added_stays() {
    let mut bench =
        bench(&format!("{APP}; ln -s app app-1/bin/link; echo c >app-1/conf; tar -czf a.tgz app-1"));
    add(&mut bench, "a.tgz", &[("strip", 1.into())]);
    succeeds(&mut bench);
    sh(
        &bench,
        "mkdir app/data; echo mine >app/data/mine; touch -r app/conf stamp; echo d >app/conf; touch -r stamp app/conf",
    );
    sh(&bench, "rm app/bin/app; ln -sfn /etc/passwd app/bin/link");
    let said = said(&mut bench);
    assert_eq!(said.len(), 1, "{said:?}");
    for words in ["bin/app is not there", "bin/link differs", "conf differs"] {
        assert!(said[0].0 == "sha256" && said[0].1.contains(words), "{said:?}");
    }
    let read = |name: &str| std::fs::read_to_string(path(&bench, name)).unwrap();
    assert_eq!(
        (&*read("app/conf"), &*read("app/bin/app"), &*read("app/data/mine")),
        ("c\n", "one\n", "mine\n")
    );
    assert_eq!(std::fs::read_link(path(&bench, "app/bin/link")).unwrap(), PathBuf::from("app"));
    assert_eq!(std::fs::metadata(path(&bench, "app/bin/app")).unwrap().permissions().mode() & 0o7777, 0o755);
}

#[test]
fn modes_and_owners_that_nobody_declares_are_those_of_the_archive_and_of_root() {
    if !crate::skip::is_root() {
        return;
    }
    let mut bench = bench(&format!("{APP}; tar -czf a.tgz app-1"));
    add(&mut bench, "a.tgz", &[("strip", 1.into())]);
    succeeds(&mut bench);
    sh(&bench, "chmod 4777 app/bin/app; chmod 777 app; chown 1 app/bin; chgrp 2 app");
    let names: Vec<_> = said(&mut bench).into_iter().map(|(property, _)| property).collect();
    assert_eq!(names, ["mode", "owner", "group"]);
    sh(&bench, "test \"$(stat -c '%a %u %g' app app/bin app/bin/app | sort -u)\" = '755 0 0'");
}

#[test]
fn files_that_others_can_write_are_read_at_each_run_whatever_their_times_say() {
    if !crate::skip::is_root() {
        return;
    }
    for (owner, is_seen) in [("0", false), ("1", true)] {
        let mut bench = bench(&format!("{APP}; tar -czf a.tgz app-1"));
        add(&mut bench, "a.tgz", &[("strip", 1.into()), ("owner", owner.into())]);
        succeeds(&mut bench);
        sh(&bench, "printf 'evi\\n' >app/bin/app");
        // A write through a memory mapping changes the bytes and leaves this time as it was.
        let stat = std::fs::metadata(path(&bench, "app/bin/app")).unwrap();
        let record =
            std::fs::read_dir(bench.state().join("archives")).unwrap().next().unwrap().unwrap().path();
        let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
        let touched = &mut json["members"]["bin/app"]["what"]["file"]["touched"];
        assert!(touched.is_array(), "{touched}");
        *touched = serde_json::json!([stat.ctime(), stat.ctime_nsec()]);
        std::fs::write(&record, json.to_string()).unwrap();
        let said = said(&mut bench);
        assert_eq!(!said.is_empty(), is_seen, "{owner}: {said:?}");
        assert_eq!(bench.read("app/bin/app").as_deref() == Some("one\n"), is_seen, "{owner}");
    }
}

#[test]
fn names_that_are_ignored_are_the_programs_own() {
    let mut bench = bench(&format!("{APP}; echo c >app-1/conf; tar -czf a.tgz app-1"));
    add(&mut bench, "a.tgz", &[("strip", 1.into()), ("ignore", vec![Value::from("con*")].into())]);
    succeeds(&mut bench);
    sh(&bench, "echo other >app/conf; chmod 600 app/conf");
    assert_eq!(bench.run(Mode::Enforce).events, []);
}

#[test]
fn what_others_manage_in_it_is_left_to_them_as_finely_as_they_manage_it() {
    if !crate::skip::is_root() {
        return;
    }
    let pack =
        "mkdir app-1/dir; echo c >app-1/conf; echo d >app-1/lines; echo g >app-1/gone; tar -czf a.tgz app-1";
    let mut bench = bench(&format!("{APP}; {pack}"));
    add(&mut bench, "a.tgz", &[("strip", 1.into()), ("owner", "1".into())]);
    type Managed<'a> = (&'a str, &'a str, Vec<(&'a str, Value)>);
    let managed: [Managed<'_>; 6] = [
        ("file", "conf", vec![("content", "managed\n".into())]),
        ("file", "gone", vec![("ensure", "absent".into())]),
        ("file", "dir", vec![("ensure", "directory".into()), ("mode", "0700".into())]),
        ("file", "bin/app", vec![("mode", "0750".into())]),
        ("file", "extra", vec![("content", "own".into()), ("owner", "0".into())]),
        ("file_line", "lines", vec![("line", "more".into())]),
    ];
    for (type_name, name, attributes) in managed {
        let path = path(&bench, "app").join(name).to_str().unwrap().to_owned();
        let index = bench.add(type_name, &path, &Value::from([]));
        if type_name == "file_line" {
            bench.set(index, "path", path.as_str());
        }
        attributes.into_iter().for_each(|(name, value)| bench.set(index, name, value));
        bench.edge(0, index, holdfast_catalog::graph::EdgeKind::Order);
    }
    let first = bench.run(Mode::Enforce);
    assert_eq!(first.counts.failed, 0, "{:#?}", first.events);
    assert_eq!(bench.run(Mode::Enforce).events, [], "nobody undoes another");
    sh(
        &bench,
        "test \"$(stat -c '%a %u' app/extra app/dir app/bin/app | tr '\n' ' ')\" = '644 0 700 1 750 1 '",
    );
    // Everything else is the archive's: of one file another resource manages only the mode, of another everything.
    sh(&bench, "echo evil >app/bin/app; chown 2 app/conf app/bin; echo x >app/lines");
    let told = bench.run(Mode::Enforce);
    let told: Vec<_> =
        told.events.iter().map(|event| (&*event.resource.type_name, event.property.as_deref())).collect();
    assert_eq!(told.iter().filter(|(of, _)| *of == "archive").count(), 2, "{told:?}");
    assert_eq!(told.len(), 3, "and the line: {told:?}");
    assert_eq!(bench.read("app/bin/app").as_deref(), Some("one\n"));
    assert_eq!(bench.read("app/lines").as_deref(), Some("x\nmore\n"));
    sh(&bench, "test \"$(stat -c '%a %u' app/bin/app app/conf | tr '\n' ' ')\" = '750 1 644 1 '");
    assert_eq!(bench.run(Mode::Enforce).events, []);
}

#[test]
fn who_owns_the_directory_cannot_keep_a_new_version_off() {
    if !crate::skip::is_root() {
        return;
    }
    let mut bench = bench(&format!("{APP}; tar -czf a.tgz app-1"));
    let index = add(&mut bench, "a.tgz", &[("strip", 1.into()), ("owner", "1".into())]);
    succeeds(&mut bench);
    sh(&bench, "echo two >app-1/bin/app; tar -czf b.tgz app-1");
    let hash = ContentHash::of(&std::fs::read(path(&bench, "b.tgz")).unwrap());
    let forge = format!(
        "printf 'sha256 {hash}\\nstrip 1\\n' >app/.holdfast-archive; echo evil >app/bin/app; chown -R 1 app"
    );
    bench.set(index, "source", path(&bench, "b.tgz").to_str().unwrap());
    bench.set(index, "sha256", hash.as_str());
    sh(&bench, &forge);
    succeeds(&mut bench);
    assert_eq!(bench.read("app/bin/app").as_deref(), Some("two\n"));
    // Nor if the agent has lost its own record.
    sh(&bench, &forge);
    std::fs::remove_dir_all(bench.state().join("archives")).unwrap();
    succeeds(&mut bench);
    assert_eq!(bench.read("app/bin/app").as_deref(), Some("two\n"));
}

#[test]
fn where_the_record_is_lost_what_is_there_is_compared_with_the_archive_again() {
    let spoils: [fn(&std::path::Path); 3] = [
        |dir| std::fs::remove_dir_all(dir).unwrap(),
        |dir| {
            let record = std::fs::read_dir(dir).unwrap().next().unwrap().unwrap().path();
            std::fs::write(record, "{}").unwrap();
        },
        |dir| {
            std::fs::remove_dir_all(dir).unwrap();
            std::fs::write(dir, "").unwrap();
        },
    ];
    for spoil in spoils {
        let mut bench = bench(&format!("{APP}; tar -czf a.tgz app-1"));
        add(&mut bench, "a.tgz", &[("strip", 1.into())]);
        succeeds(&mut bench);
        spoil(&bench.state().join("archives"));
        sh(&bench, "echo evil >app/bin/app; echo mine >app/mine");
        let told = event(&mut bench);
        assert_eq!((told.status, told.is.as_deref()), (Status::Changed, Some("unknown")));
        assert!(
            told.reason.is_some_and(|why| why.contains("record of what was unpacked is missing or damaged"))
        );
        assert_eq!(
            (bench.read("app/bin/app").as_deref(), bench.read("app/mine").as_deref()),
            (Some("one\n"), Some("mine\n"))
        );
        assert!(bench.run(Mode::Enforce).events.is_empty(), "the record is there again");
    }
}

#[test]
fn where_the_record_is_lost_with_the_source_or_the_marker_that_is_said() {
    let mut bench = bench(&format!("{APP}; tar -czf a.tgz app-1"));
    add(&mut bench, "a.tgz", &[("strip", 1.into())]);
    succeeds(&mut bench);
    sh(&bench, "mv a.tgz away");
    assert_eq!(bench.run(Mode::Enforce).events, [], "it is not needed");
    std::fs::remove_dir_all(bench.state().join("archives")).unwrap();
    fails(
        &mut bench,
        "a.tgz is not there; it is needed since the agent's record of what was unpacked is missing",
    );
    sh(&bench, "rm app/.holdfast-archive");
    fails(&mut bench, "is a directory, and nothing says that it was made by this archive; ");
    sh(&bench, "rm -r app");
    let told = event(&mut bench).reason.unwrap();
    assert!(told.ends_with("a.tgz is not there"), "{told}");
}

#[test]
fn a_single_file_gets_the_mode_and_owner_back_that_it_was_made_with() {
    if !crate::skip::is_root() {
        return;
    }
    let mut bench = bench("echo tool >tool");
    add(&mut bench, "tool", &[]);
    succeeds(&mut bench);
    sh(&bench, "chmod 777 app; chown 1 app; echo evil >app");
    bench.run(Mode::Enforce);
    sh(&bench, "test \"$(cat app) $(stat -c '%a %u' app)\" = 'tool 644 0'");
    assert_eq!(bench.run(Mode::Enforce).events, []);
}
