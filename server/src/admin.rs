//! The operators' socket: how commands on the server's own machine reach a running server.
//!
//! Each connection carries one request and one answer, each of them a line of JSON. Only root and the server's own user
//! may connect. This module decides nothing itself: nodes belong to [`crate::identity`], users to the store, and
//! commits to the running state.

use std::sync::Arc;
use std::time::Duration;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::origin::Origin;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::control::{CommitOutcome, Control, StateChange};
use crate::diagnose::{self, Colour};
use crate::excerpt::Excerpts;
use crate::identity::{Identity, Invitation, NodeError, token};
use crate::store::audit::NewAuditEntry;
use crate::store::commit::{CommitRow, CommitStatus};
use crate::store::node::{NodeRow, OnConflict};
use crate::store::user::{UserRole, UserRow, UserScope};
use crate::store::{self, Store};

pub mod client; // the commands' side
pub mod listener; // the server's side
mod commit; // which commit is meant
mod message; // requests and answers
mod names; // unknown names
mod nodes; // requests about nodes
mod verdict; // what became of a commit

pub use message::{
    Answer, AuditCheck, AuditEntry, CertificateView, LoginLink, NodeDetail, NodeFilter, NodeView, ReportView,
    Request, UserView,
};
pub use verdict::{CommitVerdict, VerdictOutcome};

/// The socket's name in the data directory.
pub const SOCKET: &str = "admin.sock";

/// How long a login link works.
pub const LINK_LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// How long a poke waits until its commit has been judged.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a poke waits for the repository to be read, and for what is known of a commit if it cannot be read.
const LOOK: Duration = Duration::from_secs(10);
const KNOWN: Duration = Duration::from_millis(200);

/// The most entries of the audit log in one answer.
const AUDIT_AT_ONCE: u32 = 1_000;

/// What is needed to answer requests.
#[derive(Clone)]
pub struct AdminContext {
    pub identity: Arc<Identity>,
    pub store: Store,
    /// The commit in force, and the channel on which changes are announced.
    pub control: Arc<Control>,
    /// The dashboard's address, `https://host:port`.
    pub dashboard: String,
}

/// Answers one request. `by` is the name of the caller in the audit log.
pub async fn answer(context: &AdminContext, request: Request, by: &str) -> Answer {
    let answer = match decide(context, request, by).await {
        // While no commit is in force, it is unknown which machines exist and to whom they belong.
        Ok(Answer::Nodes(nodes)) if nodes.is_empty() => {
            nothing_in_force(context).map_or(Ok(Answer::Nodes(nodes)), Err)
        }
        Err(unknown @ (RequestError::NotInInventory(..) | RequestError::Nobody { .. })) => {
            Err(nothing_in_force(context).unwrap_or(unknown))
        }
        answer => answer,
    };
    answer.unwrap_or_else(|refused| Answer::Refused(refused.to_string()))
}

/// The refusal for when no commit is in force; it names the broken commit, if there is one. `None` if a commit is in force.
fn nothing_in_force(context: &AdminContext) -> Option<RequestError> {
    let since = |commit: CommitId| format!(", since commit {commit} is broken");
    context
        .control
        .in_force()
        .is_none()
        .then(|| RequestError::NothingInForce(context.control.broken_commit().map(since).unwrap_or_default()))
}

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
enum RequestError {
    #[error(
        "`{0}` is not in the inventory in force: {1}add it to inventory/RESELLER/CUSTOMER.toml, and commit or save that"
    )]
    NotInInventory(Certname, String),
    #[error("no commit is in force{0}, so the machines are not known; `holdfast check` says what is wrong")]
    NothingInForce(String),
    #[error("there is no node `{0}`: {1}`holdfast node list` shows all")]
    Unknown(Certname, String),
    #[error(
        "`{0}` was never added, so there is nothing to remove: it is only in the inventory; remove it there with a commit"
    )]
    NotAdded(Certname),
    #[error("user `{0}` already exists; `holdfast user link {0}` makes another login link")]
    UserThere(String),
    #[error("there is no user `{0}`{1}; `holdfast user list` shows all")]
    NoUser(String, String),
    #[error("there is no {sort} `{name}`{meant}")]
    Nobody {
        /// What kind of name it would be, such as a customer's.
        sort: &'static str,
        name: String,
        /// The names that may have been meant, as words for the message.
        meant: String,
    },
    #[error("`{0}` is not a user's name: use up to 64 letters, digits, `.`, `-`, `_` and `@`")]
    UserName(String),
    #[error(
        "commit {0} has not reached the server: is it pushed, and to the branch that the server follows?"
    )]
    NotJudged(String),
    #[error("the repository cannot be read: {0}")]
    Unreadable(String),
    #[error("commit {0} has not arrived: {1}")]
    NoneComes(String, String),
    #[error("`{0}` is not a commit's id: give the id, $(git rev-parse '{0}')")]
    NoId(String),
    #[error("`{0}` is not the id of a commit that is known here: give all 40 digits, $(git rev-parse '{0}')")]
    Short(String),
    #[error(
        "the server follows a directory without git, which has no commits: run `holdfast poke` without a commit to \
         have it read, and `holdfast check` for the result"
    )]
    NoCommits,
    #[error("commit {0} was not judged: commit {1} arrived in the meantime, and is judged instead")]
    Overtaken(String, CommitId),
    #[error(
        "commit {0} is superseded by commit {1}, which builds on it: of new commits, the server judges only the newest"
    )]
    Skipped(String, CommitId),
    #[error("commit {0} {1}, and {2}")]
    Past(String, &'static str, String),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Store(#[from] store::Error),
}

