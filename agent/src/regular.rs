//! Files that are read as a whole: settings, keys, what an operator names. A reader that opens a pipe in the place of
//! one waits for its writer, for ever, and a device may never end.

use std::fs::{File, FileType};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Reads the bytes of a file.
///
/// # Errors
/// Fails if it cannot be read, is not a regular file, or has more than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

/// Reads the text of a file.
///
/// # Errors
/// Like [`read`], and fails if it is not UTF-8.
pub fn text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?).map_err(|_| io::Error::other("it is not text in UTF-8"))
}

/// Opens a file.
///
/// # Errors
/// Fails if it cannot be opened, or is not a regular file.
fn open(path: &Path) -> io::Result<File> {
    // Checked before it is opened, since opening alone affects many devices.
    refuse(std::fs::metadata(path)?.file_type())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file: File = rustix::fs::open(path, flags, Mode::empty())?.into();
    refuse(file.metadata()?.file_type())?;
    Ok(file)
}

/// Opens a file that an operator names on the command line. What a shell passes by its descriptor, `<(…)`, may be a
/// pipe, since its writer exists.
///
/// # Errors
/// Like [`open`].
pub fn given(path: &Path) -> io::Result<File> {
    let is_handed_over =
        ["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|handed| path.starts_with(handed));
    if is_handed_over { File::open(path) } else { open(path) }
}

fn refuse(found: FileType) -> io::Result<()> {
    let what = match found {
        _ if found.is_file() => return Ok(()),
        _ if found.is_dir() => "a directory",
        _ if found.is_fifo() => "a pipe",
        _ if found.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::other(format!("it is {what}, not a file")))
}

#[cfg(test)]
mod tests {
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
            for refused in [read(path, 9).unwrap_err(), given(path).unwrap_err()] {
                assert_eq!(refused.to_string(), format!("it is {what}, not a file"));
            }
        }
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
