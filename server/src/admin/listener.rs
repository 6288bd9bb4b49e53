//! The server's side of the socket: who may connect, and how requests are read.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::{AdminContext, Answer, Request, answer};

/// The longest request, in bytes.
const MAX_REQUEST: u64 = 64 * 1024;

/// How long a caller may take to send its request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Creates the socket for its owner only; one that an earlier server left behind is replaced.
///
/// # Errors
/// Returns an error if it cannot be created.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Only the owner may enter the directory, so nobody can connect between these two lines.
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers requests for as long as the server runs.
pub async fn serve(listener: UnixListener, context: AdminContext) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let context = context.clone();
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &context).await {
                        tracing::warn!(%error, "an operator's command was interrupted");
                    }
                });
            }
            Err(error) => {
                tracing::error!(%error, "the operators' socket cannot accept connections");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn converse(mut stream: UnixStream, context: &AdminContext) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    let answer = if uid == 0 || uid == rustix::process::geteuid().as_raw() {
        match tokio::time::timeout(PATIENCE, read(&mut stream)).await {
            Ok(Ok(request)) => answer(context, request, &format!("uid {uid}")).await,
            Ok(Err(error)) => Answer::Refused(format!("this is not a request: {error}")),
            Err(_) => return Ok(()),
        }
    } else {
        tracing::warn!(uid, "a user other than root connected to the operators' socket");
        Answer::Refused("only root may use this socket".into())
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    stream.write_all(&line).await
}

async fn read(stream: &mut UnixStream) -> io::Result<Request> {
    let mut line = String::new();
    BufReader::new(stream.take(MAX_REQUEST)).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}
