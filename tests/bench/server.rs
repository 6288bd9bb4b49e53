//! The server with a hundred nodes, asked as agents ask: over mTLS, with the agent's own client.
//!
//! What the server needs is the CPU time of its process, from `/proc`; that of the client on the same cores is not
//! counted. A rate would depend on the client as much as on the server, so none is given.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use harness::process::{self, ChildGuard};
use harness::server::{SOON, ServerPaths};
use harness::{binaries, synthetic, wait};
use holdfast_agent::{Client, Identity, OnExisting, StateDir, enroll};
use holdfast_catalog::catalog::CatalogId;
use holdfast_catalog::facts::Facts;
use holdfast_catalog::report::Counts;
use holdfast_catalog::wire::{CatalogAnswer, CatalogRequest, ReportAnswer, path};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::figure::{Figure, memory_of, on_disk};

const NODES: usize = 100;

/// The number of sites of each node, which are 544 resources.
const SITES: usize = 108;

/// How often all nodes make each request; each time gives one value.
const ROUNDS: usize = 5;

/// Measures catalogs, polls and reports, and what the server needs apart from CPU time.
pub fn measure() -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    synthetic::write(&folder.path().join("control"), NODES, SITES)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut server = Running::start(folder)?;
    let mut fleet = server.enroll_all(&runtime)?;

    let first = server.cost(1, || runtime.block_on(each(&mut fleet, Ask::First)))?;
    let again = server.rounds(2, || runtime.block_on(each(&mut fleet, Ask::Catalog)))?;
    let polls = server.rounds(5, || runtime.block_on(each(&mut fleet, Ask::Poll)))?;
    let handshakes = server.rounds(2, || runtime.block_on(each(&mut fleet, Ask::Handshake)))?;
    let memory = memory_of(server.id())?;
    let at_rest = server.agent_at_rest()?;

    let empty = server.restarted()?.stored()?;
    let changes = server.rounds(8, || runtime.block_on(each(&mut fleet, Ask::Report { events: 25 })))?;
    let with_changes = server.restarted()?.stored()?;
    let calm = server.rounds(20, || runtime.block_on(each(&mut fleet, Ask::Report { events: 0 })))?;
    let begun = Instant::now();
    server.restarted()?;
    // Not the first node: since its agent ran, its facts are those of this machine.
    runtime.block_on(each(&mut fleet[1..2], Ask::Catalog))?;
    let ready = begun.elapsed();
    let without = server.stored()?;

    let share = |bytes: u64, times: usize| bytes as f64 / (times * ROUNDS * NODES) as f64 / 1024.0;
    Ok(vec![
        Figure::of("server: the first catalog of a node, with its facts", vec![first], "ms"),
        Figure::of("server: catalog of 544 resources, compiled and sent", again, "ms")
            .beside(6.7, "Puppet Server 0.8–2.2 a second on both cores"),
        Figure::of("server: unchanged poll, connection kept", polls, "ms").beside(0.1, "a full compile"),
        Figure::of("server: unchanged poll with a full handshake", handshakes, "ms")
            .beside(1.0, "a full compile"),
        Figure::of("server: report of 25 events of 500 resources", changes, "ms")
            .beside(1.3, "PuppetDB 29 a second"),
        Figure::of("server: report without a change", calm, "ms").beside(0.4, "PuppetDB 42–44 a second"),
        Figure::of("server: a stored report of 25 events", vec![share(with_changes - empty, 8)], "KiB")
            .beside(3.0, "PuppetDB 17 KiB"),
        Figure::of(
            "server: a stored report without a change",
            vec![share(without - with_changes, 20)],
            "KiB",
        )
        .beside(1.3, "PuppetDB 1.3–1.9 KiB"),
        Figure::of(
            "server: from its start to the first catalog, by the clock",
            vec![ready.as_secs_f64()],
            "s",
        )
        .beside(1.0, "Puppet Server 41–49 s"),
        Figure::of("server: memory with 100 nodes served", vec![memory], "MiB")
            .beside(60.0, "Puppet Server 1.5 GiB + PuppetDB 0.5 GiB"),
        on_disk("server: on disk, stripped", &binaries().server)?
            .beside(25.0, "Puppet Server 701 MiB with 330 packages"),
        Figure::of("agent: memory at rest, after a run of 544 resources", vec![at_rest], "MiB")
            .beside(7.0, "Puppet 65 MiB, CFEngine 9 + 11 + 14 MiB"),
    ])
}

