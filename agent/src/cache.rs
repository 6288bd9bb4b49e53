//! The last good catalog, sealed. It keeps the machine in order while no server answers.
//!
//! The key is in a file of its own. That protects copies and backups of the rest; it does not protect the cache from
//! root on this machine. The contents of files are not secret (secrets are in the catalog) and are stored in the clear,
//! under their hash.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use holdfast_catalog::catalog::{Catalog, CatalogId};
use holdfast_catalog::certname::Certname;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::wire::MAX_BODY;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::state::{self, StateDir};

const KEY: &str = "key";
const SEALED: &str = "catalog.sealed";
const CONFIRMED: &str = "confirmed.json";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// The first bytes of a sealed catalog: its format. The seal covers them.
const MAGIC: &[u8] = b"holdfast-catalog-1\n";

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state directory cannot be read or written.
    #[error(transparent)]
    State(#[from] state::Error),
    /// The sealed catalog does not open.
    #[error(
        "the cached catalog is damaged and was set aside ({0}); the next answer of the server replaces it"
    )]
    Damaged(String),
    /// The same, reported by a command that only looks.
    #[error(
        "the cached catalog is damaged ({0}): the next run sets it aside, and the next answer of the server replaces it"
    )]
    Unusable(String),
    /// There is no randomness, so there is no key.
    #[error("the cache cannot be sealed")]
    Seal,
}

/// What the server last said about the cached catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    pub catalog: CatalogId,
    /// The live commit. It is newer than the catalog's own if it changed nothing on this machine.
    pub commit: CommitId,
    pub at: Timestamp,
}

/// The cached catalog and when a server last confirmed it.
#[derive(Debug)]
pub struct Cached {
    /// The catalog, with the live commit.
    pub catalog: Catalog,
    /// When a server last confirmed that this is the current one.
    pub confirmed: Timestamp,
}

/// Checks that a catalog is meant for this node; the error says why it is not.
type IsOurs<'a> = dyn Fn(&Catalog) -> Result<(), String> + 'a;

fn ours(certname: &Certname) -> impl Fn(&Catalog) -> Result<(), String> {
    move |catalog| {
        let is_ours = catalog.certname == *certname;
        // The other machine is not named: its name does not belong in the reports of this one.
        is_ours.then_some(()).ok_or_else(|| "it is for another machine".to_owned())
    }
}

/// Removes the cached catalog, which belongs to another enrolment; the server's next answer replaces it. Returns
/// whether there was one.
///
/// # Errors
/// Fails if it cannot be removed.
pub fn forget(state: &StateDir) -> Result<bool, state::Error> {
    if !state.has_directory("cache") {
        return Ok(false);
    }
    let dir = state.below("cache")?;
    let was_there = dir.names()?.iter().any(|name| name == SEALED);
    [SEALED, CONFIRMED, "damaged"].iter().try_for_each(|name| dir.discard(name))?;
    Ok(was_there)
}

/// The directory of the cache.
#[derive(Debug)]
pub struct Cache {
    dir: StateDir,
}

impl Cache {
    /// Opens the cache below the state directory.
    ///
    /// # Errors
    /// Fails if the directory cannot be made or is not private.
    pub fn open(state: &StateDir) -> Result<Self, Error> {
        Ok(Self { dir: state.below("cache")? })
    }

    /// Stores a catalog that is in force from now on.
    ///
    /// # Errors
    /// Fails if it cannot be written; the previous catalog is still there.
    pub fn store(&self, catalog: &Catalog, at: Timestamp) -> Result<(), Error> {
        let json = Zeroizing::new(serde_json::to_vec(catalog).map_err(|_| Error::Seal)?);
        let packed = zstd::stream::encode_all(&**json, 1).map_err(|_| Error::Seal)?;
        let mut body = Zeroizing::new(packed);
        let nonce =
            self.key()?.seal_in_place_append_tag(Aad::from(MAGIC), &mut *body).map_err(|_| Error::Seal)?;
        let sealed = [MAGIC, nonce.as_ref(), &body].concat();
        self.dir.replace(SEALED, &sealed)?;
        self.confirm(&catalog.id, &catalog.commit, at)
    }

