//! The hook of a local git repository that makes a push take effect at once. Without it the server looks every two
//! seconds; with it, the person who pushes also sees what is wrong with the commit.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::regular;

/// The largest hook or settings file to read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The line by which we recognize our own hook.
const MARK: &str = "# written by holdfast server --install-hook";

/// Why the hook was not written.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// It is not a local repository.
    #[error("`{}` is not a local git repository: the hook belongs in the repository that is pushed to", .0.display())]
    NoRepository(PathBuf),
    /// git refuses pushes to the branch that is checked out there.
    #[error(
        "git refuses a push to the branch that `{}` has checked out: make a bare repository (`git init --bare -b {} DIR`), push to that, and set `repo` to it",
        .0.display(), .1
    )]
    CheckedOut(PathBuf, String),
    /// There is a hook that we did not write.
    #[error("{} already exists: add this line to it\n{line}", path.display())]
    Present { path: PathBuf, line: String },
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
}

/// Writes the hook, unless there is another one; our own is written again. `branch` is the one that the server follows:
/// pushes to other branches do not matter.
///
/// # Errors
/// Returns an error if it cannot be written, with what to do by hand.
pub fn install(repository: &Path, data_dir: &Path, branch: &str) -> Result<PathBuf, HookError> {
    if refuses_pushes(repository) {
        return Err(HookError::CheckedOut(repository.to_owned(), branch.to_owned()));
    }
    let folder = [repository.join("hooks"), repository.join(".git/hooks")].into_iter().find(|f| f.is_dir());
    let path = folder.ok_or_else(|| HookError::NoRepository(repository.to_owned()))?.join("post-receive");
    let line = line(data_dir, branch);
    let is_free = match regular::text(&path, MAX_BYTES) {
        Ok(there) => there.contains(MARK),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if !is_free {
        return Err(HookError::Present { path, line });
    }
    let write = || {
        let fresh = path.with_extension("new");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&fresh)?;
        file.write_all(format!("#!/bin/sh\n{MARK}\n{line}\n").as_bytes())?;
        fs::rename(&fresh, &path)
    };
    write().map_err(|source| HookError::Unwritable { path: path.clone(), source })?;
    Ok(path)
}

/// Who may push to the repository of a hook: git accepts a push from anyone who may write there.
pub fn who_pushes(hook: &Path) -> String {
    let repository = hook.ancestors().nth(2).unwrap_or(hook);
    let Ok(objects) = fs::metadata(repository.join("objects")) else {
        return format!("cannot tell who may push to {}", repository.display());
    };
    let owner = match objects.uid() {
        0 => "root".to_owned(),
        uid => format!("the user {uid}"),
    };
    let whose = repository.display();
    match (objects.mode() & 0o020 != 0, objects.mode() & 0o002 != 0) {
        (_, true) => format!("every user of this machine may push to {whose}, which is {owner}'s"),
        (false, _) => format!("{whose} is {owner}'s, and only they may push to it"),
        (true, _) => format!(
            "{owner} and the group {} may push to {whose}: the group's users only if git's `safe.directory` lists it",
            objects.gid()
        ),
    }
}

/// Whether a repository has files checked out, and no setting that allows a push to change the branch.
fn refuses_pushes(repository: &Path) -> bool {
    let settings = regular::text(&repository.join(".git/config"), MAX_BYTES);
    settings.is_ok_and(|settings| !settings.to_ascii_lowercase().contains("denycurrentbranch"))
}

