//! Tests with commits of scratch repositories, made with the system's `git`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::diagnostic::Code;
use crate::repo::RepoSource;

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

    /// The output of a git command for an input.
    fn answer(&self, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new("git");
        command.current_dir(self.path()).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
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
fn a_commit_is_what_its_id_says_whatever_replaces_it() {
    let scratch = Scratch::new();
    scratch.commit("a", "replaced");
    let other = scratch.answer(&["rev-parse", "HEAD"], "");
    scratch.commit("a", "right");
    let blob = |at: &str| scratch.answer(&["rev-parse", at], "");
    scratch.git(&["replace", &blob("HEAD"), &other]);
    scratch.git(&["replace", &blob("HEAD^{tree}"), &blob(&format!("{other}^{{tree}}"))]);
    let snapshot = GitRepository::follow(scratch.path(), "main").unwrap().snapshot().unwrap();
    assert_eq!(&**snapshot.get("a").unwrap().bytes(), b"right");
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

/// Trees that contain each other ten times are more paths than fit into memory.
#[test]
fn a45_a_few_trees_that_are_a_billion_paths_are_not_walked_to_their_end() {
    let scratch = Scratch::new();
    let tree = |entries: &str| format!("040000 tree {}", scratch.answer(&["mktree"], entries));
    let file = format!("100644 blob {}", scratch.answer(&["hash-object", "-w", "--stdin"], "y = 1\n"));
    let bomb = (0..9)
        .fold(file.clone(), |inner, _| tree(&(0..10).map(|n| format!("{inner}\t{n}\n")).collect::<String>()));
    // Each contains only the next: the paths get long, but there are few files.
    let deep = (0..2_000).fold(file.clone(), |inner, _| tree(&format!("{inner}\tlong-enough\n")));
    let snapshot = |customers: &str, modules: &str| {
        let hieradata = tree(&format!("{}\tcustomers\n", tree(customers)));
        let root = tree(&format!("{hieradata}\thieradata\n{}\tmodules\n", tree(modules)));
        let root = root.rsplit(' ').next().unwrap();
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example"];
        let commit = scratch.answer(&[&identity[..], &["commit-tree", root, "-m", "bomb"]].concat(), "");
        GitRepository::open(scratch.path(), &commit).unwrap().snapshot().unwrap()
    };
    let birch = format!("{file}\tbirch.toml\n");
    for (hostile, name) in [(&bomb, "acme"), (&deep, "acme"), (&bomb, ".acme")] {
        let snapshot = snapshot(&format!("{hostile}\t{name}\n{birch}"), &birch);
        assert_eq!(snapshot.files().count(), 2, "what others write is there");
        let left_out: Vec<&str> = snapshot.0.refused.parts.keys().map(|part| &**part).collect();
        let expected: &[&str] = if name == "acme" { &["hieradata/customers/acme"] } else { &[] };
        assert_eq!(left_out, expected, "what is hidden is not read at all");
    }
    let refused = snapshot(&birch, &format!("{bomb}\tacme\n"));
    let (_, reason) = refused.0.refused.commit.as_ref().expect("what operators write is the commit's fault");
    assert!(reason.contains("more files and folders than the limit"), "{reason}");
}

#[test]
fn links_are_left_out_and_named() {
    let scratch = Scratch::new();
    std::os::unix::fs::symlink("/etc/shadow", scratch.path().join("link")).unwrap();
    scratch.commit("a", "1");
    let snapshot = GitRepository::open(scratch.path(), "main").unwrap().snapshot().unwrap();
    assert!(snapshot.get("link").is_none());
    assert_eq!(snapshot.ignored(), [IgnoredEntry { path: "link".into(), what: "a symbolic link" }]);
}

#[test]
fn submodules_are_left_out_and_named() {
    let scratch = Scratch::new();
    scratch.commit("a", "1");
    let entry = format!("160000,{},modules/ssh", scratch.head());
    scratch.git(&["update-index", "--add", "--cacheinfo", &entry]);
    scratch.git(&["commit", "--quiet", "-m", "a submodule"]);
    let snapshot = GitRepository::open(scratch.path(), "main").unwrap().snapshot().unwrap();
    assert_eq!(snapshot.ignored(), [IgnoredEntry { path: "modules/ssh".into(), what: "a submodule" }]);
}

#[test]
fn what_a_module_gives_is_read_with_its_shape() {
    let scratch = Scratch::new();
    let tree = scratch.path().join("modules/a/files/t");
    std::fs::create_dir_all(tree.join("empty")).unwrap();
    std::fs::create_dir_all(tree.join("full")).unwrap();
    for name in [".htaccess", "run.sh", "empty/.gitkeep", "full/.gitkeep", "full/x", ".x.swp"] {
        std::fs::write(tree.join(name), name).unwrap();
    }
    std::fs::set_permissions(tree.join("run.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    std::os::unix::fs::symlink("../t/run.sh", tree.join("link")).unwrap();
    scratch.commit("a", "1");
    let snapshot = GitRepository::open(scratch.path(), "main").unwrap().snapshot().unwrap();
    let folder = "modules/a/files/t";
    let paths: Vec<_> = snapshot.under(folder).map(|(path, _)| &path[folder.len() + 1..]).collect();
    assert_eq!(paths, [".htaccess", "full/x", "run.sh"]);
    assert!(
        snapshot.is_program("modules/a/files/t/run.sh") && !snapshot.is_program("modules/a/files/t/full/x")
    );
    assert_eq!(snapshot.links_under(folder).collect::<Vec<_>>(), [("modules/a/files/t/link", "../t/run.sh")]);
    assert_eq!(snapshot.empty_under(folder).collect::<Vec<_>>(), ["modules/a/files/t/empty"]);
    assert!(snapshot.ignored().is_empty());
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

#[test]
fn a_repository_that_is_lost_is_said_to_be_that_and_not_to_lack_the_branch() {
    for (script, cause) in [
        ("mv c.git away", "DIR/c.git is not there; "),
        ("mv c.git away; mkdir c.git", "there is no git repository in this directory any more"),
        ("mv c.git away; mkdir -p c.git/inventory", "there is no git repository in this directory any more"),
        ("mv c.git/refs c.git/other", "DIR/c.git/refs: No such file"),
        (
            ": >c.git/refs/heads/main",
            "refs/heads/main is empty, as after a power cut; remove DIR/c.git/refs/heads/main, ",
        ),
        ("echo zork >c.git/refs/heads/main", "refs/heads/main is broken, and names no commit; remove DIR"),
        ("rm -r c.git/objects/??", "refs/heads/main names nothing that can be read: "),
        ("mv c.git/refs/heads/main c.git/refs/heads/other", "has no branch `main`"),
    ] {
        let (scratch, directory) = (Scratch::new(), tempfile::tempdir().unwrap());
        scratch.commit("a", "1");
        let (path, shown) = (directory.path().join("c.git"), directory.path().display().to_string());
        scratch.git(&["clone", "--quiet", "--bare", "--no-hardlinks", ".", path.to_str().unwrap()]);
        std::fs::remove_file(path.join("packed-refs")).unwrap_or_default();
        std::fs::write(path.join("refs/heads/main"), scratch.head()).unwrap();
        let repository = GitRepository::follow(&path, "main").unwrap();
        repository.snapshot().unwrap();
        let done = Command::new("sh").current_dir(directory.path()).args(["-ec", script]).status().unwrap();
        assert!(done.success(), "{script}");
        for error in [repository.head().unwrap_err(), repository.snapshot().unwrap_err()] {
            let error = error.to_string().replace(&shown, "DIR");
            assert!(error.contains(cause), "{script}: {error}");
        }
    }
}

/// The source that a directory becomes after these shell commands, with files in it that were never committed.
fn made_by(script: &str) -> Result<RepoSource, String> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("inventory")).unwrap();
    let made = Command::new("sh").current_dir(directory.path()).args(["-ec", script]).output().unwrap();
    assert!(made.status.success(), "{script}: {}", String::from_utf8_lossy(&made.stderr));
    let (path, shown) = (directory.path().to_str().unwrap(), directory.path().display().to_string());
    let opened = RepoSource::open(path, "main", &directory.path().join("mirror"));
    opened.map_err(|error| error.to_string().replace(&shown, "DIR"))
}

#[test]
fn a_git_repository_that_cannot_be_read_is_an_error_with_its_cause_and_never_a_plain_directory() {
    for (script, cause) in [
        (
            "git init -q --object-format=sha256",
            "named by SHA-256, and only SHA-1 can be read; convert it: `git",
        ),
        ("git init -q --bare --object-format=sha256", "named by SHA-256"),
        ("git init -q; echo '<<<<<<< HEAD' >> .git/config", "on line 6"),
        ("git init -q; git config core.repositoryFormatVersion 2", "only versions 0 and 1"),
        ("echo 'gitdir: /nowhere/at/all' > .git", "DIR/.git names /nowhere/at/all: No such file"),
        ("touch .git", "DIR/.git is a file that does not name a repository; "),
        ("mkdir .git", "DIR/.git/HEAD: No such file or directory (os error 2); `git -C DIR log` must work"),
        ("git init -q; rm -r .git/refs", "DIR/.git/refs: No such file"),
        ("git init -q --bare; rm -r objects", "DIR/objects: No such file"),
        ("ln -s /nowhere/at/all .git", "DIR/.git: No such file"),
        ("ln -s .git .git", "DIR/.git: Too many levels of symbolic links"),
        (
            "git init -q; git config core.repositoryFormatVersion 1; git config extensions.zork true",
            "it uses the extension `zork`, which is not known here",
        ),
        (
            "git init -q; git config core.repositoryFormatVersion 1; git config extensions.refStorage reftable",
            "in the format `reftable`, which cannot be read; name it by its URL: file://DIR",
        ),
    ] {
        let error = made_by(script).expect_err(script);
        assert!(error.starts_with("cannot read the git repository DIR: "), "{script}: {error}");
        assert!(error.contains(cause), "{script}: {error}");
    }
    let known = "git config core.repositoryFormatVersion 1; git config extensions.preciousObjects true; \
                 git config extensions.refStorage files";
    for whole in
        ["git init -q", &format!("git init -q; {known}"), "git init -q; git config extensions.zork 1"]
    {
        assert!(matches!(made_by(whole), Ok(RepoSource::Git(_))), "{whole}");
    }
    for plain in ["true", "touch HEAD", "mkdir git"] {
        assert!(matches!(made_by(plain), Ok(RepoSource::Directory(_))), "{plain}");
    }
}

fn id_of(scratch: &Scratch, revision: &str) -> String {
    GitRepository::open(scratch.path(), revision).unwrap().head().unwrap().to_string()
}

#[test]
fn a_branch_is_followed_and_a_tag_of_its_name_is_said_and_never_meant() {
    let scratch = Scratch::new();
    scratch.commit("a", "1");
    scratch.git(&["checkout", "--quiet", "-b", "evil"]);
    scratch.commit("a", "evil");
    scratch.git(&["tag", "main"]);
    scratch.git(&["checkout", "--quiet", "heads/main"]);
    let repository = GitRepository::follow(scratch.path(), "main").unwrap();
    let snapshot = repository.snapshot().unwrap();
    assert_eq!(&**snapshot.get("a").unwrap().bytes(), b"1");
    assert_eq!(snapshot.remarks()[0].code, Code::AmbiguousRevision);
    for name in ["evil~0", "refs/tags/main"] {
        let refused = GitRepository::follow(scratch.path(), name).unwrap().head().unwrap_err();
        assert!(matches!(refused, RepoError::UnknownBranch { .. }), "{refused}");
    }
    scratch.git(&["tag", "released", "evil"]);
    assert!(GitRepository::follow(scratch.path(), "released").unwrap().head().is_err());
    scratch.git(&["branch", "-m", "main", "other"]);
    assert!(repository.head().is_err(), "without the branch the tag is not taken in its place");
}

#[test]
fn a_revision_is_a_commit_then_a_branch_then_a_tag_and_what_is_ambiguous_is_said() {
    let scratch = Scratch::new();
    scratch.commit("a", "1");
    let first = scratch.head();
    scratch.commit("a", "2");
    let second = scratch.head();
    scratch.git(&["tag", "main", &first]);
    scratch.git(&["branch", &first[..7], &second]);
    assert_eq!(id_of(&scratch, "main"), second);
    assert_eq!(id_of(&scratch, "main~1"), first);
    assert_eq!(id_of(&scratch, &first[..7]), first);
    assert_eq!(id_of(&scratch, "refs/tags/main"), first);
    assert_eq!(id_of(&scratch, "HEAD"), second);
    let remarks = |revision: &str| {
        let snapshot = GitRepository::open(scratch.path(), revision).unwrap().snapshot().unwrap();
        snapshot.remarks().iter().map(|remark| remark.message.clone()).collect::<Vec<_>>().join("\n")
    };
    assert!(remarks("main").contains("is a branch, and also a tag"), "{}", remarks("main"));
    assert!(remarks(&first[..7]).contains("is a commit, and also a branch"));
    assert_eq!(remarks(&second), "");
}

#[test]
fn a_commit_with_an_impossible_date_still_says_who_wrote_it() {
    let scratch = Scratch::new();
    scratch.commit("a", "1");
    let tree = scratch.answer(&["rev-parse", "HEAD^{tree}"], "");
    let commit = format!(
        "tree {tree}\nauthor A <a@example> 999999999999 +0000\ncommitter A <a@example> 999999999999 +0000\n\nsubject\n"
    );
    let id = scratch.answer(&["hash-object", "-t", "commit", "-w", "--stdin", "--literally"], &commit);
    let snapshot = GitRepository::open(scratch.path(), &id).unwrap().snapshot().unwrap();
    let written = Authorship { author: "A <a@example>".to_owned(), subject: "subject".to_owned(), at: None };
    assert_eq!(snapshot.written(), Some(&written));
}

#[test]
fn a_branch_that_does_not_build_on_what_it_was_is_told() {
    let scratch = Scratch::new();
    scratch.commit("a", "1");
    let repository = GitRepository::follow(scratch.path(), "main").unwrap();
    let first = repository.snapshot().unwrap();
    scratch.commit("a", "2");
    let second = repository.snapshot().unwrap();
    let said = |last: &Snapshot, now: &Snapshot| {
        repository.history(last.commit(), now).map(|remark| remark.message).unwrap_or_default()
    };
    assert_eq!(said(&first, &second), "");
    assert!(said(&second, &first).contains("set back"));
    scratch.git(&["reset", "--quiet", "--hard", first.commit().as_str()]);
    scratch.commit("a", "3");
    assert!(said(&second, &repository.snapshot().unwrap()).contains("rewritten"));
    scratch.git(&["checkout", "--quiet", "--orphan", "new"]);
    scratch.commit("a", "4");
    scratch.git(&["branch", "-M", "new", "main"]);
    assert!(said(&second, &repository.snapshot().unwrap()).contains("no history in common"));
}
