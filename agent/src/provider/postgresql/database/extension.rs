//! Extensions, whose scripts are the server's own while their database may be a tenant's.
//!
//! A script is run by a superuser and finds what it calls in `public`, too. Where others may create there, they could have
//! put what it would call: such a database is given an extension only as its owner, who may have those that the server
//! trusts for that, and no others.

use holdfast_catalog::resource::PostgresqlDatabase;
use serde::Deserialize;

use super::super::quoting::identifier;
use super::{extensions, itself};
use crate::provider::{Error, Writing};

/// Whether somebody else than a superuser may create in `public`, or may make it anew; and whose the database is.
const QUESTION: &str = "SELECT json_build_object('owner', o.rolname, 'is_superuser', o.rolsuper,
 'is_open', NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = 'public') OR EXISTS (
  SELECT FROM pg_namespace n, pg_roles r WHERE n.nspname = 'public' AND NOT r.rolsuper
   AND left(r.rolname, 3) <> 'pg_' AND has_schema_privilege(r.oid, n.oid, 'CREATE')))
FROM pg_database d JOIN pg_roles o ON o.oid = d.datdba WHERE d.datname = current_database();
";

/// The template that nobody can connect to.
const CLEAN_TEMPLATE: &str = "template0";

/// How a database stands.
#[derive(Deserialize)]
struct DatabaseStatus {
    owner: String,
    is_superuser: bool,
    is_open: bool,
}

/// Adds what lacks in a database that was just made, and that nobody could connect to yet.
pub(super) fn add_first(want: &PostgresqlDatabase, writing: Writing<'_>) -> Result<(), Error> {
    if want.template.as_str() == CLEAN_TEMPLATE { make(want, "", writing) } else { add(want, writing) }
}

/// Adds what lacks in a database that was there.
pub(super) fn add(want: &PostgresqlDatabase, writing: Writing<'_>) -> Result<(), Error> {
    let standing = itself(want).ask::<DatabaseStatus>(writing.reading(), QUESTION)?.there()?;
    if !standing.is_open {
        return make(want, "", writing);
    }
    if standing.is_superuser {
        return Err(refused(want, "and its owner is a superuser"));
    }
    let role = format!("SET ROLE {};\n", identifier(&standing.owner));
    make(want, &role, writing).map_err(|error| refused(want, &format!("and as its owner: {error}")))
}

fn refused(want: &PostgresqlDatabase, why: &str) -> Error {
    Error::Refused(format!(
        "others than superusers may create in the schema `public` of `{0}`, where what an extension's script calls could be \
         planted; {why}. Look through `public`, then make the extension by hand, or let only superusers create there: \
         ALTER SCHEMA public OWNER TO CURRENT_USER; REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        want.title
    ))
}

/// In the database itself; an extension is in `public`, unless it says another schema.
fn make(want: &PostgresqlDatabase, role: &str, writing: Writing<'_>) -> Result<(), Error> {
    let one = |name: &str| format!("CREATE EXTENSION IF NOT EXISTS {} CASCADE;\n", identifier(name));
    let all: String = extensions(want).map(one).collect();
    itself(want).tell(writing, &format!("{role}SET search_path = public;\nBEGIN;\n{all}COMMIT;\n"), None)
}
