//! Commits of scratch repositories, made with the system's `git`.

use std::path::Path;
use std::process::Command;

use super::*;

/// A repository with a work tree, made with the system's `git`.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        let scratch = Self(tempfile::tempdir().unwrap());
        scratch.git(&["init", "--quiet", "--initial-branch=main"]);
        scratch
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example", "-c", "commit.gpgsign=false"];
        let output =
            Command::new("git").current_dir(self.path()).args(identity).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn head(&self) -> String {
        GitRepository::open(self.path(), "main").unwrap().head().unwrap().to_string()
    }

    pub(crate) fn commit(&self, path: &str, text: &str) {
        let file = self.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "--quiet", "-m", path]);
    }
}

#[test]
fn a_commit_is_read_and_the_work_tree_is_not() {
    let scratch = Scratch::new();
    scratch.commit("hieradata/common.toml", "committed");
    scratch.commit(".ci/run", "hidden");
    std::fs::write(scratch.path().join("hieradata/common.toml"), "edited").unwrap();
    let repository = GitRepository::open(scratch.path(), "main").unwrap();
    let snapshot = repository.snapshot().unwrap();
    assert_eq!(&**snapshot.get("hieradata/common.toml").unwrap().bytes(), b"committed");
    assert_eq!(snapshot.files().count(), 1);
    assert_eq!(*snapshot.commit(), repository.head().unwrap());
    assert_eq!(snapshot.commit().as_str().len(), 40);
}

#[test]
fn a_new_commit_shares_the_bytes_that_did_not_change() {
    let scratch = Scratch::new();
    scratch.commit("a", "same");
    scratch.commit("b", "1");
    let repository = GitRepository::open(scratch.path(), "main").unwrap();
    let first = repository.snapshot().unwrap();
    scratch.commit("b", "2");
    let second = repository.snapshot().unwrap();
    let bytes = |snapshot: &Snapshot, path: &str| snapshot.get(path).unwrap().bytes().clone();
    assert!(Arc::ptr_eq(&bytes(&first, "a"), &bytes(&second, "a")));
    assert_eq!((&*bytes(&first, "b"), &*bytes(&second, "b")), (&b"1"[..], &b"2"[..]));
}

#[test]
fn links_are_left_out_and_named() {
    let scratch = Scratch::new();
    std::os::unix::fs::symlink("/etc/shadow", scratch.path().join("link")).unwrap();
    scratch.commit("a", "1");
    let snapshot = GitRepository::open(scratch.path(), "main").unwrap().snapshot().unwrap();
    assert!(snapshot.get("link").is_none());
    assert_eq!(snapshot.ignored(), [Ignored { path: "link".into(), what: "a symbolic link" }]);
}

#[test]
fn an_unknown_revision_is_named() {
    let scratch = Scratch::new();
    scratch.commit("a", "1");
    let error = GitRepository::open(scratch.path(), "no-such").unwrap().snapshot().unwrap_err();
    assert!(
        matches!(&error, RepoError::UnknownRevision { revision, .. } if revision == "no-such"),
        "{error}"
    );
    assert!(!GitRepository::is_at(&scratch.path().join("a")));
}
