//! `postgresql_grant`: privileges of a role on an object of a PostgreSQL server.

use super::attribute::cluster::Cluster;
use super::attribute::database::{Port, SqlName};
use super::attribute::{AccountName, Presence, keywords};
use super::claim::{Claim, Hold};
use super::define::resource_type;
use super::{AttributeError, Implied, Rules};

keywords! {
    /// The kind of object that privileges apply to.
    GrantObject {
        /// The database itself.
        Database = "database",
        /// A schema.
        Schema = "schema",
        /// All tables and views of a schema.
        AllTables = "all_tables",
        /// All sequences of a schema.
        AllSequences = "all_sequences",
        /// One table or view.
        Table = "table",
        /// One sequence.
        Sequence = "sequence",
    }
}

keywords! {
    /// A privilege of PostgreSQL.
    PostgresqlPrivilege {
        /// All that the object has.
        All = "ALL",
        /// Read.
        Select = "SELECT",
        /// Add rows.
        Insert = "INSERT",
        /// Change rows or a sequence.
        Update = "UPDATE",
        /// Remove rows.
        Delete = "DELETE",
        /// Empty a table.
        Truncate = "TRUNCATE",
        /// Refer to a table in a foreign key.
        References = "REFERENCES",
        /// Create triggers on a table.
        Trigger = "TRIGGER",
        /// Create schemas in a database, or objects in a schema.
        Create = "CREATE",
        /// Connect to a database.
        Connect = "CONNECT",
        /// Create temporary tables in a database.
        Temporary = "TEMPORARY",
        /// Use the content of a schema, or a sequence.
        Usage = "USAGE",
    }
}

use PostgresqlPrivilege as P;

impl GrantObject {
    /// The privileges that such an object can have.
    pub fn privileges(self) -> &'static [PostgresqlPrivilege] {
        match self {
            Self::Database => &[P::Create, P::Connect, P::Temporary],
            Self::Schema => &[P::Create, P::Usage],
            Self::Table | Self::AllTables => {
                &[P::Select, P::Insert, P::Update, P::Delete, P::Truncate, P::References, P::Trigger]
            }
            Self::Sequence | Self::AllSequences => &[P::Select, P::Update, P::Usage],
        }
    }

    /// Whether it means all objects of a kind in a schema.
    pub fn is_many(self) -> bool {
        matches!(self, Self::AllTables | Self::AllSequences)
    }
}

resource_type! {
    /// Privileges of a role on a database, a schema, tables or sequences. The title is any name.
    ///
    /// They are the least that the role has: what others granted it stays. `ensure = "absent"` takes exactly these
    /// privileges away from the role itself. Where it still has them, by `PUBLIC`, by a role of which it is a member, or as a superuser,
    /// each report says so. On all tables or sequences of a schema, each run grants them on those that came since the last.
    PostgresqlGrant("postgresql_grant"), titled String {
        /// Whether the privileges are granted to the role.
        property ensure: Presence = Presence::Present,
        /// The role; `public` is every role there is.
        parameter role: SqlName,
        /// The database that the object is in, or is.
        parameter database: SqlName,
        /// What kind of object it is.
        parameter on: GrantObject = GrantObject::Database,
        /// The table, sequence or schema. A schema may be given as `schema` too.
        parameter object: Option<SqlName> => "required for a table or sequence",
        /// The schema that the object is in.
        parameter schema: Option<SqlName> => "`\"public\"`",
        /// The privileges; `"ALL"` is all that such an object has.
        property privileges: Vec<PostgresqlPrivilege> => "required",
        /// Whether the role may grant these privileges to others.
        property with_grant_option: bool = false,
        /// Roles whose later tables (or sequences) in the schema come with these privileges at once; with `all_tables`
        /// and `all_sequences`.
        property default_privileges: Vec<SqlName>,
        /// The server's port, by which its socket is named.
        parameter port: Port = Port::POSTGRESQL,
        /// The account of the machine that is the server's superuser.
        parameter system_user: Option<AccountName> => "`\"postgres\"`",
    }
}

