//! Network addresses as clients, and limits on who may hold a connection.

use std::net::IpAddr;

pub mod rate_limit; // how often each client may ask
pub mod limiter; // how many connections each client may hold
pub mod files; // how many files the system allows the process
pub mod port; // a port with TLS and a door
pub mod stream; // a connection that can be closed to make room

/// The address that counts as one client: an IPv4 address, or the /64 network of an IPv6 address, since anyone who has
/// one of its addresses has all of them.
pub fn of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_ipv6_are_one_and_of_ipv4_they_are_not() {
        let of = |text: &str| of(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::9"), of("2001:db8:1:3::9"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
