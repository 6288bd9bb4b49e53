//! The tree's own control repository, as it holds on the lab's hosts: packages come from the lab's repository, and
//! what has an address in the data has the one that the lab gave it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use holdfast_catalog::report::Report;
use tempfile::TempDir;
use toml::{Table, Value};

use crate::lab::{Host, PROGRAMS_AT, SOURCE_AT};
use crate::{binaries, process};

/// What a control repository is made of.
const PARTS: [&str; 5] = ["holdfast.toml", "inventory", "hieradata", "modules", "facts"];

/// The machine that the others' data names by its address.
const OPERATIONS: &str = "ops1.nordops.example";

/// Addresses in the data, each of a machine that others reach by it.
const ADDRESSES: [(&str, &str); 4] = [
    ("ns1.nordops.example", "192.0.2.53"),
    ("lb1.acme.example", "10.20.0.2"),
    ("web1.acme.example", "10.20.0.11"),
    ("web2.acme.example", "10.20.0.12"),
];

/// The machine that keeps mail.
const MAILHOST: &str = "mx1.cedar.example";

/// Copies the tree's control repository to a folder that exists.
pub fn copy(to: &Path) -> Result<()> {
    for part in PARTS {
        process::run(Command::new("cp").arg("-R").arg(binaries::workspace().join(part)).arg(to))?;
    }
    Ok(())
}

/// Has a copy's machines get their packages from the lab's repository, which is all that they reach.
pub fn use_packages_of_lab(repository: &Path) -> Result<()> {
    let lab = toml::toml! {
        uris = ["file://@"]
        suites = ["lab"]
        components = ["main"]
        signed_by = "@/key.gpg"
    };
    let lab: Table = toml::from_str(&lab.to_string().replace('@', SOURCE_AT))?;
    edit(&repository.join("hieradata/os/debian-12.toml"), |data| {
        let apt = table(data, &["apt"])?;
        apt.insert("repositories".into(), Table::from_iter([("lab".into(), Value::Table(lab))]).into());
        // What the lab brings along is large, and on every host.
        let lent = [SOURCE_AT, PROGRAMS_AT].map(Value::from).to_vec();
        table(data, &["borg"])?.insert("exclude".into(), lent.into());
        Ok(())
    })
}

/// The files of a role that has one class and nothing else, and of a machine `NAME.nordops.example` with that role and
/// values for the class.
pub fn role_of_one(name: &str, class: &str, values: &str) -> [(String, String); 4] {
    let (machine, only) = (format!("{name}.nordops.example"), format!("only_{}", name.replace('-', "_")));
    let includes = |what: &str, class: &str| format!("doc = \"{what}\"\ninclude = [\"{class}\"]\n");
    let table = class.replace("::", ".");
    [
        (format!("modules/profile/manifests/{only}.toml"), includes("One class.", class)),
        (
            format!("modules/role/manifests/{only}.toml"),
            includes("One profile.", &format!("profile::{only}")),
        ),
        (
            format!("inventory/nordcloud/{only}.toml"),
            format!("[\"{machine}\"]\nrole = \"{only}\"\nstage = \"test\"\n"),
        ),
        (own(&machine), format!("[{table}]\n{values}\n")),
    ]
}

/// The file of a machine's own data.
fn own(certname: &str) -> String {
    format!("hieradata/nodes/{certname}.toml")
}

/// A copy of the estate, and hosts that live by it.
pub struct Estate {
    folder: TempDir,
}

impl Estate {
    /// The estate for hosts of one lab.
    pub fn on(hosts: &[Host]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        copy(folder.path())?;
        use_packages_of_lab(folder.path())?;
        let estate = Self { folder };
        let [a, b, lab, _] = hosts.first().context("no hosts")?.address().octets();
        estate.replace("\"192.0.2.0/24\"", &format!("\"{a}.{b}.{lab}.0/24\""))?;
        estate.replace("\"2001:db8:1::/64\"", &format!("\"fd77:0:0:{lab}::/64\""))?;
        if let Some(operations) = hosts.iter().find(|host| host.certname() == OPERATIONS) {
            let number = operations.address().octets()[3];
            estate.replace("\"192.0.2.20\"", &format!("\"{}\"", operations.address()))?;
            estate.replace("\"2001:db8:1::20\"", &format!("\"fd77:0:0:{lab}::{number}\""))?;
        }
        let address_of = |name: &str| hosts.iter().find(|host| host.certname() == name).map(Host::address);
        for (name, written) in ADDRESSES {
            if let Some(address) = address_of(name) {
                estate.replace(written, &address.to_string())?;
            }
        }
        // Nothing leads out of the lab, so mail that would goes to the mail host.
        if let Some(address) = address_of(MAILHOST) {
            estate.replace("\"out.nordcloud.example:587\"", &format!("\"{address}:25\""))?;
        }
        Ok(estate)
    }

