//! Files that are read or written whole: settings, keys, and files that an operator names. Only regular files are
//! opened: opening a pipe would wait for its writer for ever, and a device may never end.

use std::fs::{File, FileType};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// The bytes of a file.
///
/// # Errors
/// Returns an error if it cannot be read, is not a regular file, or has more than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

/// The text of a file.
///
/// # Errors
/// As [`read`], and if it is not UTF-8.
pub fn text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?).map_err(|_| io::Error::other("it is not text in UTF-8"))
}

/// Opens a file.
///
/// # Errors
/// Returns an error if it cannot be opened, or is not a regular file.
fn open(path: &Path) -> io::Result<File> {
    // Checked before it is opened, since opening alone has effects on many devices.
    refuse(std::fs::metadata(path)?.file_type())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file: File = rustix::fs::open(path, flags, Mode::empty())?.into();
    refuse(file.metadata()?.file_type())?;
    Ok(file)
}

/// Writes a file that only its owner can read, whole or not at all.
///
/// # Errors
/// Returns an error if it cannot be written, or if something other than a regular file is in its place: a device, a
/// pipe or a link is not replaced.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) => refuse(found.file_type())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let fresh = path.with_file_name(name);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&fresh, path));
    if written.is_err() {
        std::fs::remove_file(&fresh).ok();
    }
    written
}

fn refuse(found: FileType) -> io::Result<()> {
    let what = match found {
        _ if found.is_file() => return Ok(()),
        _ if found.is_dir() => "a directory",
        _ if found.is_fifo() => "a pipe",
        _ if found.is_socket() => "a socket",
        _ if found.is_symlink() => "a link",
        _ => "a device",
    };
    Err(io::Error::other(format!("it is {what}, not a file")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_no_file_is_named_at_once_and_never_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, Mode::RWXU, 0).unwrap();
        let socket = directory.path().join("socket");
        let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("pipe", &link).unwrap();
        for (path, what) in [
            (&*pipe, "a pipe"),
            (&*link, "a pipe"),
            (&*socket, "a socket"),
            (directory.path(), "a directory"),
            (Path::new("/dev/null"), "a device"),
        ] {
            assert_eq!(read(path, 9).unwrap_err().to_string(), format!("it is {what}, not a file"));
        }
    }

    #[test]
    fn what_is_no_file_is_never_replaced_by_one() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        for (path, what) in [(&*pipe, "a pipe"), (&*link, "a link"), (directory.path(), "a directory")] {
            let error = write_private(path, b"new").unwrap_err();
            assert_eq!(error.to_string(), format!("it is {what}, not a file"));
        }
        let left = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 2, "nothing is beside them");
        let file = directory.path().join("file");
        for text in ["one", "two"] {
            write_private(&file, text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "four").unwrap();
        assert_eq!(text(file.path(), 4).unwrap(), "four");
        assert!(read(file.path(), 3).unwrap_err().to_string().contains("larger than 3 bytes"));
        std::fs::write(file.path(), b"\xff").unwrap();
        assert!(text(file.path(), 4).unwrap_err().to_string().contains("UTF-8"));
        let gone = directory_entry_that_is_not_there();
        assert_eq!(read(&gone, 4).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    fn directory_entry_that_is_not_there() -> std::path::PathBuf {
        tempfile::tempdir().unwrap().path().join("x")
    }
}
