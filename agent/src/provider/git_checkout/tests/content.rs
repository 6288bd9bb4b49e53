//! The files of a checkout: changed by others, managed by others, and those that git itself cannot have as they are.

use holdfast_catalog::report::{Cause, Mode, Status};
use holdfast_catalog::value::Value;

use super::{Bench, COMMIT, bench, changes, event, head, of, path, sh};

#[test]
fn local_changes_are_said_or_thrown_away_and_unknown_files_are_left() {
    let Some((mut bench, index)) = bench("v1", &[]) else { return };
    bench.run(Mode::Enforce);
    sh(&bench, "echo mine >app/file; echo mine >app/unknown");
    let said = event(&mut bench);
    assert_eq!((said.status, said.property.as_deref()), (Status::Info, Some("force")), "{said:?}");
    // They stop a change that would overwrite them, in every run.
    bench.set(index, "revision", "v2");
    for _ in 0..2 {
        let events = bench.run(Mode::Enforce).events;
        assert!(events.iter().any(|event| event.status == Status::Failed), "{events:?}");
        assert_eq!(bench.read("app/file").as_deref(), Some("mine\n"));
    }
    bench.set(index, "force", true);
    bench.run(Mode::Enforce);
    assert_eq!(bench.read("app/file").as_deref(), Some("two\n"));
    sh(&bench, "echo mine >app/file");
    changes(&mut bench, "force", Cause::Corrective);
    assert_eq!(bench.read("app/unknown").as_deref(), Some("mine\n"));
}

#[test]
fn what_another_resource_manages_in_a_checkout_is_no_local_change() {
    for force in [false, true] {
        let Some((mut bench, _)) = bench("v1", &[("force", force.into())]) else { return };
        let file = path(&bench, "app/file").to_str().unwrap().to_owned();
        let file = bench.file(&file, "managed\n");
        bench.edge(0, file, holdfast_catalog::graph::EdgeKind::Order);
        let first = bench.run(Mode::Enforce);
        assert_eq!((first.counts.changed, first.counts.failed), (2, 0), "{:#?}", first.events);
        assert_eq!(bench.run(Mode::Enforce).events, [], "nobody undoes another");
        assert_eq!(bench.read("app/file").as_deref(), Some("managed\n"));
    }
}

#[test]
fn what_is_hidden_from_git_is_a_local_change() {
    let Some((mut bench, _)) = bench("v1", &[("force", true.into())]) else { return };
    bench.run(Mode::Enforce);
    for hide in [
        "update-index --assume-unchanged file",
        "update-index --skip-worktree file",
        "config core.fileMode false; chmod 755 app/file",
    ] {
        sh(&bench, &format!("git -C app {hide}; echo evil >app/file"));
        changes(&mut bench, "force", Cause::Corrective);
        assert_eq!(bench.read("app/file").as_deref(), Some("one\n"), "{hide}");
    }
    sh(&bench, "chmod 755 app/file");
    changes(&mut bench, "force", Cause::Corrective);
    assert_eq!(sh(&bench, "stat -c %a app/file"), "644");
    for hide in [
        // Another tree in place of the commit's.
        "echo evil >app/file; git -C app add file; \
         git -C app replace HEAD $(git -C app -c user.name=e -c user.email=e@x commit-tree $(git -C app write-tree) -m e)",
        // Left out by the settings of the checkout, whether or not it is there.
        "mkdir -p app/.git/info; printf '/*\\n!/file\\n' >app/.git/info/sparse-checkout; \
         git -C app config core.sparseCheckout true; git -C app update-index --skip-worktree file; echo evil >app/file",
        "git -C app update-index --skip-worktree file; rm app/file",
        // Another directory in place of this one.
        "mkdir pristine; cp app/file pristine; git -C app config core.worktree \"$PWD/pristine\"; echo evil >app/file",
    ] {
        sh(&bench, hide);
        changes(&mut bench, "force", Cause::Corrective);
        assert_eq!(bench.read("app/file").as_deref(), Some("one\n"), "{hide}");
    }
    assert_eq!(bench.read("pristine/file").as_deref(), Some("one\n"));
}

#[test]
fn changed_files_of_submodules_are_named_and_thrown_away() {
    let Some((mut bench, index)) = bench("v1", &[("submodules", true.into())]) else { return };
    // The repository decides the path, which may be anything.
    let allow = "export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=protocol.file.allow GIT_CONFIG_VALUE_0=always";
    sh(
        &bench,
        &format!("{COMMIT} git init -q -b main ../lib; cd ../lib; echo s >s; git add s; git commit -qm s"),
    );
    sh(
        &bench,
        &format!(
            "{COMMIT} {allow}; git submodule --quiet add --name lib ../lib 'l|;e&b'; git commit -qm lib; git tag v3"
        ),
    );
    bench.run(Mode::Enforce);
    // The checkout of a local submodule is made by the test: git refuses to clone submodules from a path.
    sh(
        &bench,
        &format!(
            "{allow}; git -C app fetch -q --tags origin; git -C app checkout -q v3; git -C app submodule --quiet update --init"
        ),
    );
    bench.set(index, "revision", of(&bench, "v3").as_str());
    bench.run(Mode::Enforce);
    sh(&bench, "echo precious >'app/l|;e&b/s'; echo mine >app/file");
    let said = event(&mut bench);
    assert!(said.reason.as_deref().is_some_and(|words| words.contains("l|;e&b/s")), "{said:?}");
    bench.set(index, "force", true);
    let events = bench.run(Mode::Enforce).events;
    assert!(events.iter().any(|event| event.status == Status::Changed), "{events:?}");
    assert_eq!(bench.read("app/l|;e&b/s").as_deref(), Some("s\n"));
    sh(&bench, "echo dirty >'app/l|;e&b/s'");
    changes(&mut bench, "force", Cause::Corrective);
}

