//! What resources really claim on this machine, under the things' own names: aliases, links and providers hide those
//! from the compiler. Two resources that claim one thing fail before anything is done to either.
//!
//! Names are learned from each look, so one that appears during a run is noticed at the turn of the resources it
//! concerns. What the compiler can know it has refused already, and is not compared again.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use holdfast_catalog::catalog::Policy;
use holdfast_catalog::resource::TypedResource;
use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::resource::claim::{Claim, ClaimTarget, Conflict, Hold, conflicts};

use super::check::{self, Stand, Verdict};
use super::{Subject, TypeTimes};
use crate::provider::{Alias, DeclaredLinks, PathAliases, Reading, inside, split};
use crate::system::Accounts;

mod removal;

/// The most rivals that a message names.
const MAX_NAMED: usize = 3;

/// Things that a resource claims under a name other than their own, each with the reason.
type Led = Vec<(ClaimTarget, Arc<str>)>;

/// What resources claim under names that only the machine knows, and which are each other's rivals.
pub(super) struct Claims {
    /// Home directories that the catalog sets, by user.
    homes: HashMap<String, String>,
    /// Links that the catalog makes.
    declared: DeclaredLinks,
    /// Which resources claim a thing by the catalog's own name for it; built once some resource claims one by another
    /// name.
    by_name: OnceCell<HashMap<ClaimTarget, Vec<usize>>>,
    /// The current values of resources that follow a moving target, from the latest look at each.
    stands: BTreeMap<usize, Stand>,
    /// From the latest look at each resource.
    aliases: BTreeMap<usize, Vec<Alias>>,
    led: BTreeMap<usize, Led>,
    /// The rivals of each resource. A rival stays one to the end of the run.
    rivals: BTreeMap<usize, Vec<String>>,
    /// Resources that became rivals since this was last taken.
    new: Vec<usize>,
    /// Resources that want the same of a thing as another one.
    same: BTreeMap<usize, String>,
}

impl Claims {
    /// The claims of the catalog, before anything is known about the machine.
    pub(super) fn new(subjects: &[Subject<'_>]) -> Self {
        let home = |typed: &TypedResource| match typed {
            TypedResource::User(user) if user.ensure == Presence::Present => {
                Some((user.title.to_string(), user.home.as_ref()?.to_string()))
            }
            _ => None,
        };
        let typed = || subjects.iter().filter(|one| one.policy != Policy::Off).map(|one| one.typed);
        Self {
            homes: typed().filter_map(home).collect(),
            declared: DeclaredLinks::new(typed()),
            by_name: OnceCell::new(),
            stands: BTreeMap::new(),
            aliases: BTreeMap::new(),
            led: BTreeMap::new(),
            rivals: BTreeMap::new(),
            new: Vec::new(),
            same: BTreeMap::new(),
        }
    }

    /// Looks at resources and at what they claim. A resource that claims what another does fails, whatever else was
    /// found.
    pub(super) fn look<'a>(
        &mut self,
        subjects: &[Subject<'a>],
        which: &[usize],
        reading: Reading<'_>,
        times: &mut TypeTimes<'a>,
    ) -> Vec<(usize, Verdict)> {
        let sight = check::look(subjects, which, reading, times);
        for index in which {
            self.aliases.remove(index);
            self.stands.remove(index);
        }
        self.aliases.extend(sight.aliases);
        self.stands.extend(sight.stands);
        let mut names = MachineNames::new(self, reading);
        let found: Vec<_> =
            which.iter().map(|index| (*index, names.led(*index, &subjects[*index]))).collect();
        let changed: Vec<_> =
            found.into_iter().filter_map(|(index, led)| self.learn(index, led).then_some(index)).collect();
        if !changed.is_empty() {
            self.compare(&changed, subjects, reading);
        }
        self.see_removals(&sight.verdicts, subjects, reading);
        let judged = |(index, verdict)| (index, self.judged(index, verdict));
        sight.verdicts.into_iter().map(judged).collect()
    }

    /// Stores what a resource claims under other names; returns whether that is new.
    fn learn(&mut self, index: usize, led: Led) -> bool {
        let is_news = self.led.get(&index).map_or(!led.is_empty(), |known| *known != led);
        if led.is_empty() {
            self.led.remove(&index);
        } else {
            self.led.insert(index, led);
        }
        is_news
    }

    /// The verdict of a look, or the failure of a resource that has rivals.
    fn judged(&self, index: usize, verdict: Verdict) -> Verdict {
        self.why(index).map_or(verdict, Verdict::Failed)
    }

    /// Why a resource fails because of its rivals; `None` if it has none.
    pub(super) fn why(&self, index: usize) -> Option<String> {
        let all = self.rivals.get(&index)?;
        let named = all.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
        Some(match all.len().saturating_sub(MAX_NAMED) {
            0 => named,
            more => format!("{named}; and so do {more} more"),
        })
    }

    /// The value of a resource with a moving target at the latest look.
    pub(super) fn stand(&self, index: usize) -> Option<&Stand> {
        self.stands.get(&index)
    }

    /// Resources that became rivals since this was last called.
    pub(super) fn take_new(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.new)
    }

