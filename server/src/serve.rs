//! From a configuration to a running server, and back: any error stops the start; afterwards errors are logged.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::task::JoinHandle;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use jiff::{SignedDuration, Timestamp};

use crate::identity::authority::Authority;
use crate::identity::tls::{self, ServerCertificate};
use crate::identity::{self, AuthorityError, Identity};
use crate::live::{self, Live};
use crate::repo::{Follower, RepoError, Source};
use crate::store::commit::CommitStatus;
use crate::store::{self, Store};
use crate::{api, check};

#[cfg(test)]
pub(crate) mod fixture;

/// How long requests may take to end when the server stops.
const SHUTDOWN: u64 = 10;

/// How long reports are kept; the last of each node stays.
const REPORTS_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What a server is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The control repository: a directory, or a URL.
    pub repo: String,
    /// The branch that is in force, where there are branches.
    pub branch: String,
    /// Where the server keeps what it must not lose.
    pub data_dir: PathBuf,
    /// Where nodes connect.
    pub listen: SocketAddr,
    /// Where people connect.
    pub dashboard: SocketAddr,
    /// Names and addresses in the server's certificate; the first is the one that join strings say.
    pub names: Vec<String>,
    /// How far apart a node's polls are.
    pub interval: Duration,
    /// How long a node's certificate is valid.
    pub certificate_lifetime: Duration,
    /// How many threads serve, and compile.
    pub workers: usize,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory is unusable.
    #[error("the data directory {path}: {source}")]
    DataDir {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Another server uses it.
    #[error("another server is running on {0}: stop it first")]
    Running(String),
    /// An address is unusable.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// No name to be reached by.
    #[error("the server has no name: give at least one host name or address in `names`")]
    NoName,
    /// The control repository cannot be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The CA does not work.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The operating system refuses something.
    #[error("the operating system refuses: {0}")]
    System(#[from] std::io::Error),
}

/// A running server.
pub struct Server {
    /// What is remembered.
    pub store: Store,
    /// Who is who.
    pub identity: Arc<Identity>,
    /// What is in force.
    pub live: Arc<Live>,
    nodes: SocketAddr,
    dashboard: SocketAddr,
    handles: Vec<ServerHandle>,
    tasks: Vec<JoinHandle<()>>,
    _lock: File,
}

impl Server {
    /// Starts a server: when this returns, it answers.
    ///
    /// # Errors
    /// The first thing that is in the way.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let lock = take_data_dir(&config.data_dir)?;
        let store = Store::open(&config.data_dir.join("server.db"))?;
        let (authority, key) = Authority::open(&config.data_dir.join("ca"))?;
        let (for_nodes, for_people) = (listener(config.listen)?, listener(config.dashboard)?);
        let (nodes, dashboard) = (for_nodes.local_addr()?, for_people.local_addr()?);
        let identity =
            Identity::load(identity_config(&config, nodes)?, store.clone(), authority, key.clone());
        let identity = Arc::new(identity.await?);
        let source = open_source(&config).await?;
        let live = Live::new(live_config(&config, &source), store.clone(), key);
        let follower = put_in_force(&live, &store, source).await?;

        let certificate = ServerCertificate::issue(identity.authority(), &config.names).await?;
        let tls = tls::for_nodes(identity.authority(), certificate.clone())?;
        let state =
            api::State { identity: identity.clone(), live: live.clone(), limits: api::Limits::default() };
        let handles = vec![serve_nodes(for_nodes, tls, Data::new(state), config.workers)?];
        drop(for_people);
        let tasks = vec![
            actix_web::rt::spawn(certificate.keep_fresh(identity.clone(), config.names)),
            actix_web::rt::spawn(live.clone().follow(follower)),
            actix_web::rt::spawn(keep_writing_seen(live.clone())),
            actix_web::rt::spawn(forget_old_reports(store.clone())),
        ];
        Ok(Self { store, identity, live, nodes, dashboard, handles, tasks, _lock: lock })
    }

    /// Where nodes connect.
    pub fn nodes_address(&self) -> SocketAddr {
        self.nodes
    }

    /// Where people connect.
    pub fn dashboard_address(&self) -> SocketAddr {
        self.dashboard
    }

    /// Stops: requests end first, and nothing that was seen is lost.
    pub async fn stop(self) {
        for handle in &self.handles {
            handle.stop(true).await;
        }
        for task in &self.tasks {
            task.abort();
        }
        self.live.write_seen().await;
    }
}

