//! How often someone may try to log in: counted by address and by name, before the password is looked at, so that many
//! at once count as many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::network;

const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// Many people may share an address; a name is one person's.
const BY_ADDRESS: u32 = 30;
const BY_NAME: u32 = 10;

/// So many addresses and names are remembered; more at once is an attack, and then nobody new may try.
const REMEMBERED: usize = 20_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Name(String),
}

/// The attempts of the last minutes.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<Key, (Timestamp, u32)>>);

impl Attempts {
    /// Counts an attempt.
    ///
    /// # Errors
    /// How long to wait, where there were too many.
    pub fn count(&self, address: IpAddr, name: Option<&str>, now: Timestamp) -> Result<(), SignedDuration> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            seen.retain(|_, (began, _)| now.duration_since(*began) < WINDOW);
        }
        let name = name.map(|name| (Key::Name(name.chars().take(64).collect()), BY_NAME));
        for (key, most) in [(Key::Address(network::of(address)), BY_ADDRESS)].into_iter().chain(name) {
            if seen.len() >= REMEMBERED && !seen.contains_key(&key) {
                return Err(WINDOW);
            }
            let (began, count) = seen.entry(key).or_insert((now, 0));
            if now.duration_since(*began) >= WINDOW {
                (*began, *count) = (now, 0);
            }
            if *count >= most {
                return Err(WINDOW - now.duration_since(*began));
            }
            *count += 1;
        }
        Ok(())
    }

    /// Forgets the attempts on a name: its owner came in.
    pub fn came_in(&self, name: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.remove(&Key::Name(name.chars().take(64).collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_name_is_closed_after_ten_attempts_from_anywhere_and_opens_again() {
        let attempts = Attempts::default();
        for n in 0..10 {
            assert_eq!(attempts.count(address(n), Some("ana"), NOW), Ok(()));
        }
        assert_eq!(attempts.count(address(99), Some("ana"), NOW), Err(WINDOW));
        assert_eq!(attempts.count(address(99), Some("ben"), NOW), Ok(()));
        assert_eq!(attempts.count(address(99), Some("ana"), NOW + WINDOW), Ok(()));
    }

    #[test]
    fn one_address_cannot_try_many_names_even_from_many_addresses_of_its_network() {
        let attempts = Attempts::default();
        let refused = (0..100u16)
            .filter(|n| {
                let address = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, *n]);
                attempts.count(address, Some(&format!("name{n}")), NOW).is_err()
            })
            .count();
        assert_eq!(refused, 70);
    }
}
