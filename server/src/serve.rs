//! Starts and stops a server. Any error stops the start; afterwards errors are logged.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_server::ServerHandle;
use actix_web::rt::task::JoinHandle;
use actix_web::web::{self, Data};
use jiff::Timestamp;

use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::control::{self, Control};
use crate::identity::tls::{self, ServerCertificate};
use crate::identity::{self, AuthorityError, Identity, RENEWAL_GRACE};
use crate::network::files;
use crate::network::limiter::ConnectionLimiter;
use crate::network::port::{HTTP_1, HTTP_2, ServedPort};
use crate::repo::{Follower, RepoError, RepoSource, SnapshotCache};
use crate::store::commit::CommitStatus;
use crate::store::user::{UserRole, UserScope};
use crate::store::{self, Store};
use crate::{admin, api, check, dashboard};

mod audit_head; // the head of the audit log, written to the journal
mod data_dir; // the data directory, used by one server at a time
mod metrics_token; // the token's file
mod foundation; // the CA and the store, made once

pub mod hook; // a git hook, so that a push takes effect at once
pub mod ready; // notification of systemd

pub use data_dir::DataDirError;
pub use foundation::FoundationError;
pub use metrics_token::MetricsTokenError;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod judgement;
#[cfg(test)]
mod tests;

/// How many seconds requests may take to end when the server stops.
const SHUTDOWN: u64 = 10;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory is unusable, or in use by another server.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// An address is unusable.
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    /// The control repository cannot be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The path or URL is not a control repository.
    #[error(
        "{0} is not a control repository: it has no inventory/, modules/ or hieradata/; `holdfast init DIR` makes one"
    )]
    NoControlRepository(String),
    /// The CA or the store is missing, damaged, or belongs to another server.
    #[error(transparent)]
    Foundation(#[from] FoundationError),
    /// The CA does not work.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The file of `metrics_token_file` cannot be used.
    #[error(transparent)]
    MetricsToken(#[from] MetricsTokenError),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The operating system refuses something.
    #[error("the operating system refused: {0}")]
    System(#[from] std::io::Error),
}

/// The addresses of a server, and the link for the first login.
#[derive(Debug, serde::Serialize)]
pub struct Greeting {
    pub nodes: SocketAddr,
    pub dashboard: String,
    /// SHA-256 of the CA's certificate, in hex.
    pub ca: String,
    /// The first operator's login link, on the first start only.
    pub login: Option<admin::LoginLink>,
}

/// A running server.
pub struct Server {
    pub store: Store,
    pub identity: Arc<Identity>,
    /// The running state.
    pub control: Arc<Control>,
    operators: admin::AdminContext,
    nodes: SocketAddr,
    #[cfg(test)]
    doors: [Arc<ConnectionLimiter>; 2],
    handles: Vec<ServerHandle>,
    tasks: Vec<JoinHandle<()>>,
    _lock: data_dir::Lock,
}

impl Server {
    /// Starts a server. When this returns, it answers requests.
    ///
    /// # Errors
    /// Returns the first error that prevents the start.
    pub async fn start(config: ServerConfig) -> Result<Self, StartError> {
        let token = config.metrics_token_file.as_deref().map(metrics_token::read).transpose()?;
        let lock = data_dir::take(&config.data_dir)?;
        // Checked before anything is created: a mistyped repository or address must leave nothing behind.
        let source = open_source(&config).await?;
        let source = if config.data_dir.join("server.db").exists() {
            source
        } else {
            readable(source, config.repo.clone()).await?
        };
        let (for_nodes, for_people) = (listener(config.listen)?, listener(config.dashboard)?);
        let (store, authority, key) = foundation::lay(&config.data_dir).await?;
        let (nodes, people) = (for_nodes.local_addr()?, for_people.local_addr()?);
        tell_of_the_clock(authority.clock(), &store).await?;
        let identity = Identity::load(identity_config(&config, nodes), store.clone(), authority, key.clone());
        let identity = Arc::new(identity.await?);
        let control = Control::new(control_config(&config, &source), store.clone(), key);
        let follower = put_in_force(&control, &store, source, kept(&config)).await?;

        let names = config.all_names();
        let certificate = ServerCertificate::issue(identity.authority(), &names).await?;
        let limits = api::Limits::default();
        let state = api::ApiState { identity: identity.clone(), control: control.clone(), limits };
        let pages = dashboard::DashboardState::new(store.clone(), control.clone(), control.interval())
            .called(names.clone());
        let pages = pages.by(identity.authority().clock()).recalling().await?.monitored_by(token);
        let shares = config.connections.unwrap_or_else(|| files::share(files::raise()));
        let doors = [ConnectionLimiter::new(shares.nodes), ConnectionLimiter::new(shares.people)];
        let for_nodes = port_of_nodes(for_nodes, doors[0].clone(), state, certificate.clone())?;
        let for_people = port_of_people(for_people, doors[1].clone(), pages, certificate.clone())?;
        // An open page listens for as long as it is open, so nothing is lost if it is cut off.
        let handles = vec![for_nodes.open(config.workers, SHUTDOWN)?, for_people.open(config.workers, 1)?];
        let operators = admin::AdminContext {
            identity: identity.clone(),
            store: store.clone(),
            control: control.clone(),
            dashboard: format!("https://{}", authority_part(&config.name(), people.port())),
        };
        let socket = admin::listener::bind(&config.data_dir.join(admin::SOCKET))?;
        let tasks = vec![
            actix_web::rt::spawn(certificate.keep_fresh(identity.clone(), names)),
            actix_web::rt::spawn(control.clone().follow(follower)),
            actix_web::rt::spawn(keep_writing(control.clone())),
            actix_web::rt::spawn(forget_what_is_past(store.clone())),
            actix_web::rt::spawn(audit_head::keep_telling(store.clone())),
            actix_web::rt::spawn(admin::listener::serve(socket, operators.clone())),
        ];
        Ok(Self {
            store,
            identity,
            control,
            operators,
            nodes,
            #[cfg(test)]
            doors,
            handles,
            tasks,
            _lock: lock,
        })
    }

    /// A login link for the first operator; `None` if there are users already.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn first_login(&self) -> store::Result<Option<admin::LoginLink>> {
        const NAME: &str = "admin";
        if !self.store.users().await?.is_empty() {
            return Ok(None);
        }
        let entry = store::audit::NewAuditEntry::new(Timestamp::now(), "first start", "user-added", NAME);
        let user =
            self.store.add_user(NAME.to_owned(), UserRole::Operator, UserScope::Everything, entry).await?;
        match user {
            Some(user) => admin::link(&self.operators, &user, "first start").await.map(Some),
            None => Ok(None),
        }
    }

    /// The address that nodes connect to.
    pub fn nodes_address(&self) -> SocketAddr {
        self.nodes
    }

    /// The URL of the dashboard.
    pub fn dashboard_url(&self) -> &str {
        &self.operators.dashboard
    }

    /// Stops the server: requests end first, and everything that waits in memory is written.
    pub async fn stop(self) {
        for handle in &self.handles {
            handle.stop(true).await;
        }
        for task in &self.tasks {
            task.abort();
        }
        self.control.write_contacts().await;
        self.control.write_commits().await;
        self.store.close().await;
    }
}

/// Logs what is odd about this machine's clock. The server starts anyway, since the clock may be corrected later.
async fn tell_of_the_clock(clock: Clock, store: &Store) -> store::Result<()> {
    let now = Timestamp::now();
    let written = store.last_written().await?;
    let odd = written.and_then(|written| Clock::oddness(now, written));
    for doubt in clock.doubt(now).into_iter().chain(odd) {
        tracing::error!("{doubt}");
    }
    Ok(())
}

fn listener(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|source| StartError::Listen { address, source })
}

