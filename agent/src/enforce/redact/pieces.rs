//! Pieces of secrets in the output of tools. A tool may cut a line, take one column, write capitals, base64,
//! hexadecimal digits or a URL, or put each letter on a line of its own.
//!
//! Texts are compared in stretches of a few bytes, without white space and case.

use std::collections::HashSet;
use std::ops::Range;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use holdfast_catalog::value::MASK;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The longest stretch that is compared. A shorter secret is recognized by about half of it.
const MAX_STRETCH: usize = 8;

/// Shorter stretches occur in texts by chance.
pub(super) const SHORTEST: usize = 6;

/// Anything shorter is not compared at all. A secret, or an encoded form of one, with a length in between is compared
/// as a whole.
const LEAST: usize = 4;

/// A stretch with fewer different bytes, such as a line of dashes, proves nothing.
const DIFFERENT: usize = 4;

/// Longer secrets, such as a PEM key, are not searched for in encoded form: nothing prints a whole file in base64 by
/// chance, and a tool that encodes a part of one starts at another byte.
const MAX_ENCODED: usize = 4 * 1024;

/// The stretches of secrets, by length from [`LEAST`] on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::enforce) struct Pieces([HashSet<u64>; MAX_STRETCH - LEAST + 1]);

impl Pieces {
    /// The pieces of these secrets, in stretches of at least `shortest` bytes.
    pub(super) fn of<'a>(secrets: impl Iterator<Item = &'a str>, shortest: usize) -> Self {
        let mut pieces = Self::default();
        for secret in secrets {
            pieces.add(secret, (secret.len() / 2).clamp(shortest, MAX_STRETCH));
            if secret.len() <= MAX_ENCODED {
                let forms = encoded(secret);
                forms
                    .iter()
                    .filter(|form| form.len() >= SHORTEST)
                    .for_each(|form| pieces.add(form, MAX_STRETCH));
            }
        }
        pieces
    }

    fn add(&mut self, text: &str, length: usize) {
        let compact = Compact::of(text);
        let length = length.min(compact.bytes.len());
        if length < LEAST {
            return;
        }
        let stretches = compact.bytes.windows(length).filter(|stretch| says_something(stretch));
        self.0[length - LEAST].extend(stretches.map(packed));
    }

    /// The text with every known stretch replaced, unless all of it is within one of these names.
    pub(super) fn without(&self, text: String, names: &mut dyn Iterator<Item = &str>) -> String {
        let compact = Compact::of(&text);
        let mut hidden = vec![false; compact.bytes.len()];
        for (known, length) in self.0.iter().zip(LEAST..) {
            if known.is_empty() {
                continue;
            }
            for (at, stretch) in compact.bytes.windows(length).enumerate() {
                if known.contains(&packed(stretch)) {
                    hidden[at..at + length].fill(true);
                }
            }
        }
        if hidden.contains(&true) {
            leave_names(&text, &compact.places, &mut hidden, names);
        }
        if !hidden.contains(&true) {
            return text;
        }
        let (mut out, mut at, mut end) = (String::with_capacity(text.len()), 0, 0);
        for (place, _) in compact.places.iter().zip(&hidden).filter(|(_, hidden)| **hidden) {
            // What follows the last hidden character directly, or after nothing but white space, is joined to it.
            let between = text.get(end..place.start).unwrap_or_default();
            if end == 0 || !between.trim().is_empty() {
                out.push_str(text.get(at..place.start).unwrap_or_default());
                out.push_str(MASK);
            }
            (at, end) = (place.end, place.end);
        }
        out + text.get(at..).unwrap_or_default()
    }
}

/// Unhides a place that is completely within a name. One that extends beyond a name stays hidden as a whole.
fn leave_names<'a>(
    text: &str,
    places: &[Range<usize>],
    hidden: &mut [bool],
    names: &mut dyn Iterator<Item = &'a str>,
) {
    let of_name = |name: &'a str| text.match_indices(name).map(|(at, name)| at..at + name.len());
    let named: Vec<Range<usize>> = names.filter(|name| !name.is_empty()).flat_map(of_name).collect();
    let mut at = 0;
    for run in hidden.chunk_by_mut(|one, next| one == next) {
        let (begin, end) = (places[at].start, places[at + run.len() - 1].end);
        at += run.len();
        if named.iter().any(|name| name.start <= begin && end <= name.end) {
            run.fill(false);
        }
    }
}

