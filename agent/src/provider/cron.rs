//! `cron`: each job is a file in `/etc/cron.d`, written as a whole and read back for comparison.
//!
//! Anything else in such a file is noticed too: cron would run it. The same goes for an owner, a mode or a hard link
//! that makes cron refuse the file, for a user without an account or with an expired one, and for a missing daemon.

use std::borrow::Cow;
use std::path::Path;

use holdfast_catalog::resource::Cron;
use holdfast_catalog::resource::attribute::{Presence, Secret};

use super::text::edit::{PRIVATE, PUBLIC, Texts, put};
use super::{Applied, DisplayValue, Error, Left, Need, Provider, Reading, Writing, properties};
use crate::system::{FileKind, Inspect, Permissions, Stat};

mod accounts;
mod crontab;
mod daemon;
mod expiry;

use accounts::KnownUsers;
use crontab::Crontab;
use daemon::NoDaemon;
use expiry::Expiries;

/// What the machine has.
pub struct Seen {
    texts: Texts,
    users: KnownUsers,
    expiries: Expiries,
    /// Why nothing runs jobs.
    no_daemon: Option<NoDaemon>,
}

/// The provider of `cron`.
pub struct Jobs;

properties! {
    Ensure => "ensure",
    Command => "command",
    Environment => "environment",
    Schedule => "schedule",
    User => "user",
}

impl Provider for Jobs {
    type Want = Cron;
    type Seen = Seen;
    type Property = Property;

    fn observe(&self, all: &[&Cron], reading: Reading<'_>) -> Result<Seen, Error> {
        let files = all.iter().map(|want| want.title.path());
        let is_present = |want: &&Cron| want.ensure == Presence::Present;
        let is_file = |path: &&str| {
            let stat = reading.machine.lstat(Path::new(path));
            stat.is_ok_and(|stat| stat.is_some_and(|stat| stat.kind == FileKind::File))
        };
        Ok(Seen {
            texts: Texts::read(reading.machine, files.filter(is_file)),
            users: accounts::look(all, reading.machine)?,
            expiries: Expiries::look(all, reading.machine)?,
            no_daemon: if all.iter().any(is_present) { daemon::look(reading.machine)? } else { None },
        })
    }

    fn plan(&self, want: &Cron, seen: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        let stat = reading.machine.lstat(Path::new(want.title.path()))?;
        match (want.ensure, stat) {
            (Presence::Absent, None) => Ok(Plan::IN_SYNC),
            (Presence::Absent, Some(_)) => {
                Ok(Plan::of(vec![Change::new(Property::Ensure, Presence::Present, Presence::Absent)]))
            }
            (Presence::Present, stat) => match plan_present(want, stat, &seen.texts, reading.machine)? {
                pending @ Plan::Pending(_) => Ok(pending),
                plan => {
                    let no_daemon = seen.no_daemon.as_ref().and_then(|none| none.words(reading.named));
                    let need = match no_daemon {
                        Some(why) => Some(why.into()),
                        None => without_user(want, &seen.users, reading)?,
                    };
                    let expired = || seen.expiries.why(want).map(Need::from);
                    Ok(need.or_else(expired).map_or(plan, Plan::Pending))
                }
            },
        }
    }

    fn apply(&self, want: &Cron, _: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        match want.ensure {
            Presence::Absent => writing.machine.remove(Path::new(want.title.path()))?,
            Presence::Present => put(writing, want.title.path(), access(want), &crontab::text(want))?,
        }
        Ok(Applied::default())
    }

    fn names<'a>(&self, want: &'a Cron) -> Vec<&'a str> {
        match want.ensure {
            Presence::Present => vec![want.title.path()],
            Presence::Absent => Vec::new(),
        }
    }

    fn left<'a>(&self, want: &'a Cron) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        if want.ensure == Presence::Present {
            let plain = |text: Option<&'a str>| Cow::Borrowed(text.unwrap_or_default());
            left.push(("command".into(), plain(want.command.as_deref())));
            left.push(("user".into(), want.runs_as().into()));
            left.push(("schedule".into(), plain(want.schedule.as_ref().map(|schedule| schedule.as_str()))));
            left.push(("environment".into(), environment(want).into()));
        }
        left
    }
}

