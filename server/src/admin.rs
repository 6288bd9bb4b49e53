//! The operators' socket: how commands on the server's own machine reach a running server.
//!
//! One request and one answer a connection, each a line of JSON. Only root and the server's own user may speak. It
//! decides nothing itself: nodes are [`crate::identity`]'s, users are the store's, commits are those in force.

use std::sync::Arc;
use std::time::Duration;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::diagnostic::Severity;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::diagnose::{self, Colour};
use crate::identity::{Identity, Invitation, NodeError, token};
use crate::live::{Happening, Live};
use crate::store::audit::Entry;
use crate::store::certificate::CertificateRow;
use crate::store::commit::{CommitRow, CommitStatus};
use crate::store::node::{Liveness, NodeRow, Place, Present};
use crate::store::report::ReportRow;
use crate::store::user::{Role, Scope, UserRow};
use crate::store::{self, Store};

pub mod client; // the commands' side
pub mod listener; // the server's side

/// The socket's name in the data directory.
pub const SOCKET: &str = "admin.sock";

/// How long a login link works.
pub const LINK_LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// How long a poke waits for its commit.
const PATIENCE: Duration = Duration::from_secs(30);

/// What an operator asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A new node of the inventory.
    NodeAdd {
        /// Its name.
        certname: Certname,
        /// How many seconds its join string works.
        lifetime: u64,
    },
    /// The node again, where the inventory has it now, as another generation.
    NodeMove {
        /// Its name.
        certname: Certname,
        /// How many seconds its join string works.
        lifetime: u64,
    },
    /// All nodes.
    NodeList,
    /// One node.
    NodeShow {
        /// Its name.
        certname: Certname,
    },
    /// Refuse a node from now on.
    NodeRevoke {
        /// Its name.
        certname: Certname,
    },
    /// Forget a node.
    NodeRemove {
        /// Its name.
        certname: Certname,
    },
    /// A new user, and a link for the first login.
    UserAdd {
        /// The name to log in with.
        name: String,
        /// What the user may do.
        role: Role,
        /// Which nodes the user sees.
        scope: Scope,
    },
    /// Another link for a user who cannot log in.
    UserLink {
        /// The name.
        name: String,
    },
    /// All users.
    UserList,
    /// Remove a user, and all sessions.
    UserRemove {
        /// The name.
        name: String,
    },
    /// The CA.
    CaShow,
    /// Look at the repository now.
    Poke {
        /// Answer when this commit has been judged.
        commit: Option<String>,
    },
}

/// What the server answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", content = "value", rename_all = "snake_case")]
pub enum Answer {
    /// A node that waits, with its join string.
    Invited {
        /// The node.
        node: Box<NodeView>,
        /// For the node's eyes alone.
        join: String,
        /// Until when it works.
        expires_at: Timestamp,
    },
    /// Nodes.
    Nodes(Vec<NodeView>),
    /// One node.
    Node(Box<NodeDetail>),
    /// A user's one-time login link.
    Link(Link),
    /// Users.
    Users(Vec<UserView>),
    /// The CA.
    Ca {
        /// The server's instance.
        instance: String,
        /// The roots in PEM.
        roots: String,
        /// SHA-256 of the key that nodes pin, in hex.
        pin: String,
    },
    /// It was done.
    Done(String),
    /// It was not.
    Refused(String),
}

/// A user's one-time login link.
#[derive(Debug, Serialize, Deserialize)]
pub struct Link {
    /// The user.
    pub user: String,
    /// The address to open.
    pub url: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// A node, for people and scripts.
#[derive(Debug, Serialize, Deserialize)]
pub struct NodeView {
    /// Its name.
    pub certname: Certname,
    /// Whose it is.
    pub place: Place,
    /// Its generation.
    pub generation: u32,
    /// `added`, `enrolled` or `revoked`.
    pub state: store::node::NodeState,
    /// Whether it is heard from.
    pub liveness: Liveness,
    /// Its last request.
    pub seen_at: Option<Timestamp>,
    /// The commit that it was last answered from.
    pub commit: Option<String>,
}

/// A node with its certificates and last reports.
#[derive(Debug, Serialize, Deserialize)]
pub struct NodeDetail {
    /// The node.
    #[serde(flatten)]
    pub node: NodeView,
    /// When its certificates end.
    pub certificates: Vec<CertificateView>,
    /// Its last reports, newest first.
    pub reports: Vec<ReportView>,
}

/// A certificate, for people and scripts.
#[derive(Debug, Serialize, Deserialize)]
pub struct CertificateView {
    /// Its serial number in hex.
    pub serial: String,
    /// When it ends.
    pub not_after: Timestamp,
}

/// A report's numbers, for people and scripts.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReportView {
    /// When the run began.
    pub started_at: Timestamp,
    /// The commit that it worked on.
    pub commit: Option<String>,
    /// How many resources ended how.
    pub counts: holdfast_catalog::report::Counts,
}

