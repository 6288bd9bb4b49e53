//! Lines of /etc/fstab: found by mount point, changed field by field, with the white space between them kept.

use std::borrow::Cow;

use holdfast_catalog::resource::Mount;
use holdfast_catalog::resource::mount::MountEnsure;

use super::device;
use super::{Change, Property};
use crate::provider::Error;
use crate::provider::text::edit::Lines;
use crate::system::Inspect;
use crate::system::mount_field::{escaped, unescaped};

/// A line of /etc/fstab, with its fields unescaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FstabLine {
    /// The line's number, from 0.
    pub(super) at: usize,
    fields: [String; FIELDS],
}

const FIELDS: usize = 6;
/// The property of each field; the mount point is the title.
const PROPERTIES: [Option<Property>; FIELDS] = [
    Some(Property::Device),
    None,
    Some(Property::Fstype),
    Some(Property::Options),
    Some(Property::Dump),
    Some(Property::Pass),
];

/// The values of fields that a line does not have.
const DEFAULTS: [&str; FIELDS] = ["", "", "", "defaults", "0", "0"];

impl FstabLine {
    fn parse(at: usize, line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if words.len() < 2 || words[0].starts_with('#') {
            return None;
        }
        let field = |i: usize| words.get(i).map_or_else(|| DEFAULTS[i].to_owned(), |word| unescaped(word));
        Some(Self { at, fields: std::array::from_fn(field) })
    }

    /// How the line differs from what is wanted.
    pub(super) fn differences(&self, want: &Mount) -> Vec<Change> {
        let wanted = wanted(want);
        let fields = self.fields.iter().zip(&wanted).enumerate();
        fields
            .filter(|(i, (is, should))| !is_same(*i, is, should))
            .filter_map(|(i, (is, should))| Some(Change::new(PROPERTIES[i]?, is, should)))
            .collect()
    }
}

/// Whether a field means the same: numbers can be written in more than one way, and so can devices.
fn is_same(field: usize, is: &str, should: &str) -> bool {
    match field {
        _ if is == should => true,
        0 => device::plain(is) == device::plain(should),
        4.. => is.parse::<u32>().is_ok_and(|is| Ok(is) == should.parse()),
        _ => false,
    }
}

/// The fields of the wanted line.
fn wanted(want: &Mount) -> [String; FIELDS] {
    let point = if want.is_swap() { "none" } else { want.title.as_str() };
    [
        want.device().to_owned(),
        point.to_owned(),
        want.fstype.clone().unwrap_or_default(),
        want.options.clone(),
        want.dump.to_string(),
        want.pass.to_string(),
    ]
}

/// The lines of a mount point; of swap space, those of its device.
pub(super) fn find(want: &Mount, lines: &Lines<'_>, machine: &dyn Inspect) -> Result<Vec<FstabLine>, Error> {
    let mut found = Vec::new();
    for entry in lines.iter().enumerate().filter_map(|(at, line)| FstabLine::parse(at, line)) {
        let [device, point, fstype, ..] = &entry.fields;
        let is_it = match (want.is_swap(), fstype == "swap") {
            (true, true) => device::resolved(want.device(), machine)? == device::resolved(device, machine)?,
            (false, false) => trimmed(point) == want.title.as_str(),
            _ => false,
        };
        if is_it {
            found.push(entry);
        }
    }
    Ok(found)
}

/// Whether any line has this mount point.
pub(super) fn names(point: &str, lines: &Lines<'_>) -> bool {
    let mut entries = lines.iter().enumerate().filter_map(|(at, line)| FstabLine::parse(at, line));
    entries.any(|entry| trimmed(&entry.fields[1]) == point)
}

fn trimmed(point: &str) -> &str {
    if point.len() > 1 { point.trim_end_matches('/') } else { point }
}

/// Edits the lines so that they say what is wanted.
pub(super) fn put(want: &Mount, lines: &mut Lines<'_>, machine: &dyn Inspect) -> Result<(), Error> {
    let entries = find(want, lines, machine)?;
    if want.ensure == MountEnsure::Absent {
        entries.iter().rev().for_each(|entry| lines.remove(entry.at));
        return Ok(());
    }
    let wanted = wanted(want);
    match entries.first() {
        Some(entry) => {
            let line = lines.get(entry.at).map(|line| changed(line, entry, &wanted)).unwrap_or_default();
            lines.set(entry.at, line);
        }
        None => lines.push(wanted.each_ref().map(|field| escaped(field).into_owned()).join("\t")),
    }
    Ok(())
}

/// Restores the line of a mount point from `before`, or removes it if it was not there.
pub(super) fn put_back(
    want: &Mount,
    before: &str,
    lines: &mut Lines<'_>,
    machine: &dyn Inspect,
) -> Result<(), Error> {
    let old = Lines::of(before);
    let line = find(want, &old, machine)?.first().and_then(|entry| old.get(entry.at)).map(str::to_owned);
    match (find(want, lines, machine)?.first(), line) {
        (Some(entry), Some(line)) => lines.set(entry.at, line),
        (Some(entry), None) => lines.remove(entry.at),
        (None, _) => {}
    }
    Ok(())
}

/// The line with only those fields replaced that differ.
fn changed(line: &str, entry: &FstabLine, wanted: &[String; FIELDS]) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    let last = (0..FIELDS).rev().find(|i| !is_same(*i, &entry.fields[*i], &wanted[*i])).unwrap_or_default();
    for (field, should) in wanted.iter().enumerate() {
        let start = rest.len() - rest.trim_ascii_start().len();
        let end = rest[start..].find(|c: char| c.is_ascii_whitespace()).map_or(rest.len(), |end| start + end);
        let (space, word) = (&rest[..start], &rest[start..end]);
        let same = is_same(field, &entry.fields[field], should) || field == 1;
        match word {
            "" if field > last => break,
            "" => {
                text.push('\t');
                text.push_str(&escaped(should));
            }
            _ => {
                text.push_str(space);
                text.push_str(&if same { Cow::Borrowed(word) } else { escaped(should) });
            }
        }
        rest = if word.is_empty() { "" } else { &rest[end..] };
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_are_no_entries() {
        assert!(FstabLine::parse(0, "  # /dev/x /y ext4").is_none() && FstabLine::parse(0, " ").is_none());
        let short = FstabLine::parse(3, "/dev/x /y").unwrap();
        assert_eq!(short.fields[3..], ["defaults", "0", "0"]);
    }
}
