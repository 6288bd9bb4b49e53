//! Tells systemd that the server answers. Then `systemctl start` returns, and commands after it find the server; see
//! sd_notify(3).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Notifies the socket that `NOTIFY_SOCKET` names, if it is set.
///
/// # Errors
/// Returns an error if it is set and the socket could not be notified.
pub fn tell() -> io::Result<()> {
    std::env::var_os("NOTIFY_SOCKET").map_or(Ok(()), |name| tell_at(&name))
}

fn tell_at(name: &OsStr) -> io::Result<()> {
    let address = match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_waits_is_told_by_path_and_by_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let abstract_name = format!("holdfast-{}", std::process::id());
        let named = SocketAddr::from_abstract_name(abstract_name.as_bytes()).unwrap();
        for (waiting, name) in [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (UnixDatagram::bind_addr(&named).unwrap(), format!("@{abstract_name}").into()),
        ] {
            tell_at(&name).unwrap();
            let mut told = [0; 16];
            let length = waiting.recv(&mut told).unwrap();
            assert_eq!(&told[..length], b"READY=1");
        }
    }
}
