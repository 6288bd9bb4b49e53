//! The text of a tag as passed to the crate: of the same length, without what the crate reads differently.

use super::super::token::{TagContent, TagToken, TagTokenKind};

/// The inside of an output or a block.
pub(super) fn call(inside: &TagContent) -> String {
    masked(inside, is_hidden)
}

/// The inside of a partial, whose name may contain anything.
pub(super) fn partial(inside: &TagContent) -> String {
    masked(inside, |inside, at| at == 0 || is_hidden(inside, at))
}

/// The tokens with spaces between them; a hidden one becomes a word of the same length.
fn masked(inside: &TagContent, is_hidden: impl Fn(&TagContent, usize) -> bool) -> String {
    let mut masked = String::with_capacity(inside.span.len());
    for (at, TagToken { kind, span }) in inside.tokens.iter().enumerate() {
        let gap = span.start - inside.span.start - masked.len();
        masked.extend(std::iter::repeat_n(' ', gap));
        let text = inside.text(at);
        match kind {
            _ if is_hidden(inside, at) => masked.extend(std::iter::repeat_n('x', span.len())),
            // A backslash in a string is literal here, but begins an escape in the crate.
            TagTokenKind::Text => {
                masked.push_str(&text[..1]);
                masked.extend(std::iter::repeat_n('x', span.len() - 2));
                masked.push_str(&text[..1]);
            }
            _ => in_brackets_hidden(text, &mut masked),
        }
    }
    masked.extend(std::iter::repeat_n(' ', inside.span.len() - masked.len()));
    masked
}

/// Whether the crate would not accept this token in its place.
fn is_hidden(inside: &TagContent, at: usize) -> bool {
    let text = inside.text(at);
    let [before, after] = [at.checked_sub(1).and_then(|at| inside.kind(at)), inside.kind(at + 1)];
    let is_head = matches!(before, None | Some(TagTokenKind::Open));
    let is_alone = is_head && matches!(after, None | Some(TagTokenKind::Close));
    match inside.kind(at) {
        // `{{'x'}}`
        Some(TagTokenKind::Text) => is_alone,
        // `.` and `..`; `~` inside a tag; keywords as names of values; `elsewhere`, which the crate reads as `else
        // where`; and helpers such as `math.abs`.
        Some(TagTokenKind::Word) => {
            text.chars().all(|c| c == '.' || c == '/')
                || text.contains('~')
                || is_keyword(text) && !matches!(after, Some(TagTokenKind::Bar | TagTokenKind::Equals))
                || is_head && (text.starts_with("else") || !is_alone && is_dotted(text))
        }
        _ => false,
    }
}

fn is_keyword(word: &str) -> bool {
    word.split(['.', '/']).next().is_some_and(|first| matches!(first, "as" | "else"))
}

/// Whether a word consists of names with dots between them.
fn is_dotted(word: &str) -> bool {
    word.contains('.') && word.chars().all(|c| c == '.' || c == '_' || c.is_ascii_alphanumeric())
}

/// Appends a word with the content of its brackets hidden: it could be anything, and the crate would read some of it as
/// a list.
fn in_brackets_hidden(word: &str, masked: &mut String) {
    let mut bracket = false;
    for c in word.chars() {
        bracket &= c != ']';
        match bracket {
            true => masked.extend(std::iter::repeat_n('x', c.len_utf8())),
            false => masked.push(c),
        }
        bracket |= c == '[';
    }
}
