//! Checkouts of a repository in the test's own directory, made with the machine's own git.

use std::path::PathBuf;

use holdfast_catalog::report::{Cause, Event, Mode, Status};
use holdfast_catalog::value::Value;

use crate::enforce::bench::Bench;

mod content;
mod names;
mod objects;

/// A repository `origin` with two commits on `main`, the first tagged `v1`, the second `v2`.
const ORIGIN: &str = "
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@x GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@x
git init -q -b main origin; cd origin
echo one >file; git add file; git commit -qm one; git tag v1
echo two >file; git commit -qam two; git tag -a -m two v2
";

const COMMIT: &str =
    "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@x GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@x; cd origin; ";

/// A bench with the repository, and a checkout of this revision; `None` if there is no git.
fn bench(revision: &str, more: &[(&str, Value)]) -> Option<(Bench, u32)> {
    if !crate::skip::has(&["git"]) {
        return None;
    }
    let mut bench = Bench::live();
    sh(&bench, ORIGIN);
    let remote = path(&bench, "origin").to_str()?.to_owned();
    let all = [("remote", Value::from(remote.as_str())), ("revision", revision.into())];
    let attributes: std::collections::BTreeMap<_, _> =
        all.into_iter().chain(more.iter().cloned()).map(|(k, v)| (k.into(), v)).collect();
    let title = path(&bench, "app").to_str()?.to_owned();
    let index = bench.add("git_checkout", &title, &attributes.into());
    Some((bench, index))
}

