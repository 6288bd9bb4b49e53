//! A server's store as 20,000 nodes leave it after two weeks, and the control repository for it: 400 customers, nodes
//! in every state, good and broken commits, and one report that is as large as possible. It is written with the store's
//! own functions, so it cannot differ from what a server writes.
//!
//! With a run every half hour, a real store would have the last 500 runs of each node that found nothing to do: 10
//! million reports, 9 GB. Here most nodes have [`QUIET`] of them, which takes minutes instead of an hour. Runs with
//! changes are complete: each node has one every 56 hours. Pages show the last 90 runs of a node and its very last run,
//! so [`WATCHED`] nodes have everything that is kept, and their pages are measured.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::facts::Facts;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::report::{Cause, Counts, Event, MAX_EVENTS, Mode, Report, Source, Status};
use holdfast_catalog::resource::ResourceRef;
use holdfast_server::{
    AddOutcome, Code, CommitRow, CommitStatus, CompileErrorRow, Diagnostic, InsertOutcome, MAX_QUIET,
    NewAuditEntry, NewCertificate, NewToken, NodeId, OnConflict, Store,
};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

const RESELLERS: usize = 20;
const CUSTOMERS: usize = 20;
const NODES_OF_ONE: usize = 50;
const NODES: usize = RESELLERS * CUSTOMERS * NODES_OF_ONE;

/// The number of runs without a change that most nodes have here.
const QUIET: i64 = 14;

/// The number of nodes that have as many of those as a store keeps.
const WATCHED: usize = 50;

/// The number of runs with a change, for each node.
const EVENTFUL: i64 = 6;

const MINUTES: i64 = 30;
const COMMITS: i64 = 300;

/// The environment of a followed directory.
pub const ENVIRONMENT: &str = "directory";

/// The number of writes on their way to the store at once; it combines what waits into one transaction.
const AT_ONCE: usize = 400;

/// The number of the run with the large report, which no other run has.
const LARGE: u64 = 0xffff_ffff_ffff;

/// What is measured.
pub struct Seeded {
    /// A node with all the runs that are kept.
    pub node: String,
    /// The run whose report is as large as possible.
    pub report: String,
}

/// The state that a node is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NodeKind {
    Calm,
    Failing,
    Late,
    Pending,
    Drifting,
    Changed,
    Broken,
    NeverSeen,
    NotAdded,
}

impl NodeKind {
    fn of(number: usize) -> Self {
        match number % 500 {
            6 => Self::Broken,
            7 => Self::NeverSeen,
            8 => Self::NotAdded,
            rest => match rest % 100 {
                1 => Self::Failing,
                2 => Self::Late,
                3 => Self::Pending,
                5 => Self::Changed,
                rest if rest % 20 == 4 => Self::Drifting,
                _ => Self::Calm,
            },
        }
    }
}

fn place(number: usize) -> (String, String) {
    let customer = number / NODES_OF_ONE;
    (format!("reseller{}", customer / CUSTOMERS), format!("customer{customer}"))
}

fn name(number: usize) -> String {
    let role = role(number);
    format!("{role}{}.customer{}.example", number % NODES_OF_ONE, number / NODES_OF_ONE)
}

fn role(number: usize) -> &'static str {
    ["web", "database", "mail"][number % 3]
}

/// Writes the control repository with all nodes.
pub fn write_repository(root: &Path) -> Result<()> {
    let put = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(path, text)
    };
    let mut inventory = BTreeMap::<_, String>::new();
    for number in 0..NODES {
        let entry = format!("[\"{}\"]\nrole = \"{}\"\nstage = \"production\"\n", name(number), role(number));
        inventory.entry(place(number)).or_default().push_str(&entry);
    }
    for ((reseller, customer), text) in inventory {
        put(&format!("inventory/{reseller}/{customer}.toml"), &text)?;
    }
    put("facts/default.json", harness::synthetic::FACTS)?;
    for role in ["web", "database", "mail"] {
        let text = format!("doc = \"A {role} server.\"\ninclude = [\"profile::base\"]\n");
        put(&format!("modules/role/manifests/{role}.toml"), &text)?;
    }
    let profile =
        "doc = \"What all have.\"\n\n[file.\"/etc/motd\"]\ncontent = \"hello\\n\"\nmode = \"0644\"\n";
    put("modules/profile/manifests/base.toml", profile)?;
    Ok(())
}

