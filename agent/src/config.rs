//! The agent's own settings: `agent.toml`. What the machine is to be never stands here.

use std::path::{Path, PathBuf};

use holdfast_catalog::report::Mode;
use jiff::SignedDuration;
use serde::Deserialize;

/// Where settings stand, below the root.
pub const PATH: &str = "etc/holdfast/agent.toml";

/// Where state stands, below the root.
const STATE_DIR: &str = "var/lib/holdfast/agent";

/// The settings of `agent.toml`; all may be missing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The server's address instead of the one that the join string named: `host:port`.
    pub server: Option<String>,
    /// Where identity, cache, last state and spool are kept.
    pub state_dir: Option<PathBuf>,
    /// The most that a run does: `enforce`, or `audit`. It can only lower what data asks for.
    pub mode: Mode,
    /// The time from run to run, until the server has said when the next one is.
    pub interval: SignedDuration,
    /// How long a run may take. What is not begun then is skipped, and the report says so.
    pub run_timeout: SignedDuration,
    /// Days after which a catalog that no server confirmed any more is audited and not enforced.
    pub max_stale_days: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: None,
            state_dir: None,
            mode: Mode::Enforce,
            interval: SignedDuration::from_mins(30),
            run_timeout: SignedDuration::from_hours(1),
            max_stale_days: 30,
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the settings {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What it says is wrong.
    #[error("the settings {path} cannot be used: {error}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What and where.
        error: Box<toml::de::Error>,
    },
    /// A value is out of its bounds.
    #[error("the settings {path} cannot be used: {message}")]
    Value {
        /// The file.
        path: PathBuf,
        /// Which value.
        message: String,
    },
}

/// A machine as the commands see it: its root, where the agent's state is, and the settings.
#[derive(Debug, Clone)]
pub struct Place {
    /// The managed root.
    pub root: PathBuf,
    /// The agent's state.
    pub state_dir: PathBuf,
    /// The settings.
    pub config: Config,
}

impl Place {
    /// Reads the settings; a file that was not asked for by name may be missing.
    ///
    /// # Errors
    /// Where they cannot be read or hold anything that is not known.
    pub fn find(root: &Path, config: Option<&Path>, state_dir: Option<&Path>) -> Result<Self, Error> {
        let default = root.join(PATH);
        let path = config.unwrap_or(&default);
        let config = match std::fs::read_to_string(path) {
            Ok(text) => Config::parse(path, &text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && config.is_none() => {
                Config::default()
            }
            Err(error) => return Err(Error::Read { path: path.to_owned(), error }),
        };
        let given = state_dir.map(Path::to_owned).or_else(|| config.state_dir.clone());
        Ok(Self { root: root.to_owned(), state_dir: given.unwrap_or_else(|| root.join(STATE_DIR)), config })
    }
}

impl Config {
    /// How long a run may take.
    pub fn run_timeout(&self) -> std::time::Duration {
        self.run_timeout.unsigned_abs()
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let wrong = |message: &str| Error::Value { path: path.to_owned(), message: message.to_owned() };
        let config: Self = toml::from_str(text)
            .map_err(|error| Error::Parse { path: path.to_owned(), error: Box::new(error) })?;
        let bounds = SignedDuration::from_mins(1)..=SignedDuration::from_hours(24);
        if !bounds.contains(&config.interval) {
            return Err(wrong("`interval` is from 1m to 24h"));
        }
        if !bounds.contains(&config.run_timeout) {
            return Err(wrong("`run_timeout` is from 1m to 24h"));
        }
        if config.max_stale_days == 0 {
            return Err(wrong("`max_stale_days` is at least 1"));
        }
        if config.state_dir.as_deref().is_some_and(Path::is_relative) {
            return Err(wrong("`state_dir` is an absolute path"));
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("agent.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_are_read_and_have_defaults() {
        let config = parse("interval = \"5m\"\nmode = \"audit\"\n").unwrap();
        assert_eq!(config.interval, SignedDuration::from_mins(5));
        assert_eq!((config.mode, config.max_stale_days), (Mode::Audit, 30));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let error = parse("interval = \"5m\"\nservre = \"x\"\n").unwrap_err();
        assert!(
            error.contains("agent.toml") && error.contains("line 2") && error.contains("servre"),
            "{error}"
        );
        for text in [
            "interval = \"1s\"",
            "run_timeout = \"0s\"",
            "run_timeout = \"25h\"",
            "max_stale_days = 0",
            "state_dir = \"x\"",
            "mode = \"off\"",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_file_that_was_asked_for_must_be_there() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::find(root.path(), None, None).unwrap();
        assert_eq!(place.state_dir, root.path().join("var/lib/holdfast/agent"));
        assert!(Place::find(root.path(), Some(&root.path().join("x.toml")), None).is_err());
        let given = Place::find(root.path(), None, Some(Path::new("/s"))).unwrap();
        assert_eq!(given.state_dir, Path::new("/s"));
    }
}
