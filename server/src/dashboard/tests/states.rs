//! What pages, lists and numbers show of nodes: what needs attention, what runs where, and when all is calm.

use holdfast_catalog::report::{Counts, Mode, Report, Source};
use jiff::Timestamp;

use super::*;

#[actix_web::test]
async fn every_state_has_its_node() {
    let seeded = seeded().await;
    let list = json(&seeded, "ana", "/nodes").await;
    let state = |name: &str| {
        let nodes = list["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["node"] == name).unwrap()["state"].clone()
    };
    for (name, expected) in [
        ("web1.acme.example", "drifted"),
        ("db1.acme.example", "in-order"),
        ("db2.acme.example", "not-added"),
        ("web1.birch.example", "failed"),
        ("web2.birch.example", "broken"),
        ("new1.birch.example", "never-seen"),
        ("mail1.cedar.example", "late"),
        ("mail2.cedar.example", "pending"),
    ] {
        assert_eq!(state(name), expected, "{name}");
        assert_eq!(json(&seeded, "ana", &format!("/nodes/{name}")).await["state"], expected, "{name}");
    }
}

#[actix_web::test]
async fn what_needs_attention_comes_first_with_its_reason_and_nothing_is_said_of_nothing() {
    let seeded = seeded().await;
    let overview = json(&seeded, "ana", "/overview").await;
    let lines = overview["attention"].as_array().unwrap();
    let named: Vec<_> = lines.iter().map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(named, ["late", "failed", "broken", "pending", "never-seen", "not-added"]);
    for (line, reason) in lines.iter().zip([
        "nothing was heard for 9 h",
        "1 of 64 resources failed in the last run and 1 was skipped",
        "no new catalog at commit 9ab12cd4e5: hieradata/customers/acme.toml: nothing reads `nginx.worker_proceses`",
        "1 of 64 resources differs",
        "never heard from",
        "not added",
    ]) {
        assert!(line["reason"].as_str().unwrap().contains(reason), "{line}");
    }
    let page = see(&seeded, "ana", "/").await.body;
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text} in {page}"));
    assert!(place("Needs attention") < place("class=\"tiles\""));
    assert!(!page.contains("Nothing: every machine"));
}

#[actix_web::test]
async fn the_overview_is_calm_only_where_nothing_is_wrong() {
    const CALM: &str = "Nothing: every machine";
    let seeded = empty();
    seeded.user("ana", "everything").await;
    let overview = async || see(&seeded, "ana", "/").await.body;
    assert!(!overview().await.contains(CALM), "no commit is in force");
    seeded.good_commit(GOOD, 60).await;
    assert!(overview().await.contains("every machine of the inventory that"), "{}", overview().await);
    seeded.user("cleo", "alpinhost/acme").await;
    let of_one = see(&seeded, "cleo", "/").await.body;
    assert!(of_one.contains("Nothing: every machine of alpinhost/acme that"), "{of_one}");
    let why = "`main` is not a commit of /srv/git/control.git".to_owned();
    *seeded.server_view.unreadable.lock().unwrap() =
        Some(crate::control::RepositoryFailure { since: seeded.ago(9), why });
    let page = overview().await;
    assert!(
        !page.contains(CALM) && page.contains("cannot be read since") && page.contains("is not a commit of")
    );
    let local = TestRequest::get().uri("/metrics").peer_addr("127.0.0.1:1".parse().unwrap());
    assert!(ask(&seeded, local).await.body.contains("holdfast_repository_unreadable 1\n"));
    *seeded.server_view.unreadable.lock().unwrap() = None;
    seeded.broken_commit(5).await;
    let page = overview().await;
    assert!(!page.contains(CALM) && page.contains("did not come into force"), "{page}");
    seeded.good_commit(OLDER, 1).await;
    assert!(overview().await.contains(CALM));
    seeded.added("new1.acme.example", "alpinhost/acme").await;
    assert!(!overview().await.contains(CALM), "a machine was never seen");
}

