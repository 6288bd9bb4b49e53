//! The statements that grant and revoke.

use holdfast_catalog::resource::PostgresqlGrant;
use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::resource::attribute::database::SqlName;
use holdfast_catalog::resource::postgresql_grant::GrantObject;

use super::super::quoting::identifier;
use super::Property;

/// The statements that correct one property, all or none of which take effect.
pub fn correcting(want: &PostgresqlGrant, property: Property) -> String {
    let (privileges, object, role) = (privileges(want), object(want), grantee(want));
    let statements = match (property, want.ensure) {
        (Property::Ensure, Presence::Absent) => {
            let to_come = defaults(want, |kind| format!("REVOKE {privileges} ON {kind} FROM {role}"));
            format!("REVOKE {privileges} ON {object} FROM {role};\n{to_come}")
        }
        (Property::Ensure, Presence::Present) => granting(want) + &granting_to_come(want),
        (Property::Privileges, _) => granting(want),
        (Property::WithGrantOption, _) if want.with_grant_option => granting(want),
        (Property::WithGrantOption, _) => {
            format!("REVOKE GRANT OPTION FOR {privileges} ON {object} FROM {role};\n")
        }
        (Property::DefaultPrivileges, _) => granting_to_come(want),
    };
    format!("BEGIN;\n{statements}COMMIT;\n")
}

fn granting(want: &PostgresqlGrant) -> String {
    format!("GRANT {} ON {} TO {}{};\n", privileges(want), object(want), grantee(want), option(want))
}

fn granting_to_come(want: &PostgresqlGrant) -> String {
    let (privileges, role, option) = (privileges(want), grantee(want), option(want));
    defaults(want, |kind| format!("GRANT {privileges} ON {kind} TO {role}{option}"))
}

/// A statement about what each of the roles creates later.
fn defaults(want: &PostgresqlGrant, statement: impl Fn(&str) -> String) -> String {
    let kind = if want.on == GrantObject::AllSequences { "SEQUENCES" } else { "TABLES" };
    let (schema, statement) = (identifier(want.schema()), statement(kind));
    let one = |maker: &SqlName| {
        let maker = identifier(maker.as_str());
        format!("ALTER DEFAULT PRIVILEGES FOR ROLE {maker} IN SCHEMA {schema} {statement};\n")
    };
    want.default_privileges.iter().map(one).collect()
}

fn privileges(want: &PostgresqlGrant) -> String {
    want.each_privilege().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn option(want: &PostgresqlGrant) -> &'static str {
    if want.with_grant_option { " WITH GRANT OPTION" } else { "" }
}

/// A role, or the keyword for all roles.
fn grantee(want: &PostgresqlGrant) -> String {
    match want.role.as_str() {
        "public" => "PUBLIC".to_owned(),
        role => identifier(role),
    }
}

fn object(want: &PostgresqlGrant) -> String {
    let schema = identifier(want.schema());
    let one = || identifier(want.object.as_ref().map(SqlName::as_str).unwrap_or_default());
    match want.on {
        GrantObject::Database => format!("DATABASE {}", identifier(want.database.as_str())),
        GrantObject::Schema => format!("SCHEMA {schema}"),
        GrantObject::AllTables => format!("ALL TABLES IN SCHEMA {schema}"),
        GrantObject::AllSequences => format!("ALL SEQUENCES IN SCHEMA {schema}"),
        GrantObject::Table => format!("TABLE {schema}.{}", one()),
        GrantObject::Sequence => format!("SEQUENCE {schema}.{}", one()),
    }
}