    /// Resources that want the same of a thing as another one, each with what to report about it.
    pub(super) fn same(&self) -> impl Iterator<Item = (usize, &str)> {
        self.same.iter().map(|(index, words)| (*index, words.as_str()))
    }

    /// Compares all claims to the things that these resources claim, if some resource claims one by another name.
    fn compare(&mut self, changed: &[usize], subjects: &[Subject<'_>], reading: Reading<'_>) {
        let mut names = MachineNames::new(self, reading);
        let led: HashSet<&ClaimTarget> = self.led.values().flatten().map(|(thing, _)| thing).collect();
        let theirs = changed.iter().flat_map(|index| names.all(*index, &subjects[*index]));
        let things: HashSet<ClaimTarget> =
            theirs.map(|claim| claim.thing).filter(|thing| led.contains(thing)).collect();
        let who: Vec<usize> = self.claimants(&things, subjects).into_iter().collect();
        let mut claims: Vec<Vec<Claim>> = Vec::with_capacity(who.len());
        for index in &who {
            let all = names.all(*index, &subjects[*index]).into_iter();
            claims.push(all.filter(|claim| things.contains(&claim.thing)).collect());
        }
        for conflict in conflicts(&claims) {
            let is_taken = [conflict.first, conflict.second].iter().any(|at| {
                claims[*at].iter().any(|claim| claim.thing == conflict.thing && claim.hold == Hold::Taken)
            });
            let conflict = Conflict { first: who[conflict.first], second: who[conflict.second], ..conflict };
            self.conflict(&conflict, is_taken, subjects);
        }
    }

    /// Which resources claim one of these things, as far as is known so far, in their order.
    fn claimants(&self, things: &HashSet<ClaimTarget>, subjects: &[Subject<'_>]) -> BTreeSet<usize> {
        let by_name = self.by_name.get_or_init(|| self.by_name(subjects));
        let by_own_name = things.iter().filter_map(|thing| by_name.get(thing)).flatten().copied();
        let is_led = |led: &Led| led.iter().any(|(thing, _)| things.contains(thing));
        by_own_name.chain(self.led.iter().filter(|(_, led)| is_led(led)).map(|(index, _)| *index)).collect()
    }

    /// Which resources claim a thing by the catalog's own name for it.
    fn by_name(&self, subjects: &[Subject<'_>]) -> HashMap<ClaimTarget, Vec<usize>> {
        let mut by_name: HashMap<ClaimTarget, Vec<usize>> = HashMap::new();
        for (index, subject) in subjects.iter().enumerate() {
            for claim in own(subject) {
                let thing = match claim.thing {
                    ClaimTarget::InHome { user, below } => {
                        let home = self.homes.get(&user).cloned().unwrap_or_else(|| usual_home(&user));
                        in_home(home, &below)
                    }
                    thing => thing,
                };
                let all = by_name.entry(thing).or_default();
                if all.last() != Some(&index) {
                    all.push(index);
                }
            }
        }
        by_name
    }

    /// Stores a conflict between two resources, unless both use the catalog's name: then the compiler decides.
    fn conflict(&mut self, conflict: &Conflict, is_taken: bool, subjects: &[Subject<'_>]) {
        let Conflict { first, second, thing, what, help } = conflict;
        let led = |index: &usize| {
            let all = self.led.get(index).into_iter().flatten();
            all.filter(|(is, _)| is == thing).map(|(_, why)| &**why)
        };
        let mut whys: Vec<&str> = led(first).chain(led(second)).collect();
        whys.dedup();
        if whys.is_empty() {
            return;
        }
        let why = whys.join(", and ");
        if !is_taken && want_the_same(&subjects[*first], &subjects[*second]) {
            let other = called(&subjects[*first]);
            let words = format!("{other} wants the same of {what}, since {why}: remove one of the two");
            self.same.entry(*second).or_insert(words);
            return;
        }
        for (index, other) in [(first, second), (second, first)] {
            let other = called(&subjects[*other]);
            self.add_rival(*index, format!("it and {other} both manage {what}, since {why}; {help}"));
        }
    }

    /// Notes that a resource has a rival, described by `words`.
    fn add_rival(&mut self, index: usize, words: String) {
        let known = self.rivals.entry(index).or_default();
        if known.is_empty() {
            self.new.push(index);
        }
        if !known.contains(&words) {
            known.push(words);
        }
    }
}

/// A resource and its place, for people.
fn called(subject: &Subject<'_>) -> String {
    let reference = &subject.resource.reference;
    match &subject.resource.origin {
        Some(origin) => format!("`{reference}` ({origin})"),
        None => format!("`{reference}`"),
    }
}

/// Whether two resources of one type can both be as wanted at once.
fn want_the_same(one: &Subject<'_>, other: &Subject<'_>) -> bool {
    if one.type_name() != other.type_name() {
        return false;
    }
    let left = other.provider.left_of(other.typed);
    let mut shared = 0;
    let agrees = one.provider.left_of(one.typed).iter().all(|(name, value)| {
        left.iter().find(|(other, _)| other == name).is_none_or(|(_, wanted)| {
            shared += 1;
            wanted == value
        })
    });
    agrees && shared > 0
}

/// What a resource claims according to the catalog; nothing if its policy is off.
fn own(subject: &Subject<'_>) -> Vec<Claim> {
    if subject.policy == Policy::Off { Vec::new() } else { subject.typed.claims() }
}

/// The home directory of a user unless something else sets it.
fn usual_home(user: &str) -> String {
    if user == "root" { "/root".to_owned() } else { format!("/home/{user}") }
}

fn in_home(home: String, below: &str) -> ClaimTarget {
    ClaimTarget::Path(if below.is_empty() { home } else { inside(&home, below) })
}

/// Things by their own names, on the machine as it is now.
struct MachineNames<'c> {
    homes: &'c HashMap<String, String>,
    aliases: &'c BTreeMap<usize, Vec<Alias>>,
    ways: PathAliases<'c>,
    reading: Reading<'c>,
    accounts: OnceCell<Option<Arc<Accounts>>>,
}

impl<'c> MachineNames<'c> {
    fn new(claims: &'c Claims, reading: Reading<'c>) -> Self {
        let ways = PathAliases::new(reading.machine).with(&claims.declared);
        Self { homes: &claims.homes, aliases: &claims.aliases, ways, reading, accounts: OnceCell::new() }
    }

    /// What a resource claims under names other than the things' own.
    fn led(&mut self, index: usize, subject: &Subject<'_>) -> Led {
        let mut led = Led::new();
        let mut last = None;
        for claim in subject.typed.claims() {
            if last.as_ref() != Some(&claim.thing)
                && let (thing, Some(why)) = self.real(&claim.thing)
            {
                led.push((thing, why));
            }
            last = Some(claim.thing);
        }
        for Alias { claim, why } in self.aliases.get(&index).into_iter().flatten() {
            let thing = self.real(&claim.thing).0;
            if !led.iter().any(|(known, _)| *known == thing) {
                led.push((thing, why.clone()));
            }
        }
        led
    }

    /// What a resource claims, according to the catalog and to the machine, each thing by its own name.
    fn all(&mut self, index: usize, subject: &Subject<'_>) -> Vec<Claim> {
        let aliases = self.aliases.get(&index).into_iter().flatten();
        let all = own(subject).into_iter().chain(aliases.map(|alias| alias.claim.clone()));
        all.map(|claim| Claim { thing: self.real(&claim.thing).0, hold: claim.hold }).collect()
    }

    /// A thing by its own name, and the reason if the claim used another one.
    fn real(&mut self, thing: &ClaimTarget) -> (ClaimTarget, Option<Arc<str>>) {
        match thing {
            ClaimTarget::Path(path) => match self.at(path) {
                Some((path, why)) => (ClaimTarget::Path(path), Some(why)),
                None => (thing.clone(), None),
            },
            ClaimTarget::InHome { user, below } => {
                let (home, why) = self.home(user);
                let thing = in_home(home, below);
                match self.real(&thing) {
                    (_, None) => (thing, why),
                    led => led,
                }
            }
            ClaimTarget::Object { .. } => (thing.clone(), None),
        }
    }

    /// The real path, if it differs from `path`. A link in the last part is not followed: the link itself is meant.
    fn at(&mut self, path: &str) -> Option<(String, Arc<str>)> {
        let (directory, name) = split(path)?;
        let way = self.ways.of(directory)?;
        Some((inside(&way.path, name), way.why().into()))
    }

    /// The home directory of a user, and the reason if it is not where the compiler assumes it.
    fn home(&mut self, user: &str) -> (String, Option<Arc<str>>) {
        if let Some(home) = self.homes.get(user) {
            return (home.clone(), None);
        }
        let usual = usual_home(user);
        let machine = self.reading.machine;
        let accounts = self.accounts.get_or_init(|| machine.accounts().ok());
        match accounts.as_ref().and_then(|accounts| accounts.find_user(user)) {
            Some(account) if account.home != usual => {
                let why = format!("the home of `{user}` is `{}`", account.home);
                (account.home.clone(), Some(why.into()))
            }
            _ => (usual, None),
        }
    }
}
