//! The size of pages: below 100 kB, whatever others write. Each text from elsewhere has a share of its page and is
//! shortened to it, and lists end when their share is used up. What is shortened in a list is complete on the page that
//! the list leads to.

use holdfast_catalog::harmless;

use super::count::counted;

/// The most bytes of a page, before compression. The shares are chosen so that a page stays below this.
#[cfg(test)]
pub const MAX_BYTES: usize = 100_000;

/// The most bytes that a text takes, as HTML or as JSON.
pub fn cost(text: &str) -> usize {
    text.chars().map(cost_of).sum()
}

fn cost_of(c: char) -> usize {
    match c {
        '<' | '>' | '&' | '"' | '\'' => "&#60;".len(),
        '\n' | '\t' | '\\' => "\\n".len(),
        ' '..='~' => 1,
        c if c.is_alphanumeric() && !harmless::steers(c) && !harmless::is_mark(c) => c.len_utf8(),
        _ => "\\u{10ffff}".len(),
    }
}

/// The beginning of a text that takes no more than `most` bytes, and the number of characters after it.
pub fn beginning(text: &str, most: usize) -> (&str, usize) {
    let mut left = most;
    let end = text.char_indices().find_map(|(at, c)| match left.checked_sub(cost_of(c)) {
        Some(rest) => {
            left = rest;
            None
        }
        None => Some(at),
    });
    let end = end.unwrap_or(text.len());
    (&text[..end], text[end..].chars().count())
}

/// A text that takes little more than `most` bytes; if it is shortened, it ends with how much is missing.
pub fn short(text: &str, most: usize) -> String {
    match beginning(text, most) {
        (whole, 0) => whole.to_owned(),
        (beginning, more) => format!("{beginning}… (and {})", counted(more, "character", "characters")),
    }
}

/// As many elements as fit into `most` bytes, but at least one.
pub fn fitting<T>(all: impl IntoIterator<Item = T>, most: usize, cost: impl Fn(&T) -> usize) -> Vec<T> {
    let (mut fitting, mut taken) = (Vec::new(), 0);
    for one in all {
        taken += cost(&one);
        if taken > most && !fitting.is_empty() {
            break;
        }
        fitting.push(one);
    }
    fitting
}

/// Divides a list with these costs into pages with at most `most` elements and a cost of at most `budget`; a single
/// element may cost more on its own.
pub fn pages(costs: &[usize], most: usize, budget: usize) -> Vec<std::ops::Range<usize>> {
    let (mut pages, mut begin, mut taken) = (Vec::new(), 0, 0);
    for (index, cost) in costs.iter().enumerate() {
        if index > begin && (index - begin >= most || taken + cost > budget) {
            pages.push(begin..index);
            (begin, taken) = (index, 0);
        }
        taken += cost;
    }
    pages.push(begin..costs.len());
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_takes_more_than_is_reckoned() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let alone = String::from(c);
            let shown = crate::dashboard::text::Shown::from(alone.as_str()).to_string();
            let html = askama::filters::escape(shown, askama::filters::Html).unwrap().to_string();
            let json = serde_json::to_string(&alone).unwrap().len() - 2;
            assert!(html.len().max(json) <= cost(&alone), "{c:?}: {html}, {json}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters_and_says_how_much_is_missing() {
        assert_eq!(short("grün", 5), "grün");
        assert_eq!(short("grün", 3), "gr… (and 2 characters)");
        assert_eq!(short("<<", 9), "<… (and 1 character)");
        assert_eq!(short("", 0), "");
    }

    #[test]
    fn pages_end_by_number_and_by_size_and_leave_nothing_out() {
        assert_eq!(pages(&[], 2, 10).len(), 1, "nothing is a page");
        assert_eq!(pages(&[1, 1, 1, 1, 1], 2, 10), [0..2, 2..4, 4..5]);
        assert_eq!(pages(&[6, 6, 99, 1, 1], 5, 10), [0..1, 1..2, 2..3, 3..5]);
        assert_eq!(fitting([6, 6, 1], 10, |cost| *cost), [6]);
        assert_eq!(fitting([99], 10, |cost| *cost), [99]);
    }
}