#[actix_web::test]
async fn a_machine_whose_catalog_is_known_to_be_broken_is_broken_before_its_next_poll() {
    let seeded = seeded().await;
    seeded.good_commit(OLDER, 1).await;
    let web = "web1.acme.example".parse().unwrap();
    let problems = vec![seed::misspelt(), seed::misspelt()];
    seeded.server_view.broken.lock().unwrap().insert(web, (OLDER.into(), problems));
    let node = json(&seeded, "ana", "/nodes/web1.acme.example").await;
    assert_eq!(node["state"], "broken", "{node}");
    assert_eq!(node["compile_errors"][0]["commit"], OLDER);
    assert_eq!(node["compile_errors"][0]["faults"][0]["place"], "hieradata/customers/acme.toml:2:1");
    let overview = json(&seeded, "ana", "/overview").await;
    let attention = overview["attention"].as_array().unwrap();
    let line = attention.iter().find(|line| line["node"] == "web1.acme.example").unwrap();
    let why = "no new catalog at commit 1111aaaa22: hieradata/customers/acme.toml: nothing reads";
    assert!(line["reason"].as_str().unwrap().contains(why), "{line}");
    let commits = see(&seeded, "ana", "/commits").await.body;
    assert!(commits.contains("1 node does not get it"), "{commits}");
    let commit = see(&seeded, "ana", &format!("/commits/{OLDER}")).await.body;
    assert!(commit.contains(why) && commit.contains("1 node does not get it"), "{commit}");
    let local = TestRequest::get().uri("/metrics").peer_addr("127.0.0.1:1".parse().unwrap());
    assert!(ask(&seeded, local).await.body.contains("holdfast_nodes{state=\"broken\"} 2\n"));
}

#[actix_web::test]
async fn what_a_run_by_the_same_commit_said_outweighs_the_facts_that_the_judgement_went_by() {
    let seeded = seeded().await;
    let db = "db1.acme.example".parse().unwrap();
    seeded.server_view.broken.lock().unwrap().insert(db, (GOOD.into(), vec![seed::misspelt()]));
    assert_eq!(json(&seeded, "ana", "/nodes/db1.acme.example").await["state"], "in-order");
}

#[actix_web::test]
async fn what_policy_switches_off_is_not_called_as_it_should_be() {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    seeded.good_commit(GOOD, 60).await;
    let (all, some) = ("off.acme.example", "part.acme.example");
    for (name, off) in [(all, 64), (some, 3)] {
        let node = seeded.enrolled(name, "alpinhost/acme").await;
        let at = seeded.ago(1);
        let mut report = seeded.ran(at, vec![], Mode::Enforce);
        (report.counts.off, report.counts.unchanged) = (off, 64 - off);
        seeded.store.put_report(node, report, at).await.unwrap();
    }
    let state = async |name: &str| json(&seeded, "ana", &format!("/nodes/{name}")).await;
    let (all_off, part_off) = (state(all).await, state(some).await);
    assert_eq!((&all_off["state"], &part_off["state"]), (&"switched-off".into(), &"in-order".into()));
    let reason = part_off["reason"].as_str().unwrap();
    assert!(reason.ends_with("3 of 64 resources are switched off by policy"), "{reason}");
    let page = async |node: &serde_json::Value| {
        let report = node["runs"][0]["run"].as_str().unwrap().to_owned();
        see(&seeded, "ana", &format!("/reports/{report}")).await.body
    };
    assert!(page(&all_off).await.contains("Nothing was checked: all resources are switched off"));
    assert!(page(&part_off).await.contains("all that policy does not switch off was as it should be"));
    let overview = see(&seeded, "ana", "/").await.body;
    assert!(!overview.contains("Nothing: every machine") && overview.contains("nothing was checked"));
}

#[actix_web::test]
async fn the_numbers_of_silence_and_expiry_are_of_machines_in_service() {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    seeded.enrolled("old.acme.example", "alpinhost/acme").await;
    let numbers = async || {
        let local = TestRequest::get().uri("/metrics").peer_addr("127.0.0.1:1".parse().unwrap());
        ask(&seeded, local).await.body
    };
    let of = |text: &str| {
        text.contains("\nholdfast_node_silence_seconds ")
            && text.contains("\nholdfast_certificate_expiry_seconds ")
    };
    assert!(of(&numbers().await));
    let (name, by) = ("old.acme.example".parse().unwrap(), entry(seeded.now, "node-revoked"));
    seeded.store.end_node(name, store::node::NodeState::Revoked, by).await.unwrap();
    assert!(!of(&numbers().await), "{}", numbers().await);
}

#[actix_web::test]
async fn a_commit_runs_where_a_run_by_it_was_reported_and_nowhere_else() {
    let seeded = seeded().await;
    let running =
        async || json(&seeded, "ana", "/overview").await["environments"][0]["running"]["count"].clone();
    assert_eq!(running().await, 5, "neither what was never seen nor what only looked");
    let node = json(&seeded, "ana", "/nodes/mail2.cedar.example").await;
    assert_eq!((&node["commit"], &node["looked_at"]), (&serde_json::Value::Null, &GOOD.into()));
    seeded.good_commit(OLDER, 1).await;
    assert_eq!(running().await, 0, "it was offered and nobody took it");
    let node = json(&seeded, "ana", "/nodes/web2.birch.example").await;
    assert_eq!((&node["commit"], &node["in_force"]), (&GOOD.into(), &OLDER.into()));
}

