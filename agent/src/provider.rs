//! Providers: one file or folder for each resource type; `registry` says which provides which. What several types share
//! is in modules beside them: `text`, `database`, `claimed`.
//!
//! A provider answers four questions and no others: what is there ([`Provider::observe`]), what would correct it
//! ([`Provider::plan`]), correct it ([`Provider::apply`]), and what a notification means ([`Provider::refresh`]).
//! Policy, events, redaction, timing, order and failure belong to [`crate::enforce`].

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::resource::TypedResource;
use holdfast_catalog::resource::claim::Claim;

use crate::content::ContentSource;
use crate::system::{self, Inspect, Invocation, Output, System};

mod alternatives;
mod apt;
mod apt_key;
mod apt_pin;
mod apt_repository;
mod archive;
mod authorized_key;
mod change;
mod claimed;
#[cfg(test)]
mod contract;
mod cron;
mod database;
mod deployment;
mod erased;
mod error;
mod exec;
mod file;
mod file_line;
mod firewall;
mod fragment;
mod git_checkout;
mod group;
mod host;
mod hostname;
mod ini_setting;
mod kept;
mod kept_out;
mod kernel_module;
mod locale;
mod mount;
mod mysql;
mod need;
mod notify;
mod package;
mod postgresql;
mod property;
mod registry;
mod service;
mod sysctl;
mod systemd_unit;
pub mod text;
mod tidy;
mod timezone;
#[cfg(test)]
pub(crate) mod trial;
mod unit_path;
mod user;

pub use change::{Change, ChangeKind, DisplayValue, Former};
pub use claimed::{CatalogClaims, Spared};
pub(crate) use claimed::{DeclaredLinks, PathAliases, inside, split};
pub use erased::{AnyProvider, AnySeen};
pub use error::Error;
pub(crate) use kept::let_go;
pub use need::{Need, Needed};
pub use property::Property;
use property::properties;
pub use registry::provider_of;

/// Removes unencrypted copies of what resources now call secret.
///
/// # Errors
/// Fails if a part of it is still there.
pub(crate) fn forget_secrets(all: &[TypedResource], state_dir: &Path) -> system::Result<()> {
    let files = all.iter().filter_map(|typed| match typed {
        TypedResource::File(file) => Some(file),
        _ => None,
    });
    file::forget_secrets(files, state_dir)
}

/// What planning may use: nothing in it can write.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    pub machine: &'a dyn Inspect,
    /// File contents by hash.
    pub content: &'a dyn ContentSource,
    /// What the resources of the catalog name.
    pub named: &'a CatalogClaims<'a>,
    /// The agent's state directory on this machine, never below another root.
    pub state_dir: &'a Path,
}

/// What applying may use.
#[derive(Clone, Copy)]
pub struct Writing<'a> {
    pub machine: &'a dyn System,
    /// File contents by hash.
    pub content: &'a dyn ContentSource,
    /// What the resources of the catalog name.
    pub named: &'a CatalogClaims<'a>,
    /// The agent's state directory on this machine, never below another root; it contains the backups.
    pub state_dir: &'a Path,
    /// Paths where an earlier catalog put a secret that the machine may still have.
    pub once_secret: &'a BTreeSet<String>,
}

impl<'a> Writing<'a> {
    /// What reading may use, for a provider that looks again while applying.
    pub fn reading(self) -> Reading<'a> {
        let Self { machine, content, named, state_dir, .. } = self;
        Reading { machine, content, named, state_dir }
    }

    /// Runs a command that must succeed.
    ///
    /// # Errors
    /// Fails if it cannot be run or exits with a failure; the error has the last lines of its output.
    pub fn run(&self, command: &Invocation) -> Result<Output, Error> {
        let output = self.machine.run(command)?;
        if output.succeeded() {
            Ok(output)
        } else {
            Err(Error::command(command, &output).explained(self.machine))
        }
    }
}