/// Fills the store of a server that has one commit in force, and nothing else.
pub async fn fill(store: &Store, now: Timestamp) -> Result<Seeded> {
    let commit = store.last_good_commit(ENVIRONMENT.into()).await?.context("no commit is in force")?;
    put_commits(store, now).await?;
    let filler = Filler { store, now, commit };
    let nodes = filler.put_nodes().await?;
    filler.put_history(&nodes).await?;
    let report = filler.put_large(nodes[&0]).await?;
    filler.put_faults(&nodes).await?;
    let seen = |(number, node): (&usize, &NodeId)| match NodeKind::of(*number) {
        NodeKind::NeverSeen => None,
        NodeKind::Late => Some((*node, filler.ago(9 * 60 + *number as i64 % 600))),
        _ => Some((*node, filler.ago(*number as i64 % MINUTES))),
    };
    store.nodes_seen(nodes.iter().filter_map(seen).collect()).await?;
    Ok(Seeded { node: name(0), report })
}

/// The id of a commit before the one in force; every tenth is broken.
pub fn commit(number: i64) -> String {
    let mut hash = holdfast_catalog::hash::sha256(&number.to_be_bytes());
    hash.truncate(40);
    hash
}

async fn put_commits(store: &Store, now: Timestamp) -> Result<()> {
    let wrong = |line| {
        let origin =
            Origin { file: "hieradata/common.toml".into(), start: 0, end: 1, line, column: 1, level: None };
        Diagnostic::error(Code::UnknownKey, format!("nothing reads `profile.base.key{line}`"), origin)
    };
    // The newest last, as they arrived.
    for number in (1..=COMMITS).rev() {
        let is_broken = number % 10 == 0;
        let at = now - SignedDuration::from_hours(number + 1);
        let row = CommitRow {
            environment: ENVIRONMENT.into(),
            id: commit(number).into(),
            seen_at: at,
            committed_at: Some(at - SignedDuration::from_mins(2)),
            author: Some("Otto Operator".into()),
            subject: Some(format!("customer{number}: another number of workers")),
            status: if is_broken { CommitStatus::Broken } else { CommitStatus::Good },
            diagnostics: if is_broken { (1..=1_000).map(wrong).collect() } else { Vec::new() },
        };
        store.put_commit(row).await?;
    }
    Ok(())
}

struct Filler<'a> {
    store: &'a Store,
    now: Timestamp,
    commit: CommitId,
}

