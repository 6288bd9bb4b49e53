//! The pages and the API of a server with 20,000 nodes and two weeks of reports: how long an answer takes, how large it
//! is, and how much is sent.
//!
//! One client asks for one page after another over TLS on a connection that stays open. The time is from its request to
//! the last byte, so it is a little more than the server's own. The store is made by [`seed`], which takes most of the
//! time.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use harness::process::{self, ChildGuard};
use harness::server::ServerPaths;
use harness::{binaries, progress};
use holdfast_server::Store;
use jiff::Timestamp;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, COOKIE, ORIGIN, SET_COOKIE};
use tokio::runtime::Runtime;

use crate::figure::{Figure, memory_of};

mod seed;

/// The limits of each page, in milliseconds and in kB.
const MILLISECONDS: f64 = 200.0;
const KILOBYTES: f64 = 100.0;

const ROUNDS: usize = 15;

/// How many people have the overview open; each page is renewed as often as pages ever renew themselves.
const OPEN: usize = 8;

/// Measures every page.
pub fn measure() -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let seeded = make(folder.path(), &runtime)?;
    let server = server_in(folder.path())?;
    let mut process = server.start(Command::new(&binaries().server), &[])?;
    let person = runtime.block_on(Person::logged_in(&server))?;
    let mut figures = Vec::new();
    for path in paths(&seeded, &runtime.block_on(person.text("/api/v1/overview"))?)? {
        figures.push(runtime.block_on(person.measure(&path))?);
    }
    figures.extend(runtime.block_on(beside_open_pages(&person))?);
    figures.push(Figure::of(
        "memory of the server with 20,000 nodes",
        vec![memory_of(process.child().id())?],
        "MiB",
    ));
    Ok(figures)
}

/// Makes a control repository, a CA and a store in a folder, to look at; returns how to start a server on them.
pub fn seed(folder: &Path) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let seeded = make(folder, &runtime)?;
    Ok(format!(
        "holdfast server --repo {0}/control --data-dir {0}/data\nholdfast user link olga --data-dir {0}/data\n/nodes/{1}\n/reports/{2}",
        folder.display(),
        seeded.node,
        seeded.report
    ))
}

fn make(folder: &Path, runtime: &Runtime) -> Result<seed::Seeded> {
    seed::write_repository(&folder.join("control"))?;
    let server = server_in(folder)?;
    // It makes its CA and its store, and puts the only commit in force.
    let mut process = server.start(Command::new(&binaries().server), &[])?;
    server.holdfast(&["user", "add", "olga"])?;
    end(&mut process)?;
    progress::during("seeding the store of 20,000 nodes", || {
        let store = Store::open(&server.data_dir.join("server.db"))?;
        let seeded = runtime.block_on(seed::fill(&store, Timestamp::now()))?;
        runtime.block_on(store.close());
        Ok(seeded)
    })
}

fn server_in(folder: &Path) -> Result<ServerPaths> {
    Ok(ServerPaths {
        repo: folder.join("control"),
        data_dir: folder.join("data"),
        log_file: folder.join("server.log"),
        listen: process::free_address()?,
        dashboard: process::free_address()?,
    })
}

fn end(process: &mut ChildGuard) -> Result<()> {
    let id = rustix::process::Pid::from_child(process.child());
    rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
    process.child().wait()?;
    Ok(())
}

/// Each page in a case that makes it long, and the routes of the API.
fn paths(seeded: &seed::Seeded, overview: &str) -> Result<Vec<String>> {
    let overview: serde_json::Value = serde_json::from_str(overview)?;
    let commit = overview["environments"][0]["in_force"]["id"].as_str().context("no commit is in force")?;
    let (node, report) = (&seeded.node, &seeded.report);
    let pages = [
        "/".to_owned(),
        "/nodes".to_owned(),
        "/nodes?page=200".to_owned(),
        "/nodes?state=failed".to_owned(),
        "/nodes?q=customer77&sort=silence".to_owned(),
        format!("/nodes/{node}"),
        format!("/reports/{report}"),
        format!("/reports/{report}?page=10"),
        format!("/reports/{report}?only=failed"),
        "/commits".to_owned(),
        format!("/commits/{commit}"),
        format!("/commits/{}", seed::commit(10)),
        "/account".to_owned(),
        "/metrics".to_owned(),
        "/assets/style.css".to_owned(),
    ];
    let api = [
        "/overview",
        "/nodes",
        &format!("/nodes/{node}"),
        &format!("/reports/{report}"),
        "/commits",
        &format!("/commits/{commit}"),
    ]
    .map(|path| format!("/api/v1{path}"));
    Ok(pages.into_iter().chain(api).chain(["/api/openapi.json".to_owned()]).collect())
}