/// A user, for people and scripts.
#[derive(Debug, Serialize, Deserialize)]
pub struct UserView {
    /// The name to log in with.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// Which nodes the user sees.
    pub scope: String,
    /// Whether a password is set.
    pub password: bool,
}

/// What requests are answered from.
#[derive(Clone)]
pub struct Context {
    /// Who is who.
    pub identity: Arc<Identity>,
    /// What the server remembers.
    pub store: Store,
    /// The commit in force, and who hears of changes.
    pub live: Arc<Live>,
    /// The dashboard's address, `https://host:port`.
    pub dashboard: String,
}

/// Answers one request; `by` is who asks, for the audit log.
pub async fn answer(context: &Context, request: Request, by: &str) -> Answer {
    decide(context, request, by).await.unwrap_or_else(|refused| Answer::Refused(refused.to_string()))
}

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("`{0}` is not in the inventory: add it to inventory/RESELLER/CUSTOMER.toml and commit")]
    NotInInventory(Certname),
    #[error("there is a user `{0}` already; `holdfast user link {0}` makes another login link")]
    UserThere(String),
    #[error("there is no user `{0}`; `holdfast user list` shows all")]
    NoUser(String),
    #[error("`{0}` is not a user's name: use up to 64 letters, digits, `.`, `-`, `_` and `@`")]
    UserName(String),
    #[error(
        "commit {0} has not reached the server: is it pushed, and to the branch that the server follows?"
    )]
    NotJudged(String),
    #[error("commit {0} is broken, and the last good one stays in force\n\n{1}")]
    Broken(String, String),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Store(#[from] store::Error),
}

async fn decide(context: &Context, request: Request, by: &str) -> Result<Answer, Refused> {
    let Context { identity, store, .. } = context;
    match request {
        Request::NodeAdd { certname, lifetime } => {
            invite(context, certname, Present::Keep, lifetime, by).await
        }
        Request::NodeMove { certname, lifetime } => {
            invite(context, certname, Present::Replace, lifetime, by).await
        }
        Request::NodeList => {
            let nodes = store.nodes().await?;
            Ok(Answer::Nodes(nodes.into_iter().map(|node| view(context, node)).collect()))
        }
        Request::NodeShow { certname } => show(context, certname).await,
        Request::NodeRevoke { certname } => {
            let node = changed(context, identity.revoke(certname, by).await?);
            Ok(Answer::Done(format!("{} is refused from now on", node.certname)))
        }
        Request::NodeRemove { certname } => {
            let node = changed(context, identity.remove(certname, by).await?);
            context.live.forget(node.id);
            Ok(Answer::Done(format!("{} is removed", node.certname)))
        }
        Request::UserAdd { name, role, scope } => add_user(context, name, role, scope, by).await,
        Request::UserLink { name } => {
            let user = store.user(name.clone()).await?.ok_or(Refused::NoUser(name))?;
            Ok(Answer::Link(link(context, &user, by).await?))
        }
        Request::UserList => {
            let users = store.users().await?.into_iter().map(|user| UserView {
                scope: user.scope.to_string(),
                password: user.password.is_some(),
                name: user.name,
                role: user.role,
            });
            Ok(Answer::Users(users.collect()))
        }
        Request::UserRemove { name } => {
            let removed = store
                .remove_user(name.clone(), Entry::new(Timestamp::now(), by, "user-removed", &name))
                .await?;
            if removed { Ok(Answer::Done(format!("{name} is removed"))) } else { Err(Refused::NoUser(name)) }
        }
        Request::CaShow => Ok(Answer::Ca {
            instance: identity.authority().instance().to_owned(),
            roots: identity.authority().pem().to_owned(),
            pin: data_encoding::HEXLOWER.encode(identity.authority().pin()),
        }),
        Request::Poke { commit } => poke(context, commit).await,
    }
}

