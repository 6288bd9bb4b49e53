//! Extensions, whose scripts belong to the server while their database may belong to a tenant.
//!
//! A superuser runs a script, which also finds what it calls in `public`. If others may create objects there, they
//! could have planted what it calls. Such a database gets extensions only as its owner, who may create those that the
//! server trusts for that, and no others.

use holdfast_catalog::resource::PostgresqlDatabase;
use serde::Deserialize;

use super::super::quoting::identifier;
use super::{extensions, itself};
use crate::provider::{Error, Writing};

/// The query whether anyone but a superuser may create objects in `public`, or may recreate it; and who owns the
/// database.
const QUESTION: &str = "SELECT json_build_object('owner', o.rolname, 'is_superuser', o.rolsuper,
 'is_open', NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = 'public') OR EXISTS (
  SELECT FROM pg_namespace n, pg_roles r WHERE n.nspname = 'public' AND NOT r.rolsuper
   AND left(r.rolname, 3) <> 'pg_' AND has_schema_privilege(r.oid, n.oid, 'CREATE')))
FROM pg_database d JOIN pg_roles o ON o.oid = d.datdba WHERE d.datname = current_database();
";

/// The template that nobody can connect to.
const CLEAN_TEMPLATE: &str = "template0";

/// The owner of a database, and who may create objects in it.
#[derive(Deserialize)]
struct DatabaseStatus {
    owner: String,
    is_superuser: bool,
    is_open: bool,
}

/// Adds what is missing in a database that was just created, and that nobody could connect to yet.
pub(super) fn add_first(want: &PostgresqlDatabase, writing: Writing<'_>) -> Result<(), Error> {
    if want.template.as_str() == CLEAN_TEMPLATE { make(want, "", writing) } else { add(want, writing) }
}

/// Adds what is missing in an existing database.
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
        "users other than superusers may create objects in the schema `public` of `{0}`, and could plant what an \
         extension's script calls; {why}. Check `public`, then create the extension by hand, or let only superusers \
         create objects there: ALTER SCHEMA public OWNER TO CURRENT_USER; REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        want.title
    ))
}

/// Creates the extensions in the database itself. An extension is in `public`, unless it names another schema.
fn make(want: &PostgresqlDatabase, role: &str, writing: Writing<'_>) -> Result<(), Error> {
    let one = |name: &str| format!("CREATE EXTENSION IF NOT EXISTS {} CASCADE;\n", identifier(name));
    let all: String = extensions(want).map(one).collect();
    itself(want).tell(writing, &format!("{role}SET search_path = public;\nBEGIN;\n{all}COMMIT;\n"), None)
}
