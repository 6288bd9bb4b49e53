//! What one run leaves for the next: how each resource was left, and refreshes that are still owed.
//!
//! Values are kept as keyed fingerprints, never in the clear. What cannot be read is set aside, and the report says so;
//! that never stops a run.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use hmac::{Hmac, Mac as _};
use holdfast_catalog::catalog::CatalogId;
use holdfast_catalog::count::counted;
use holdfast_catalog::resource::ResourceRef;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Error;
use crate::provider::Notice;
use crate::state::unfit;
use crate::system::{Inspect as _, Machine, Permissions, System as _, write_durably};

mod disown;
mod doubt;
mod end;
mod faults;
mod past;
mod secrets;

pub(crate) use disown::disown;
pub(crate) use doubt::{MAX_BYTES as MAX_MARK, PUT_BACK, UNENDED, split as split_mark};
pub(super) use end::End;
pub(crate) use faults::faults;
pub(super) use past::Past;

const LEFT: &str = "/left.json";
const KEY: &str = "/left.key";
const OWED: &str = "/owed.json";
/// Package holds that are released for a transaction. The package provider writes and reads this file.
const HOLDS: &str = "/holds.json";
/// The files that one run leaves for the next and that cannot be recreated.
pub(crate) const FILES: [&str; 5] = ["left.key", "left.json", "owed.json", "unended", "holds.json"];
const VERSION: u32 = 2;
const MAX_BYTES: u64 = 256 * 1024 * 1024;
const PRIVATE: Permissions = Permissions { mode: 0o600, uid: None, gid: None };

/// Fingerprints by property, or by `path:property` for members of a directory.
type Properties = BTreeMap<String, String>;

/// What the last enforcing run left.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    resources: BTreeMap<String, LastState>,
    /// Paths that an earlier catalog named, the last one did not, and that still existed.
    gone: BTreeSet<String>,
    /// Paths where an earlier catalog put a secret that has not been replaced since.
    secret: BTreeSet<String>,
}

/// The state in which a resource was left.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastState {
    /// The wanted values that were seen on the machine at the end of the run. Nothing else can drift.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    wanted: Properties,
    /// The fingerprint of the other attributes, which say what is managed and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rules: Option<String>,
    /// Attributes that were secret, kept as long as the machine may still have their values.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    secret: BTreeSet<String>,
    /// The paths that it named, apart from its title.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    names: BTreeSet<String>,
    /// The last values of properties that follow a moving target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    stood: Properties,
    /// A failure that no comparison with the machine shows. The next run reports it once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    half: Option<String>,
    /// When a run began that did not end and that may have caused what differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doubt: Option<String>,
    /// The wanted values seen before that run, and not since.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    doubtful: Properties,
}

/// A refresh that is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Debt {
    pub(super) reload: bool,
    pub(super) by: String,
}

impl Debt {
    pub(super) fn new(notice: Notice, by: &str) -> Self {
        Self { reload: notice == Notice::Reload, by: by.to_owned() }
    }

    /// Adds this notice to the debt; returns whether that increases it.
    pub(super) fn also(&mut self, notice: Notice) -> bool {
        let is_more = self.reload && notice == Notice::Refresh;
        self.reload &= !is_more;
        is_more
    }

    pub(super) fn notice(&self) -> Notice {
        if self.reload { Notice::Reload } else { Notice::Refresh }
    }
}

/// Owed refreshes, by the resource to refresh.
pub(super) type Owed = BTreeMap<ResourceRef, Debt>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwedFile {
    version: u32,
    owed: Owed,
}

/// The first line of the file that describes how resources were left; the second line has the rest. A run with nothing
/// to do reads no further.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    catalog: CatalogId,
    /// The fingerprint of nothing: shows whether the key is still the same.
    check: String,
    /// Everything that was enforced was seen to be as wanted. A run that ends the same way with the same catalog adds
    /// nothing.
    whole: bool,
    /// Whether something in the rest was secret.
    secrets: bool,
    /// Whether something in the rest failed half way.
    half: bool,
}

