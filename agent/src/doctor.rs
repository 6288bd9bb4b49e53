//! What keeps an agent from working, and what to do about it. Each part is examined on its own.

use holdfast_catalog::count::counted;
use holdfast_catalog::wire::{CatalogAnswer, CatalogRequest, path};
use serde::Serialize;

use crate::cache::Cache;
use crate::clock::now;
use crate::config::Installation;
use crate::identity::enroll::is_over_by;
use crate::identity::{self, Identity};
use crate::service::Service;
use crate::spool::Spool;
use crate::state::{LockKind, StateDir};
use crate::{facts, fetch, run};

mod left; // processes that the kernel holds

/// Less free space than this for state is reported.
const LOW_SPACE_MB: u64 = 64;

/// How well a part works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Good,
    /// It works, but needs attention.
    Doubtful,
    /// It does not work.
    Bad,
}

/// What was found of a part.
#[derive(Debug, Serialize)]
pub struct Finding {
    pub part: &'static str,
    pub health: Health,
    /// What was found, and what to do about it.
    pub words: String,
}

type Judged = Result<(Health, String), String>;

/// Examines every part. A part that depends on a bad one is left out.
pub fn examine(place: &Installation) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |part, judged: Judged| {
        let (health, words) = judged.unwrap_or_else(|words| (Health::Bad, words));
        findings.push(Finding { part, health, words });
    };
    note("facts", facts_of(place));
    let state = match StateDir::look(&place.state_dir) {
        Ok(state) if state.is_there() => state,
        // Looking creates nothing.
        Ok(state) => {
            note("state", Ok((Health::Doubtful, missing(&state))));
            note("daemon", daemon(&state, place));
            note("identity", Err(identity::Error::NotEnrolled.to_string()));
            return findings;
        }
        Err(error) => {
            note("state", Err(error.to_string()));
            return findings;
        }
    };
    note("state", writable(&state).and_then(|()| space(&state)));
    state.oddities().into_iter().for_each(|odd| note("state", Ok((Health::Doubtful, odd))));
    note("daemon", daemon(&state, place));
    note("run", running(&state));
    left_of_runs(&state).into_iter().for_each(|left| note("run", Ok((Health::Doubtful, left))));
    note("last run", last_run(&state));
    note("memory", memory(&state));
    let identity = Identity::load(&state);
    let answer = identity.as_ref().ok().map(|identity| ask(place, identity));
    note("reports", reports(&state, answer.as_ref()));
    let (identity, answer) = match (identity, answer) {
        (Ok(identity), Some(answer)) => (identity, answer),
        (identity, _) => {
            note("identity", Err(identity.err().map(|error| error.to_string()).unwrap_or_default()));
            return findings;
        }
    };
    note("identity", certificate(&identity));
    run::owner_fault(&state, &identity)
        .into_iter()
        .for_each(|odd| note("state", Ok((Health::Doubtful, odd))));
    note("cache", cache(&state, &identity, &answer));
    note("server", server(answer));
    findings
}

fn facts_of(place: &Installation) -> Judged {
    let found = facts::stable(&place.root).map_err(|error| error.to_string())?;
    Ok(match found.warnings.is_empty() {
        true => (Health::Good, "can be read".to_owned()),
        false => (Health::Doubtful, found.warnings.join("; ")),
    })
}

fn missing(state: &StateDir) -> String {
    format!("{} is not there; `holdfast-agent enroll` makes it", state.path().display())
}

