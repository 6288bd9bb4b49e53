//! Runs against a server that answers, loses replies, goes away, lies and comes back.

use std::sync::Arc;

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::resource::attribute::FileContent;
use holdfast_catalog::run::RunId;
use holdfast_catalog::wire::{CatalogAnswer, CatalogRequest, EnrollRequest, Refusal, ReportAnswer, path};
use rcgen::PublicKeyData as _;

use super::*;
use crate::fetch::double::{Ca, ReceivedRequest, ScriptedAnswer, TestServer};
use crate::identity::enroll::{OnExisting, enroll};

mod damage;
mod disks;
mod earlier;
mod hanging;
mod put_back;
mod told;
mod waits;

/// A machine in a directory, and its server.
struct Scene {
    root: tempfile::TempDir,
    place: Installation,
    server: Arc<TestServer>,
}

/// A catalog that sets the content of `/greeting`.
fn catalog(id: u8, content: &str) -> Catalog {
    serde_json::from_value(serde_json::json!({
        "id": format!("{id:064}"), "certname": "web1.acme.example", "commit": format!("c{id}"),
        "environment": "main",
        "resources": [{
            "reference": "file[/greeting]", "container": null, "origin": null,
            "attributes": { "content": content, "mode": "0644" },
        }],
        "containers": [], "edges": [],
    }))
    .unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn scene() -> Scene {
    let root = tempfile::tempdir().unwrap();
    let place = Installation::find(root.path(), None, None).unwrap();
    let server = Arc::new(TestServer::start(|_| ScriptedAnswer::Lost));
    Scene { root, place, server }
}

impl Scene {
    fn state(&self) -> StateDir {
        StateDir::open(&self.place.state_dir).unwrap()
    }

    fn enroll(&self) -> Identity {
        let server = self.server.clone();
        self.server.answers(move |request| server.enrolled(request));
        block_on(enroll(&self.server.join(), &self.state(), OnExisting::Keep)).unwrap()
    }

    /// Makes the server give this catalog, ask for facts at first, and take reports.
    fn serves(&self, catalog: Catalog) {
        self.serves_and_knows(catalog, None);
    }

    /// The same, and it says which run was last reported.
    fn serves_and_knows(&self, catalog: Catalog, reported: Option<RunId>) {
        self.server.answers(move |request| match request.path.as_str() {
            path::CATALOG => {
                let asked: CatalogRequest = request.json();
                ScriptedAnswer::ok(&match (asked.facts, asked.have) {
                    (_, Some(have)) if have == catalog.id => CatalogAnswer::Unchanged {
                        commit: "live".into(),
                        next_run: 77,
                        interval: Some(120),
                        reported,
                    },
                    (None, None) => CatalogAnswer::FactsWanted,
                    _ => CatalogAnswer::Catalog {
                        catalog: Box::new(catalog.clone()),
                        next_run: 77,
                        interval: Some(120),
                        reported,
                    },
                })
            }
            path::REPORTS => ScriptedAnswer::ok(&ReportAnswer { new: true }),
            _ => ScriptedAnswer::Json(404, "{}".into()),
        });
    }

    fn run(&self) -> Done {
        once(&self.place, self.place.config.mode, &Arc::default()).unwrap()
    }

    fn greeting(&self) -> String {
        std::fs::read_to_string(self.root.path().join("greeting")).unwrap_or_default()
    }

    fn reports(&self) -> Vec<Report> {
        self.server.asked(path::REPORTS).iter().map(ReceivedRequest::json).collect()
    }
}

#[test]
fn a_wrong_pin_sends_nothing_and_shows_both_fingerprints() {
    let scene = scene();
    let (real, pinned) = (scene.server.ca.pin(), Ca::new().pin());
    let join = scene.server.join_with(pinned);
    let error = block_on(enroll(&join, &scene.state(), OnExisting::Keep)).unwrap_err().to_string();
    assert!(error.contains(&real.to_string()) && error.contains(&pinned.to_string()), "{error}");
    assert!(error.contains("nothing was sent"), "{error}");
    assert!(scene.server.asked(path::ENROLL).is_empty());
    assert!(matches!(Identity::load(&scene.state()), Err(identity::Error::NotEnrolled)));
}

#[test]
fn a_lost_reply_burns_nothing() {
    let scene = scene();
    assert!(block_on(enroll(&scene.server.join(), &scene.state(), OnExisting::Keep)).is_err());
    let identity = scene.enroll();
    assert_eq!(identity.certname.as_str(), "web1.acme.example");
    let keys = scene.server.asked(path::ENROLL);
    assert!(keys.len() >= 2);
    let public = |seen: &ReceivedRequest| {
        let csr = seen.json::<EnrollRequest>().csr;
        rcgen::CertificateSigningRequestParams::from_pem(&csr).unwrap().public_key.der_bytes().to_vec()
    };
    assert!(keys.iter().all(|seen| public(seen) == public(&keys[0])), "each try had the same key");
    let again = block_on(enroll(&scene.server.join(), &scene.state(), OnExisting::Keep)).unwrap_err();
    assert!(again.to_string().contains("enrolled as web1.acme.example"), "{again}");
}

#[test]
fn a_run_asks_with_its_certificate_and_reports() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    let done = scene.run();
    assert_eq!(scene.greeting(), "hello\n");
    assert_eq!((done.report.counts.changed, done.report.source), (1, Source::Server));
    assert!(done.report.error.is_none(), "{:?}", done.report.error);
    assert_eq!(scene.reports(), [done.report]);
    assert!(scene.server.asked(path::CATALOG).iter().all(|seen| seen.with_certificate));
    assert_eq!(LastRunStatus::load(&scene.state()).unwrap().unwrap().next_run_seconds, 77);

    let again = scene.run().report;
    assert_eq!((again.counts.changed, again.counts.unchanged), (0, 1));
    assert_eq!(again.commit.as_deref(), Some("live"), "a commit that changed nothing here still arrives");
}

