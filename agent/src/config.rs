//! The agent's own settings: `agent.toml`. What the machine should be is never here.

use std::path::{Path, PathBuf};

use holdfast_catalog::log;
use holdfast_catalog::report::Mode;
use holdfast_catalog::settings::{SettingDoc, SettingsError};
use jiff::SignedDuration;
use serde::Deserialize;
use tracing_subscriber::filter::Targets;

use crate::regular;

/// The settings file, relative to the root.
pub const PATH: &str = "etc/holdfast/agent.toml";

/// The state directory, relative to the root.
const STATE_DIR: &str = "var/lib/holdfast/agent";

/// The most bytes of a settings file.
const MAX_BYTES: u64 = 1024 * 1024;

/// What each setting takes.
const SETTINGS: &[SettingDoc] = &[
    ("server", "the server's address with its port, such as \"holdfast.example.com:8140\""),
    ("state_dir", "an absolute path"),
    ("mode", "\"enforce\" or \"audit\""),
    ("interval", "a time from 1m to 24h, such as \"30m\""),
    ("run_timeout", "a time from 1m to 24h, such as \"1h\""),
    ("max_stale_days", "a number of days from 1 to 3650"),
    ("log", log::LEVEL_TAKES),
    ("log_format", log::FORMAT_TAKES),
];

/// The settings of `agent.toml`; each may be missing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The server's address, instead of the one that the join string named: `host:port`.
    pub server: Option<String>,
    /// Where identity, cache, last state and spool are kept.
    pub state_dir: Option<PathBuf>,
    /// The most that a run does: `enforce` or `audit`. It can only lower what the data asks for.
    pub mode: Mode,
    /// The time between runs, until the server has said when the next one is.
    pub interval: SignedDuration,
    /// How long a run may take. Whatever has not begun by then is skipped, and the report says so.
    pub run_timeout: SignedDuration,
    /// The number of days without confirmation by a server after which a catalog is only audited.
    pub max_stale_days: u16,
    /// What is logged, in the syntax of `HOLDFAST_LOG`, which overrides it.
    pub log: Option<String>,
    /// How it is logged, as in `HOLDFAST_LOG_FORMAT`, which overrides it.
    pub log_format: log::LogFormat,
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
            log: None,
            log_format: log::LogFormat::Text,
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the settings {path}: {error}")]
    Read { path: PathBuf, error: std::io::Error },
    /// Its content is wrong.
    #[error("the settings {path} cannot be used: {error}")]
    Wrong { path: PathBuf, error: SettingsError },
}

/// A machine as the commands see it: its root, where the agent's state is, and the settings.
#[derive(Debug, Clone)]
pub struct Installation {
    pub root: PathBuf,
    pub state_dir: PathBuf,
    pub config: Config,
}

impl Installation {
    /// Reads the settings. The file may be missing, unless it was named by `config`.
    ///
    /// # Errors
    /// Fails if they cannot be read or contain an unknown setting or a wrong value.
    pub fn find(root: &Path, config: Option<&Path>, state_dir: Option<&Path>) -> Result<Self, Error> {
        let default = root.join(PATH);
        let path = config.unwrap_or(&default);
        let config = match regular::text(path, MAX_BYTES) {
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
        let wrong = |error| Error::Wrong { path: path.to_owned(), error };
        let at = |error: &toml::de::Error| error.span().map(|span| span.start);
        let table = text.parse::<toml::Table>();
        let table = table.map_err(|error| wrong(SettingsError::syntax(text, at(&error), error.message())))?;
        if let Some(unknown) = SettingsError::unknown(text, table.keys().map(String::as_str), SETTINGS) {
            return Err(wrong(unknown));
        }
        let config: Self = toml::from_str(text)
            .map_err(|error| wrong(SettingsError::value(text, at(&error), error.message(), SETTINGS)))?;
        match config.out_of_range() {
            Some(name) => Err(wrong(SettingsError::range(text, name, SETTINGS))),
            None => Ok(config),
        }
    }

    /// The name of the first setting whose value is out of range.
    fn out_of_range(&self) -> Option<&'static str> {
        let times = SignedDuration::from_mins(1)..=SignedDuration::from_hours(24);
        let is_filter = |text: &str| text.parse::<Targets>().is_ok();
        let settings = [
            ("server", self.server.as_deref().is_none_or(is_address)),
            ("state_dir", self.state_dir.as_deref().is_none_or(Path::is_absolute)),
            ("interval", times.contains(&self.interval)),
            ("run_timeout", times.contains(&self.run_timeout)),
            ("max_stale_days", (1..=3650).contains(&self.max_stale_days)),
            ("log", self.log.as_deref().is_none_or(is_filter)),
        ];
        settings.into_iter().find(|(_, is_taken)| !is_taken).map(|(name, _)| name)
    }
}