/// The characters that percent-encoding leaves as they are (RFC 3986, section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A secret as tools encode it. Base64 has three forms, depending on how many bytes come before it.
fn encoded(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let percent = utf8_percent_encode(secret, UNRESERVED).to_string();
    let json = serde_json::to_string(secret).unwrap_or_default();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned();
    let mut forms = vec![HEXLOWER.encode(bytes), percent, in_ascii(&json), json];
    for before in 0..3_usize {
        // The digits, of six bits each, that do not depend on a neighbour.
        let own = (8 * before).div_ceil(6)..8 * (before + bytes.len()) / 6;
        let padded = [&[0; 3][..before], bytes].concat();
        let encoded = [BASE64_NOPAD.encode(&padded), BASE64URL_NOPAD.encode(&padded)];
        forms.extend(encoded.iter().filter_map(|text| text.get(own.clone())).map(str::to_owned));
    }
    forms.retain(|form| form != secret);
    forms
}

/// JSON as written by tools that emit only ASCII.
fn in_ascii(json: &str) -> String {
    let mut units = [0; 2];
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

fn says_something(stretch: &[u8]) -> bool {
    stretch.iter().collect::<HashSet<_>>().len() >= DIFFERENT
}

fn packed(stretch: &[u8]) -> u64 {
    stretch.iter().fold(0, |packed, byte| packed << 8 | u64::from(*byte))
}

/// A text in lower case and without white space; each byte has the position of its character.
struct Compact {
    bytes: Vec<u8>,
    places: Vec<Range<usize>>,
}

impl Compact {
    fn of(text: &str) -> Self {
        let (mut bytes, mut places) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
        for (at, c) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
            let end = at + c.len_utf8();
            bytes.extend(text.as_bytes()[at..end].iter().map(u8::to_ascii_lowercase));
            places.extend((at..end).map(|_| at..end));
        }
        Self { bytes, places }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(secrets: &[&str], text: &str) -> String {
        Pieces::of(secrets.iter().copied(), SHORTEST).without(text.to_owned(), &mut std::iter::empty())
    }

    #[test]
    fn a47_what_tools_make_of_a_secret_is_hidden() {
        let secret = "hunter2zqXwvk9";
        for (said, shown) in [
            ("password=hunter2", "password=[sensitive]"),
            ("near 'er2zqXwvk9' at 1", "near '[sensitive]' at 1"),
            ("PASSWORD=HUNTER2ZQXWVK9!", "PASSWORD=[sensitive]!"),
            ("unter2zq", "[sensitive]"),
            ("z\nq\nX\nw\nv\nk\n9\nend", "[sensitive]\nend"),
            ("68756e746572327a71587776 6b39", "[sensitive]"),
            ("68:75", "68:75"),
            ("hunter2zqXwvk9 and hunter2zqXwvk9", "[sensitive] and [sensitive]"),
            ("nothing of it", "nothing of it"),
        ] {
            assert_eq!(without(&[secret], said), shown, "{said}");
        }
        for before in ["", "u", "us", "user=x\npassword="] {
            let said = data_encoding::BASE64.encode(format!("{before}{secret}\n").as_bytes());
            let shown = without(&[secret], &said);
            assert!(shown.contains(MASK) && shown.len() <= said.len() - 12 + MASK.len(), "{said} {shown}");
        }
        for (secret, said) in [
            ("a\"b\"c\"d\"e", r#"["a\"b\"c\"d\"e"]"#),
            ("pässwörd-ünïcode", r"p\u00e4ssw\u00f6rd-\u00fcn\u00efcode"),
            ("hunteR7", &data_encoding::BASE64.encode(b"uhunteR7")),
            ("pw9Xq", &data_encoding::BASE64.encode(b"user:pw9Xq")),
            ("pw9Xq", "p   w   9   X   q"),
        ] {
            assert!(without(&[secret], said).contains(MASK), "{secret} in {said}");
        }
        assert_eq!(without(&["p@ss/wörd&1"], "pw=p%40ss%2Fw%C3%B6rd%261;"), "pw=[sensitive];");
    }

    #[test]
    fn what_says_nothing_is_left() {
        let key = "-----BEGIN KEY-----\n        \nMIIEvQIBADANBgkqh\n-----END KEY-----";
        assert_eq!(without(&[key], "---------- 100%        done"), "---------- 100%        done");
        assert_eq!(without(&[key], "line 3: MIIEvQIBADAN"), "line 3: [sensitive]");
        assert_eq!(without(&[], "anything"), "anything");
        assert_eq!(without(&["hunter2zq"], "ü hunter2zq ü"), "ü [sensitive] ü");
    }
}