#[test]
fn a_machine_that_is_enrolled_anew_has_had_no_run_yet() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    scene.run();
    assert!(LastRunStatus::load(&scene.state()).unwrap().is_some());
    Identity::put_aside(&scene.state()).unwrap();
    assert_eq!(LastRunStatus::load(&scene.state()).unwrap(), None);
}

#[test]
fn with_the_server_away_drift_is_corrected_and_reported_later_once_and_in_order() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    scene.run();
    scene.server.answers(|_| ScriptedAnswer::Lost);
    let away: Vec<_> = ["x", "y"]
        .iter()
        .map(|drift| {
            std::fs::write(scene.root.path().join("greeting"), drift).unwrap();
            let done = scene.run();
            assert_eq!(scene.greeting(), "hello\n");
            assert_eq!((done.report.source, done.report.counts.corrective), (Source::Cache, 1));
            assert!(done.delivery.waits.is_some());
            done.report.run
        })
        .collect();
    let before = scene.reports().len();
    scene.serves(catalog(1, "hello\n"));
    let back = scene.run().report.run;
    let delivered: Vec<_> = scene.reports()[before..].iter().map(|report| report.run).collect();
    assert_eq!(delivered, [away[0], away[1], back]);
    scene.run();
    assert_eq!(scene.reports().len(), before + 4);
}

#[test]
fn content_is_fetched_once_and_only_the_named_bytes_are_written() {
    let scene = scene();
    scene.enroll();
    let hash = ContentHash::of(b"from files");
    let named = |id| {
        let mut catalog = catalog(id, "");
        catalog.resources[0].attributes.insert("content".into(), FileContent::hash_value(&hash, 10));
        catalog
    };
    let content = format!("{}/{hash}", path::CONTENT);
    let serve = |catalog: Catalog, bytes: &'static str| {
        let content = content.clone();
        scene.server.answers(move |request| match request.path.as_str() {
            path::CATALOG => ScriptedAnswer::ok(&CatalogAnswer::Catalog {
                catalog: Box::new(catalog.clone()),
                next_run: 9,
                interval: None,
                reported: None,
            }),
            asked if asked == content => ScriptedAnswer::Json(200, bytes.into()),
            _ => ScriptedAnswer::ok(&ReportAnswer { new: true }),
        });
    };
    serve(named(1), "other byte");
    let report = scene.run().report;
    assert!(report.events[0].reason.as_ref().unwrap().contains("different bytes"), "{:?}", report.events);
    assert_eq!((report.counts.failed, scene.greeting().as_str()), (1, ""));
    serve(named(1), "from files");
    assert_eq!(scene.run().report.counts.changed, 1);
    assert_eq!(scene.greeting(), "from files");
    serve(named(2), "from files");
    scene.run();
    assert_eq!(scene.server.asked(&content).len(), 2, "what is here is not fetched again");
}

