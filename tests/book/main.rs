//! Builds the book into `target/book`: `make docs`.

#![allow(clippy::print_stdout)] // what it prints is where to look

use anyhow::Result;
use harness::binaries::workspace;
use harness::book;

fn main() -> Result<()> {
    let into = workspace().join("target/book");
    book::build(&into)?;
    println!("{}", into.join("index.html").display());
    Ok(())
}