impl Reading<'_> {
    /// Runs a command that only reads and must succeed.
    ///
    /// # Errors
    /// Fails if it cannot be run or exits with a failure; the error has the last lines of its output.
    pub fn probe(&self, command: &Invocation) -> Result<Output, Error> {
        let output = self.machine.probe(command)?;
        if output.succeeded() { Ok(output) } else { Err(Error::command(command, &output)) }
    }
}

/// Runs a command that only reads, and whose exit code is part of its answer.
///
/// # Errors
/// Fails if it cannot be run, or was killed before it had answered: that is not an answer, and does not mean `no`.
fn answer(machine: &dyn Inspect, command: &Invocation) -> Result<Output, Error> {
    let output = machine.probe(command)?;
    match output.exit {
        system::Exit::Code(_) => Ok(output),
        system::Exit::Signal(_)
        | system::Exit::TimedOut(_)
        | system::Exit::Stopped(_)
        | system::Exit::Held(_) => Err(Error::command(command, &output)),
    }
}

/// What would correct a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan<P = Cow<'static, str>> {
    /// Nothing to change, but perhaps something to report ([`ChangeKind::Note`]).
    InSync(Vec<Change<P>>),
    Changes(Vec<Change<P>>),
    /// Unknown for now, for this reason: something it needs is missing. If nothing before the resource will bring it,
    /// that is a failure.
    Pending(Need),
    /// It cannot be done here: what is missing, and what would provide it. Below a root other than `/` the resource is
    /// not applicable; on a machine it fails.
    NotApplicable(String),
}

impl<P> Plan<P> {
    /// In sync, with nothing to report.
    pub const IN_SYNC: Self = Self::InSync(Vec::new());

    /// It cannot be known yet, for this.
    pub fn pending(need: impl Into<Need>) -> Self {
        Self::Pending(need.into())
    }

    /// The plan of these changes: in sync if none of them is to be made.
    pub fn of(changes: Vec<Change<P>>) -> Self {
        let to_do = changes.iter().any(|change| change.kind != ChangeKind::Note);
        if to_do { Self::Changes(changes) } else { Self::InSync(changes) }
    }
}

/// The result of applying changes: all were made, except for these.
#[derive(Debug, Default)]
pub struct Applied {
    /// Changes that failed, by index, and why.
    pub failed: Vec<(usize, Error)>,
    /// Further remarks on changes, by index.
    pub said: Vec<(usize, String)>,
}

/// A resource of a batch, and what would correct it.
#[derive(Debug)]
pub struct Job<'a, W, P> {
    pub want: &'a W,
    /// The changes that were planned just now.
    pub changes: &'a [Change<P>],
}

/// How resources of a type are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Singly,
    /// As many as are ready at once: one transaction of the package manager.
    Together,
}

/// How resources of a type are planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// Several at a time.
    InParallel,
    /// One at a time: planning runs commands.
    OneByOne,
}

/// What a notification asks a resource to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    Reload,
    Refresh,
}

/// The result of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// It was acted on, in these words, such as `restarted`.
    Done(String),
    /// There was nothing to do, for this reason, such as `it was started in this run`.
    NotNeeded(String),
}

/// A claim under a name that only the machine knows: the unit that an alias stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    pub claim: Claim,
    /// Why the resource has this claim, for people.
    pub why: Arc<str>,
}

impl Alias {
    /// Several claims that a resource has for one reason.
    pub fn all(claims: impl IntoIterator<Item = Claim>, why: impl Into<Arc<str>>) -> Vec<Self> {
        let why = why.into();
        claims.into_iter().map(|claim| Self { claim, why: why.clone() }).collect()
    }
}

/// The values that a resource leaves, by property.
pub type Left<'a> = Vec<(Cow<'static, str>, Cow<'a, str>)>;

/// A resource type on this machine.
pub trait Provider: Sync {
    /// The type's attributes.
    type Want: Want;
    /// What [`Provider::observe`] returns.
    type Seen: Send + Sync + 'static;
    /// The properties that its plans contain.
    type Property: Property;

