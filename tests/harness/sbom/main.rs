//! Writes the bill of materials of each program as CycloneDX into `target/sbom`: `make sbom`.

#![allow(clippy::print_stdout)] // it prints where the results are

use anyhow::Result;
use harness::binaries::workspace;
use harness::made_of::bill_of_materials;

fn main() -> Result<()> {
    let folder = workspace().join("target/sbom");
    std::fs::create_dir_all(&folder)?;
    for program in ["holdfast-server", "holdfast-agent"] {
        let file = folder.join(format!("{program}.cdx.json"));
        std::fs::write(&file, serde_json::to_vec_pretty(&bill_of_materials(program)?)?)?;
        println!("{}", file.display());
    }
    Ok(())
}
