//! Checks how SQLite finds what pages show: by an index and in its order, however many reports, events and commits
//! there are. Only a list of all nodes reads all nodes.

use super::node::NodeId;
use super::user::UserScope;
use super::{catalog, commit, event, fleet, node, report, tests};

/// SQLite's plan for a query, one line for each step.
async fn plan(store: &super::Store, sql: String) -> Vec<String> {
    let lines = store.read(move |connection| {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let unbound = vec![rusqlite::types::Null; statement.parameter_count()];
        let unbound = rusqlite::params_from_iter(unbound);
        let lines = statement.query_map(unbound, |row| row.get::<_, String>(3))?;
        Ok(lines.collect::<rusqlite::Result<_>>()?)
    });
    lines.await.unwrap()
}

#[actix_web::test]
async fn no_page_walks_over_all_reports_events_or_commits() {
    let (_directory, store) = tests::empty();
    let (reseller, customer) = ("alpinhost".parse().unwrap(), "alpinhost/acme".parse().unwrap());
    let queries = [
        ("all nodes", fleet::sql(&UserScope::Everything, None)),
        ("a reseller's nodes", fleet::sql(&UserScope::Reseller(reseller), None)),
        ("a customer's nodes", fleet::sql(&UserScope::Customer(customer), None)),
        ("one node in a list", fleet::sql(&UserScope::Everything, Some(NodeId(1)))),
        ("a node", node::by_name()),
        ("a node's runs", report::last_of_node()),
        ("a node's events", event::last_of_node()),
        ("a node's errors", catalog::ERRORS_OF_NODE.to_owned()),
        ("commits", commit::last_of_environment()),
        ("a commit", commit::by_id()),
        ("the commit in force", commit::newest("id")),
    ];
    for (what, sql) in queries {
        let plan = plan(&store, sql).await;
        for line in &plan {
            let is_walk = line.starts_with("SCAN") && !(what == "all nodes" && line.starts_with("SCAN node"));
            assert!(!is_walk, "{what}: {line} of {plan:#?}");
            // The errors of one node, and the events of one report, may be sorted: they are few.
            let is_sorted = line.contains("USE TEMP B-TREE FOR ORDER BY");
            assert!(!is_sorted || what == "a node's errors", "{what}: {line} of {plan:#?}");
        }
    }
}

#[actix_web::test]
async fn a_walk_is_seen() {
    let (_directory, store) = tests::empty();
    for sql in ["SELECT * FROM event WHERE cause = 'corrective'", "SELECT * FROM report ORDER BY agent"] {
        assert!(plan(&store, sql.to_owned()).await[0].starts_with("SCAN"), "{sql}");
    }
}
