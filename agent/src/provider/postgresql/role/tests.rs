//! Roles of PostgreSQL: what differs, how passwords are sent, and what would lock the agent out.

use holdfast_catalog::value::{Kind, Sensitive, Value};
use serde_json::json;

use super::*;
use crate::provider::database::trial::TestDatabase;
use crate::provider::trial::{changes, correct, plan, said, want};

/// A text that the query contains, and no statement.
const MARK: &str = "json_build_object";

/// From PostgreSQL 15.18, for the password `hunter2`.
const KEPT: &str = "SCRAM-SHA-256$4096:HVRZiEDwFVvs8ftmogOrIA==$cYhI4ExvQu7H/YSRQDRlq05/kqSs/jGFuodb1vfkc9c=:\
                    BHMrJYYh8nge/ib9KNxe78uub4i/LKFbO+cjuxvXXbI=";

fn role(differing: serde_json::Value) -> serde_json::Value {
    let mut role = json!({
        "login": true, "superuser": false, "createdb": false, "createrole": false, "replication": false,
        "inherit": true, "connection_limit": -1, "kept": KEPT, "member_of": ["shops"]
    });
    role.as_object_mut().unwrap().extend(differing.as_object().unwrap().clone());
    role
}

/// A server with the roles `shops` and `app`, which has these attributes instead of the usual ones.
fn with(differing: serde_json::Value) -> TestDatabase {
    let roles = json!({ "app": role(differing), "shops": role(json!({})), "postgres": role(json!({})) });
    TestDatabase::answering(MARK, json!({ "me": "postgres", "roles": roles }).to_string())
}

fn without() -> TestDatabase {
    TestDatabase::answering(
        MARK,
        json!({ "me": "postgres", "roles": { "shops": role(json!({})) } }).to_string(),
    )
}

fn secret(text: &str) -> Value {
    Kind::Sensitive(Sensitive::text(text)).into()
}

fn app() -> PostgresqlRole {
    want("app", &[("password", secret("hunter2")), ("member_of", "shops".into())])
}

#[test]
fn what_is_altered_is_reported_alone() {
    assert!(changes(&Roles, &with(json!({})).machine, &app()).is_empty());
    for (property, is, should) in [
        ("login", json!(false), "login: false -> true"),
        ("superuser", json!(true), "superuser: true -> false"),
        ("createdb", json!(true), "createdb: true -> false"),
        ("createrole", json!(true), "createrole: true -> false"),
        ("replication", json!(true), "replication: true -> false"),
        ("inherit", json!(false), "inherit: false -> true"),
        ("connection_limit", json!(3), "connection_limit: 3 -> -1"),
        ("member_of", json!([]), "member_of:  -> shops"),
        ("kept", json!(null), "password: [sensitive] -> [sensitive]"),
        ("kept", json!("md5a6343a68d964ca596d9752250d54bb8a"), "password: [sensitive] -> [sensitive]"),
    ] {
        assert_eq!(said(&changes(&Roles, &with(json!({ property: is })).machine, &app())), [should]);
    }
}

#[test]
fn what_is_not_said_of_a_password_or_of_groups_is_left_alone() {
    let bare = want("app", &[]);
    assert!(changes(&Roles, &with(json!({ "kept": null, "member_of": [] })).machine, &bare).is_empty());
    let least = with(json!({ "member_of": ["others", "shops"] }));
    assert!(changes(&Roles, &least.machine, &app()).is_empty());
}

#[test]
fn a_new_role_is_made_whole_and_only_a_verifier_of_its_password_is_sent() {
    let server = without();
    assert!(correct(&Roles, &server.machine, &app()).unwrap().failed.is_empty());
    let told = server.told(MARK).concat();
    let made = "CREATE ROLE \"app\" WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION INHERIT \
                CONNECTION LIMIT -1 PASSWORD 'SCRAM-SHA-256$4096:";
    assert!(told.contains(made), "{told}");
    assert!(told.contains("BEGIN;\n") && told.contains("GRANT \"shops\" TO \"app\";\nCOMMIT;\n"), "{told}");
    assert!(!told.contains("hunter2"));
    let verifier = told.split('\'').find(|text| text.starts_with("SCRAM-SHA-256$")).unwrap();
    assert!(verifier::is_of(verifier, "hunter2"));
}

