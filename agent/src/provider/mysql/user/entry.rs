//! An account in `mysql.global_priv` (MariaDB 10.4 and later).

use holdfast_catalog::resource::mysql_user::{AuthPlugin, MysqlAccount};
use serde::Deserialize;

use super::super::quoting::literal;

/// An existing account.
#[derive(Debug, Deserialize)]
pub struct MysqlUserRow {
    user: String,
    host: String,
    /// The account that the agent is connected as.
    me: String,
    privileges: Privileges,
}

/// The relevant part of what the server keeps about an account.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Privileges {
    #[serde(flatten)]
    main: AuthMethod,
    /// Authentication methods, of which one is enough; an empty one stands for the main one.
    auth_or: Vec<AuthMethod>,
    max_user_connections: i64,
    ssl_type: u8,
    is_role: bool,
}

/// An authentication method.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AuthMethod {
    plugin: String,
    authentication_string: String,
}

/// The query for these accounts.
pub fn question<'a>(accounts: impl Iterator<Item = &'a MysqlAccount>) -> String {
    let pair = |account: &MysqlAccount| format!("({}, {})", literal(&account.user), literal(&account.host));
    let pairs: Vec<_> = accounts.map(pair).collect();
    format!(
        "SELECT JSON_OBJECT('user', User, 'host', Host, 'me', CURRENT_USER(), 'privileges', JSON_COMPACT(Priv))
FROM mysql.global_priv WHERE (User, Host) IN ({});
",
        pairs.join(", ")
    )
}

impl MysqlUserRow {
    /// Whether it is this account.
    pub fn is_of(&self, account: &MysqlAccount) -> bool {
        !self.privileges.is_role && self.user == account.user && self.host == account.host
    }

    /// Whether it is the account that the agent connects as.
    pub fn is_me(&self) -> bool {
        self.me == format!("{}@{}", self.user, self.host)
    }

    fn ways(&self) -> Vec<&AuthMethod> {
        let Privileges { main, auth_or, .. } = &self.privileges;
        if auth_or.is_empty() {
            return vec![main];
        }
        auth_or.iter().map(|way| if way.plugin.is_empty() { main } else { way }).collect()
    }

    /// The plugins by which it is authenticated.
    pub fn plugins(&self) -> String {
        self.ways().iter().map(|way| way.plugin.as_str()).collect::<Vec<_>>().join(" or ")
    }

    /// Whether a password with this hash authenticates it, and nothing else does.
    pub fn is_known_by_hash(&self, hash: &str) -> bool {
        let by_hash = |way: &AuthMethod| {
            way.plugin == AuthPlugin::PASSWORD && way.authentication_string.eq_ignore_ascii_case(hash)
        };
        matches!(self.ways()[..], [way] if by_hash(way))
    }

    /// The hash of its password, if a password is one of its methods.
    pub fn hash(&self) -> Option<&str> {
        let ways = self.ways().into_iter().filter(|way| way.plugin == AuthPlugin::PASSWORD);
        ways.map(|way| way.authentication_string.as_str()).find(|hash| !hash.is_empty())
    }

    /// The number of connections that it may have at a time.
    pub fn max_connections(&self) -> i64 {
        self.privileges.max_user_connections
    }

    /// Whether it must connect over TLS, perhaps with a certificate.
    pub fn requires_tls(&self) -> bool {
        self.privileges.ssl_type > 0
    }
}
