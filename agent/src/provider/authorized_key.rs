//! `authorized_key`: lines in users' `authorized_keys`, compared by the key material.
//!
//! Home directories belong to users, who may be hostile. Their links are followed only to what belongs to them anyway,
//! and whatever they write into their file neither breaks it for others nor is lost.

use std::collections::HashMap;
use std::sync::Arc;

use holdfast_catalog::resource::AuthorizedKey;
use holdfast_catalog::resource::attribute::Presence;

use super::{
    Applied, CatalogClaims, ChangeKind, Error, Former, Left, Need, Provider, Reading, Writing, properties,
};
use crate::system::Accounts;
use crate::system::accounts::Account;

mod gone;
mod lines;
mod place;
mod sshd;

use gone::FilesOfUsers;
pub(super) use gone::{purge, strays};
use lines::{KeyLine, fingerprint};
use place::KeysFile;
pub(super) use sshd::KeySources;
use sshd::{OtherFiles, ReadFile};

/// The default setting of sshd ignores files that others could have written; it may be configured otherwise.
const REFUSES: &str = "sshd refuses it, unless its StrictModes is off";

/// The provider of `authorized_key`.
pub struct AuthorizedKeys;

/// The accounts, and the texts of their files by path, or why one could not be read.
pub struct Seen {
    accounts: Arc<Accounts>,
    texts: HashMap<String, Result<Vec<u8>, Arc<Error>>>,
    /// What sshd reads instead, by user and key file.
    others: OtherFiles,
    /// Where keys may be that are to be gone.
    gone: FilesOfUsers,
}

properties! {
    Ensure => "ensure",
    Type => "type",
    Key => "key",
    Options => "options",
}

impl Provider for AuthorizedKeys {
    type Want = AuthorizedKey;
    type Seen = Seen;
    type Property = Property;

    fn observe(&self, all: &[&AuthorizedKey], reading: Reading<'_>) -> Result<Seen, Error> {
        let accounts = reading.machine.accounts()?;
        let mut texts = HashMap::new();
        let gone = gone::look(all, &accounts, reading.machine)?;
        let places = all.iter().filter_map(|want| KeysFile::of(want, &accounts));
        for place in places.chain(gone.values().flatten().map(|file| file.place.clone())) {
            texts.entry(place.file.clone()).or_insert_with(|| place.read(reading.machine).map_err(Arc::new));
        }
        let others = sshd::look(all, &accounts, reading.machine)?;
        Ok(Seen { accounts, texts, others, gone })
    }

    fn plan(&self, want: &AuthorizedKey, seen: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        if let Some(other) = reading.named.of_type::<AuthorizedKey>().find(|other| contradicts(other, want)) {
            return Err(Error::Conflict(format!(
                "authorized_key[{}] sets the same key of `{}` differently: declare it once",
                other.title, want.user
            )));
        }
        if want.ensure == Presence::Absent {
            return Ok(Plan::of(gone::differences(want, seen, reading.named)?));
        }
        let Some(place) = KeysFile::of(want, &seen.accounts) else {
            let why = format!("there is no user `{}`, or it has no home", want.user);
            return Ok(Plan::pending(Need::account(want.user.as_str(), why)));
        };
        let text = match seen.texts.get(&place.file) {
            Some(Ok(text)) => &**text,
            Some(Err(error)) => return Err(error.clone().into()),
            None => &[],
        };
        if let Some(missing) = place.missing(reading.machine)? {
            return Ok(Plan::Pending(missing));
        }
        let mut changes = differences(want, text, reading.named);
        if let Some(why) = place.refusal(reading.machine)? {
            changes.retain(|change| change.property != Property::Ensure);
            changes.insert(0, Change::new(Property::Ensure, format!("{REFUSES}: {why}"), Presence::Present));
        }
        if let Some(files) = seen.others.get(&(want.user.to_string(), place.file.clone())) {
            let words =
                format!("sshd does not read keys of `{}` from {}; it reads {files}", want.user, place.file);
            if want.target.is_none() && changes.is_empty() {
                return Err(Error::ByItself(format!(
                    "{words}: set `target` to that file, or change `AuthorizedKeysFile` of sshd_config"
                )));
            }
            let said = Change::new(Property::Ensure, Presence::Present, Presence::Present);
            changes.push(said.kind(ChangeKind::Note).note(words));
        }
        Ok(Plan::of(changes))
    }

