//! Databases of MariaDB: what differs, and the statements that correct it.

use holdfast_catalog::value::Value;
use serde_json::json;

use super::*;
use crate::provider::database::trial::TestDatabase;
use crate::provider::trial::{changes, correct, said, want};

/// A text that the query contains, and no statement.
const MARK: &str = "JSON_OBJECT";

fn with(charset: &str, collate: &str) -> TestDatabase {
    let row = json!({ "name": "shop", "charset": charset, "collate": collate });
    TestDatabase::answering(MARK, format!("{row}\nend of answer\n"))
}

fn without() -> TestDatabase {
    TestDatabase::answering(MARK, "end of answer\n")
}

fn shop() -> MysqlDatabase {
    want("shop", &[("collate", Value::from("utf8mb4_unicode_ci"))])
}

fn told(server: &TestDatabase, want: &MysqlDatabase) -> String {
    assert!(correct(&MysqlDatabases, &server.machine, want).unwrap().failed.is_empty());
    server.told(MARK).concat().lines().last().unwrap_or_default().to_owned()
}

#[test]
fn what_is_altered_is_reported_alone_and_corrected() {
    assert!(changes(&MysqlDatabases, &with("utf8mb4", "utf8mb4_unicode_ci").machine, &shop()).is_empty());
    for (server, should) in [
        (with("latin1", "latin1_swedish_ci"), "charset: latin1 -> utf8mb4"),
        (with("utf8mb4", "utf8mb4_bin"), "collate: utf8mb4_bin -> utf8mb4_unicode_ci"),
    ] {
        assert_eq!(said(&changes(&MysqlDatabases, &server.machine, &shop())), [should]);
        let statement = "ALTER DATABASE `shop` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;";
        assert_eq!(told(&server, &shop()), statement);
    }
}

#[test]
fn a_collation_that_is_not_said_is_left_alone() {
    assert!(changes(&MysqlDatabases, &with("utf8mb4", "utf8mb4_bin").machine, &want("shop", &[])).is_empty());
}

#[test]
fn it_is_made_and_dropped() {
    let made = "CREATE DATABASE `shop` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;";
    assert_eq!(told(&without(), &shop()), made);
    let gone = want("shop", &[("ensure", "absent".into())]);
    assert_eq!(told(&with("utf8mb4", "utf8mb4_bin"), &gone), "DROP DATABASE `shop`;");
    assert!(changes(&MysqlDatabases, &without().machine, &gone).is_empty());
}
