//! Lists the standard modules, so that `holdfast init` carries them: every file of `modules/` but of those that belong to
//! the example estate.

#![allow(clippy::print_stdout, reason = "cargo is told by what a build script prints")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Modules of the estate: its roles and profiles, and the application of one customer.
const OF_THE_ESTATE: [&str; 3] = ["profile", "role", "shop"];

fn main() -> io::Result<()> {
    let required =
        |name: &str| env::var_os(name).ok_or_else(|| io::Error::other(format!("cargo sets {name}")));
    let folder = Path::new(&required("CARGO_MANIFEST_DIR")?).join("../modules");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for module in fs::read_dir(&folder)? {
        let module = module?;
        if OF_THE_ESTATE.iter().all(|name| module.file_name() != *name) {
            walk(&module.path(), &mut files)?;
        }
    }
    files.sort();
    let mut list = "&[\n".to_owned();
    for file in files {
        let path = file.strip_prefix(&folder).map_err(io::Error::other)?;
        let _ = writeln!(list, "    ({:?}, include_bytes!({file:?})),", Path::new("modules").join(path));
    }
    list += "]\n";
    fs::write(Path::new(&required("OUT_DIR")?).join("standard_modules.rs"), list)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => walk(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}
