//! What users see of one node or tenant, and not of another.

use holdfast_catalog::report::{Cause, Event, Mode, Report, Status};

use super::*;

#[actix_web::test]
async fn a_run_is_that_of_the_node_whose_page_leads_to_it_whoever_else_has_used_its_id() {
    let seeded = seeded().await;
    let ours = seeded.store.node("web1.acme.example".parse().unwrap()).await.unwrap().unwrap();
    let run = seeded.last_run(ours.id).await;
    let other = seeded.enrolled("mx2.acme.example", "alpinhost/acme").await;
    let gone = Event {
        reason: Some("disk gone".into()),
        ..seed::event("file[/srv]", Status::Failed, Cause::Intentional)
    };
    let report = seeded.ran(seeded.ago(1), vec![gone], Mode::Enforce);
    let report = Report { run: run.parse().unwrap(), ..report };
    seeded.store.put_report(other, report, seeded.ago(1)).await.unwrap();
    for user in ["ana", "cleo"] {
        let link = format!("/nodes/mx2.acme.example/reports/{run}");
        for page in ["/nodes", "/nodes/mx2.acme.example"] {
            let page = see(&seeded, user, page).await.body;
            assert!(page.contains(&format!("href=\"{link}\"")), "{page}");
            assert!(!page.contains("href=\"/reports/"), "{page}");
        }
        let page = see(&seeded, user, &link).await.body;
        assert!(page.contains("Run of mx2.acme.example") && page.contains("disk gone"), "{page}");
        assert_eq!(json(&seeded, user, &link).await["node"], "mx2.acme.example");
        let first = json(&seeded, user, &format!("/nodes/web1.acme.example/reports/{run}")).await;
        assert_eq!(first["node"], "web1.acme.example");
    }
    for path in [
        format!("/nodes/mx2.acme.example/reports/{run}"),
        format!("/nodes/web2.birch.example/reports/{run}"),
        "/nodes/web2.birch.example/reports/x".to_owned(),
    ] {
        assert_eq!(see(&seeded, "ben", &path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[actix_web::test]
async fn a_tenant_does_not_learn_that_anothers_data_has_an_error_and_operators_see_how_many() {
    let seeded = seeded().await;
    let id = "dddddddddddddddddddddddddddddddddddddddd";
    seeded.commit_with_errors(id).await;
    for (user, errors, is_told) in [("ana", 1, true), ("ben", 0, false), ("cleo", 0, false)] {
        let page = json(&seeded, user, &format!("/commits/{id}")).await;
        assert_eq!(page["broken"].is_object(), is_told, "{user}: {page}");
        assert_eq!(page["entries"][0]["errors"], errors, "{user}: {page}");
        let list = json(&seeded, user, "/commits").await;
        assert_eq!(list["commits"][0]["commit"]["id"], id);
        assert_eq!(list["commits"][0]["errors"], errors, "{user}: {list}");
    }
    // A commit that did not come into force is shown to everyone, since their machines wait for it too.
    for user in ["ana", "ben"] {
        assert!(json(&seeded, user, &format!("/commits/{BROKEN}")).await["broken"].is_object());
    }
}
