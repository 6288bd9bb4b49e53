//! All addresses of all interfaces, from the kernel with one netlink request (rtnetlink(7)).

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// Request flags: dump everything.
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// Flags of temporary, failed, deprecated and tentative addresses, which do not last.
const PASSING: u8 = 0x01 | 0x08 | 0x20 | 0x40;

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) interface: u32,
    pub(super) ip: IpAddr,
    prefix: u8,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

/// All lasting addresses of this network namespace.
pub(super) fn all() -> io::Result<Vec<Address>> {
    let socket =
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?; // None: routing
    rustix::net::sendto(&socket, &question(), SendFlags::empty(), &netlink::SocketAddrNetlink::new(0, 0))?;
    let mut found = Vec::new();
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let (length, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        if read(&buffer[..length.min(buffer.len())], &mut found) == More::No {
            return Ok(found);
        }
    }
}

/// The request: `nlmsghdr` (length, type, flags, sequence, port) and an empty `ifaddrmsg`.
fn question() -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(24u32.to_ne_bytes());
    bytes.extend(RTM_GETADDR.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    bytes.extend([0; 16]);
    bytes
}

#[derive(Debug, PartialEq, Eq)]
enum More {
    Yes,
    No,
}

/// Reads one datagram of messages; returns whether more follow.
fn read(mut bytes: &[u8], found: &mut Vec<Address>) -> More {
    while let Some((length, kind)) = header(bytes) {
        if length < 16 || length > bytes.len() || kind == NLMSG_DONE || kind == NLMSG_ERROR {
            return More::No;
        }
        if kind == RTM_NEWADDR {
            found.extend(address(&bytes[16..length]));
        }
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
    }
    More::Yes
}

fn header(bytes: &[u8]) -> Option<(usize, u16)> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    Some((length as usize, kind))
}

/// Parses `ifaddrmsg` (family, prefix, flags, scope, index), then attributes (length, type, bytes).
fn address(bytes: &[u8]) -> Option<Address> {
    let [_, prefix, flags, _, ..] = *bytes else { return None };
    if flags & PASSING != 0 {
        return None;
    }
    let interface = u32::from_ne_bytes(bytes.get(4..8)?.try_into().ok()?);
    let (mut rest, mut ip) = (&bytes[8..], None);
    while let Some(head) = rest.get(..4) {
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let data = rest.get(4..length)?;
        match u16::from_ne_bytes([head[2], head[3]]) {
            // On a point-to-point link, `IFA_ADDRESS` is the other end's.
            IFA_LOCAL => ip = ip_of(data),
            IFA_ADDRESS => ip = ip.or_else(|| ip_of(data)),
            _ => {}
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    Some(Address { interface, ip: ip?, prefix })
}

fn ip_of(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| Ipv4Addr::from(octets).into());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|octets| Ipv6Addr::from(octets).into())).ok()
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(flags: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![2, 24, flags, 0];
        body.extend(3u32.to_ne_bytes());
        for (kind, data) in attributes {
            body.extend((4 + data.len() as u16).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(*data);
        }
        let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(RTM_NEWADDR.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn the_loopback_address_is_found() {
        let found = all().unwrap();
        assert!(found.iter().any(|address| address.ip.is_loopback()), "{found:?}");
    }

    #[test]
    fn the_near_end_of_a_link_is_the_address() {
        let mut found = Vec::new();
        let ends: [(u16, &[u8]); 2] = [(IFA_ADDRESS, &[192, 0, 2, 9]), (IFA_LOCAL, &[192, 0, 2, 1])];
        assert_eq!(read(&message(0, &ends), &mut found), More::Yes);
        assert_eq!(found[0].to_string(), "192.0.2.1/24");
        assert_eq!(found[0].interface, 3);
        assert_eq!(read(&message(0x01, &ends), &mut found), More::Yes);
        assert_eq!(found.len(), 1, "a temporary address is left out");
    }

    #[test]
    fn a_cut_message_ends_the_reading() {
        let whole = message(0, &[(IFA_LOCAL, &[192, 0, 2, 1])]);
        for length in 0..whole.len() {
            let mut found = Vec::new();
            read(&whole[..length], &mut found);
            assert!(found.is_empty());
        }
    }
}
