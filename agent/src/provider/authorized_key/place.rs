//! Where the key file of a user is, and whether sshd accepts it: it refuses a file that others could have written.

use std::borrow::Cow;
use std::path::Path;

use holdfast_catalog::resource::AuthorizedKey;

use crate::provider::{Error, Need, Writing};
use crate::system::accounts::Account;
use crate::system::{Accounts, Committed, FileKind, Inspect, Permissions, Stat};

/// The largest file that is edited, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The key file of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::provider) struct KeysFile {
    pub(in crate::provider) file: String,
    /// The directory to create, if the file is the one in the home directory.
    own_dir: Option<String>,
    uid: u32,
    gid: u32,
}

/// The user of a key by name, who may come from another source than the machine's own files.
pub(super) fn account<'a>(want: &AuthorizedKey, accounts: &'a Accounts) -> Option<Cow<'a, Account>> {
    let name = want.user.as_str();
    accounts.find_user(name).filter(|found| found.name == name || name.parse::<u32>().is_err())
}

impl KeysFile {
    /// The file for a key; `None` if its user does not exist, or has no home directory.
    pub(super) fn of(want: &AuthorizedKey, accounts: &Accounts) -> Option<Self> {
        let user = account(want, accounts)?;
        match &want.target {
            Some(target) => Some(Self::at(target.as_str(), &user)),
            None => Self::at_home(&user),
        }
    }

    /// At a path.
    pub(super) fn at(path: &str, user: &Account) -> Self {
        Self { file: path.to_owned(), own_dir: None, uid: user.uid, gid: user.gid }
    }

    /// The file in a user's home directory.
    pub(in crate::provider) fn at_home(user: &Account) -> Option<Self> {
        let home = user.home.trim_end_matches('/');
        let is_path = home.starts_with('/') && !home.split('/').any(|part| matches!(part, "." | ".."));
        is_path.then(|| Self {
            file: format!("{home}/.ssh/authorized_keys"),
            own_dir: Some(format!("{home}/.ssh")),
            uid: user.uid,
            gid: user.gid,
        })
    }

    /// The text of the file. It is empty if there is no file, or one that the user could not read: sshd takes no keys
    /// from that. What is written back belongs to the user, who may have linked another's file there to learn its
    /// content.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or is too large.
    pub(in crate::provider) fn read(&self, machine: &dyn Inspect) -> Result<Vec<u8>, Error> {
        let path = Path::new(&self.file);
        match machine.open(path)? {
            Some(opened) if self.is_known(opened.stat) => Ok(opened.read(path, MAX_BYTES)?),
            _ => Ok(Vec::new()),
        }
    }

    /// The directory that must exist first, if it does not.
    pub(super) fn missing(&self, machine: &dyn Inspect) -> Result<Option<Need>, Error> {
        let inner = Path::new(self.own_dir.as_deref().unwrap_or(&self.file));
        let folder = inner.parent().unwrap_or(Path::new("/"));
        let is_there = machine.stat(folder)?.is_some_and(|stat| stat.kind == FileKind::Directory);
        let need = || Need::path(folder, format!("there is no directory {}", folder.display()));
        Ok((!is_there).then(need))
    }

    /// Why sshd would not read the file.
    pub(super) fn refusal(&self, machine: &dyn Inspect) -> Result<Option<String>, Error> {
        for path in self.own_dir.iter().chain([&self.file]) {
            if let Some(stat) = machine.stat(Path::new(path))?
                && !self.is_safe(stat)
            {
                return Ok(Some(format!(
                    "{path} belongs to user id {} and has mode {:04o}",
                    stat.uid, stat.mode
                )));
            }
        }
        self.home_refusal(machine)
    }

    /// Why sshd would read nothing in the home directory: others can write it. That is not corrected here, since there
    /// may be a reason for it.
    pub(super) fn home_refusal(&self, machine: &dyn Inspect) -> Result<Option<String>, Error> {
        let Some(home) = self.own_dir.as_deref().and_then(|dir| Path::new(dir).parent()) else {
            return Ok(None);
        };
        let Some(stat) = machine.stat(home)? else { return Ok(None) };
        let said = format!(
            "the home {} belongs to user id {} and has mode {:04o}",
            home.display(),
            stat.uid,
            stat.mode
        );
        if !matches!(stat.uid, uid if uid == 0 || uid == self.uid) || stat.mode & 0o002 != 0 {
            return Ok(Some(said));
        }
        let accounts = machine.accounts()?;
        let is_shared = stat.mode & 0o020 != 0 && !self.is_alone_in(stat, &accounts);
        let group = || accounts.group_name(stat.gid);
        Ok(is_shared
            .then(|| format!("{said}, which its group `{}` can write, and not only the user", group())))
    }

