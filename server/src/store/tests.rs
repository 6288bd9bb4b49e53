//! Tests of the store's guarantees: what happens only once, what survives, and what others do not see.

use holdfast_catalog::catalog::CatalogId;
use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::report::{Counts, Event, Mode, Report, Source, Status};
use holdfast_catalog::resource::ResourceRef;
use holdfast_catalog::run::RunId;
use jiff::{SignedDuration, Timestamp};

use super::audit::NewAuditEntry;
use super::catalog::ServedCatalog;
use super::certificate::{NewCertificate, Renewal};
use super::node::{AddOutcome, NodeId, NodeRow, NodeState, OnConflict};
use super::report::InsertOutcome;
use super::token::{ClaimOutcome, NewToken};
use super::*;

mod audit; // entries that were changed or cut off are detected
mod certificates;
mod migrated;
mod people;
mod work;

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

impl Store {
    /// All living nodes, by name.
    pub(crate) async fn nodes(&self) -> Result<Vec<NodeRow>> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT id FROM node ORDER BY certname")?;
            let ids = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
            let nodes = ids.into_iter().map(|id| node::by_id(connection, NodeId(id)));
            let is_living = |node: &NodeRow| node.state != NodeState::Gone;
            Ok(nodes.collect::<Result<Vec<_>>>()?.into_iter().flatten().filter(is_living).collect())
        })
        .await
    }
}

/// A store in a temporary directory.
pub(crate) fn empty() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("server.db")).unwrap();
    (directory, store)
}

impl Store {
    /// Takes the readers of pages, as very slow pages do, until the result is dropped.
    pub(crate) async fn hold_readers_of_pages(&self) -> tokio::sync::OwnedSemaphorePermit {
        self.shared.for_pages.hold().await
    }

    /// Makes every write fail from now on, as on a broken disk.
    pub(crate) async fn refuse_writing(&self) {
        self.write(|connection| Ok(connection.pragma_update(None, "query_only", true)?)).await.unwrap();
    }
}

fn entry(action: &'static str) -> NewAuditEntry {
    NewAuditEntry {
        at: NOW,
        actor: "uid 0".into(),
        action,
        object: "web1".into(),
        commit: None,
        detail: String::new(),
    }
}

fn token(id: &str) -> NewToken {
    NewToken { id: id.into(), secret_mac: vec![1], expires_at: NOW + SignedDuration::from_mins(15) }
}

fn certificate(serial: &str, key: u8) -> NewCertificate {
    NewCertificate {
        serial: serial.into(),
        public_key: vec![key; 32],
        not_before: NOW,
        not_after: NOW + SignedDuration::from_hours(24),
        pem: format!("certificate {serial}"),
    }
}

async fn add(store: &Store, name: &str, present: OnConflict, id: &str) -> AddOutcome {
    let tenancy = "alpinhost/acme".parse().unwrap();
    store.add_node(name.parse().unwrap(), tenancy, present, token(id), entry("node-added")).await.unwrap()
}

async fn added(store: &Store, name: &str) -> NodeRow {
    match add(store, name, OnConflict::Keep, &format!("token-{name}")).await {
        AddOutcome::Node(node) => node,
        AddOutcome::Present(node) => panic!("{node:?} is there"),
    }
}

async fn claim(store: &Store, id: &str, serial: &str, key: u8) -> ClaimOutcome {
    store.claim_token(id.into(), certificate(serial, key), entry("node-enrolled")).await.unwrap()
}

fn report(run: u128, events: usize) -> Report {
    let event = Event {
        resource: ResourceRef::parse("file[/etc/motd]").unwrap(),
        property: Some("content".into()),
        path: None,
        is: None,
        should: None,
        status: Status::Changed,
        cause: None,
        reason: None,
        diff: Some("-a\n+b\n".into()),
        origin: None,
        sources: Vec::new(),
        duration_ms: 1,
    };
    Report {
        run: uuid::Uuid::from_u128(run).into(),
        catalog: None,
        commit: Some("c1".into()),
        environment: Some("main".into()),
        mode: Mode::Enforce,
        source: Source::Server,
        started: NOW,
        duration_ms: 5,
        phases: Default::default(),
        types: Default::default(),
        counts: Counts { total: 3, changed: 1, unchanged: 2, ..Counts::default() },
        events: vec![event; events],
        no_catalog: None,
        error: None,
        agent: "0.1.0".into(),
        volatile: Default::default(),
    }
}

