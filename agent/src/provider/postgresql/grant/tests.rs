//! Privileges in PostgreSQL: what is missing on which object, and the statements that correct it.

use holdfast_catalog::resource::TypedResource;
use holdfast_catalog::value::Value;
use serde_json::json;

use super::*;
use crate::provider::CatalogClaims;
use crate::provider::database::trial::TestDatabase;
use crate::provider::trial::{changes, correct, plan, said, want};
use crate::system::double;

/// A text that queries contain, and no statement.
const MARK: &str = "json_";

/// A server with the database `shop`, which gives this access for whatever is asked.
fn with(access: serde_json::Value) -> TestDatabase {
    TestDatabase::new(move |asked| {
        let Some((_, rows)) = asked.sql.split_once("VALUES\n('") else {
            return double::said(if asked.sql.contains(MARK) { "[\"shop\"]" } else { "" });
        };
        let key = rows.split('\'').next().unwrap();
        let mut found = json!({ "role": true, "schema": true, "objects": [], "defaults": {} });
        found.as_object_mut().unwrap().extend(access.as_object().unwrap().clone());
        double::said(&json!({ key: found }).to_string())
    })
}

/// Objects, each with the privileges that are held on it.
fn objects(objects: &[(&str, &[&str])]) -> serde_json::Value {
    let object = |(name, held): &(&str, &[&str])| json!({ "name": name, "held": held_all(held) });
    json!({ "objects": objects.iter().map(object).collect::<Vec<_>>() })
}

