//! The tree's own control repository, adapted to the lab's hosts: packages come from the lab's repository, and
//! addresses in the data are those that the lab assigned.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use holdfast_catalog::report::Report;
use tempfile::TempDir;
use toml::{Table, Value};

use crate::lab::{Host, PROGRAMS_AT, SOURCE_AT};
use crate::{binaries, process};

/// The parts of a control repository.
const PARTS: [&str; 5] = ["holdfast.toml", "inventory", "hieradata", "modules", "facts"];

/// The machine that the data of others refers to by its address.
const OPERATIONS: &str = "ops1.nordops.example";

/// Addresses in the data, each with the machine that others reach by it.
const ADDRESSES: [(&str, &str); 4] = [
    ("ns1.nordops.example", "192.0.2.53"),
    ("lb1.acme.example", "10.20.0.2"),
    ("web1.acme.example", "10.20.0.11"),
    ("web2.acme.example", "10.20.0.12"),
];

/// The machine with the mailboxes.
const MAILHOST: &str = "mx1.cedar.example";

/// Copies the tree's control repository to an existing folder.
pub fn copy(to: &Path) -> Result<()> {
    for part in PARTS {
        process::run(Command::new("cp").arg("-R").arg(binaries::workspace().join(part)).arg(to))?;
    }
    Ok(())
}

/// Makes the machines of a copy get their packages from the lab's repository, since they can reach no other.
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
        // What the lab mounts is large, and is on every host.
        let lent = [SOURCE_AT, PROGRAMS_AT].map(Value::from).to_vec();
        table(data, &["borg"])?.insert("exclude".into(), lent.into());
        Ok(())
    })
}

/// The files for a role with only one class, and for a machine `NAME.nordops.example` with that role and values for the
/// class.
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

/// The file with a machine's own data.
fn own(certname: &str) -> String {
    format!("hieradata/nodes/{certname}.toml")
}

/// A copy of the estate, for hosts that use it.
pub struct Estate {
    folder: TempDir,
}

impl Estate {
    /// The estate for the hosts of one lab.
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
        // No mail can leave the lab, so it goes to the mail host.
        if let Some(address) = address_of(MAILHOST) {
            estate.replace("\"out.nordcloud.example:587\"", &format!("\"{address}:25\""))?;
        }
        Ok(estate)
    }

    /// Replaces a text everywhere in the data.
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

    /// Replaces a machine's own data.
    pub fn give(&self, certname: &str, data: &str) -> Result<()> {
        self.add(&[(own(certname), data.to_owned())])
    }

    /// Admits a machine at the backup server, with the key that it made.
    pub fn trust_backups_of(&self, host: &Host) -> Result<()> {
        let key = String::from_utf8(host.read("/etc/borg/id_ed25519.pub")?)?;
        edit(&self.folder.path().join("hieradata/roles/operations.toml"), |data| {
            let client = table(data, &["borg", "server", "clients", host.certname()])?;
            client.insert("key".into(), key.trim().into());
            Ok(())
        })
    }

    /// Compiles a host's catalog with its current facts, and copies it to the host.
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

/// The path of a host's catalog.
pub const BUNDLE: &str = "/var/lib/holdfast/estate.bundle";

/// The path of a host's last report.
const REPORT: &str = "/var/lib/holdfast/estate.report";

/// Runs the agent once with the catalog on a host; nothing may fail.
pub fn run(host: &Host) -> Result<Report> {
    let agent = format!("{PROGRAMS_AT}/holdfast-agent");
    let output = host.exec(&[&agent, "apply", "--catalog", BUNDLE, "--report", REPORT])?;
    let report: Report = serde_json::from_slice(&host.read(REPORT)?)
        .with_context(|| format!("{}: no report: {output:?}", host.certname()))?;
    let counts = &report.counts;
    ensure!(
        output.status.success() && report.notes().is_none() && counts.failed == 0 && counts.skipped == 0,
        "{}: {counts:?} {:?}\n{}{}",
        host.certname(),
        report.notes(),
        output.stdout,
        output.stderr
    );
    Ok(report)
}

/// Edits a TOML file as values.
fn edit(file: &Path, change: impl FnOnce(&mut Table) -> Result<()>) -> Result<()> {
    let mut data: Table = fs::read_to_string(file)?.parse()?;
    change(&mut data)?;
    Ok(fs::write(file, data.to_string())?)
}

/// The table at a path, created if it is missing.
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
