//! Users and groups from the root's own `passwd` and `group`, and from the machine's other sources if a name is in
//! neither.
//!
//! Without password hashes: the provider reads those, and they are never kept here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Inspect;

/// The text of `/etc/shadow` (shadow(5)), which contains hashes and is wiped after use.
///
/// # Errors
/// Fails if it cannot be read.
pub fn shadow(machine: &dyn Inspect) -> super::Result<Zeroizing<String>> {
    Ok(Zeroizing::new(machine.read_text(Path::new("/etc/shadow"))?.unwrap_or_default()))
}

/// The entry of a group in `/etc/gshadow`, without its password. Programs that change groups use it, not `/etc/group`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShadowGroup {
    /// The users who may change its members.
    pub administrators: Vec<String>,
    /// The users who become members with `newgrp` or `sg`, without a password.
    pub members: Vec<String>,
}

/// The groups of `/etc/gshadow` (gshadow(5)) by name; empty if it does not exist.
///
/// # Errors
/// Fails if it cannot be read.
pub fn shadow_groups(machine: &dyn Inspect) -> super::Result<HashMap<String, ShadowGroup>> {
    let text = Zeroizing::new(machine.read_text(Path::new("/etc/gshadow"))?.unwrap_or_default());
    let group = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| is_name(name))?;
        let (_, administrators, members) = (fields.next()?, fields.next()?, fields.next()?);
        Some((name.to_owned(), ShadowGroup { administrators: list(administrators), members: list(members) }))
    };
    Ok(text.lines().filter_map(group).collect())
}

/// A user of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// The full name or purpose.
    pub comment: String,
    pub home: String,
    pub shell: String,
}

/// A group of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEntry {
    pub name: String,
    pub gid: u32,
    /// Members according to the group database.
    pub members: Vec<String>,
}

/// A database of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Database {
    Passwd,
    Group,
}

impl Database {
    /// Its name for `getent` and nsswitch.conf(5), which is also the name of the root's own file in `/etc`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passwd => "passwd",
            Self::Group => "group",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Passwd => "user",
            Self::Group => "group",
        }
    }
}

/// Sources of accounts other than the root's own files, such as LDAP.
pub trait OtherSources: std::fmt::Debug + Send + Sync {
    /// The entry of a name or a number; `None` if there is none.
    ///
    /// # Errors
    /// Fails if no source could be asked.
    fn line(&self, database: Database, key: &str) -> Result<Option<String>, String>;
}

/// All users and groups.
#[derive(Debug, Default)]
pub struct Accounts {
    users: Vec<Account>,
    groups: Vec<GroupEntry>,
    by_name: HashMap<String, usize>,
    groups_by_name: HashMap<String, usize>,
    uids: HashMap<u32, usize>,
    gids: HashMap<u32, usize>,
    others: Option<Arc<dyn OtherSources>>,
}

impl Accounts {
    /// Parses the texts of `passwd` and `group`. Lines that are not entries (comments, `+` of NIS) are ignored. Of
    /// entries with the same name, the first counts.
    pub fn parse(passwd: &str, group: &str) -> Self {
        let mut accounts = Self::default();
        for user in passwd.lines().filter_map(parse_user) {
            let index = accounts.users.len();
            accounts.by_name.entry(user.name.clone()).or_insert(index);
            accounts.uids.entry(user.uid).or_insert(index);
            accounts.users.push(user);
        }
        for group in group.lines().filter_map(parse_group) {
            let index = accounts.groups.len();
            accounts.groups_by_name.entry(group.name.clone()).or_insert(index);
            accounts.gids.entry(group.gid).or_insert(index);
            accounts.groups.push(group);
        }
        accounts
    }

    /// Adds sources that are asked for names that are not in the files.
    #[must_use]
    pub fn with(mut self, others: Option<Arc<dyn OtherSources>>) -> Self {
        self.others = others;
        self
    }

    /// A user by name.
    pub fn user(&self, name: &str) -> Option<&Account> {
        self.by_name.get(name).map(|i| &self.users[*i])
    }