impl PostgresqlGrant {
    /// The server that the object is in.
    pub fn cluster(&self) -> Cluster<'_> {
        Cluster::new(self.port, self.system_user.as_ref())
    }

    /// The schema that the object is in, or is.
    pub fn schema(&self) -> &str {
        let own = self.object.as_ref().filter(|_| self.on == GrantObject::Schema);
        own.or(self.schema.as_ref()).map_or("public", SqlName::as_str)
    }

    /// The privileges, with `ALL` expanded, each once and in the order in which PostgreSQL lists them.
    pub fn each_privilege(&self) -> Vec<PostgresqlPrivilege> {
        let wanted = |one: &P| self.privileges.contains(&P::All) || self.privileges.contains(one);
        self.on.privileges().iter().copied().filter(wanted).collect()
    }

    /// A privilege on an object, as a claim.
    fn claim_of(&self, privilege: P, on: GrantObject, object: &str, hold: Hold) -> Claim {
        let place = format!("{} of {} at port {}", on, self.database, self.port);
        let name = format!("{privilege} on {object}, {place}, for {}", self.role);
        Claim::object("PostgreSQL privilege", name, hold)
    }

    /// The object with its schema; for several objects, only the schema.
    fn object_name(&self) -> String {
        match (self.on, &self.object) {
            (GrantObject::Database, _) => self.database.to_string(),
            (GrantObject::Table | GrantObject::Sequence, Some(object)) => {
                format!("{}.{object}", self.schema())
            }
            _ => self.schema().to_owned(),
        }
    }

    fn wrong_privileges(&self) -> Option<AttributeError> {
        let known = self.on.privileges();
        let words = || known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if self.privileges.is_empty() {
            let error = AttributeError::new("privileges", "attribute `privileges` is missing or empty");
            return Some(error.help(format!("give ALL, or some of {}", words())));
        }
        let wrong = self.privileges.iter().find(|one| **one != P::All && !known.contains(one))?;
        let error = AttributeError::new("privileges", format!("there is no {wrong} on `{}`", self.on));
        Some(error.help(format!("it has {}", words())))
    }

    fn wrong_object(&self) -> Option<AttributeError> {
        let wrong =
            |attribute, message: String, help: &str| Some(AttributeError::new(attribute, message).help(help));
        match (self.on, &self.object, &self.schema) {
            (GrantObject::Table | GrantObject::Sequence, None, _) => {
                let message = format!("on a {}, attribute `object` is missing", self.on);
                wrong("object", message, "give its name, without the schema's")
            }
            (GrantObject::Database | GrantObject::AllTables | GrantObject::AllSequences, Some(_), _) => {
                let message = format!("`object` means nothing on `{}`", self.on);
                wrong("object", message, "leave it out; the database is `database`, the schema `schema`")
            }
            (GrantObject::Database, None, Some(_)) => {
                let message = "`schema` means nothing on `database`".to_owned();
                wrong("schema", message, "leave it out, or use on = \"schema\"")
            }
            (GrantObject::Schema, Some(object), Some(schema)) if object != schema => {
                let message = format!("the schema is `{object}` by `object` and `{schema}` by `schema`");
                wrong("object", message, "give one of the two")
            }
            _ => None,
        }
    }
}