/// A user who is logged in and sees everything.
#[derive(Clone)]
struct Person {
    client: reqwest::Client,
    base: String,
    cookie: String,
}

impl Person {
    async fn logged_in(server: &ServerPaths) -> Result<Self> {
        // Only the first of several measurements in a process installs it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let answer = server.holdfast(&["user", "link", "olga", "--format", "json"])?;
        let answer: serde_json::Value = serde_json::from_str(&answer)?;
        let url = answer["value"]["url"].as_str().context("no link in the answer")?;
        let (_, link) = url.split_once("/login/").context("not a login link")?;
        let base = format!("https://{}", server.dashboard);
        let answer = client.post(format!("{base}/login/{link}")).header(ORIGIN, &base).send().await?;
        let cookie = answer.headers().get(SET_COOKIE).context("no session")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { client, base, cookie })
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.base)).header(COOKIE, &self.cookie)
    }

    async fn text(&self, path: &str) -> Result<String> {
        Ok(self.get(path).send().await?.error_for_status()?.text().await?)
    }

    async fn measure(&self, path: &str) -> Result<Figure> {
        let mut times = Vec::new();
        let (mut plain, mut packed) = (0.0, None);
        for _ in 0..ROUNDS {
            plain = self.text(path).await?.len() as f64 / 1e3;
            let begun = Instant::now();
            let answer = self.get(path).header(ACCEPT_ENCODING, "gzip").send().await?.error_for_status()?;
            let is_packed = answer.headers().contains_key(CONTENT_ENCODING);
            let sent = answer.bytes().await?.len() as f64 / 1e3;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            packed = is_packed.then_some(sent);
        }
        let size = if plain > KILOBYTES { format!("**{plain:.1} kB**") } else { format!("{plain:.1} kB") };
        let packed = packed.map(|sent| format!(", {sent:.1} kB compressed")).unwrap_or_default();
        // The id of a run differs each time.
        Ok(Figure::of(format!("`{path}`: {size}{packed}"), times, "ms").beside(MILLISECONDS, "–"))
    }
}

/// How long others wait while pages renew themselves without a pause.
async fn beside_open_pages(person: &Person) -> Result<Vec<Figure>> {
    let go_on = Arc::new(AtomicBool::new(true));
    let open: Vec<_> = (0..OPEN).map(|_| tokio::spawn(renew(person.clone(), go_on.clone()))).collect();
    let (mut ready, mut page) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (path, times) in [("/readyz", &mut ready), ("/commits", &mut page)] {
            let begun = Instant::now();
            person.text(path).await?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    go_on.store(false, Ordering::Relaxed);
    for page in open {
        ensure!(page.await?? > 0, "an open page was not renewed");
    }
    let beside = |path: &str| format!("`{path}` beside {OPEN} overviews that are renewed without pause");
    Ok(vec![
        Figure::of(beside("/readyz"), ready, "ms").beside(MILLISECONDS, "–"),
        Figure::of(beside("/commits"), page, "ms"),
    ])
}

async fn renew(person: Person, go_on: Arc<AtomicBool>) -> Result<usize> {
    let mut renewed = 0;
    while go_on.load(Ordering::Relaxed) {
        let answer = person.get("/").header("x-holdfast-renewal", "1").send().await?;
        answer.error_for_status()?.bytes().await?;
        renewed += 1;
    }
    Ok(renewed)
}
