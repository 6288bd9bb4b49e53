//! The poll: what this machine should be, from the server or, if it is away or wrong, from the cache.

use std::time::Duration;

use holdfast_catalog::catalog::{Catalog, CatalogId};
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::facts::Facts;
use holdfast_catalog::report::{NOTES, NoCatalog, Source};
use holdfast_catalog::run::RunId;
use holdfast_catalog::wire::{CatalogAnswer, CatalogRequest, Refusal, path};

use super::server_time::{self, ClockCheck};
use crate::VERSION;
use crate::cache::{self, Cache, Cached};
use crate::clock::now;
use crate::config::Installation;
use crate::fetch::{self, Client, ClockReading};
use crate::identity::{self, Identity};
use crate::state::StateDir;

/// The longest time to the next run that a server can ask for.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The note after the reason why there was no new catalog, if the run uses the last good one.
const GOES_ON: &str = "the last good catalog stays in force";

/// What a run works on.
pub(super) struct RunWork {
    /// The catalog; `None` if there is none yet.
    pub(super) catalog: Option<Cached>,
    /// Where it came from.
    pub(super) source: Source,
    /// The time to the next run, if the server said it.
    pub(super) next_run: Option<Duration>,
    /// The time between two polls, if the server said it.
    pub(super) interval: Option<Duration>,
    /// The server's refusal of a new one.
    pub(super) refused: Option<Refusal>,
    /// The run that was last reported to the server, if the server said which.
    pub(super) reported: Option<RunId>,
    /// That the server had none of a commit.
    pub(super) no_catalog: Option<NoCatalog>,
    /// What else is to be said about it.
    pub(super) notes: Vec<String>,
}

impl RunWork {
    /// What an answer says beside its catalog, which is still to be looked at.
    fn of(asked: &Result<CatalogAnswer, fetch::Error>, notes: Vec<String>) -> Self {
        let refused = match asked {
            Err(fetch::Error::Refused { refusal, .. }) => Some(refusal.clone()),
            _ => None,
        };
        let (interval, reported) = match asked {
            Ok(
                CatalogAnswer::Catalog { interval, reported, .. }
                | CatalogAnswer::Unchanged { interval, reported, .. },
            ) => (*interval, *reported),
            _ => (None, None),
        };
        Self {
            catalog: None,
            source: Source::Server,
            next_run: None,
            interval: interval.and_then(wait),
            refused,
            reported,
            no_catalog: None,
            notes,
        }
    }

    /// Says why there is no new catalog: of a commit, where the server named one.
    fn has_no_new(&mut self, why: String) {
        match self.refused.as_ref().and_then(|refusal| refusal.commit.clone()) {
            Some(commit) => self.no_catalog = Some(NoCatalog { commit, why }),
            None => self.notes.push(why),
        }
    }
}

/// What a poll works with.
pub(super) struct Poll<'a> {
    place: &'a Installation,
    state: &'a StateDir,
    identity: &'a mut Identity,
    cache: &'a Result<Cache, cache::Error>,
    /// The clocks at the server's answer, once there is one.
    heard: Option<ClockReading>,
    /// What the run knows of them.
    pub(super) clocks: ClockCheck,
}

impl<'a> Poll<'a> {
    pub(super) fn of(
        place: &'a Installation,
        state: &'a StateDir,
        identity: &'a mut Identity,
        cache: &'a Result<Cache, cache::Error>,
    ) -> Self {
        Self { place, state, identity, cache, heard: None, clocks: ClockCheck::default() }
    }
}

