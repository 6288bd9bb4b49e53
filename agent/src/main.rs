//! `holdfast-agent`: parses the command line, calls the library, and exits with its code.

use std::process::ExitCode;

use rustix::fs::Mode;

fn main() -> ExitCode {
    // The commands of a catalog inherit it: what they make must not depend on who started the run.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    holdfast_agent::cli::main(std::env::args_os())
}
