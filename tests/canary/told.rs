//! Everything that people and programs can read, searched for pieces of the canary.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64URL, HEXLOWER};

/// A secret like no other text: none of its pieces occurs anywhere by chance.
pub const CANARY: &str = "xQ7zWv9kJp3bYhR2mTn5Ld8c";

/// How many consecutive bytes of it count as a leak.
const PIECE: usize = 6;

/// The results of the search.
pub struct Told {
    pieces: BTreeSet<Vec<u8>>,
    leaks: Vec<String>,
    places: usize,
}

impl Told {
    /// Nothing searched yet.
    pub fn new() -> Self {
        let mut pieces: BTreeSet<Vec<u8>> = CANARY.as_bytes().windows(PIECE).map(<[u8]>::to_vec).collect();
        // In the usual encodings, at any position in the encoded text.
        for padding in ["", " ", "  "] {
            let text = format!("{padding}{CANARY}");
            for encoded in [BASE64.encode(text.as_bytes()), BASE64URL.encode(text.as_bytes())] {
                pieces.extend(encoded.as_bytes()[4..28].windows(8).map(<[u8]>::to_vec));
            }
        }
        pieces.extend(HEXLOWER.encode(CANARY.as_bytes()).as_bytes().windows(2 * PIECE).map(<[u8]>::to_vec));
        Self { pieces, leaks: Vec::new(), places: 0 }
    }

    /// Searches some bytes; `what` says where they come from.
    pub fn look(&mut self, what: &str, bytes: &[u8]) {
        self.places += 1;
        let is_piece = |length: usize| {
            let at = bytes.windows(length).position(|window| self.pieces.contains(window));
            at.map(|at| {
                String::from_utf8_lossy(&bytes[at.saturating_sub(60)..(at + 60).min(bytes.len())])
                    .into_owned()
            })
        };
        if let Some(around) = [PIECE, 8, 2 * PIECE].into_iter().find_map(is_piece) {
            self.leaks.push(format!("{what}: …{around}…"));
        }
    }

    /// Searches every file below a folder, except those at or below `except`.
    pub fn folder(&mut self, what: &str, folder: &Path, except: &[PathBuf]) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if except.contains(&path) || path.is_symlink() {
                continue;
            }
            self.look(&format!("the name of {what}"), path.as_os_str().as_encoded_bytes());
            if path.is_dir() {
                self.folder(what, &path, except);
            } else if path.is_file() {
                self.look(&format!("{what}: {}", path.display()), &fs::read(&path).unwrap());
            }
        }
    }

    /// Checks that no piece was found, and that at least `least` places were searched.
    pub fn end(self, least: usize) {
        assert!(self.leaks.is_empty(), "{} leaks:\n{}", self.leaks.len(), self.leaks.join("\n\n"));
        assert!(self.places >= least, "only {} places were looked at", self.places);
    }
}

#[test]
fn a_piece_is_found_wherever_it_stands_and_however_it_is_written() {
    let hits = |text: &str| {
        let mut told = Told::new();
        told.look("text", text.as_bytes());
        told.leaks.len()
    };
    assert_eq!(hits("the password is Wv9kJp, and more"), 1);
    assert_eq!(hits(&BASE64.encode(format!("Basic anna:{CANARY}").as_bytes())), 1);
    assert_eq!(hits(&HEXLOWER.encode(CANARY.as_bytes())), 1);
    assert_eq!(hits("the password is Wv9kJ"), 0);
}
