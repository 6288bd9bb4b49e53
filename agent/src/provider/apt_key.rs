//! `apt_key`: one keyring for each resource. Its file name says whether it is armored, as apt requires. Works below any
//! root.

use std::path::Path;

use holdfast_catalog::resource::apt_key::ARMOR;
use holdfast_catalog::resource::attribute::{FileContent, Presence};
use holdfast_catalog::resource::{AptKey, File};

use super::apt;
use super::file::{self, Change, Plan, Property};
use super::text::whole_file;
use super::{Applied, Error, Left, Provider, Reading, Writing};
use crate::content::ContentSource;
use crate::system::Inspect;

/// The provider of `apt_key`.
pub struct AptKeys;

impl Provider for AptKeys {
    type Want = AptKey;
    /// Why the type does not apply here.
    type Seen = Option<String>;
    type Property = Property;

    fn observe(&self, _: &[&AptKey], reading: Reading<'_>) -> Result<Option<String>, Error> {
        apt::missing(reading.machine)
    }

    fn plan(&self, want: &AptKey, no_apt: &Option<String>, reading: Reading<'_>) -> Result<Plan, Error> {
        if let (Presence::Present, Some(why)) = (want.ensure, no_apt) {
            return Ok(Plan::NotApplicable(why.clone()));
        }
        let there = there(want, reading.machine)?;
        let Some(content) = wanted(want) else {
            let is = if there.is_empty() { None } else { Some(Presence::Present) };
            return Ok(Plan::of(
                is.map(|is| Change::new(Property::Ensure, is, want.ensure)).into_iter().collect(),
            ));
        };
        let place = place(want, content, reading.content)?;
        let changes = whole_file::plan(&in_place(place, content), reading)?;
        // The key is also, or only, there in the other form.
        let other = there.into_iter().find(|path| *path != place);
        Ok(Plan::of(match (other, &changes[..]) {
            (None, _) => changes,
            (Some(other), [missing]) if missing.property == Property::Ensure => {
                vec![Change::new(
                    Property::Content,
                    format!("the key in {other}"),
                    file::content_left(content),
                )]
            }
            (Some(other), _) => {
                let is = format!("present, and in {other} too");
                vec![Change::new(Property::Ensure, is, Presence::Present)]
            }
        }))
    }

    fn apply(&self, want: &AptKey, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let kept = match wanted(want) {
            None => None,
            Some(content) => {
                let place = place(want, content, writing.content)?;
                whole_file::apply(&in_place(place, content), changes, writing)?;
                Some(place)
            }
        };
        for path in want.title.paths().iter().filter(|path| Some(path.as_str()) != kept) {
            writing.machine.remove(Path::new(path))?;
        }
        Ok(Applied::default())
    }

    fn names<'a>(&self, want: &'a AptKey) -> Vec<&'a str> {
        want.title.paths().iter().map(String::as_str).collect()
    }

    fn left<'a>(&self, want: &'a AptKey) -> Left<'a> {
        whole_file::left(want.ensure, wanted(want))
    }
}

fn wanted(want: &AptKey) -> Option<&FileContent> {
    want.content.as_ref().filter(|_| want.ensure == Presence::Present)
}

fn in_place(path: &str, content: &FileContent) -> File {
    whole_file::as_file(path, Presence::Present, Some(content))
}

/// Those of its possible files that exist.
fn there<'a>(want: &'a AptKey, machine: &dyn Inspect) -> Result<Vec<&'a str>, Error> {
    let mut there = Vec::new();
    for path in want.title.paths() {
        if machine.lstat(Path::new(path))?.is_some() {
            there.push(path.as_str());
        }
    }
    Ok(there)
}

