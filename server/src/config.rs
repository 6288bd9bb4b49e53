//! The server's configuration: `/etc/holdfast/server.toml`, under what the command line says.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::network::files::Shares;

/// Where the server keeps its state.
pub const DATA_DIR: &str = "/var/lib/holdfast";

/// Where its configuration is.
pub const FILE: &str = "/etc/holdfast/server.toml";

/// What the server is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The control repository: a directory, a git repository, or the URL of one.
    pub repo: String,
    /// The branch that is in force; without git, there is none to name.
    pub branch: String,
    /// Where the server keeps its state.
    pub data_dir: PathBuf,
    /// Where agents connect.
    pub listen: SocketAddr,
    /// Where the dashboard is.
    pub dashboard: SocketAddr,
    /// The name or address by which nodes and browsers reach the server; the machine's own name without it.
    pub name: Option<String>,
    /// Other names and addresses for the server's certificate.
    pub names: Vec<String>,
    /// Seconds between two polls of a node.
    pub interval: u64,
    /// Seconds for which a node's certificate is valid.
    pub certificate_lifetime: u64,
    /// How many threads serve, and compile: as many as there are processors.
    pub workers: usize,
    /// How many connections each port holds; without it, what the system's limit of files allows.
    #[serde(skip)]
    pub connections: Option<Shares>,
}

impl Default for Config {
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
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is wrong.
    #[error("{}: {source}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// Neither the file nor the command line names a repository.
    #[error("which control repository? give --repo DIR or --repo URL, or `repo = \"…\"` in {FILE}")]
    NoRepository,
    /// A name that is an address of something else.
    #[error(
        "`{0}` is no name of a machine: give the name or the IP address alone, without `https://` and without a port"
    )]
    Name(String),
    /// A number is out of its range.
    #[error("`{0}` is 0: give at least 1")]
    Zero(&'static str),
}

impl Config {
    /// Reads a file; without one named, [`FILE`] where it exists, else the defaults.
    ///
    /// # Errors
    /// A named file that cannot be read, and anything in it that is unknown or of the wrong type.
    pub fn read(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(Path::new(FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => return Err(ConfigError::Unreadable { path: path.to_owned(), source }),
        };
        let wrong = |source| ConfigError::Wrong { path: path.to_owned(), source: Box::new(source) };
        toml::from_str(&text).map_err(wrong)
    }

    /// Checks what can only be said of the whole.
    ///
    /// # Errors
    /// What is missing or out of range.
    pub fn checked(self) -> Result<Self, ConfigError> {
        if self.repo.is_empty() {
            return Err(ConfigError::NoRepository);
        }
        if let Some(name) = self.name.iter().chain(&self.names).find(|name| !is_name(name)) {
            return Err(ConfigError::Name(name.clone()));
        }
        let numbers = [
            ("interval", self.interval),
            ("certificate_lifetime", self.certificate_lifetime),
            ("workers", self.workers as u64),
        ];
        match numbers.into_iter().find(|(_, number)| *number == 0) {
            Some((name, _)) => Err(ConfigError::Zero(name)),
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

    /// Names and addresses for the server's certificate, each once: those that are said, and those that it is bound to.
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

/// Whether it is a name or an address that a certificate can say and a join string can lead to.
fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    name.parse::<std::net::IpAddr>().is_ok() || (!name.is_empty() && name.bytes().all(is_letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(Some(&path))
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
        assert!(matches!(
            read("repo='x'\ninterval=0").unwrap().checked(),
            Err(ConfigError::Zero("interval"))
        ));
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
        assert!(Config::read(Some(Path::new("/nonexistent/server.toml"))).is_err());
    }
}
