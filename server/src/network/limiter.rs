//! How many connections each client may hold.
//!
//! A connection is a stranger's until a request on it shows who asks: with a node's certificate, or a person's session.
//! Strangers are counted by network, known clients by identity, and each of these two groups has a share that the other
//! cannot take. If a share is full, the connection without contact for the longest time must close: first one of the
//! same owner, then one of the owner who holds the most. So nobody is ever turned away, and a thousand idle connections
//! from one place cost only that place its oldest ones.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

/// The limits on the connections of one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    pub strangers: usize,
    /// For strangers from one network.
    pub strangers_by_network: usize,
    /// For all known clients.
    pub known: usize,
    /// For one known client.
    pub known_by_owner: usize,
}

/// The owner of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum ConnectionOwner {
    /// Not known yet: counted by the network that it comes from.
    Network(IpAddr),
    /// A node or a person, by number.
    Known(i64),
}

impl ConnectionOwner {
    fn is_known(self) -> bool {
        matches!(self, Self::Known(_))
    }
}

/// The door of one port.
pub struct ConnectionLimiter {
    limits: ConnectionLimits,
    opened: Instant,
    state: Mutex<LimiterState>,
}

#[derive(Default)]
struct LimiterState {
    next: u64,
    held: HashMap<u64, HeldConnection>,
    owners: HashMap<ConnectionOwner, BTreeSet<u64>>,
    known: usize,
}

struct HeldConnection {
    owner: ConnectionOwner,
    /// When data was last transferred, in milliseconds.
    active: Arc<AtomicU64>,
    /// When this is dropped, the connection learns that it must make room.
    _room: oneshot::Sender<()>,
}

/// The place of a connection, which it holds until this is dropped.
pub struct ConnectionSlot {
    door: Arc<ConnectionLimiter>,
    id: u64,
    active: Arc<AtomicU64>,
}

/// Resolves when the connection must make room.
pub type CloseSignal = oneshot::Receiver<()>;

impl ConnectionLimiter {
    /// A door without connections.
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self { limits, opened: Instant::now(), state: Mutex::default() })
    }

    /// Admits a stranger's connection.
    pub fn enter(self: &Arc<Self>, from: IpAddr) -> (Arc<ConnectionSlot>, CloseSignal) {
        let owner = ConnectionOwner::Network(super::of(from));
        let (sender, room) = oneshot::channel();
        let active = Arc::new(AtomicU64::new(self.now()));
        let mut state = self.state();
        state.make_room(owner, self.limits.strangers, self.limits.strangers_by_network);
        let id = state.next;
        state.next += 1;
        state.put(id, HeldConnection { owner, active: active.clone(), _room: sender });
        (Arc::new(ConnectionSlot { door: self.clone(), id, active }), room)
    }

    /// Milliseconds since the door was made.
    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn state(&self) -> MutexGuard<'_, LimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LimiterState {
    fn put(&mut self, id: u64, held: HeldConnection) {
        self.known += usize::from(held.owner.is_known());
        self.owners.entry(held.owner).or_default().insert(id);
        self.held.insert(id, held);
    }

    fn take(&mut self, id: u64) -> Option<HeldConnection> {
        let held = self.held.remove(&id)?;
        self.known -= usize::from(held.owner.is_known());
        if let Some(ids) = self.owners.get_mut(&held.owner) {
            ids.remove(&id);
            if ids.is_empty() {
                self.owners.remove(&held.owner);
            }
        }
        Some(held)
    }

    /// Makes room for one more connection of this owner.
    fn make_room(&mut self, owner: ConnectionOwner, most: usize, by_owner: usize) {
        if self.owners.get(&owner).map_or(0, BTreeSet::len) >= by_owner {
            return self.dismiss(owner);
        }
        let known = owner.is_known();
        let taken = if known { self.known } else { self.held.len() - self.known };
        if taken >= most {
            let same_share = || self.owners.iter().filter(|(other, _)| other.is_known() == known);
            let held = same_share().map(|(_, ids)| ids.len()).max().unwrap_or_default();
            // Among those who hold the same number, the one without contact for the longest time, so that a client that
            // has just arrived is not cut off at once.
            let most = same_share().filter(|(_, ids)| ids.len() == held);
            let greediest = most.max_by_key(|(_, ids)| Reverse(self.longest_silent(ids).map(|(at, _)| at)));
            if let Some(greediest) = greediest.map(|(other, _)| *other) {
                self.dismiss(greediest);
            }
        }
    }

    /// Closes the connection of an owner that has been without contact for the longest time; the oldest of several.
    fn dismiss(&mut self, owner: ConnectionOwner) {
        if let Some((_, id)) = self.owners.get(&owner).and_then(|ids| self.longest_silent(ids)) {
            self.take(id);
        }
    }

    /// The connection that has been without contact for the longest time, and since when; the oldest of several.
    fn longest_silent(&self, ids: &BTreeSet<u64>) -> Option<(u64, u64)> {
        let active = |id: &u64| Some((self.held.get(id)?.active.load(Ordering::Relaxed), *id));
        ids.iter().filter_map(active).min()
    }
}

impl ConnectionSlot {
    /// Records that data was transferred.
    pub fn stir(&self) {
        self.active.store(self.door.now(), Ordering::Relaxed);
    }

