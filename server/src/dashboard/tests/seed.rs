//! A store as after a busy day: nodes in every state, of three customers, some of whom write hostile texts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::facts::Facts;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::report::{Cause, Counts, Event, Mode, Report, Source, Status};
use holdfast_catalog::resource::ResourceRef;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast;

use super::{DashboardState, ServerView, StateChange, store};
use crate::control::RepositoryFailure;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::excerpt::Excerpts;
use crate::fleet::{InventoryView, KeptBackUpdate, NodeFunction};
use crate::metrics::Metrics;
use crate::repo::{LookCounts, Snapshot};
use store::Store;
use store::audit::NewAuditEntry;
use store::catalog::CompileErrorRow;
use store::certificate::NewCertificate;
use store::commit::{CommitRow, CommitStatus};
use store::fleet::KeptBackRow;
use store::node::{AddOutcome, NodeId, NodeRow, OnConflict, Tenancy};
use store::token::NewToken;
use store::user::{UserRole, UserRow};

/// The text that hostile users write wherever they can.
pub const HOSTILE: &str = "<script>alert('x')</script>\u{1b}[31m\u{202e}\"onload=\"x";

/// The commit in force, an older one, and a newer one that is broken.
pub const GOOD: &str = "9ab12cd4e5f60718293a4b5c6d7e8f9001122334";
pub const OLDER: &str = "1111aaaa2222bbbb3333cccc4444dddd5555eeee";
pub const BROKEN: &str = "beef00d1beef00d1beef00d1beef00d1beef00d1";

const DATA: &str = "[nginx]\nworker_proceses = 8\nkeepalive = \"65s\"\n";

const NGINX: &str = "[parameters]\nworker_processes = { type = \"Integer\", doc = \"Workers.\" }\nkeepalive = { type = \"Integer\", doc = \"Seconds.\" }\n";

/// A double of the running server.
pub struct ServerDouble {
    state_changes: broadcast::Sender<StateChange>,
    has_commit: AtomicBool,
    machines: Vec<(Certname, Tenancy)>,
    /// The problems that the judgement of the commit in force found.
    pub broken: Mutex<BTreeMap<Certname, (CommitId, Vec<Diagnostic>)>>,
    /// Why the repository cannot be read.
    pub unreadable: Mutex<Option<RepositoryFailure>>,
    metrics: Arc<Metrics>,
}

impl InventoryView for ServerDouble {
    fn function(&self, node: &Certname, _: &Tenancy) -> Option<NodeFunction> {
        let role = match node.as_str() {
            name if name.starts_with("web") => "webshop",
            name if name.starts_with("db") => "database",
            name if name.starts_with("mail") => "mail",
            _ => return None,
        };
        let labels = BTreeMap::from([("cluster".to_owned(), "shop".to_owned())]);
        Some(NodeFunction { role: role.to_owned(), stage: "production".to_owned(), labels })
    }

    fn machines(&self) -> Vec<(Certname, Tenancy)> {
        self.machines.clone()
    }

    fn environment(&self) -> &str {
        "main"
    }

    fn heard(&self, _: NodeId) -> Option<Timestamp> {
        None
    }

    fn broken(&self, node: &NodeRow) -> Option<KeptBackRow> {
        let (commit, problems) = self.problems_of(node)?;
        Some(KeptBackRow::of(&commit, &problems))
    }

    fn problems_of(&self, node: &NodeRow) -> Option<(CommitId, Vec<Diagnostic>)> {
        self.broken.lock().unwrap().get(&node.certname).cloned()
    }

    fn since(&self, _: &NodeRow, _: &KeptBackRow) -> Option<KeptBackUpdate> {
        None
    }
}

impl ServerView for ServerDouble {
    fn unreadable(&self) -> Option<RepositoryFailure> {
        self.unreadable.lock().unwrap().clone()
    }

    fn excerpts(&self, commit: &CommitId) -> Option<Excerpts> {
        let files = [("hieradata/customers/acme.toml", DATA), ("modules/nginx/manifests/init.toml", NGINX)];
        let snapshot = Snapshot::of_files(files.map(|(path, text)| (path, text.as_bytes().to_vec())));
        [GOOD, BROKEN].contains(&commit.as_str()).then(|| Excerpts::new(&snapshot, None))
    }

