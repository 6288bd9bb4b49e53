//! Asks systemd for more time while the daemon, told to stop, waits for its run; see sd_notify(3).
//!
//! The time that the unit gives by itself is short: whatever is left of a run in the kernel, such as at a disk that does
//! not respond, even systemd waits for only that long.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// How much time is asked for at once.
const MORE: Duration = Duration::from_secs(60);

/// How often: several times in the time that is asked for, and in the unit's own.
const EVERY: Duration = Duration::from_secs(5);

/// The longest that systemd is asked to wait. A transaction of apt may take an hour.
const LONGEST: Duration = Duration::from_secs(70 * 60);

/// Asks for as long as this is polled. It never returns.
pub(super) async fn ask() -> Infallible {
    let began = Instant::now();
    if let Some(name) = std::env::var_os("NOTIFY_SOCKET") {
        while began.elapsed() < LONGEST {
            if let Err(error) = ask_at(&name) {
                tracing::debug!("cannot ask systemd for more time: {error}");
            }
            tokio::time::sleep(EVERY).await;
        }
    }
    std::future::pending().await
}

fn ask_at(name: &OsStr) -> io::Result<()> {
    let address = match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    // If systemd does not read, the daemon does not wait for it.
    socket.set_nonblocking(true)?;
    let words = format!("EXTEND_TIMEOUT_USEC={}", MORE.as_micros());
    socket.send_to_addr(words.as_bytes(), &address).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_is_asked_by_path_and_by_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let abstract_name = format!("holdfast-agent-{}", std::process::id());
        let named = SocketAddr::from_abstract_name(abstract_name.as_bytes()).unwrap();
        for (waiting, name) in [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (UnixDatagram::bind_addr(&named).unwrap(), format!("@{abstract_name}").into()),
        ] {
            ask_at(&name).unwrap();
            let mut told = [0; 64];
            let length = waiting.recv(&mut told).unwrap();
            assert_eq!(&told[..length], b"EXTEND_TIMEOUT_USEC=60000000");
        }
    }

    /// The unit gives what is left in the kernel a few seconds, and the daemon time to ask for more.
    #[test]
    fn the_unit_s_own_time_is_short_and_longer_than_a_pause() {
        let unit = include_str!("../../systemd/holdfast-agent.service");
        let own = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")?.parse().ok());
        let own = Duration::from_secs(own.expect("seconds without a unit"));
        assert!(2 * EVERY <= own && own <= Duration::from_secs(30), "{own:?}");
        assert!(unit.contains("\nNotifyAccess=main\n"));
    }
}
