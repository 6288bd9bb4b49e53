//! `authorized_key`: a key that opens an account over SSH.

use super::attribute::{AbsolutePath, AccountName, KeyOption, KeyType, Presence, SshPublicKey};
use super::claim::{Claim, FilePiece, Hold};
use super::define::resource_type;
use super::{AttributeError, Bond, Implied, ResourceRef, Rules};

resource_type! {
    /// A key that opens an account over SSH: a line of the user's `authorized_keys`. The title is any name; it becomes the
    /// comment of the line, whatever comment the key came with. A key is known by its material, and by the title where that
    /// is there no more: so a new key takes the place of the old one. Other keys stay, but for `purge_ssh_keys` of `user`.
    AuthorizedKey("authorized_key"), titled String {
        /// Whether the key is in the file. The file and its directory are then such that sshd reads them, and it is a failure where sshd reads other files of that user (`AuthorizedKeysFile`). Whether it lets the user in at all, such as by `AllowUsers`, is not looked at. `absent` without `target` is: in no file that sshd reads for the user; it is a failure where the key stays in one.
        property ensure: Presence = Presence::Present,
        /// The user whose account it opens.
        parameter user: AccountName,
        /// The key's type, where it is to be that.
        property r#type: Option<KeyType> => "as the key says",
        /// The public key: its base64, or the whole line of the `.pub` file.
        property key: SshPublicKey,
        /// Exactly the options of the key, in order, such as `"no-pty"` or `'from="192.0.2.0/24"'`.
        property options: Vec<KeyOption>,
        /// The file that sshd reads.
        parameter target: Option<AbsolutePath> => "`~/.ssh/authorized_keys`",
    }
}

impl AuthorizedKey {
    /// The usual file of keys, relative to a user's home directory.
    pub const USUAL: &'static str = ".ssh/authorized_keys";
    /// What its line is called in a claim.
    pub const ENTRY: &'static str = "key";

    /// The comment of its line: the title, which stays the same when the key is replaced.
    pub fn comment(&self) -> &str {
        self.title.trim()
    }

    /// Its options as they are in the line.
    pub fn options_text(&self) -> String {
        self.options.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

impl Rules for AuthorizedKey {
    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        if self.title.contains(char::is_control) || self.title.trim().is_empty() {
            let error = AttributeError::new("title", "the title is empty or contains a control character");
            errors.push(error.help("it becomes the key's comment: use one line of text"));
        }
        if self.r#type.is_some_and(|written| written != self.key.key_type()) {
            let message = format!("`type` is not that of the key, which is `{}`", self.key.key_type());
            errors.push(AttributeError::new("type", message).help("leave `type` out, or give the other key"));
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let user = Implied::on("user", self.user.as_str());
        match &self.target {
            Some(target) => vec![user, Implied::on_path(target.as_str())],
            None => {
                // Only the machine knows where the home directory is; these are the usual places.
                let home = if self.user.as_str() == "root" {
                    "/root".into()
                } else {
                    format!("/home/{}", self.user)
                };
                let usual = [format!("{home}/.ssh"), home].map(|path| ResourceRef::new("file", path));
                vec![user, Implied::On(usual.into(), Bond::Part)]
            }
        }
    }

    fn claims(&self) -> Vec<Claim> {
        let piece = |name: &str| {
            let piece = FilePiece::Entry { of: Self::ENTRY, name: name.to_owned() };
            let hold = Hold::Piece(piece, self.ensure);
            match &self.target {
                Some(target) => Claim::path(target.as_str(), hold),
                None => Claim::in_home(self.user.as_str(), Self::USUAL, hold),
            }
        };
        [self.comment(), self.key.material()].into_iter().map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType as _};
    use crate::value::Value;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJZTZYpbxf5B6S7xh0bZmyP1yAyuoVYuBQSyfDbYq0sG";

    fn read(title: &str, attributes: &[(&str, Value)]) -> Result<AuthorizedKey, Vec<AttributeError>> {
        let user = [("user".into(), "alice".into())];
        let attributes: Attributes =
            attributes.iter().map(|(k, v)| ((*k).into(), v.clone())).chain(user).collect();
        AuthorizedKey::read(title, &attributes)
    }

    #[test]
    fn the_title_is_the_comment_whatever_the_key_came_with() {
        assert_eq!(read("laptop ", &[("key", KEY.into())]).unwrap().comment(), "laptop");
        let line = format!("ssh-ed25519 {KEY} alice@home");
        assert_eq!(read("laptop", &[("key", line.into())]).unwrap().comment(), "laptop");
        let options = Value::from(vec![Value::from("no-pty"), Value::from("from=\"::1\"")]);
        let key = read("laptop", &[("key", KEY.into()), ("options", options)]).unwrap();
        assert_eq!(key.options_text(), "no-pty,from=\"::1\"");
    }

    #[test]
    fn no_text_becomes_another_line() {
        let wrong = |title: &str, extra: (&str, Value)| {
            read(title, &[("key", KEY.into()), extra]).unwrap_err()[0].attribute
        };
        assert_eq!(wrong("a\nssh-rsa x", ("ensure", "present".into())), "title");
        assert_eq!(wrong("a", ("type", "ssh-rsa".into())), "type");
        assert_eq!(wrong("a", ("options", "no-pty\nssh-rsa".into())), "options");
        assert_eq!(read("a", &[]).unwrap_err()[0].attribute, "key");
    }
}