    /// Notes that the cached catalog is still the current one.
    ///
    /// # Errors
    /// Fails if the note cannot be written.
    pub fn confirm(&self, id: &CatalogId, commit: &CommitId, at: Timestamp) -> Result<(), Error> {
        let confirmed = Confirmed { catalog: id.clone(), commit: commit.clone(), at };
        Ok(self.dir.replace(CONFIRMED, &serde_json::to_vec(&confirmed).unwrap_or_default())?)
    }

    /// The cached catalog for this node, or `None` if there is none.
    ///
    /// # Errors
    /// Fails if it is damaged or another node's. It is then set aside, so this is reported once.
    pub fn load(&self, certname: &Certname) -> Result<Option<Cached>, Error> {
        self.load_if(&ours(certname))
    }

    /// The cached catalog, whichever node it is for. If this machine cannot tell which node it is, the catalog can.
    ///
    /// # Errors
    /// Fails if it is damaged. It is then set aside, so this is reported once.
    pub fn load_any(&self) -> Result<Option<Cached>, Error> {
        self.load_if(&|_| Ok(()))
    }

    /// Like `load_any`, for commands that only look: a damaged catalog stays where it is.
    ///
    /// # Errors
    /// Fails if it is damaged.
    pub fn look_any(&self) -> Result<Option<Cached>, Error> {
        self.opened(&|_| Ok(()))?.map_err(Error::Unusable)
    }

    /// The cached catalog for this node, for commands that only look: a damaged catalog stays where it is.
    ///
    /// # Errors
    /// Fails if it is damaged or another node's.
    pub fn look(&self, certname: &Certname) -> Result<Option<Cached>, Error> {
        self.opened(&ours(certname))?.map_err(Error::Unusable)
    }

    fn load_if(&self, is_ours: &IsOurs<'_>) -> Result<Option<Cached>, Error> {
        match self.opened(is_ours)? {
            Ok(cached) => {
                cached.iter().for_each(|cached| self.date_anew(cached));
                Ok(cached)
            }
            Err(why) => {
                let aside = self.dir.below("damaged")?;
                aside.discard(SEALED)?;
                self.dir.hand_over(SEALED, &aside)?;
                Err(Error::Damaged(why))
            }
        }
    }

    /// Dates a confirmation that lies in the future, made while the clock was ahead, from now on: its true age is
    /// unknown, and it must still grow old.
    fn date_anew(&self, Cached { catalog, confirmed }: &Cached) {
        if self.confirmed(&catalog.id).is_some_and(|known| known.at > *confirmed)
            && let Err(error) = self.confirm(&catalog.id, &catalog.commit, *confirmed)
        {
            tracing::warn!(
                "the time at which the catalog was confirmed is in the future, and could not be corrected: {error}"
            );
        }
    }

    /// The cached catalog. The inner error says what is wrong with it; the outer one is a failure of the system.
    fn opened(&self, is_ours: &IsOurs<'_>) -> Result<Result<Option<Cached>, String>, Error> {
        let sealed = match self.dir.read(SEALED, MAX_BODY as u64) {
            Ok(None) => return Ok(Ok(None)),
            Ok(Some(sealed)) => Ok(sealed),
            Err(error @ state::Error::Io { .. }) => return Err(error.into()),
            Err(error) => Err(error.to_string()),
        };
        let opened = sealed.and_then(|sealed| self.open_sealed(sealed)).and_then(|json| {
            let catalog: Catalog = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
            catalog.validate().map_err(|error| error.to_string())?;
            is_ours(&catalog)?;
            Ok(catalog)
        });
        Ok(opened.map(|mut catalog| {
            let confirmed = self.confirmed(&catalog.id);
            if let Some(confirmed) = &confirmed {
                catalog.commit.clone_from(&confirmed.commit);
            }
            // Without a note the catalog is as old as its file, which was written when the server sent it.
            let confirmed = confirmed.map_or_else(|| self.stored_at(), |confirmed| confirmed.at);
            // A clock that was ahead must not keep this catalog valid longer than any other.
            Some(Cached { catalog, confirmed: confirmed.min(crate::clock::now()) })
        }))
    }

