//! A table of each part of a data directory, and what may be in its place.

use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::super::Server;
use super::super::fixture::{Fixture, StoppedServer};
use super::*;

/// What may be in the place of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartDamage {
    Pipe,
    FullDirectory,
    LinkToNowhere,
    Socket,
    EmptyFile,
    OtherOwner,
    OpenMode,
    NoMode,
}

use PartDamage::*;

const ALL: [PartDamage; 8] =
    [Pipe, FullDirectory, LinkToNowhere, Socket, EmptyFile, OtherOwner, OpenMode, NoMode];

/// A part of a data directory that is damaged until it is put back.
struct Damaged {
    path: PathBuf,
    aside: PathBuf,
}

impl Damaged {
    fn make(path: PathBuf, damage: PartDamage) -> Self {
        let aside = path.parent().unwrap().with_extension("aside");
        if path.symlink_metadata().is_ok() {
            fs::rename(&path, &aside).unwrap();
        }
        match damage {
            Pipe => rustix::fs::mknodat(
                rustix::fs::CWD,
                &path,
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::from_raw_mode(0o600),
                0,
            )
            .unwrap(),
            FullDirectory => {
                fs::create_dir(&path).unwrap();
                fs::write(path.join("something"), "of somebody").unwrap();
            }
            LinkToNowhere => symlink(path.with_extension("nowhere"), &path).unwrap(),
            Socket => drop(UnixListener::bind(&path).unwrap()),
            EmptyFile => fs::write(&path, "").unwrap(),
            OtherOwner | OpenMode | NoMode => Self::alter(&path, &aside, damage),
        }
        Self { path, aside }
    }

    /// Copies the content with another owner or mode.
    fn alter(path: &Path, aside: &Path, damage: PartDamage) {
        if aside.is_dir() {
            fs::create_dir(path).unwrap();
            for entry in fs::read_dir(aside).unwrap() {
                let name = entry.unwrap().file_name();
                fs::copy(aside.join(&name), path.join(&name)).unwrap();
            }
        } else if aside.is_file() {
            fs::copy(aside, path).unwrap();
        } else {
            fs::write(path, "").unwrap();
        }
        match damage {
            OtherOwner => chown(path, Some(1), Some(1)).unwrap(),
            OpenMode => fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap(),
            _ => fs::set_permissions(path, Permissions::from_mode(0o0)).unwrap(),
        }
    }

    fn put_back(self) {
        if self.path.is_dir() && !self.path.is_symlink() {
            fs::remove_dir_all(&self.path).unwrap();
        } else if self.path.symlink_metadata().is_ok() {
            fs::remove_file(&self.path).unwrap();
        }
        if self.aside.symlink_metadata().is_ok() {
            fs::rename(&self.aside, &self.path).unwrap();
        }
    }
}

/// The expected result of the start: the word that the error has beside the path; `None` if the server starts.
fn cure(part: &str, kind: PartKind, damage: PartDamage) -> Option<&'static str> {
    let is_kept = KEPT.iter().any(|(kept, _)| *kept == part);
    let is_kept_while_whole = is_kept || part == LAST_GOOD;
    match damage {
        // An empty log counts as a missing one.
        EmptyFile if part == "server.db-wal" => None,
        OpenMode | NoMode => None,
        OtherOwner => is_kept_while_whole.then_some("chown 0"),
        _ if is_kept => Some("backup"),
        FullDirectory if kind != PartKind::Directory => Some("move it away"),
        _ => None,
    }
}

async fn started(fixture: &StoppedServer) -> Result<Server, String> {
    fixture.start().await.map_err(|error| error.to_string())
}

#[actix_web::test]
async fn f35_whatever_stands_in_the_place_of_a_part_is_named_or_made_again_and_nothing_kept_is_overwritten() {
    let fixture = Fixture::start().await;
    fixture.enrolled("web1.acme.example").await;
    let (data, is_root) = (fixture.data_dir(), us() == 0);
    let fixture = fixture.stopped().await;
    for (part, kind) in KEPT.into_iter().chain(MADE_AGAIN) {
        for damage in ALL.into_iter().filter(|damage| is_root || *damage != OtherOwner) {
            let damaged = Damaged::make(data.join(part), damage);
            let before = damaged.path.symlink_metadata().unwrap();
            match (started(&fixture).await, cure(part, kind, damage)) {
                (Ok(server), None) => server.stop().await,
                (Err(error), Some(cure)) => {
                    assert!(error.contains(part) && error.contains(cure), "{part} {damage:?}: {error}");
                    let after = damaged.path.symlink_metadata().unwrap();
                    let is_same = before.ino() == after.ino() && before.file_type() == after.file_type();
                    assert!(is_same, "{part} {damage:?}: it was replaced");
                    assert!(!damaged.path.with_extension("nowhere").exists(), "{part}: made elsewhere");
                }
                (started, expected) => {
                    panic!("{part} {damage:?}: {:?} where {expected:?} was expected", started.err());
                }
            }
            damaged.put_back();
        }
    }
    started(&fixture).await.expect("all was put back").stop().await;
}

#[test]
fn where_the_unit_forbids_it_that_is_said() {
    let refused = |kind: io::ErrorKind| DataDirError::Refused { path: "/srv/x".into(), source: kind.into() };
    assert!(refused(io::ErrorKind::ReadOnlyFilesystem).to_string().contains("ReadWritePaths="));
    assert!(!refused(io::ErrorKind::PermissionDenied).to_string().contains("systemctl"));
}

#[actix_web::test]
async fn what_others_may_read_is_closed_to_them() {
    let fixture = Fixture::start().await;
    let data = fixture.data_dir();
    let fixture = fixture.stopped().await;
    for (part, mode) in [("server.db", 0o644), ("ca/key.pem", 0o644), ("ca", 0o755)] {
        fs::set_permissions(data.join(part), Permissions::from_mode(mode)).unwrap();
    }
    started(&fixture).await.unwrap().stop().await;
    for (part, mode) in [("server.db", 0o600), ("ca/key.pem", 0o600), ("ca", 0o700)] {
        assert_eq!(fs::metadata(data.join(part)).unwrap().mode() & 0o777, mode, "{part}");
    }
}
