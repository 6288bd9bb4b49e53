//! The server's configuration: `/etc/holdfast/server.toml`, overridden by the command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use holdfast_catalog::log;
use holdfast_catalog::settings::{SettingDoc, SettingsError};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use crate::network::files::ConnectionShares;
use crate::regular;

/// The default data directory.
pub const DATA_DIR: &str = "/var/lib/holdfast";

/// The default path of the configuration file.
pub const FILE: &str = "/etc/holdfast/server.toml";

/// The largest configuration file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The settings, each with the values that it takes.
const SETTINGS: &[SettingDoc] = &[
    ("repo", "a directory, a git repository, or the URL of one"),
    ("branch", "the name of a branch"),
    ("data_dir", "a path"),
    ("listen", "an IP address with a port, such as \"[::]:8140\""),
    ("dashboard", "an IP address with a port, such as \"[::]:8443\""),
    ("name", "only a name or an IP address, without `https://` or a port"),
    ("names", "a list of names and IP addresses, without `https://` or ports"),
    ("interval", INTERVAL),
    ("certificate_lifetime", LIFETIME),
    ("workers", WORKERS),
    ("log", log::LEVEL_TAKES),
    ("log_format", log::FORMAT_TAKES),
    ("metrics_token_file", "a path"),
];

const INTERVAL: &str = "a number of seconds from 1 to 86400";
const LIFETIME: &str = "a number of seconds from 1 to 315360000 (ten years)";
const WORKERS: &str = "a number from 1 to 1024";

/// The settings of the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// The control repository: a directory, a git repository, or the URL of one.
    pub repo: String,
    /// The branch whose commits come into force; without git, there is no branch.
    pub branch: String,
    /// Where the server keeps its state.
    pub data_dir: PathBuf,
    pub listen: SocketAddr,
    /// The address of the dashboard.
    pub dashboard: SocketAddr,
    /// The name or address at which nodes and browsers reach the server; if not set, the machine's own name.
    pub name: Option<String>,
    /// Further names and addresses for the server's certificate.
    pub names: Vec<String>,
    /// Seconds between two polls of a node.
    pub interval: u64,
    /// Seconds for which a node's certificate is valid.
    pub certificate_lifetime: u64,
    /// The number of threads that serve and of those that compile; by default the number of processors.
    pub workers: usize,
    /// What is logged, in the syntax of `HOLDFAST_LOG`, which takes precedence.
    pub log: Option<String>,
    /// The format of the log, as in `HOLDFAST_LOG_FORMAT`, which takes precedence.
    pub log_format: log::LogFormat,
    /// The file with the token that opens `/metrics` to other machines; without it, no other machine may read them.
    pub metrics_token_file: Option<PathBuf>,
    /// The number of connections of each port; if not set, it follows from the system's limit on open files.
    #[serde(skip)]
    pub connections: Option<ConnectionShares>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        let any = std::net::IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED);
        Self {
            repo: String::new(),
            branch: "main".into(),
            data_dir: DATA_DIR.into(),
            listen: SocketAddr::new(any, 8140),
            dashboard: SocketAddr::new(any, 8443),
            name: None,
            names: Vec::new(),
            interval: 30 * 60,
            certificate_lifetime: 7 * 24 * 3600,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            log: None,
            log_format: log::LogFormat::Text,
            metrics_token_file: None,
            connections: None,
        }
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file is wrong.
    #[error("{}: {source}", path.display())]
    Wrong { path: PathBuf, source: SettingsError },
    /// Neither the file nor the command line names a repository.
    #[error("which control repository? give --repo DIR or --repo URL, or `repo = \"…\"` in {FILE}")]
    NoRepository,
    /// A name that is not a name or address of this machine, such as a URL.
    #[error(
        "`{0}` is not a valid machine name: give only the name or the IP address, without `https://` or a port"
    )]
    Name(String),
    /// A setting has a value that it does not take.
    #[error("`{0}` takes {1}")]
    Range(&'static str, &'static str),
}