fn space(state: &StateDir) -> Judged {
    let path = state.path();
    let space = rustix::fs::statvfs(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let free = (space.f_bavail * space.f_frsize) >> 20;
    let words = format!("{} is private and has {free} MB free", path.display());
    Ok((if free < LOW_SPACE_MB { Health::Doubtful } else { Health::Good }, words))
}

/// Tests whether state can be written, by writing: that is the only way to find a disk that is full, read-only or over
/// its quota.
fn writable(state: &StateDir) -> Result<(), String> {
    const TRIAL: &str = "doctor";
    let written =
        state.replace(TRIAL, b"written to see whether that works\n").and_then(|()| state.remove(TRIAL));
    written.map_err(|error| format!("cannot record what a run leaves: {error}"))
}

/// Examines the daemon. If a unit is installed, runs are expected to start by themselves.
fn daemon(state: &StateDir, place: &Installation) -> Judged {
    let service = Service::look(state, &place.root);
    match (service.trouble(), service.daemon, service.starts_at_boot) {
        (Some(trouble), None, Some(_)) => Err(trouble),
        (Some(trouble), _, _) => Ok((Health::Doubtful, trouble)),
        (None, daemon, _) => Ok((Health::Good, format!("runs: {}", daemon.unwrap_or_default()))),
    }
}

fn running(state: &StateDir) -> Judged {
    let words = match state.holder(LockKind::Run) {
        Some(holder) => format!("in progress: {holder}"),
        None => "no run in progress".to_owned(),
    };
    Ok((Health::Good, words))
}

/// What is left of earlier runs in the kernel. A run in progress may be waiting for a disk that is only slow.
fn left_of_runs(state: &StateDir) -> Option<String> {
    if state.holder(LockKind::Run).is_some() {
        return None;
    }
    let held = left::held();
    (!held.is_empty()).then(|| {
        format!(
            "the kernel holds {}, and not even SIGKILL ends that: look at the file system or disk that does not answer, or \
             unmount it with `umount --lazy`",
            held.join(", ")
        )
    })
}

fn last_run(state: &StateDir) -> Judged {
    Ok(match (run::last_status(state), run::unended(state)) {
        (Err(error), _) => (Health::Doubtful, error.for_people_here()),
        (Ok(_), Some(unended)) if state.holder(LockKind::Run).is_none() => {
            (Health::Doubtful, format!("{}; the next one says so", unended.words("the last one")))
        }
        (Ok(None), _) => (Health::Good, "no run has ended yet".to_owned()),
        (Ok(Some(last)), _) => (Health::Good, format!("began at {:.0}", last.started)),
    })
}

/// Examines what runs leave for each other.
fn memory(state: &StateDir) -> Judged {
    let faults = run::memory_faults(state);
    Ok(match faults.is_empty() {
        true => (Health::Good, "can be read".to_owned()),
        false => (Health::Doubtful, format!("{}: the next run sets it aside and says so", faults.join("; "))),
    })
}

fn reports(state: &StateDir, answer: Option<&PollAnswer>) -> Judged {
    let look = |spool: Spool| Ok((spool.waiting()?, spool.aside()?));
    let (waiting, aside) = Spool::open(state).and_then(look).map_err(|error| error.to_string())?;
    let waits = match waiting {
        0 => None,
        n if matches!(answer, Some(PollAnswer::NoNode(_))) => Some(format!(
            "{n} waiting, and the server does not accept reports from this machine: {}",
            Spool::UNTIL_ENROLLED
        )),
        n => Some(format!("{n} waiting for the server; the next run that reaches it delivers them")),
    };
    let words: Vec<_> = waits.into_iter().chain(aside.words()).collect();
    Ok(match words.is_empty() {
        true => (Health::Good, "none waiting".to_owned()),
        false => (Health::Doubtful, words.join("; ")),
    })
}

fn certificate(identity: &Identity) -> Judged {
    let validity = identity.current.validity()?;
    let left = validity.left(now());
    if validity.from > now() {
        return Err(format!(
            "the certificate of {} is valid from {}, but this machine's clock shows {:.0}: this clock is behind, or \
             the server's clock was ahead when it made the certificate; run `date -u` on both",
            identity.certname,
            validity.from,
            now()
        ));
    }
    if !left.is_positive() {
        return Err(format!(
            "the certificate of {} expired {} h ago; the next run renews it if it expired less than 30 days ago, and \
             this machine's clock is right. Otherwise run `holdfast node move {}` on the server, and enroll this \
             machine again",
            identity.certname,
            -left.as_hours(),
            identity.certname,
        ));
    }
    let overdue = identity.renewal().is_ok_and(|renewal| renewal < now());
    let words = format!("{}, certificate valid for {} h", identity.certname, left.as_hours());
    Ok(match overdue {
        true => {
            (Health::Doubtful, format!("{words}; its renewal is due at the next run that reaches the server"))
        }
        false => (Health::Good, words),
    })
}

fn cache(state: &StateDir, identity: &Identity, answer: &PollAnswer) -> Judged {
    let loaded = Cache::open(state).and_then(|cache| cache.look(&identity.certname));
    Ok(match loaded.map_err(|error| error.to_string())? {
        None => {
            let next = match answer {
                PollAnswer::Given => "the next run gets one",
                PollAnswer::Refused(_) | PollAnswer::NoNode(_) => "the server does not give one, see below",
                PollAnswer::Nothing(_) => "the next run that reaches the server asks for one",
            };
            (Health::Doubtful, format!("no catalog yet; {next}"))
        }
        Some(cached) => (
            Health::Good,
            format!(
                "{}, confirmed at {:.0}",
                counted(cached.catalog.resources.len(), "resource", "resources"),
                cached.confirmed
            ),
        ),
    })
}

/// How a server answers a poll.
enum PollAnswer {
    /// It has a catalog for this machine, or asks for facts to make one.
    Given,
    /// It refuses to give one, for this reason.
    Refused(String),
    /// This machine is no longer one of its nodes.
    NoNode(String),
    /// It was not reached, or not asked.
    Nothing(String),
}

/// Polls the server without facts. An answer of any kind shows that name, TLS, certificate and clock are right.
fn ask(place: &Installation, identity: &Identity) -> PollAnswer {
    let asked = || -> Result<Result<CatalogAnswer, fetch::Error>, String> {
        let client = identity.client(place.config.server.as_deref()).map_err(|error| error.to_string())?;
        let network = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let network = network.map_err(|error| error.to_string())?;
        let request = CatalogRequest {
            facts_hash: facts::stable(&place.root).map_err(|error| error.to_string())?.facts.hash(),
            facts: None,
            have: None,
            agent: crate::VERSION.to_owned(),
        };
        Ok(network.block_on(client.post::<CatalogAnswer>(path::CATALOG, &request)))
    };
    match asked() {
        Ok(Ok(_)) => PollAnswer::Given,
        Ok(Err(error)) => match &error {
            fetch::Error::Refused { refusal, .. } if is_over_by(refusal) => {
                PollAnswer::NoNode(error.to_string())
            }
            fetch::Error::Refused { .. } => PollAnswer::Refused(error.to_string()),
            _ => PollAnswer::Nothing(error.to_string()),
        },
        Err(why) => PollAnswer::Nothing(why),
    }
}

fn server(answer: PollAnswer) -> Judged {
    match answer {
        PollAnswer::Given => Ok((Health::Good, "answers, and accepts this node's certificate".to_owned())),
        PollAnswer::Refused(why) | PollAnswer::NoNode(why) | PollAnswer::Nothing(why) => Err(why),
    }
}