fn held_all(held: &[&str]) -> serde_json::Value {
    held.iter()
        .map(|word| {
            let name = word.trim_end_matches('*').to_owned();
            (name, json!({ "grantable": word.ends_with('*'), "other": null }))
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn grant(attributes: &[(&str, Value)]) -> PostgresqlGrant {
    let base = [("role", "app".into()), ("database", "shop".into())];
    want("app", &base.into_iter().chain(attributes.iter().cloned()).collect::<Vec<_>>())
}

fn words(list: &[&str]) -> Value {
    list.iter().map(|word| Value::from(*word)).collect::<Vec<_>>().into()
}

fn on(kind: &str, privileges: &[&str]) -> PostgresqlGrant {
    grant(&[("on", kind.into()), ("privileges", words(privileges))])
}

#[test]
fn what_lacks_on_one_object_is_reported_with_its_name() {
    let wanted = on("all_tables", &["SELECT", "INSERT"]);
    let said_of =
        |list: &[(&str, &[&str])]| changes(&PostgresqlGrants, &with(objects(list)).machine, &wanted);
    assert!(said_of(&[("a", &["SELECT", "INSERT", "DELETE"]), ("b", &["INSERT", "SELECT"])]).is_empty());
    assert!(said_of(&[]).is_empty(), "where there is no table, nothing lacks");
    let lacking = said_of(&[("a", &["SELECT", "INSERT"]), ("b", &["SELECT"])]);
    assert_eq!(said(&lacking), ["privileges: SELECT -> SELECT,INSERT"]);
    assert_eq!(lacking[0].note.as_deref(), Some("missing on b"));
    assert_eq!(said(&said_of(&[("a", &[]), ("b", &["DELETE"])])), ["ensure: absent -> present"]);
}

#[test]
fn the_right_to_grant_is_given_and_taken() {
    let orders = |option: bool| {
        let object = ("object", "orders".into());
        grant(&[
            ("on", "table".into()),
            object,
            ("privileges", "SELECT".into()),
            ("with_grant_option", option.into()),
        ])
    };
    let server = with(objects(&[("orders", &["SELECT*"])]));
    assert!(changes(&PostgresqlGrants, &server.machine, &orders(true)).is_empty());
    assert_eq!(
        said(&changes(&PostgresqlGrants, &server.machine, &orders(false))),
        ["with_grant_option: true -> false"]
    );
    correct(&PostgresqlGrants, &server.machine, &orders(false)).unwrap();
    let revoke = "REVOKE GRANT OPTION FOR SELECT ON TABLE \"public\".\"orders\" FROM \"app\";\n";
    assert_eq!(server.told(MARK), [format!("BEGIN;\n{revoke}COMMIT;\n")]);
    let server = with(objects(&[("orders", &["SELECT"])]));
    assert_eq!(
        said(&changes(&PostgresqlGrants, &server.machine, &orders(true))),
        ["with_grant_option: false -> true"]
    );
}

#[test]
fn each_kind_of_object_is_named_in_its_own_way() {
    for (attributes, statement) in [
        (
            vec![("privileges", words(&["ALL"]))],
            "CREATE, CONNECT, TEMPORARY ON DATABASE \"shop\" TO \"app\";",
        ),
        (
            vec![("on", "schema".into()), ("schema", "s".into()), ("privileges", "USAGE".into())],
            "ON SCHEMA \"s\"",
        ),
        (
            vec![("on", "all_sequences".into()), ("privileges", "USAGE".into())],
            "ON ALL SEQUENCES IN SCHEMA \"public\"",
        ),
        (
            vec![("on", "sequence".into()), ("object", "ids".into()), ("privileges", "USAGE".into())],
            "GRANT USAGE ON SEQUENCE \"public\".\"ids\" TO \"app\";",
        ),
        (
            vec![
                ("on", "table".into()),
                ("object", "t".into()),
                ("privileges", "SELECT".into()),
                ("role", "public".into()),
            ],
            "GRANT SELECT ON TABLE \"public\".\"t\" TO PUBLIC;",
        ),
    ] {
        let server = with(objects(&[("one", &[])]));
        correct(&PostgresqlGrants, &server.machine, &grant(&attributes)).unwrap();
        let told = server.told(MARK).concat();
        assert!(told.contains(statement), "{told}");
    }
}

#[test]
fn what_is_made_later_is_granted_as_it_is_made() {
    let wanted = grant(&[
        ("on", "all_tables".into()),
        ("privileges", "SELECT".into()),
        ("default_privileges", words(&["maker", "other"])),
    ]);
    let all =
        |maker: &[&str]| json!({ "defaults": { "maker": held_all(maker), "other": held_all(&["SELECT"]) } });
    assert!(changes(&PostgresqlGrants, &with(all(&["SELECT"])).machine, &wanted).is_empty());
    let server = with(all(&["INSERT"]));
    assert_eq!(
        said(&changes(&PostgresqlGrants, &server.machine, &wanted)),
        ["default_privileges: other -> maker,other"]
    );
    correct(&PostgresqlGrants, &server.machine, &wanted).unwrap();
    let told = server.told(MARK).concat();
    let statement =
        "ALTER DEFAULT PRIVILEGES FOR ROLE \"maker\" IN SCHEMA \"public\" GRANT SELECT ON TABLES TO \"app\";";
    assert!(told.contains(statement), "{told}");
    let missing = with(json!({ "defaults": { "other": {} } }));
    assert_eq!(
        plan(&PostgresqlGrants, &missing.machine, &wanted).unwrap(),
        Plan::pending("there is no role `maker`")
    );
}

#[test]
fn exactly_these_privileges_are_taken_away() {
    let gone = grant(&[
        ("ensure", "absent".into()),
        ("on", "all_tables".into()),
        ("privileges", words(&["SELECT", "INSERT"])),
    ]);
    assert!(changes(&PostgresqlGrants, &with(objects(&[("a", &["DELETE"])])).machine, &gone).is_empty());
    let server = with(objects(&[("a", &["SELECT", "DELETE"])]));
    assert_eq!(said(&changes(&PostgresqlGrants, &server.machine, &gone)), ["ensure: present -> absent"]);
    correct(&PostgresqlGrants, &server.machine, &gone).unwrap();
    let revoke = "REVOKE SELECT, INSERT ON ALL TABLES IN SCHEMA \"public\" FROM \"app\";\n";
    assert_eq!(server.told(MARK), [format!("BEGIN;\n{revoke}COMMIT;\n")]);
}

#[test]
fn what_another_than_the_owner_granted_is_not_said_to_be_taken_away() {
    let held = json!({ "SELECT": { "grantable": false, "other": "bob" } });
    let server = with(json!({ "objects": [{ "name": "orders", "held": held }] }));
    let gone = grant(&[
        ("ensure", "absent".into()),
        ("on", "table".into()),
        ("object", "orders".into()),
        ("privileges", "SELECT".into()),
    ]);
    let error = plan(&PostgresqlGrants, &server.machine, &gone).unwrap_err().to_string();
    assert!(error.contains("`orders` was granted by the role `bob`"), "{error}");
}

#[test]
fn what_is_not_there_is_waited_for_and_has_no_privileges_to_take() {
    let waits = |access: serde_json::Value, wanted: &PostgresqlGrant, words: &str| match plan(
        &PostgresqlGrants,
        &with(access).machine,
        wanted,
    ) {
        Ok(Plan::Pending(need)) => assert!(need.why.contains(words), "{need}"),
        other => panic!("{other:?}"),
    };
    let table = [("on", "table".into()), ("object", "orders".into()), ("privileges", "SELECT".into())];
    waits(json!({ "role": false }), &on("database", &["CONNECT"]), "no role `app`");
    waits(json!({ "schema": false }), &on("schema", &["USAGE"]), "no schema `public`");
    waits(json!({}), &grant(&table), "no table `public.orders`");
    let elsewhere = |ensure: &str| {
        let all =
            [("ensure", Value::from(ensure)), ("database", "none".into()), ("privileges", "CONNECT".into())];
        plan(&PostgresqlGrants, &with(json!({})).machine, &grant(&all)).unwrap()
    };
    assert_eq!(elsewhere("present"), Plan::pending("there is no database `none`"));
    assert_eq!(elsewhere("absent"), Plan::IN_SYNC);
}

#[test]
fn what_a_database_comes_with_is_not_known_before_the_catalog_has_made_it() {
    let read = |type_name, title, attributes: &[(&str, Value)]| {
        let attributes = attributes.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        TypedResource::read(type_name, title, &attributes).unwrap().unwrap()
    };
    let absent =
        grant(&[("ensure", "absent".into()), ("database", "none".into()), ("privileges", "CONNECT".into())]);
    let server = with(json!({}));
    let planned = |all: &[TypedResource]| {
        let (named, state_dir) = (CatalogClaims::new(all), server.machine.root.path());
        let reading =
            Reading { machine: &server.machine, content: &crate::content::Nowhere, named: &named, state_dir };
        PostgresqlGrants
            .plan(&absent, &PostgresqlGrants.observe(&[&absent], reading).unwrap(), reading)
            .unwrap()
    };
    let none = Plan::pending("there is no database `none`");
    assert_eq!(planned(&[read("postgresql_database", "none", &[])]), none);
    assert_eq!(
        planned(&[read("postgresql_database", "none", &[("ensure", "absent".into())])]),
        Plan::IN_SYNC
    );
    assert_eq!(planned(&[read("postgresql_database", "none", &[("port", 5433.into())])]), Plan::IN_SYNC);
    assert_eq!(planned(&[read("postgresql_database", "other", &[])]), Plan::IN_SYNC);
}

#[test]
fn what_is_on_a_database_needs_no_session_in_it() {
    let server = with(objects(&[("shop", &["CONNECT"])]));
    assert!(changes(&PostgresqlGrants, &server.machine, &on("database", &["CONNECT"])).is_empty());
    assert!(server.asked().iter().all(|asked| asked.variable("PGDATABASE") == "postgres"));
    changes(&PostgresqlGrants, &server.machine, &on("schema", &["USAGE"]));
    assert_eq!(server.asked().last().unwrap().variable("PGDATABASE"), "shop");
}

#[test]
fn what_came_since_the_last_run_is_nobodys_drift() {
    let wanted = on("all_tables", &["SELECT", "INSERT"]);
    let object = |name: &str, untouched: bool, held: &[&str]| json!({ "name": name, "untouched": untouched, "held": held_all(held) });
    let change = |objects: Vec<serde_json::Value>| {
        changes(&PostgresqlGrants, &with(json!({ "objects": objects })).machine, &wanted).remove(0)
    };
    let old = || object("a", false, &["SELECT", "INSERT"]);
    let new = change(vec![old(), object("b", true, &[])]);
    assert_eq!((new.kind, new.is.text()), (ChangeKind::Moved, "SELECT,INSERT, not on what is new"));
    assert_eq!(new.note.as_deref(), Some("missing on b"));
    let revoked = change(vec![old(), object("b", false, &["SELECT"]), object("c", true, &[])]);
    assert_eq!((revoked.kind, revoked.is.text()), (ChangeKind::Differs, ""), "somebody revoked one");
}

#[test]
fn what_is_held_on_columns_alone_is_taken_away_too() {
    let gone = grant(&[
        ("on", "table".into()),
        ("object", "secret".into()),
        ("privileges", words(&["UPDATE"])),
        ("ensure", "absent".into()),
    ]);
    let held =
        |columns: &[&str]| with(json!({ "objects": [{ "name": "secret", "held": {}, "columns": columns }] }));
    assert!(changes(&PostgresqlGrants, &held(&["SELECT"]).machine, &gone).is_empty());
    let server = held(&["SELECT", "UPDATE"]);
    let found = changes(&PostgresqlGrants, &server.machine, &gone);
    assert_eq!(said(&found), ["ensure: present -> absent"]);
    assert_eq!(found[0].note.as_deref(), Some("on columns of secret, too"));
    // When the server revokes a privilege on the table, it also revokes it on the columns.
    correct(&PostgresqlGrants, &server.machine, &gone).unwrap();
    let revoke = "REVOKE UPDATE ON TABLE \"public\".\"secret\" FROM \"app\";\n";
    assert_eq!(server.told(MARK), [format!("BEGIN;\n{revoke}COMMIT;\n")]);
}

#[test]
fn what_the_role_has_by_others_is_said_in_each_run() {
    let gone = grant(&[
        ("on", "table".into()),
        ("object", "orders".into()),
        ("privileges", words(&["SELECT", "UPDATE"])),
        ("ensure", "absent".into()),
    ]);
    let note =
        |access: serde_json::Value| match plan(&PostgresqlGrants, &with(access).machine, &gone).unwrap() {
            Plan::InSync(said) => said.into_iter().find_map(|change| change.note),
            other => panic!("{other:?}"),
        };
    let by = |others: serde_json::Value| json!({ "objects": [{ "name": "orders", "held": {}, "by_others": others }] });
    assert_eq!(note(by(json!({ "INSERT": [null] }))), None, "another privilege");
    assert_eq!(
        note(by(json!({ "SELECT": [null, "mid"], "UPDATE": ["mid"] }))).as_deref(),
        Some("`app` still has SELECT,UPDATE on `orders`, by PUBLIC and the role `mid`")
    );
    let all = json!({ "superuser": true, "objects": [{ "name": "orders", "held": {} }] });
    assert_eq!(note(all).as_deref(), Some("`app` is a superuser, and has all privileges"));
    let held = json!({ "name": "orders", "held": held_all(&["SELECT"]), "by_others": { "SELECT": [null] } });
    let found = changes(&PostgresqlGrants, &with(json!({ "objects": [held] })).machine, &gone);
    assert_eq!(said(&found), ["ensure: present -> absent"]);
    assert_eq!(found[0].note.as_deref(), Some("`app` still has SELECT on `orders`, by PUBLIC"));
}