impl ServerConfig {
    /// Reads a configuration file. If none is named, reads [`FILE`] if it exists, and otherwise returns the defaults.
    ///
    /// # Errors
    /// Returns an error if a named file cannot be read, or if anything in the file is unknown or of the wrong type.
    pub fn read(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(Path::new(FILE));
        let text = match regular::text(path, MAX_BYTES) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => return Err(ConfigError::Unreadable { path: path.to_owned(), source }),
        };
        let wrong = |source| ConfigError::Wrong { path: path.to_owned(), source };
        let at = |error: &toml::de::Error| error.span().map(|span| span.start);
        let table = text.parse::<toml::Table>();
        let table =
            table.map_err(|error| wrong(SettingsError::syntax(&text, at(&error), error.message())))?;
        if let Some(unknown) = SettingsError::unknown(&text, table.keys().map(String::as_str), SETTINGS) {
            return Err(wrong(unknown));
        }
        let config: Self = toml::from_str(&text)
            .map_err(|error| wrong(SettingsError::value(&text, at(&error), error.message(), SETTINGS)))?;
        match config.out_of_range() {
            Some((name, _)) => Err(wrong(SettingsError::range(&text, name, SETTINGS))),
            None => Ok(config),
        }
    }

    /// The first setting whose value is out of range, and the values that it takes.
    fn out_of_range(&self) -> Option<(&'static str, &'static str)> {
        let is_filter = |text: &String| text.parse::<EnvFilter>().is_ok();
        let values = [
            ("interval", INTERVAL, (1..=86_400).contains(&self.interval)),
            ("certificate_lifetime", LIFETIME, (1..=315_360_000).contains(&self.certificate_lifetime)),
            ("workers", WORKERS, (1..=1_024).contains(&self.workers)),
            ("log", log::LEVEL_TAKES, self.log.as_ref().is_none_or(is_filter)),
        ];
        values.into_iter().find(|(.., is_taken)| !is_taken).map(|(name, takes, _)| (name, takes))
    }

    /// Checks the rules that concern the settings together.
    ///
    /// # Errors
    /// Returns an error if something is missing or out of range.
    pub fn checked(self) -> Result<Self, ConfigError> {
        if self.repo.is_empty() {
            return Err(ConfigError::NoRepository);
        }
        if let Some(name) = self.name.iter().chain(&self.names).find(|name| !is_name(name)) {
            return Err(ConfigError::Name(name.clone()));
        }
        match self.out_of_range() {
            Some((name, takes)) => Err(ConfigError::Range(name, takes)),
            None => Ok(self),
        }
    }

    /// The name by which nodes and browsers reach the server.
    pub fn name(&self) -> String {
        let own = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        self.name.clone().unwrap_or_else(|| match self.listen.ip() {
            ip if ip.is_unspecified() => own(),
            ip => ip.to_string(),
        })
    }

    /// The names and addresses for the server's certificate, each once: the configured ones, and the addresses that the
    /// server listens on.
    pub fn all_names(&self) -> Vec<String> {
        let bound = [self.listen.ip(), self.dashboard.ip()].into_iter().filter(|ip| !ip.is_unspecified());
        let mut names = vec![self.name()];
        names.extend(self.names.iter().cloned().chain(bound.map(|ip| ip.to_string())));
        names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }
}

/// Whether `name` can be in a certificate and in a join string: a host name or an IP address.
fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    name.parse::<std::net::IpAddr>().is_ok() || (!name.is_empty() && name.bytes().all(is_letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ServerConfig, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.toml");
        std::fs::write(&path, text).unwrap();
        ServerConfig::read(Some(&path))
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let config = read("repo = \"/srv/control\"\ninterval = 60\n").unwrap().checked().unwrap();
        assert_eq!((config.interval, config.listen.port(), &*config.branch), (60, 8140, "main"));
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let error = read("repo = \"x\"\nintervall = 60\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("interval"), "{error}");
    }

    #[test]
    fn a_server_needs_a_repository_and_time() {
        assert!(matches!(read("").unwrap().checked(), Err(ConfigError::NoRepository)));
        let told = |config: ServerConfig| config.checked().unwrap_err().to_string();
        let given = ServerConfig { repo: "x".into(), interval: 0, ..ServerConfig::default() };
        assert_eq!(told(given), "`interval` takes a number of seconds from 1 to 86400");
    }

    #[test]
    fn what_is_not_taken_is_shown_with_its_line_and_what_is() {
        for (line, takes) in [
            ("interval = 0", "`interval` takes a number of seconds from 1 to 86400"),
            ("interval = -1", "`interval` takes a number of seconds from 1 to 86400"),
            ("interval = \"30m\"", "`interval` takes a number of seconds from 1 to 86400"),
            ("interval = 9000000000", "`interval` takes a number of seconds from 1 to 86400"),
            (
                "certificate_lifetime = 0",
                "`certificate_lifetime` takes a number of seconds from 1 to 315360000",
            ),
            ("workers = 100000", "`workers` takes a number from 1 to 1024"),
            ("listen = \"8140\"", "`listen` takes an IP address with a port, such as \"[::]:8140\""),
            ("names = \"a\"", "`names` takes a list of names and IP addresses"),
            ("log = \"a=b=c\"", "`log` takes a level such as \"info\""),
            ("log_format = \"xml\"", "`log_format` takes \"text\" or \"json\""),
            ("intervall = 60", "there is no setting `intervall`; did you mean `interval`?"),
        ] {
            let error = read(&format!("repo = \"x\"\n{line}\n")).unwrap_err().to_string();
            assert!(error.contains(&format!("server.toml: line 2: {takes}")), "{error}");
            assert!(error.ends_with(&format!("\n  2 | {line}")), "{error}");
        }
    }

    #[test]
    fn each_setting_says_what_it_takes() {
        let refused = toml::from_str::<ServerConfig>("unheard = 1").unwrap_err().to_string();
        let (_, known) = refused.split_once("expected one of").unwrap();
        let known: Vec<_> = known.split('`').skip(1).step_by(2).collect();
        assert_eq!(known, SETTINGS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_file_is_refused_by_name_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.toml");
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, rustix::fs::Mode::RWXU, 0).unwrap();
        let error = ServerConfig::read(Some(&path)).unwrap_err().to_string();
        assert!(error.ends_with("server.toml: it is a pipe, not a file"), "{error}");
    }

    #[test]
    fn a_name_that_leads_nowhere_is_refused() {
        let with = |name: &str| read(&format!("repo='x'\nname='{name}'")).unwrap().checked();
        for wrong in ["https://cfg.example.com", "cfg.example.com:8140", "cfg.example.com/x", ""] {
            assert!(matches!(with(wrong), Err(ConfigError::Name(_))), "{wrong}");
        }
        for right in ["cfg.example.com", "cfg", "192.0.2.1", "2001:db8::1"] {
            assert!(with(right).is_ok(), "{right}");
        }
    }

    #[test]
    fn a_named_file_must_be_there() {
        assert!(ServerConfig::read(Some(Path::new("/nonexistent/server.toml"))).is_err());
    }
}