/// Makes the data directory, and keeps a second server off it.
fn take_data_dir(directory: &Path) -> Result<File, StartError> {
    let failed = |source| StartError::DataDir { path: directory.display().to_string(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join("lock"))
        .map_err(failed)?;
    // The lock goes with the process, however it ends.
    match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StartError::Running(directory.display().to_string())),
        Err(error) => Err(failed(error.into())),
    }
}

fn listener(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|source| StartError::Listen { address, source })
}

fn identity_config(config: &Config, nodes: SocketAddr) -> Result<identity::Config, StartError> {
    let name = config.names.first().ok_or(StartError::NoName)?;
    let host = if name.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{name}]") } else { name.clone() };
    Ok(identity::Config {
        certificate_lifetime: config.certificate_lifetime,
        address: format!("{host}:{}", nodes.port()),
    })
}

fn live_config(config: &Config, source: &Source) -> live::Config {
    let environment = match source {
        Source::Directory(_) => check::ENVIRONMENT.to_owned(),
        Source::Git(_) | Source::Remote(..) => config.branch.clone(),
    };
    live::Config { interval: config.interval, environment, compiles: config.workers }
}

async fn open_source(config: &Config) -> Result<Source, StartError> {
    let (repo, branch, mirror) = (config.repo.clone(), config.branch.clone(), config.data_dir.join("mirror"));
    let opened = web::block(move || Source::open(&repo, &branch, &mirror)).await;
    Ok(opened.map_err(std::io::Error::other)??)
}

/// Puts the newest commit in force; where it is broken, the last good one that the store knows and the repository has.
async fn put_in_force(live: &Arc<Live>, store: &Store, source: Source) -> Result<Follower, StartError> {
    let last_good = store.last_good_commit(live.environment().to_owned()).await?;
    let read = web::block(move || {
        let newest = source.snapshot()?;
        let older = match (&source, last_good) {
            (Source::Git(git) | Source::Remote(_, git), Some(id)) if id != newest.commit().as_str() => {
                git.snapshot_of(&id).ok()
            }
            _ => None,
        };
        Ok::<_, RepoError>((newest, older, source))
    });
    let (newest, older, source) = read.await.map_err(std::io::Error::other)??;
    let last = newest.commit().clone();
    if let Some(older) = older {
        live.put_in_force(&older);
    }
    if live.take(newest).await == CommitStatus::Broken && live.in_force().is_none() {
        tracing::error!("no good commit is known: nodes get no catalog until one comes");
    }
    Ok(Follower::start(source, last)?)
}

fn serve_nodes(
    listener: TcpListener,
    tls: rustls::ServerConfig,
    state: Data<api::State>,
    workers: usize,
) -> Result<ServerHandle, StartError> {
    let server = HttpServer::new(move || App::new().app_data(state.clone()).configure(api::configure))
        .on_connect(api::remember_peer)
        // Without it each fresh connection waits 40 ms for an acknowledgement.
        .tcp_nodelay(true)
        .max_connection_rate(1024)
        .backlog(4096)
        .workers(workers)
        .shutdown_timeout(SHUTDOWN)
        .disable_signals()
        .listen_rustls_0_23(listener, tls)?
        .run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok(handle)
}

async fn keep_writing_seen(live: Arc<Live>) {
    live.keep_writing_seen().await;
}

/// A few at a time, so that nobody waits for it.
async fn forget_old_reports(store: Store) {
    loop {
        match store.forget_reports(Timestamp::now() - REPORTS_KEPT, 500).await {
            Ok(500) => {}
            Ok(_) => tokio::time::sleep(Duration::from_secs(3600)).await,
            Err(error) => {
                tracing::error!(%error, "cannot forget old reports");
                tokio::time::sleep(Duration::from_secs(3600)).await;
            }
        }
    }
}
