//! The root file system that every host starts from: a small Debian of the machine's own release with systemd, made by
//! mmdebstrap from the machine's own package sources.
//!
//! Hosts put their own disk over it and never write to it. There is no `policy-rc.d`: packages start their services, as
//! on a real machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Error, cache, repository};
use crate::{process, progress};

/// Increased with changes of `build` that the package list does not show.
const RECIPE: &str = "1";

/// The packages that a host has at the start. `curl` and `strace` are for the tests.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,apt,ca-certificates,cron,curl,iproute2,iputils-ping,less,\
                        netcat-openbsd,procps,strace,sudo,tzdata";

/// Timers that are disabled, so that nothing on a host starts by itself during a test.
const TIMERS: [&str; 4] = ["apt-daily", "apt-daily-upgrade", "dpkg-db-backup", "fstrim"];

/// The image's folder; the image is built first if there is none.
pub fn folder() -> Result<PathBuf, Error> {
    let codename = codename()?;
    cache::folder("image", &[RECIPE, &codename, PACKAGES, repository::SOURCE], |root| {
        progress::during("making the image that hosts boot from", || build(root, &codename))
    })
}

fn build(root: &Path, codename: &str) -> Result<(), Error> {
    let mut bootstrap = Command::new("mmdebstrap");
    bootstrap.args(["--quiet", "--variant=minbase"]).arg(format!("--include={PACKAGES}"));
    for part in ["man", "doc", "locale"] {
        bootstrap.arg(format!("--dpkgopt=path-exclude=/usr/share/{part}/*"));
    }
    bootstrap.args(apt_settings()?.iter().map(|setting| format!("--aptopt={setting}")));
    process::run(bootstrap.arg(codename).arg(root).args(sources(codename)?))?;

    let etc = root.join("etc");
    remove_all_in(&etc.join("apt/sources.list.d"))?;
    remove(&etc.join("apt/apt.conf.d/99mmdebstrap"))?;
    for timer in TIMERS {
        remove(&etc.join(format!("systemd/system/timers.target.wants/{timer}.timer")))?;
    }
    write(&etc.join("apt/sources.list"), repository::SOURCE)?;
    write(&etc.join("machine-id"), "")?;
    write(&etc.join("resolv.conf"), "")
}

/// The machine's own release, whose sources are known to work.
fn codename() -> Result<String, Error> {
    let release = fs::read_to_string("/etc/os-release").map_err(Error::io(Path::new("/etc/os-release")))?;
    release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .ok_or_else(|| Error::Unavailable("/etc/os-release has no VERSION_CODENAME: not a Debian".into()))
}

/// The machine's source files that name the release.
fn sources(codename: &str) -> Result<Vec<PathBuf>, Error> {
    let folder = Path::new("/etc/apt/sources.list.d");
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        files.push(entry.map_err(Error::io(folder))?.path());
    }
    files.sort();
    files.retain(|file| {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines()
            .any(|line| !line.starts_with('#') && line.split_whitespace().any(|word| word == codename))
    });
    if files.is_empty() {
        return Err(Error::Unavailable(format!("no file under /etc/apt names the release {codename}")));
    }
    Ok(files)
}

/// How the machine's apt reaches its sources: proxies, certificates, checks and retries.
fn apt_settings() -> Result<Vec<String>, Error> {
    const KEPT: [&str; 6] = [
        "Acquire::http::Proxy ",
        "Acquire::https::Proxy ",
        "Acquire::https::CAInfo ",
        "Acquire::Check-Valid-Until ",
        "Acquire::Check-Date ",
        "Acquire::Retries ",
    ];
    let settings = process::run(Command::new("apt-config").arg("dump"))?;
    Ok(settings
        .lines()
        .filter(|line| KEPT.iter().any(|key| line.starts_with(key)))
        .map(str::to_owned)
        .collect())
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::io(path))
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path)(error)),
        _ => Ok(()),
    }
}

fn remove_all_in(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        remove(&entry.map_err(Error::io(folder))?.path())?;
    }
    Ok(())
}
