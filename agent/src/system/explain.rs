//! The causes of errors of the kernel, whose own messages are short.

use std::path::Path;

use rustix::io::Errno;

use super::machine::Machine;
use super::resolve::Last;
use super::{Error, Result, kept_out};

/// Adds the cause of an error, and what to do, if that is known.
pub(super) fn explained<T>(machine: &Machine, result: Result<T>) -> Result<T> {
    result.map_err(|error| {
        let Error::Io { path, source, hint, .. } = &error else { return error };
        if !hint.is_empty() {
            return error;
        }
        let words = match source.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::ROFS) => kept_out::read_only(path),
            Some(Errno::DQUOT) => {
                "; a disk quota is used up (`quota`, `repquota -a`): free space, or raise it".to_owned()
            }
            Some(Errno::NOSPC) => "; the file system is full (`df`, `df -i`): free space".to_owned(),
            Some(Errno::PERM) => fixed(machine, path).unwrap_or_default(),
            _ => String::new(),
        };
        error.hint(|| words)
    })
}

/// Adds why no new file could be made, if its directory existed a moment before.
pub(super) fn of_a_new_file<T>(machine: &Machine, result: Result<T>) -> Result<T> {
    explained(machine, result).map_err(|error| {
        let Error::Io { path, source, hint, .. } = &error else { return error };
        let is_it = source.kind() == std::io::ErrorKind::NotFound && hint.is_empty();
        if !is_it {
            return error;
        }
        let is_there = machine.place(path, Last::Keep).ok().flatten().is_some_and(|place| {
            rustix::fs::fstat(&place.dir).is_ok_and(|stat| stat.st_nlink > 0)
        });
        error.hint(|| match is_there {
            true => "; its file system does not accept the new file that replaces the old one: to set what is in /proc \
                     and /sys, use `sysctl` or an `exec`"
                .to_owned(),
            false => "; its directory has just been removed".to_owned(),
        })
    })
}

/// The attribute that protects a file or its directory from changes.
fn fixed(machine: &Machine, path: &Path) -> Option<String> {
    kept_out::by_attribute(&machine.place(path, Last::Keep).ok()??, path)
}

#[cfg(test)]
mod tests {
    use rustix::fs::IFlags;

    use super::*;
    use crate::system::{Permissions, System as _};

    fn root() -> (tempfile::TempDir, Machine) {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::open(dir.path()).unwrap();
        (dir, machine)
    }

    /// Sets an attribute while `act` runs; `None` if this file system or user cannot.
    fn with_flag<T>(path: &Path, flag: IFlags, act: impl FnOnce() -> T) -> Option<T> {
        let file = std::fs::File::open(path).unwrap();
        let before = rustix::fs::ioctl_getflags(&file).ok()?;
        rustix::fs::ioctl_setflags(&file, before | flag).ok()?;
        let done = act();
        rustix::fs::ioctl_setflags(&file, before).unwrap();
        Some(done)
    }

    #[test]
    fn an_attribute_that_keeps_root_out_is_named() {
        let (dir, machine) = root();
        std::fs::write(dir.path().join("a"), "x").unwrap();
        let access = Permissions { mode: 0o644, uid: None, gid: None };
        let write = |path: &str| {
            machine.stage(Path::new(path), access, &mut &b"y"[..]).and_then(|s| s.commit().map(|_| ()))
        };
        let said = with_flag(&dir.path().join("a"), IFlags::IMMUTABLE, || {
            [write("/a"), machine.remove(Path::new("/a")), machine.set_mode(Path::new("/a"), 0o600)]
                .map(|done| done.unwrap_err().to_string())
        });
        for said in said.iter().flatten() {
            assert!(said.contains("immutable") && said.contains("chattr -i /a"), "{said}");
        }
        let said = with_flag(dir.path(), IFlags::APPEND, || {
            machine.remove(Path::new("/a")).unwrap_err().to_string()
        });
        assert!(said.is_none_or(|said| said.contains("append-only") && said.contains("chattr -a /")));
    }

    #[test]
    fn what_the_kernel_says_shortly_is_said_with_a_cure() {
        let (_dir, machine) = root();
        for (errno, word) in
            [(Errno::ROFS, "read-only"), (Errno::DQUOT, "quota"), (Errno::NOSPC, "full"), (Errno::PERM, "")]
        {
            let error = Error::io("writing", Path::new("/a"), errno);
            let said = explained::<()>(&machine, Err(error)).unwrap_err().to_string();
            assert!(said.contains(word), "{said}");
        }
        let known = Error::io("writing", Path::new("/a"), Errno::NOSPC).hint(|| "; 7 bytes left".to_owned());
        assert!(explained::<()>(&machine, Err(known)).unwrap_err().to_string().ends_with("7 bytes left"));
    }

    #[test]
    fn why_no_new_file_can_be_made_is_told_by_what_is_there() {
        let (_dir, machine) = root();
        for (path, words) in
            [("/a", "does not accept the new file"), ("/gone/a", "its directory has just been removed")]
        {
            let error = Error::io("any words", Path::new(path), Errno::NOENT);
            let said = of_a_new_file::<()>(&machine, Err(error)).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
            let error = Error::io("writing", Path::new(path), Errno::NOENT);
            let said = explained::<()>(&machine, Err(error)).unwrap_err().to_string();
            assert!(!said.contains(';'), "{said}");
        }
    }
}
