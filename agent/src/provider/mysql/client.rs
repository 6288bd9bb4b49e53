//! The client `mariadb`: asked for rows, and told what to do.

use std::io::ErrorKind;
use std::time::Duration;

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::super::database::{MAX_ANSWER, Seen, failed, words};
use super::super::{Error, Reading, Writing};
use crate::system::{Exit, Invocation, Liveness, Output};

/// The beginning of every session: a backslash has no special meaning, a grant creates no account, and locks are not
/// waited for long.
const SESSION: &str = "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,NO_AUTO_CREATE_USER';\nSET SESSION lock_wait_timeout = 30;\n";

/// The end of every answer, so one that was cut off is noticed.
const END: &str = "end of answer";

/// How long the server may take to answer a query.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The client's own errors if there is no server: it is not started, or is shutting down.
const NO_SERVER: [&str; 4] = ["ERROR 2002 ", "ERROR 2003 ", "ERROR 2006 ", "ERROR 2013 "];

/// Asks for rows, each a line of JSON.
pub fn ask<T: DeserializeOwned>(reading: Reading<'_>, sql: &str) -> Result<Seen<Vec<T>>, Error> {
    if reading.machine.liveness() != Liveness::Live {
        return Ok(Seen::NotLive);
    }
    let command = client(&format!("{sql}SELECT '{END}';\n")).timeout(ANSWER_TIMEOUT).limit(MAX_ANSWER);
    let output = match reading.machine.probe(&command) {
        Err(error) if error.kind() == Some(ErrorKind::NotFound) => {
            return Ok(Seen::Away("the client `mariadb` is not installed".to_owned()));
        }
        other => other?,
    };
    let said = words(&output, counts, None);
    match output.exit {
        Exit::Code(0) => rows(&output).map(Seen::There),
        Exit::Code(_) if NO_SERVER.iter().any(|error| said.starts_with(error)) => {
            Ok(Seen::Away(format!("MariaDB cannot be reached: {said}")))
        }
        _ => Err(failed(&command, &output, said)),
    }
}

/// Runs a statement. The `secret` in it is kept out of errors.
pub fn tell(writing: Writing<'_>, sql: &str, secret: Option<&str>) -> Result<(), Error> {
    let command = client(sql);
    let output = writing.machine.run(&command)?;
    if output.succeeded() { Ok(()) } else { Err(failed(&command, &output, words(&output, counts, secret))) }
}

fn client(sql: &str) -> Invocation {
    let options = ["--batch", "--raw", "--skip-column-names", "--binary-mode", "--connect-timeout=10"];
    let charset = "--default-character-set=utf8mb4";
    let sql = Zeroizing::new(format!("{SESSION}{sql}"));
    Invocation::new(["mariadb"].into_iter().chain(options).chain([charset])).input(sql.as_bytes())
}

/// Whether a line says what is wrong; others quote the statement.
fn counts(line: &str) -> bool {
    line.starts_with("ERROR ")
}

fn rows<T: DeserializeOwned>(output: &Output) -> Result<Vec<T>, Error> {
    let text = output.text();
    let Some(lines) = text.trim_end_matches('\n').strip_suffix(END) else {
        return Err(Error::Unexpected(format!("the answer of MariaDB is larger than {MAX_ANSWER} bytes")));
    };
    // The error quotes nothing of the text, which may contain password hashes.
    let unread = |error: serde_json::Error| {
        Error::Unexpected(format!(
            "the answer of MariaDB cannot be read: {:?} at {}",
            error.classify(),
            error.column()
        ))
    };
    lines.lines().map(|line| serde_json::from_str(line).map_err(unread)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::database::trial::TestDatabase;
    use crate::provider::trial;
    use crate::system::double::{failed, said};

    fn asked(answer: Output) -> Result<Seen<Vec<u8>>, Error> {
        TestDatabase::new(move |_| answer.clone()).reading(|reading| ask(reading, "SELECT 1;\n"))
    }

    #[test]
    fn rows_are_read_and_an_answer_that_was_cut_is_none() {
        assert!(matches!(asked(said("1\n2\nend of answer\n")), Ok(Seen::There(rows)) if rows == [1, 2]));
        assert!(asked(said("1\n2\n")).unwrap_err().to_string().contains("larger than"));
        assert!(asked(said("1\nx\nend of answer\n")).unwrap_err().to_string().contains("cannot be read"));
    }

    #[test]
    fn a_server_that_is_not_there_is_waited_for_and_anything_else_fails() {
        let away =
            "ERROR 2002 (HY000): Can't connect to local server through socket '/run/mysqld/mysqld.sock' (2)";
        assert!(matches!(asked(failed(1, away)), Ok(Seen::Away(why)) if why.contains("ERROR 2002")));
        let denied = asked(failed(1, "ERROR 1698 (28000): Access denied for user 'root'@'localhost'"));
        assert!(denied.unwrap_err().to_string().contains("Access denied"));
    }

    #[test]
    fn what_is_secret_is_in_no_argument_and_no_error() {
        let said =
            "--------------\nALTER USER x USING '*HASH'\n--------------\n\nERROR 1 (42000): near '*HASH'\n";
        let server = TestDatabase::new(move |_| failed(1, said));
        let told = |writing: Writing<'_>| tell(writing, "ALTER USER x USING '*HASH';\n", Some("*HASH"));
        let error = trial::writing(&server.machine, told).unwrap_err();
        assert!(error.to_string().ends_with("ERROR 1 (42000): near '[sensitive]'"), "{error}");
        assert!(!server.machine.ran()[0].contains("HASH"));
        assert!(server.asked()[0].sql.starts_with("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,"));
    }
}
