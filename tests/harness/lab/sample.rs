//! Packages of our own, so that tests decide what a package holds and which versions there are.
//!
//! `holdfast-sample` 1.0, 1.1 and 2.0 has a configuration file, which differs between versions, and a
//! service, which copies that file to `/run/holdfast-sample/active` when it starts and when it is reloaded:
//! what is in force can be told from what is on disk. `holdfast-sample-extra` needs it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::Error;
use crate::process;

/// Everything that decides what is built.
pub const RECIPE: &str = include_str!("sample.rs");

/// The versions that the repository has, oldest first.
pub const VERSIONS: [&str; 3] = ["1.0", "1.1", "2.0"];

const SERVICE: &str = "\
[Unit]
Description=Holdfast's sample service

[Service]
RuntimeDirectory=holdfast-sample
ExecStart=/usr/sbin/holdfast-sample
ExecReload=/bin/kill -HUP $MAINPID

[Install]
WantedBy=multi-user.target
";

const PROGRAM: &str = "\
#!/bin/sh
# Makes the configuration the active one at its start and at each SIGHUP, and otherwise does nothing.
activate() { cp /etc/holdfast-sample.conf /run/holdfast-sample/active; }
trap activate HUP
trap 'kill $!; exit 0' TERM
activate
while :; do
    sleep infinity &
    wait $!
    kill $! 2>/dev/null
done
";

const AFTER_INSTALL: &str = "\
#!/bin/sh
set -e
if [ \"$1\" = configure ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    [ -n \"$2\" ] || systemctl --quiet enable holdfast-sample.service
    systemctl restart holdfast-sample.service
fi
";

const BEFORE_REMOVAL: &str = "\
#!/bin/sh
set -e
if [ \"$1\" = remove ] && [ -d /run/systemd/system ]; then
    systemctl --quiet disable --now holdfast-sample.service
fi
";

/// Builds all samples into a folder.
pub fn build_all(pool: &Path) -> Result<(), Error> {
    for version in VERSIONS {
        build(pool, "holdfast-sample", version, "", &sample_files(version))?;
    }
    let marker = ("usr/share/holdfast-sample/extra", 0o644, "extra\n".to_owned());
    build(pool, "holdfast-sample-extra", "1.0", "Depends: holdfast-sample\n", &[marker])
}

type PackagedFile = (&'static str, u32, String);

fn sample_files(version: &str) -> Vec<PackagedFile> {
    vec![
        ("DEBIAN/conffiles", 0o644, "/etc/holdfast-sample.conf\n".into()),
        ("DEBIAN/postinst", 0o755, AFTER_INSTALL.into()),
        ("DEBIAN/prerm", 0o755, BEFORE_REMOVAL.into()),
        ("etc/holdfast-sample.conf", 0o644, format!("greeting = \"hello from {version}\"\n")),
        ("usr/sbin/holdfast-sample", 0o755, PROGRAM.into()),
        ("lib/systemd/system/holdfast-sample.service", 0o644, SERVICE.into()),
    ]
}

fn build(
    pool: &Path,
    name: &str,
    version: &str,
    relations: &str,
    files: &[PackagedFile],
) -> Result<(), Error> {
    let tree = tempfile::tempdir().map_err(Error::io(Path::new("a temporary folder")))?;
    fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).map_err(Error::io(tree.path()))?;
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nSection: misc\nPriority: optional\n\
         Maintainer: The lab <lab@example.com>\n{relations}Description: a sample for Holdfast's tests\n"
    );
    put(tree.path(), &("DEBIAN/control", 0o644, control))?;
    for file in files {
        put(tree.path(), file)?;
    }
    let package = pool.join(format!("{name}_{version}_all.deb"));
    process::run(
        Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(tree.path()).arg(package),
    )?;
    Ok(())
}

fn put(tree: &Path, (path, mode, text): &PackagedFile) -> Result<(), Error> {
    let path = tree.join(path);
    let folder = path.parent().unwrap_or(tree);
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    fs::write(&path, text).map_err(Error::io(&path))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).map_err(Error::io(&path))
}
