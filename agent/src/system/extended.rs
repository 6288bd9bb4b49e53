//! What a replacement keeps of the old file besides owner and mode: its access control list, its label, and what
//! programs have noted about it.
//!
//! At no moment may anybody do more with the new file than with the old one. So a list is given before the mode: with a
//! list, the group bits of the mode are its mask, and without it they would be the group's own rights.

use std::ffi::{CStr, CString};
use std::path::Path;

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::XattrFlags;
use rustix::io::Errno;

use super::{Error, Result, way};

/// The access control list of the POSIX drafts, as Linux stores it.
const ACL: &CStr = c"system.posix_acl_access";

/// The list that new files in a directory begin with.
const DEFAULT_ACL: &CStr = c"system.posix_acl_default";

/// The version of the list's format: the first four bytes.
const ACL_VERSION: u32 = 2;

/// The length in bytes of an entry in the list: its kind, the rights, and the id.
const ENTRY: usize = 8;

/// The most bytes that the kernel returns.
const MAX_BYTES: usize = 64 * 1024;

/// Attributes that belong to the old content: a hash or signature of it, and rights that the kernel itself removes when
/// a file is written to, as it does with set-id bits.
const OF_THE_CONTENT: [&[u8]; 3] = [b"security.capability", b"security.ima", b"security.evm"];

/// Attributes that belong to an overlay file system.
const OF_THE_OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

/// What a file or directory has besides its content, owner and mode.
#[derive(Debug, Default)]
pub(super) struct Extended {
    acl: Option<Vec<u8>>,
    /// Default lists of a directory, and access lists in other formats, such as those of NFS.
    foreign: Vec<(CString, Vec<u8>)>,
    rest: Vec<(CString, Vec<u8>)>,
}

impl Extended {
    /// Reads the attributes of an open file; `path` is its name in errors.
    pub(super) fn of(file: impl AsFd, path: &Path) -> Result<Self> {
        let failed = |errno: Errno| Error::io("reading the extended attributes of", path, errno);
        let mut all = Self::default();
        for name in names(&file).map_err(failed)? {
            let Some(value) = value(&file, &name).map_err(failed)? else { continue };
            match name.to_bytes() {
                _ if *name == *ACL => all.acl = Some(value),
                bytes if is_kept_back(bytes) => {}
                bytes if bytes.starts_with(b"system.") => all.foreign.push((name, value)),
                _ => all.rest.push((name, value)),
            }
        }
        Ok(all)
    }

    /// Gives them to a new file with the future `mode`, which nobody but its owner can use yet. In the list, the rights
    /// of the owner, the mask and the others are those of the mode.
    pub(super) fn give(&self, file: impl AsFd, mode: u32, path: &Path) -> Result<()> {
        let lost = |errno: Errno| Error::AclLost { path: path.to_owned(), source: errno.into() };
        match &self.acl {
            Some(acl) => set(&file, ACL, &with_mode(acl, mode).ok_or(lost(Errno::INVAL))?).map_err(lost)?,
            // A list inherited from the directory would admit users who could not access the old file.
            None => remove(&file, ACL).map_err(lost)?,
        }
        if self.foreign.iter().all(|(name, _)| **name != *DEFAULT_ACL) {
            remove(&file, DEFAULT_ACL).map_err(lost)?;
        }
        for (name, value) in &self.foreign {
            set(&file, name, value).map_err(lost)?;
        }
        for (name, value) in &self.rest {
            match set(&file, name, value) {
                // A label or note that this process, or the kernel, does not allow anybody to set.
                Ok(()) | Err(Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP) => {}
                Err(errno) => return Err(Error::io("keeping the extended attributes of", path, errno)),
            }
        }
        Ok(())
    }
}

fn is_kept_back(name: &[u8]) -> bool {
    OF_THE_CONTENT.contains(&name) || OF_THE_OVERLAY.iter().any(|prefix| name.starts_with(prefix))
}

/// Removes an attribute, if there is one.
fn remove(file: impl AsFd, name: &CStr) -> rustix::io::Result<()> {
    unless_none(rustix::fs::fremovexattr(file, name))
}

/// Removes the access control lists of what a handle leads to, which is not opened. The mode stays: its group bits, so
/// far the mask of a list, are then those of the group.
pub(super) fn remove_lists(handle: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let path = way::by_handle(handle);
    [ACL, DEFAULT_ACL].into_iter().try_for_each(|name| unless_none(rustix::fs::removexattr(&path, name)))
}

/// The result of a removal; that nothing was there is none of its errors.
fn unless_none(removed: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match removed {
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        removed => removed,
    }
}

fn set(file: impl AsFd, name: &CStr, value: &[u8]) -> rustix::io::Result<()> {
    rustix::fs::fsetxattr(file, name, value, XattrFlags::empty())
}

/// Whether a file gives its program capabilities. One that cannot be read has none.
pub(super) fn has_capabilities(file: impl AsFd) -> bool {
    value(file, c"security.capability").is_ok_and(|value| value.is_some())
}

/// The names of all attributes; empty if the file system does not support them.
fn names(file: impl AsFd) -> rustix::io::Result<Vec<CString>> {
    let mut buffer = vec![0; MAX_BYTES];
    let length = match rustix::fs::flistxattr(file, &mut buffer) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => 0,
        Err(errno) => return Err(errno),
    };
    let names = buffer[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.filter_map(|name| CString::new(name).ok()).collect())
}