/// Whether a text is `host:port`; an IPv6 address is in brackets.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
    };
    is_port && is_host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port_and_no_url() {
        for server in ["server.acme.example:8140", "10.0.0.1:8140", "[::1]:8140", "cfg:1"] {
            assert!(is_address(server), "{server}");
        }
        for server in ["server.acme.example", "https://s.example:8140", "s:port", "s:0", ":8140", "::1:8140"]
        {
            assert!(!is_address(server), "{server}");
        }
    }

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
        assert!(error.contains("did you mean `server`?"), "{error}");
        for (line, takes) in [
            ("interval = \"1s\"", "`interval` takes a time from 1m to 24h, such as \"30m\""),
            ("interval = 1800", "`interval` takes a time from 1m to 24h, such as \"30m\""),
            ("interval = \"-5m\"", "`interval` takes a time from 1m to 24h"),
            ("interval = \"soon\"", "`interval` takes a time from 1m to 24h"),
            ("interval = \"99999999999999999999h\"", "`interval` takes a time from 1m to 24h"),
            ("run_timeout = \"0s\"", "`run_timeout` takes a time from 1m to 24h, such as \"1h\""),
            ("run_timeout = \"25h\"", "`run_timeout` takes a time from 1m to 24h"),
            ("max_stale_days = 0", "`max_stale_days` takes a number of days from 1 to 3650"),
            ("max_stale_days = -1", "`max_stale_days` takes a number of days from 1 to 3650"),
            ("max_stale_days = 70000", "`max_stale_days` takes a number of days from 1 to 3650"),
            ("max_stale_days = 1.5", "`max_stale_days` takes a number of days from 1 to 3650"),
            ("state_dir = \"x\"", "`state_dir` takes an absolute path"),
            ("server = \"cfg.example.com\"", "`server` takes the server's address with its port"),
            ("mode = \"off\"", "`mode` takes \"enforce\" or \"audit\""),
            ("[agent]", "there is no setting `agent`; there are `server`, `state_dir`"),
        ] {
            let error = parse(&format!("# settings\n{line}\n")).unwrap_err();
            assert!(error.contains(&format!("agent.toml cannot be used: line 2: {takes}")), "{error}");
            assert!(error.ends_with(&format!("\n  2 | {line}")), "{error}");
        }
        let broken = parse("interval = \"5m\nmode = \"audit\"\n").unwrap_err();
        assert!(broken.contains("line 1: ") && broken.contains("  1 | interval = \"5m"), "{broken}");
    }

    #[test]
    fn each_setting_says_what_it_takes() {
        let refused = toml::from_str::<Config>("unheard = 1").unwrap_err().to_string();
        let (_, known) = refused.split_once("expected one of").unwrap();
        let known: Vec<_> = known.split('`').skip(1).step_by(2).collect();
        assert_eq!(known, SETTINGS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_file_is_refused_by_name_at_once() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("etc/holdfast")).unwrap();
        let path = root.path().join(PATH);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, rustix::fs::Mode::RWXU, 0).unwrap();
        let error = Installation::find(root.path(), None, None).unwrap_err().to_string();
        assert!(error.ends_with("etc/holdfast/agent.toml: it is a pipe, not a file"), "{error}");
    }

    #[test]
    fn only_a_file_that_was_asked_for_must_be_there() {
        let root = tempfile::tempdir().unwrap();
        let place = Installation::find(root.path(), None, None).unwrap();
        assert_eq!(place.state_dir, root.path().join("var/lib/holdfast/agent"));
        assert!(Installation::find(root.path(), Some(&root.path().join("x.toml")), None).is_err());
        let given = Installation::find(root.path(), None, Some(Path::new("/s"))).unwrap();
        assert_eq!(given.state_dir, Path::new("/s"));
    }
}