/// The process of the server, with its directories.
struct Running {
    folder: TempDir,
    server: ServerPaths,
    process: ChildGuard,
}

impl Running {
    fn start(folder: TempDir) -> Result<Self> {
        let at = |name: &str| folder.path().join(name);
        let server = ServerPaths {
            repo: at("control"),
            data_dir: at("data"),
            log_file: at("server.log"),
            listen: process::free_address()?,
            dashboard: process::free_address()?,
        };
        let process = server.start(Command::new(&binaries().server), &[])?;
        Ok(Self { folder, server, process })
    }

    /// Ends the server as systemd would, so that its files are complete, and starts it again.
    fn restarted(&mut self) -> Result<&mut Self> {
        let id = rustix::process::Pid::from_child(self.process.child());
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        self.process.child().wait()?;
        self.process = self.server.start(Command::new(&binaries().server), &[])?;
        Ok(self)
    }

    fn id(&mut self) -> u32 {
        self.process.child().id()
    }

    /// The size of the data directory, in bytes.
    fn stored(&self) -> Result<u64> {
        let files = fs::read_dir(&self.server.data_dir)?;
        files.map(|file| Ok(file?.metadata()?.len())).sum()
    }

    /// The CPU time of one request in milliseconds, if `work` makes `times` requests for each node.
    fn cost(&mut self, times: usize, work: impl FnOnce() -> Result<()>) -> Result<f64> {
        let id = self.id();
        let before = cpu_of(id)?;
        work()?;
        Ok((cpu_of(id)? - before).as_secs_f64() * 1e3 / (times * NODES) as f64)
    }

    fn rounds(&mut self, times: usize, mut work: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
        let round = |_| self.cost(times, || (0..times).try_for_each(|_| work()));
        (0..ROUNDS).map(round).collect()
    }

    /// How much memory the agent of the first node needs between two runs, in MiB.
    fn agent_at_rest(&self) -> Result<f64> {
        let root = self.folder.path().join("root");
        fs::create_dir_all(root.join("srv"))?;
        let state = self.folder.path().join("agents").join(synthetic::NODE);
        let mut command = Command::new(&binaries().agent);
        command.arg("run").arg("--root").arg(root).arg("--state-dir").arg(&state);
        let mut agent =
            process::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))?;
        wait::until("the agent has run", SOON, || fs::metadata(state.join("status.json")).map(drop))?;
        memory_of(agent.child().id())
    }

    /// Adds all nodes and enrols them, each with its own directory.
    fn enroll_all(&self, runtime: &Runtime) -> Result<Vec<BenchNode>> {
        let enrolled = |name: String| {
            let join = self.server.holdfast(&["node", "add", &name])?;
            let state = StateDir::open(&self.folder.path().join("agents").join(&name))?;
            let identity = runtime.block_on(enroll(&join.trim().parse()?, &state, OnExisting::Keep))?;
            Ok(BenchNode { client: identity.client(None)?, identity, have: None, sent: 0 })
        };
        fs::create_dir(self.folder.path().join("agents"))?;
        synthetic::names(NODES).map(enrolled).collect()
    }
}

/// The user and system time of a process so far.
fn cpu_of(id: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // Before the last parenthesis is the program's name, which may contain anything.
    let (_, fields) = stat.rsplit_once(')').context("no name in its status")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?)
}