#[actix_web::test]
async fn a_token_serves_one_key_and_that_key_again() {
    let (_directory, store) = empty();
    added(&store, "web1").await;
    assert_eq!(claim(&store, "token-web1", "01", 1).await, ClaimOutcome::Granted("certificate 01".into()));
    assert_eq!(claim(&store, "token-web1", "02", 1).await, ClaimOutcome::Granted("certificate 01".into()));
    assert!(
        matches!(claim(&store, "token-web1", "03", 2).await, ClaimOutcome::UsedByAnother(used) if used.from.is_some())
    );
    assert_eq!(claim(&store, "unknown", "04", 2).await, ClaimOutcome::Void);
    let node = store.node("web1".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(node.state, NodeState::Enrolled);
    assert!(node.seen_at.is_some(), "who enrols is heard from");
    assert_eq!(store.certificates(node.id).await.unwrap().len(), 1);
}

#[actix_web::test]
async fn a_token_of_a_revoked_node_serves_nobody() {
    let (_directory, store) = empty();
    added(&store, "web1").await;
    claim(&store, "token-web1", "a1", 1).await;
    store.end_node("web1".parse().unwrap(), NodeState::Revoked, entry("node-revoked")).await.unwrap();
    assert_eq!(claim(&store, "token-web1", "a2", 1).await, ClaimOutcome::Revoked, "the key that had it");
}

#[actix_web::test]
async fn of_many_keys_at_once_one_wins() {
    let (_directory, store) = empty();
    added(&store, "web1").await;
    let claims: Vec<_> = (0..20)
        .map(|key| {
            let store = store.clone();
            actix_web::rt::spawn(async move { claim(&store, "token-web1", &format!("{key:02}"), key).await })
        })
        .collect();
    let mut granted = 0;
    for claim in claims {
        match claim.await.unwrap() {
            ClaimOutcome::Granted(_) => granted += 1,
            other => assert!(matches!(other, ClaimOutcome::UsedByAnother(_)), "{other:?}"),
        }
    }
    assert_eq!(granted, 1);
}

#[actix_web::test]
async fn a_new_join_string_voids_the_one_before() {
    let (_directory, store) = empty();
    added(&store, "web1").await;
    assert!(matches!(add(&store, "web1", OnConflict::Keep, "second").await, AddOutcome::Node(_)));
    assert_eq!(claim(&store, "token-web1", "01", 1).await, ClaimOutcome::Void);
    assert!(matches!(claim(&store, "second", "01", 1).await, ClaimOutcome::Granted(_)));
    assert!(matches!(add(&store, "web1", OnConflict::Keep, "third").await, AddOutcome::Present(_)));
}

#[actix_web::test]
async fn a_generation_sees_nothing_of_the_one_before() {
    let (_directory, store) = empty();
    let first = added(&store, "web1").await;
    claim(&store, "token-web1", "01", 1).await;
    let hash = ContentHash::of(b"x");
    serve(&store, first.id, 'a', vec![hash.clone()], NOW).await;
    let AddOutcome::Node(second) = add(&store, "web1", OnConflict::Replace, "again").await else { panic!() };
    assert_eq!((first.generation, second.generation), (1, 2));
    assert_eq!(second.state, NodeState::Added);
    assert!(store.certificates(first.id).await.unwrap().is_empty());
    assert!(!store.names_content(second.id, hash).await.unwrap());
    assert_eq!(store.nodes().await.unwrap(), [second]);
}

#[actix_web::test]
async fn the_certificate_before_stays_until_its_successor_is_used() {
    let (_directory, store) = empty();
    let node = added(&store, "web1").await.id;
    claim(&store, "token-web1", "01", 1).await;
    let renew = async |by: &str, serial: &str, key| {
        store.renew(node, by.into(), certificate(serial, key), entry("renewed")).await.unwrap()
    };
    assert_eq!(renew("01", "02", 1).await, Renewal::KeyUsedBefore);
    assert_eq!(renew("01", "02", 2).await, Renewal::Granted("certificate 02".into()));
    assert_eq!(renew("01", "03", 2).await, Renewal::Granted("certificate 02".into()), "a lost reply");
    assert_eq!(renew("01", "04", 4).await, Renewal::Granted("certificate 04".into()), "a lost key");
    assert_eq!(renew("02", "05", 5).await, Renewal::NotInForce);
    store.confirm_certificate(node, "04".into(), NOW).await.unwrap();
    assert_eq!(renew("01", "06", 6).await, Renewal::NotInForce);
    let serials: Vec<_> = store.certificates(node).await.unwrap().into_iter().map(|c| c.serial).collect();
    assert_eq!(serials, ["04"]);
}

#[actix_web::test]
async fn a_revoked_node_is_not_renewed() {
    let (_directory, store) = empty();
    let node = added(&store, "web1").await;
    claim(&store, "token-web1", "01", 1).await;
    store.end_node(node.certname, NodeState::Revoked, entry("node-revoked")).await.unwrap().unwrap();
    let renewal = store.renew(node.id, "01".into(), certificate("02", 2), entry("renewed")).await.unwrap();
    assert_eq!(renewal, Renewal::NotInForce);
}

#[actix_web::test]
async fn a_report_counts_once_for_each_node() {
    let (_directory, store) = empty();
    let (one, other) = (added(&store, "web1").await.id, added(&store, "web2").await.id);
    let InsertOutcome::New(id) = store.put_report(one, report(7, 2), NOW).await.unwrap() else { panic!() };
    assert_eq!(store.put_report(one, report(7, 2), NOW).await.unwrap(), InsertOutcome::Twice);
    assert!(matches!(store.put_report(other, report(7, 2), NOW).await.unwrap(), InsertOutcome::New(_)));
    assert_eq!(store.reports_of(one, 9).await.unwrap().len(), 1);
    assert_eq!(store.events_of(one, 9).await.unwrap().len(), 2);
    let (row, whole) = store.report(id).await.unwrap().unwrap();
    assert_eq!((row.counts.total, row.commit.as_deref()), (3, Some("c1")));
    assert_eq!(whole, report(7, 2));
}

#[actix_web::test]
async fn what_an_earlier_generation_reported_is_not_the_next_one_s() {
    let (_directory, store) = empty();
    let first = added(&store, "web1").await.id;
    assert!(matches!(store.put_report(first, report(7, 2), NOW).await.unwrap(), InsertOutcome::New(_)));
    let AddOutcome::Node(second) = add(&store, "web1", OnConflict::Replace, "again").await else { panic!() };
    assert_eq!(store.put_report(second.id, report(7, 2), NOW).await.unwrap(), InsertOutcome::Twice);
    assert!(matches!(store.put_report(second.id, report(8, 2), NOW).await.unwrap(), InsertOutcome::New(_)));
    assert_eq!(store.reports_of(second.id, 9).await.unwrap().len(), 1);
    assert_eq!(store.reports_of(first, 9).await.unwrap().len(), 1);
}

fn quiet(run: u128) -> Report {
    let counts = Counts { total: 3, unchanged: 3, ..Counts::default() };
    Report { counts, ..report(run, 0) }
}

async fn kept(store: &Store, node: NodeId) -> Vec<RunId> {
    store.reports_of(node, 99_999).await.unwrap().into_iter().map(|row| row.run).collect()
}

fn runs(numbers: impl IntoIterator<Item = u128>) -> Vec<RunId> {
    numbers.into_iter().map(|run| report(run, 0).run).collect()
}

#[actix_web::test]
async fn a_report_is_kept_for_ninety_days_and_the_last_of_a_node_for_good() {
    let (_directory, store) = empty();
    let node = added(&store, "web1").await.id;
    for run in 1..=3 {
        store.put_report(node, report(run, 1), NOW + SignedDuration::from_hours(run as i64)).await.unwrap();
    }
    let days = |days: i64| NOW + SignedDuration::from_hours(days * 24);
    assert_eq!(store.forget_old_reports(days(90), 100).await.unwrap(), 0);
    assert_eq!(kept(&store, node).await, runs([3, 2, 1]));
    assert_eq!(store.forget_old_reports(days(91), 100).await.unwrap(), 2);
    assert_eq!(kept(&store, node).await, runs([3]));
    assert_eq!(store.events_of(node, 9).await.unwrap().len(), 1);
}

#[actix_web::test]
async fn quiet_runs_go_before_what_happened_which_stays_for_as_long_as_is_promised() {
    let (_directory, store) = empty();
    let node = added(&store, "web1").await.id;
    // Three months with a run every half hour, and a drift at the beginning.
    let half_hours = |n: u128| NOW + SignedDuration::from_mins(30 * i64::try_from(n).unwrap());
    store.put_report(node, report(0, 1), NOW).await.unwrap();
    for run in 1..=4_000 {
        store.put_report(node, quiet(run), half_hours(run)).await.unwrap();
    }
    store.forget_old_reports(half_hours(4_000), 10_000).await.unwrap();
    let kept = kept(&store, node).await;
    assert_eq!(kept.len(), report::MAX_QUIET as usize + 2, "the drift, so many quiet ones and the newest");
    assert_eq!(kept.last(), runs([0]).last(), "the drift of 83 days ago");
}

#[actix_web::test]
async fn a_node_that_reports_all_the_time_fills_no_disk() {
    let (_directory, store) = empty();
    let (node, other) = (added(&store, "web1").await.id, added(&store, "web2").await.id);
    store.put_report(other, report(1, 1), NOW).await.unwrap();
    // A quarter of what is kept, however well it compresses.
    let large = |run| Report {
        error: Some("x".repeat(usize::try_from(report::MAX_BYTES / 4).unwrap())),
        ..report(run, 1)
    };
    for run in 0..=9 {
        // Each is preceded by a quiet run, and the clock is set back before the last one.
        let at = if run == 9 { NOW - SignedDuration::from_hours(1) } else { NOW };
        store.put_report(node, quiet(100 + run), at).await.unwrap();
        store.put_report(node, large(run), at).await.unwrap();
    }
    assert_eq!(
        kept(&store, node).await,
        runs([8, 7, 9]),
        "quiet ones first, then the oldest, and the newest never"
    );
    assert_eq!(store.events_of(node, 9).await.unwrap().len(), 3);
    assert_eq!(kept(&store, other).await.len(), 1);
}

#[actix_web::test]
async fn a_node_knows_of_its_reports_what_lists_say() {
    let (_directory, store) = empty();
    let node = added(&store, "web1").await.id;
    let line =
        async || store.fleet(user::UserScope::Everything, None, "main".into()).await.unwrap().remove(0);
    let at = |hours: i64| NOW + SignedDuration::from_hours(hours);
    let with = |run, commit: &str, counts: Counts| Report {
        commit: Some(commit.into()),
        started: at(i64::try_from(run).unwrap()),
        duration_ms: 0,
        counts,
        ..report(run, 1)
    };
    let one = Counts { total: 1, ..Counts::default() };
    let drift = with(1, "c1", Counts { changed: 1, corrective: 1, ..one });
    store.put_report(node, drift, at(1)).await.unwrap();
    store.put_report(node, with(2, "c2", Counts { changed: 1, ..one }), at(2)).await.unwrap();
    let audit = Report { mode: Mode::Audit, ..with(3, "c3", Counts { failed: 1, ..one }) };
    store.put_report(node, audit, at(3)).await.unwrap();
    let left_alone = Report { mode: Mode::Audit, ..with(5, "c3", Counts { would_change: 1, ..one }) };
    store.put_report(node, left_alone, at(3)).await.unwrap();
    store.put_report(node, Report { commit: None, ..quiet(4) }, at(4)).await.unwrap();
    let row = line().await;
    assert_eq!(
        row.node.runs_on.as_deref(),
        Some("c2"),
        "neither what was looked at nor a run without a catalog"
    );
    let lately = fleet::RecentActivity { drifted: Some(at(1)), changed: Some(at(2)), failed: Some(at(3)) };
    assert_eq!((row.lately, row.last.unwrap().received_at), (lately, at(4)));
    // A report that waited counts for the time when its run ended, and does not undo what happened later.
    let waited = |run, started| Report { started, ..with(run, "c2", Counts { failed: 1, ..one }) };
    store.put_report(node, waited(6, at(2)), at(99)).await.unwrap();
    assert_eq!(line().await.lately, lately);
    store.put_report(node, waited(7, at(200)), at(100)).await.unwrap();
    assert_eq!(line().await.lately.failed, Some(at(100)), "no clock of a machine is ahead of the server's");
}

#[actix_web::test]
async fn a_commit_is_in_force_since_it_came_however_often_the_server_starts() {
    let (_directory, store) = empty();
    let at = |hours: i64| NOW + SignedDuration::from_hours(hours);
    let put = async |id: &str, status, hours| {
        let row = commit::CommitRow {
            environment: "main".into(),
            id: id.into(),
            seen_at: at(hours),
            committed_at: None,
            author: None,
            subject: None,
            status,
            diagnostics: vec![],
        };
        store.put_commit(row).await.unwrap();
        let head = store.head("main".into()).await.unwrap().unwrap();
        (head.in_force.map(|commit| (commit.id, commit.seen_at)), head.broken.map(|commit| commit.seen_at))
    };
    use commit::CommitStatus::{Broken, Good};
    let in_force = |id: &str, hours| Some((id.into(), at(hours)));
    assert_eq!(put("a", Good, 0).await, (in_force("a", 0), None));
    assert_eq!(put("a", Good, 1).await, (in_force("a", 0), None), "a start");
    assert_eq!(put("b", Broken, 2).await, (in_force("a", 0), Some(at(2))));
    assert_eq!(put("b", Broken, 3).await, (in_force("a", 0), Some(at(2))), "a start");
    assert_eq!(put("a", Good, 4).await, (in_force("a", 4), None), "it was taken back");
    assert_eq!(put("b", Good, 5).await, (in_force("b", 5), None), "it was judged again");
    assert_eq!(put("c", Good, 72).await, (in_force("c", 72), None), "a clock that is ahead");
    assert_eq!(
        put("d", Good, 6).await,
        (in_force("d", 6), None),
        "what came later is newer, whatever the clock says"
    );
    assert_eq!(put("e", Broken, 7).await, (in_force("d", 6), Some(at(7))));
    assert_eq!(store.last_good_commit("main".into()).await.unwrap().as_deref(), Some("d"));
}

async fn serve(store: &Store, node: NodeId, id: char, contents: Vec<ContentHash>, at: Timestamp) {
    let catalog = ServedCatalog {
        id: CatalogId::parse(&id.to_string().repeat(64)).unwrap(),
        commit: "c1".into(),
        environment: "main".into(),
        resources: 1,
        served_at: at,
    };
    store.catalog_served(node, catalog, contents, SignedDuration::from_hours(1)).await.unwrap();
}

#[actix_web::test]
async fn content_of_the_last_two_catalogs_may_be_fetched_and_older_after_an_hour_no_more() {
    let (_directory, store) = empty();
    let node = added(&store, "web1").await.id;
    let hashes = [b"a", b"b", b"c"].map(|content| ContentHash::of(content));
    let hour = SignedDuration::from_hours(1);
    for (index, id) in ['a', 'b', 'c'].into_iter().enumerate() {
        serve(&store, node, id, vec![hashes[index].clone()], NOW + SignedDuration::from_mins(index as i64))
            .await;
    }
    let named = async |store: &Store| {
        let mut named = Vec::new();
        for hash in &hashes {
            named.push(store.names_content(node, hash.clone()).await.unwrap());
        }
        named
    };
    assert_eq!(named(&store).await, [true, true, true], "within the hour");
    serve(&store, node, 'c', vec![hashes[2].clone()], NOW + hour + hour).await;
    assert_eq!(named(&store).await, [false, true, true]);
    let ids: Vec<_> = store.served_catalogs(node).await.unwrap().into_iter().map(|c| c.id).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids[0].as_str().starts_with('c'));
}

#[actix_web::test]
async fn a_store_that_cannot_write_says_so() {
    let (_directory, store) = empty();
    store.refuse_writing().await;
    assert!(store.users().await.is_ok());
    assert!(store.check_writing().await.is_err());
}

#[actix_web::test]
async fn the_files_are_the_owners_alone_whatever_they_were() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("server.db");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(&file).unwrap();
    added(&store, "web1.acme.example").await;
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}

#[actix_web::test]
async fn readers_cannot_write() {
    let (_directory, store) = empty();
    let written = store.read(|connection| Ok(connection.execute("DELETE FROM user", [])?)).await;
    assert!(written.unwrap_err().to_string().contains("readonly"));
}