    /// A group by name.
    pub fn group(&self, name: &str) -> Option<&GroupEntry> {
        self.groups_by_name.get(name).map(|i| &self.groups[*i])
    }

    /// All users, in the order of the file.
    pub fn users(&self) -> &[Account] {
        &self.users
    }

    /// All groups, in the order of the file.
    pub fn groups(&self) -> &[GroupEntry] {
        &self.groups
    }

    /// The id of a user of any source, given by name, or by number if no user has that name.
    pub fn uid(&self, name_or_number: &str) -> Option<u32> {
        let own = self.user(name_or_number).map(|user| user.uid).or_else(|| name_or_number.parse().ok());
        own.or_else(|| self.user_elsewhere(name_or_number).ok().flatten().map(|user| user.uid))
    }

    /// The id of a group of any source, given by name, or by number if no group has that name.
    pub fn gid(&self, name_or_number: &str) -> Option<u32> {
        let own = self.group(name_or_number).map(|group| group.gid).or_else(|| name_or_number.parse().ok());
        own.or_else(|| self.group_elsewhere(name_or_number).ok().flatten().map(|group| group.gid))
    }

    /// A user given by name, from any source, or by number if no user has that name.
    pub fn find_user(&self, name_or_number: &str) -> Option<Cow<'_, Account>> {
        match (self.user(name_or_number), name_or_number.parse::<u32>()) {
            (Some(account), _) => Some(Cow::Borrowed(account)),
            (None, Ok(uid)) => self.uids.get(&uid).map(|i| Cow::Borrowed(&self.users[*i])),
            (None, Err(_)) => self.user_elsewhere(name_or_number).ok().flatten().map(Cow::Owned),
        }
    }

    /// A user that is not in `/etc/passwd`, from another source.
    ///
    /// # Errors
    /// Fails if no source could be asked.
    pub fn user_elsewhere(&self, key: &str) -> Result<Option<Account>, String> {
        Ok(self.line(Database::Passwd, key)?.as_deref().and_then(parse_user))
    }

    /// A group that is not in `/etc/group`, from another source.
    ///
    /// # Errors
    /// Fails if no source could be asked.
    pub fn group_elsewhere(&self, key: &str) -> Result<Option<GroupEntry>, String> {
        Ok(self.line(Database::Group, key)?.as_deref().and_then(parse_group))
    }

    fn line(&self, database: Database, key: &str) -> Result<Option<String>, String> {
        self.others.as_ref().map_or(Ok(None), |others| others.line(database, key))
    }

    /// The message that a name comes from another source than the file of its database, so tools that change the file
    /// cannot create or remove it; `None` if no source has the name.
    ///
    /// # Errors
    /// Fails if no source could be asked.
    pub fn foreign(&self, database: Database, name: &str) -> Result<Option<String>, String> {
        let is_number = name.parse::<u32>().is_ok();
        let is_known = match database {
            _ if is_number => false,
            Database::Passwd => self.user_elsewhere(name)?.is_some(),
            Database::Group => self.group_elsewhere(name)?.is_some(),
        };
        let database = database.name();
        Ok(is_known.then(|| {
            format!("`{name}` comes from another source than /etc/{database} (`{database}:` in /etc/nsswitch.conf)")
        }))
    }

    /// The message that a name does not exist, or that this cannot be told.
    pub fn missing(&self, database: Database, name: &str) -> String {
        let kind = database.kind();
        match self.line(database, name) {
            Ok(_) => format!("the {kind} `{name}` does not exist"),
            Err(why) => format!("whether the {kind} `{name}` exists cannot be told: {why}"),
        }
    }

    /// A user id for people: the name, or the number if no user has it.
    pub fn user_name(&self, uid: u32) -> String {
        if let Some(i) = self.uids.get(&uid) {
            return self.users[*i].name.clone();
        }
        let number = uid.to_string();
        self.user_elsewhere(&number).ok().flatten().map_or(number, |user| user.name)
    }

    /// A group id for people: the name, or the number if no group has it.
    pub fn group_name(&self, gid: u32) -> String {
        if let Some(i) = self.gids.get(&gid) {
            return self.groups[*i].name.clone();
        }
        let number = gid.to_string();
        self.group_elsewhere(&number).ok().flatten().map_or(number, |group| group.name)
    }
}

