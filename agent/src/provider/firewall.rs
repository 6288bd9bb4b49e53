//! `firewall`: the rules of all resources form one table of nftables, which is loaded in one transaction and kept in a
//! file. Below another root, only the file is managed.
//!
//! The kernel's table, the file and what is wanted are compared rule by rule; a rule is identified by its comment. What
//! belongs to no resource of the catalog (the beginning of a chain, rules of others) is reported by the first resource.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::resource::Firewall;

use super::text::whole_file::{self, FileText};
use super::{Applied, CatalogClaims, Error, Job, Left, Need, Provider, Reading, Taken, Writing, properties};
use crate::system::Liveness;

mod drift;
mod kernel;
mod name;
mod ruleset;
mod script;
mod statement;

use drift::{LiveRules, Off, drift};
use kernel::ScriptError;
use ruleset::Ruleset;
use script::{FILE, RulesetScript};

/// The provider of `firewall`.
pub struct FirewallRules;

/// What the machine has.
pub enum Seen {
    /// nftables is not installed.
    NoNft,
    /// The wanted rules cannot be loaded.
    Refused(ScriptError),
    /// What differs, by title.
    Compared(BTreeMap<String, Off>),
}

properties! {
    Rule => "rule",
}

impl Provider for FirewallRules {
    type Want = Firewall;
    type Seen = Seen;
    type Property = Property;

    const TAKEN: Taken = Taken::Together;

    fn observe(&self, all: &[&Firewall], reading: Reading<'_>) -> Result<Seen, Error> {
        let script = script(reading.named, all.iter().copied());
        let file = match whole_file::look(reading.machine, FILE)? {
            // A file that others may write is replaced.
            FileText::Text(_) if whole_file::not_own(reading.machine, FILE)?.is_some() => Some(String::new()),
            FileText::Text(text) => Some(text),
            FileText::Nothing | FileText::Other(_) => None,
        };
        if reading.machine.liveness() == Liveness::Directory {
            return Ok(Seen::Compared(drift(&script, file.as_deref(), None)));
        }
        if reading.machine.stat(Path::new(kernel::NFT))?.is_none() {
            return Ok(Seen::NoNft);
        }
        let wanted = match kernel::wanted(&script, reading)? {
            Ok(wanted) => wanted,
            Err(refusal) => return Ok(Seen::Refused(refusal)),
        };
        let is = kernel::table(reading)?;
        let live = LiveRules { before: before(&script, file.as_deref(), reading), wanted, is };
        Ok(Seen::Compared(drift(&script, file.as_deref(), Some(&live))))
    }

    fn plan(&self, want: &Firewall, seen: &Seen, _: Reading<'_>) -> Result<Plan, Error> {
        match seen {
            Seen::NoNft => Ok(Plan::pending(Need::path(kernel::NFT, format!("there is no {}", kernel::NFT)))),
            Seen::Refused(refusal) => Err(Error::Refused(refused(want, refusal))),
            Seen::Compared(all) => {
                Ok(Plan::of(all.get(&want.title).map(|off| change(want, off)).into_iter().collect()))
            }
        }
    }

    fn apply(&self, want: &Firewall, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let mut answers = self.apply_together(&[Job { want, changes }], writing);
        answers.pop().unwrap_or_else(|| Ok(Applied::default()))
    }

    fn apply_together(
        &self,
        jobs: &[Job<'_, Firewall, Property>],
        writing: Writing<'_>,
    ) -> Vec<Result<Applied, Error>> {
        let script = script(writing.named, jobs.iter().map(|job| job.want));
        let done = put_in_force(&script, writing).map_err(Arc::new);
        let answer = |_| match &done {
            Ok(()) => Ok(Applied::default()),
            Err(error) => Err(error.clone().into()),
        };
        jobs.iter().map(answer).collect()
    }

    fn names<'a>(&self, _: &'a Firewall) -> Vec<&'a str> {
        vec![FILE]
    }

    fn left<'a>(&self, want: &'a Firewall) -> Left<'a> {
        vec![("rule".into(), drift::shown(want).into())]
    }
}

/// The rules of the catalog, including the given ones.
fn script<'a>(named: &CatalogClaims<'a>, at_hand: impl Iterator<Item = &'a Firewall>) -> RulesetScript<'a> {
    RulesetScript::of(named.of_type::<Firewall>().chain(at_hand))
}

/// What the last run loaded, according to the file that it wrote; `None` if that equals what is wanted, or cannot be
/// loaded.
fn before(script: &RulesetScript<'_>, file: Option<&str>, reading: Reading<'_>) -> Option<Ruleset> {
    let file = file.filter(|text| *text != script.text)?;
    kernel::normal(file, reading).ok()
}

/// Loads the rules and writes the file. The kernel comes first, so what it refuses never ends up in the file.
fn put_in_force(script: &RulesetScript<'_>, writing: Writing<'_>) -> Result<(), Error> {
    if writing.machine.liveness() == Liveness::Live {
        kernel::load(script, writing)?;
    }
    whole_file::write(FILE, &script.text, writing)
}

fn change(want: &Firewall, off: &Off) -> Change {
    let should = drift::shown(want);
    let also = off.is_as_left.then(|| should.clone());
    let change = Change::new(Property::Rule, &off.is, should).also(also);
    off.note.iter().fold(change, |change, note| change.note(*note))
}

fn refused(want: &Firewall, refusal: &ScriptError) -> String {
    match &refusal.title {
        Some(title) if *title == want.title => format!("nftables refuses it: {}", refusal.said),
        Some(title) => format!(
            "the ruleset is loaded as a whole, and nftables refuses firewall[{title}]: {}",
            refusal.said
        ),
        None => format!("nftables refuses the ruleset: {}", refusal.said),
    }
}

#[cfg(test)]
mod tests;
