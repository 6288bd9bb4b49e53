//! Real disks that are full, and mounts that are read-only, at each place that a run writes to; and damage on them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

#[test]
fn f20_a_damaged_identity_keeps_no_machine_from_being_kept_as_it_was_to_be() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    scene.run();
    let file = scene.place.state_dir.join("identity/identity.json");
    std::fs::write(&file, b"{\"certname\":").unwrap();
    std::fs::write(scene.root.path().join("greeting"), "by hand").unwrap();
    let asked = scene.server.asked(path::CATALOG).len();
    let done = scene.run();
    assert_eq!(scene.greeting(), "hello\n");
    let said = done.report.error.unwrap();
    assert!(said.contains("identity.json is damaged") && said.contains("`holdfast-agent enroll`"), "{said}");
    assert_eq!((done.report.source, done.report.counts.changed), (Source::Cache, 1));
    assert_eq!((done.certname.as_str(), done.delivery.lost), ("web1.acme.example", None));
    assert_eq!(certname(&scene.state()).unwrap().as_str(), "web1.acme.example", "the daemon begins");
    assert_eq!(scene.server.asked(path::CATALOG).len(), asked, "nobody is asked");

    // A new enrolment fixes it. What waited belongs to the earlier node, and is delivered to nobody.
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    let done = scene.run();
    assert_eq!((done.report.error, scene.reports().len()), (None, 2));
    assert_eq!(done.aside.of_earlier_nodes, 1);
}

/// A small file system of its own on a directory, for as long as this lives.
struct Disk(PathBuf);

impl Disk {
    /// Mounts it; `None` if this test may not mount anything.
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let is_mounted =
            is_done("mount", &["-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", at.to_str().unwrap()]);
        if !is_mounted {
            crate::skip::leave_out("it may mount nothing");
        }
        is_mounted.then_some(Self(at))
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(is_done("mount", &["-o", &options, self.0.to_str().unwrap()]));
    }

    fn fill(&self) {
        let ballast = self.0.join("ballast");
        assert!(std::fs::write(&ballast, vec![0; 1024 * 1024]).is_err(), "it is larger than it should be");
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        is_done("umount", &["--lazy", self.0.to_str().unwrap()]);
    }
}

fn is_done(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output().unwrap();
    output.status.success()
}