fn parse_user(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| is_name(name))?;
    let (_, uid, gid) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let mut text = || fields.next().unwrap_or_default().to_owned();
    Some(Account { name: name.to_owned(), uid, gid, comment: text(), home: text(), shell: text() })
}

fn parse_group(line: &str) -> Option<GroupEntry> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| is_name(name))?;
    let (_, gid) = (fields.next()?, fields.next()?.parse().ok()?);
    Some(GroupEntry { name: name.to_owned(), gid, members: list(fields.next().unwrap_or_default()) })
}

fn list(field: &str) -> Vec<String> {
    field.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['+', '-', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_before_numbers_and_foreign_lines_are_passed_over() {
        let passwd = "# comment\nroot:x:0:0:root:/root:/bin/bash\n+nis::::::\n33:x:5:5::/:\nwww:x:33:33::/var/www:/bin/false\n";
        let accounts = Accounts::parse(passwd, "root:x:0:\nadm:x:4:syslog,bob\nbroken\n");
        assert_eq!(accounts.users().len(), 3);
        assert_eq!(accounts.uid("33"), Some(5));
        assert_eq!(accounts.uid("4711"), Some(4711));
        assert_eq!(accounts.uid("nobody"), None);
        assert_eq!(accounts.user_name(33), "www");
        assert_eq!(accounts.user_name(77), "77");
        assert_eq!(accounts.group("adm").unwrap().members, ["syslog", "bob"]);
    }

    #[derive(Debug)]
    struct Directory;

    impl OtherSources for Directory {
        fn line(&self, database: Database, key: &str) -> Result<Option<String>, String> {
            match (database, key) {
                (Database::Passwd, "ldapu" | "60001") => {
                    Ok(Some("ldapu:*:60001:60002::/home/ldapu:/bin/sh".into()))
                }
                (Database::Group, "ldapg" | "60002") => Ok(Some("ldapg:*:60002:ldapu".into())),
                (_, "slow") => Err("it is away".into()),
                _ => Ok(None),
            }
        }
    }

    #[test]
    fn who_is_in_no_file_is_asked_for_elsewhere() {
        let accounts = Accounts::parse("www:x:33:33::/var/www:/bin/false\n", "adm:x:4:\n");
        assert_eq!((accounts.uid("ldapu"), accounts.foreign(Database::Passwd, "ldapu")), (None, Ok(None)));
        let accounts = accounts.with(Some(Arc::new(Directory)));
        assert_eq!((accounts.uid("ldapu"), accounts.gid("ldapg")), (Some(60001), Some(60002)));
        assert_eq!((accounts.uid("60003"), accounts.gid("nobody")), (Some(60003), None));
        assert_eq!((accounts.user_name(60001), accounts.group_name(60002)), ("ldapu".into(), "ldapg".into()));
        assert_eq!((accounts.user_name(7), accounts.group_name(7)), ("7".into(), "7".into()));
        let found = |word: &str| accounts.find_user(word).map(|user| user.home.clone());
        assert_eq!(found("ldapu"), Some("/home/ldapu".into()));
        assert_eq!((found("33"), found("60001")), (Some("/var/www".into()), None));
        assert_eq!(accounts.user("ldapu"), None, "it is not in the file");
        let words = "`ldapg` comes from another source than /etc/group (`group:` in /etc/nsswitch.conf)";
        assert_eq!(accounts.foreign(Database::Group, "ldapg"), Ok(Some(words.into())));
        assert_eq!(accounts.foreign(Database::Group, "60002"), Ok(None), "that is a name which is a number");
        assert!(accounts.foreign(Database::Passwd, "slow").is_err());
        assert!(accounts.missing(Database::Passwd, "slow").ends_with("cannot be told: it is away"));
        assert_eq!(accounts.missing(Database::Group, "no"), "the group `no` does not exist");
    }
}
