//! How often someone may try to log in. An attempt is counted before the password is checked, so that many at once
//! count as many.
//!
//! Failed attempts lock out only the network that they come from: a stranger who tries a name again and again does not
//! lock out its owner. Only networks from which the owner never logged in share one count for a name, so that a
//! password cannot be guessed from many places at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::network;

const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// Passwords from one network, which many people may share.
const MAX_FROM_NETWORK: u32 = 30;
/// For one name, from one network.
const MAX_OF_NAME: u32 = 10;
/// For one name, from all networks from which its owner never logged in.
const MAX_OF_NAME_FROM_ELSEWHERE: u32 = 100;
/// Login links: nobody can guess one, so this limit only protects the store.
const MAX_LINKS: u32 = 300;

/// The most counts of each kind, and the most networks of owners, to remember. If there are more, it is an attack: then
/// nobody new may try a password, but owners can still log in from their known networks, and anyone can with a link.
const MAX_REMEMBERED: usize = 20_000;

/// The attempts of the last minutes.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<AttemptCounters>);

#[derive(Debug, Default)]
struct AttemptCounters {
    by_network: AttemptCounter<IpAddr>,
    by_name: AttemptCounter<(String, IpAddr)>,
    from_elsewhere: AttemptCounter<String>,
    links: AttemptCounter<IpAddr>,
    /// The networks from which the owners of names logged in, and when they last did.
    owners: HashMap<(String, IpAddr), Timestamp>,
}

impl Attempts {
    /// Counts an attempt on a name's password.
    ///
    /// # Errors
    /// Returns how long to wait if there were too many.
    pub fn count(&self, address: IpAddr, name: &str, now: Timestamp) -> Result<(), SignedDuration> {
        let owner = (shortened(name), network::of(address));
        let mut state = self.state();
        let beyond = if state.owners.contains_key(&owner) { Overflow::LetIn } else { Overflow::Refuse };
        state.by_network.take(owner.1, MAX_FROM_NETWORK, beyond, now)?;
        if beyond == Overflow::Refuse {
            state.from_elsewhere.take(owner.0.clone(), MAX_OF_NAME_FROM_ELSEWHERE, beyond, now)?;
        }
        state.by_name.take(owner, MAX_OF_NAME, beyond, now)
    }

    /// Whether the owner of a name logged in from this network before.
    pub fn is_owners(&self, address: IpAddr, name: &str) -> bool {
        self.state().owners.contains_key(&(shortened(name), network::of(address)))
    }

    /// Counts the use of a login link.
    ///
    /// # Errors
    /// Returns how long to wait if there were too many.
    pub fn count_link(&self, address: IpAddr, now: Timestamp) -> Result<(), SignedDuration> {
        self.state().links.take(network::of(address), MAX_LINKS, Overflow::LetIn, now)
    }

    /// Forgets the attempts on a name from the network from which its owner logged in, and remembers that network.
    pub fn came_in(&self, address: IpAddr, name: &str, now: Timestamp) {
        let (network, name) = (network::of(address), shortened(name));
        let mut state = self.state();
        state.by_name.0.remove(&(name.clone(), network));
        if state.owners.len() >= MAX_REMEMBERED
            && let Some(oldest) =
                state.owners.iter().min_by_key(|(_, at)| **at).map(|(owner, _)| owner.clone())
        {
            state.owners.remove(&oldest);
        }
        state.owners.insert((name, network), now);
    }

    fn state(&self) -> MutexGuard<'_, AttemptCounters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happens to those for whom there is no room to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overflow {
    LetIn,
    Refuse,
}

/// The counts of one kind: when each began, and how many attempts there were.
#[derive(Debug)]
struct AttemptCounter<K>(HashMap<K, (Timestamp, u32)>);

