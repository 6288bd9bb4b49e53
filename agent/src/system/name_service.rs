//! The name service switch (nsswitch.conf(5)): accounts that are in none of the root's own files, such as those of LDAP.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::accounts::{Database, OtherSources};
use super::{Error, Exit, Invocation, Output, Result};

/// How long a directory of accounts may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The exit code of `getent` if there is no such entry. Any other code does not say that.
const NO_SUCH_ENTRY: i32 = 2;

type Ask = Box<dyn Fn(&Invocation) -> Result<Output> + Send + Sync>;
type Answer = std::result::Result<Option<String>, String>;

/// Answers of the name service. Each name is asked for once in a run.
pub(super) struct NameService {
    ask: Ask,
    known: Mutex<HashMap<(Database, String), Answer>>,
}

impl fmt::Debug for NameService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameService").finish_non_exhaustive()
    }
}

impl NameService {
    /// Makes a name service that runs its commands with `ask`.
    pub(super) fn new(ask: impl Fn(&Invocation) -> Result<Output> + Send + Sync + 'static) -> Self {
        Self { ask: Box::new(ask), known: Mutex::default() }
    }

    /// Forgets which names do not exist: they may exist after a change.
    pub(super) fn forget_missing(&self) {
        self.known().retain(|_, answer| !matches!(answer, Ok(None)));
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(Database, String), Answer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self, database: Database, key: &str) -> Answer {
        let command = Invocation::new(["getent", database.name(), key]).timeout(PATIENCE);
        let output = match (self.ask)(&command) {
            Ok(output) => output,
            // Without `getent`, there is no other source that it could ask.
            Err(Error::Spawn { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(error.to_string()),
        };
        match output.exit {
            Exit::Code(0) => Ok(output.text().lines().next().map(str::to_owned)),
            Exit::Code(NO_SUCH_ENTRY) => Ok(None),
            exit => Err(format!("`{}` {}", command.command, exit.of_failure(&output.last_words()))),
        }
    }
}

impl OtherSources for NameService {
    fn line(&self, database: Database, key: &str) -> Answer {
        // The lock is kept while `getent` runs, so that whoever asks for the same name waits for the one answer.
        let mut known = self.known();
        known.entry((database, key.to_owned())).or_insert_with(|| self.asked(database, key)).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::system::double::{failed, said};

    #[test]
    fn each_name_is_asked_for_once_and_one_that_was_missing_again_after_a_change() {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let names = NameService::new(move |command| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(match command.command.to_string().as_str() {
                "getent passwd ldapu" => said("ldapu:*:60001:60001::/home/ldapu:/bin/sh\n"),
                "getent passwd slow" => Output { exit: Exit::TimedOut(PATIENCE), ..said("") },
                "getent passwd broken" => failed(3, "no such database"),
                _ => failed(NO_SUCH_ENTRY, ""),
            })
        });
        for _ in 0..2 {
            let line = |key| names.line(Database::Passwd, key);
            assert!(line("ldapu").unwrap().unwrap().starts_with("ldapu:*:60001"));
            assert_eq!(line("ghost"), Ok(None));
            assert!(line("slow").unwrap_err().starts_with("`getent passwd slow` was ended after"));
            assert!(line("broken").unwrap_err().ends_with("failed with exit code 3: no such database"));
        }
        assert_eq!(count.load(Ordering::Relaxed), 4);
        names.forget_missing();
        assert_eq!((names.line(Database::Passwd, "ghost"), count.load(Ordering::Relaxed)), (Ok(None), 5));
        assert!(names.line(Database::Passwd, "slow").is_err());
        assert_eq!(count.load(Ordering::Relaxed), 5, "nobody waits twice for what does not answer");
    }
}
