//! Users and groups, from the root's own `passwd` and `group`.
//!
//! Without password hashes: the provider reads those, and they are never kept here.

use std::collections::HashMap;
use std::path::Path;

use zeroize::Zeroizing;

use super::Inspect;

/// The text of `/etc/shadow` (shadow(5)), which contains hashes and is wiped after use.
///
/// # Errors
/// Fails if it cannot be read.
pub fn shadow(machine: &dyn Inspect) -> super::Result<Zeroizing<String>> {
    Ok(Zeroizing::new(machine.read_text(Path::new("/etc/shadow"))?.unwrap_or_default()))
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

/// All users and groups.
#[derive(Debug, Default)]
pub struct Accounts {
    users: Vec<Account>,
    groups: Vec<GroupEntry>,
    by_name: HashMap<String, usize>,
    groups_by_name: HashMap<String, usize>,
    uids: HashMap<u32, usize>,
    gids: HashMap<u32, usize>,
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

    /// The id of a user, given by name, or by number if no user has that name.
    pub fn uid(&self, name_or_number: &str) -> Option<u32> {
        self.user(name_or_number).map(|user| user.uid).or_else(|| name_or_number.parse().ok())
    }

    /// The id of a group, given by name, or by number if no group has that name.
    pub fn gid(&self, name_or_number: &str) -> Option<u32> {
        self.group(name_or_number).map(|group| group.gid).or_else(|| name_or_number.parse().ok())
    }

    /// A user id for people: the name, or the number if no user has it.
    pub fn user_name(&self, uid: u32) -> String {
        self.uids.get(&uid).map_or_else(|| uid.to_string(), |i| self.users[*i].name.clone())
    }

    /// A group id for people: the name, or the number if no group has it.
    pub fn group_name(&self, gid: u32) -> String {
        self.gids.get(&gid).map_or_else(|| gid.to_string(), |i| self.groups[*i].name.clone())
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
    let members = fields.next().unwrap_or_default();
    let members = members.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
    Some(GroupEntry { name: name.to_owned(), gid, members })
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
}
