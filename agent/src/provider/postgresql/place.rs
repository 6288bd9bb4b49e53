//! A database of a server, and sessions in it.

use std::io::ErrorKind;
use std::time::Duration;

use holdfast_catalog::resource::attribute::cluster::Cluster;
use holdfast_catalog::resource::attribute::database::Port;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::super::database::{MAX_ANSWER, Seen, failed, words};
use super::super::service::has_started;
use super::super::{Error, Reading, Writing};
use crate::system::{self, Exit, Invocation, Liveness, Output};

/// Settings that a database's owner could have changed. Each is given to the server on connecting, which takes
/// precedence.
const OPTIONS: &str = "-c search_path=pg_catalog,pg_temp -c role=none -c standard_conforming_strings=on \
    -c client_min_messages=warning -c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=30s";

/// Keeps a statement out of the server's log, since it may contain a password hash.
const UNLOGGED: &str = "SET log_statement = 'none';\nSET log_min_duration_statement = -1;\nSET log_min_error_statement = 'panic';\n";

/// How long the server may take to answer a query.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The exit code of `psql` if it cannot connect to the server or database, also used if `psql` could not be started.
const NOT_CONNECTED: i32 = 2;
const NOT_FOUND: i32 = 127;

/// The pattern for the names of the server's systemd units.
const UNITS: &str = "postgresql*.service";

/// A database of a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatabaseAddress {
    system_user: String,
    port: Port,
    database: String,
}

impl DatabaseAddress {
    /// The database of this name.
    pub fn new(cluster: Cluster<'_>, database: &str) -> Self {
        Self {
            system_user: cluster.system_user.to_owned(),
            port: cluster.port,
            database: database.to_owned(),
        }
    }

    /// Asks for one JSON value, and once more if the server was only starting.
    pub fn ask<T: DeserializeOwned>(&self, reading: Reading<'_>, sql: &str) -> Result<Seen<T>, Error> {
        if reading.machine.liveness() != Liveness::Live {
            return Ok(Seen::NotLive);
        }
        match self.ask_once(reading, sql)? {
            Seen::Away(_) if has_started(UNITS, reading.machine) => self.ask_once(reading, sql),
            seen => Ok(seen),
        }
    }

    fn ask_once<T: DeserializeOwned>(&self, reading: Reading<'_>, sql: &str) -> Result<Seen<T>, Error> {
        let command = self.psql(sql).timeout(ANSWER_TIMEOUT).limit(MAX_ANSWER);
        let output = match reading.machine.probe(&command) {
            Err(system::Error::NoSuchUser { user, .. }) => {
                return Ok(Seen::Away(format!("there is no user `{user}`")));
            }
            Err(error) if error.kind() == Some(ErrorKind::NotFound) => return Ok(self.no_client()),
            other => other?,
        };
        match output.exit {
            Exit::Code(0) => self.parse(&output).map(Seen::There),
            Exit::Code(NOT_CONNECTED) => {
                let said = words(&output, counts, None);
                // The code is the same however it fails to connect.
                let hangs = match said.contains("timeout expired") {
                    true => "; it accepts connections but does not answer: it hangs, or is overloaded",
                    false => "",
                };
                Ok(Seen::Away(format!("PostgreSQL cannot be reached at port {}: {said}{hangs}", self.port)))
            }
            Exit::Code(NOT_FOUND) => Ok(self.no_client()),
            _ => Err(failed(&command, &output, words(&output, counts, None))),
        }
    }

    /// Runs statements. The `secret` in them is kept out of errors and the server's log.
    pub fn tell(&self, writing: Writing<'_>, sql: &str, secret: Option<&str>) -> Result<(), Error> {
        let prefix = secret.map_or("", |_| UNLOGGED);
        let command = self.psql(&Zeroizing::new(format!("{prefix}{sql}")));
        let output = writing.machine.run(&command)?;
        if output.succeeded() {
            Ok(())
        } else {
            Err(failed(&command, &output, words(&output, counts, secret)))
        }
    }

