//! Accounts of MariaDB: what differs, how passwords are sent, and what would lock the agent out.

use holdfast_catalog::value::{Kind, Sensitive, Value};
use serde_json::json;

use super::*;
use crate::provider::database::trial::TestDatabase;
use crate::provider::trial::{changes, correct, plan, said, want};

/// A text that the query contains, and no statement.
const MARK: &str = "JSON_OBJECT";

/// From MariaDB 10.11: `SELECT PASSWORD('hunter2')`.
const HASH: &str = "*58815970BE77B3720276F63DB198B1FA42E5CC02";

/// What MariaDB 10.11 keeps about an account, with these fields replaced.
fn kept(differing: serde_json::Value) -> serde_json::Value {
    let mut all = json!({
        "access": 0, "version_id": 101_119, "plugin": "mysql_native_password", "authentication_string": HASH,
        "password_last_changed": 1_795_647_962, "max_user_connections": 5, "ssl_type": 0
    });
    all.as_object_mut().unwrap().extend(differing.as_object().unwrap().clone());
    all
}

fn answering(rows: &[serde_json::Value]) -> TestDatabase {
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    TestDatabase::answering(MARK, format!("{lines}end of answer\n"))
}

fn with(differing: serde_json::Value) -> TestDatabase {
    let row = json!({ "user": "app", "host": "%", "me": "root@localhost", "privileges": kept(differing) });
    answering(&[row])
}

fn app() -> MysqlUser {
    let password = Kind::Sensitive(Sensitive::text("hunter2")).into();
    want("app@%", &[("password", password), ("max_connections", 5.into()), ("require_tls", false.into())])
}

#[test]
fn what_is_altered_is_reported_alone() {
    assert!(changes(&MysqlUsers, &with(json!({})).machine, &app()).is_empty());
    let masked = "password: [sensitive] -> [sensitive]";
    for (differing, should) in [
        (json!({ "authentication_string": "*0" }), masked),
        (json!({ "plugin": "unix_socket" }), masked),
        (json!({ "auth_or": [{ "plugin": "unix_socket" }, {}] }), masked),
        (json!({ "max_user_connections": 3 }), "max_connections: 3 -> 5"),
        (json!({ "ssl_type": 2 }), "require_tls: true -> false"),
    ] {
        assert_eq!(said(&changes(&MysqlUsers, &with(differing).machine, &app())), [should]);
    }
}

#[test]
fn a_plugin_is_the_only_way_to_be_known() {
    let socket = want("app@%", &[("plugin", "unix_socket".into())]);
    let said = |differing| said(&changes(&MysqlUsers, &with(differing).machine, &socket));
    assert!(said(json!({ "plugin": "unix_socket", "authentication_string": "" })).is_empty());
    assert!(said(json!({ "auth_or": [{ "plugin": "unix_socket" }] })).is_empty());
    assert_eq!(said(json!({})), ["plugin: mysql_native_password -> unix_socket"]);
    let two = json!({ "auth_or": [{}, { "plugin": "unix_socket" }] });
    assert_eq!(said(two), ["plugin: mysql_native_password or unix_socket -> unix_socket"]);
}

#[test]
fn another_plugin_comes_with_the_password() {
    let both = want("app@%", &[("password", HASH.into()), ("plugin", "mysql_native_password".into())]);
    let server = with(json!({ "plugin": "unix_socket", "authentication_string": "" }));
    assert_eq!(
        said(&changes(&MysqlUsers, &server.machine, &both)),
        ["plugin: unix_socket -> mysql_native_password"]
    );
    correct(&MysqlUsers, &server.machine, &both).unwrap();
    let told = server.told(MARK).concat();
    let statement = format!("ALTER USER 'app'@'%' IDENTIFIED VIA mysql_native_password USING '{HASH}';");
    assert!(told.contains(&statement), "{told}");
}