/// How a fault of a disk is caused, how it is ended, and its words.
type Fault = (fn(&Disk), fn(&Disk), &'static str);

const FAULTS: [Fault; 2] = [
    (Disk::fill, Disk::free, "No space left"),
    (|disk| disk.remount("ro"), |disk| disk.remount("rw"), "Read-only file system"),
];

/// Runs while the disk of a directory has a fault and a new catalog is available, and once more without the fault.
fn tried(below: &str, (begin, end, words): Fault) -> Option<(Scene, Done)> {
    let scene = scene();
    drop(scene.state());
    let at = scene.root.path().join(below);
    if below == "srv" {
        std::fs::create_dir(&at).unwrap();
    }
    // The state is the same at each place; its content is on the disk from the start.
    let disk = Disk::mount(at)?;
    scene.enroll();
    let catalog = |id: u8, content: &str| {
        let mut catalog = catalog(id, content);
        catalog.resources[0].reference =
            holdfast_catalog::resource::ResourceRef::new("file", "/srv/greeting");
        catalog
    };
    std::fs::create_dir_all(scene.root.path().join("srv")).unwrap();
    scene.serves(catalog(1, "hello\n"));
    assert_eq!(scene.run().report.counts.changed, 1, "{below}");

    scene.serves(catalog(2, "changed\n"));
    begin(&disk);
    let done = scene.run();
    let told = scene.reports();
    assert_eq!(told.last().map(|report| report.run), Some(done.report.run), "{below}: the server has it");
    end(&disk);

    let next = scene.run().report;
    assert_eq!(next.counts.failed, 0, "{below}, {words}: {:#?}", next.events);
    let last = scene.run().report;
    assert_eq!((last.counts.unchanged, &last.error), (1, &None), "{below}, {words}");
    let greeting = std::fs::read_to_string(scene.root.path().join("srv/greeting")).unwrap();
    assert_eq!(greeting, "changed\n", "{below}, {words}");
    assert_eq!(scene.reports().len(), 4, "{below}, {words}: each report is there once");
    drop(disk);
    Some((scene, done))
}

#[test]
fn f13_f16_a_managed_file_whose_disk_is_full_or_read_only_fails_with_that_and_comes_about_later() {
    for fault in FAULTS {
        let Some((_scene, done)) = tried("srv", fault) else { return };
        let [event] = &done.report.events[..] else { panic!("{:#?}", done.report.events) };
        let reason = event.reason.as_deref().unwrap();
        assert!(reason.contains("/srv/greeting") && reason.contains(fault.2), "{reason}");
        assert_eq!((done.report.counts.failed, done.report.error), (1, None));
    }
}

#[test]
fn f14_f16_a_state_whose_disk_is_full_or_read_only_keeps_no_file_from_being_corrected_and_is_named() {
    for place in ["", "spool", "cache"] {
        let below = format!("var/lib/holdfast/agent/{place}");
        for fault in FAULTS {
            let Some((_scene, done)) = tried(&below, fault) else { return };
            assert_eq!((done.report.counts.failed, done.report.counts.changed), (0, 1), "{below}");
            let told = [done.report.error, done.delivery.lost].into_iter().flatten().collect::<Vec<_>>();
            let named = told.iter().any(|text| text.contains(fault.2) && text.contains("/agent"));
            assert!(named || place == "spool", "{below}: {told:?}");
        }
    }
}

/// A machine after its first run, with its state on a disk of its own; `None` if no disk can be mounted.
fn on_a_disk() -> Option<(Scene, Disk)> {
    let scene = scene();
    drop(scene.state());
    let disk = Disk::mount(scene.place.state_dir.clone())?;
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    scene.run();
    Some((scene, disk))
}

#[test]
fn f14_f16_what_a_run_leaves_is_known_to_the_next_ones_while_the_disk_takes_nothing_and_after() {
    for (begin, end, words) in FAULTS {
        let Some((scene, disk)) = on_a_disk() else { return };
        begin(&disk);
        scene.serves(catalog(2, "changed\n"));
        let said = scene.run().report.error.unwrap();
        assert!(said.contains("is recorded only in /") && said.contains(words), "{said}");
        let drift = |expected: Option<&str>| {
            std::fs::write(scene.root.path().join("greeting"), "by hand").unwrap();
            let report = scene.run().report;
            assert_eq!(report.counts.corrective, 1, "{words}: {:#?}", report.events);
            assert_eq!(report.error.is_some(), expected.is_some(), "{words}: {:?}", report.error);
        };
        drift(Some(words));
        end(&disk);
        drift(None);
        let lent = said.split("is recorded only in ").nth(1).unwrap().split(',').next().unwrap();
        assert!(!PathBuf::from(lent).exists(), "{lent} is taken back");
    }
}

#[test]
fn f14_f16_what_was_backed_up_and_what_was_unpacked_meanwhile_comes_back_with_the_rest() {
    for (begin, end, words) in FAULTS {
        let Some((scene, disk)) = on_a_disk() else { return };
        // Records as archives leave them.
        let memory = StateDir::open(&scene.place.state_dir.join("memory")).unwrap();
        let records = memory.below("archives").unwrap();
        for name in ["changed.json", "removed.json", "same.json"] {
            records.replace(name, b"v1").unwrap();
        }
        begin(&disk);
        let mut next = catalog(2, "changed\n");
        next.resources[0].attributes.insert("backup".into(), true.into());
        scene.serves(next);
        let said = scene.run().report.error.unwrap();
        let lent = said.split("is recorded only in ").nth(1).unwrap().split(',').next().unwrap();
        let lent = StateDir::open(Path::new(lent)).unwrap();
        let meanwhile = lent.below("archives").unwrap();
        assert_eq!(meanwhile.names().unwrap(), records.names().unwrap(), "{words}: they are known there");
        meanwhile.replace("changed.json", b"v2").unwrap();
        meanwhile.remove("removed.json").unwrap();
        // More than fits on the disk: then nothing is lost, and what is known there stays in force.
        let backups = lent.below("backups").unwrap();
        backups.replace("large", &[0; 1024 * 1024]).unwrap();
        end(&disk);
        let said = scene.run().report.error.unwrap();
        assert!(said.contains("is recorded only in ") && said.contains("No space left"), "{said}");
        assert_eq!(backups.names().unwrap().len(), 1, "{words}: what had room is moved");
        std::fs::write(scene.root.path().join("greeting"), "by hand").unwrap();
        assert_eq!(scene.run().report.counts.corrective, 1, "{words}");

        backups.remove("large").unwrap();
        std::fs::write(scene.root.path().join("greeting"), "by hand").unwrap();
        let report = scene.run().report;
        assert_eq!((report.counts.corrective, &report.error), (1, &None), "{words}: {:#?}", report.events);
        assert!(!lent.path().exists(), "{words}");
        assert_eq!(records.names().unwrap(), ["changed.json", "same.json"], "{words}");
        assert_eq!(records.read("changed.json", 9).unwrap().unwrap(), b"v2", "{words}");
        let kept = memory.below("backups").unwrap();
        let stood = ContentHash::of(b"hello\n");
        assert_eq!(kept.read(stood.as_str(), 9).unwrap().unwrap(), b"hello\n", "{words}");
    }
}

#[test]
fn f16_where_nothing_can_be_written_a_run_still_has_its_lock() {
    let parent = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(parent.path().join("agent")) else { return };
    let state = StateDir::open(&disk.0).unwrap();
    disk.remount("ro");
    let lock = state.lock().unwrap();
    let refused = state.lock().unwrap_err().to_string();
    assert!(refused.contains(&format!("in progress: process {}", std::process::id())), "{refused}");
    drop(lock);
    assert!(state.lock().is_ok());
}

#[test]
fn a_state_directory_without_room_is_told_as_one_that_cannot_be_written() {
    let parent = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(parent.path().join("agent")) else { return };
    let state = StateDir::open(&disk.0).unwrap();
    assert_eq!(state.unwritable(), None);
    disk.fill();
    let told = state.unwritable().unwrap();
    assert!(told.contains("/agent cannot be written: no storage space"), "{told}");
    disk.free();
    assert_eq!(state.unwritable(), None);
}