/// What runs remember, in the agent's state directory.
pub(super) struct RunMemory {
    dir: Machine,
    mac: Hmac<Sha256>,
    catalog: CatalogId,
    header: OnceCell<Option<Header>>,
    left: OnceCell<Left>,
    once_secret: OnceCell<BTreeSet<String>>,
    notes: RefCell<Vec<String>>,
    /// The mark of an earlier run that did not end, or of later runs that this memory does not know.
    in_doubt: Option<String>,
    /// The resources that such a run was working on and whose progress no comparison shows.
    interrupted: Vec<String>,
    /// When this run began to change the machine, once it has; or the start of the run that did not end.
    began: OnceCell<String>,
}

impl RunMemory {
    /// Opens the state directory, which nobody but the agent may access.
    ///
    /// If it is older than the last report, nothing in it is believed.
    pub(super) fn open(path: &Path, catalog: &CatalogId, is_older: bool) -> Result<Self, Error> {
        let dir = Machine::open(path)?;
        let own = rustix::process::geteuid().as_raw();
        if let Some(stat) = dir.lstat(Path::new("/"))?
            && (stat.mode & 0o077 != 0 || stat.uid != own)
        {
            return Err(Error::OpenState { path: path.to_owned(), mode: stat.mode, uid: stat.uid });
        }
        let mut memory = Self {
            dir,
            mac: keyed(&[0; 32]),
            catalog: catalog.clone(),
            header: OnceCell::new(),
            left: OnceCell::new(),
            once_secret: OnceCell::new(),
            notes: RefCell::default(),
            in_doubt: None,
            interrupted: Vec::new(),
            began: OnceCell::new(),
        };
        memory.mac = keyed(&memory.key()?);
        if let Some(mark) = memory.mark() {
            (memory.in_doubt, memory.interrupted) = (Some(mark.began), mark.at);
        }
        memory.judge_holds();
        if is_older {
            memory.put_back();
        }
        memory.in_doubt.iter().for_each(|began| memory.note(doubt::words(began)));
        Ok(memory)
    }

    /// Notes what could not be kept. This run reports it, since the next one could not know.
    fn note(&self, words: String) {
        tracing::warn!("{words}");
        self.notes.borrow_mut().push(words);
    }

    /// Makes the next run believe nothing of what was left. Removing the file needs no disk space.
    fn forget_left(&self) {
        let done = self.dir.remove(Path::new(LEFT)).and_then(|()| self.dir.settle());
        if let Err(error) = done {
            self.note(format!(
                "the record of an earlier run could not be replaced, although this run changed the machine: the next \
                 run may report changes by this run as drift ({error})"
            ));
        }
    }