#[test]
fn each_property_is_corrected_by_its_own_statement() {
    for (differing, statement) in [
        (json!({ "login": false }), "ALTER ROLE \"app\" WITH LOGIN;"),
        (json!({ "superuser": true }), "ALTER ROLE \"app\" WITH NOSUPERUSER;"),
        (json!({ "connection_limit": 3 }), "ALTER ROLE \"app\" WITH CONNECTION LIMIT -1;"),
        (json!({ "member_of": [] }), "GRANT \"shops\" TO \"app\";"),
        (json!({ "kept": null }), "ALTER ROLE \"app\" WITH PASSWORD 'SCRAM-SHA-256$4096:"),
    ] {
        let server = with(differing);
        assert!(correct(&Roles, &server.machine, &app()).unwrap().failed.is_empty());
        let told = server.told(MARK);
        assert!(told.len() == 1 && told[0].contains(statement), "{told:?}");
    }
}

#[test]
fn the_whole_membership_leaves_groups_whatever_their_names() {
    let hostile = "x\"; DROP ROLE app; --";
    let server = with(json!({ "member_of": ["shops", hostile] }));
    let whole: PostgresqlRole =
        want("app", &[("member_of", "shops".into()), ("membership", "inclusive".into())]);
    let changes = changes(&Roles, &server.machine, &whole);
    assert_eq!(said(&changes), [format!("member_of: shops,{hostile} -> shops")]);
    correct(&Roles, &server.machine, &whole).unwrap();
    let told = server.told(MARK).concat();
    assert!(told.contains("REVOKE \"x\"\"; DROP ROLE app; --\" FROM \"app\";"), "{told}");
}

#[test]
fn the_role_that_the_agent_is_keeps_its_rights() {
    for attributes in [
        [("ensure", Value::from("absent"))],
        [("superuser", Value::from(false))],
        [("login", Value::from(false))],
    ] {
        let error = plan(&Roles, &with(json!({})).machine, &want("postgres", &attributes)).unwrap_err();
        assert!(error.to_string().contains("the agent connects as the role `postgres`"), "{error}");
    }
    assert!(plan(&Roles, &with(json!({})).machine, &want("postgres", &[("superuser", true.into())])).is_ok());
}

#[test]
fn a_group_that_is_not_there_is_waited_for() {
    let orphan = want("app", &[("member_of", "nobody".into())]);
    assert_eq!(
        plan(&Roles, &with(json!({})).machine, &orphan).unwrap(),
        Plan::pending("there is no role `nobody`")
    );
}

#[test]
fn an_absent_role_is_dropped() {
    let gone = want("app", &[("ensure", "absent".into())]);
    assert!(changes(&Roles, &without().machine, &gone).is_empty());
    let server = with(json!({}));
    correct(&Roles, &server.machine, &gone).unwrap();
    assert_eq!(server.told(MARK), ["BEGIN;\nDROP ROLE \"app\";\nCOMMIT;\n"]);
}

#[test]
fn each_server_is_asked_once_and_for_passwords_only_where_they_matter() {
    let server = without();
    let (bare, other) = (want("bare", &[]), want("other", &[("port", 5433.into())]));
    server.reading(|reading| Roles.observe(&[&app(), &bare, &other], reading)).unwrap();
    let asked = server.asked();
    assert_eq!(asked.iter().map(|one| one.variable("PGPORT")).collect::<Vec<_>>(), ["5432", "5433"]);
    assert!(asked[0].sql.contains("CASE WHEN a.rolname IN ('app')"), "{}", asked[0].sql);
    assert!(asked[0].sql.contains("WHERE a.rolname IN ('app', 'bare', 'shops')"), "{}", asked[0].sql);
}
