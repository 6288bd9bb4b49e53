//! `mysql_user`: an account of a MariaDB server.

use std::fmt;

use super::attribute::database::is_name;
use super::attribute::{Presence, Secret};
use super::claim::Claim;
use super::define::resource_type;
use super::{Attribute, AttributeError, AttributeKind, Implied, Mismatch, Rules};
use crate::value::Value;

/// The user who connects, and from where: `app@localhost`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MysqlAccount {
    pub user: String,
    /// The host or hosts: a name, an address, a network, or a pattern with `%`.
    pub host: String,
}

impl fmt::Display for MysqlAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.host)
    }
}

impl Attribute for MysqlAccount {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let why = || Mismatch::because(format!("is `{}`, which is not an account", text.escape_debug()));
        let Some((user, host)) = text.rsplit_once('@') else {
            return Err(why().help("write user@host, such as `app@localhost` or `app@%`"));
        };
        if !is_name(user, b"_-.+$", 80) {
            return Err(why().help("the user is letters, digits, `_`, `-`, `.`, `+`, `$`; at most 80"));
        }
        let in_host = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.:%/".contains(&b);
        if host.is_empty() || host.len() > 255 || host.starts_with('-') || !host.bytes().all(in_host) {
            return Err(
                why().help("the host is a name in lower case, an address, a network or a pattern with `%`")
            );
        }
        Ok(Self { user: user.to_owned(), host: host.to_owned() })
    }
}

/// A plugin of the server that authenticates accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthPlugin(String);

impl AuthPlugin {
    /// The plugin that compares passwords, which is the default.
    pub const PASSWORD: &'static str = "mysql_native_password";

    /// The name of the plugin.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AuthPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for AuthPlugin {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        if is_name(text, b"_", 64) && !text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Ok(Self(text.to_owned()));
        }
        let why = format!("is `{}`, which is not a plugin", text.escape_debug());
        Err(Mismatch::because(why).help("such as `unix_socket` or `mysql_native_password`"))
    }
}

resource_type! {
    /// An account of a MariaDB server (10.4 or later). The title is `user@host`.
    ///
    /// The agent runs the client `mariadb` as root over the local socket, with what root's option files say. The account
    /// that it connects as is never removed, and never changed so that it could connect no more.
    MysqlUser("mysql_user"), titled MysqlAccount {
        /// Whether it exists. A new account without `password` and `plugin` cannot connect.
        property ensure: Presence = Presence::Present,
        /// Its password, or the hash `*…` of one. Only a hash is sent to the server, so that no log
        /// of the server holds the password. Never shown.
        property password: Option<Secret>,
        /// The plugin by which it is known, such as `unix_socket`, as the only one. With
        /// `mysql_native_password` and no `password`, the account keeps the password that it has.
        property plugin: Option<AuthPlugin>,
        /// How many connections it may have at a time; 0 is as many as the server lets everyone have.
        property max_connections: Option<u32>,
        /// Whether it must connect by TLS.
        property require_tls: Option<bool>,
    }
}

impl Rules for MysqlUser {
    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        errors.extend(self.password.as_ref().and_then(|password| wrong_password(&password.expose())));
        if self.password.is_some()
            && let Some(plugin) =
                self.plugin.as_ref().filter(|plugin| plugin.as_str() != AuthPlugin::PASSWORD)
        {
            let error = AttributeError::new("password", format!("`{plugin}` takes no `password` from here"));
            errors.push(
                error.help(format!("remove one of the two, or use plugin = \"{}\"", AuthPlugin::PASSWORD)),
            );
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        server()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::whole("MariaDB account", self.title.to_string())]
    }
}

/// What is wrong with a password, without quoting it.
fn wrong_password(password: &str) -> Option<AttributeError> {
    if password.is_empty() {
        let error = AttributeError::new("password", "`password` is empty");
        return Some(error.help("anyone could connect with an empty password; leave it out, or set one"));
    }
    None
}

/// The hash that a text is, in capitals as the server writes it, if it has the form of one.
pub fn as_hash(text: &str) -> Option<String> {
    let digits = text.strip_prefix('*')?;
    let hash = digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    hash.then(|| text.to_ascii_uppercase())
}

/// The server's package and service, by their usual names, which come before.
pub(super) fn server() -> Vec<Implied> {
    let packages = ["mariadb-server", "default-mysql-server"].map(|name| Implied::on("package", name));
    let services = ["mariadb", "mysql", "mysqld"].map(|name| Implied::on("service", name));
    packages.into_iter().chain(services).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};

    fn user(title: &str, attributes: &[(&str, Value)]) -> Result<MysqlUser, Vec<AttributeError>> {
        let attributes: Attributes = attributes.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
        MysqlUser::read(title, &attributes)
    }

    #[test]
    fn an_account_is_a_user_and_a_host() {
        for good in
            ["app@localhost", "app-1@%", "app@10.0.0.0/255.255.255.0", "app@web%.acme.example", "a@::1"]
        {
            assert_eq!(user(good, &[]).unwrap().title.to_string(), good);
        }
        for bad in
            ["app", "@localhost", "app@", "a'b@localhost", "a@b@c", "app@Host", "app@h'", "a b@h", "app@-h"]
        {
            assert!(user(bad, &[]).unwrap_err()[0].help.is_some(), "{bad}");
        }
    }

    #[test]
    fn a_password_goes_with_the_plugin_that_has_one() {
        let password = || ("password", Value::from("hunter2"));
        assert!(user("app@%", &[password(), ("plugin", "mysql_native_password".into())]).is_ok());
        assert!(user("app@%", &[password(), ("plugin", "unix_socket".into())]).is_err());
        assert!(user("app@%", &[("plugin", "unix_socket".into())]).is_ok());
        assert!(user("app@%", &[("password", "".into())]).is_err());
        assert!(user("app@%", &[("plugin", "a'b".into())]).is_err());
    }

    #[test]
    fn hashes_are_told_from_passwords() {
        let hash = format!("*{}", "0a".repeat(20));
        assert_eq!(as_hash(&hash), Some(hash.to_ascii_uppercase()));
        for plain in ["*short", "hunter2", &hash[1..], &format!("*{}", "0g".repeat(20))] {
            assert_eq!(as_hash(plain), None, "{plain}");
        }
    }
}
