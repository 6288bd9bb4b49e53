//! Sections and settings in the lines of an INI file, and where a new setting goes.

use std::ops::Range;

use holdfast_catalog::resource::IniSetting;

use holdfast_catalog::resource::attribute::Presence;

use super::extent;
use super::line::{MARK, header, indent, is_comment};
use crate::provider::text::edit::Lines;

/// A setting that is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IniLine<'a> {
    /// The line's number, from 0.
    pub(super) at: usize,
    /// Everything before the value.
    before: &'a str,
    /// The value, without space around it.
    pub(super) value: &'a str,
}

/// Why a setting is not edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotEditable {
    /// Its value may continue in the next line.
    GoesOn,
    /// It may be part of the value that begins in this line, counted from 1.
    PartOf(usize),
}

/// All settings of the key in the section, which may be opened more than once.
pub(super) fn settings<'a>(want: &IniSetting, lines: &'a Lines<'_>) -> Vec<IniLine<'a>> {
    let places = sections(want, lines).into_iter().flatten();
    places.filter_map(|at| setting(want, at, lines.get(at)?)).collect()
}

/// Why a setting of the key is not edited: its value may have several lines, the first of which has this number,
/// counted from 1.
pub(super) fn of_many_lines(want: &IniSetting, lines: &Lines<'_>) -> Option<(usize, NotEditable)> {
    let text = want.text();
    sections(want, lines).into_iter().find_map(|section| {
        let extents = extent::of(lines, section.clone());
        let mut there = section.clone().filter_map(|at| setting(want, at, lines.get(at)?));
        there.find_map(|setting| {
            let is_wanted = want.ensure == Presence::Present && setting.value == &*text;
            let around = extents.iter().find(|extent| extent.holds(setting.at))?;
            let of_another = around.start != setting.at;
            if of_another && !(is_wanted && around.is_joined(setting.at)) {
                return Some((setting.at + 1, NotEditable::PartOf(around.start + 1)));
            }
            let ends_open = setting.value.ends_with('\\') || is_open(&setting, lines, section.end);
            let goes_on = !of_another && around.is_indented || !is_wanted && ends_open;
            goes_on.then_some((setting.at + 1, NotEditable::GoesOn))
        })
    })
}

/// Whether a value begins with a quote that a later line closes.
fn is_open(setting: &IniLine<'_>, lines: &Lines<'_>, end: usize) -> bool {
    let Some(quote) = setting.value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return false };
    let closes = |text: &str| {
        let after = |(_, rest): (&str, &str)| rest.trim().is_empty() || is_comment(rest);
        // A line that opens a quote of its own does not close another.
        let opens = text.split_once(quote).is_some_and(|(before, _)| before.trim_end().ends_with(['=', ':']));
        !is_comment(text) && !opens && text.rsplit_once(quote).is_some_and(after)
    };
    !setting.value[1..].contains(quote) && (setting.at + 1..end).filter_map(|at| lines.get(at)).any(closes)
}

/// Sets the value wherever the setting occurs, or adds it if it does not occur.
pub(super) fn set(want: &IniSetting, lines: &mut Lines<'_>) {
    let value = want.text();
    let there: Vec<_> = settings(want, lines)
        .into_iter()
        .filter(|setting| setting.value != &*value)
        .map(|setting| (setting.at, changed(want, &setting)))
        .collect();
    if there.is_empty() && settings(want, lines).is_empty() {
        add(want, lines);
    }
    there.into_iter().for_each(|(at, text)| lines.set(at, text));
}

/// Removes the setting wherever it occurs. Its section is kept, even if it is empty then.
pub(super) fn remove(want: &IniSetting, lines: &mut Lines<'_>) {
    let places: Vec<_> = settings(want, lines).iter().map(|setting| setting.at).collect();
    places.into_iter().rev().for_each(|at| lines.remove(at));
}

/// The line numbers of each part that belongs to the section, without its header.
fn sections(want: &IniSetting, lines: &Lines<'_>) -> Vec<Range<usize>> {
    let headers = lines.iter().enumerate().filter_map(|(at, text)| Some((at, header(text)?)));
    // Before the first header, settings belong to the section without a name.
    let starts: Vec<_> = std::iter::once((0, "")).chain(headers.map(|(at, name)| (at + 1, name))).collect();
    let ends = starts.iter().skip(1).map(|(start, _)| start - 1).chain([lines.iter().len()]);
    let stretches = starts.iter().zip(ends).enumerate();
    stretches
        .filter(|(number, ((_, name), _))| *name == want.section && (*number > 0 || want.section.is_empty()))
        .map(|(_, ((start, _), end))| *start..end)
        .collect()
}

/// The setting of the key in a line; `None` if the line is anything else.
fn setting<'a>(want: &IniSetting, at: usize, text: &'a str) -> Option<IniLine<'a>> {
    if is_comment(text) {
        return None;
    }
    let value = value_at(want, text)?;
    let (before, value) = text.split_at(value);
    Some(IniLine { at, before, value: value.trim() })
}

/// Where the value begins in a line that has the key. The key may be alone, with an empty value.
fn value_at(want: &IniSetting, text: &str) -> Option<usize> {
    let sign = want.separator.trim();
    let body = text.trim_start_matches(MARK).trim_start();
    let rest = body.strip_prefix(want.key.as_str())?;
    let after = rest.trim_start();
    let value = if sign.is_empty() {
        (after.is_empty() || after.len() < rest.len()).then_some(after)?
    } else if after.is_empty() {
        after
    } else {
        after.strip_prefix(sign)?.trim_start()
    };
    Some(text.len() - value.len())
}

/// A line with the wanted value; its white space is kept.
fn changed(want: &IniSetting, setting: &IniLine<'_>) -> String {
    let sign = want.separator.trim();
    let kept = setting.before.trim_end();
    if setting.value.is_empty() && (sign.is_empty() || !kept.ends_with(sign) || kept == setting.before) {
        return written(want, indent(setting.before));
    }
    format!("{}{}", setting.before, want.text())
}

fn written(want: &IniSetting, indent: &str) -> String {
    format!("{indent}{}{}{}", want.key, want.separator, want.text())
}

/// Adds a new setting to the section. If the section does not exist, it is added at the end.
fn add(want: &IniSetting, lines: &mut Lines<'_>) {
    let sections = sections(want, lines);
    let Some(last) = sections.last() else {
        if lines.iter().next_back().is_some_and(|text| !text.trim().is_empty()) {
            lines.push("");
        }
        lines.push(format!("[{}]", want.section));
        lines.push(written(want, ""));
        return;
    };
    let commented = sections.iter().find_map(|section| {
        let at = section.clone().find(|at| is_commented(want, lines.get(*at)))?;
        Some((section, at + 1))
    });
    let (section, at) = commented.map_or((last, None), |(section, at)| (section, Some(at)));
    let extents = extent::of(lines, section.clone());
    let at = extent::free(&extents, at).unwrap_or(section.start);
    let indent = extent::indent_at(&extents, at).to_owned();
    lines.insert(at, written(want, &indent));
}

/// Whether a line has the key in a comment, as examples in many files do.
fn is_commented(want: &IniSetting, text: Option<&str>) -> bool {
    text.filter(|text| is_comment(text))
        .is_some_and(|text| value_at(want, text.trim_start().trim_start_matches(['#', ';'])).is_some())
}
