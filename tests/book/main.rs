//! Builds the book into `target/book`, and a man page for each command into `target/man`: `make docs`.

#![allow(clippy::print_stdout)] // it prints where the results are

use acceptance::book;
use anyhow::Result;
use harness::binaries::workspace;

fn main() -> Result<()> {
    let target = workspace().join("target");
    let (site, manual) = (target.join("book"), target.join("man"));
    book::build(&site)?;
    println!("{}", site.join("index.html").display());
    book::write_manual(&manual)?;
    println!("{}", manual.join("holdfast.1").display());
    Ok(())
}