/// One attribute; `None` if it was removed in the meantime, or this process may not read it.
fn value(file: impl AsFd, name: &CStr) -> rustix::io::Result<Option<Vec<u8>>> {
    let mut buffer = vec![0; MAX_BYTES];
    match rustix::fs::fgetxattr(file, name, &mut buffer) {
        Ok(length) => {
            buffer.truncate(length);
            Ok(Some(buffer))
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) if *name != *ACL => Ok(None),
        Err(Errno::NODATA) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The list with the rights of a mode, for the owner, the mask (the owning group if there is none) and the others;
/// `None` if it does not have the known format.
fn with_mode(acl: &[u8], mode: u32) -> Option<Vec<u8>> {
    const OWNER: u16 = 0x01;
    const GROUP: u16 = 0x04;
    const MASK: u16 = 0x10;
    const OTHER: u16 = 0x20;
    let (version, entries) = acl.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != ACL_VERSION || entries.len() % ENTRY != 0 {
        return None;
    }
    let tag = |entry: &[u8]| u16::from_le_bytes([entry[0], entry[1]]);
    let has_mask = entries.chunks(ENTRY).any(|entry| tag(entry) == MASK);
    let mut list = acl.to_vec();
    for entry in list[version.len()..].chunks_mut(ENTRY) {
        let shift = match tag(entry) {
            OWNER => 6,
            MASK => 3,
            GROUP if !has_mask => 3,
            OTHER => 0,
            _ => continue,
        };
        entry[2..4].copy_from_slice(&u16::to_le_bytes((mode >> shift & 0o7) as u16));
    }
    Some(list)
}

/// A list for tests: the owning group may read, the user `uid` may read and write.
#[cfg(test)]
pub(crate) fn acl_for(uid: u32) -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    let entries: [(u16, u16, u32); 5] =
        [(0x01, 6, NOBODY), (0x02, 6, uid), (0x04, 4, NOBODY), (0x10, 6, NOBODY), (0x20, 0, NOBODY)];
    let mut list = ACL_VERSION.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
        list.extend(id.to_le_bytes());
    }
    list
}

/// An attribute of a file, for tests.
#[cfg(test)]
pub(crate) fn read_attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut buffer = vec![0; MAX_BYTES];
    let length = rustix::fs::getxattr(path, name, &mut buffer).ok()?;
    buffer.truncate(length);
    Some(buffer)
}

/// Sets an attribute of a file, for tests.
#[cfg(test)]
pub(crate) fn set_attribute(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::setxattr(path, name, value, XattrFlags::empty()).unwrap();
}

impl Error {
    /// Whether an access control list could not be kept.
    #[cfg(test)]
    fn is_acl_lost(&self) -> bool {
        matches!(self, Self::AclLost { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACL_NAME: &str = "system.posix_acl_access";

    fn rights(list: &[u8]) -> Vec<(u16, u16)> {
        let entries = list[4..].chunks(ENTRY);
        entries
            .map(|entry| (u16::from_le_bytes([entry[0], entry[1]]), u16::from_le_bytes([entry[2], entry[3]])))
            .collect()
    }

    #[test]
    fn a_mode_is_the_mask_of_a_list_and_the_groups_right_without_one() {
        let list = acl_for(7);
        let changed = with_mode(&list, 0o751).unwrap();
        assert_eq!(rights(&changed), [(0x01, 7), (0x02, 6), (0x04, 4), (0x10, 5), (0x20, 1)]);
        let short: Vec<u8> = [&list[..4], &list[4..12], &list[20..28], &list[36..]].concat();
        assert_eq!(rights(&with_mode(&short, 0o640).unwrap()), [(0x01, 6), (0x04, 4), (0x20, 0)]);
        assert!(with_mode(&list[..list.len() - 1], 0o644).is_none() && with_mode(b"", 0).is_none());
    }

    #[test]
    fn a_list_that_cannot_be_given_is_an_error_and_nothing_is_widened() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let odd = Extended { acl: Some(b"odd".to_vec()), ..Extended::default() };
        assert!(odd.give(&file, 0o660, &path).unwrap_err().is_acl_lost());
        // Two entries for the owner: the kernel refuses that.
        let list = acl_for(7);
        let twice = [&list[..12], &list[4..]].concat();
        let refused = Extended { acl: Some(twice), ..Extended::default() };
        assert!(refused.give(&file, 0o660, &path).unwrap_err().is_acl_lost());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_belongs_to_the_old_content_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        for path in [&old, &new] {
            std::fs::write(path, "x").unwrap();
        }
        set_attribute(&old, "user.note", b"n");
        set_attribute(&old, ACL_NAME, &acl_for(7));
        if crate::skip::is_root() {
            // The format of version 2, with the capability to bind low ports.
            let capability = [&0x0200_0001_u32.to_le_bytes()[..], &[0, 4], &[0; 14]].concat();
            set_attribute(&old, "security.capability", &capability);
            set_attribute(&old, "security.label", b"l");
        }
        let extended = Extended::of(std::fs::File::open(&old).unwrap(), &old).unwrap();
        extended.give(std::fs::File::open(&new).unwrap(), 0o660, &new).unwrap();
        assert_eq!(read_attribute(&new, "user.note").as_deref(), Some(&b"n"[..]));
        assert_eq!(read_attribute(&new, ACL_NAME), Some(acl_for(7)));
        assert_eq!(read_attribute(&new, "security.capability"), None);
        assert_eq!(read_attribute(&new, "security.label"), read_attribute(&old, "security.label"));
    }
}
