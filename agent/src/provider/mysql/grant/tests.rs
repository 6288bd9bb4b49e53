//! Privileges in MariaDB: what is missing, and where it is granted and revoked.

use holdfast_catalog::resource::TypedResource;
use holdfast_catalog::value::Value;
use serde_json::json;

use super::*;
use crate::content;
use crate::provider::CatalogClaims;
use crate::provider::database::trial::TestDatabase;
use crate::provider::trial::{changes, correct, plan, said, want};

/// A text that the query contains, and no statement.
const MARK: &str = "JSON_OBJECT";

const KNOWN: [&str; 6] = ["SELECT", "INSERT", "CREATE", "EVENT", "PROCESS", "SUPER"];

/// A server with the account `app@%` and the table `shop_a.orders`, on which the account holds these privileges. It may
/// grant those whose name ends with `*`.
fn with(held: &[(&str, &[&str])]) -> TestDatabase {
    let mut rows = vec![json!({ "account": "'app'@'%'" }), json!({ "table": "shop_a.orders" })];
    rows.extend(KNOWN.map(|name| json!({ "known": name })));
    for (on, names) in held {
        rows.extend(names.iter().map(|name| {
            let option = if name.ends_with('*') { "YES" } else { "NO" };
            let name = name.trim_end_matches('*');
            json!({ "privilege": { "who": "'app'@'%'", "on": on, "name": name, "option": option } })
        }));
    }
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    TestDatabase::answering(MARK, format!("{lines}end of answer\n"))
}

fn grant(on: &str, privileges: &[&str], more: &[(&str, Value)]) -> MysqlGrant {
    let privileges = privileges.iter().map(|word| Value::from(*word)).collect::<Vec<_>>();
    let base = [("user", "app@%".into()), ("on", on.into()), ("privileges", privileges.into())];
    want("app", &base.into_iter().chain(more.iter().cloned()).collect::<Vec<_>>())
}

