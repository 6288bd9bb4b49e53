//! File contents on disk, under their hash: fetched before a run, so that the run itself needs no server.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use holdfast_catalog::catalog::Catalog;
use holdfast_catalog::hash::ContentHash;
use sha2::{Digest as _, Sha256};

use crate::content::{ContentSource, Error};
use crate::fetch::{self, Client};
use crate::state::{self, StateDir};

/// The most bytes of one content.
const LIMIT: u64 = 1024 * 1024 * 1024;

/// The contents of the catalog in force.
#[derive(Debug)]
pub struct Contents {
    dir: StateDir,
    missing: BTreeMap<ContentHash, String>,
}

impl Contents {
    /// Opens the store.
    ///
    /// # Errors
    /// Where it cannot be made or is not private.
    pub fn open(state: &StateDir) -> Result<Self, state::Error> {
        Ok(Self { dir: state.below("content")?, missing: BTreeMap::new() })
    }

    /// Fetches what the catalog names and is not here. What cannot be had fails its own resources, and no others.
    pub async fn fetch(&mut self, catalog: &Catalog, client: &Client) {
        for hash in catalog.content_hashes() {
            match self.dir.file(hash.as_str()) {
                Ok(Some(_)) => {}
                Ok(None) => {
                    if let Err(reason) = self.fetch_one(&hash, client).await {
                        self.missing.insert(hash, reason);
                    }
                }
                Err(error) => drop(self.missing.insert(hash, error.to_string())),
            }
        }
    }

    async fn fetch_one(&self, hash: &ContentHash, client: &Client) -> Result<(), String> {
        let words = |error: fetch::Error| error.to_string();
        let mut response = client.content(hash.as_str()).await.map_err(words)?;
        let mut draft = self.dir.draft(hash.as_str()).map_err(|error| error.to_string())?;
        let (mut digest, mut length) = (Sha256::new(), 0);
        while let Some(piece) = response.chunk().await.map_err(|error| error.to_string())? {
            length += piece.len() as u64;
            if length > LIMIT {
                return Err(format!("it is larger than {LIMIT} bytes"));
            }
            digest.update(&piece);
            draft.write_all(&piece).map_err(|error| error.to_string())?;
        }
        let got = data_encoding::HEXLOWER.encode(&digest.finalize());
        if got != hash.as_str() {
            return Err(format!("other bytes came (their hash is {got})"));
        }
        draft.commit().map_err(|error| error.to_string())
    }

    /// Removes what the catalog does not name.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn prune(&self, catalog: &Catalog) -> Result<(), state::Error> {
        let wanted: BTreeSet<_> = catalog.content_hashes().into_iter().collect();
        for name in self.dir.names()? {
            if !ContentHash::parse(&name).is_some_and(|hash| wanted.contains(&hash)) {
                self.dir.remove(&name)?;
            }
        }
        Ok(())
    }
}

impl ContentSource for Contents {
    fn open(&self, sha256: &ContentHash, _size: u64) -> Result<Box<dyn Read>, Error> {
        let failed = |reason: String| Error::Fetch { sha256: sha256.clone(), reason };
        match self.dir.file(sha256.as_str()) {
            Ok(Some(file)) => Ok(Box::new(file)),
            Ok(None) => Err(match self.missing.get(sha256) {
                Some(reason) => failed(reason.clone()),
                None => Error::Missing(sha256.clone()),
            }),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}
