//! The benchmarks: figures, each with its target and what a peer needs for the same work.
//!
//! CPU seconds are user and system time of whole processes, medians of several runs, as the peers were measured
//! (`docs/benchmarks.md`). Nothing here fails because a machine is slow: timings are not tests.

#![allow(clippy::print_stdout)] // the table is the output

mod agent;
mod compile;
mod estate;
mod figure;
mod host;
mod hostile;
mod pages;
mod server;

use std::process::ExitCode;

/// A function that measures several figures together.
type Part = fn() -> anyhow::Result<Vec<figure::Figure>>;

fn main() -> ExitCode {
    let only = std::env::args().nth(1).unwrap_or_default();
    if only == figure::ALONE {
        return match figure::alone(std::env::args().skip(2)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    if only == "seed" {
        let folder = std::env::args().nth(2).unwrap_or_else(|| "seeded".into());
        return match pages::seed(std::path::Path::new(&folder)) {
            Ok(said) => {
                println!("{said}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                println!("{error:#}");
                ExitCode::FAILURE
            }
        };
    }
    let parts: [(&str, Part); 7] = [
        ("agent", agent::measure),
        ("compile", compile::measure),
        ("estate", estate::measure),
        ("server", server::measure),
        ("host", host::measure),
        ("hostile", hostile::measure),
        ("pages", pages::measure),
    ];
    figure::print_heading();
    for (name, measure) in parts.into_iter().filter(|(name, _)| name.contains(&only)) {
        match measure() {
            Ok(figures) => figures.iter().for_each(figure::print),
            Err(error) => {
                println!("{name}: {error:#}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