    /// Replaces a text wherever it is in the data.
    pub fn replace(&self, from: &str, to: &str) -> Result<()> {
        for file in files(&self.folder.path().join("hieradata"))? {
            let text = fs::read_to_string(&file)?;
            if text.contains(from) {
                fs::write(&file, text.replace(from, to))?;
            }
        }
        Ok(())
    }

    /// Adds files.
    pub fn add(&self, files: &[(String, String)]) -> Result<()> {
        for (path, text) in files {
            let file = self.folder.path().join(path);
            fs::create_dir_all(file.parent().context("a path of one part")?)?;
            fs::write(file, text)?;
        }
        Ok(())
    }

    /// Gives a machine data of its own, in place of what it has.
    pub fn give(&self, certname: &str, data: &str) -> Result<()> {
        self.add(&[(own(certname), data.to_owned())])
    }

    /// Lets a machine in at the backup server, by the key that it made.
    pub fn trust_backups_of(&self, host: &Host) -> Result<()> {
        let key = String::from_utf8(host.read("/etc/borg/id_ed25519.pub")?)?;
        edit(&self.folder.path().join("hieradata/roles/operations.toml"), |data| {
            let client = table(data, &["borg", "server", "clients", host.certname()])?;
            client.insert("key".into(), key.trim().into());
            Ok(())
        })
    }

    /// Compiles a host's catalog from its facts of now, and leaves it there.
    pub fn compile(&self, host: &Host) -> Result<()> {
        let place = tempfile::tempdir()?;
        let (facts, bundle) = (place.path().join("facts.json"), place.path().join("bundle"));
        let agent = format!("{PROGRAMS_AT}/holdfast-agent");
        fs::write(&facts, host.sh(&format!("{agent} facts"))?)?;
        let mut compile = Command::new(&binaries().server);
        compile.args(["compile", "--node", host.certname(), "--repo"]).arg(self.folder.path());
        process::run(compile.arg("--facts").arg(&facts).arg("--bundle").arg(&bundle))?;
        Ok(host.write(BUNDLE, fs::read(&bundle)?)?)
    }
}

/// Where a host has its catalog.
pub const BUNDLE: &str = "/var/lib/holdfast/estate.bundle";

/// Where it has its last report.
const REPORT: &str = "/var/lib/holdfast/estate.report";

/// One run by the catalog that was left on a host; nothing may fail.
pub fn run(host: &Host) -> Result<Report> {
    let agent = format!("{PROGRAMS_AT}/holdfast-agent");
    let output = host.exec(&[&agent, "apply", "--catalog", BUNDLE, "--report", REPORT])?;
    let report: Report = serde_json::from_slice(&host.read(REPORT)?)
        .with_context(|| format!("{}: no report: {output:?}", host.certname()))?;
    let counts = &report.counts;
    ensure!(
        output.status.success() && report.error.is_none() && counts.failed == 0 && counts.skipped == 0,
        "{}: {counts:?} {:?}\n{}{}",
        host.certname(),
        report.error,
        output.stdout,
        output.stderr
    );
    Ok(report)
}

/// Edits a file of TOML as values.
fn edit(file: &Path, change: impl FnOnce(&mut Table) -> Result<()>) -> Result<()> {
    let mut data: Table = fs::read_to_string(file)?.parse()?;
    change(&mut data)?;
    Ok(fs::write(file, data.to_string())?)
}

/// The table at a path, made where it is missing.
fn table<'a>(mut data: &'a mut Table, path: &[&str]) -> Result<&'a mut Table> {
    for name in path {
        let inner = data.entry(*name).or_insert_with(|| Table::new().into());
        data = inner.as_table_mut().with_context(|| format!("`{name}` is not a table"))?;
    }
    Ok(data)
}

/// All files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