async fn decide(context: &AdminContext, request: Request, by: &str) -> Result<Answer, RequestError> {
    let AdminContext { identity, store, .. } = context;
    match request {
        Request::NodeAdd { certname, lifetime } => {
            invite(context, certname, OnConflict::Keep, lifetime, by).await
        }
        Request::NodeMove { certname, lifetime } => {
            invite(context, certname, OnConflict::Replace, lifetime, by).await
        }
        Request::NodeList { filter } => nodes::list(context, &filter).await,
        Request::NodeShow { certname } => nodes::show(context, certname).await,
        Request::NodeRevoke { certname } => {
            let node = known(context, certname.clone(), identity.revoke(certname, by).await).await?;
            Ok(Answer::Done(format!("{} is refused from now on", node.certname)))
        }
        Request::NodeRemove { certname } => {
            let node = known(context, certname.clone(), identity.remove(certname, by).await).await?;
            context.control.forget(node.id);
            Ok(Answer::Done(format!("{} is removed", node.certname)))
        }
        Request::UserAdd { name, role, scope } => add_user(context, name, role, scope, by).await,
        Request::UserLink { name } => {
            let Some(user) = store.user(name.clone()).await? else {
                return Err(names::no_user(&name, &store.users().await?));
            };
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
        Request::UserRemove { name } => remove_user(context, name, by).await,
        Request::CaShow => Ok(Answer::Ca {
            instance: identity.authority().instance().to_owned(),
            roots: identity.authority().pem().to_owned(),
            pin: data_encoding::HEXLOWER.encode(identity.authority().pin()),
        }),
        Request::Audit { since, after } => {
            let rows = store.audit_after(since, after, AUDIT_AT_ONCE).await?;
            Ok(Answer::Audit(rows.into_iter().map(AuditEntry::from).collect()))
        }
        Request::AuditCheck { head } => {
            let checked = store.audit_checked(head.clone()).await?;
            Ok(Answer::AuditChecked(AuditCheck::of(checked, head)))
        }
        Request::Poke { commit } => poke(context, commit).await,
    }
}

async fn remove_user(context: &AdminContext, name: String, by: &str) -> Result<Answer, RequestError> {
    let entry = NewAuditEntry::new(Timestamp::now(), by, "user-removed", &name);
    match context.store.remove_user(name.clone(), entry).await? {
        true => Ok(Answer::Done(format!("{name} is removed"))),
        false => Err(names::no_user(&name, &context.store.users().await?)),
    }
}

/// Makes the server look at the repository. If a commit is named, waits until it has been judged.
async fn poke(context: &AdminContext, commit: Option<String>) -> Result<Answer, RequestError> {
    let control = &context.control;
    let Some(commit) = commit else {
        return match tokio::time::timeout(LOOK, control.look()).await {
            Ok(looked) => looked
                .map(|()| Answer::Done("the server has read the repository".into()))
                .map_err(RequestError::Unreadable),
            Err(_) => {
                Ok(Answer::Done("the server is reading the repository, which has not answered yet".into()))
            }
        };
    };
    let commit = match commit::meant(context, &commit).await {
        // It may be unknown only because it was not read yet, or cannot be.
        Err(RequestError::Short(digits)) => match tokio::time::timeout(LOOK, control.look()).await {
            Ok(Err(why)) => {
                return Err(RequestError::NoneComes(digits, RequestError::Unreadable(why).to_string()));
            }
            _ => commit::meant(context, &commit).await?,
        },
        meant => meant?,
    };
    let judged = tokio::select! {
        biased;
        Err(_) = control.look() => control.judged(&commit, KNOWN).await?,
        judged = control.judged(&commit, PATIENCE) => judged?,
    };
    let shown = || commit.escape_default().take(80).collect();
    let judged = match judged {
        CommitOutcome::Row(row) => *row,
        CommitOutcome::Overtaken(newer) => return Err(RequestError::Overtaken(shown(), newer)),
        CommitOutcome::Skipped(newer) => return Err(RequestError::Skipped(shown(), newer)),
        CommitOutcome::Past(status, in_force) => return Err(past(shown(), status, in_force)),
        CommitOutcome::NotCome(None) => return Err(RequestError::NotJudged(shown())),
        CommitOutcome::NotCome(Some(why)) => return Err(RequestError::NoneComes(shown(), why)),
    };
    let shown = errors_of(context, &judged);
    Ok(Answer::Judged(Box::new(verdict::of(context, judged, shown).await?)))
}

/// The refusal for a commit that was judged earlier and is not the newest one: it tells what became of it.
fn past(commit: String, status: CommitStatus, in_force: Option<CommitId>) -> RequestError {
    let was = match status {
        CommitStatus::Good => "was in force before",
        CommitStatus::Broken => "was broken when it arrived",
    };
    let now = in_force.map_or_else(
        || "no commit is in force now".to_owned(),
        |now| format!("commit {now} is in force now"),
    );
    RequestError::Past(commit, was, now)
}

/// The errors and warnings of a commit with the lines that they are about, for a terminal.
fn errors_of(context: &AdminContext, judged: &CommitRow) -> String {
    let snapshot = context.control.snapshot(&judged.id);
    let excerpts = snapshot.map(|snapshot| Excerpts::new(&snapshot, None));
    let line = |origin: &Origin| excerpts.as_ref()?.line(origin);
    judged
        .diagnostics
        .iter()
        .map(|problem| diagnose::text(problem, &line, Colour::Plain) + "\n\n")
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// Tells open pages that a node has changed.
fn changed(context: &AdminContext, node: NodeRow) -> NodeRow {
    let (certname, tenancy) = (node.certname.clone(), node.tenancy.clone());
    context.control.tell(StateChange::NodeChanged { certname, tenancy });
    node
}

async fn invite(
    context: &AdminContext,
    certname: Certname,
    present: OnConflict,
    lifetime: u64,
    by: &str,
) -> Result<Answer, RequestError> {
    let tenancy = context.control.in_force().and_then(|in_force| in_force.tenancy(&certname));
    let Some(tenancy) = tenancy else { return Err(nodes::not_in_inventory(context, certname)) };
    let lifetime = Duration::from_secs(lifetime.clamp(1, 24 * 3600));
    let before = context.store.node(certname.clone()).await?;
    let Invitation { node, join, expires_at } =
        context.identity.invite(certname.clone(), tenancy, present, lifetime, by).await?;
    if let Some(before) = before.filter(|before| before.id != node.id) {
        context.control.forget(before.id);
    }
    let node = changed(context, node);
    let members = nodes::members(context).await?;
    let member = members.iter().find(|member| member.certname == certname);
    let view = member.map(nodes::view).ok_or(NodeError::Unknown(node.certname))?;
    Ok(Answer::Invited { node: Box::new(view), join: join.to_string(), expires_at })
}

/// Announces that a node was revoked or removed. If the name is unknown, the error suggests similar names.
async fn known(
    context: &AdminContext,
    certname: Certname,
    ended: Result<NodeRow, NodeError>,
) -> Result<NodeRow, RequestError> {
    match ended {
        Ok(node) => Ok(changed(context, node)),
        Err(NodeError::Unknown(_)) if nodes::is_in_inventory(context, &certname) => {
            Err(RequestError::NotAdded(certname))
        }
        Err(NodeError::Unknown(_)) => Err(nodes::unknown(context, certname).await),
        Err(error) => Err(error.into()),
    }
}

async fn add_user(
    context: &AdminContext,
    name: String,
    role: UserRole,
    scope: UserScope,
    by: &str,
) -> Result<Answer, RequestError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_@".contains(&b);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        return Err(RequestError::UserName(name.escape_default().take(80).collect()));
    }
    if scope != UserScope::Everything {
        names::FleetNames::of(context, &nodes::members(context).await?).check_scope(&scope)?;
    }
    let entry = NewAuditEntry::new(Timestamp::now(), by, "user-added", &name);
    let user = context.store.add_user(name.clone(), role, scope, entry).await?;
    let user = user.ok_or(RequestError::UserThere(name))?;
    Ok(Answer::Link(link(context, &user, by).await?))
}

/// Makes a one-time login link for a user.
///
/// # Errors
/// Returns an error if the store fails.
pub async fn link(context: &AdminContext, user: &UserRow, by: &str) -> store::Result<LoginLink> {
    let secret = data_encoding::BASE64URL_NOPAD.encode(&token::random::<32>());
    let expires_at = Timestamp::now() + LINK_LIFETIME;
    let hash = Sha256::digest(secret.as_bytes()).into();
    let entry = NewAuditEntry::new(Timestamp::now(), by, "login-link-made", &user.name);
    context.store.add_login_link(user.id, hash, expires_at, entry).await?;
    Ok(LoginLink {
        user: user.name.clone(),
        url: format!("{}/login/{secret}", context.dashboard),
        expires_at,
    })
}