impl Rules for PostgresqlGrant {
    const SETS: &'static [&'static str] = &["privileges", "default_privileges"];

    fn validate(&self) -> Vec<AttributeError> {
        let mut errors: Vec<_> = self.wrong_privileges().into_iter().chain(self.wrong_object()).collect();
        let role = self.role.as_str();
        if role != "public" && role.eq_ignore_ascii_case("public") {
            let message =
                format!("`{role}` would be a role of that name, but all roles together are `public`");
            errors
                .push(AttributeError::new("role", message).help("write it in lower case: role = \"public\""));
        }
        if self.with_grant_option && self.role.as_str() == "public" {
            let error = AttributeError::new("with_grant_option", "`public` cannot grant to others");
            errors.push(error.help("leave `with_grant_option` out, or name a role"));
        }
        if !self.default_privileges.is_empty() && !self.on.is_many() {
            let error = AttributeError::new(
                "default_privileges",
                format!("`default_privileges` means nothing on `{}`", self.on),
            );
            errors.push(error.help("use on = \"all_tables\" or \"all_sequences\""));
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let roles = self.default_privileges.iter().chain([&self.role]);
        let roles = roles.map(|role| ("postgresql_role", role.as_str()));
        let needed = roles.chain([("postgresql_database", self.database.as_str())]);
        let needed = needed.map(|(type_name, title)| Implied::on(type_name, title));
        self.cluster().implied().into_iter().chain(needed).collect()
    }

    fn claims(&self) -> Vec<Claim> {
        let said = match (self.ensure, self.with_grant_option) {
            (Presence::Present, true) => "present, with the right to grant it",
            (Presence::Present, false) => "present",
            (Presence::Absent, _) => "absent",
        };
        let each = self.each_privilege();
        let own = each
            .iter()
            .map(|one| self.claim_of(*one, self.on, &self.object_name(), Hold::Said(said.to_owned())));
        // A privilege on all tables of a schema applies to each of them.
        let many = match self.on {
            GrantObject::Table => Some(GrantObject::AllTables),
            GrantObject::Sequence => Some(GrantObject::AllSequences),
            _ => None,
        };
        let among = many.into_iter().flat_map(|many| {
            let among = |one: &P| self.claim_of(*one, many, self.schema(), Hold::SaidOfPart(said.to_owned()));
            each.iter().map(among).collect::<Vec<_>>()
        });
        own.chain(among).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};
    use crate::value::Value;

    fn grant(attributes: &[(&str, &str)]) -> Result<PostgresqlGrant, Vec<AttributeError>> {
        let mut all: Attributes = [("role", "app"), ("database", "shop"), ("privileges", "ALL")]
            .map(|(name, value)| (name.into(), Value::from(value)))
            .into();
        all.extend(attributes.iter().map(|(name, value)| ((*name).into(), Value::from(*value))));
        PostgresqlGrant::read("app on shop", &all)
    }

    #[test]
    fn all_is_what_the_object_has() {
        let words = |on| grant(&[("on", on)]).unwrap().each_privilege();
        assert_eq!(words("database"), [P::Create, P::Connect, P::Temporary]);
        assert_eq!(words("all_sequences"), [P::Select, P::Update, P::Usage]);
        assert_eq!(words("all_tables").len(), 7);
        let one = grant(&[("privileges", "CONNECT")]).unwrap();
        assert_eq!(one.each_privilege(), [P::Connect]);
    }

    #[test]
    fn what_does_not_fit_the_object_is_refused_with_what_to_do() {
        let wrong: [&[(&str, &str)]; 9] = [
            &[("role", "PUBLIC")],
            &[("privileges", "SELECT")],
            &[("on", "table")],
            &[("on", "all_tables"), ("object", "orders")],
            &[("object", "orders")],
            &[("schema", "public")],
            &[("on", "schema"), ("object", "a"), ("schema", "b")],
            &[("on", "table"), ("object", "orders"), ("default_privileges", "app")],
            &[("privileges", "select")],
        ];
        for attributes in wrong {
            assert_eq!(grant(attributes).unwrap_err().len(), 1, "{attributes:?}");
        }
        let none = PostgresqlGrant::read(
            "x",
            &[("role".into(), "a".into()), ("database".into(), "b".into())].into(),
        );
        assert_eq!(none.unwrap_err()[0].attribute, "privileges");
    }

    #[test]
    fn a_schema_is_named_either_way() {
        assert_eq!(grant(&[("on", "schema")]).unwrap().schema(), "public");
        assert_eq!(grant(&[("on", "schema"), ("object", "app")]).unwrap().schema(), "app");
        assert_eq!(grant(&[("on", "table"), ("object", "t"), ("schema", "app")]).unwrap().schema(), "app");
    }

    #[test]
    fn privileges_go_before_their_role_goes() {
        assert!(grant(&[]).unwrap().implied().contains(&Implied::on("postgresql_role", "app")));
        let absent = grant(&[("ensure", "absent")]).unwrap().implied();
        assert!(absent.contains(&Implied::on("postgresql_role", "app")));
        assert!(absent.contains(&Implied::on("postgresql_database", "shop")));
    }
}