#[test]
fn a_refused_report_does_not_hold_up_the_next_one() {
    let scene = scene();
    scene.enroll();
    scene
        .server
        .answers(|_| ScriptedAnswer::Json(413, r#"{"code":"too-large","message":"it is too large"}"#.into()));
    let done = scene.run();
    assert!(done.delivery.refused.unwrap().contains("too-large"));
    scene.serves(catalog(1, "hello\n"));
    assert_eq!(scene.run().delivery.delivered, 1);
    let aside = Spool::open(&scene.state()).unwrap().aside().unwrap();
    assert_eq!(aside.refused, 1);
}

#[test]
fn a_report_that_cannot_be_read_is_put_aside_once_and_holds_nobody_up() {
    let scene = scene();
    scene.enroll_whole();
    scene.serves(catalog(1, "hello\n"));
    Spool::open(&scene.state()).unwrap();
    let spool = scene.place.state_dir.join("spool");
    std::os::unix::fs::symlink("/etc/passwd", spool.join("0-planted.json")).unwrap();
    let huge = std::fs::File::create(spool.join("1-huge.json")).unwrap();
    huge.set_len(64 * 1024 * 1024 + 1).unwrap();
    std::fs::write(spool.join("2-damaged.json"), "{").unwrap();

    let first = scene.run();
    assert_eq!((first.delivery.delivered, first.delivery.waits), (1, None));
    assert_eq!(first.aside.refused, 3);
    let told = first.report.error.unwrap();
    assert!(told.contains("3 reports of earlier runs are not delivered"), "{told}");
    let second = scene.run().delivery;
    assert!(second.is_whole() && second.delivered == 1, "{second:?}");
}

#[test]
fn f14_a_report_that_no_disk_takes_goes_from_memory() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    let spool = scene.place.state_dir.join("spool");
    scene.server.meanwhile({
        let spool = spool.clone();
        move || std::fs::write(&spool, "no directory").unwrap_or_default()
    });
    let done = scene.run();
    assert_eq!((done.report.counts.changed, scene.greeting().as_str()), (1, "hello\n"));
    assert!(done.delivery.is_whole() && done.delivery.delivered == 1, "{:?}", done.delivery);
    assert_eq!(scene.reports(), [done.report]);

    scene.server.answers(move |_| {
        let _ = std::fs::remove_dir_all(&spool);
        std::fs::write(&spool, "no directory").unwrap();
        ScriptedAnswer::Lost
    });
    let done = scene.run();
    assert!(done.delivery.lost.unwrap().contains("spool"), "neither the disk nor the server took it");
    let status = LastRunStatus::load(&scene.state()).unwrap().unwrap();
    assert_eq!((status.run, status.delivered), (done.report.run, false));
}

#[test]
fn f20_damaged_contents_are_fetched_anew_whatever_is_in_their_place() {
    let scene = scene();
    scene.enroll();
    let hash = ContentHash::of(b"from files");
    let mut named = catalog(1, "");
    named.resources[0].attributes.insert("content".into(), FileContent::hash_value(&hash, 10));
    let content = format!("{}/{hash}", path::CONTENT);
    let (served, asked) = (named.clone(), content.clone());
    scene.server.answers(move |request| match request.path.as_str() {
        path::CATALOG => ScriptedAnswer::ok(&CatalogAnswer::Catalog {
            catalog: Box::new(served.clone()),
            next_run: 9,
            interval: None,
            reported: None,
        }),
        path if path == asked => ScriptedAnswer::Json(200, "from files".into()),
        _ => ScriptedAnswer::ok(&ReportAnswer { new: true }),
    });
    scene.run();
    let store = scene.place.state_dir.join("content");
    let kept = store.join(hash.as_str());
    let damages: [fn(&std::path::Path); 3] = [
        |kept| std::fs::write(kept, "from fil").unwrap(),
        |kept| std::fs::write(kept, "FROM FILES").unwrap(),
        |kept| {
            std::fs::remove_file(kept).unwrap();
            std::fs::create_dir_all(kept.join("x")).unwrap();
        },
    ];
    std::fs::create_dir_all(store.join("lost+found/x")).unwrap();
    for damage in damages {
        damage(&kept);
        std::fs::remove_file(scene.root.path().join("greeting")).unwrap();
        let report = scene.run().report;
        assert_eq!((report.counts.failed, report.counts.changed), (0, 1), "{:?}", report.events);
        assert_eq!(scene.greeting(), "from files");
    }
    assert!(!store.join("lost+found").exists(), "it belongs to no catalog");

    // The catalog is not available and the contents are: those of the cached catalog are fetched.
    std::fs::remove_file(&kept).unwrap();
    std::fs::remove_file(scene.root.path().join("greeting")).unwrap();
    scene.server.answers(move |request| match request.path.as_str() {
        path::CATALOG => {
            ScriptedAnswer::Json(409, r#"{"code":"catalog-broken","message":"it does not compile"}"#.into())
        }
        path if path == content => ScriptedAnswer::Json(200, "from files".into()),
        _ => ScriptedAnswer::ok(&ReportAnswer { new: true }),
    });
    let report = scene.run().report;
    assert_eq!((report.source, report.counts.failed), (Source::Cache, 0), "{:?}", report.events);
    assert_eq!(scene.greeting(), "from files");
}

#[test]
fn f14_without_a_place_for_anything_the_run_enforces_and_reports() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    for name in ["spool", "cache", "content", "memory"] {
        std::fs::write(scene.place.state_dir.join(name), "no directory").unwrap();
    }
    let done = scene.run();
    assert_eq!(scene.greeting(), "hello\n", "{:?}", done.report);
    assert_eq!(scene.reports(), [done.report]);
}

#[test]
fn an_identity_that_its_server_no_longer_knows_gives_way_and_no_other_does() {
    let scene = scene();
    scene.enroll();
    let moved = |code: &'static str| {
        let server = scene.server.clone();
        scene.server.answers(move |request| match request.path.as_str() {
            path::ENROLL => server.enrolled(request),
            _ => ScriptedAnswer::Json(403, format!("{{\"code\":\"{code}\",\"message\":\"x\"}}")),
        });
        block_on(enroll(&scene.server.join(), &scene.state(), OnExisting::Keep))
    };
    let first = Identity::load(&scene.state()).unwrap();
    let kept = moved("certificate-expired").unwrap_err().to_string();
    assert!(kept.contains("enroll --replace"), "{kept}");
    assert_eq!(Identity::load(&scene.state()).unwrap().current.certificate, first.current.certificate);
    for over in ["unknown-node", "revoked", "certificate-replaced"] {
        let before = Identity::load(&scene.state()).unwrap().current.certificate;
        let new = moved(over).unwrap();
        assert_ne!(new.current.certificate, before);
        assert_eq!(Identity::load(&scene.state()).unwrap().current.certificate, new.current.certificate);
    }
    let aside = std::fs::read_dir(scene.place.state_dir.join("identity")).unwrap();
    let aside = aside.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir()).count();
    assert!(aside > 0, "nothing of the earlier ones is lost");
    scene.server.answers(|_| ScriptedAnswer::Lost);
    assert!(block_on(enroll(&scene.server.join(), &scene.state(), OnExisting::Replace)).is_err());
    assert!(Identity::load(&scene.state()).is_ok(), "it stays until the new one is there");
}