    fn has_commit(&self) -> bool {
        self.has_commit.load(Ordering::Relaxed)
    }

    fn looks(&self) -> LookCounts {
        LookCounts { last: Some(Timestamp::UNIX_EPOCH), read: 7, failed: 2 }
    }

    fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    fn state_changes(&self) -> broadcast::Receiver<StateChange> {
        self.state_changes.subscribe()
    }
}

/// The seeded store, and what depends on it.
pub struct SeededStore {
    /// Deleted at the end of the test.
    _directory: tempfile::TempDir,
    pub store: Store,
    pub state_changes: broadcast::Sender<StateChange>,
    pub server_view: Arc<ServerDouble>,
    pub state: actix_web::web::Data<DashboardState>,
    pub now: Timestamp,
}

pub fn entry(at: Timestamp, action: &'static str) -> NewAuditEntry {
    NewAuditEntry {
        at,
        actor: "uid 0".into(),
        action,
        object: "x".into(),
        commit: None,
        detail: String::new(),
    }
}

/// An empty store, and what depends on it.
pub fn empty() -> SeededStore {
    with_machines(&[])
}

fn with_machines(machines: &[(&str, &str)]) -> SeededStore {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("server.db")).unwrap();
    let state_changes = broadcast::channel(16).0;
    let machines = machines.iter().map(|(name, place)| (name.parse().unwrap(), place.parse().unwrap()));
    let server_view = Arc::new(ServerDouble {
        state_changes: state_changes.clone(),
        metrics: Arc::default(),
        has_commit: AtomicBool::new(false),
        machines: machines.collect(),
        broken: Mutex::default(),
        unreadable: Mutex::default(),
    });
    let state = DashboardState::new(store.clone(), server_view.clone(), Duration::from_secs(1800));
    let state = actix_web::web::Data::new(state);
    SeededStore { _directory: directory, store, state_changes, server_view, state, now: Timestamp::now() }
}

/// A store as after a busy day.
pub async fn seeded() -> SeededStore {
    let seeded =
        with_machines(&[("db2.acme.example", "alpinhost/acme"), ("web1.acme.example", "alpinhost/acme")]);
    seeded.commits().await;
    seeded.server_view.has_commit.store(true, Ordering::Relaxed);
    for (name, scope) in [("ana", "everything"), ("ben", "nordhost"), ("cleo", "alpinhost/acme")] {
        seeded.user(name, scope).await;
    }
    let web = seeded.enrolled("web1.acme.example", "alpinhost/acme").await;
    for hour in (1..40).rev() {
        let at = seeded.ago(hour * 40 + 5);
        let events = match hour {
            33 => vec![event("package[nginx]", Status::Changed, Cause::Intentional), drift()],
            12 | 27 => vec![drift()],
            8 => vec![failure()],
            _ => vec![],
        };
        seeded.report(web, at, events, Mode::Enforce).await;
    }
    let hostile = Event {
        reason: Some(HOSTILE.into()),
        diff: Some(format!("--- a\n+++ b\n@@ -1 +1 @@\n-{HOSTILE}\n+{HOSTILE}\n")),
        ..drift()
    };
    let rest = vec![drift(), hostile, event("package[nginx]", Status::Changed, Cause::Intentional)];
    seeded.report(web, seeded.ago(5), rest, Mode::Enforce).await;
    let facts = serde_json::json!({
        "os": { "family": "debian", "name": "Debian", "release": HOSTILE },
        "cpu": { "count": 4 }, "networking": { "interfaces": [{ "name": "eth0", "mtu": 1500 }] },
        HOSTILE: HOSTILE,
    });
    let facts: Facts = serde_json::from_value(facts).unwrap();
    seeded.store.put_facts(web, facts.hash(), &facts, seeded.ago(300)).await.unwrap();

    let db = seeded.enrolled("db1.acme.example", "alpinhost/acme").await;
    seeded.report(db, seeded.ago(12), vec![], Mode::Enforce).await;
    let birch = seeded.enrolled("web1.birch.example", "nordhost/birch").await;
    let skipped = Event {
        reason: Some("needs file[/etc/nginx/nginx.conf], which failed".into()),
        ..event("service[nginx]", Status::Skipped, Cause::Intentional)
    };
    seeded.report(birch, seeded.ago(3), vec![failure(), drift(), skipped], Mode::Enforce).await;
    let mail = seeded.enrolled("mail1.cedar.example", "nordhost/cedar").await;
    seeded.report(mail, seeded.ago(60 * 9), vec![], Mode::Enforce).await;
    let audit = seeded.enrolled("mail2.cedar.example", "nordhost/cedar").await;
    let pending = Event { status: Status::WouldChange, ..drift() };
    seeded.report(audit, seeded.ago(20), vec![pending], Mode::Audit).await;
    let broken = seeded.enrolled("web2.birch.example", "nordhost/birch").await;
    seeded.report(broken, seeded.ago(7), vec![], Mode::Enforce).await;
    seeded.compile_error(broken).await;
    seeded.added("new1.birch.example", "nordhost/birch").await;
    let seen = [web, db, birch, audit, broken].map(|node| (node, seeded.ago(3)));
    let late = (mail, seeded.ago(60 * 9));
    seeded.store.nodes_seen(seen.into_iter().chain([late]).collect()).await.unwrap();
    seeded
}