fn port_of_nodes(
    listener: TcpListener,
    door: Arc<ConnectionLimiter>,
    state: api::ApiState,
    certificate: Arc<ServerCertificate>,
) -> Result<ServedPort<api::ApiState>, rustls::Error> {
    Ok(ServedPort {
        listener,
        tls: tls::for_nodes(state.identity.authority(), certificate)?,
        // A stranger's connection ends with its answer, and that of a revoked node with its refusal.
        protocols: &[HTTP_1],
        door,
        state: Data::new(state),
        routes: api::configure,
        introduce: api::remember_peer,
    })
}

fn port_of_people(
    listener: TcpListener,
    door: Arc<ConnectionLimiter>,
    pages: dashboard::DashboardState,
    certificate: Arc<ServerCertificate>,
) -> Result<ServedPort<dashboard::DashboardState>, rustls::Error> {
    Ok(ServedPort {
        listener,
        tls: tls::for_people(certificate)?,
        protocols: &[HTTP_2, HTTP_1],
        door,
        state: Data::new(pages),
        routes: dashboard::configure,
        introduce: dashboard::remember_place,
    })
}

fn identity_config(config: &ServerConfig, nodes: SocketAddr) -> identity::IdentityConfig {
    identity::IdentityConfig {
        certificate_lifetime: Duration::from_secs(config.certificate_lifetime),
        address: authority_part(&config.name(), nodes.port()),
    }
}

