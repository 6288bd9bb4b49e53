//! Package lists of new sources, fetched by apt while their files do not stand in its directory yet.
//!
//! The lists of other sources are neither fetched nor removed, so that one that does not answer holds up nobody. Where some
//! of the new ones fail together, each is tried alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::provider::package::{quietly, run_unlocked};
use crate::provider::{Error, Writing};
use crate::system::{Access, Inspect as _, Invocation, Machine, System as _};

/// The program.
pub const APT: &str = "/usr/bin/apt-get";

/// A mirror may be slow, and lists are long.
const TIMEOUT: Duration = Duration::from_secs(900);

/// Below the agent's state.
const DIRECTORY: &str = "/apt-sources";

const PRIVATE: Access = Access { mode: 0o700, uid: None, gid: None };

/// Names and texts of sources.
type Sources<'a> = [(&'a str, String)];

/// Fetches the lists of these sources. Answers with those that failed, and why.
pub fn lists(sources: &Sources<'_>, writing: Writing<'_>) -> BTreeMap<String, Error> {
    let mut failed = BTreeMap::new();
    let Err(error) = together(sources, writing) else { return failed };
    if let [(name, _)] = sources {
        failed.insert((*name).to_owned(), error);
        return failed;
    }
    for one in sources {
        if let Err(error) = together(std::slice::from_ref(one), writing) {
            failed.insert(one.0.to_owned(), error);
        }
    }
    failed
}

/// In one run of apt, which sees these sources and no others.
fn together(sources: &Sources<'_>, writing: Writing<'_>) -> Result<(), Error> {
    if sources.is_empty() {
        return Ok(());
    }
    let state = Machine::open(writing.state_dir)?;
    let place = Path::new(DIRECTORY);
    if state.lstat(place)?.is_some() {
        state.remove_tree(place)?;
    }
    state.make_dir(place, PRIVATE)?;
    for (name, text) in sources {
        let path = place.join(format!("{name}.sources"));
        let access = Access { mode: 0o600, ..PRIVATE };
        let _ = state.stage(&path, access, &mut text.as_bytes())?.commit()?;
    }
    let fetched = run_unlocked(writing.machine, &update(&writing.state_dir.join(&DIRECTORY[1..])));
    state.remove_tree(place)?;
    fetched.map(|_| ())
}

fn update(sources: &Path) -> Invocation {
    let parts = format!("Dir::Etc::sourceparts={}", sources.display());
    let options = [
        "Dir::Etc::sourcelist=/dev/null",
        &parts,
        "APT::Get::List-Cleanup=0",
        // Without it, apt is content with lists of which it got some.
        "APT::Update::Error-Mode=any",
    ];
    let options = options.into_iter().flat_map(|option| ["-o", option]);
    quietly(["apt-get", "-q"].into_iter().chain(options).chain(["update"])).timeout(TIMEOUT)
}