#[test]
fn a_tidy_in_a_checkout_takes_nothing_that_git_knows() {
    let Some((mut bench, _)) = bench("v1", &[("submodules", true.into())]) else { return };
    sh(
        &bench,
        &format!(
            "{COMMIT} mkdir -p logs/deep logs/odd; echo a >logs/kept.log; echo a >'logs/deep/ä b.log'; echo a >logs/odd/$(printf 'caf\\351').log; git add .; git commit -qm logs; git tag v3"
        ),
    );
    bench.set(0, "revision", "v3");
    assert_eq!(bench.run(Mode::Enforce).counts.failed, 0);
    sh(
        &bench,
        "echo mine >app/logs/mine.log; echo mine >app/logs/deep/mine.log; touch -d '40 days ago' app/logs/*.log app/logs/*/*.log",
    );
    sh(&bench, "find app/.git -type f -exec touch -d '40 days ago' {} +; ln -s app/logs way");
    for (at, goes) in [("app", 0), ("app/.git", 0), ("way", 2)] {
        let all = [("age", Value::from("30d")), ("recurse", true.into()), ("remove_dirs", true.into())];
        let title = path(&bench, at).to_str().unwrap().to_owned();
        bench.add("tidy", &title, &all.into());
        let findings = bench.run(Mode::Enforce);
        assert_eq!(
            (findings.counts.failed, findings.counts.changed),
            (0, u32::from(goes > 0)),
            "{at}: {findings:?}"
        );
        let gone = findings.events.iter().filter(|event| event.status == Status::Changed).count();
        assert_eq!(gone, goes, "{at}: {findings:?}");
    }
    assert_eq!(
        sh(&bench, "git -C app status --porcelain; ls app/logs app/logs/deep"),
        "app/logs:\ndeep\nkept.log\nodd\n\napp/logs/deep:\nä b.log"
    );
}

/// Adds a file with these line ends to the repository, with these attributes.
fn with_ends(bench: &Bench, attributes: &str, text: &str) {
    let script = format!(
        "{COMMIT} printf '{text}' >w.txt; git add w.txt; printf '%s\\n' '{attributes}' >.gitattributes; \
         git add .gitattributes; git commit -qm ends"
    );
    sh(bench, &script);
}

#[test]
fn line_ends_that_gitattributes_rules_out_are_nobodys_change() {
    for (attributes, text) in [
        ("*.txt text", "a\\r\\nb\\r\\n"),
        ("*.txt text eol=lf", "a\\r\\nb\\r\\n"),
        ("*.txt text eol=crlf", "a\\r\\nb\\n"),
    ] {
        for force in [false, true] {
            let Some((mut bench, _)) = bench("main", &[("force", force.into())]) else { return };
            with_ends(&bench, attributes, text);
            let made = bench.run(Mode::Enforce);
            assert_eq!((made.counts.changed, made.counts.failed), (1, 0), "{attributes}: {:#?}", made.events);
            sh(&bench, "touch app/w.txt");
            let said = event(&mut bench);
            assert_eq!(said.status, Status::Info, "{attributes} {force}: {said:?}");
            let reason = said.reason.unwrap();
            assert!(reason.contains("w.txt") && reason.contains("--renormalize"), "{reason}");
            // A later commit arrives, in which the file is the same, different or gone.
            for then in ["echo y >file", "echo more >>w.txt; git add w.txt", "git rm -q -f w.txt"] {
                sh(&bench, &format!("{COMMIT} {then}; git add file; git commit -qm then"));
                sh(&bench, "touch app/w.txt");
                let moved = bench.run(Mode::Enforce);
                assert_eq!(
                    (moved.counts.changed, moved.counts.failed),
                    (1, 0),
                    "{then}: {:#?}",
                    moved.events
                );
                assert_eq!(head(&bench), of(&bench, "main"));
                assert_eq!(path(&bench, "app/w.txt").exists(), !then.contains("rm"), "{attributes} {then}");
            }
        }
    }
}

#[test]
fn a_change_of_a_file_with_such_line_ends_is_still_one() {
    let Some((mut bench, _)) = bench("main", &[]) else { return };
    with_ends(&bench, "*.txt text", "a\\r\\n");
    bench.run(Mode::Enforce);
    sh(&bench, "printf 'mine\\r\\n' >app/w.txt");
    let said = event(&mut bench);
    assert!(said.reason.unwrap().contains("force = true would discard that"));
    sh(&bench, &format!("{COMMIT} echo new >w.txt; git commit -qam new"));
    bench.run(Mode::Enforce);
    assert_eq!(bench.read("app/w.txt").as_deref(), Some("mine\r\n"));
}

#[test]
fn a_pointer_of_lfs_is_said_to_be_one() {
    let Some((mut bench, _)) = bench("main", &[]) else { return };
    const POINTER: &str = "version https://git-lfs.github.com/spec/v1\\noid sha256:00\\nsize 1\\n";
    sh(
        &bench,
        &format!(
            "{COMMIT} echo '*.bin filter=lfs diff=lfs merge=lfs -text' >.gitattributes; printf '{POINTER}' >a.bin; \
             echo content >b.bin; git add .; git commit -qm lfs"
        ),
    );
    bench.run(Mode::Enforce);
    let said = event(&mut bench);
    assert_eq!(said.status, Status::Info, "{said:?}");
    assert!(said.reason.unwrap().starts_with("a.bin contains a Git LFS pointer"));
}
