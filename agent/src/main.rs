//! `holdfast-agent`: parses, calls the library, and says by its exit code how it went.

use std::process::ExitCode;

fn main() -> ExitCode {
    holdfast_agent::cli::main(std::env::args_os())
}