    /// Moves the connection out of the strangers' share: it belongs to the node or the person with this number.
    pub fn belongs_to(&self, number: i64) {
        let owner = ConnectionOwner::Known(number);
        let limits = self.door.limits;
        let mut state = self.door.state();
        if state.held.get(&self.id).is_none_or(|held| held.owner == owner) {
            return;
        }
        state.make_room(owner, limits.known, limits.known_by_owner);
        if let Some(held) = state.take(self.id) {
            state.put(self.id, HeldConnection { owner, ..held });
        }
    }

    /// Whether it still belongs to a stranger.
    pub fn is_strangers(&self) -> bool {
        self.door.state().held.get(&self.id).is_none_or(|held| !held.owner.is_known())
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.door.state().take(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ConnectionLimits =
        ConnectionLimits { strangers: 6, strangers_by_network: 3, known: 4, known_by_owner: 2 };

    impl ConnectionLimiter {
        /// How many connections strangers and known clients hold.
        pub(crate) fn count(&self) -> (usize, usize) {
            let state = self.state();
            (state.held.len() - state.known, state.known)
        }
    }

    fn network(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Connections from one network, each of which was active a moment after the one before.
    fn from(door: &Arc<ConnectionLimiter>, last: u8, count: u64) -> Vec<(Arc<ConnectionSlot>, CloseSignal)> {
        let one = |n| {
            let entered = door.enter(network(last));
            entered.0.active.store(n, Ordering::Relaxed);
            entered
        };
        (0..count).map(one).collect()
    }

    fn gone(connections: &mut [(Arc<ConnectionSlot>, CloseSignal)]) -> Vec<bool> {
        let told =
            |room: &mut CloseSignal| matches!(room.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        connections.iter_mut().map(|(_, room)| told(room)).collect()
    }

    #[test]
    fn the_longest_silent_connection_of_a_network_makes_room_for_its_next_one() {
        let door = ConnectionLimiter::new(LIMITS);
        let mut held = from(&door, 1, 3);
        let mut other = from(&door, 2, 1);
        held[0].0.active.store(10, Ordering::Relaxed);
        let _next = door.enter(network(1));
        assert_eq!(gone(&mut held), [false, true, false], "the first one spoke last");
        assert_eq!(gone(&mut other), [false], "another network pays nothing");
        assert_eq!(door.count(), (4, 0));
    }

    #[test]
    fn the_one_who_holds_most_makes_room_where_all_strangers_together_are_too_many() {
        let door = ConnectionLimiter::new(LIMITS);
        let mut many = from(&door, 1, 3);
        let mut few: Vec<_> = (2..5).flat_map(|last| from(&door, last, 1)).collect();
        let _newcomer = door.enter(network(9));
        assert_eq!(gone(&mut many), [true, false, false]);
        assert_eq!(gone(&mut few), [false; 3]);
        assert_eq!(door.count(), (6, 0));
    }

    #[test]
    fn among_many_networks_with_one_connection_each_the_longest_silent_goes_whatever_its_address() {
        for honest in [1, 250] {
            let door = ConnectionLimiter::new(LIMITS);
            let mut held: Vec<_> = (100..105).flat_map(|last| from(&door, last, 1)).collect();
            let mut fresh = from(&door, honest, 1);
            fresh[0].0.active.store(10, Ordering::Relaxed);
            held.iter().zip(1..).for_each(|((slot, _), at)| slot.active.store(at, Ordering::Relaxed));
            let enter = |n: u8| {
                let entered = door.enter(network(n + 10));
                entered.0.active.store(20, Ordering::Relaxed);
                entered
            };
            let _more: Vec<_> = (0..3).map(enter).collect();
            assert_eq!(gone(&mut fresh), [false], "{honest}");
            assert_eq!(gone(&mut held), [true, true, true, false, false], "{honest}");
        }
    }

    #[test]
    fn who_is_known_takes_no_strangers_place_and_is_never_pushed_out_by_strangers() {
        let door = ConnectionLimiter::new(LIMITS);
        let mut node = from(&door, 1, 1);
        node[0].0.belongs_to(7);
        assert!(!node[0].0.is_strangers());
        let _strangers: Vec<_> = (0..200).map(|n| door.enter(network(n % 4))).collect();
        assert_eq!(gone(&mut node), [false]);
        assert_eq!(door.count(), (6, 1));
    }

    #[test]
    fn a_node_with_many_connections_loses_its_own_and_no_other_nodes() {
        let door = ConnectionLimiter::new(LIMITS);
        let mut greedy = from(&door, 1, 2);
        greedy.iter().for_each(|(slot, _)| slot.belongs_to(1));
        let mut other = from(&door, 1, 1);
        other[0].0.belongs_to(2);
        let (third, _room) = door.enter(network(1));
        third.belongs_to(1);
        assert_eq!(gone(&mut greedy), [true, false]);
        assert_eq!(gone(&mut other), [false]);
        assert_eq!(door.count(), (0, 3));
    }

    #[test]
    fn who_goes_leaves_nothing_behind() {
        let door = ConnectionLimiter::new(LIMITS);
        let held = from(&door, 1, 5);
        held[4].0.belongs_to(1);
        drop(held);
        assert_eq!(door.count(), (0, 0));
        assert!(door.state().owners.is_empty());
    }
}
