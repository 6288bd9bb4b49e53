//! `user`: an account of the machine.

use std::collections::BTreeSet;

use super::attribute::{AbsolutePath, AccountName, PasswordHash, Presence, keywords};
use super::claim::{Claim, Hold, PathKind};
use super::define::resource_type;
use super::implied::ancestors;
use super::{AttributeError, AuthorizedKey, Bond, Implied, Rules};

keywords! {
    /// How a list of groups is meant.
    Membership {
        /// At least these.
        Minimum = "minimum",
        /// Exactly these.
        Inclusive = "inclusive",
    }
}

resource_type! {
    /// An account of the machine. The title is its name. An account that comes from another source than /etc/passwd, such as LDAP, is not managed: the resource fails, and names the source.
    User("user"), titled AccountName {
        /// Whether it exists.
        property ensure: Presence = Presence::Present,
        /// Its numeric id.
        property uid: Option<u32> => "left alone; of a new account the next that is free",
        /// Its primary group, by name or numeric id.
        property gid: Option<AccountName> => "left alone; of a new account as `useradd` has it",
        /// Its supplementary groups, which are in /etc/group.
        property groups: Option<Vec<AccountName>>,
        /// Whether `groups` is the least or the whole.
        parameter membership: Membership = Membership::Minimum,
        /// Its home directory.
        property home: Option<AbsolutePath> => "left alone; of a new account as `useradd` has it",
        /// Whether the home directory is made where it is missing, from /etc/skel, moved where `home` changes, and removed with the account. So are its crontab, its jobs of `at` and its `linger`. A directory that is not the user's own, or another's too, is never moved.
        property manage_home: bool = false,
        /// Its login shell: a program that is there, by a package of its name, which comes before, or otherwise.
        property shell: Option<AbsolutePath> => "left alone; of a new account as `useradd` has it",
        /// The hash of its password as in the shadow file, as `mkpasswd` makes it; `!` locks the password. A key still opens the account then; `shell = "/usr/sbin/nologin"` gives it no shell, and `ensure = "absent"` removes it. Never shown. The old hashes of DES are not taken.
        property password: Option<PasswordHash> => "left alone; a new account has none",
        /// Its full name or purpose.
        property comment: Option<String>,
        /// Whether a new account gets an id of the system's range.
        parameter system: bool = false,
        /// Whether keys that no `authorized_key` of the catalog gives to this user are removed, from every file that sshd reads for the user (`AuthorizedKeysFile`), but for files whose content another resource says. Keys in a file that sshd reads for all users are a failure.
        property purge_ssh_keys: bool = false,
    }
}

/// Checks a name: no longer than `LONGEST`, and without characters that have a meaning in the account files.
pub(super) fn name_error(name: &AccountName) -> Option<AttributeError> {
    const MAX_NAME: usize = 32;
    let name = name.as_str();
    if name.contains(':') {
        let message = format!("`{name}` contains a colon, which an account's name cannot");
        return Some(AttributeError::new("title", message).help("write it without"));
    }
    (name.len() > MAX_NAME).then(|| {
        let message = format!("`{name}` has {} bytes", name.len());
        AttributeError::new("title", message).help(format!("a name has at most {MAX_NAME}"))
    })
}

/// The package that brings a shell has its name, or the name of what it is a part of.
fn on_package(shell: &AbsolutePath) -> Implied {
    let name = shell.as_str().rsplit('/').next().unwrap_or_default();
    let whole = match name {
        "git-shell" => "git",
        "rbash" => "bash",
        "rzsh" => "zsh",
        "ksh93" => "ksh",
        name => name,
    };
    Implied::on("package", whole)
}

