//! Who this machine is: its name, its key pair and the CA that it trusts, as the server gave them.
//!
//! All of this is in one file that is replaced as a whole, so no crash leaves half an identity.

use holdfast_catalog::certname::Certname;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::clock::now;
use crate::keypair::KeyPair;
use crate::state::{self, StateDir};

pub mod enroll;
pub mod owner;
pub mod renew;

/// The directory of identities.
const DIRECTORY: &str = "identity";

/// The identity's file in its directory.
const FILE: &str = "identity.json";

/// The most bytes of the identity's file.
const MAX_BYTES: u64 = 256 * 1024;

/// The version of the file that this agent writes. A newer one is refused; unknown fields in the same version are kept.
const VERSION: u32 = 1;

/// The identity of this machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    /// The version of the file.
    #[serde(default = "first_version")]
    pub version: u32,
    /// The node's name, which the server gave.
    pub certname: Certname,
    pub server: String,
    /// The trusted CA certificates, in PEM.
    pub roots: String,
    /// What distinguishes this enrolment from all others of this machine; `None` if an older agent enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<uuid::Uuid>,
    pub current: KeyPair,
    /// The key pair before the last renewal, kept until the new one has worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<KeyPair>,
    /// A note that the previous key pair is in use, since the newer one is damaged.
    #[serde(skip)]
    pub note: Option<String>,
    /// Fields that another version of the agent wrote.
    #[serde(flatten)]
    pub others: std::collections::BTreeMap<String, serde_json::Value>,
}

fn first_version() -> u32 {
    VERSION
}

