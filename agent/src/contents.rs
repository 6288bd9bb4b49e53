//! File contents on disk, under their hash. They are fetched before a run, so the run itself needs no server.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek as _};
use std::time::Duration;

use holdfast_catalog::catalog::Catalog;
use holdfast_catalog::hash::ContentHash;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

use crate::content::{ContentSource, Error};
use crate::fetch::{self, Client};
use crate::state::StateDir;
use crate::stop::RunEnd;

/// The most bytes of one content.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// How long the transfer of one content may take.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How contents are fetched.
#[derive(Debug, Clone, Copy)]
pub struct Fetching<'a> {
    pub client: &'a Client,
    pub network: &'a Runtime,
    /// When the run must be over.
    pub end: RunEnd,
}

/// The contents of the catalog in force. All of them can be fetched again, so a damaged one is discarded and replaced.
#[derive(Debug)]
pub struct Contents<'a> {
    dir: Result<StateDir, String>,
    missing: BTreeMap<ContentHash, String>,
    fetching: Option<Fetching<'a>>,
}

impl<'a> Contents<'a> {
    /// Opens the store. If it cannot be used, only the resources that need it fail, not the run.
    pub fn open(state: &StateDir, fetching: Option<Fetching<'a>>) -> Self {
        let dir = state.below("content").map_err(|error| error.to_string());
        Self { dir, missing: BTreeMap::new(), fetching }
    }

    /// Fetches what the catalog names and the store lacks. A content that is not available fails only its own
    /// resources: fetching may take at most half of the run's time, whatever the server does.
    pub fn fetch(&mut self, catalog: &Catalog) {
        let Ok(dir) = &self.dir else { return };
        let end = self.fetching.map(|fetching| RunEnd::after(fetching.end.left() / 2));
        for hash in catalog.content_hashes() {
            if !matches!(dir.file(hash.as_str()), Ok(Some(_)))
                && let Err(reason) = self.fetch_one(dir, &hash, end)
            {
                self.missing.insert(hash, reason);
            }
        }
    }

    /// Fetches one content, replacing whatever is there.
    fn fetch_one(&self, dir: &StateDir, hash: &ContentHash, end: Option<RunEnd>) -> Result<(), String> {
        let Some(Fetching { client, network, end: of_run }) = self.fetching else {
            return Err("the server cannot be asked".to_owned());
        };
        let within = PATIENCE.min(end.unwrap_or(of_run).left());
        dir.discard(hash.as_str()).map_err(|error| error.to_string())?;
        let fetched = async { tokio::time::timeout(within, download(dir, hash, client)).await };
        network
            .block_on(fetched)
            .unwrap_or_else(|_| Err(format!("it did not arrive within {} s", within.as_secs())))
    }

    /// Removes what the catalog does not name. What cannot be removed is left: that is not worth failing a run.
    pub fn prune(&self, catalog: &Catalog) {
        let Ok(dir) = &self.dir else { return };
        let wanted: BTreeSet<_> = catalog.content_hashes().into_iter().collect();
        let is_wanted = |name: &String| ContentHash::parse(name).is_some_and(|hash| wanted.contains(&hash));
        for name in dir.names().unwrap_or_default().iter().filter(|name| !is_wanted(name)) {
            if let Err(error) = dir.discard(name) {
                tracing::warn!("cannot remove content that no catalog needs: {error}");
            }
        }
    }

    /// The content, after one pass over its bytes; `None` if it is missing or damaged.
    fn whole(dir: &StateDir, hash: &ContentHash) -> Option<std::fs::File> {
        let mut file = dir.file(hash.as_str()).ok()??;
        let mut digest = Sha256::new();
        std::io::copy(&mut file, &mut digest).ok()?;
        file.rewind().ok()?;
        (data_encoding::HEXLOWER.encode(&digest.finalize()) == hash.as_str()).then_some(file)
    }
}

async fn download(dir: &StateDir, hash: &ContentHash, client: &Client) -> Result<(), String> {
    let words = |error: fetch::Error| error.to_string();
    let mut response = client.content(hash.as_str()).await.map_err(words)?;
    let mut draft = dir.draft(hash.as_str()).map_err(|error| error.to_string())?;
    let (mut digest, mut length) = (Sha256::new(), 0);
    while let Some(piece) = response.chunk().await.map_err(|error| error.to_string())? {
        length += piece.len() as u64;
        if length > MAX_BYTES {
            return Err(format!("it is larger than {MAX_BYTES} bytes"));
        }
        digest.update(&piece);
        draft.write_all(&piece).map_err(|error| error.to_string())?;
    }
    let got = data_encoding::HEXLOWER.encode(&digest.finalize());
    if got != hash.as_str() {
        return Err(format!("different bytes arrived (their hash is {got})"));
    }
    draft.commit().map_err(|error| error.to_string())
}

impl ContentSource for Contents<'_> {
    fn open(&self, sha256: &ContentHash, _size: u64) -> Result<Box<dyn Read>, Error> {
        let failed = |reason: String| Error::Fetch { sha256: sha256.clone(), reason };
        let dir = self.dir.as_ref().map_err(|reason| failed(reason.clone()))?;
        if let Some(file) = Self::whole(dir, sha256) {
            return Ok(Box::new(file));
        }
        if let Some(reason) = self.missing.get(sha256) {
            return Err(failed(reason.clone()));
        }
        if self.fetching.is_none() {
            return Err(Error::Missing(sha256.clone()));
        }
        self.fetch_one(dir, sha256, None).map_err(failed)?;
        let fetched = Self::whole(dir, sha256)
            .ok_or_else(|| failed("it was damaged after it was written".to_owned()))?;
        Ok(Box::new(fetched))
    }
}