impl Poll<'_> {
    /// Asks the server. Whatever goes wrong, the last good catalog remains.
    pub(super) async fn work(&mut self, facts: &Facts) -> RunWork {
        let mut notes = Vec::new();
        let cached = self.cached(&mut notes);
        let have = cached.as_ref().map(|cached| cached.catalog.id.clone());
        let asked = self.ask(facts, have, &mut notes).await;
        let is_expired = matches!(asked, Err(fetch::Error::Expired(_)));
        self.clocks = server_time::judge(self.state, self.heard, is_expired);
        let mut work = RunWork::of(&asked, notes);
        let answer = match asked {
            Ok(CatalogAnswer::Catalog { catalog, next_run, .. }) => {
                work.next_run = wait(next_run);
                self.good(*catalog)
            }
            Ok(CatalogAnswer::Unchanged { commit, next_run, .. }) => {
                work.next_run = wait(next_run);
                work.catalog = self.unchanged(cached, commit, &mut work.notes);
                return work;
            }
            Ok(CatalogAnswer::FactsWanted) => Err("the server asked for facts twice".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(catalog) => work.catalog = Some(self.keep(catalog, &mut work.notes)),
            Err(why) => {
                work.source = Source::Cache;
                work.has_no_new(if cached.is_some() { format!("{why}{NOTES}{GOES_ON}") } else { why });
                work.catalog = cached;
            }
        }
        work
    }

    /// The last good catalog.
    fn cached(&self, notes: &mut Vec<String>) -> Option<Cached> {
        let loaded = match self.cache {
            Ok(cache) => cache.load(&self.identity.certname).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        loaded.unwrap_or_else(|why| {
            notes.push(why);
            None
        })
    }

    /// Renews the certificate if it is due, then asks. If a new certificate is refused, the old one is used again.
    async fn ask(
        &mut self,
        facts: &Facts,
        have: Option<CatalogId>,
        notes: &mut Vec<String>,
    ) -> Result<CatalogAnswer, fetch::Error> {
        if let Err(error) = self.renew_if_due().await {
            notes.push(format!("the certificate could not be renewed: {error}"));
        }
        let mut client = self.client()?;
        let mut answer = ask(&client, facts, have.clone()).await;
        if matches!(answer, Err(fetch::Error::Certificate { .. }))
            && self.identity.fall_back(self.state).is_ok_and(|went_back| went_back)
        {
            notes.push("the renewed certificate was refused; the previous one is used again".to_owned());
            client = self.client()?;
            answer = ask(&client, facts, have).await;
        }
        self.heard = client.clocks();
        if answer.is_ok()
            && let Err(error) = self.identity.settled(self.state)
        {
            notes.push(error.to_string());
        }
        answer
    }

    async fn renew_if_due(&mut self) -> Result<(), identity::Error> {
        if now() < self.identity.renewal()? {
            return Ok(());
        }
        let client = self.client()?;
        self.identity.renew(self.state, &client).await
    }

    fn client(&self) -> Result<Client, fetch::Error> {
        let client = self.identity.client(self.place.config.server.as_deref());
        client.map_err(|error| fetch::Error::Setup(error.to_string()))
    }

    /// The cached catalog, which the server has confirmed.
    fn unchanged(&self, cached: Option<Cached>, commit: CommitId, notes: &mut Vec<String>) -> Option<Cached> {
        let mut cached = cached?;
        cached.catalog.commit = commit;
        cached.confirmed = now();
        if let Ok(cache) = self.cache
            && let Err(error) = cache.confirm(&cached.catalog.id, &cached.catalog.commit, cached.confirmed)
        {
            notes.push(error.to_string());
        }
        Some(cached)
    }

    /// Checks that a catalog is for this very node, and that everything in it is understood; otherwise none of it is
    /// used.
    fn good(&self, catalog: Catalog) -> Result<Catalog, String> {
        if catalog.certname != self.identity.certname {
            return Err(format!(
                "the server sent the catalog of {} to {}: refused",
                catalog.certname, self.identity.certname
            ));
        }
        match catalog.validate() {
            Ok(_) => Ok(catalog),
            Err(error) => Err(format!("the server's catalog is refused: {error}")),
        }
    }

    /// Caches a catalog. A full disk must not keep the machine from being corrected.
    fn keep(&self, catalog: Catalog, notes: &mut Vec<String>) -> Cached {
        let confirmed = now();
        if let Ok(cache) = self.cache
            && let Err(error) = cache.store(&catalog, confirmed)
        {
            notes.push(format!("the catalog is not cached: {error}"));
        }
        Cached { catalog, confirmed }
    }
}

/// Asks with the hash of the facts, and once more with the facts themselves if the server does not have them.
async fn ask(client: &Client, facts: &Facts, have: Option<CatalogId>) -> Result<CatalogAnswer, fetch::Error> {
    let mut request =
        CatalogRequest { facts_hash: facts.hash(), facts: None, have, agent: VERSION.to_owned() };
    match client.post(path::CATALOG, &request).await? {
        CatalogAnswer::FactsWanted => {
            request.facts = Some(facts.clone());
            client.post(path::CATALOG, &request).await
        }
        answer => Ok(answer),
    }
}

fn wait(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds.max(1)).min(MAX_WAIT))
}
