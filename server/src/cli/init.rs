//! `holdfast init`: a small control repository to start from, which `holdfast check` finds nothing wrong with.

use std::io;
use std::path::{Path, PathBuf};

use super::Ended;

/// Makes a control repository to start from.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where: a directory that is empty or not there yet.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

macro_rules! files {
    ($($path:literal),+ $(,)?) => { &[$(($path, include_str!(concat!("init/", $path)))),+] };
}

/// The repository's files. The folder `init` beside this file holds them as they are written.
const FILES: &[(&str, &str)] = files![
    "README.md",
    "holdfast.toml",
    "facts/default.json",
    "inventory/hosting/example.toml",
    "hieradata/common.toml",
    "hieradata/customers/example.toml",
    "modules/role/manifests/web.toml",
    "modules/profile/manifests/base.toml",
    "modules/profile/manifests/web.toml",
    "modules/motd/manifests/init.toml",
    "modules/motd/templates/motd.hbs",
    "modules/nginx/manifests/init.toml",
    "modules/nginx/manifests/site.toml",
    "modules/nginx/templates/site.conf.hbs",
];

/// Runs the command.
pub(super) fn run(args: &Args) -> Ended {
    match write(&args.directory) {
        Ok(()) => {
            let directory = args.directory.display();
            say!("made {directory}: look at {directory}/README.md, then run `holdfast check {directory}`");
            Ended::Well
        }
        Err(error) => {
            say!("error: cannot make {}: {error}", args.directory.display());
            Ended::Badly
        }
    }
}

fn write(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let foreign =
        std::fs::read_dir(directory)?.filter_map(Result::ok).any(|entry| entry.file_name() != ".git");
    if foreign {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is not empty; name a new directory"));
    }
    for (path, text) in FILES {
        let path = directory.join(path);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::compile::Program;
    use crate::repo::Directory;

    #[test]
    fn what_is_made_has_nothing_wrong_and_is_never_written_over() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("control");
        write(&directory).unwrap();
        let program = Program::new(&Directory::new(&directory).snapshot().unwrap(), None);
        assert_eq!(check(&program).all(), []);
        assert_eq!(program.inventory().nodes().count(), 1);
        assert_eq!(write(&directory).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
