//! What a server is founded on: its CA and its store. Both are made once, for a data directory that has neither. Later,
//! neither is made again beside the other: every machine would have to enrol again, without anyone having asked for it.

use std::path::Path;

use crate::identity::{Authority, AuthorityError, NodeUri, token};
use crate::store::founding::{Founding, StoreOwner};
use crate::store::{self, Store};

/// Why the CA and the store can be neither opened nor made.
#[derive(Debug, thiserror::Error)]
pub enum FoundationError {
    /// The store has been used, but there is no CA.
    #[error(
        "there is no CA in {0}/ca, and {0}/server.db belongs to one: restore `ca/` from a backup. To start over, and \
         enrol every machine again, move {0} away first. Nothing was changed"
    )]
    NoAuthority(String),
    /// There is a CA, but no store.
    #[error(
        "{0}/server.db is {1}, and {0}/ca belongs to it: restore `server.db` from a backup (of a copied one, \
         `server.db-wal` is a part). To start over, and enrol every machine again, move {0} away first. Nothing \
         was changed"
    )]
    NoStore(String, &'static str),
    /// They belong to two different servers.
    #[error(
        "{0}/server.db and {0}/ca are of two servers ({1} and {2}): restore both from one backup. Nothing was changed"
    )]
    Strangers(String, String, String),
    /// One of the CA's files is a key of another server.
    #[error(
        "{0}/ca/token.key is not the one that {0}/server.db was made with: restore `ca/` and `server.db` from one \
         backup. Nothing was changed"
    )]
    OtherKey(String),
    /// The system does not let the server use its store.
    #[error(
        "{1}: check whether the disk of {0} is full, read-only or failing, and who owns {0}/server.db; the file itself \
         may be intact, and is not changed"
    )]
    Disk(String, #[source] store::Error),
    /// The CA does not work.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The store does not work.
    #[error("{1}; {0}/server.db is not changed: restore it from a backup, or use the program that wrote it")]
    Store(String, #[source] store::Error),
}

/// Opens the CA and the store, or makes both if there is neither.
pub async fn lay(data_dir: &Path) -> Result<(Store, Authority, token::TokenKey), FoundationError> {
    let (name, ca, file) = (data_dir.display().to_string(), data_dir.join("ca"), data_dir.join("server.db"));
    let failed = |error: store::Error| match error.is_of_the_disk() {
        true => FoundationError::Disk(name.clone(), error),
        false => FoundationError::Store(name.clone(), error),
    };
    let (is_made, founded) = (Store::is_at(&file).map_err(failed)?, Authority::is_at(&ca));
    // The CA is made last: if it exists, the store has its tables.
    if founded && !is_made {
        let what = if file.exists() { "empty" } else { "missing" };
        return Err(FoundationError::NoStore(name, what));
    }
    if is_made {
        look_whether_it_is_whole(&file).await.map_err(failed)?;
    }
    let before = if is_made { StoreOwner::of(&file).map_err(failed)? } else { StoreOwner::default() };
    if !founded && before.is_used {
        return Err(FoundationError::NoAuthority(name));
    }
    let whole = if founded {
        let whole = Authority::open(&ca)?;
        before.fits(&name, &whole)?;
        Some(whole)
    } else {
        None
    };
    // Opened only now, since a store of another server must not be changed.
    let store = Store::open(&file).map_err(failed)?;
    let (authority, key) = whole.map_or_else(|| Authority::make(&ca), Ok)?;
    if before.founding.is_none() {
        store.found(founding(&authority, &key)).await.map_err(failed)?;
    }
    Ok((store, authority, key))
}

async fn look_whether_it_is_whole(file: &Path) -> store::Result<()> {
    let megabytes = std::fs::metadata(file).map_or(0, |found| found.len() / 1_000_000);
    tracing::info!(file = %file.display(), megabytes, "checking the database");
    let whole = file.to_owned();
    let looked = tokio::task::spawn_blocking(move || Store::check_whole(&whole)).await;
    looked.unwrap_or_else(|error| Err(store::Error::Database(Box::new(error))))
}

/// What the store records about a CA.
fn founding(authority: &Authority, key: &token::TokenKey) -> Founding {
    Founding { instance: authority.instance().to_owned(), token_key: key.derive("founding").to_vec() }
}

impl StoreOwner {
    /// Whether a store belongs to this CA. A store from before this was recorded is recognized by its nodes' certificates.
    fn fits(
        &self,
        name: &str,
        (authority, key): &(Authority, token::TokenKey),
    ) -> Result<(), FoundationError> {
        let mine = founding(authority, key);
        let certificate = self.certificate.as_deref().and_then(NodeUri::in_pem).map(|node| node.instance);
        let instance = self.founding.as_ref().map(|found| found.instance.clone()).or(certificate);
        if let Some(other) = instance.filter(|instance| *instance != mine.instance) {
            return Err(FoundationError::Strangers(name.to_owned(), other, mine.instance));
        }
        match &self.founding {
            Some(found) if found.token_key != mine.token_key => {
                Err(FoundationError::OtherKey(name.to_owned()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, StoppedServer};
    use super::*;
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    /// All files that must not be lost, with their bytes.
    fn held(data: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = ["server.db", "ca/ca.pem", "ca/key.pem", "ca/token.key"].map(|file| data.join(file));
        files.into_iter().filter_map(|file| std::fs::read(&file).ok().map(|bytes| (file, bytes))).collect()
    }

    /// The data directory of a stopped server that had a node.
    async fn stopped() -> (StoppedServer, PathBuf) {
        let fixture = Fixture::start().await;
        fixture.enrolled("web1.acme.example").await;
        let data = fixture.data_dir();
        (fixture.stopped().await, data)
    }

    async fn refused(fixture: &StoppedServer, data: &Path) -> String {
        let before = held(data);
        let error = fixture.start().await.err().expect("it started").to_string();
        assert_eq!(held(data), before, "{error}");
        error
    }

    #[actix_web::test]
    async fn f35_whatever_is_missing_stops_the_start_and_nothing_is_made_in_its_place() {
        for gone in ["server.db", "ca", "ca/ca.pem", "ca/key.pem", "ca/token.key"] {
            let (fixture, data) = stopped().await;
            let (from, aside) = (data.join(gone), data.join("aside"));
            std::fs::rename(&from, &aside).unwrap();
            let error = refused(&fixture, &data).await;
            assert!(error.contains(gone) && error.contains("backup"), "{gone}: {error}");
            assert!(!from.exists(), "{gone} was made again");
            std::fs::rename(&aside, &from).unwrap();
            fixture.start().await.expect("what was put back is taken up").stop().await;
        }
    }

    #[actix_web::test]
    async fn f34_a_store_that_is_empty_or_damaged_stops_the_start() {
        for bytes in [
            &b""[..],
            b"nonsense that is not a database at all, and longer than a header of a hundred bytes..",
        ] {
            let (fixture, data) = stopped().await;
            let _none = std::fs::remove_file(data.join("server.db-wal"));
            std::fs::write(data.join("server.db"), bytes.repeat(64)).unwrap();
            let error = refused(&fixture, &data).await;
            assert!(error.contains("server.db") && error.contains("backup"), "{error}");
        }
    }

    #[actix_web::test]
    async fn f34_a_store_that_is_damaged_in_the_middle_stops_the_start() {
        let (fixture, data) = stopped().await;
        let file = data.join("server.db");
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2 / 4096 * 4096;
        bytes[middle..middle + 5 * 4096].fill(0);
        std::fs::write(&file, &bytes).unwrap();
        let error = refused(&fixture, &data).await;
        assert!(error.contains("server.db") && error.contains("backup"), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "it is as it was");
    }

    #[actix_web::test]
    async fn f36_a_store_beside_another_servers_ca_stops_the_start() {
        let ((one, first), (_two, second)) = (stopped().await, stopped().await);
        for file in ["ca.pem", "key.pem", "token.key"] {
            std::fs::copy(second.join("ca").join(file), first.join("ca").join(file)).unwrap();
        }
        let error = refused(&one, &first).await;
        assert!(error.contains("two servers"), "{error}");
    }

    #[actix_web::test]
    async fn f36_nobody_has_enrolled_and_what_is_of_another_server_stops_the_start_all_the_same() {
        let fresh = async || {
            let fixture = Fixture::start().await;
            let data = fixture.data_dir();
            (fixture.stopped().await, data)
        };
        for strange in ["server.db", "ca/token.key"] {
            let ((one, first), (_two, second)) = (fresh().await, fresh().await);
            std::fs::copy(first.join(strange), first.join("aside")).unwrap();
            std::fs::copy(second.join(strange), first.join(strange)).unwrap();
            let error = refused(&one, &first).await;
            assert!(error.contains(strange) && error.contains("one backup"), "{strange}: {error}");
            std::fs::rename(first.join("aside"), first.join(strange)).unwrap();
            one.start().await.expect("what was put back is taken up").stop().await;
        }
        let (one, first) = fresh().await;
        std::fs::rename(first.join("ca"), first.join("aside")).unwrap();
        let error = refused(&one, &first).await;
        assert!(error.contains("no CA in"), "{error}");
    }

    #[actix_web::test]
    async fn a_first_start_that_was_interrupted_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        drop(Store::open(&directory.path().join("server.db")).unwrap());
        std::fs::create_dir(directory.path().join("ca")).unwrap();
        assert!(lay(directory.path()).await.is_ok());
        assert!(lay(directory.path()).await.is_ok());
    }

    #[actix_web::test]
    async fn after_a_clean_stop_the_database_file_alone_has_everything() {
        let (_fixture, data) = stopped().await;
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(data.join("server.db"), copy.path().join("server.db")).unwrap();
        let store = Store::open(&copy.path().join("server.db")).unwrap();
        assert!(store.node("web1.acme.example".parse().unwrap()).await.unwrap().is_some());
    }

    #[actix_web::test]
    async fn a_mistyped_repository_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let repo = directory.path().join("no such thing").display().to_string();
        let config = crate::config::ServerConfig { repo, data_dir: data.clone(), ..Default::default() };
        assert!(super::super::Server::start(config).await.is_err());
        assert!(!data.join("ca").exists() && !data.join("server.db").exists());
        let scratch = crate::repo::Scratch::new();
        scratch.commit("inventory/a/acme.toml", "");
        let repo = scratch.path().display().to_string();
        let mistyped = crate::config::ServerConfig {
            repo,
            branch: "mian".into(),
            data_dir: data.clone(),
            ..Default::default()
        };
        let error = super::super::Server::start(mistyped).await.err().expect("there is no such branch");
        assert!(error.to_string().contains("mian"), "{error}");
        assert!(!data.join("ca").exists() && !data.join("server.db").exists());
        // A directory that is something else, or a mount that is missing.
        let (empty, part) = (directory.path().join("empty"), scratch.path().join("inventory"));
        std::fs::create_dir(&empty).unwrap();
        for repo in [&empty, &part] {
            let repo = repo.display().to_string();
            let config = crate::config::ServerConfig { repo, data_dir: data.clone(), ..Default::default() };
            let error =
                super::super::Server::start(config).await.err().expect("it is not a control repository");
            assert!(error.to_string().contains("is not a control repository"), "{error}");
            assert!(!data.join("ca").exists() && !data.join("server.db").exists());
        }
        let url = format!("file://{}", directory.path().join("nowhere").display());
        let config = crate::config::ServerConfig { repo: url, data_dir: data.clone(), ..Default::default() };
        assert!(super::super::Server::start(config).await.is_err());
        assert!(!data.join("mirror").exists(), "nothing was fetched into it");
        let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let listen = taken.local_addr().unwrap();
        let repo = scratch.path().display().to_string();
        let config =
            crate::config::ServerConfig { repo, listen, data_dir: data.clone(), ..Default::default() };
        let error = super::super::Server::start(config).await.err().expect("the address is taken");
        assert!(error.to_string().contains("cannot listen on"), "{error}");
        assert!(!data.join("ca").exists() && !data.join("server.db").exists());
    }
}