fn told(server: &TestDatabase, want: &MysqlGrant) -> String {
    assert!(correct(&MysqlGrants, &server.machine, want).unwrap().failed.is_empty());
    let sql = server.told(MARK).concat();
    sql.lines().filter(|line| !line.starts_with("SET ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_lacks_is_reported_and_granted() {
    let wanted = grant("shop_a.*", &["SELECT", "INSERT"], &[]);
    let said_of =
        |held: &[&str]| said(&changes(&MysqlGrants, &with(&[("shop\\_a.*", held)]).machine, &wanted));
    assert!(said_of(&["SELECT", "INSERT", "CREATE"]).is_empty());
    assert_eq!(said_of(&["SELECT"]), ["privileges: SELECT -> INSERT,SELECT"]);
    assert_eq!(said_of(&["CREATE"]), ["ensure: absent -> present"]);
    assert_eq!(told(&with(&[]), &wanted), "GRANT INSERT, SELECT ON `shop\\_a`.* TO 'app'@'%';");
}

#[test]
fn a_grant_with_a_wildcard_is_another_one() {
    let wanted = grant("shop_a.*", &["SELECT"], &[]);
    let wild = with(&[("shop_a.*", &["SELECT"])]);
    assert_eq!(said(&changes(&MysqlGrants, &wild.machine, &wanted)), ["ensure: absent -> present"]);
}

#[test]
fn all_is_what_the_server_knows_at_that_level() {
    let all = grant("shop_a.*", &["ALL"], &[]);
    let said_of = |held: &[&str]| said(&changes(&MysqlGrants, &with(&[("shop\\_a.*", held)]).machine, &all));
    assert!(said_of(&["SELECT", "INSERT", "CREATE", "EVENT"]).is_empty());
    assert_eq!(said_of(&["SELECT", "EVENT"]), ["privileges: EVENT,SELECT -> ALL"]);
    assert_eq!(told(&with(&[]), &all), "GRANT ALL ON `shop\\_a`.* TO 'app'@'%';");
}

#[test]
fn the_right_to_grant_is_given_and_taken() {
    let wanted = |option: bool| grant("*.*", &["PROCESS"], &[("grant_option", option.into())]);
    let (with_option, without) = (with(&[("*.*", &["PROCESS*"])]), with(&[("*.*", &["PROCESS"])]));
    assert!(changes(&MysqlGrants, &with_option.machine, &wanted(true)).is_empty());
    assert_eq!(
        said(&changes(&MysqlGrants, &with_option.machine, &wanted(false))),
        ["grant_option: true -> false"]
    );
    assert_eq!(told(&with_option, &wanted(false)), "REVOKE GRANT OPTION ON *.* FROM 'app'@'%';");
    assert_eq!(
        said(&changes(&MysqlGrants, &without.machine, &wanted(true))),
        ["grant_option: false -> true"]
    );
    assert_eq!(told(&without, &wanted(true)), "GRANT USAGE ON *.* TO 'app'@'%' WITH GRANT OPTION;");
    assert_eq!(told(&with(&[]), &wanted(true)), "GRANT PROCESS ON *.* TO 'app'@'%' WITH GRANT OPTION;");
}

#[test]
fn the_right_to_grant_is_one_for_an_account_and_level() {
    let option = |value: bool| grant("*.*", &["PROCESS"], &[("grant_option", value.into())]);
    let silent = || grant("*.*", &["SUPER"], &[]);
    let server = with(&[("*.*", &["PROCESS*", "SUPER*"])]);
    assert!(changes(&MysqlGrants, &server.machine, &silent()).is_empty(), "left alone where nothing is said");
    let refusal = |other: MysqlGrant| {
        let all = [TypedResource::MysqlGrant(other)];
        let named = CatalogClaims::new(&all);
        let reading = Reading {
            machine: &server.machine,
            content: &content::Nowhere,
            named: &named,
            state_dir: std::path::Path::new("/none"),
        };
        let seen = MysqlGrants.observe(&[&option(true)], reading).unwrap();
        MysqlGrants.plan(&option(true), &seen, reading).err().map(|error| error.to_string())
    };
    assert_eq!((refusal(silent()), refusal(option(true))), (None, None));
    assert!(refusal(option(false)).unwrap().contains("mysql_grant[app]"));
}

#[test]
fn exactly_these_privileges_are_taken_away_wherever_they_stand() {
    let gone = grant("shop_a.*", &["SELECT"], &[("ensure", "absent".into())]);
    assert!(changes(&MysqlGrants, &with(&[("shop\\_a.*", &["INSERT"])]).machine, &gone).is_empty());
    let server = with(&[("shop\\_a.*", &["SELECT", "INSERT"]), ("shop_a.*", &["SELECT"])]);
    assert_eq!(said(&changes(&MysqlGrants, &server.machine, &gone)), ["ensure: present -> absent"]);
    assert_eq!(
        told(&server, &gone),
        "REVOKE SELECT ON `shop\\_a`.* FROM 'app'@'%';\nREVOKE SELECT ON `shop_a`.* FROM 'app'@'%';"
    );
    let all = grant("shop_a.orders", &["ALL"], &[("ensure", "absent".into())]);
    let server = with(&[("shop_a.orders", &["SELECT*"])]);
    assert_eq!(
        told(&server, &all),
        "REVOKE ALL ON `shop_a`.`orders` FROM 'app'@'%';\nREVOKE GRANT OPTION ON `shop_a`.`orders` FROM 'app'@'%';"
    );
}

#[test]
fn an_account_or_a_table_that_is_not_there_is_waited_for() {
    let waits = |wanted: &MysqlGrant| match plan(&MysqlGrants, &with(&[]).machine, wanted) {
        Ok(Plan::Pending(need)) => need.why,
        other => panic!("{other:?}"),
    };
    assert_eq!(waits(&grant("shop_a.items", &["SELECT"], &[])), "there is no table `shop_a.items`");
    let other = grant("shop_a.*", &["SELECT"], &[("user", "other@%".into())]);
    assert_eq!(waits(&other), "there is no account `other@%`");
    let gone = grant("shop_a.*", &["SELECT"], &[("user", "other@%".into()), ("ensure", "absent".into())]);
    assert!(changes(&MysqlGrants, &with(&[]).machine, &gone).is_empty());
}

#[test]
fn what_is_held_on_columns_alone_is_taken_away_too() {
    let held = |names: &[(&str, &str)]| {
        let mut rows = vec![json!({ "account": "'app'@'%'" }), json!({ "table": "shop_a.orders" })];
        rows.extend(names.iter().map(|(name, column)| {
            let on = "shop_a.orders";
            json!({ "column": { "who": "'app'@'%'", "on": on, "name": name, "column": column } })
        }));
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        TestDatabase::answering(MARK, format!("{lines}end of answer\n"))
    };
    let gone = grant("shop_a.orders", &["SELECT", "UPDATE"], &[("ensure", "absent".into())]);
    assert!(changes(&MysqlGrants, &held(&[("INSERT", "a")]).machine, &gone).is_empty());
    let server = held(&[("SELECT", "a"), ("UPDATE", "b"), ("UPDATE", "c"), ("INSERT", "a")]);
    assert_eq!(said(&changes(&MysqlGrants, &server.machine, &gone)), ["ensure: present -> absent"]);
    assert_eq!(
        told(&server, &gone),
        "REVOKE SELECT (`a`), UPDATE (`b`, `c`) ON `shop_a`.`orders` FROM 'app'@'%';"
    );
    let other = grant("shop_a.*", &["SELECT"], &[("ensure", "absent".into())]);
    assert!(changes(&MysqlGrants, &server.machine, &other).is_empty(), "a table is another level");
}

#[test]
fn what_the_account_has_by_a_wider_level_is_said_in_each_run() {
    let gone = |on: &str| grant(on, &["SELECT"], &[("ensure", "absent".into())]);
    let note = |held: &[(&str, &[&str])], on: &str| match plan(&MysqlGrants, &with(held).machine, &gone(on))
        .unwrap()
    {
        Plan::InSync(said) => said.into_iter().find_map(|change| change.note),
        other => panic!("{other:?}"),
    };
    for (held, on, by) in [
        ("*.*", "shop_a.*", "*.*"),
        ("*.*", "shop_a.orders", "*.*"),
        ("shop\\_a.*", "shop_a.orders", "shop\\_a.*"),
        ("shop_a.*", "shop_a.orders", "shop_a.*"),
    ] {
        let words = format!("`app@%` still has SELECT on {on}, by its privileges on {by}");
        assert_eq!(note(&[(held, &["SELECT"])], on), Some(words), "{held}");
        assert_eq!(note(&[(held, &["INSERT"])], on), None, "{held}");
    }
    assert_eq!(note(&[("other.*", &["SELECT"])], "shop_a.orders"), None);
    let server = with(&[("*.*", &["SELECT"]), ("shop_a.orders", &["SELECT"])]);
    let found = changes(&MysqlGrants, &server.machine, &gone("shop_a.orders"));
    assert_eq!(said(&found), ["ensure: present -> absent"]);
    assert!(found[0].note.as_deref().unwrap().ends_with("by its privileges on *.*"), "{found:?}");
}