impl Filler<'_> {
    fn ago(&self, minutes: i64) -> Timestamp {
        self.now - SignedDuration::from_mins(minutes)
    }

    async fn put_nodes(&self) -> Result<BTreeMap<usize, NodeId>> {
        let mut under_way = JoinSet::new();
        let mut nodes = BTreeMap::new();
        for number in (0..NODES).filter(|number| NodeKind::of(*number) != NodeKind::NotAdded) {
            if under_way.len() >= AT_ONCE {
                nodes.extend(under_way.join_next().await.transpose()?.transpose()?);
            }
            under_way.spawn(enrolled(self.store.clone(), number, self.now));
        }
        while let Some(node) = under_way.join_next().await {
            nodes.extend([node??]);
        }
        Ok(nodes)
    }

    /// Stores runs in the order in which they arrived, so that those of one node are far apart, as in a server's store.
    async fn put_history(&self, nodes: &BTreeMap<usize, NodeId>) -> Result<()> {
        let runs = runs();
        let mut under_way = JoinSet::new();
        for (at, eventful) in runs {
            for (number, node) in nodes {
                let kind = NodeKind::of(*number);
                let (last, is_watched) = (at == 1, *number < WATCHED);
                let offset = *number as i64 % MINUTES;
                let is_silent = kind == NodeKind::NeverSeen || (kind == NodeKind::Late && at < 20);
                if is_silent || (!eventful && !is_watched && at > QUIET) {
                    continue;
                }
                // Of the nodes that have all runs, one run in ten has a change, as on a busy machine.
                let events = if eventful || (is_watched && at % 10 == 0) { 3 } else { 0 };
                let kind = if last {
                    kind
                } else if events > 0 {
                    NodeKind::Changed
                } else {
                    NodeKind::Calm
                };
                let received = self.ago(at * MINUTES - MINUTES + offset);
                let report = self.report(kind, (*number as i64 * 100_000 + at) as u64, received)?;
                if under_way.len() >= AT_ONCE {
                    under_way.join_next().await.transpose()?.transpose()?;
                }
                let (store, node) = (self.store.clone(), *node);
                under_way.spawn(async move { store.put_report(node, report, received).await });
            }
        }
        while let Some(stored) = under_way.join_next().await {
            stored??;
        }
        Ok(())
    }

    /// The report of a run of a node in this state.
    fn report(&self, kind: NodeKind, number: u64, received: Timestamp) -> Result<Report> {
        let events = match kind {
            NodeKind::Failing => vec![
                event(0, Status::Failed, Cause::Intentional),
                event(1, Status::Skipped, Cause::Intentional),
            ],
            NodeKind::Pending => (0..3).map(|n| event(n, Status::WouldChange, Cause::Corrective)).collect(),
            NodeKind::Drifting => (0..2).map(|n| event(n, Status::Changed, Cause::Corrective)).collect(),
            NodeKind::Changed => (0..3).map(|n| event(n, Status::Changed, Cause::Intentional)).collect(),
            NodeKind::Calm | NodeKind::Late | NodeKind::Broken | NodeKind::NeverSeen | NodeKind::NotAdded => {
                Vec::new()
            }
        };
        self.report_of(
            events,
            if kind == NodeKind::Pending { Mode::Audit } else { Mode::Enforce },
            number,
            received,
        )
    }

    fn report_of(&self, events: Vec<Event>, mode: Mode, number: u64, received: Timestamp) -> Result<Report> {
        let count = |status| events.iter().filter(|event| event.status == status).count() as u32;
        let corrective = events.iter().filter(|event| event.cause == Some(Cause::Corrective)).count() as u32;
        let total = 500.max(events.len() as u32);
        Ok(Report {
            run: format!("00000000-0000-7000-8000-{number:012x}").parse()?,
            catalog: None,
            commit: Some(self.commit.clone()),
            environment: Some(ENVIRONMENT.into()),
            mode,
            source: Source::Server,
            started: received - SignedDuration::from_secs(3),
            duration_ms: 1_240 + number % 700,
            phases: [("facts", 80), ("poll", 30), ("check", 900), ("apply", 230)]
                .map(|(name, took)| (name.into(), took))
                .into(),
            types: [("package", 410), ("file", 220), ("service", 90)]
                .map(|(name, took)| (name.into(), took))
                .into(),
            counts: Counts {
                total,
                unchanged: total - events.len() as u32,
                changed: count(Status::Changed),
                corrective,
                would_change: count(Status::WouldChange),
                failed: count(Status::Failed),
                skipped: count(Status::Skipped),
                ..Counts::default()
            },
            events,
            no_catalog: None,
            error: None,
            agent: "0.1.0".into(),
            volatile: BTreeMap::new(),
        })
    }

    /// Stores a report with as many events as possible, each with a diff.
    async fn put_large(&self, node: NodeId) -> Result<String> {
        let status = |number| match number % 10 {
            0 => (Status::Failed, Cause::Intentional),
            1 | 2 => (Status::Changed, Cause::Corrective),
            _ => (Status::Changed, Cause::Intentional),
        };
        let event = |number| event(number, status(number).0, status(number).1);
        let report = self.report_of((0..MAX_EVENTS).map(event).collect(), Mode::Enforce, LARGE, self.now)?;
        let run = report.run.to_string();
        match self.store.put_report(node, report, self.now).await? {
            InsertOutcome::New(_) => Ok(run),
            InsertOutcome::Twice => bail!("the report was there"),
        }
    }

    /// Stores compile errors, and facts of nodes.
    async fn put_faults(&self, nodes: &BTreeMap<usize, NodeId>) -> Result<()> {
        let facts: Facts = serde_json::from_str(&facts())?;
        for (number, node) in nodes {
            if *number < WATCHED {
                self.store.put_facts(*node, facts.hash(), &facts, self.ago(300)).await?;
            }
            if NodeKind::of(*number) == NodeKind::Broken {
                let (reseller, customer) = place(*number);
                let file = format!("hieradata/customers/{reseller}/{customer}.toml").as_str().into();
                let origin = Origin { file, start: 0, end: 1, line: 2, column: 1, level: None };
                let wrong =
                    Diagnostic::error(Code::UnknownKey, "nothing reads `profile.base.contcat`", origin);
                let error = CompileErrorRow {
                    node: *node,
                    environment: ENVIRONMENT.into(),
                    commit: self.commit.clone(),
                    since: self.ago(90),
                    diagnostics: vec![wrong.help("did you mean `contact`?")],
                };
                self.store.compile_failed(error).await?;
            }
        }
        Ok(())
    }
}