impl Rules for User {
    const SETS: &'static [&'static str] = &["groups"];

    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        if self.ensure == Presence::Present {
            errors.extend(name_error(&self.title));
        }
        let texts = [
            ("home", self.home.as_ref().map(AbsolutePath::as_str)),
            ("shell", self.shell.as_ref().map(AbsolutePath::as_str)),
            ("comment", self.comment.as_deref()),
        ];
        for (attribute, text) in texts {
            let breaks = |text: &&str| text.contains(|c: char| c == ':' || c.is_control());
            errors.extend(text.filter(breaks).map(|_| {
                let message =
                    format!("`{attribute}` contains a colon, a line break or another control character");
                AttributeError::new(attribute, message)
                    .help("/etc/passwd cannot contain it: write it without")
            }));
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let groups = self.gid.iter().chain(self.groups.iter().flatten());
        let by_number = |group: &AccountName| group.as_str().bytes().all(|byte| byte.is_ascii_digit());
        let mut implied: Vec<_> = groups
            .map(|group| match by_number(group) {
                // Which group has this number is not known here.
                true => Implied::OnAll("group"),
                false => Implied::on_group(group.as_str()),
            })
            .collect();
        implied.extend(self.shell.iter().map(|shell| Implied::on_file(shell.as_str())));
        implied.extend(self.shell.iter().filter(|_| self.ensure == Presence::Present).map(on_package));
        if let (Some(home), false) = (&self.home, self.manage_home) {
            // The account does not require it: a directory above the home may belong to the account itself.
            implied.push(Implied::On(ancestors("file", home.as_str()), Bond::Order));
        }
        if self.ensure == Presence::Absent {
            // An account cannot be removed while a process belongs to it.
            implied.push(Implied::AfterAll("service"));
        }
        implied
    }

    fn claims(&self) -> Vec<Claim> {
        let name = self.title.as_str();
        let mut claims = vec![Claim::entry("/etc/passwd", "account", name, self.ensure)];
        let of_home = |hold| match &self.home {
            Some(home) => Claim::path(home.as_str(), hold),
            None => Claim::in_home(name, "", hold),
        };
        if self.ensure == Presence::Absent {
            claims.extend(self.manage_home.then(|| of_home(Hold::Standing(PathKind::Nothing))));
            return claims;
        }
        claims.push(of_home(Hold::Home(name.to_owned())));
        claims.extend(self.manage_home.then(|| of_home(Hold::Standing(PathKind::Directory))));
        claims.extend(self.uid.map(|uid| Claim::whole("id of a user", uid.to_string())));
        if self.password.is_some() {
            claims.push(Claim::entry("/etc/shadow", "account", name, Presence::Present));
        }
        if let Some(groups) = &self.groups {
            let all: BTreeSet<_> = groups.iter().map(ToString::to_string).collect();
            let member =
                |group: &String| Claim::object("members of the group", group, Hold::Member(name.to_owned()));
            claims.extend(all.iter().map(member));
            if self.membership == Membership::Inclusive {
                claims.push(Claim::object("groups of", name, Hold::Members(all)));
            }
        }
        claims.extend(
            self.purge_ssh_keys
                .then(|| Claim::in_home(name, AuthorizedKey::USUAL, Hold::Rest(AuthorizedKey::ENTRY))),
        );
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};

    fn errors(title: &str, attributes: &[(&str, &str)]) -> Vec<AttributeError> {
        let attributes: Attributes =
            attributes.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
        User::read(title, &attributes).err().unwrap_or_default()
    }

    #[test]
    fn what_passwd_cannot_hold_is_refused_by_name() {
        for (attribute, text) in [
            ("comment", "a:b"),
            ("comment", "a\nroot2::0:0::/:/bin/sh"),
            ("comment", "bell\u{7}"),
            ("home", "/srv/a:b"),
            ("home", "/srv/a\n"),
            ("shell", "/bin/sh\nx"),
            ("shell", "/bin/sh\r"),
        ] {
            let errors = errors("deploy", &[(attribute, text)]);
            assert_eq!(errors.iter().map(|e| e.attribute).collect::<Vec<_>>(), [attribute], "{text:?}");
        }
        assert!(errors("deploy", &[("comment", "Jürgen, Raum 7"), ("home", "/srv/a b")]).is_empty());
    }

    #[test]
    fn a_name_that_no_machine_takes_is_told_before_it_is_tried() {
        assert_eq!(errors("a:b", &[]).len(), 1);
        assert!(errors(&"a".repeat(33), &[])[0].message.contains("33 bytes"));
        assert!(errors(&"a".repeat(32), &[]).is_empty());
        assert!(errors(&"a".repeat(33), &[("ensure", "absent")]).is_empty());
    }

    #[test]
    fn a_password_that_is_no_hash_is_refused_and_not_quoted() {
        let errors = errors("deploy", &[("password", "hunter2")]);
        assert_eq!(errors[0].attribute, "password");
        assert!(!format!("{errors:?}").contains("hunter2"));
    }
}
