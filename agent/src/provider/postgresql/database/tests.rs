//! Databases of PostgreSQL: what differs, and the statements that correct it.

use holdfast_catalog::value::Value;
use serde_json::json;

use super::*;
use crate::provider::database::trial::TestDatabase;
use crate::provider::trial::{changes, correct, plan, said, want};
use crate::system::double;

/// A text that queries contain, and no statement.
const MARK: &str = "json_";

/// A server on which the database `shop` has this state, or does not exist.
fn with(database: Option<serde_json::Value>, extensions: &[&str]) -> TestDatabase {
    let closed = json!({ "owner": "app", "is_superuser": false, "is_open": false });
    standing(closed, database, extensions)
}

/// A server whose database has this status when it is asked for before an extension is added.
fn standing(
    standing: serde_json::Value,
    database: Option<serde_json::Value>,
    extensions: &[&str],
) -> TestDatabase {
    let standing = standing.to_string();
    let mut databases = json!({ "template0": found(json!({})), "template1": found(json!({})) });
    if let Some(database) = database {
        databases["shop"] = found(database);
    }
    let available = json!(["citext", "postgis"]);
    let found = json!({ "databases": databases, "roles": ["app"], "available": available }).to_string();
    let extensions = json!(extensions).to_string();
    TestDatabase::new(move |asked| match asked.sql.as_str() {
        sql if sql.contains("FROM pg_extension") => double::said(&extensions),
        sql if sql.contains("'is_open'") => double::said(&standing),
        sql if sql.contains("SET ROLE") && sql.contains("postgis") => {
            double::failed(3, "ERROR:  permission denied")
        }
        sql if sql.contains("FROM pg_database") => double::said(&found),
        _ => double::said(""),
    })
}

fn found(differing: serde_json::Value) -> serde_json::Value {
    let mut database =
        json!({ "owner": "app", "encoding": "UTF8", "locale": "de_CH.UTF-8", "connection_limit": -1 });
    database.as_object_mut().unwrap().extend(differing.as_object().unwrap().clone());
    database
}

fn shop(more: &[(&str, Value)]) -> PostgresqlDatabase {
    let owner = ("owner", "app".into());
    want("shop", &[owner].into_iter().chain(more.iter().cloned()).collect::<Vec<_>>())
}

fn extensions() -> (&'static str, Value) {
    ("extensions", vec![Value::from("postgis"), "citext".into()].into())
}

#[test]
fn what_is_altered_is_reported_alone() {
    let said = |database, has: &[&str]| {
        said(&changes(&PostgresqlDatabases, &with(Some(database), has).machine, &shop(&[extensions()])))
    };
    assert!(said(json!({}), &["citext", "postgis"]).is_empty());
    assert_eq!(said(json!({ "owner": "postgres" }), &["citext", "postgis"]), ["owner: postgres -> app"]);
    assert_eq!(said(json!({ "connection_limit": 3 }), &["citext", "postgis"]), ["connection_limit: 3 -> -1"]);
    assert_eq!(said(json!({}), &["citext"]), ["extensions: citext -> citext,postgis"]);
}

#[test]
fn what_cannot_be_changed_is_said() {
    let other = with(Some(json!({ "encoding": "LATIN1", "locale": "C" })), &[]);
    let wanted = shop(&[("locale", "de_CH.utf8".into())]);
    let Plan::InSync(notes) = plan(&PostgresqlDatabases, &other.machine, &wanted).unwrap() else { panic!() };
    assert_eq!(said(&notes), ["encoding: LATIN1 -> UTF8", "locale: C -> de_CH.utf8"]);
    assert!(notes.iter().all(|note| note.note.is_some()));
    for same in [json!({}), json!({ "ctype": "de_CH.utf8", "provider": "c" })] {
        let same = with(Some(same), &[]);
        assert_eq!(plan(&PostgresqlDatabases, &same.machine, &wanted).unwrap(), Plan::IN_SYNC);
    }
    for (other, is) in [
        (json!({ "ctype": "C" }), "de_CH.UTF-8, with LC_CTYPE C"),
        (json!({ "provider": "i", "provider_locale": "de-CH" }), "de-CH by ICU"),
    ] {
        let other = with(Some(other), &[]);
        let Plan::InSync(notes) = plan(&PostgresqlDatabases, &other.machine, &wanted).unwrap() else {
            panic!()
        };
        assert_eq!(said(&notes), [format!("locale: {is} -> de_CH.utf8")]);
    }
}

#[test]
fn a_new_database_is_made_with_all_that_is_wanted() {
    let server = with(None, &[]);
    let wanted = shop(&[extensions(), ("locale", "de_CH.UTF-8".into()), ("connection_limit", 7.into())]);
    assert!(correct(&PostgresqlDatabases, &server.machine, &wanted).unwrap().failed.is_empty());
    assert_eq!(
        server.told(MARK),
        [
            "CREATE DATABASE \"shop\" WITH OWNER \"app\" TEMPLATE \"template0\" ENCODING 'UTF8' \
             LC_COLLATE 'de_CH.UTF-8' LC_CTYPE 'de_CH.UTF-8' CONNECTION LIMIT 0;\n",
            "SET search_path = public;\nBEGIN;\nCREATE EXTENSION IF NOT EXISTS \"postgis\" CASCADE;\n\
             CREATE EXTENSION IF NOT EXISTS \"citext\" CASCADE;\nCOMMIT;\n",
            "ALTER DATABASE \"shop\" WITH CONNECTION LIMIT 7;\n",
        ]
    );
    let databases: Vec<_> = server.asked().iter().map(|one| one.variable("PGDATABASE").to_owned()).collect();
    assert_eq!(databases, ["postgres", "postgres", "shop", "postgres"]);
}