/// The problem if the user of a job has no account: cron then ignores the whole file, and mentions that only in its
/// log.
fn without_user(want: &Cron, users: &KnownUsers, reading: Reading<'_>) -> Result<Option<Need>, Error> {
    const CURE: &str = "; manage it too, or name another";
    let user = want.runs_as();
    match users.get(user) {
        None | Some(Ok(true)) => Ok(None),
        Some(Err(why)) => {
            Err(Error::Unexpected(format!("cannot tell whether the user `{user}` exists: {why}")))
        }
        Some(Ok(false)) => {
            let cure = reading.named.unless_has_user(user, CURE);
            let why =
                format!("the user `{user}` does not exist, and cron ignores the jobs of such a file{cure}");
            Ok(Some(Need::account(user, why)))
        }
    }
}

fn plan_present(
    want: &Cron,
    stat: Option<Stat>,
    texts: &Texts,
    machine: &dyn Inspect,
) -> Result<Plan, Error> {
    let path = want.title.path();
    let ensure = |is: String| Change::new(Property::Ensure, is, Presence::Present);
    let Some(stat) = stat else {
        let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
        return Ok(match machine.stat(folder)? {
            Some(_) => Plan::of(vec![ensure(Presence::Absent.to_string())]),
            None => Plan::pending(Need::path(
                folder,
                format!("there is no {}: install a cron, such as the package `cron`", folder.display()),
            )),
        });
    };
    match stat.kind {
        FileKind::File => {}
        FileKind::Directory => {
            return Err(Error::Conflict(format!("{path} is a directory; remove it, or rename the job")));
        }
        FileKind::Symlink | FileKind::Other => {
            return Ok(Plan::of(vec![ensure("not a regular file".to_owned())]));
        }
    }
    let text = texts.get(path)?.unwrap_or_default();
    let same = text == crontab::text(want);
    let mut changes = Vec::new();
    // A job changes between the modes for jobs with and without secrets by itself, together with its text.
    let is_own_mode =
        stat.mode == access(want).mode || (!same && [PUBLIC.mode, PRIVATE.mode].contains(&stat.mode));
    if stat.links > 1 {
        changes.push(ensure(format!("present, with {} hard links, so cron ignores it", stat.links)));
    }
    if stat.uid != 0 || !is_own_mode {
        changes.push(ensure(format!("present, with user id {} and mode {:04o}", stat.uid, stat.mode)));
    }
    if !same {
        changes.extend(differences(want, &Crontab::parse(text), stat.mode != PUBLIC.mode));
    }
    Ok(Plan::of(changes))
}

/// The differences in a file's text. If others cannot read the file, its variables are not shown.
fn differences(want: &Cron, is: &Crontab<'_>, private: bool) -> Vec<Change> {
    let command = want.command.as_deref().unwrap_or_default();
    let mut changes = Vec::new();
    let mut text = |property: Property, is: &str, should: &str| {
        changes.extend((is != should).then(|| Change::new(property, is, should)));
    };
    text(Property::Command, &is.command(), command);
    if let [job] = &is.jobs[..] {
        text(Property::User, job.user, want.runs_as());
        text(
            Property::Schedule,
            &job.schedule,
            want.schedule.as_ref().map_or("", |schedule| schedule.as_str()),
        );
    }
    let variables = environment(want);
    if is.environment() != variables {
        let shown = |masked: bool, text: String| {
            if masked { DisplayValue::Masked } else { DisplayValue::Plain(text) }
        };
        let secret = is_secret(want);
        let is = shown(secret || private, is.environment());
        changes.push(Change { is, ..Change::new(Property::Environment, "", shown(secret, variables)) });
    }
    if changes.is_empty() {
        changes.push(Change::new(Property::Command, format!("{command} (among other lines)"), command));
    }
    changes
}

/// The variables as a text, in the order of their names.
fn environment(want: &Cron) -> String {
    let all = want.environment.iter().map(|(name, value)| format!("{name}={}", value.expose()));
    all.collect::<Vec<_>>().join(", ")
}

fn is_secret(want: &Cron) -> bool {
    want.environment.values().any(Secret::is_sensitive)
}

fn access(want: &Cron) -> Permissions {
    if is_secret(want) { PRIVATE } else { PUBLIC }
}

#[cfg(test)]
mod tests;