#[test]
fn what_is_not_for_this_node_or_not_understood_is_refused_whole() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    scene.run();
    let mut foreign = catalog(2, "foreign\n");
    foreign.certname = Certname::parse("web2.acme.example").unwrap();
    let mut unknown = catalog(3, "unknown\n");
    unknown.resources[0].reference = holdfast_catalog::resource::ResourceRef::parse("quux[/x]").unwrap();
    for (catalog, word) in [(foreign, "web2.acme.example"), (unknown, "quux")] {
        scene.serves(catalog);
        let report = scene.run().report;
        assert!(report.error.as_ref().unwrap().contains(word), "{:?}", report.error);
        assert_eq!((report.source, report.commit.as_deref()), (Source::Cache, Some("c1")));
        assert_eq!(scene.greeting(), "hello\n");
    }
}

#[test]
fn an_old_catalog_is_audited_and_not_enforced() {
    let scene = scene();
    take_over(&scene.state(), &scene.enroll()).unwrap();
    let old = crate::clock::now() - jiff::SignedDuration::from_hours(31 * 24);
    Cache::open(&scene.state()).unwrap().store(&catalog(1, "hello\n"), old).unwrap();
    scene.server.answers(|_| ScriptedAnswer::Lost);
    let report = scene.run().report;
    assert_eq!((report.mode, report.counts.would_change), (Mode::Audit, 1));
    assert!(report.error.unwrap().contains("max_stale_days") && !scene.root.path().join("greeting").exists());
}

