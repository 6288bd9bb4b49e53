//! `holdfast init`: makes a small control repository to start from, with the standard modules. `holdfast check` finds
//! nothing wrong with it.

use std::io;
use std::path::{Path, PathBuf};

use crate::docs::module::{FILE as README, readmes};
use crate::modules::{self, Modules};
use crate::repo::Directory;

use super::CommandOutcome;

/// Makes a control repository to start from.
#[derive(Debug, clap::Args)]
pub(super) struct InitArguments {
    /// The directory to create it in: it must be empty, or not exist yet.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

macro_rules! files {
    ($($path:literal),+ $(,)?) => { &[$(($path, include_str!(concat!("init/", $path)))),+] };
}

/// The files of the repository, as they are in the folder `init` beside this file.
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
];

/// The standard modules as they are in this program's own tree: `build.rs` lists them.
const STANDARD: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/standard_modules.rs"));

/// Runs the command.
pub(super) fn run(args: &InitArguments) -> CommandOutcome {
    match write(&args.directory) {
        Ok(()) => {
            let directory = args.directory.display();
            say!("created {directory}: read {directory}/README.md, then run `holdfast check {directory}`");
            CommandOutcome::Well
        }
        Err(error) => {
            say!("error: cannot create {}: {error}", args.directory.display());
            CommandOutcome::Badly
        }
    }
}

fn write(directory: &Path) -> io::Result<()> {
    if directory.exists() && !directory.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            "something is there that is not a directory",
        ));
    }
    std::fs::create_dir_all(directory)?;
    let foreign =
        std::fs::read_dir(directory)?.filter_map(Result::ok).any(|entry| entry.file_name() != ".git");
    if foreign {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is not empty; name a new directory"));
    }
    let own = FILES.iter().map(|(path, text)| (*path, text.as_bytes()));
    for (path, text) in own.chain(STANDARD.iter().copied()) {
        let path = directory.join(path);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, text)?;
    }
    let modules = Modules::read(&Directory::new(directory).snapshot().map_err(io::Error::other)?, None);
    for (module, text) in readmes(&modules) {
        std::fs::write(directory.join(modules::FOLDER).join(&*module).join(README), text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::compile::Program;
    use crate::docs::module::readmes;

    #[test]
    fn what_is_made_has_nothing_wrong_and_is_never_written_over() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("control");
        write(&directory).unwrap();
        let program = Program::new(&Directory::new(&directory).snapshot().unwrap(), None);
        assert_eq!(check(&program).all(), []);
        assert_eq!(program.inventory().nodes().count(), 1);
        for (module, text) in readmes(program.modules()) {
            let readme = std::fs::read_to_string(directory.join("modules").join(&*module).join(README));
            assert_eq!(readme.unwrap(), text, "`docs --check` has something to say of {module}");
        }
        let mut paths: Vec<_> =
            FILES.iter().map(|(path, _)| path).chain(STANDARD.iter().map(|(path, _)| path)).collect();
        paths.sort();
        assert!(
            paths.windows(2).all(|pair| pair[0] != pair[1]),
            "one file is written over another: {paths:?}"
        );
        assert_eq!(write(&directory).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(write(&directory.join("README.md")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn each_standard_module_stands_by_itself_beside_what_is_made() {
        let parent = tempfile::tempdir().unwrap();
        write(parent.path()).unwrap();
        let program = Program::new(&Directory::new(parent.path()).snapshot().unwrap(), None);
        let has = |name: &str| program.modules().get(name).is_some();
        assert!(["nginx::vhost", "postgresql", "borg", "ssh"].into_iter().all(has));
        assert!(
            !has("shop") && !has("role::webshop") && !has("profile::nginx"),
            "the estate's own stay there"
        );
        let size: usize = STANDARD.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(size < 512 * 1024, "the standard modules make the program {size} bytes larger");
    }
}