    /// When the catalog was stored. If that is unknown, a time so long ago that the catalog is only audited.
    fn stored_at(&self) -> Timestamp {
        let file = self.dir.file(SEALED).ok().flatten();
        let stored = file.and_then(|file| file.metadata().and_then(|found| found.modified()).ok());
        let stored = stored.and_then(|time| Timestamp::try_from(time).ok());
        stored.filter(|at| *at <= crate::clock::now()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn confirmed(&self, id: &CatalogId) -> Option<Confirmed> {
        let bytes = self.dir.read(CONFIRMED, 4096).ok()??;
        serde_json::from_slice::<Confirmed>(&bytes).ok().filter(|confirmed| confirmed.catalog == *id)
    }

    fn open_sealed(&self, sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, String> {
        let body = sealed.strip_prefix(MAGIC).ok_or("it has another format")?;
        let (nonce, body) = body.split_at_checked(NONCE_BYTES).ok_or("it is cut short")?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| "it is cut short")?;
        let mut body = Zeroizing::new(body.to_vec());
        let key = self.stored_key().map_err(|error| error.to_string())?.ok_or("its key is gone")?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| "its key is not valid")?;
        let packed = key
            .open_in_place(nonce, Aad::from(MAGIC), &mut body)
            .map_err(|_| "the seal is broken, or was made with another key")?;
        // Only what this agent packed itself gets here, and its size was limited then.
        zstd::stream::decode_all(&*packed).map(Zeroizing::new).map_err(|error| error.to_string())
    }

    fn stored_key(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let stored = match self.dir.read(KEY, KEY_BYTES as u64) {
            Err(error @ state::Error::Io { .. }) => return Err(error.into()),
            // Too long, or not a file: a key that this agent did not write opens nothing.
            stored => stored.ok().flatten().map(Zeroizing::new),
        };
        Ok(stored.filter(|bytes| bytes.len() == KEY_BYTES))
    }

    /// The key, which is made if there is none.
    fn key(&self) -> Result<RandomizedNonceKey, Error> {
        let bytes = match self.stored_key()? {
            Some(bytes) => bytes,
            None => {
                self.dir.discard(KEY)?;
                let mut bytes = Zeroizing::new(vec![0; KEY_BYTES]);
                getrandom::fill(&mut bytes).map_err(|_| Error::Seal)?;
                self.dir.replace(KEY, &bytes)?;
                bytes
            }
        };
        RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| Error::Seal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "canary-9c1";

    fn catalog() -> Catalog {
        serde_json::from_value(serde_json::json!({
            "id": "0".repeat(64), "certname": "web1.acme.example", "commit": "c1", "environment": "main",
            "resources": [{
                "reference": "file[/etc/x]", "container": null, "origin": null,
                "attributes": { "content": { "$sensitive": [[SECRET, true]] } },
            }],
            "containers": [], "edges": [],
        }))
        .unwrap()
    }

    fn cache() -> (tempfile::TempDir, Cache) {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDir::open(&parent.path().join("agent")).unwrap();
        (parent, Cache::open(&state).unwrap())
    }

    fn name(text: &str) -> Certname {
        Certname::parse(text).unwrap()
    }

    #[test]
    fn it_comes_back_with_its_secrets_and_none_is_on_disk() {
        let (_parent, cache) = cache();
        cache.store(&catalog(), Timestamp::UNIX_EPOCH).unwrap();
        let cached = cache.load(&name("web1.acme.example")).unwrap().unwrap();
        assert_eq!(cached.catalog, catalog());
        for file in cache.dir.names().unwrap() {
            let bytes = cache.dir.read(&file, 1 << 20).unwrap().unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains(SECRET), "{file}");
        }
    }

    #[test]
    fn the_live_commit_and_the_age_are_the_last_confirmation_s() {
        let (_parent, cache) = cache();
        cache.store(&catalog(), Timestamp::UNIX_EPOCH).unwrap();
        let at = Timestamp::from_second(1_000).unwrap();
        cache.confirm(&catalog().id, &"c2".into(), at).unwrap();
        let cached = cache.load(&name("web1.acme.example")).unwrap().unwrap();
        assert_eq!((cached.catalog.commit.as_str(), cached.confirmed), ("c2", at));
        for lost in [true, false] {
            cache.dir.replace(CONFIRMED, b"{").unwrap();
            if lost {
                cache.dir.remove(CONFIRMED).unwrap();
            }
            let cached = cache.load(&name("web1.acme.example")).unwrap().unwrap();
            let age = crate::clock::now().duration_since(cached.confirmed);
            assert!(age < jiff::SignedDuration::from_mins(10), "it is as old as its file: {age:?}");
        }
    }

    #[test]
    fn a_confirmation_by_a_clock_that_was_ahead_grows_old_from_when_it_is_seen() {
        let (_parent, cache) = cache();
        cache.store(&catalog(), Timestamp::UNIX_EPOCH).unwrap();
        let ahead = crate::clock::now() + jiff::SignedDuration::from_hours(365 * 24);
        cache.confirm(&catalog().id, &"c2".into(), ahead).unwrap();
        let seen = || cache.load(&name("web1.acme.example")).unwrap().unwrap();
        let first = seen();
        assert!(first.confirmed <= crate::clock::now() && first.catalog.commit == "c2");
        assert_eq!(seen().confirmed, first.confirmed, "it is dated anew once");
    }

    #[test]
    fn a_catalog_of_a_file_from_the_future_is_old_from_the_start() {
        let (_parent, cache) = cache();
        cache.store(&catalog(), Timestamp::UNIX_EPOCH).unwrap();
        cache.dir.remove(CONFIRMED).unwrap();
        let ahead = std::time::SystemTime::now() + std::time::Duration::from_secs(365 * 24 * 3600);
        let sealed = std::fs::File::options().write(true).open(cache.dir.path().join(SEALED)).unwrap();
        sealed.set_modified(ahead).unwrap();
        for _ in 0..2 {
            let seen = cache.load(&name("web1.acme.example")).unwrap().unwrap();
            assert_eq!(seen.confirmed, Timestamp::UNIX_EPOCH);
        }
    }

    #[test]
    fn any_flipped_bit_or_cut_puts_it_aside() {
        let (_parent, cache) = cache();
        cache.store(&catalog(), Timestamp::UNIX_EPOCH).unwrap();
        let good = cache.dir.read(SEALED, 1 << 20).unwrap().unwrap();
        for at in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            for bytes in [&bad[..], &good[..at]] {
                cache.dir.replace(SEALED, bytes).unwrap();
                assert!(matches!(cache.load(&name("web1.acme.example")), Err(Error::Damaged(_))), "{at}");
                assert!(cache.load(&name("web1.acme.example")).unwrap().is_none());
            }
        }
    }

