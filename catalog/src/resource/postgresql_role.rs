//! `postgresql_role`: a role of a PostgreSQL server, which is a user or a group of users.

use super::attribute::cluster::Cluster;
use super::attribute::database::{ConnectionLimit, Port, SqlName};
use super::attribute::{AccountName, Presence, Secret};
use super::claim::Claim;
use super::define::resource_type;
use super::user::Membership;
use super::{AttributeError, Implied, Rules};

resource_type! {
    /// A role of a PostgreSQL server: who connects, owns and is granted something. The title is its name.
    ///
    /// The agent runs `psql` as the server's own account over the local socket. The role that it connects as is never
    /// removed and keeps its rights. A role that owns something or holds privileges cannot be removed: PostgreSQL says
    /// what is in the way.
    PostgresqlRole("postgresql_role"), titled SqlName {
        /// Whether it exists.
        property ensure: Presence = Presence::Present,
        /// Its password, or the verifier `SCRAM-SHA-256$…` made of one. Only a verifier is sent to
        /// the server, so that no log of the server holds the password. Never shown.
        property password: Option<Secret>,
        /// Whether it may connect.
        property login: bool = true,
        /// Whether it may do everything.
        property superuser: bool = false,
        /// Whether it may make databases.
        property createdb: bool = false,
        /// Whether it may make roles.
        property createrole: bool = false,
        /// Whether it may replicate the server.
        property replication: bool = false,
        /// Whether it has the privileges of the roles that it is a member of without asking for them.
        property inherit: bool = true,
        /// How many connections it may have at a time; -1 means no limit.
        property connection_limit: ConnectionLimit = ConnectionLimit::NONE,
        /// Roles that it is a member of.
        property member_of: Option<Vec<SqlName>>,
        /// Whether `member_of` is the least or the whole.
        parameter membership: Membership = Membership::Minimum,
        /// The server's port, by which its socket is named.
        parameter port: Port = Port::POSTGRESQL,
        /// The account of the machine that is the server's superuser.
        parameter system_user: Option<AccountName> => "`\"postgres\"`",
    }
}

impl PostgresqlRole {
    /// The server that the role is in.
    pub fn cluster(&self) -> Cluster<'_> {
        Cluster::new(self.port, self.system_user.as_ref())
    }
}

impl Rules for PostgresqlRole {
    const SETS: &'static [&'static str] = &["member_of"];

    fn validate(&self) -> Vec<AttributeError> {
        let name = self.title.as_str();
        let mut errors = Vec::new();
        if name.starts_with("pg_") || matches!(name, "public" | "none") {
            let error = AttributeError::new("title", format!("`{name}` is reserved by PostgreSQL"));
            errors.push(error.help("use another name; `public` and the `pg_…` roles exist already"));
        }
        errors.extend(self.password.as_ref().and_then(|password| wrong_password(&password.expose())));
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let mut implied = self.cluster().implied();
        let groups = self.member_of.iter().flatten();
        implied.extend(groups.map(|role| Implied::on("postgresql_role", role.as_str())));
        if self.ensure == Presence::Absent {
            // A role that owns something or holds privileges is not dropped, and this run may give those to another.
            implied.extend(["postgresql_database", "postgresql_grant"].map(Implied::AfterAll));
        }
        implied
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::whole("PostgreSQL role", format!("{} at port {}", self.title, self.port))]
    }
}

/// What is wrong with a password, without quoting it.
fn wrong_password(password: &str) -> Option<AttributeError> {
    let error = |message: &str, help: &str| Some(AttributeError::new("password", message).help(help));
    let hex = |text: &str| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if password.is_empty() {
        return error("`password` is empty", "an empty password is not a password: leave it out");
    }
    if password.strip_prefix("md5").is_some_and(hex) {
        return error("`password` is an MD5 hash", "give the password itself, or a SCRAM-SHA-256 verifier");
    }
    if password.starts_with("SCRAM-SHA-256$") && !is_verifier(password) {
        return error(
            "`password` begins like a SCRAM-SHA-256 verifier but is not one",
            "it is SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER, the last three in Base64; as `pg_authid` has it",
        );
    }
    if !password.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return error(
            "`password` contains characters that are not ASCII",
            "give another, or the SCRAM-SHA-256 verifier that psql's \\password makes of it",
        );
    }
    None
}

/// Whether a text is a SCRAM-SHA-256 verifier: the server takes anything else for a password.
pub fn is_verifier(text: &str) -> bool {
    let decoded = |text: &str| data_encoding::BASE64.decode(text.as_bytes()).map_or(0, |bytes| bytes.len());
    let read = || {
        let (head, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let ((iterations, salt), (stored, server)) = (head.split_once(':')?, keys.split_once(':')?);
        let number =
            iterations.parse::<u32>().is_ok_and(|count| count > 0 && count.to_string() == iterations);
        Some(number && decoded(salt) > 0 && decoded(stored) == 32 && decoded(server) == 32)
    };
    read().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};
    use crate::value::{Kind, Sensitive, Value};

    fn role(name: &str, attributes: &[(&str, Value)]) -> Result<PostgresqlRole, Vec<AttributeError>> {
        let attributes: Attributes = attributes.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
        PostgresqlRole::read(name, &attributes)
    }

    #[test]
    fn names_of_the_server_are_refused() {
        assert!(role("shop", &[]).is_ok());
        for own in ["pg_monitor", "public", "none"] {
            assert!(role(own, &[]).unwrap_err()[0].help.is_some(), "{own}");
        }
    }

    #[test]
    fn a_password_is_itself_or_a_verifier_and_is_never_quoted() {
        let secret = |text: &str| ("password", Kind::Sensitive(Sensitive::text(text)).into());
        let key = data_encoding::BASE64.encode(&[7; 32]);
        for good in ["hunter2", &format!("SCRAM-SHA-256$4096:c2FsdA==${key}:{key}"), "md5sum"] {
            assert!(role("shop", &[secret(good)]).is_ok(), "{good}");
        }
        let md5 = format!("md5{}", "0a".repeat(16));
        let zero = format!("SCRAM-SHA-256$04096:c2FsdA==${key}:{key}");
        let short = format!("SCRAM-SHA-256$4096:c2FsdA==$c2hvcnQ=:{key}");
        for bad in ["", &md5, "SCRAM-SHA-256$x", &zero, &short, "pässword", "two\nlines"] {
            let errors = role("shop", &[secret(bad)]).unwrap_err();
            assert!(errors[0].help.is_some(), "{bad}");
            assert!(bad.is_empty() || !format!("{errors:?}").contains(bad), "{errors:?}");
        }
    }

    #[test]
    fn a_role_comes_after_those_it_is_a_member_of_and_the_server() {
        let implied = role("shop", &[("member_of", "shops".into())]).unwrap().implied();
        assert!(implied.contains(&Implied::on("postgresql_role", "shops")));
        assert!(implied.contains(&Implied::on("service", "postgresql")));
        assert!(implied.contains(&Implied::on("user", "postgres")));
    }
}