impl<K> Default for AttemptCounter<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> AttemptCounter<K> {
    fn take(&mut self, key: K, most: u32, beyond: Overflow, now: Timestamp) -> Result<(), SignedDuration> {
        if self.0.len() >= MAX_REMEMBERED {
            self.0.retain(|_, (began, _)| now.duration_since(*began) < WINDOW);
        }
        if self.0.len() >= MAX_REMEMBERED && !self.0.contains_key(&key) {
            return if beyond == Overflow::LetIn { Ok(()) } else { Err(WINDOW) };
        }
        let (began, count) = self.0.entry(key).or_insert((now, 0));
        if now.duration_since(*began) >= WINDOW {
            (*began, *count) = (now, 0);
        }
        if *count >= most {
            return Err(WINDOW - now.duration_since(*began));
        }
        *count += 1;
        Ok(())
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_stranger_who_tries_a_name_over_and_over_does_not_lock_out_its_owner() {
        let attempts = Attempts::default();
        let tried = (0..1_000).filter(|_| attempts.count(address(1), "ana", NOW).is_ok()).count();
        assert_eq!(tried, 10);
        assert_eq!(attempts.count(address(1), "ana", NOW), Err(WINDOW));
        assert_eq!(attempts.count(address(2), "ana", NOW), Ok(()), "from another network");
        assert_eq!(attempts.count_link(address(1), NOW), Ok(()), "a link works from the same one");
        assert_eq!(attempts.count(address(1), "ana", NOW + WINDOW), Ok(()));
    }

    #[test]
    fn guessing_from_everywhere_is_limited_and_closes_no_network_of_the_owner() {
        let attempts = Attempts::default();
        attempts.came_in(address(250), "ana", NOW);
        assert!(attempts.is_owners(address(250), "ana") && !attempts.is_owners(address(250), "ben"));
        assert!(!attempts.is_owners(IpAddr::from([10, 0, 0, 1]), "ana"));
        let guess =
            |n: u16| attempts.count(IpAddr::from([10, 0, (n >> 8) as u8, n as u8]), "ana", NOW).is_ok();
        assert_eq!((0..1_000).filter(|n| guess(*n)).count(), 100);
        assert_eq!(attempts.count(address(250), "ana", NOW), Ok(()), "where the owner was before");
        assert_eq!(attempts.count(address(7), "ben", NOW), Ok(()));
    }

    #[test]
    fn one_address_cannot_try_many_names_even_from_many_addresses_of_its_network() {
        let attempts = Attempts::default();
        let refused = (0..100u16)
            .filter(|n| {
                let address = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, *n]);
                attempts.count(address, &format!("name{n}"), NOW).is_err()
            })
            .count();
        assert_eq!(refused, 70);
    }

    #[test]
    fn names_without_number_take_no_memory_without_end() {
        let attempts = Attempts::default();
        for n in 0..20_010_u32 {
            let from = IpAddr::from(std::net::Ipv4Addr::from(n));
            attempts.came_in(from, "ana", NOW);
            let _ = attempts.count(from, &format!("name{n}"), NOW);
        }
        let state = attempts.state();
        assert!(state.by_network.0.len() <= MAX_REMEMBERED && state.by_name.0.len() <= MAX_REMEMBERED);
        assert!(state.from_elsewhere.0.len() <= MAX_REMEMBERED && state.owners.len() <= MAX_REMEMBERED);
    }

    #[test]
    fn a_flood_from_everywhere_keeps_out_neither_owners_nor_who_has_a_link() {
        let attempts = Attempts::default();
        attempts.came_in(address(250), "ana", NOW);
        for n in 0..2 * u32::try_from(MAX_REMEMBERED).unwrap() {
            let _ = attempts.count(
                IpAddr::from([10, (n >> 16) as u8, (n >> 8) as u8, n as u8]),
                &format!("name{n}"),
                NOW,
            );
            let _ = attempts.count_link(IpAddr::from([11, (n >> 16) as u8, (n >> 8) as u8, n as u8]), NOW);
        }
        assert_eq!(attempts.count(address(250), "ana", NOW), Ok(()), "from where the owner came in");
        assert_eq!(attempts.count_link(address(7), NOW), Ok(()), "by a link");
        assert_eq!(attempts.count(address(7), "ana", NOW), Err(WINDOW), "a password from elsewhere waits");
    }
}
