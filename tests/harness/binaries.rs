//! The project's own programs. They are built from the current tree before they are used, so no test can pass with an
//! outdated one.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::progress;

/// The paths of the freshly built programs.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The folder that contains both.
    pub folder: PathBuf,
    /// `holdfast`: the server and the operator's commands.
    pub server: PathBuf,
    pub agent: PathBuf,
}

/// Builds both programs, once in each process, and returns where they are.
///
/// `HOLDFAST_PROFILE` selects cargo's profile (`dev` if it is not set), and `CARGO_TARGET_DIR` the target folder.
///
/// # Panics
///
/// If they do not build: then there is nothing to test, and cargo has already reported why.
pub fn binaries() -> &'static Binaries {
    static BUILT: OnceLock<Binaries> = OnceLock::new();
    BUILT.get_or_init(|| progress::during("building both programs", build))
}

/// The root of the workspace, which is also a control repository.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the crate is two folders below the workspace")
}

fn build() -> Binaries {
    let profile = env::var("HOLDFAST_PROFILE").unwrap_or_else(|_| "dev".into());
    let folder = target_folder().join(folder_of(&profile));
    if profile == "release" {
        released();
    } else {
        // With the whole workspace selected, dependencies have the same features as in the build of the tests, so none
        // is compiled a second time.
        let both = ["build", "--quiet", "--workspace", "--bin", "holdfast", "--bin", "holdfast-agent"];
        run("cargo build", cargo().args(both).args(["--profile", &profile]));
    }
    Binaries { server: folder.join("holdfast"), agent: folder.join("holdfast-agent"), folder }
}

/// Builds them as they are released: the agent has its own profile, which only the Makefile knows.
fn released() {
    run("make build", Command::new("make").args(["--silent", "build"]));
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn run(what: &str, command: &mut Command) {
    let status = command.current_dir(workspace()).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = status.unwrap_or_else(|error| panic!("{what} cannot be started: {error}"));
    assert!(status.success(), "the programs under test do not build ({what}: {status})");
}

fn target_folder() -> PathBuf {
    // Cargo resolves a relative folder from the directory that it is started in, and `build` starts it in the workspace.
    workspace().join(env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from))
}

/// The folder of a profile. Cargo names it after the profile, except for those that are older than profiles.
fn folder_of(profile: &str) -> &str {
    match profile {
        "dev" | "test" => "debug",
        "bench" => "release",
        named => named,
    }
}
