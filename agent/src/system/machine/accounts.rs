//! The accounts of a machine: read once, and again when their files have changed.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use super::{Machine, lock};
use crate::system::accounts::OtherSources;
use crate::system::command::child::{self, Bounds};
use crate::system::name_service::NameService;
use crate::system::{Accounts, Error, Inspect as _, Liveness, Result, Stat};

/// What distinguishes one version of the account files from another: identity, size, and all times but that of reading.
type Fingerprint = [Option<((u64, u64), u64, [i64; 3])>; 2];

/// The accounts that were read, and the other sources.
#[derive(Default)]
pub(in crate::system) struct KnownAccounts {
    files: Mutex<Option<(Fingerprint, Arc<Accounts>)>>,
    /// The name service; `None` if the root is not a running system.
    pub(in crate::system) others: OnceLock<Option<Arc<NameService>>>,
}

impl KnownAccounts {
    /// Forgets which names do not exist.
    pub(super) fn forget_missing(&self) {
        if let Some(Some(others)) = self.others.get() {
            others.forget_missing();
        }
    }
}

impl Machine {
    pub(super) fn read_accounts(&self) -> Result<Arc<Accounts>> {
        let now = self.account_files()?;
        let mut cached = lock(&self.accounts.files);
        if let Some((then, accounts)) = &*cached
            && *then == now
        {
            return Ok(accounts.clone());
        }
        let text = |name| self.read_text(Path::new(name)).map(Option::unwrap_or_default);
        let accounts = Accounts::parse(&text("/etc/passwd")?, &text("/etc/group")?);
        let others = self.accounts.others.get_or_init(|| self.name_service()).clone();
        let accounts = Arc::new(accounts.with(others.map(|others| others as Arc<dyn OtherSources>)));
        *cached = Some((now, accounts.clone()));
        Ok(accounts)
    }

    fn name_service(&self) -> Option<Arc<NameService>> {
        let (stop, end) = (self.stop.clone(), self.end);
        let ask = move |command: &_| {
            // It runs as the agent itself, so no account is looked up.
            child::run(command, &Accounts::default(), Bounds { stop: stop.as_deref(), end })
        };
        (self.liveness == Liveness::Live).then(|| Arc::new(NameService::new(ask)))
    }

    fn account_files(&self) -> Result<Fingerprint> {
        let seen = |name| -> Result<_> {
            let path = Path::new(name);
            let Some(opened) = self.open(path)? else { return Ok(None) };
            let precise = rustix::fs::fstat(&opened.file).map_err(|e| Error::io("looking at", path, e))?;
            #[allow(
                clippy::unnecessary_cast,
                clippy::cast_possible_wrap,
                reason = "types differ by platform"
            )]
            let nanoseconds = precise.st_mtime_nsec as i64;
            let Stat { id, size, times, .. } = opened.stat;
            Ok(Some((id, size, [times.modified, times.changed, nanoseconds])))
        };
        Ok([seen("/etc/passwd")?, seen("/etc/group")?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_running_system_is_asked_for_names_that_its_files_do_not_have() {
        let elsewhere = |root: &Path| {
            let accounts = Machine::open(root).unwrap().accounts().unwrap();
            accounts.user_elsewhere("root").unwrap().map(|user| user.uid)
        };
        assert_eq!(elsewhere(tempfile::tempdir().unwrap().path()), None);
        assert_eq!(elsewhere(Path::new("/")), Some(0), "getent knows root by whatever source");
    }
}