/// The line of the hook. At that point git has accepted the push, so the hook cannot stop it. Its exit status is that
/// of `poke`.
fn line(data_dir: &Path, branch: &str) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("holdfast"));
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let path = |path: &Path| quoted(&path.display().to_string());
    let (head, tag) = (format!("refs/heads/{branch}"), format!("refs/tags/{branch}"));
    format!(
        "status=0; while read -r _ commit ref; do case \"$ref\" in {head}) \
         {program} poke --data-dir {data_dir} --commit \"$commit\" 2>&1 || status=$? ;; \
         {tag}) echo {note} ;; esac; done; exit $status",
        head = quoted(&head),
        tag = quoted(&tag),
        program = path(&program),
        data_dir = path(data_dir),
        note = quoted(&format!("holdfast follows the branch {branch}, and not a tag of that name")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_is_written_and_anothers_is_left() {
        let repository = tempfile::tempdir().unwrap();
        assert!(matches!(
            install(repository.path(), Path::new("/d"), "main"),
            Err(HookError::NoRepository(_))
        ));
        fs::create_dir(repository.path().join("hooks")).unwrap();
        let hook = install(repository.path(), Path::new("/it's"), "main").unwrap();
        let text = fs::read_to_string(&hook).unwrap();
        assert!(text.starts_with("#!/bin/sh\n") && text.contains(r"--data-dir '/it'\''s'"), "{text}");
        install(repository.path(), Path::new("/other"), "main").unwrap();
        fs::write(&hook, "#!/bin/sh\nexit 0\n").unwrap();
        let Err(refused) = install(repository.path(), Path::new("/d"), "main") else {
            panic!("it was overwritten")
        };
        assert!(refused.to_string().contains("poke --data-dir"), "{refused}");
    }

    #[test]
    fn who_may_push_is_who_may_write_there() {
        use std::os::unix::fs::PermissionsExt as _;
        let repository = tempfile::tempdir().unwrap();
        let objects = repository.path().join("objects");
        fs::create_dir(&objects).unwrap();
        let said = |mode: u32| {
            fs::set_permissions(&objects, fs::Permissions::from_mode(mode)).unwrap();
            who_pushes(&repository.path().join("hooks/post-receive"))
        };
        assert!(said(0o755).ends_with("and only they may push to it"), "{}", said(0o755));
        assert!(said(0o2775).contains("and the group ") && said(0o2775).contains("safe.directory"));
        assert!(said(0o2777).starts_with("every user of this machine may push"), "{}", said(0o2777));
        assert!(said(0o757).starts_with("every user of this machine may push"), "{}", said(0o757));
    }

    #[test]
    fn where_nobody_can_push_there_is_no_hook() {
        let repository = tempfile::tempdir().unwrap();
        fs::create_dir_all(repository.path().join(".git/hooks")).unwrap();
        let settings = repository.path().join(".git/config");
        fs::write(&settings, "[core]\n\tbare = false\n").unwrap();
        let install = || install(repository.path(), Path::new("/d"), "main");
        let refused = install().unwrap_err().to_string();
        assert!(refused.contains("git init --bare -b main"), "{refused}");
        fs::write(&settings, "[receive]\n\tdenyCurrentBranch = updateInstead\n").unwrap();
        assert!(install().is_ok());
    }

    #[test]
    fn the_hook_speaks_of_the_branch_that_is_followed_alone_and_ends_as_poke_does() {
        let directory = tempfile::tempdir().unwrap();
        let fake = directory.path().join("fake");
        fs::write(&fake, "#!/bin/sh\necho \"poked $5\"\nexit 2\n").unwrap();
        fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let program = std::env::current_exe().unwrap().display().to_string();
        let script = line(Path::new("/d"), "main").replace(&program, &fake.display().to_string());
        let run = |pushed: &str| {
            let command = format!("printf '%s\\n' {pushed} | {{ {script}; }}");
            let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
            (String::from_utf8(output.stdout).unwrap(), output.status.code())
        };
        assert_eq!(run("'0 a1 refs/heads/main'"), ("poked a1\n".to_owned(), Some(2)));
        assert_eq!(run("'0 a1 refs/heads/other'"), (String::new(), Some(0)));
        let (said, code) = run("'0 a1 refs/tags/main'");
        assert!(said.contains("not a tag of that name") && code == Some(0), "{said}");
    }
}