    /// How its resources are planned.
    const PLANNED: Planned = Planned::InParallel;
    /// How its resources are applied.
    const TAKEN: Taken = Taken::Singly;
    /// Whether a resource acts at most once in a run, even if it still differs after that: a command is not run twice.
    const ACTS_ONCE: bool = false;

    /// Whether its resources are looked at before all others. Such a type waits for what others depend on.
    const FIRST: bool = false;

    /// Whether it runs programs that may change anything: an operator's command, a package's script, a service.
    const ACTS_ANYWHERE: bool = false;

    /// Reads what the machine has, once for all resources of the type. It is called again before correcting if
    /// something has changed since, then with only the resources concerned.
    ///
    /// # Errors
    /// An error fails all of them; what is wrong with one resource is left to [`Provider::plan`].
    fn observe(&self, all: &[&Self::Want], reading: Reading<'_>) -> Result<Self::Seen, Error>;

    /// Compares one resource with the machine. It cannot write, and must not run a command that writes.
    ///
    /// # Errors
    /// Fails if something cannot be read.
    fn plan(
        &self,
        want: &Self::Want,
        seen: &Self::Seen,
        reading: Reading<'_>,
    ) -> Result<Plan<Self::Property>, Error>;

    /// Makes the changes that were planned just now. Returns only when they are durable, or will be after
    /// [`System::settle`].
    ///
    /// # Errors
    /// Fails if nothing could be done. If only some changes failed, they are in [`Applied::failed`].
    fn apply(
        &self,
        want: &Self::Want,
        changes: &[Change<Self::Property>],
        writing: Writing<'_>,
    ) -> Result<Applied, Error>;

    /// Makes the changes of several resources; only called if [`Provider::TAKEN`] is [`Taken::Together`]. Returns one
    /// result for each, in their order.
    fn apply_together(
        &self,
        jobs: &[Job<'_, Self::Want, Self::Property>],
        writing: Writing<'_>,
    ) -> Vec<Result<Applied, Error>> {
        jobs.iter().map(|job| self.apply(job.want, job.changes, writing)).collect()
    }

    /// Acts on a notification, after the resource's own turn, which made the changes `corrected` (empty if it was in
    /// sync).
    ///
    /// # Errors
    /// Fails if it cannot be acted on; it stays owed and is tried in the next run.
    fn refresh(
        &self,
        _want: &Self::Want,
        _notice: Notice,
        _corrected: &[Change<Self::Property>],
        _writing: Writing<'_>,
    ) -> Result<Refreshed, Error> {
        Ok(Refreshed::NotNeeded("this type ignores notifications".to_owned()))
    }

    /// The current value of a resource that follows a moving target, such as the version of a package whose newest one
    /// is wanted.
    fn stands_at(&self, _want: &Self::Want, _seen: &Self::Seen) -> Option<(Self::Property, String)> {
        None
    }

    /// The files that the resource writes, in whole or in part.
    fn names<'a>(&self, _want: &'a Self::Want) -> Vec<&'a str> {
        Vec::new()
    }

    /// Claims of the resource under names that only the machine knows, beside those of its type. Links on the way to a
    /// path are handled elsewhere.
    fn aliases(&self, _want: &Self::Want, _seen: &Self::Seen, _reading: Reading<'_>) -> Vec<Alias> {
        Vec::new()
    }

    /// The values of the resource's properties once it is in sync, each as [`Change::is`] or one of [`Change::also`]
    /// would show it. From them the next run knows whether someone changed what this run left. Secrets are included:
    /// only a keyed fingerprint is kept.
    fn left<'a>(&self, want: &'a Self::Want) -> Left<'a>;
}

/// The attributes of one type, taken from the enum of all types.
pub trait Want: Sync + Sized + 'static {
    /// The attributes, if they are of this type.
    fn of(typed: &TypedResource) -> Option<&Self>;
}