    /// Whether the file's group belongs to the user alone, as Debian's sshd requires of a group that can write: it is
    /// the primary group of nobody else, and its only member is the owner.
    fn is_alone_in(&self, stat: Stat, accounts: &Accounts) -> bool {
        let Some(group) = accounts.groups().iter().find(|group| group.gid == stat.gid) else { return false };
        let mut primary = accounts.users().iter().filter(|user| user.gid == stat.gid).peekable();
        let has_some = primary.peek().is_some() || !group.members.is_empty();
        let is_listed_alone = match &group.members[..] {
            [] => true,
            [one] => *one == accounts.user_name(stat.uid),
            _ => false,
        };
        has_some && is_listed_alone && primary.all(|user| user.uid == self.uid)
    }

    /// Whether it belongs to the user, or to root with read access for the user.
    fn is_known(&self, stat: Stat) -> bool {
        stat.uid == self.uid || (stat.uid == 0 && stat.mode & 0o004 != 0)
    }

    /// Whether sshd accepts it: others cannot write it.
    fn is_safe(&self, stat: Stat) -> bool {
        self.is_known(stat) && stat.mode & 0o022 == 0
    }

    /// Rewrites the text with `edit`, in a file and a directory that sshd accepts.
    pub(in crate::provider) fn rewrite(
        &self,
        writing: Writing<'_>,
        edit: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<(), Error> {
        let machine = writing.machine;
        let path = Path::new(&self.file);
        let edited = edit(&self.read(machine)?);
        self.make_dir(writing, edited.is_empty())?;
        let kept = machine.stat(path)?.filter(|stat| self.is_safe(*stat));
        if kept.is_none() && edited.is_empty() {
            return Ok(machine.remove(path)?);
        }
        let access = match kept {
            Some(stat) => Permissions { mode: stat.mode, uid: Some(stat.uid), gid: Some(stat.gid) },
            None => self.new_access(machine)?,
        };
        match machine.stage(path, access, &mut &*edited)?.commit()? {
            Committed::Whole | Committed::InPlace => Ok(()),
        }
    }

    /// A new file belongs to the user if its directory does; elsewhere to root, and the user can read it.
    fn new_access(&self, machine: &dyn Inspect) -> Result<Permissions, Error> {
        let folder = Path::new(&self.file).parent().unwrap_or(Path::new("/"));
        let is_users = machine.stat(folder)?.is_some_and(|stat| stat.uid == self.uid);
        Ok(if is_users || self.own_dir.is_some() {
            Permissions { mode: 0o600, uid: Some(self.uid), gid: Some(self.gid) }
        } else {
            Permissions { mode: 0o644, uid: Some(0), gid: Some(0) }
        })
    }

    /// Makes the directory, or makes it one that sshd accepts. If there is nothing to write, it is left alone.
    ///
    /// A directory that belongs to another user is never given to this one, who may have moved it there. It is removed,
    /// which works only if it is empty.
    fn make_dir(&self, writing: Writing<'_>, nothing: bool) -> Result<(), Error> {
        let Some(dir) = self.own_dir.as_deref().filter(|_| !nothing) else { return Ok(()) };
        let path = Path::new(dir);
        let machine = writing.machine;
        match machine.stat(path)? {
            Some(stat) if self.is_safe(stat) => return Ok(()),
            Some(stat) if stat.uid == self.uid => return Ok(machine.set_mode(path, 0o700)?),
            Some(_) => {
                machine.remove(Path::new(&self.file))?;
                machine.remove(path).map_err(|error| {
                    Error::Refused(format!(
                        "sshd does not accept keys from {dir}, which belongs to another user; it is not replaced \
                         ({error}): check what it contains, then remove it or give it to the user"
                    ))
                })?;
            }
            None => {}
        }
        let access = Permissions { mode: 0o700, uid: Some(self.uid), gid: Some(self.gid) };
        Ok(machine.make_dir(path, access)?)
    }
}