impl SeededStore {
    /// The id of the run that a node reported last.
    pub async fn last_run(&self, node: NodeId) -> String {
        self.store.run_reported_last(node).await.unwrap().expect("a report").to_string()
    }

    pub fn ago(&self, minutes: i64) -> Timestamp {
        self.now - SignedDuration::from_mins(minutes)
    }

    pub async fn user(&self, name: &str, scope: &str) -> UserRow {
        let scope = scope.parse().unwrap();
        let added =
            self.store.add_user(name.into(), UserRole::Operator, scope, entry(self.now, "user-added"));
        added.await.unwrap().unwrap()
    }

    pub async fn added(&self, name: &str, place: &str) -> NodeId {
        let token = NewToken { id: format!("token-{name}"), secret_mac: vec![1], expires_at: self.now };
        let (name, place) = (name.parse().unwrap(), place.parse().unwrap());
        let at = entry(self.ago(60 * 50), "node-added");
        match self.store.add_node(name, place, OnConflict::Keep, token, at).await.unwrap() {
            AddOutcome::Node(node) => node.id,
            AddOutcome::Present(node) => panic!("{node:?} is there"),
        }
    }

    pub async fn enrolled(&self, name: &str, place: &str) -> NodeId {
        let node = self.added(name, place).await;
        let serial = holdfast_catalog::hash::sha256(name.as_bytes());
        let certificate = NewCertificate {
            serial: serial[..32].to_owned(),
            public_key: serial.as_bytes().to_vec(),
            not_before: self.ago(60),
            not_after: self.now + SignedDuration::from_hours(24 * 5 + i64::from(serial.as_bytes()[0] % 32)),
            pem: String::new(),
        };
        let at = entry(self.ago(60 * 49), "node-enrolled");
        self.store.claim_token(format!("token-{name}"), certificate, at).await.unwrap();
        node
    }

    pub async fn report(&self, node: NodeId, at: Timestamp, events: Vec<Event>, mode: Mode) {
        self.store.put_report(node, self.ran(at, events, mode), at).await.unwrap();
    }

    /// A report of a run that ended at this time.
    pub fn ran(&self, at: Timestamp, events: Vec<Event>, mode: Mode) -> Report {
        let count = |test: &dyn Fn(&Event) -> bool| {
            u32::try_from(events.iter().filter(|event| test(event)).count()).unwrap()
        };
        let status = |status: Status| count(&|event: &Event| event.status == status);
        let total = 64.max(count(&|_| true));
        let counts = Counts {
            total,
            unchanged: total - count(&|_| true),
            changed: status(Status::Changed),
            corrective: count(&|event| {
                (event.status, event.cause) == (Status::Changed, Some(Cause::Corrective))
            }),
            would_change: status(Status::WouldChange),
            failed: status(Status::Failed),
            skipped: status(Status::Skipped),
            not_applicable: status(Status::NotApplicable),
            ..Counts::default()
        };
        Report {
            run: uuid::Uuid::now_v7().into(),
            catalog: None,
            commit: Some(GOOD.into()),
            environment: Some("main".into()),
            mode,
            source: Source::Server,
            started: at - SignedDuration::from_secs(4),
            duration_ms: 1_240,
            phases: [("facts", 80), ("poll", 30), ("check", 900), ("apply", 230)]
                .map(|(k, v)| (k.into(), v))
                .into(),
            types: [("package", 410), ("file", 220)].map(|(k, v)| (k.into(), v)).into(),
            counts,
            events,
            no_catalog: None,
            error: None,
            agent: "0.1.0".into(),
            volatile: Default::default(),
        }
    }

