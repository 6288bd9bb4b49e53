//! The edit after which a text has a line, or no longer has it.

use holdfast_catalog::resource::FileLine;
use holdfast_catalog::resource::attribute::Presence;

use crate::provider::text::edit::Lines;

/// What to do, with the positions of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edit {
    Nothing,
    /// These lines become the line.
    Replace(Vec<usize>),
    /// The line is inserted before these.
    Insert(Vec<usize>),
    Remove(Vec<usize>),
}

impl Edit {
    /// Applies the edit to a text.
    pub(super) fn apply(self, want: &FileLine, lines: &mut Lines<'_>) {
        let line = || want.line.as_ref().map(|line| line.expose().to_string()).unwrap_or_default();
        // From the end, so earlier positions stay valid.
        match self {
            Self::Nothing => {}
            Self::Replace(places) => places.into_iter().for_each(|at| lines.set(at, line())),
            Self::Insert(places) => places.into_iter().rev().for_each(|at| lines.insert(at, line())),
            Self::Remove(places) => places.into_iter().rev().for_each(|at| lines.remove(at)),
        }
    }
}

/// The edit that these lines need.
///
/// # Errors
/// Fails if a pattern finds more than it may.
pub(super) fn edit(want: &FileLine, lines: &Lines<'_>) -> Result<Edit, String> {
    let line = want.line.as_ref().map(|line| line.expose());
    let is_line = |text: &str| line.as_deref() == Some(text);
    let found = want.r#match.as_ref().map(|pattern| places(lines, |text| pattern.finds(text)));
    if want.ensure == Presence::Absent {
        let gone = found.unwrap_or_else(|| places(lines, is_line));
        return Ok(some(gone, Edit::Remove));
    }
    let there = lines.iter().any(is_line);
    if let Some(found) = found.filter(|found| !found.is_empty()) {
        if there && !want.multiple {
            return Ok(Edit::Nothing);
        }
        only_one(want, "match", &found)?;
        let others = found.into_iter().filter(|at| !lines.get(*at).is_some_and(is_line)).collect();
        return Ok(some(others, Edit::Replace));
    }
    if there || !want.append_on_no_match {
        return Ok(Edit::Nothing);
    }
    let before = want.after.as_ref().map(|pattern| places(lines, |text| pattern.finds(text)));
    match before.filter(|found| !found.is_empty()) {
        Some(found) => {
            only_one(want, "after", &found)?;
            Ok(Edit::Insert(found.into_iter().map(|at| at + 1).collect()))
        }
        None => Ok(Edit::Insert(vec![lines.iter().len()])),
    }
}

fn places(lines: &Lines<'_>, wanted: impl Fn(&str) -> bool) -> Vec<usize> {
    lines.iter().enumerate().filter(|(_, text)| wanted(text)).map(|(at, _)| at).collect()
}

fn some(places: Vec<usize>, edit: fn(Vec<usize>) -> Edit) -> Edit {
    if places.is_empty() { Edit::Nothing } else { edit(places) }
}

fn only_one(want: &FileLine, attribute: &str, found: &[usize]) -> Result<(), String> {
    if found.len() < 2 || want.multiple {
        return Ok(());
    }
    let numbers: Vec<_> = found.iter().take(5).map(|at| (at + 1).to_string()).collect();
    let more = if found.len() > numbers.len() { ", …" } else { "" };
    Err(format!(
        "`{attribute}` finds {} lines of {} ({}{more}): narrow it, or set multiple = true",
        found.len(),
        want.path,
        numbers.join(", ")
    ))
}