    /// Notes about the memory itself.
    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.take()
    }

    /// The refreshes that earlier runs owe.
    pub(super) fn owed(&self) -> Owed {
        let read = || -> Result<Owed, String> {
            let bytes = self.dir.read(Path::new(OWED), MAX_BYTES).map_err(|error| error.to_string())?;
            let Some(bytes) = bytes else { return Ok(Owed::new()) };
            let file: OwedFile = serde_json::from_slice(&bytes).map_err(|error| unfit(&error))?;
            Ok(file.owed)
        };
        read().unwrap_or_else(|why| {
            self.put_aside(OWED, &why, "refreshes left by earlier runs are not done");
            Owed::new()
        })
    }

    /// Records what is owed, before anything is changed. A full disk must not keep the machine from being corrected.
    pub(super) fn write_owed(&self, owed: &Owed) {
        let done = if owed.is_empty() {
            self.dir.remove(Path::new(OWED)).and_then(|()| self.dir.settle())
        } else {
            let file = OwedFile { version: VERSION, owed: owed.clone() };
            let bytes = serde_json::to_vec(&file).unwrap_or_default();
            write_durably(&self.dir, Path::new(OWED), PRIVATE, &bytes)
        };
        if let Err(error) = done {
            self.note(format!("cannot record pending refreshes: a kill would lose them ({error})"));
        }
    }

    fn left(&self) -> &Left {
        self.left.get_or_init(|| match self.read_left() {
            Ok(left) => left,
            Err(why) => {
                self.forget(&why);
                Left::default()
            }
        })
    }

    fn read_left(&self) -> Result<Left, String> {
        let Some(header) = self.header() else { return Ok(Left::default()) };
        if header.check != self.fingerprint("") {
            return Err("it has another key".to_owned());
        }
        let opened = self.dir.open(Path::new(LEFT)).map_err(|e| e.to_string())?;
        let Some(opened) = opened else { return Ok(Left::default()) };
        let mut file = BufReader::new(opened.file.take(MAX_BYTES));
        file.skip_until(b'\n').map_err(|e| e.to_string())?;
        serde_json::from_reader(file).map_err(|e| unfit(&e))
    }

    fn header(&self) -> Option<&Header> {
        let read = || -> Result<Option<Header>, String> {
            let opened = self.dir.open(Path::new(LEFT)).map_err(|e| e.to_string())?;
            let Some(opened) = opened else { return Ok(None) };
            let mut line = String::new();
            BufReader::new(opened.file.take(4096)).read_line(&mut line).map_err(|e| e.to_string())?;
            let header: Header = serde_json::from_str(&line).map_err(|e| unfit(&e))?;
            if header.version == VERSION {
                Ok(Some(header))
            } else {
                Err("it is of another version".to_owned())
            }
        };
        self.header
            .get_or_init(|| {
                read().unwrap_or_else(|why| {
                    self.forget(&why);
                    None
                })
            })
            .as_ref()
    }

    fn write_left(&self, header: &Header, left: &Left) -> bool {
        let mut bytes = serde_json::to_vec(header).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend(serde_json::to_vec(left).unwrap_or_default());
        let done = write_durably(&self.dir, Path::new(LEFT), PRIVATE, &bytes);
        if let Err(error) = &done {
            self.note(format!(
                "cannot record what this run left: the next run cannot tell drift from intentional changes ({error})"
            ));
        }
        done.is_ok()
    }

    /// Discards what is known of earlier runs.
    fn forget(&self, why: &str) {
        self.put_aside(LEFT, why, "this run cannot tell drift from intentional changes");
    }

    fn put_aside(&self, name: &str, why: &str, so: &str) {
        let name = name.trim_start_matches('/');
        let aside = format!("{name}.unreadable");
        let moved = self.dir.put_aside(&Path::new("/").join(name), &aside).and_then(|()| self.dir.settle());
        let done = match moved {
            Ok(()) => format!("was set aside as {aside}"),
            Err(error) => format!("could not be set aside either ({error})"),
        };
        self.note(format!("{name} in the agent's memory cannot be used ({why}) and {done}: {so}"));
    }

    /// Checks the file of released holds: if it cannot be read, those holds are lost, whichever resource asks for them
    /// later.
    fn judge_holds(&self) {
        let read = self.dir.read(Path::new(HOLDS), MAX_BYTES).map_err(|error| error.to_string());
        if let Err(why) = read.and_then(|bytes| bytes.map_or(Ok(()), |bytes| faults::holds(&bytes))) {
            let so = "packages whose hold an earlier run released, and did not set again, are not on hold: `apt-mark showhold` says \
                      which are";
            self.put_aside(HOLDS, &why, so);
        }
    }

    /// The key of the fingerprints, which the first run makes.
    fn key(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        match self.dir.read(Path::new(KEY), 32) {
            Ok(Some(key)) if key.len() == 32 => return Ok(Zeroizing::new(key)),
            Ok(None) => {}
            Ok(Some(key)) => {
                let size = counted(key.len(), "byte", "bytes");
                self.put_aside(KEY, &format!("it has {size}"), "a new one is made");
            }
            Err(error) => self.put_aside(KEY, &error.to_string(), "a new one is made"),
        }
        let mut key = Zeroizing::new(vec![0; 32]);
        getrandom::fill(&mut key).map_err(|_| Error::NoRandomness)?;
        if let Err(error) = write_durably(&self.dir, Path::new(KEY), PRIVATE, &key) {
            self.note(format!(
                "{KEY} could not be saved: the next run cannot tell drift from intentional changes ({error})"
            ));
        }
        Ok(key)
    }

    fn fingerprint(&self, value: &str) -> String {
        let mut mac = self.mac.clone();
        mac.update(value.as_bytes());
        data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes()[..8])
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as hmac::Mac>::new_from_slice(key).expect("HMAC takes keys of any length")
}
