//! The server and the operator's commands: parses, calls the library, maps errors to exit codes.

use std::process::ExitCode;

fn main() -> ExitCode {
    holdfast_server::cli::run()
}
