//! How many files the system allows this process to have open. The limit is raised as far as possible, and divided
//! before anyone connects, so that connections can never take the last one from the store or the repository.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::limiter::ConnectionLimits;

/// The most open files that can be of use, since each connection has other costs too.
const MAX_FILES: u64 = 1 << 20;

/// For the store, the repository, and the files that git opens.
const RESERVED: u64 = 256;

/// Raises the limit as far as the process may, and returns it.
pub fn raise() -> u64 {
    let present = getrlimit(Resource::Nofile);
    let hard = present.maximum.unwrap_or(MAX_FILES).min(MAX_FILES);
    let wanted = Rlimit { current: Some(hard), maximum: present.maximum };
    if present.current.is_none_or(|current| current >= hard) || setrlimit(Resource::Nofile, wanted).is_ok() {
        return hard;
    }
    present.current.unwrap_or(hard)
}

/// The limits of each port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionShares {
    /// The port of nodes.
    pub nodes: ConnectionLimits,
    /// The port of people.
    pub people: ConnectionLimits,
}

/// Divides this number of files.
pub fn share(files: u64) -> ConnectionShares {
    let files = usize::try_from(files.saturating_sub(RESERVED)).unwrap_or(usize::MAX).max(32);
    let limits = |strangers: usize, known: usize, by_owner: usize| ConnectionLimits {
        strangers,
        strangers_by_network: (strangers / 4).max(1),
        known,
        known_by_owner: by_owner.min(known),
    };
    ConnectionShares {
        nodes: limits((files / 8).min(4096), files / 2, 64),
        people: limits((files / 8).min(2048), (files / 8).min(4096), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_left_whatever_is_connected() {
        for files in [300, 1024, 4096, 65_536, MAX_FILES] {
            let ConnectionShares { nodes, people } = share(files);
            let taken = nodes.strangers + nodes.known + people.strangers + people.known;
            assert!(taken as u64 <= files - files / 16, "{files}: {taken}");
            assert!(nodes.known > nodes.strangers && nodes.strangers > nodes.strangers_by_network);
        }
    }

    #[test]
    fn the_limit_is_what_the_process_may_have() {
        let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(MAX_FILES).min(MAX_FILES);
        assert_eq!(raise(), hard);
        assert!(getrlimit(Resource::Nofile).current.is_none_or(|current| current >= hard));
    }
}