    fn psql(&self, sql: &str) -> Invocation {
        let options = ["--no-align", "--tuples-only", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"];
        let mut command = Invocation::new(["psql", "--no-psqlrc"].into_iter().chain(options)).input(sql);
        command.user = Some(self.system_user.clone());
        command
            .variable("PGPORT", &self.port.to_string())
            .variable("PGCONNECT_TIMEOUT", CONNECT_SECONDS)
            .variable("PGDATABASE", &self.database)
            .variable("PGOPTIONS", OPTIONS)
            .variable("PGCLIENTENCODING", "UTF8")
            .variable("PGAPPNAME", "holdfast-agent")
    }

    fn no_client<T>(&self) -> Seen<T> {
        Seen::Away("`psql` is not installed".to_owned())
    }

    fn parse<T: DeserializeOwned>(&self, output: &Output) -> Result<T, Error> {
        serde_json::from_slice(&output.stdout).map_err(|error| {
            // The error quotes nothing of the text, which may contain password hashes.
            let place = (error.line(), error.column());
            Error::Unexpected(format!(
                "the answer of the database `{}` is incomplete, or larger than {MAX_ANSWER} bytes: {:?} at {place:?}",
                self.database,
                error.classify()
            ))
        })
    }
}

/// How long a server may take to let a client in, in seconds: one that hangs accepts connections and answers none.
const CONNECT_SECONDS: &str = "10";

/// Whether a line says what is wrong; others quote the statement.
fn counts(line: &str) -> bool {
    !line.starts_with("LINE ") && line.trim() != "^"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::database::trial::TestDatabase;
    use crate::provider::trial;
    use crate::system::double;

    fn place() -> DatabaseAddress {
        DatabaseAddress::new(Cluster::new(Port(5433), None), "shop")
    }

    fn ask(server: &TestDatabase) -> Result<Seen<Vec<u8>>, Error> {
        server.reading(|reading| place().ask(reading, "SELECT 1;"))
    }

    #[test]
    fn a_session_is_of_the_servers_account_and_takes_no_setting_of_the_database() {
        let server = TestDatabase::answering("SELECT", "[1]");
        assert!(matches!(ask(&server).unwrap(), Seen::There(list) if list == [1]));
        let asked = &server.asked()[0];
        let session = (&*asked.user, asked.variable("PGPORT"), asked.variable("PGDATABASE"), &*asked.sql);
        assert_eq!(session, ("postgres", "5433", "shop", "SELECT 1;"));
        assert_eq!(asked.variable("PGCONNECT_TIMEOUT"), "10");
        for pinned in ["search_path=pg_catalog,pg_temp", "role=none", "standard_conforming_strings=on"] {
            assert!(asked.variable("PGOPTIONS").contains(pinned), "{pinned}");
        }
    }

    #[test]
    fn a_server_that_is_not_there_is_waited_for_and_anything_else_fails() {
        let failing = |code, text: &'static str| TestDatabase::new(move |_| double::failed(code, text));
        for (code, text) in [(2, "psql: error: no such file"), (127, "setpriv: failed to execute psql")] {
            assert!(matches!(ask(&failing(code, text)), Ok(Seen::Away(_))), "{code}");
        }
        let said = "psql: error: connection to server on socket \"/run/postgresql/.s.PGSQL.5433\" failed: timeout expired";
        let hanging = ask(&failing(2, said));
        assert!(matches!(hanging, Ok(Seen::Away(why)) if why.contains("5433") && why.contains("it hangs")));
        let error = ask(&failing(3, "ERROR:  denied\nLINE 1: SELECT 's3cret'\n       ^")).unwrap_err();
        assert!(error.to_string().ends_with(": ERROR:  denied"), "{error}");
        let cut = ask(&TestDatabase::answering("SELECT", "[1,\n")).unwrap_err();
        assert!(cut.to_string().contains("incomplete"), "{cut}");
    }

    #[test]
    fn what_is_secret_is_in_no_argument_no_error_and_no_log_of_the_server() {
        let said = "ERROR:  bad 'v3rifier'\nLINE 1: ALTER ROLE x PASSWORD 'v3rifier'\n   ^\n";
        let server = TestDatabase::new(move |_| double::failed(3, said));
        let told = |writing: Writing<'_>| place().tell(writing, "ALTER x 'v3rifier';", Some("v3rifier"));
        let error = trial::writing(&server.machine, told).unwrap_err();
        assert!(!error.to_string().contains("v3rifier"), "{error}");
        assert!(!server.machine.ran()[0].contains("v3rifier"));
        assert!(server.asked()[0].sql.starts_with("SET log_statement = 'none';"));
    }
}
