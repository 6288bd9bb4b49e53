//! A running state for tests, with a store and a repository in a directory, but without a server around it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use holdfast_catalog::catalog::CatalogId;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::facts::Facts;
use holdfast_catalog::wire::CatalogRequest;
use jiff::Timestamp;

use super::{Control, ControlConfig};
use crate::identity::Caller;
use crate::identity::token::TokenKey;
use crate::repo::{Directory, Snapshot};
use crate::store::Store;
use crate::store::audit::NewAuditEntry;
use crate::store::commit::CommitStatus;
use crate::store::node::{AddOutcome, OnConflict};
use crate::store::token::NewToken;

/// The manifest with a parameter that a customer may set.
pub(super) const WEB: &str = "modules/profile/manifests/web.toml";

/// The data file of a customer.
pub(super) const ACME: &str = "hieradata/customers/acme.toml";

/// Two customers with one machine each.
const REPOSITORY: [(&str, &str); 7] = [
    ("inventory/alpinhost/acme.toml", "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n"),
    ("inventory/alpinhost/other.toml", "[\"mail1.other.example\"]\nrole = \"mail\"\nstage = \"test\"\n"),
    ("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"profile::web\"]\n"),
    ("modules/role/manifests/mail.toml", "doc = \"Mail.\"\ninclude = [\"profile::mail\"]\n"),
    (
        WEB,
        "doc = \"Web.\"\n[parameters]\nport = { type = \"Port\", default = 80, doc = \"Port.\" }\n\
         [file.\"/etc/port\"]\ncontent = \"port ${port}\"\n",
    ),
    ("modules/profile/manifests/mail.toml", "doc = \"Mail.\"\n[file.\"/etc/motd\"]\nsource = \"mail\"\n"),
    ("modules/profile/files/mail", "the mail node's file\n"),
];

/// The running state and its directories.
pub(super) struct ControlFixture {
    directory: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) control: Arc<Control>,
}

impl ControlFixture {
    /// A state with a repository that was not taken yet.
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("server.db")).unwrap();
        let config = ControlConfig {
            interval: Duration::from_secs(1_800),
            environment: "main".into(),
            compiles: 1,
            kept: None,
        };
        let control = Control::new(config, store.clone(), TokenKey::new([7; 32]));
        let scene = Self { directory, store, control };
        REPOSITORY.iter().for_each(|(path, text)| scene.put(path, text));
        scene
    }

    /// Writes a file of the repository.
    pub(super) fn put(&self, path: &str, text: &str) {
        let file = self.directory.path().join("repo").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    /// A snapshot of the repository as it is now.
    pub(super) fn snapshot(&self) -> Snapshot {
        Directory::new(self.directory.path().join("repo")).snapshot().unwrap()
    }

    /// Takes the repository as it is now. Returns its id, and what became of it.
    pub(super) async fn take(&self) -> (CommitId, CommitStatus) {
        let snapshot = self.snapshot();
        (snapshot.commit().clone(), self.control.take(snapshot).await)
    }

    /// Writes a file, and takes the repository.
    pub(super) async fn commit(&self, path: &str, text: &str) -> (CommitId, CommitStatus) {
        self.put(path, text);
        self.take().await
    }

    /// Runs `moment` while the store can neither be read nor written.
    pub(super) async fn without_store<T>(&self, moment: impl Future<Output = T>) -> T {
        let (file, aside) = (self.directory.path().join("server.db"), self.directory.path().join("aside"));
        rename(&file, &aside);
        let done = moment.await;
        rename(&aside, &file);
        done
    }

    /// A node that was added at a place, as a caller.
    pub(super) async fn caller(&self, name: &str, tenancy: &str) -> Caller {
        let now = Timestamp::now();
        let token = NewToken { id: format!("token-{name}"), secret_mac: vec![1], expires_at: now };
        let (certname, tenancy) = (name.parse().unwrap(), tenancy.parse().unwrap());
        let entry = NewAuditEntry::new(now, "uid 0", "node-added", name);
        let added = self.store.add_node(certname, tenancy, OnConflict::Keep, token, entry).await.unwrap();
        let AddOutcome::Node(node) = added else { panic!("{name} is there") };
        let (certname, generation, tenancy) = (node.certname, node.generation, node.tenancy);
        Caller { node: node.id, certname, generation, tenancy, serial: "1".to_owned() }
    }
}

fn rename(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap();
}

/// A poll with facts.
pub(super) fn asks(facts: &str, have: Option<&CatalogId>) -> CatalogRequest {
    let facts: Facts = serde_json::from_str(facts).unwrap();
    CatalogRequest { facts_hash: facts.hash(), facts: Some(facts), have: have.cloned(), agent: "test".into() }
}
