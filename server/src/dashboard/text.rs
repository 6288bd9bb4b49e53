//! Times, texts from elsewhere and links, as pages write them. In JSON they are plain values.

use std::fmt::{self, Display, Formatter};

use askama::filters::HtmlSafe;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::harmless;
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

pub use super::count::{counted, grouped};
use super::size;
use crate::repo;

/// A point in time: shown as how long ago it was, with the exact time in the title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    pub at: Timestamp,
    now: Timestamp,
}

impl When {
    /// A time as seen at `now`.
    pub fn seen(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now }
    }

    /// How long ago it was, for places without markup.
    pub fn words(&self) -> String {
        distance_in_words(self.now.duration_since(self.at))
    }
}

impl Display for When {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let exact = self.at.strftime("%Y-%m-%d %H:%M:%S UTC");
        let machine = self.at.strftime("%Y-%m-%dT%H:%M:%SZ");
        write!(f, "<time datetime=\"{machine}\" title=\"{exact}\">{}</time>", self.words())
    }
}

impl HtmlSafe for When {}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.at.serialize(serializer)
    }
}

impl JsonSchema for When {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

fn distance_in_words(distance: SignedDuration) -> String {
    let seconds = distance.as_secs();
    let words = match seconds.unsigned_abs() {
        0..10 => return if distance.is_negative() { "in a moment" } else { "just now" }.to_owned(),
        n @ 10..60 => format!("{n} s"),
        n @ 60..3_600 => format!("{} min", n / 60),
        n @ 3_600..172_800 => format!("{} h", n / 3_600),
        n => format!("{} days", n / 86_400),
    };
    if distance.is_negative() { format!("in {words}") } else { format!("{words} ago") }
}

/// A duration in words.
pub fn duration(millis: i64) -> String {
    match millis {
        ..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
    }
}

/// A text that someone else wrote. Pages escape it, and make characters visible that would change the direction of reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Shown(String);

impl<T: Into<String>> From<T> for Shown {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl Shown {
    /// The text without any changes.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The part of it that takes `most` bytes on a page.
    pub fn short(&self, most: usize) -> Self {
        Self(size::short(&self.0, most))
    }
}

impl Display for Shown {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&harmless::block(&self.0))
    }
}

/// A commit, with a link if it can be one: agents may send any text as a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Commit(CommitId);

impl<T: Into<CommitId>> From<T> for Commit {
    fn from(id: T) -> Self {
        Self(id.into())
    }
}

impl Commit {
    fn is_a_hash(&self) -> bool {
        (7..=64).contains(&self.0.len()) && self.0.bytes().all(|b| b.is_ascii_hexdigit())
    }

    /// The first digits, as shown to people.
    pub fn short(&self) -> String {
        repo::short(&self.0)
    }
}

impl Display for Commit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let short = self.short();
        if self.is_a_hash() {
            write!(f, "<a class=\"commit\" href=\"/commits/{}\" title=\"{}\">{short}</a>", self.0, self.0)
        } else {
            let shown = Shown(short).to_string();
            let escaped = askama::filters::escape(shown, askama::filters::Html).map_err(|_| fmt::Error)?;
            write!(f, "<span class=\"commit\">{escaped}</span>")
        }
    }
}

impl HtmlSafe for Commit {}

/// The characters that need no escaping in a query's value: the unreserved ones of RFC 3986, and two others that a
/// query may contain.
const PLAIN_IN_QUERY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':');

/// Escapes a value for a query.
pub fn in_query(text: &str) -> String {
    utf8_percent_encode(text, PLAIN_IN_QUERY).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    #[test]
    fn times_are_near_in_words_and_exact_in_the_title() {
        let ago = |seconds| When::seen(NOW - SignedDuration::from_secs(seconds), NOW).to_string();
        assert_eq!(
            ago(125),
            "<time datetime=\"2027-01-15T07:57:55Z\" title=\"2027-01-15 07:57:55 UTC\">2 min ago</time>"
        );
        for (seconds, words) in [
            (3, ">just now<"),
            (42, ">42 s ago<"),
            (7_300, ">2 h ago<"),
            (864_000, ">10 days ago<"),
            (-7_300, ">in 2 h<"),
        ] {
            assert!(ago(seconds).contains(words), "{}", ago(seconds));
        }
    }

    #[test]
    fn what_steers_is_made_visible() {
        assert_eq!(Shown::from("a\u{1b}[31m\tb\n").to_string(), "a\\u{1b}[31m\tb\n");
        assert_eq!(Shown::from("\u{202e}txt.exe").to_string(), "\\u{202e}txt.exe");
    }

    #[test]
    fn only_a_hash_becomes_a_link() {
        assert!(Commit::from("0123456789abcdef").to_string().contains("href=\"/commits/0123456789abcdef\""));
        let hostile = Commit::from("\"><script>").to_string();
        assert!(!hostile.contains("href") && !hostile.contains("<script"), "{hostile}");
    }

    #[test]
    fn queries_hold_any_text() {
        assert_eq!(in_query("a&b=ü \"x\""), "a%26b%3D%C3%BC%20%22x%22");
    }
}
