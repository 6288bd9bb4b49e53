//! What one line of an INI file is, taken alone.

/// A byte order mark, which some editors write before the first line and the programs that read the file skip.
pub(super) const MARK: char = '\u{feff}';

/// The name in a section's header.
pub(super) fn header(text: &str) -> Option<&str> {
    let (name, rest) = text.trim_start_matches(MARK).trim().strip_prefix('[')?.rsplit_once(']')?;
    let rest = rest.trim_start();
    (rest.is_empty() || is_comment(rest)).then_some(name.trim())
}

pub(super) fn is_comment(text: &str) -> bool {
    text.trim_start().starts_with(['#', ';'])
}

pub(super) fn indent(text: &str) -> &str {
    &text[..text.len() - text.trim_start().len()]
}