    async fn commits(&self) {
        let older = CommitRow { subject: Some(HOSTILE.into()), ..self.commit(OLDER, 60 * 30) };
        self.store.put_commit(older).await.unwrap();
        self.good_commit(GOOD, 95).await;
        self.broken_commit(14).await;
    }

    pub async fn good_commit(&self, id: &str, minutes: i64) {
        self.store.put_commit(self.commit(id, minutes)).await.unwrap();
    }

    /// A commit in force that has an error in a tenant's data.
    pub async fn commit_with_errors(&self, id: &str) {
        let warning = Diagnostic { severity: Severity::Warning, ..misspelt() };
        let row = CommitRow { diagnostics: vec![misspelt(), warning], ..self.commit(id, 1) };
        self.store.put_commit(row).await.unwrap();
    }

    pub async fn broken_commit(&self, minutes: i64) {
        let broken = CommitRow {
            author: Some(HOSTILE.into()),
            subject: Some("acme: even more workers".into()),
            status: CommitStatus::Broken,
            diagnostics: vec![misspelt()],
            ..self.commit(BROKEN, minutes)
        };
        self.store.put_commit(broken).await.unwrap();
    }

    fn commit(&self, id: &str, minutes: i64) -> CommitRow {
        CommitRow {
            environment: "main".into(),
            id: id.into(),
            seen_at: self.ago(minutes),
            committed_at: Some(self.ago(minutes + 2)),
            author: Some("Ana Ruiz".into()),
            subject: Some("acme: more workers for the sale".into()),
            status: CommitStatus::Good,
            diagnostics: vec![],
        }
    }

    async fn compile_error(&self, node: NodeId) {
        let error = CompileErrorRow {
            node,
            environment: "main".into(),
            commit: GOOD.into(),
            since: self.ago(90),
            diagnostics: vec![misspelt()],
        };
        self.store.compile_failed(error).await.unwrap();
    }
}

pub fn misspelt() -> Diagnostic {
    let file = "hieradata/customers/acme.toml".into();
    Diagnostic::error(
        Code::UnknownKey,
        "nothing reads `nginx.worker_proceses`",
        Origin::locate(&file, DATA, 8..23),
    )
    .label("not a parameter of `profile::nginx`")
    .help("did you mean `worker_processes`?")
}

pub fn event(resource: &str, status: Status, cause: Cause) -> Event {
    let origin = |file: &str, line| Origin {
        file: file.into(),
        start: 0,
        end: 1,
        line,
        column: 3,
        level: file.starts_with("hieradata").then(|| "customer".into()),
    };
    Event {
        resource: ResourceRef::parse(resource).unwrap(),
        property: Some("ensure".into()),
        path: None,
        is: Some("absent".into()),
        should: Some("present".into()),
        status,
        cause: matches!(status, Status::Changed | Status::WouldChange | Status::Failed).then_some(cause),
        reason: None,
        diff: None,
        origin: Some(origin("modules/profile/nginx.toml", 14)),
        sources: vec![origin("hieradata/customers/acme.toml", 2)],
        duration_ms: 12,
    }
}

fn drift() -> Event {
    let diff = "--- /etc/nginx/nginx.conf\n+++ /etc/nginx/nginx.conf\n@@ -1,5 +1,5 @@\n user www-data;\n-worker_processes 1;\n+worker_processes 8;\n pid /run/nginx.pid;\n events {\n     worker_connections 1024;\n";
    Event {
        property: Some("content".into()),
        is: Some("sha256 53c1…".into()),
        should: Some("sha256 a4e0…".into()),
        diff: Some(diff.into()),
        ..event("file[/etc/nginx/nginx.conf]", Status::Changed, Cause::Corrective)
    }
}

fn failure() -> Event {
    Event {
        reason: Some("apt-get exited with 100: E: Unable to locate package nginx-extra".into()),
        ..event("package[nginx-extra]", Status::Failed, Cause::Intentional)
    }
}
