//! Objects of git that cannot be read, as after a power cut.

use holdfast_catalog::report::{Cause, Mode, Status};

use super::{Bench, COMMIT, bench, changes, event, head, of, path, sh};

/// Empties the object that a name stands for.
fn empty(name: &str) -> String {
    format!(
        "id=$(git -C app rev-parse {name}); object=app/.git/objects/$(echo $id | sed 's,^..,&/,'); chmod u+w $object; : >$object\n"
    )
}

/// A second file, so the origin has one in a directory.
fn with_a_directory(bench: &Bench) {
    sh(bench, &format!("{COMMIT} mkdir d; echo g >d/g; git add d; git commit -qm d; git tag v3"));
}

fn is_whole(bench: &Bench) {
    assert_eq!(sh(bench, "cd app; git status --porcelain; cat file d/g; git fsck 2>&1"), "two\ng");
    assert_eq!(head(bench), of(bench, "v3"));
}

#[test]
fn a_checkout_whose_objects_are_damaged_is_repaired_and_loses_no_file() {
    for (damage, property) in [
        (empty("HEAD:file") + ": >app/.git/index", "force"),
        (empty("HEAD:d/g") + "rm app/.git/index; echo mine >app/file", "force"),
        (empty("HEAD:file") + "echo half >app/file", "force"),
        (empty("HEAD^{tree}") + "echo half >app/file", "force"),
        (empty("HEAD:d") + ": >app/.git/index", "force"),
        (empty("HEAD"), "force"),
        ("rm -r app/.git/objects".to_owned(), "force"),
        ("rm -r app/.git/refs".to_owned(), "force"),
        ("rm -r app/.git/objects app/.git/refs; : >app/.git/index".to_owned(), "force"),
    ] {
        for revision in ["main", "v3"] {
            let Some((mut bench, _)) = bench(revision, &[("force", true.into())]) else { return };
            with_a_directory(&bench);
            bench.run(Mode::Enforce);
            sh(&bench, &damage);
            changes(&mut bench, property, Cause::Corrective);
            is_whole(&bench);
        }
    }
}

#[test]
fn objects_that_cannot_be_fetched_again_cost_no_file_and_the_cure_is_named() {
    for damage in [
        empty("HEAD:file") + ": >app/.git/index",
        empty("HEAD:file") + "echo half >app/file",
        empty("HEAD^{tree}") + "echo half >app/file",
        empty("HEAD"),
    ] {
        let Some((mut bench, _)) = bench("v3", &[("force", true.into())]) else { return };
        with_a_directory(&bench);
        bench.run(Mode::Enforce);
        sh(&bench, &format!("{damage}\nmv origin away"));
        let before = sh(&bench, "cat app/file app/d/g");
        for _ in 0..2 {
            let mut events = bench.run(Mode::Enforce).events;
            events.retain(|event| event.status == Status::Failed);
            let said = events[0].reason.as_deref().unwrap_or_default();
            assert!(
                said.contains("move the directory away") && said.contains("is empty"),
                "{damage}: {said}"
            );
            assert_eq!(sh(&bench, "cat app/file app/d/g"), before, "{damage}");
        }
        sh(&bench, "mv away origin");
        assert_eq!(bench.run(Mode::Enforce).counts.failed, 0, "{damage}");
        is_whole(&bench);
    }
}

#[test]
fn damaged_objects_are_fetched_again_without_force_and_local_changes_stay() {
    for damage in [empty("HEAD^{tree}"), empty("HEAD"), ": >app/.git/refs/remotes/origin/main".to_owned()] {
        let Some((mut bench, _)) = bench("main", &[]) else { return };
        with_a_directory(&bench);
        bench.run(Mode::Enforce);
        sh(
            &bench,
            &format!(
                "{damage}\necho mine >app/d/g; {COMMIT} echo more >more; git add more; git commit -qm more"
            ),
        );
        let first = bench.run(Mode::Enforce);
        assert_eq!(first.counts.failed, 0, "{damage}: {:#?}", first.events);
        bench.run(Mode::Enforce);
        let said = event(&mut bench);
        assert_eq!((said.status, said.property.as_deref()), (Status::Info, Some("force")), "{said:?}");
        assert_eq!(head(&bench), of(&bench, "main"), "{damage}");
        assert_eq!(sh(&bench, "cat app/d/g app/more"), "mine\nmore", "{damage}");
    }
}

#[test]
fn a_commit_that_is_moved_to_is_read_before_a_file_is_removed() {
    let Some((mut bench, index)) = bench("v1", &[]) else { return };
    bench.run(Mode::Enforce);
    bench.set(index, "revision", "v2");
    bench.run(Mode::Enforce);
    sh(&bench, &empty("v1:file"));
    let commit = of(&bench, "v1");
    bench.set(index, "revision", commit.as_str());
    changes(&mut bench, "revision", Cause::Intentional);
    assert_eq!(bench.read("app/file").as_deref(), Some("one\n"));
    assert!(path(&bench, "app/.git").is_dir());
}

#[test]
fn what_is_fetched_again_belongs_to_the_user() {
    if !crate::skip::is_root() {
        return;
    }
    let Some((mut bench, index)) = bench("v3", &[("force", true.into())]) else { return };
    with_a_directory(&bench);
    sh(&bench, "chmod 0755 .; chown -R 1 origin");
    bench.set(index, "user", "1");
    bench.run(Mode::Enforce);
    for damage in ["rm -r app/.git/objects".to_owned(), empty("HEAD:file") + ": >app/.git/index"] {
        sh(&bench, &damage.replace("git -C", "git -c safe.directory='*' -C"));
        changes(&mut bench, "force", Cause::Corrective);
        assert_eq!(sh(&bench, "find app | xargs stat -c %u | sort -u"), "1", "{damage}");
        assert_eq!(sh(&bench, "cat app/file app/d/g"), "two\ng");
    }
}