/// Where a content belongs, which depends on whether it is armored text.
fn place<'a>(want: &'a AptKey, content: &FileContent, source: &dyn ContentSource) -> Result<&'a str, Error> {
    let is_armored = file::beginning(content, source, ARMOR.len() as u64)? == ARMOR.as_bytes();
    let [armored, binary] = want.title.paths() else { return Ok("") };
    Ok(if is_armored { armored } else { binary })
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::hash::ContentHash;

    use super::*;
    use crate::provider::CatalogClaims;
    use crate::provider::trial;
    use crate::system::double::Double;

    const ASC: &str = "/etc/apt/keyrings/example.asc";
    const GPG: &str = "/etc/apt/keyrings/example.gpg";
    const TEXT: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----\n";

    fn machine() -> Double {
        let double = Double::new(|_| None);
        double.put("/etc/x", "");
        double.put(apt::APT, "");
        double
    }

    fn armored() -> AptKey {
        trial::want("example", &[("content", TEXT.into())])
    }

    fn said(double: &Double, want: &AptKey) -> Vec<String> {
        trial::said(&trial::changes(&AptKeys, double, want))
    }

    fn exists(double: &Double, path: &str) -> bool {
        double.root.path().join(&path[1..]).exists()
    }

    #[test]
    fn without_apt_nobody_reads_a_key() {
        let double = Double::new(|_| None);
        double.put("/etc/x", "");
        let plan = trial::plan(&AptKeys, &double, &armored()).unwrap();
        assert!(matches!(&plan, Plan::NotApplicable(why) if why.contains("no /usr/bin/apt-get")), "{plan:?}");
        let absent: AptKey = trial::want("example", &[("ensure", "absent".into())]);
        assert_eq!(said(&double, &absent), [""; 0]);
    }

    #[test]
    fn armored_text_is_an_asc_and_drift_is_seen() {
        let double = machine();
        assert_eq!(said(&double, &armored()), ["ensure: absent -> present"]);
        trial::correct(&AptKeys, &double, &armored()).unwrap();
        assert_eq!(std::fs::read_to_string(double.root.path().join(&ASC[1..])).unwrap(), TEXT);
        assert_eq!(said(&double, &armored()), [""; 0]);
        double.put(ASC, "another key");
        let hash = |text: &str| format!("sha256:{}", ContentHash::of(text.as_bytes()));
        assert_eq!(
            said(&double, &armored()),
            [format!("content: {} -> {}", hash("another key"), hash(TEXT))]
        );
    }

    #[test]
    fn a_key_in_the_other_form_gives_way() {
        let double = machine();
        double.put(GPG, "\u{1}");
        let changes = said(&double, &armored());
        assert!(changes[0].starts_with(&format!("content: the key in {GPG} -> sha256:")), "{changes:?}");
        trial::correct(&AptKeys, &double, &armored()).unwrap();
        assert!(exists(&double, ASC) && !exists(&double, GPG));
        double.put(GPG, "\u{1}");
        assert_eq!(said(&double, &armored()), [format!("ensure: present, and in {GPG} too -> present")]);
        trial::correct(&AptKeys, &double, &armored()).unwrap();
        assert!(exists(&double, ASC) && !exists(&double, GPG));
    }

    /// Gives the same content for every hash.
    struct Only(&'static [u8]);

    impl ContentSource for Only {
        fn open(&self, _: &ContentHash, _: u64) -> Result<Box<dyn std::io::Read>, crate::content::Error> {
            Ok(Box::new(self.0))
        }
    }

    #[test]
    fn bytes_by_source_are_a_gpg() {
        let double = machine();
        let content = FileContent::hash_value(&ContentHash::of(b"\x98\x33\x04"), 3);
        let want: AptKey = trial::want("example", &[("content", content)]);
        let (named, content) = (CatalogClaims::new(&[]), &Only(b"\x98\x33\x04"));
        let reading = Reading { machine: &double, content, named: &named, state_dir: Path::new("/none") };
        let Plan::Changes(changes) = AptKeys.plan(&want, &None, reading).unwrap() else { panic!("in sync") };
        let writing = Writing { content, ..trial::writing_to(&double, &named, double.root.path()) };
        AptKeys.apply(&want, &changes, writing).unwrap();
        assert!(exists(&double, GPG) && !exists(&double, ASC));
        assert_eq!(AptKeys.plan(&want, &None, reading).unwrap(), Plan::IN_SYNC);
    }

    #[test]
    fn what_is_not_to_be_there_is_removed_in_either_form() {
        let double = machine();
        double.put(ASC, TEXT);
        double.put(GPG, "x");
        let gone: AptKey = trial::want("example", &[("ensure", "absent".into())]);
        assert_eq!(said(&double, &gone), ["ensure: present -> absent"]);
        trial::correct(&AptKeys, &double, &gone).unwrap();
        assert!(!exists(&double, ASC) && !exists(&double, GPG));
    }
}
