//! The package repository that hosts install from. It is signed, mounted read-only, and filled once by the machine's
//! own apt with real packages and everything that they need, and with several versions of our own sample packages.
//!
//! The signing key is deleted once the repository is complete: another recipe makes another repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Error, cache, sample};
use crate::{process, progress};

/// The only package source of a host.
pub const SOURCE: &str = "deb [signed-by=/srv/lab-repository/key.gpg] file:///srv/lab-repository lab main\n";

/// Where hosts find the repository.
pub const MOUNTED_AT: &str = "/srv/lab-repository";

/// The packages that hosts can install apart from the samples: those that the estate's roles and the tests use. It must
/// be possible to install them all on one machine.
const PACKAGES: [&str; 40] = [
    "bind9",
    "bind9-dnsutils",
    "borgbackup",
    "bzip2",
    "chrony",
    "dovecot-imapd",
    "dovecot-lmtpd",
    "git",
    "haproxy",
    "htop",
    "kmod",
    "locales",
    "logrotate",
    "make",
    "mariadb-server",
    "nftables",
    "nginx-light",
    "openssh-client",
    "openssh-server",
    "openssl",
    "postfix",
    "postgresql",
    "prometheus",
    "prometheus-node-exporter",
    "puma",
    "python3",
    "redis-server",
    "rsync",
    "rsyslog",
    "rsyslog-openssl",
    "ruby",
    "ruby-pg",
    "ruby-rack",
    "ruby-redis",
    "unattended-upgrades",
    "unbound",
    "unzip",
    "vim-tiny",
    "xz-utils",
    "zstd",
];

/// Increased with changes of `build` that nothing else in the recipe shows.
const RECIPE: &str = "1";

/// The repository's folder; the repository is built first if there is none.
pub fn folder(image: &Path) -> Result<PathBuf, Error> {
    let image_key = image.to_string_lossy();
    let packages = PACKAGES.join(" ");
    cache::folder("repository", &[RECIPE, &image_key, &packages, sample::RECIPE], |folder| {
        progress::during("fetching the packages that hosts install", || build(folder, image))
    })
}

fn build(folder: &Path, image: &Path) -> Result<(), Error> {
    let pool = folder.join("pool");
    fs::create_dir_all(pool.join("partial")).map_err(Error::io(&pool))?;
    download(&pool, image)?;
    sample::build_all(&pool)?;
    index(folder)?;
    sign(folder)
}

/// Makes the machine's apt download exactly what an image with that package state would have to.
fn download(pool: &Path, image: &Path) -> Result<(), Error> {
    let mut fetch = Command::new("apt-get");
    fetch.args(["--quiet=2", "--yes", "--no-install-recommends", "--download-only"]);
    fetch.arg("-o").arg(format!("Dir::State::status={}", image.join("var/lib/dpkg/status").display()));
    fetch.arg("-o").arg(format!("Dir::Cache::archives={}", pool.display()));
    fetch.args(["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root", "install"]).args(PACKAGES);
    if process::run(&mut fetch).is_err() {
        // Most often because the machine's package lists are older than the mirror.
        process::run(Command::new("apt-get").args(["--quiet=2", "update"]))?;
        process::run(&mut fetch)?;
    }
    Ok(())
}

fn index(folder: &Path) -> Result<(), Error> {
    let architecture = process::run(Command::new("dpkg").arg("--print-architecture"))?;
    let architecture = architecture.trim();
    let suite = folder.join("dists/lab");
    let lists = suite.join(format!("main/binary-{architecture}"));
    fs::create_dir_all(&lists).map_err(Error::io(&lists))?;

    let archive =
        |arguments: &[&str]| process::run(Command::new("apt-ftparchive").args(arguments).current_dir(folder));
    let packages = archive(&["packages", "pool"])?;
    fs::write(lists.join("Packages"), packages).map_err(Error::io(&lists))?;

    let setting = |key: &str, value: &str| format!("APT::FTPArchive::Release::{key}={value}");
    let release = archive(&[
        "-o",
        &setting("Origin", "lab"),
        "-o",
        &setting("Suite", "lab"),
        "-o",
        &setting("Codename", "lab"),
        "-o",
        &setting("Components", "main"),
        "-o",
        &setting("Architectures", architecture),
        "release",
        "dists/lab",
    ])?;
    fs::write(suite.join("Release"), release).map_err(Error::io(&suite))
}

fn sign(folder: &Path) -> Result<(), Error> {
    let keys = folder.join("keys");
    process::run(Command::new("mkdir").args(["-m", "700"]).arg(&keys))?;
    let gpg = |arguments: &[&str]| {
        process::run(
            Command::new("gpg").args(["--batch", "--quiet", "--yes"]).args(arguments).env("GNUPGHOME", &keys),
        )
    };
    let suite = folder.join("dists/lab");
    let at = |path: &Path| path.to_string_lossy().into_owned();
    gpg(&["--passphrase", "", "--quick-gen-key", "lab", "ed25519", "sign", "0"])?;
    gpg(&["--output", &at(&folder.join("key.gpg")), "--export"])?;
    gpg(&["--output", &at(&suite.join("InRelease")), "--clearsign", &at(&suite.join("Release"))])?;
    process::run(Command::new("gpgconf").args(["--kill", "gpg-agent"]).env("GNUPGHOME", &keys))?;
    fs::remove_dir_all(&keys).map_err(Error::io(&keys))
}