#[actix_web::test]
async fn a_commit_that_the_server_does_not_know_is_called_unknown() {
    let seeded = seeded().await;
    let web = seeded.store.node("web1.acme.example".parse().unwrap()).await.unwrap().unwrap();
    let claimed = "c0ffee00".repeat(5);
    let report = seeded.ran(Timestamp::now(), Vec::new(), Mode::Enforce);
    let report = Report { commit: Some(claimed.as_str().into()), ..report };
    seeded.store.put_report(web.id, report, Timestamp::now()).await.unwrap();
    let node = json(&seeded, "ana", "/nodes/web1.acme.example").await;
    assert_eq!(
        (&node["commit"], &node["unknown_commit"]),
        (&serde_json::Value::Null, &claimed.as_str().into())
    );
    let page = see(&seeded, "ana", "/nodes/web1.acme.example").await.body;
    assert!(page.contains("a commit that this server does not know"), "{page}");
    assert_eq!(json(&seeded, "ana", &format!("/nodes?commit={claimed}")).await["count"], 0);
    assert_eq!(json(&seeded, "ana", &format!("/nodes?commit={GOOD}&q=web1.acme")).await["count"], 0);
}

#[actix_web::test]
async fn an_environment_that_is_followed_no_more_is_gone() {
    let seeded = seeded().await;
    let other = store::commit::CommitRow {
        environment: "directory".into(),
        ..seeded.store.commit(BROKEN.into()).await.unwrap().remove(0)
    };
    seeded.store.put_commit(store::commit::CommitRow { id: "dir-80cec4".into(), ..other }).await.unwrap();
    for path in ["/", "/commits"] {
        let page = see(&seeded, "ana", path).await.body;
        assert!(!page.contains("dir-80cec4") && !page.contains("directory"), "{path}: {page}");
    }
    assert_eq!(json(&seeded, "ana", "/overview").await["environments"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn metrics_count_all_nodes_and_name_none() {
    let seeded = seeded().await;
    let local = TestRequest::get().uri("/metrics").peer_addr("127.0.0.1:1".parse().unwrap());
    let text = ask(&seeded, local).await.body;
    for state in holdfast_catalog::state::State::ALL {
        let nodes = json(&seeded, "ana", &format!("/nodes?state={}", state.slug())).await["count"].clone();
        let line = format!("holdfast_nodes{{state=\"{}\"}} {nodes}\n", state.slug());
        assert!(text.contains(&line), "no {line} in {text}");
    }
    assert!(text.contains("holdfast_nodes{state=\"failed\"} 1\n"), "{text}");
    assert!(text.contains("holdfast_commits_broken 1\n"), "{text}");
    assert!(!text.contains("acme") && !text.contains("script"), "{text}");
}

#[actix_web::test]
async fn a_run_that_had_no_catalog_is_by_none_and_counts_as_failed() {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    let node = seeded.enrolled("web1.acme.example", "alpinhost/acme").await;
    let ran = seeded.ran(seeded.ago(5), Vec::new(), Mode::Enforce);
    let report = Report {
        commit: None,
        source: Source::Cache,
        counts: Counts::default(),
        error: Some("there is no catalog to enforce yet".to_owned()),
        ..ran.clone()
    };
    seeded.store.put_report(node, report, seeded.ago(5)).await.unwrap();
    let id = seeded.last_run(node).await;
    let page = see(&seeded, "ana", "/nodes/web1.acme.example").await.body;
    assert!(page.contains("no run") && !page.contains("from the cache"), "{page}");
    let page = see(&seeded, "ana", &format!("/reports/{id}")).await.body;
    assert!(page.contains("no catalog to enforce") && !page.contains("last good catalog"), "{page}");
    let failed = see(&seeded, "ana", "/nodes?did=failed&within=hour").await.body;
    assert!(failed.contains("web1.acme.example"), "{failed}");
    // A run that manages nothing still took place.
    let nothing = Report { run: uuid::Uuid::now_v7().into(), counts: Counts::default(), ..ran };
    seeded.store.put_report(node, nothing, seeded.ago(4)).await.unwrap();
    let page = see(&seeded, "ana", "/nodes/web1.acme.example").await.body;
    assert!(page.contains("nothing is managed"), "{page}");
}
