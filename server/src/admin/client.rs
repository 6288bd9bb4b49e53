//! The commands' side of the socket.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::{Answer, Request, SOCKET};

/// Why a running server was not reached, or did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No server, or no right to speak to it.
    #[error("cannot reach the server at {}: {source}; {}", path.display(), hint(source))]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It broke off.
    #[error("the server broke off: {0}; its log says why")]
    Broken(#[from] io::Error),
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "run this as root",
        _ => "is `holdfast server` running, with this --data-dir?",
    }
}

/// Asks the server of this data directory.
///
/// # Errors
/// Where it cannot be reached, or refuses.
pub fn ask(data_dir: &Path, request: &Request) -> Result<Answer, ClientError> {
    let path = data_dir.join(SOCKET);
    let unreachable = |source| ClientError::Unreachable { path: path.clone(), source };
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