fn sh(bench: &Bench, script: &str) -> String {
    let done =
        std::process::Command::new("sh").args(["-ec", script]).current_dir(bench.dir()).output().unwrap();
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn path(bench: &Bench, name: &str) -> PathBuf {
    bench.dir().join(name)
}

fn event(bench: &mut Bench) -> Event {
    let mut events = bench.run(Mode::Enforce).events;
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

/// Runs once, which changes this property for this cause, and leaves nothing to do.
fn changes(bench: &mut Bench, property: &str, cause: Cause) {
    let event = event(bench);
    let seen = (event.property.as_deref(), event.status, event.cause);
    assert_eq!(seen, (Some(property), Status::Changed, Some(cause)), "{event:?}");
    assert_eq!(bench.run(Mode::Enforce).events, [], "the next run finds nothing to do");
}

fn head(bench: &Bench) -> String {
    sh(bench, "git -C app rev-parse HEAD")
}

fn of(bench: &Bench, revision: &str) -> String {
    sh(bench, &format!("git -C origin rev-parse {revision}^{{commit}}"))
}

#[test]
fn a_tag_is_checked_out_and_another_one_is_no_drift() {
    let Some((mut bench, index)) = bench("v1", &[]) else { return };
    changes(&mut bench, "ensure", Cause::Intentional);
    assert_eq!((bench.read("app/file").as_deref(), head(&bench)), (Some("one\n"), of(&bench, "v1")));
    bench.set(index, "revision", "v2");
    changes(&mut bench, "revision", Cause::Intentional);
    assert_eq!(bench.read("app/file").as_deref(), Some("two\n"));
    sh(&bench, "git -C app checkout -q v1");
    changes(&mut bench, "revision", Cause::Corrective);
    let commit = of(&bench, "v1");
    bench.set(index, "revision", commit.as_str());
    changes(&mut bench, "revision", Cause::Intentional);
    sh(&bench, "mv origin elsewhere");
    assert_eq!(bench.run(Mode::Enforce).events, [], "what cannot move is not asked for");
}

#[test]
fn a_branch_is_followed_as_it_moves_and_stays_while_the_remote_is_away() {
    let Some((mut bench, _)) = bench("main", &[]) else { return };
    changes(&mut bench, "ensure", Cause::Intentional);
    sh(&bench, &format!("{COMMIT} echo three >file; git commit -qam three"));
    let audited = bench.run(Mode::Audit).events;
    assert_eq!((audited.len(), audited[0].cause), (1, Some(Cause::Intentional)), "{audited:?}");
    changes(&mut bench, "revision", Cause::Intentional);
    assert_eq!(bench.read("app/file").as_deref(), Some("three\n"));
    sh(&bench, "mv origin elsewhere");
    let said = event(&mut bench);
    assert_eq!(said.status, Status::Info, "{said:?}");
    // What someone did in the meantime is drift, and needs no remote.
    sh(&bench, "git -C app checkout -q --detach HEAD~1");
    let drift = event(&mut bench);
    assert_eq!((drift.status, drift.cause), (Status::Changed, Some(Cause::Corrective)), "{drift:?}");
    assert_eq!(bench.read("app/file").as_deref(), Some("three\n"));
}

#[test]
fn what_git_refused_is_not_taken_for_a_half_of_ours() {
    let Some((mut bench, index)) = bench("v1", &[]) else { return };
    bench.run(Mode::Enforce);
    // Another git process is at work.
    sh(&bench, "touch app/.git/index.lock");
    bench.set(index, "revision", "v2");
    assert_eq!(event(&mut bench).status, Status::Failed);
    assert!(path(&bench, "app/.git/index.lock").exists());
    sh(&bench, "rm app/.git/index.lock; echo mine >app/file");
    bench.run(Mode::Enforce);
    assert_eq!(bench.read("app/file").as_deref(), Some("mine\n"));
}

#[test]
fn what_was_interrupted_is_finished() {
    let Some((mut bench, index)) = bench("v1", &[]) else { return };
    bench.run(Mode::Enforce);
    sh(&bench, "touch app/.git/holdfast-updating app/.git/index.lock; echo half >app/file");
    bench.set(index, "revision", "v2");
    bench.run(Mode::Enforce);
    assert_eq!(bench.read("app/file").as_deref(), Some("two\n"));
    assert_eq!(bench.run(Mode::Enforce).events, []);
}

#[test]
fn another_remote_is_taken_without_a_new_checkout() {
    let Some((mut bench, index)) = bench("v1", &[]) else { return };
    bench.run(Mode::Enforce);
    sh(&bench, "cp -r origin other");
    let other = path(&bench, "other").to_str().unwrap().to_owned();
    bench.set(index, "remote", other.as_str());
    changes(&mut bench, "remote", Cause::Intentional);
    assert_eq!(sh(&bench, "git -C app config remote.origin.url"), other);
}

/// Another repository with a `v1` of its own.
const OTHER: &str = "
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=b GIT_AUTHOR_EMAIL=b@x GIT_COMMITTER_NAME=b GIT_COMMITTER_EMAIL=b@x
git init -q -b main other; cd other
echo other >file; git add file; git commit -qm other; git tag v1
";

#[test]
fn names_of_another_remote_count_for_nothing() {
    for more in [&[][..], &[("depth", 1.into())][..]] {
        let Some((mut bench, index)) = bench("v1", more) else { return };
        changes(&mut bench, "ensure", Cause::Intentional);
        sh(&bench, OTHER);
        let other = path(&bench, "other").to_str().unwrap().to_owned();
        bench.set(index, "remote", other.as_str());
        let told = bench.run(Mode::Enforce).events;
        let told: Vec<_> = told.iter().map(|event| (event.property.as_deref(), event.status)).collect();
        assert_eq!(told, [(Some("remote"), Status::Changed), (Some("revision"), Status::Changed)]);
        assert_eq!(bench.read("app/file").as_deref(), Some("other\n"));
        assert_eq!(bench.run(Mode::Enforce).events, []);
    }
}

#[test]
fn a_remote_that_lacks_the_revision_or_is_away_is_not_taken() {
    let Some((mut bench, index)) = bench("v2", &[]) else { return };
    changes(&mut bench, "ensure", Cause::Intentional);
    sh(&bench, OTHER);
    let (other, away) = (path(&bench, "other"), path(&bench, "away"));
    let commit = of(&bench, "v2");
    for (remote, revision) in [(&other, "v2"), (&other, commit.as_str()), (&away, "main"), (&away, "v2")] {
        bench.set(index, "remote", remote.to_str().unwrap());
        bench.set(index, "revision", revision);
        for _ in 0..2 {
            let failed = bench.run(Mode::Enforce);
            assert_eq!(failed.counts.failed, 1, "{remote:?} {revision}: {:?}", failed.events);
        }
    }
}

#[test]
fn hooks_of_a_checkout_are_not_run() {
    let Some((mut bench, index)) = bench("v1", &[]) else { return };
    bench.run(Mode::Enforce);
    sh(
        &bench,
        "mkdir -p app/.git/hooks; printf '#!/bin/sh\\ntouch ../ran\\n' >app/.git/hooks/post-checkout; chmod +x app/.git/hooks/*",
    );
    bench.set(index, "revision", "v2");
    changes(&mut bench, "revision", Cause::Intentional);
    assert!(!path(&bench, "ran").exists());
}

#[test]
fn a_short_history_is_enough_for_any_revision() {
    for revision in ["main", "v1"] {
        let Some((mut bench, index)) = bench(revision, &[("depth", 1.into())]) else { return };
        let commit = of(&bench, "v1");
        bench.run(Mode::Enforce);
        assert_eq!(sh(&bench, "git -C app rev-list --count HEAD"), "1");
        bench.set(index, "revision", commit.as_str());
        bench.run(Mode::Enforce);
        assert_eq!(head(&bench), commit);
    }
}

#[test]
fn what_is_no_checkout_is_left_alone() {
    let Some((mut bench, index)) = bench("v1", &[]) else { return };
    sh(&bench, "mkdir app; echo mine >app/data");
    for ensure in ["present", "absent"] {
        bench.set(index, "ensure", ensure);
        let event = event(&mut bench);
        assert_eq!(event.status, Status::Failed, "{event:?}");
    }
    assert_eq!(bench.read("app/data").as_deref(), Some("mine\n"));
    sh(&bench, "rm app/data; chmod 0711 app");
    bench.set(index, "ensure", "present");
    assert_eq!(event(&mut bench).status, Status::Changed);
    assert_eq!(sh(&bench, "stat -c %a app"), "711", "an empty directory's mode stays");
    bench.set(index, "ensure", "absent");
    changes(&mut bench, "ensure", Cause::Intentional);
    assert!(!path(&bench, "app").exists());
}

#[test]
fn a_git_that_is_a_file_is_said_to_be_what_it_is() {
    for (script, words) in [
        (
            "mkdir app; echo gitdir: /nowhere/at/all >app/.git",
            "a directory whose .git names /nowhere/at/all, which is not there",
        ),
        ("mkdir app; : >app/.git", "a directory whose .git is a file that names no repository"),
        (
            "mkdir app; ln -s ../origin/.git app/.git",
            "a directory whose .git is neither a file nor a directory",
        ),
        ("git -C origin worktree add -q ../app v1", "a part of another checkout"),
    ] {
        let Some((mut bench, _)) = bench("v1", &[]) else { return };
        sh(&bench, script);
        let event = event(&mut bench);
        let said = event.reason.unwrap_or_default();
        assert!(event.status == Status::Failed && said.contains(words), "{script}: {said}");
    }
}

#[test]
fn a_revision_that_the_remote_lacks_is_said_and_leaves_nothing() {
    let Some((mut bench, _)) = bench("v9", &[]) else { return };
    let event = event(&mut bench);
    assert!(event.reason.as_deref().unwrap_or_default().contains("no branch or tag `v9`"), "{event:?}");
    assert_eq!(sh(&bench, "ls -A"), "origin");
}

#[test]
fn git_runs_as_the_user_and_only_in_what_is_the_users() {
    if !crate::skip::is_root() {
        return;
    }
    let Some((mut bench, index)) = bench("v1", &[]) else { return };
    sh(&bench, "chmod 0755 .; chown -R 1 origin");
    bench.set(index, "user", "1");
    changes(&mut bench, "ensure", Cause::Intentional);
    assert_eq!(sh(&bench, "stat -c %u app app/file app/.git/HEAD | sort -u"), "1");
    sh(&bench, "chown 2 app");
    let event = event(&mut bench);
    let reason = event.reason.clone().unwrap_or_default();
    assert!(event.status == Status::Failed && reason.contains("belongs to"), "{event:?}");
}

#[test]
fn a_branch_that_somebody_checked_out_is_left_again() {
    let Some((mut bench, _)) = bench("v2", &[]) else { return };
    bench.run(Mode::Enforce);
    sh(&bench, "git -C app checkout -q -b mine");
    changes(&mut bench, "revision", Cause::Corrective);
    assert_eq!(sh(&bench, "git -C app symbolic-ref -q HEAD || echo none"), "none");
}

#[test]
fn a_repository_of_sha256_is_checked_out_and_followed() {
    let Some((mut bench, index)) = bench("main", &[]) else { return };
    if std::process::Command::new("git")
        .args(["init", "-q", "--object-format=sha256"])
        .arg(path(&bench, "try"))
        .status()
        .is_ok_and(|status| !status.success())
    {
        crate::skip::leave_out("this git makes no repositories of sha256");
        return;
    }
    sh(
        &bench,
        &format!("rm -rf origin try; {}", ORIGIN.replace("init -q", "init -q --object-format=sha256")),
    );
    changes(&mut bench, "ensure", Cause::Intentional);
    assert_eq!((head(&bench).len(), bench.read("app/file").as_deref()), (64, Some("two\n")));
    sh(&bench, &format!("{COMMIT} echo three >file; git commit -qam three"));
    changes(&mut bench, "revision", Cause::Intentional);
    let commit = of(&bench, "v1");
    bench.set(index, "revision", commit.as_str());
    changes(&mut bench, "revision", Cause::Intentional);
    assert_eq!(bench.read("app/file").as_deref(), Some("one\n"));
}

#[test]
fn what_a_power_cut_leaves_of_gits_own_files_is_repaired_by_force_and_named_without() {
    for (damage, words) in [
        (": >app/.git/index", ".git/index is empty"),
        (": >app/.git/HEAD", ".git/HEAD names nothing"),
        ("rm app/.git/HEAD", ".git/HEAD names nothing"),
        ("rm -r app/.git/objects", ".git/objects is not there"),
        ("rm -r app/.git/refs", ".git/refs is not there"),
        ("touch -d 2000-01-01 app/.git/index.lock", ".git/index.lock is older than the last boot"),
        (
            ": >app/.git/index; : >app/.git/HEAD; touch -d 2000-01-01 app/.git/HEAD.lock",
            ".git/index is empty, .git/HEAD.lock is older",
        ),
    ] {
        let Some((mut bench, index)) = bench("v2", &[]) else { return };
        changes(&mut bench, "ensure", Cause::Intentional);
        sh(&bench, damage);
        let event = event(&mut bench);
        let said = event.reason.unwrap();
        assert!(event.status == Status::Failed && said.contains(words), "{damage}: {said}");
        assert!(said.contains("set force = true"), "{said}");
        bench.set(index, "force", true);
        sh(&bench, "echo half >app/file");
        changes(&mut bench, "force", Cause::Intentional);
        assert_eq!(
            (bench.read("app/file").as_deref(), head(&bench)),
            (Some("two\n"), of(&bench, "v2")),
            "{damage}"
        );
        // After an interrupted update by the agent itself, it is repaired without force.
        bench.set(index, "force", false);
        sh(&bench, &format!("touch app/.git/holdfast-updating; {damage}"));
        let told = bench.run(Mode::Enforce);
        assert_eq!((told.counts.failed, told.counts.changed), (0, 1), "{damage}: {:?}", told.events);
        assert_eq!(bench.run(Mode::Enforce).events, [], "{damage}");
    }
}