/// Why there is no usable identity.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This machine was never enrolled.
    #[error(
        "this machine is not enrolled: run `holdfast node add NAME` on the server and give its join string to `holdfast-agent enroll`"
    )]
    NotEnrolled,
    /// This machine is enrolled already.
    #[error(
        "this machine is enrolled as {0}, and its server {1}; `holdfast-agent enroll --replace` sets that identity aside for the new one"
    )]
    Enrolled(Certname, String),
    /// A newer agent wrote the identity.
    #[error(
        "the identity in {path} is from a newer version ({version}) of holdfast-agent, and is intact: install that version again"
    )]
    Newer { path: std::path::PathBuf, version: u32 },
    /// The file is damaged.
    #[error(
        "the identity in {path} is damaged ({error}): give a new join string to `holdfast-agent enroll`, which sets it aside"
    )]
    Damaged {
        path: std::path::PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// What the server sent cannot be used.
    #[error("the server's answer cannot be used: {0}")]
    Answer(String),
    /// The key could not be made.
    #[error("cannot make a key: {0}")]
    Key(#[from] rcgen::Error),
    /// State cannot be read or written.
    #[error(transparent)]
    State(#[from] state::Error),
    /// The server could not be reached, or refused.
    #[error(transparent)]
    Fetch(#[from] crate::fetch::Error),
}

/// The version of an identity, whatever else the file contains.
#[derive(Deserialize)]
struct FormatVersion {
    #[serde(default = "first_version")]
    version: u32,
}

impl Identity {
    /// Reads the identity.
    ///
    /// # Errors
    /// Fails if there is none, or it is damaged.
    pub fn load(state: &StateDir) -> Result<Self, Error> {
        if let Some(path) = in_the_way(state) {
            return Err(Error::Damaged { path, error: "it is not a directory".to_owned() });
        }
        let dir = state.below(DIRECTORY)?;
        let path = || dir.path().join(FILE);
        let damaged = |error: String| Error::Damaged { path: path(), error };
        let is_other = |found: std::fs::Metadata| !found.is_file();
        if path().symlink_metadata().is_ok_and(is_other) {
            return Err(damaged("it is not a file".to_owned()));
        }
        let bytes = match dir.read(FILE, MAX_BYTES) {
            Err(error @ state::Error::TooLarge(..)) => return Err(damaged(error.to_string())),
            read => Zeroizing::new(read?.ok_or(Error::NotEnrolled)?),
        };
        if let Ok(FormatVersion { version }) = serde_json::from_slice(&bytes)
            && version > VERSION
        {
            return Err(Error::Newer { path: path(), version });
        }
        let mut identity: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if let Err(error) = identity.current.usable() {
            let before = identity.previous.take().filter(|before| before.usable().is_ok());
            identity.current = before.ok_or_else(|| damaged(error.clone()))?;
            let why = "the identity was damaged ({error}): the certificate from before the last renewal is used again";
            identity.note = Some(why.replace("{error}", &error));
        }
        Ok(identity)
    }

    /// Sets aside whatever is in place of the directory of identities; it cannot contain one.
    fn make_room(state: &StateDir) {
        if let Some(path) = in_the_way(state) {
            // Logged after it is done: it is done whether or not anyone reads the log.
            let note = state::put_aside_noted(&path, "a directory");
            tracing::warn!("{note}");
        }
    }

    /// Sets the identity aside, whatever is in it, so this machine can be enrolled anew. Nothing of it is lost.
    ///
    /// # Errors
    /// Fails if it cannot be moved.
    pub fn put_aside(state: &StateDir) -> Result<(), Error> {
        let dir = state.below(DIRECTORY)?;
        let aside = dir.below(&format!("before-{}", now().strftime("%Y%m%dT%H%M%SZ")))?;
        if dir.path().join(FILE).symlink_metadata().is_ok() {
            dir.hand_over(FILE, &aside)?;
        }
        // What earlier runs left to report does not belong to the next node, which the server has never heard from
        // either.
        Ok(state.discard(crate::status::FILE)?)
    }

    /// Stores the identity as a whole.
    ///
    /// # Errors
    /// Fails if it cannot be written; then the old one is still there.
    pub fn store(&self, state: &StateDir) -> Result<(), Error> {
        let json = Zeroizing::new(serde_json::to_vec_pretty(self).unwrap_or_default());
        Ok(state.below(DIRECTORY)?.replace(FILE, &json)?)
    }
}

/// The path of whatever is in place of the directory of identities, if it is not a directory.
fn in_the_way(state: &StateDir) -> Option<std::path::PathBuf> {
    let path = state.path().join(DIRECTORY);
    path.symlink_metadata().is_ok_and(|found| !found.is_dir()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_identity_is_told_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("s")).unwrap();
        assert!(matches!(Identity::load(&state), Err(Error::NotEnrolled)));
        state.below("identity").unwrap().replace(FILE, b"{\"certname\":").unwrap();
        let error = Identity::load(&state).unwrap_err().to_string();
        assert!(error.contains("identity.json") && error.contains("enroll"), "{error}");
    }

    #[test]
    fn f20_a_damaged_pair_gives_way_to_the_one_before_and_that_is_said() {
        let (_dir, state, mut file) = stored();
        let good = file["current"].clone();
        for (part, damage) in [("certificate", "cut"), ("key", "cut")] {
            file["current"] = good.clone();
            file["current"][part] = damage.into();
            file["previous"] = serde_json::Value::Null;
            let put = |file: &serde_json::Value| {
                state.below("identity").unwrap().replace(FILE, &serde_json::to_vec(file).unwrap()).unwrap();
            };
            put(&file);
            assert!(matches!(Identity::load(&state), Err(Error::Damaged { .. })), "{part}");
            file["previous"] = good.clone();
            put(&file);
            let identity = Identity::load(&state).unwrap();
            assert!(identity.note.unwrap().contains("before the last renewal is used again"), "{part}");
            assert_eq!(identity.current.key.pem(), good["key"].as_str().unwrap());
        }
    }

    fn stored() -> (tempfile::TempDir, StateDir, serde_json::Value) {
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = rcgen::CertificateParams::default().self_signed(&key).unwrap().pem();
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("s")).unwrap();
        let pair = serde_json::json!({ "key": key.serialize_pem(), "certificate": pem, "hardware": "tpm" });
        let file = serde_json::json!({
            "certname": "web1.acme.example", "server": "s:1", "roots": pem, "current": pair, "zone": "eu",
        });
        (dir, state, file)
    }

    #[test]
    fn f28_what_another_version_wrote_beside_is_kept_and_only_a_newer_form_is_refused() {
        let (_dir, state, mut file) = stored();
        let put = |file: &serde_json::Value| {
            let json = serde_json::to_vec(file).unwrap();
            state.below("identity").unwrap().replace(FILE, &json).unwrap();
        };
        put(&file);
        let identity = Identity::load(&state).unwrap();
        identity.store(&state).unwrap();
        assert_eq!(Identity::load(&state).unwrap().others["zone"], "eu");
        file["version"] = 2.into();
        file["current"] = "another form".into();
        put(&file);
        let error = Identity::load(&state).unwrap_err().to_string();
        assert!(error.contains("newer version (2)") && !error.contains("enroll"), "{error}");
    }
}
