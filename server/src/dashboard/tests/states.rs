//! What pages, lists and numbers say of nodes: what needs attention, what runs where, and when all is calm.

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
        "1 of 64 resources failed in the last run and 1 were skipped",
        "no new catalog at commit 9ab12cd4e5: nobody reads `nginx.worker_proceses`",
        "1 of 64 resources differ",
        "never heard from",
        "nobody added it",
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
    assert!(overview().await.contains(CALM), "{}", overview().await);
    let why = "`main` is no commit of /srv/git/control.git".to_owned();
    *seeded.estate.unreadable.lock().unwrap() = Some(crate::live::Unreadable { since: seeded.ago(9), why });
    let page = overview().await;
    assert!(
        !page.contains(CALM) && page.contains("cannot be read since") && page.contains("is no commit of")
    );
    let local = TestRequest::get().uri("/metrics").peer_addr("127.0.0.1:1".parse().unwrap());
    assert!(ask(&seeded, local).await.body.contains("holdfast_repository_unreadable 1\n"));
    *seeded.estate.unreadable.lock().unwrap() = None;
    seeded.broken_commit(5).await;
    let page = overview().await;
    assert!(!page.contains(CALM) && page.contains("did not come into force"), "{page}");
    seeded.good_commit(OLDER, 1).await;
    assert!(overview().await.contains(CALM));
    seeded.added("new1.acme.example", "alpinhost/acme").await;
    assert!(!overview().await.contains(CALM), "a machine was never seen");
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