/// Runs by age, oldest first: how many intervals ago each was, and whether it had a change.
fn runs() -> Vec<(i64, bool)> {
    let eventful = |at: i64| at % (14 * 48 / EVENTFUL) == 0;
    let runs = (1..=i64::from(MAX_QUIET).max(14 * 48)).rev();
    runs.map(|at| (at, eventful(at))).collect()
}

/// Adds a node and gives it a certificate, unless it is one that never connects.
async fn enrolled(store: Store, number: usize, now: Timestamp) -> Result<(usize, NodeId)> {
    let (certname, (reseller, customer)) = (name(number), place(number));
    let at = now - SignedDuration::from_hours(15 * 24);
    let entry = |action| NewAuditEntry::new(at, "uid 0", action, &certname);
    let token = NewToken { id: format!("token{number}"), secret_mac: vec![1], expires_at: now };
    let place = format!("{reseller}/{customer}").parse().map_err(anyhow::Error::msg)?;
    let node =
        match store.add_node(certname.parse()?, place, OnConflict::Keep, token, entry("node-added")).await? {
            AddOutcome::Node(node) | AddOutcome::Present(node) => node.id,
        };
    if NodeKind::of(number) != NodeKind::NeverSeen {
        let certificate = NewCertificate {
            serial: format!("{number:032x}"),
            public_key: number.to_be_bytes().repeat(4),
            not_before: at,
            not_after: now + SignedDuration::from_mins(60 * 48 + number as i64 % 5_000),
            pem: String::new(),
        };
        store.claim_token(format!("token{number}"), certificate, entry("node-enrolled")).await?;
    }
    Ok((number, node))
}

fn event(number: usize, status: Status, cause: Cause) -> Event {
    let origin = |file: &str, line, level: Option<&str>| Origin {
        file: file.into(),
        start: 0,
        end: 1,
        line,
        column: 3,
        level: level.map(Into::into),
    };
    let is_change = matches!(status, Status::Changed | Status::WouldChange | Status::Failed);
    let port = 1_024 + number;
    let diff = format!(
        "--- /srv/sites/site{number}/site.conf\n+++ /srv/sites/site{number}/site.conf\n@@ -1,4 +1,4 @@\n server {{\n\
         -    listen {port};\n+    listen {};\n     server_name site{number}.customer.example;\n     return 200;\n",
        port + 1
    );
    Event {
        resource: ResourceRef::new("file", format!("/srv/sites/site{number}/site.conf")),
        property: is_change.then(|| "content".into()),
        path: None,
        is: None,
        should: None,
        status,
        cause: is_change.then_some(cause),
        reason: match status {
            Status::Failed => Some("cannot write /srv/sites: the file system is read-only".into()),
            Status::Skipped => Some("needs file[/srv/sites/site0/site.conf], which failed".into()),
            _ => None,
        },
        diff: is_change.then_some(diff),
        origin: Some(origin("modules/site/manifests/instance.toml", 20, None)),
        sources: vec![origin("hieradata/customers/customer.toml", number as u32 + 1, Some("customer"))],
        duration_ms: 12,
    }
}

/// As many facts as a large machine has.
fn facts() -> String {
    let mounts: BTreeMap<String, _> = (0..40)
        .map(|n| (format!("/srv/volume{n}"), serde_json::json!({ "device": format!("/dev/vd{n}"), "type": "ext4", "size": 107_374_182_400_u64 })))
        .collect();
    serde_json::json!({
        "os": { "name": "debian", "family": "debian", "release": { "major": "12" } },
        "cpu": { "count": 16 }, "virtual": "kvm", "mounts": mounts,
    })
    .to_string()
}