#[test]
fn a_password_that_nobody_gives_is_kept_when_another_way_in_goes() {
    let plugin = want("app@%", &[("plugin", "mysql_native_password".into())]);
    assert!(changes(&MysqlUsers, &with(json!({})).machine, &plugin).is_empty());
    for two in [json!([{}, { "plugin": "unix_socket" }]), json!([{ "plugin": "ed25519" }, {}])] {
        let server = with(json!({ "auth_or": two }));
        assert!(correct(&MysqlUsers, &server.machine, &plugin).unwrap().failed.is_empty());
        let told = server.told(MARK).concat();
        let statement =
            format!("ALTER USER 'app'@'%' IDENTIFIED VIA mysql_native_password USING '{HASH}';\n");
        assert!(told.ends_with(&statement), "{told}");
    }
    for none in [
        json!({ "plugin": "unix_socket", "authentication_string": "" }),
        json!({ "plugin": "ed25519", "authentication_string": "x" }),
    ] {
        let refused = plan(&MysqlUsers, &with(none).machine, &plugin).unwrap_err().to_string();
        assert!(refused.contains("set `password`"), "{refused}");
    }
}

#[test]
fn a_new_account_is_made_whole_and_only_a_hash_of_its_password_is_sent() {
    let server = answering(&[]);
    correct(&MysqlUsers, &server.machine, &app()).unwrap();
    let told = server.told(MARK).concat();
    let statement = format!(
        "CREATE USER 'app'@'%' IDENTIFIED VIA mysql_native_password USING '{HASH}' REQUIRE NONE \
         WITH MAX_USER_CONNECTIONS 5;\n"
    );
    assert!(told.ends_with(&statement), "{told}");
    assert!(!told.contains("hunter2"));
}

#[test]
fn an_account_without_password_lets_nobody_in() {
    let server = answering(&[]);
    correct(&MysqlUsers, &server.machine, &want("app@%", &[])).unwrap();
    let told = server.told(MARK).concat();
    assert!(told.ends_with("VIA mysql_native_password USING 'invalid';\n"), "{told}");
}

#[test]
fn each_property_is_corrected_by_its_own_statement() {
    for (differing, statement) in [
        (json!({ "max_user_connections": 3 }), "ALTER USER 'app'@'%' WITH MAX_USER_CONNECTIONS 5;\n"),
        (json!({ "ssl_type": 1 }), "ALTER USER 'app'@'%' REQUIRE NONE;\n"),
    ] {
        let server = with(differing);
        correct(&MysqlUsers, &server.machine, &app()).unwrap();
        let told = server.told(MARK);
        assert!(told.len() == 1 && told[0].ends_with(statement), "{told:?}");
    }
}

#[test]
fn the_account_that_the_agent_is_stays_as_it_can_connect() {
    let root = || {
        let row = json!({ "user": "root", "host": "localhost", "me": "root@localhost",
            "privileges": kept(json!({ "auth_or": [{}, { "plugin": "unix_socket" }] })) });
        answering(&[row])
    };
    for attribute in [
        ("ensure", Value::from("absent")),
        ("password", "other".into()),
        ("plugin", "ed25519".into()),
        ("require_tls", true.into()),
    ] {
        let error = plan(&MysqlUsers, &root().machine, &want("root@localhost", &[attribute])).unwrap_err();
        assert!(error.to_string().contains("the agent connects as `root@localhost`"), "{error}");
    }
    let socket = want("root@localhost", &[("plugin", "unix_socket".into())]);
    assert!(matches!(plan(&MysqlUsers, &root().machine, &socket), Ok(Plan::Changes(_))));
}

#[test]
fn a_role_is_no_account() {
    let role = answering(&[json!({ "user": "app", "host": "%", "me": "root@localhost",
        "privileges": { "access": 0, "is_role": true } })]);
    let gone = want("app@%", &[("ensure", "absent".into())]);
    assert!(changes(&MysqlUsers, &role.machine, &gone).is_empty());
    let server = with(json!({}));
    correct(&MysqlUsers, &server.machine, &gone).unwrap();
    assert!(server.told(MARK).concat().ends_with("DROP USER 'app'@'%';\n"));
}