/// An agent.
struct BenchNode {
    identity: Identity,
    client: Client,
    have: Option<CatalogId>,
    sent: u64,
}

/// A request of a node.
#[derive(Clone, Copy)]
enum Ask {
    /// For a catalog, sending its facts.
    First,
    /// For the catalog that it has already.
    Catalog,
    /// Whether there is a new one.
    Poll,
    /// Like `Poll`, over a new connection.
    Handshake,
    /// To store a report.
    Report { events: usize },
}

/// Makes each node send one request, a few at a time.
async fn each(fleet: &mut [BenchNode], ask: Ask) -> Result<()> {
    const AT_ONCE: usize = 8;
    for some in fleet.chunks_mut(AT_ONCE) {
        let mut asked = JoinSet::new();
        for (place, node) in some.iter_mut().enumerate() {
            let client = match ask {
                Ask::Handshake => node.identity.client(None)?,
                _ => node.client.clone(),
            };
            node.sent += 1;
            let (sent, have) = (node.sent, node.have.clone());
            asked.spawn(
                async move { Ok::<_, anyhow::Error>((place, answer(&client, ask, sent, have).await?)) },
            );
        }
        while let Some(answered) = asked.join_next().await {
            let (place, catalog) = answered??;
            some[place].have = catalog.or(some[place].have.take());
        }
    }
    Ok(())
}

/// Sends one request; returns the catalog's id if one is sent.
async fn answer(client: &Client, ask: Ask, sent: u64, have: Option<CatalogId>) -> Result<Option<CatalogId>> {
    let facts: Facts = serde_json::from_str(synthetic::FACTS)?;
    let facts_hash = facts.hash();
    let (facts, have) = match ask {
        Ask::First => (Some(facts), None),
        Ask::Catalog => (None, None),
        Ask::Poll | Ask::Handshake => (None, have),
        Ask::Report { events } => {
            let stored: ReportAnswer = client.post(path::REPORTS, &report(sent, events)).await?;
            ensure!(stored.new, "the report was there");
            return Ok(None);
        }
    };
    let request = CatalogRequest { facts_hash, facts, have, agent: "bench".into() };
    match (client.post(path::CATALOG, &request).await?, ask) {
        (CatalogAnswer::Catalog { catalog, .. }, Ask::First | Ask::Catalog) => Ok(Some(catalog.id)),
        (CatalogAnswer::Unchanged { .. }, Ask::Poll | Ask::Handshake) => Ok(None),
        (CatalogAnswer::Catalog { .. }, _) => bail!("there is another catalog, though nothing has changed"),
        (CatalogAnswer::Unchanged { .. }, _) => bail!("there is no catalog, though none is known"),
        (CatalogAnswer::FactsWanted, _) => bail!("the server has forgotten the facts"),
    }
}

/// The report of a run with 500 resources, of which `events` changed.
fn report(number: u64, events: usize) -> Value {
    let event = |event: usize| {
        json!({
            "resource": format!("file[/srv/sites/site{event}.customer.example/site.conf]"), "property": "content",
            "status": "changed", "cause": "corrective", "duration_ms": 3,
            "diff": format!("-    listen {};\n+    listen {};\n", event, 1024 + event),
        })
    };
    let changed = u32::try_from(events).unwrap_or(u32::MAX);
    let counts =
        Counts { total: 500, unchanged: 500 - changed, changed, corrective: changed, ..Counts::default() };
    json!({
        "run": format!("00000000-0000-7000-8000-{number:012x}"), "catalog": "0".repeat(64), "commit": "0".repeat(40),
        "environment": "main", "mode": "enforce", "source": "server", "started": "2026-01-01T00:00:00Z",
        "duration_ms": 210, "phases": { "facts": 9, "poll": 14, "check": 120, "apply": 67 },
        "types": { "file": 180 }, "agent": "bench", "volatile": { "uptime": 86_400 },
        "counts": counts,
        "events": (0..events).map(event).collect::<Vec<_>>(),
    })
}