    fn apply(&self, want: &AuthorizedKey, _: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let accounts = writing.machine.accounts()?;
        if want.ensure == Presence::Absent {
            gone::remove(want, &accounts, writing)?;
            return Ok(Applied::default());
        }
        let Some(place) = KeysFile::of(want, &accounts) else {
            let why = format!("there is no user `{}` any more", want.user);
            return Err(Error::missing(Need::account(want.user.as_str(), why)));
        };
        let others = others(want, writing.named);
        place.rewrite(writing, |text| lines::with(text, want, &others))?;
        if let Some(why) = place.home_refusal(writing.machine)? {
            let user = &want.user;
            return Err(Error::Refused(format!(
                "the key is there, but {REFUSES}: {why}, so others could have \
                 written it; give it to {user} or root, and remove the write permission of others (`chmod go-w`)"
            )));
        }
        Ok(Applied::default())
    }

    fn names<'a>(&self, want: &'a AuthorizedKey) -> Vec<&'a str> {
        let target = want.target.as_ref().filter(|_| want.ensure == Presence::Present);
        target.map(|target| target.as_str()).into_iter().collect()
    }

    fn left<'a>(&self, want: &'a AuthorizedKey) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        if want.ensure == Presence::Present {
            // Not compared. It distinguishes a key that a commit removed from this user from any other key.
            left.push(("user".into(), want.user.as_str().into()));
            left.push(("type".into(), want.key.key_type().to_string().into()));
            left.push(("key".into(), fingerprint(want.key.material().as_bytes()).into()));
            left.push(("options".into(), want.options_text().into()));
        }
        left
    }
}

/// Whether another resource wants the same key with another value.
fn contradicts(other: &AuthorizedKey, want: &AuthorizedKey) -> bool {
    (&other.user, &other.target, other.key.material()) == (&want.user, &want.target, want.key.material())
        && (other.ensure != want.ensure || other.options_text() != want.options_text())
}

/// The material of keys that other resources give to the same user.
fn others<'a>(want: &AuthorizedKey, named: &CatalogClaims<'a>) -> Vec<&'a str> {
    let all = named.of_type::<AuthorizedKey>();
    let others = all.filter(|other| other.user == want.user && other.ensure == Presence::Present);
    others.map(|other| other.key.material()).filter(|material| *material != want.key.material()).collect()
}

/// Material of keys that the catalog gives to a user in a file; in one that is for others too, to anyone.
fn given_to<'a>(user: &Account, file: &ReadFile, named: &CatalogClaims<'a>) -> Vec<&'a str> {
    let is_here = |key: &&AuthorizedKey| {
        (file.is_shared || key.user.as_str() == user.name)
            && key.ensure == Presence::Present
            && key.target.as_ref().map_or(file.is_usual, |target| target.as_str() == file.place.file)
    };
    named.of_type::<AuthorizedKey>().filter(is_here).map(|key| key.key.material()).collect()
}

/// The resources that would have put these strays there; a stray is given as [`strays`] shows it.
pub(super) fn givers(user: &Account, strays: &[String]) -> Vec<Former> {
    let giver = |stray: &String| {
        let key = stray.split(' ').next().unwrap_or_default().to_owned();
        Former { type_name: "authorized_key", left: vec![("user", user.name.clone()), ("key", key)] }
    };
    strays.iter().map(giver).collect()
}

/// The key that is there, with its comment if no resource uses that: the comment could not identify a later key.
fn shown(own: &KeyLine<'_>, want: &AuthorizedKey, named: &CatalogClaims<'_>) -> String {
    let gives = |other: &AuthorizedKey| {
        (&other.user, other.key.material()) == (&want.user, want.key.material()) && own.is_called_by(other)
    };
    let key = fingerprint(own.material);
    if own.is_called_by(want) || named.of_type::<AuthorizedKey>().any(gives) {
        key
    } else {
        format!("{key}, called `{}`", own.comment())
    }
}

/// How a key's line differs.
fn differences(want: &AuthorizedKey, text: &[u8], named: &CatalogClaims<'_>) -> Vec<Change> {
    let Some(own) = lines::own(text, want, &others(want, named)) else {
        return vec![Change::new(Property::Ensure, Presence::Absent, Presence::Present)];
    };
    let mut changes = Vec::new();
    let mut compare = |property: Property, is: String, should: String| {
        changes.extend((is != should).then(|| Change::new(property, is, should)));
    };
    compare(Property::Type, own.kind(), want.key.key_type().to_string());
    compare(Property::Key, shown(&own, want, named), fingerprint(want.key.material().as_bytes()));
    let further = lines::further_options(text, want);
    let options = [own.options()].into_iter().chain(further).collect::<Vec<_>>();
    compare(Property::Options, options.join(" (and on another line) "), want.options_text());
    changes
}

#[cfg(test)]
mod tests;