#[test]
fn a_revoked_node_keeps_its_last_catalog_and_says_why() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    scene.run();
    let refusal =
        Refusal { code: "node-revoked".into(), message: "this node is revoked".into(), commit: None };
    scene.server.answers(move |_| ScriptedAnswer::Json(403, serde_json::to_string(&refusal).unwrap()));
    std::fs::write(scene.root.path().join("greeting"), "x").unwrap();
    let done = scene.run();
    assert!(done.report.error.unwrap().contains("revoked"));
    assert_eq!(scene.greeting(), "hello\n");
    assert!(done.delivery.waits.is_some(), "its reports wait: it may be taken back");
}

#[test]
fn the_commit_that_had_no_catalog_for_the_node_is_reported_apart_from_all_else() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    scene.run();
    let refusal =
        Refusal { code: "catalog-broken".into(), message: "it is broken".into(), commit: Some("c2".into()) };
    scene.server.answers(move |_| ScriptedAnswer::Json(409, serde_json::to_string(&refusal).unwrap()));
    let report = scene.run().report;
    let no_catalog = report.no_catalog.unwrap();
    assert_eq!((&*no_catalog.commit, report.error), ("c2", None));
    assert!(no_catalog.why.ends_with("it is broken; the last good catalog stays in force"), "{no_catalog:?}");
}

#[test]
fn without_any_catalog_the_run_says_so_and_fails() {
    let scene = scene();
    scene.enroll();
    scene.server.answers(|_| ScriptedAnswer::Lost);
    let report = scene.run().report;
    assert!(report.catalog.is_none() && report.error.unwrap().contains("no catalog"));
}

#[test]
fn a_certificate_in_the_second_half_of_its_life_is_renewed_with_a_new_key() {
    let scene = scene();
    let mut identity = scene.enroll();
    let first = identity.current.key.pem().to_owned();
    let server = scene.server.clone();
    scene.server.answers(move |request| {
        let csr = request.json::<holdfast_catalog::wire::RenewRequest>().csr;
        ScriptedAnswer::ok(&server.ca.sign(&csr, "web1.acme.example"))
    });
    let client = identity.client(None).unwrap();
    block_on(identity.renew(&scene.state(), &client)).unwrap();
    let stored = Identity::load(&scene.state()).unwrap();
    assert_ne!(stored.current.key.pem(), first);
    assert_eq!(
        stored.previous.as_ref().unwrap().key.pem(),
        first,
        "the old one stays until the new one worked"
    );
    scene.serves(catalog(1, "hello\n"));
    scene.run();
    assert!(Identity::load(&scene.state()).unwrap().previous.is_none());
}

#[test]
fn two_runs_at_once_are_one() {
    let scene = scene();
    scene.enroll();
    let _lock = scene.state().lock().unwrap();
    let error = once(&scene.place, Mode::Enforce, &Arc::default()).unwrap_err().to_string();
    assert!(error.contains("another run is in progress"), "{error}");
    assert!(scene.reports().is_empty());
}