    #[test]
    fn f20_whatever_is_in_its_place_the_next_catalog_is_kept() {
        for file in [KEY, SEALED] {
            for damage in [&b"x"[..], &[7; 500]] {
                let (_parent, cache) = cache();
                cache.store(&catalog(), Timestamp::UNIX_EPOCH).unwrap();
                cache.dir.replace(file, damage).unwrap();
                assert!(matches!(cache.load(&name("web1.acme.example")), Err(Error::Damaged(_))), "{file}");
                cache.store(&catalog(), Timestamp::UNIX_EPOCH).unwrap();
                assert!(cache.load(&name("web1.acme.example")).unwrap().is_some(), "{file}");
                cache.dir.discard(file).unwrap();
                std::fs::create_dir_all(cache.dir.path().join(file).join("x")).unwrap();
                assert!(cache.load(&name("web1.acme.example")).is_err(), "{file}");
                cache.store(&catalog(), Timestamp::UNIX_EPOCH).unwrap();
                assert!(cache.load(&name("web1.acme.example")).unwrap().is_some(), "{file}");
            }
        }
    }

    #[test]
    fn another_node_s_catalog_is_not_used() {
        let (_parent, cache) = cache();
        cache.store(&catalog(), Timestamp::UNIX_EPOCH).unwrap();
        let said = cache.load(&name("web2.acme.example")).unwrap_err().to_string();
        assert!(said.contains("for another machine") && !said.contains("web1"), "{said}");
    }
}
