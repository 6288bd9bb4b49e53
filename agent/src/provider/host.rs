//! `host`: names in `/etc/hosts`, one line each. Every other line stays as it is, and so do comments.
//!
//! Other names that share a line with one that moves or is removed keep their address, unless they are its `aliases`.
//!
//! A name with two addresses of one family means whichever comes first, so a name is left with one address of each
//! family. Two lines that give it the same address do not conflict.

use std::borrow::Cow;

use holdfast_catalog::resource::Host;
use holdfast_catalog::resource::attribute::{HostName, Presence};

use super::text::edit::{PUBLIC, Texts, rewrite};
use super::{Applied, Error, Left, Provider, Reading, Writing, properties};

mod table;

use table::HostTable;

const PATH: &str = "/etc/hosts";

/// The provider of `host`.
pub struct Hosts;

properties! {
    Ensure => "ensure",
    Ip => "ip",
    Aliases => "aliases",
}

impl Provider for Hosts {
    type Want = Host;
    type Seen = Texts;
    type Property = Property;

    fn observe(&self, _: &[&Host], reading: Reading<'_>) -> Result<Texts, Error> {
        Ok(Texts::read(reading.machine, [PATH]))
    }

    fn plan(&self, want: &Host, texts: &Texts, reading: Reading<'_>) -> Result<Plan, Error> {
        let table = HostTable::parse(texts.get(PATH)?.unwrap_or_default());
        let Some(ip) = want.ip.filter(|_| want.ensure == Presence::Present) else {
            let title = want.title.as_str();
            let gone = table.has(title).then(|| {
                let fellows = table.fellows(title, None);
                let gone = Change::new(Property::Ensure, Presence::Present, Presence::Absent);
                kept(fellows.into_iter().filter(|name| !is_alias(want, name)), gone)
            });
            return Ok(Plan::of(gone.into_iter().collect()));
        };
        if let Some(other) = reading.named.of_type::<Host>().find(|other| takes_name(other, want)) {
            return Err(Error::Conflict(format!(
                "host[{}] has `{}` among its aliases: set its address in one place",
                other.title, want.title
            )));
        }
        let found = table.find(want.title.as_str(), ip.0);
        let Some(own) = found.own else {
            let is =
                found.addresses.first().map_or(Cow::from("absent"), |ip| format!("an alias, of {ip}").into());
            return Ok(Plan::of(vec![Change::new(Property::Ensure, is, Presence::Present)]));
        };
        let mut changes = Vec::new();
        if found.addresses != [ip.0] {
            let is: Vec<_> = found.addresses.iter().map(ToString::to_string).collect();
            let fellows = table.fellows(want.title.as_str(), Some(ip.0));
            let stay = fellows.into_iter().filter(|_| want.aliases.is_none());
            changes.push(kept(stay, Change::new(Property::Ip, is.join(", "), ip)));
        }
        if let Some(aliases) = &want.aliases {
            let (is, should) = (sorted(own), names(aliases));
            changes.extend((is != should).then(|| Change::new(Property::Aliases, is, should)));
        }
        Ok(Plan::of(changes))
    }

    fn apply(&self, want: &Host, _: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        rewrite(writing, PATH, PUBLIC, |text| match (want.ensure, want.ip) {
            (Presence::Present, Some(ip)) => {
                let aliases = want.aliases.as_ref();
                let aliases = aliases.map(|names| names.iter().map(HostName::as_str).collect());
                table::with(text, want.title.as_str(), ip.0, aliases)
            }
            _ => {
                let aliases: Vec<_> = want.aliases.iter().flatten().map(HostName::as_str).collect();
                table::without(text, want.title.as_str(), &aliases)
            }
        })?;
        Ok(Applied::default())
    }

    fn names<'a>(&self, _: &'a Host) -> Vec<&'a str> {
        vec![PATH]
    }

    fn left<'a>(&self, want: &'a Host) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        if want.ensure == Presence::Present {
            left.extend(want.ip.map(|ip| ("ip".into(), ip.to_string().into())));
            left.extend(want.aliases.as_ref().map(|aliases| ("aliases".into(), names(aliases).into())));
        }
        left
    }
}

/// Whether another resource gives this one's name to its own line.
fn takes_name(other: &Host, want: &Host) -> bool {
    let same_family = |(a, b): (_, _)| table::same_family(a, b);
    let ips = other.ip.zip(want.ip).map(|(a, b)| (a.0, b.0));
    other.ensure == Presence::Present
        && ips.is_some_and(same_family)
        && other
            .aliases
            .iter()
            .flatten()
            .any(|alias| alias.as_str().eq_ignore_ascii_case(want.title.as_str()))
}

fn is_alias(want: &Host, name: &str) -> bool {
    want.aliases.iter().flatten().any(|alias| alias.as_str().eq_ignore_ascii_case(name))
}

/// Notes which names keep their address although they shared the line.
fn kept<'a>(names: impl Iterator<Item = &'a str>, change: Change) -> Change {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    let note =
        (!names.is_empty()).then(|| format!("{} on the same line keep their address", names.join(", ")));
    note.into_iter().fold(change, Change::note)
}

fn names(aliases: &[HostName]) -> String {
    sorted(aliases.iter().map(HostName::as_str))
}

/// The names, sorted: the order of aliases has no meaning.
fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = Vec::from_iter(names);
    names.sort_unstable();
    names.join(" ")
}

#[cfg(test)]
mod tests;