/// `host:port` as in URLs and join strings.
fn authority_part(host: &str, port: u16) -> String {
    if host.parse::<std::net::Ipv6Addr>().is_ok() {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn control_config(config: &ServerConfig, source: &RepoSource) -> control::ControlConfig {
    let environment = match source {
        RepoSource::Directory(_) => check::ENVIRONMENT.to_owned(),
        RepoSource::Git(_) | RepoSource::Remote(..) => config.branch.clone(),
    };
    let kept = matches!(source, RepoSource::Directory(_)).then(|| kept(config));
    control::ControlConfig {
        interval: Duration::from_secs(config.interval),
        environment,
        compiles: config.workers,
        kept,
    }
}

/// Where the last good state of a directory is kept.
fn kept(config: &ServerConfig) -> SnapshotCache {
    SnapshotCache::at(config.data_dir.join("last-good"))
}

async fn open_source(config: &ServerConfig) -> Result<RepoSource, StartError> {
    let (repo, branch, mirror) = (config.repo.clone(), config.branch.clone(), config.data_dir.join("mirror"));
    let opened = web::block(move || RepoSource::open(&repo, &branch, &mirror)).await;
    Ok(opened.map_err(std::io::Error::other)??)
}

/// Checks on the first start that a source has something to put in force. A mistyped branch, or a path that is not a
/// control repository, must leave nothing behind.
async fn readable(source: RepoSource, repo: String) -> Result<RepoSource, StartError> {
    let read = web::block(move || {
        source.has_head()?;
        let snapshot = source.snapshot()?;
        let is_refused = snapshot.refusal().is_some();
        Ok::<_, RepoError>((is_refused || check::is_control_repository(&snapshot)).then_some(source))
    });
    let source = read.await.map_err(std::io::Error::other)??;
    source.ok_or(StartError::NoControlRepository(repo))
}

/// Puts the last good commit in force that the store knows and the repository still has, and has newer commits looked
/// at at once. If there is none, takes the newest.
async fn put_in_force(
    control: &Arc<Control>,
    store: &Store,
    source: RepoSource,
    kept: SnapshotCache,
) -> Result<Follower, StartError> {
    let environment = control.environment().to_owned();
    let seen = store.commits(environment.clone(), 0, 1).await?;
    let last_good = store.last_good_commit(environment).await?;
    let read = web::block(move || {
        let good = last_good.and_then(|id| source.last_good(&id, &kept));
        let newest = if good.is_none() { Some(source.snapshot()?) } else { None };
        Ok::<_, RepoError>((good, newest, source))
    });
    let (good, newest, source) = read.await.map_err(std::io::Error::other)??;
    let last = good.iter().chain(&newest).map(|snapshot| snapshot.commit().clone()).next();
    if let Some(good) = good {
        control.put_in_force(&good);
    }
    if let Some(newest) = newest
        && control.take(newest).await == CommitStatus::Broken
    {
        tracing::error!("no good commit is known: nodes get no catalogs until there is one");
    }
    let follower = Follower::start(source, last, seen.first().map(|(commit, _)| &commit.id))?;
    follower.poke().poke();
    Ok(follower)
}

async fn keep_writing(control: Arc<Control>) {
    control.keep_writing().await;
}

/// Deletes outdated rows, a few at a time, so that nothing has to wait for it.
async fn forget_what_is_past(store: Store) {
    const FEW: u32 = 500;
    loop {
        match store.forget_what_is_past(Timestamp::now(), RENEWAL_GRACE, FEW).await {
            Ok(true) => {}
            Ok(false) => tokio::time::sleep(Duration::from_secs(3600)).await,
            Err(error) => {
                tracing::error!(%error, "cannot remove expired data");
                tokio::time::sleep(Duration::from_secs(3600)).await;
            }
        }
    }
}
