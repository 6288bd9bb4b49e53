//! The hook of a local git repository that makes a push take effect at once. Without it the server looks every two
//! seconds; with it whoever pushes also sees what is wrong with the commit.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Our line: a hook with it is ours.
const MARK: &str = "# written by holdfast server --install-hook";

/// Why the hook was not written.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Not a local repository.
    #[error("`{}` is no local git repository: a hook goes where the push goes", .0.display())]
    NoRepository(PathBuf),
    /// There is one of somebody else's.
    #[error("{} is there already: add this line to it\n{line}", path.display())]
    Present {
        /// The hook.
        path: PathBuf,
        /// What to add.
        line: String,
    },
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The hook.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Writes the hook, unless somebody else's is there; one of ours is written anew.
///
/// # Errors
/// Where it cannot, with what to do by hand.
pub fn install(repository: &Path, data_dir: &Path) -> Result<PathBuf, HookError> {
    let folder = [repository.join("hooks"), repository.join(".git/hooks")].into_iter().find(|f| f.is_dir());
    let path = folder.ok_or_else(|| HookError::NoRepository(repository.to_owned()))?.join("post-receive");
    let line = line(data_dir);
    if fs::read_to_string(&path).is_ok_and(|there| !there.contains(MARK)) {
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

/// The push has been taken by then: whatever the hook says, it stops nothing.
fn line(data_dir: &Path) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("holdfast"));
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    format!(
        "while read -r _ commit _; do {} poke --data-dir {} --commit \"$commit\" 2>&1; done",
        quoted(&program),
        quoted(data_dir)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_is_written_and_anothers_is_left() {
        let repository = tempfile::tempdir().unwrap();
        assert!(matches!(install(repository.path(), Path::new("/d")), Err(HookError::NoRepository(_))));
        fs::create_dir(repository.path().join("hooks")).unwrap();
        let hook = install(repository.path(), Path::new("/it's")).unwrap();
        let text = fs::read_to_string(&hook).unwrap();
        assert!(text.starts_with("#!/bin/sh\n") && text.contains(r"--data-dir '/it'\''s'"), "{text}");
        install(repository.path(), Path::new("/other")).unwrap();
        fs::write(&hook, "#!/bin/sh\nexit 0\n").unwrap();
        let Err(refused) = install(repository.path(), Path::new("/d")) else { panic!("it was overwritten") };
        assert!(refused.to_string().contains("poke --data-dir"), "{refused}");
    }
}
