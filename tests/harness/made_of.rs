//! The dependencies of packages in the workspace, as cargo resolves them on this machine, and as a bill of materials.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::binaries::workspace;

/// A package that is a dependency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    pub name: String,
    pub version: String,
    /// The licence, as an SPDX expression.
    pub licence: String,
}

impl Component {
    /// The package URL, by which other packages refer to it.
    fn purl(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }
}

/// The dependencies of some packages, through the given kinds of edges; each with its own dependencies.
///
/// # Errors
/// Returns the error of cargo.
pub fn made_of(packages: &[&str], edges: &str) -> Result<BTreeMap<Component, BTreeSet<Component>>> {
    let mut tree = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    tree.args([
        "tree",
        "--locked",
        "--offline",
        "--prefix",
        "depth",
        "--format",
        "\t{p}\t{l}",
        "--edges",
        edges,
    ]);
    let said = tree.args(packages).current_dir(workspace()).output().context("cargo cannot be started")?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let mut made: BTreeMap<Component, BTreeSet<Component>> = BTreeMap::new();
    let mut above: Vec<Component> = Vec::new();
    for line in String::from_utf8(said.stdout)?.lines().filter(|line| !line.is_empty()) {
        // A package that was listed before is listed again with a star and without its dependencies.
        let mut parts = line.trim_end_matches(" (*)").split('\t');
        let mut part = || parts.next().with_context(|| format!("cargo tree: {line}"));
        let (depth, what, licence) =
            (part()?.parse::<usize>()?, part()?, part()?.replace(" / ", " OR ").replace('/', " OR "));
        let mut words = what.split_whitespace();
        let mut word = || words.next().with_context(|| format!("cargo tree: {line}"));
        let (name, version) = (word()?.to_owned(), word()?.trim_start_matches('v').to_owned());
        let package = Component { name, version, licence };
        above.truncate(depth);
        if let Some(user) = above.last() {
            made.entry(user.clone()).or_default().insert(package.clone());
        }
        made.entry(package.clone()).or_default();
        above.push(package);
    }
    Ok(made)
}

/// The content of a program of the workspace, in CycloneDX format. Code that only runs in a build, such as derive
/// macros, is not included.
///
/// # Errors
/// Returns the error of cargo, or an error if a package has no checksum.
pub fn bill_of_materials(program: &str) -> Result<Value> {
    let made = made_of(&["--package", program], "normal,no-proc-macro")?;
    let checksums = checksums()?;
    let own = made.keys().find(|package| package.name == program).context("a program is made of itself")?;
    let component = |package: &Component| {
        let purl = package.purl();
        let checksum = checksums.get(&(package.name.clone(), package.version.clone()));
        let hashes: Vec<_> =
            checksum.iter().map(|checksum| json!({ "alg": "SHA-256", "content": checksum })).collect();
        json!({
            "type": if package == own { "application" } else { "library" },
            "bom-ref": purl,
            "name": package.name,
            "version": package.version,
            "licenses": [{ "expression": package.licence }],
            "purl": purl,
            "hashes": hashes,
        })
    };
    let uses = |(package, uses): (&Component, &BTreeSet<Component>)| json!({ "ref": package.purl(), "dependsOn": uses.iter().map(Component::purl).collect::<Vec<_>>() });
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": component(own) },
        "components": made.keys().filter(|package| *package != own).map(component).collect::<Vec<_>>(),
        "dependencies": made.iter().map(uses).collect::<Vec<_>>(),
    }))
}

/// The checksums of packages that come from a registry, by name and version.
fn checksums() -> Result<BTreeMap<(String, String), String>> {
    let lock: toml::Table = std::fs::read_to_string(workspace().join("Cargo.lock"))?.parse()?;
    let packages = lock["package"].as_array().context("Cargo.lock lists packages")?;
    let text = |package: &toml::Value, key: &str| package.get(key)?.as_str().map(str::to_owned);
    let checksum = |package: &toml::Value| {
        Some(((text(package, "name")?, text(package, "version")?), text(package, "checksum")?))
    };
    Ok(packages.iter().filter_map(checksum).collect())
}
