//! Versions of Debian packages and their order (Debian Policy 5.6.12). Nothing here knows what is installed.

use std::cmp::Ordering;

/// A version, in its three parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version<'a> {
    epoch: u64,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Version<'a> {
    /// Parses `[epoch:]upstream[-revision]`. Any text has an order; an epoch that is not a number counts as part of
    /// upstream.
    pub fn read(text: &'a str) -> Self {
        let (epoch, rest) = match text.split_once(':').map(|(epoch, rest)| (epoch.parse(), rest)) {
            Some((Ok(epoch), rest)) => (epoch, rest),
            _ => (0, text),
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self { epoch, upstream, revision }
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_part(self.upstream, other.upstream))
            .then_with(|| compare_part(self.revision, other.revision))
    }
}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares two versions as the package manager does: `1.0` and `0:1.0-0` are equal.
pub fn compare(a: &str, b: &str) -> Ordering {
    Version::read(a).cmp(&Version::read(b))
}

/// Compares non-digits, by [`weight`], and numbers, by value, in alternation.
fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        let (text_a, text_b) = (take(&mut a, |c| !c.is_ascii_digit()), take(&mut b, |c| !c.is_ascii_digit()));
        let (number_a, number_b) = (take(&mut a, u8::is_ascii_digit), take(&mut b, u8::is_ascii_digit));
        let order = compare_text(text_a, text_b).then_with(|| compare_number(number_a, number_b));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn take<'a>(rest: &mut &'a [u8], wanted: impl Fn(&u8) -> bool) -> &'a [u8] {
    let end = rest.iter().position(|c| !wanted(c)).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

/// The weight of a character: letters come before everything else, `~` before the end.
fn weight(c: Option<&u8>) -> i32 {
    match c {
        Some(b'~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    }
}

fn compare_text(a: &[u8], b: &[u8]) -> Ordering {
    (0..a.len().max(b.len()))
        .map(|i| weight(a.get(i)).cmp(&weight(b.get(i))))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Compares by value and without a limit: a revision that consists of date and time is not rare.
fn compare_number(a: &[u8], b: &[u8]) -> Ordering {
    let trim = |digits: &[u8]| digits.iter().position(|d| *d != b'0').map_or(0, |zeros| digits.len() - zeros);
    let (a, b) = (&a[a.len() - trim(a)..], &b[b.len() - trim(b)..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each version is less than the next.
    const ASCENDING: &[&str] = &[
        "0~~",
        "0~~a",
        "0~",
        "0",
        "0a",
        "1.0~beta1~svn1245",
        "1.0~beta1",
        "1.0",
        "1.0-0+deb12u1",
        "1.0-1~bpo12+1",
        "1.0-1",
        "1.0-1+b1",
        "1.0-1.1",
        "1.0-2",
        "1.0-10",
        "1.0+dfsg-1",
        "1.0.1-1",
        "1.2",
        "1.10",
        "1.10a",
        "1.10b",
        "1.10+",
        "2.0-99999999999999999999998",
        "2.0-99999999999999999999999",
        "2023c-5",
        "2024a-0",
        "1:0.1",
        "2:0.0.1",
    ];

    #[test]
    fn order_follows_the_policy() {
        for (i, a) in ASCENDING.iter().enumerate() {
            for (j, b) in ASCENDING.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} and {b}");
            }
        }
    }

    #[test]
    fn different_texts_can_be_one_version() {
        for (a, b) in [("1.0", "0:1.0"), ("1.0", "1.0-0"), ("1.00", "1.0"), ("1.0-01", "1.0-1"), ("", "0")] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} and {b}");
        }
    }

    #[test]
    fn a_hyphen_belongs_to_upstream_unless_it_is_the_last() {
        assert_eq!(Version::read("1:1.2-rc1-3"), Version { epoch: 1, upstream: "1.2-rc1", revision: "3" });
    }
}
