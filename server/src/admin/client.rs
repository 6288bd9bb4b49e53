//! The commands' side of the socket.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::{Answer, Request, SOCKET};

/// Why a running server could not be reached, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no server, or no permission to connect to it.
    #[error("cannot reach the server at {}: {source}; {hint}", path.display())]
    Unreachable {
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
        /// What to do, or what holds regardless.
        hint: &'static str,
    },
    #[error("the server closed the connection: {0}; see its log")]
    Broken(#[from] io::Error),
    #[error("{0}")]
    Refused(String),
}

fn hint(error: &io::Error, request: &Request) -> &'static str {
    match (error.kind(), request) {
        (io::ErrorKind::PermissionDenied, Request::Poke { commit: Some(_) }) => {
            "the server still reads what was pushed within seconds, and its page of commits shows the result; here, \
             only root and the server's user can see it"
        }
        (io::ErrorKind::PermissionDenied, _) => "run this as root",
        _ => "is `holdfast server` running, with this --data-dir?",
    }
}

/// Asks the server of this data directory.
///
/// # Errors
/// Returns an error if it cannot be reached, or refuses the request.
pub fn ask(data_dir: &Path, request: &Request) -> Result<Answer, ClientError> {
    let path = data_dir.join(SOCKET);
    let unreachable = |source| {
        let hint = hint(&source, request);
        ClientError::Unreachable { path: path.clone(), source, hint }
    };
    let mut stream = UnixStream::connect(&path).map_err(unreachable)?;
    let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    match serde_json::from_str(&answer).map_err(io::Error::from)? {
        Answer::Refused(why) => Err(ClientError::Refused(why)),
        answer => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pusher_who_is_not_root_hears_that_the_push_is_taken_all_the_same() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let poke = |commit: Option<&str>| Request::Poke { commit: commit.map(str::to_owned) };
        assert!(hint(&denied, &poke(Some("a1"))).contains("still reads what was pushed within seconds"));
        assert_eq!(hint(&denied, &poke(None)), "run this as root");
        assert!(hint(&io::ErrorKind::NotFound.into(), &poke(None)).contains("running"));
    }
}