#[test]
fn where_others_may_plant_functions_an_extension_is_made_as_the_owner_or_not_at_all() {
    let corrected = |owner: &str, is_superuser: bool, extension: &str| {
        let open = json!({ "owner": owner, "is_superuser": is_superuser, "is_open": true });
        let server = standing(open, Some(json!({})), &[]);
        let wanted = shop(&[("extensions", extension.into())]);
        let applied = correct(&PostgresqlDatabases, &server.machine, &wanted).unwrap();
        (applied.failed.first().map(|(_, error)| error.to_string()), server.told(MARK))
    };
    let (failed, told) = corrected("app", false, "citext");
    assert_eq!(failed, None);
    assert!(told[0].starts_with("SET ROLE \"app\";\nSET search_path = public;\n"), "{told:?}");
    let (failed, _) = corrected("app", false, "postgis");
    let failed = failed.unwrap();
    assert!(failed.contains("permission denied") && failed.contains("REVOKE CREATE"), "{failed}");
    let (failed, told) = corrected("postgres", true, "citext");
    assert!(failed.is_some() && told.is_empty(), "{told:?}");
}

#[test]
fn a_copy_of_a_database_of_others_is_looked_at_like_one() {
    let open = json!({ "owner": "app", "is_superuser": false, "is_open": true });
    let server = standing(open, None, &[]);
    let wanted = shop(&[("extensions", "citext".into()), ("template", "template1".into())]);
    assert!(correct(&PostgresqlDatabases, &server.machine, &wanted).unwrap().failed.is_empty());
    assert!(server.told(MARK)[1].starts_with("SET ROLE \"app\";\n"));
}

#[test]
fn each_property_is_corrected_by_its_own_statement() {
    for (database, has, statement) in [
        (json!({ "owner": "x" }), &["citext", "postgis"][..], "ALTER DATABASE \"shop\" OWNER TO \"app\";"),
        (json!({ "connection_limit": 3 }), &["citext", "postgis"], "WITH CONNECTION LIMIT -1;"),
        (json!({}), &[], "CREATE EXTENSION IF NOT EXISTS \"citext\" CASCADE;"),
    ] {
        let server = with(Some(database), has);
        assert!(
            correct(&PostgresqlDatabases, &server.machine, &shop(&[extensions()])).unwrap().failed.is_empty()
        );
        let told = server.told(MARK);
        assert!(told.len() == 1 && told[0].contains(statement), "{told:?}");
    }
}

#[test]
fn what_it_needs_is_waited_for() {
    let pending = |more: &[(&str, Value)], words: &str| match plan(
        &PostgresqlDatabases,
        &with(None, &[]).machine,
        &want("shop", more),
    ) {
        Ok(Plan::Pending(need)) => assert!(need.why.contains(words), "{need}"),
        other => panic!("{other:?}"),
    };
    pending(&[("owner", "nobody".into())], "no role `nobody`");
    pending(&[("template", "model".into())], "no database `model`");
    pending(&[("extensions", "timescaledb".into())], "install its package");
}

#[test]
fn an_absent_database_is_dropped_and_by_force_only_where_that_is_said() {
    for (force, statement) in
        [(false, "DROP DATABASE \"shop\";\n"), (true, "DROP DATABASE \"shop\" WITH (FORCE);\n")]
    {
        let server = with(Some(json!({})), &[]);
        let gone = want("shop", &[("ensure", "absent".into()), ("force", force.into())]);
        correct(&PostgresqlDatabases, &server.machine, &gone).unwrap();
        assert_eq!(server.told(MARK), [statement]);
    }
}

#[test]
fn a_database_that_cannot_be_looked_into_fails_alone() {
    let found = json!({ "databases": { "shop": found(json!({})), "bare": found(json!({})) }, "roles": ["app"],
        "available": ["citext"] });
    let found = found.to_string();
    let server = TestDatabase::new(move |asked| match asked.variable("PGDATABASE") {
        "postgres" => double::said(&found),
        _ => double::failed(3, "ERROR:  no"),
    });
    let (broken, bare) = (want("shop", &[("extensions", "citext".into())]), want("bare", &[]));
    server.reading(|reading| {
        let seen = PostgresqlDatabases.observe(&[&broken, &bare], reading).unwrap();
        assert!(
            PostgresqlDatabases.plan(&broken, &seen, reading).unwrap_err().to_string().contains("ERROR:  no")
        );
        assert_eq!(PostgresqlDatabases.plan(&bare, &seen, reading).unwrap(), Plan::IN_SYNC);
    });
}