/// Looks at the repository; with a commit named, waits until that is judged.
async fn poke(context: &Context, commit: Option<String>) -> Result<Answer, Refused> {
    context.live.poke();
    let Some(commit) = commit else {
        return Ok(Answer::Done("the repository is looked at now".into()));
    };
    let judged = context.live.judged(&commit, PATIENCE).await?;
    let judged = judged.ok_or_else(|| Refused::NotJudged(commit.escape_default().take(80).collect()))?;
    match judged.status {
        CommitStatus::Good => Ok(Answer::Done(format!("{commit} is in force"))),
        CommitStatus::Broken => Err(Refused::Broken(commit, errors_of(context, &judged))),
    }
}

/// The errors of a commit with their lines, for a terminal.
fn errors_of(context: &Context, judged: &CommitRow) -> String {
    let snapshot = context.live.snapshot(&judged.id);
    let source = |file: &str| {
        let bytes = snapshot.as_ref()?.get(file)?.bytes().to_vec();
        String::from_utf8(bytes).ok()
    };
    let shown = judged.diagnostics.iter().filter(|problem| problem.severity == Severity::Error);
    shown
        .map(|problem| diagnose::text(problem, &source, Colour::Plain) + "\n\n")
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// Tells open pages that a node is another than it was.
fn changed(context: &Context, node: NodeRow) -> NodeRow {
    let (certname, place) = (node.certname.clone(), node.place.clone());
    context.live.tell(Happening::NodeChanged { certname, place });
    node
}

async fn invite(
    context: &Context,
    certname: Certname,
    present: Present,
    lifetime: u64,
    by: &str,
) -> Result<Answer, Refused> {
    let place = context.live.in_force().and_then(|in_force| in_force.place(&certname));
    let place = place.ok_or_else(|| Refused::NotInInventory(certname.clone()))?;
    let lifetime = Duration::from_secs(lifetime.clamp(1, 24 * 3600));
    let before = context.store.node(certname.clone()).await?;
    let Invitation { node, join, expires_at } =
        context.identity.invite(certname, place, present, lifetime, by).await?;
    if let Some(before) = before.filter(|before| before.id != node.id) {
        context.live.forget(before.id);
    }
    let node = changed(context, node);
    Ok(Answer::Invited { node: Box::new(view(context, node)), join: join.to_string(), expires_at })
}

async fn show(context: &Context, certname: Certname) -> Result<Answer, Refused> {
    let node = context.store.node(certname.clone()).await?.ok_or(NodeError::Unknown(certname))?;
    let certificates = context.store.certificates(node.id).await?;
    let reports = context.store.reports_of(node.id, 20).await?;
    let certificate = |row: CertificateRow| CertificateView { serial: row.serial, not_after: row.not_after };
    let report =
        |row: ReportRow| ReportView { started_at: row.started_at, commit: row.commit, counts: row.counts };
    Ok(Answer::Node(Box::new(NodeDetail {
        node: view(context, node),
        certificates: certificates.into_iter().map(certificate).collect(),
        reports: reports.into_iter().map(report).collect(),
    })))
}

fn view(context: &Context, node: NodeRow) -> NodeView {
    NodeView {
        liveness: node.liveness(Timestamp::now(), context.live.interval()),
        certname: node.certname,
        place: node.place,
        generation: node.generation,
        state: node.state,
        seen_at: node.seen_at,
        commit: node.commit,
    }
}

async fn add_user(
    context: &Context,
    name: String,
    role: Role,
    scope: Scope,
    by: &str,
) -> Result<Answer, Refused> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_@".contains(&b);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        return Err(Refused::UserName(name.escape_default().take(80).collect()));
    }
    let entry = Entry::new(Timestamp::now(), by, "user-added", &name);
    let user = context.store.add_user(name.clone(), role, scope, entry).await?;
    let user = user.ok_or(Refused::UserThere(name))?;
    Ok(Answer::Link(link(context, &user, by).await?))
}

/// Makes a one-time login link for a user.
///
/// # Errors
/// Where the store fails.
pub async fn link(context: &Context, user: &UserRow, by: &str) -> store::Result<Link> {
    let secret = data_encoding::BASE64URL_NOPAD.encode(&token::random::<32>());
    let expires_at = Timestamp::now() + LINK_LIFETIME;
    let hash = Sha256::digest(secret.as_bytes()).into();
    let entry = Entry::new(Timestamp::now(), by, "login-link-made", &user.name);
    context.store.add_login_link(user.id, hash, expires_at, entry).await?;
    Ok(Link { user: user.name.clone(), url: format!("{}/login/{secret}", context.dashboard), expires_at })
}
