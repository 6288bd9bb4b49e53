//! `ini_setting`: single settings in INI files that others own.
//!
//! Each file is read once for all of its settings. Each change is made to the text as it is at that time. A secret
//! value is written to the file and shown nowhere.

use std::path::Path;

use holdfast_catalog::resource::IniSetting;
use holdfast_catalog::resource::attribute::Presence;

use section::NotEditable;

use super::text::edit::{self, Lines, Texts};
use super::{Applied, ChangeKind, DisplayValue, Error, Left, Need, Provider, Reading, Writing, properties};

mod extent;
mod line;
mod section;
#[cfg(test)]
mod tests;

/// The provider of `ini_setting`.
pub struct Settings;

properties! {
    Ensure => "ensure",
    Value => "value",
}

impl Provider for Settings {
    type Want = IniSetting;
    type Seen = Texts;
    type Property = Property;

    fn observe(&self, all: &[&IniSetting], reading: Reading<'_>) -> Result<Texts, Error> {
        Ok(Texts::read(reading.machine, all.iter().map(|want| want.path.as_str())))
    }

    fn plan(&self, want: &IniSetting, texts: &Texts, reading: Reading<'_>) -> Result<Plan, Error> {
        let path = want.path.as_str();
        edit::refuse_link(reading.machine, path)?;
        let text = texts.get(path)?;
        let directory = Path::new(path).parent().filter(|_| text.is_none());
        if let Some(directory) = directory.filter(|_| want.ensure == Presence::Present)
            && reading.machine.stat(directory)?.is_none()
        {
            let shown = directory.display().to_string();
            let cure = reading.named.unless_has_file(&shown, ": manage it too");
            return Ok(Plan::pending(Need::path(directory, format!("there is no {shown}{cure}"))));
        }
        let lines = Lines::of(text.unwrap_or_default());
        refuse(want, &lines)?;
        let mut changes: Vec<_> = difference(want, &lines).into_iter().collect();
        if is_secret(want) && want.ensure == Presence::Present {
            let said = |words| Change::new(Property::Value, "", "").kind(ChangeKind::Note).note(words);
            changes.extend(edit::readable_by_all(path, reading)?.map(said));
        }
        Ok(Plan::of(changes))
    }

    fn apply(&self, want: &IniSetting, _: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let new = if is_secret(want) { edit::PRIVATE } else { edit::PUBLIC };
        let mut refused = Ok(());
        edit::rewrite(writing, want.path.as_str(), new, |text| {
            let mut lines = Lines::of(text);
            refused = refuse(want, &lines);
            match want.ensure {
                _ if refused.is_err() => {}
                Presence::Present => section::set(want, &mut lines),
                Presence::Absent => section::remove(want, &mut lines),
            }
            lines.to_string()
        })?;
        refused.map(|()| Applied::default())
    }

    fn names<'a>(&self, want: &'a IniSetting) -> Vec<&'a str> {
        match want.ensure {
            Presence::Present => vec![want.path.as_str()],
            Presence::Absent => Vec::new(),
        }
    }

    fn left<'a>(&self, want: &'a IniSetting) -> Left<'a> {
        let value =
            (want.ensure == Presence::Present).then(|| ("value".into(), want.text().to_string().into()));
        [("ensure".into(), want.ensure.to_string().into())].into_iter().chain(value).collect()
    }
}

/// Refuses a change that would require guessing what the lines mean.
fn refuse(want: &IniSetting, lines: &Lines<'_>) -> Result<(), Error> {
    let (path, key) = (want.path.as_str(), &want.key);
    if let Some((line, why)) = section::of_many_lines(want, lines) {
        return Err(Error::Unsupported(match why {
            NotEditable::GoesOn => format!(
                "`{key}` in line {line} of {path} spans several lines, and is not edited: write it on one line"
            ),
            NotEditable::PartOf(other) => format!(
                "`{key}` in line {line} of {path} may be a part of the value that begins in line {other}, and is not edited: \
                 bring it to the indent of that line, or that value into one line"
            ),
        }));
    }
    let there = section::settings(want, lines);
    let text = want.text();
    let is_sound = want.multiple
        || want.ensure == Presence::Absent
        || there.len() < 2
        || there.iter().all(|setting| setting.value == &*text);
    if is_sound {
        return Ok(());
    }
    let numbers: Vec<_> = there.iter().map(|setting| (setting.at + 1).to_string()).collect();
    Err(Error::Conflict(format!(
        "`{key}` is set more than once, in the lines {} of {path}: leave one of them, or give all of them the value with \
         multiple = true",
        numbers.join(", ")
    )))
}

fn is_secret(want: &IniSetting) -> bool {
    want.value.as_ref().is_some_and(|value| value.secret().is_sensitive())
}

/// The change that is needed, if any.
fn difference(want: &IniSetting, lines: &Lines<'_>) -> Option<Change> {
    let there = section::settings(want, lines);
    match want.ensure {
        Presence::Absent if there.is_empty() => None,
        Presence::Absent => Some(Change::new(Property::Ensure, Presence::Present, Presence::Absent)),
        Presence::Present if there.is_empty() => {
            Some(Change::new(Property::Ensure, Presence::Absent, Presence::Present))
        }
        Presence::Present => {
            let other = there.iter().find(|setting| setting.value != &*want.text())?;
            let mut change = Change::new(Property::Value, "", "");
            change.is = if is_secret(want) { DisplayValue::Masked } else { DisplayValue::from(other.value) };
            change.should = want
                .value
                .as_ref()
                .map_or_else(|| DisplayValue::from(""), |v| DisplayValue::secret(v.secret()));
            Some(change)
        }
    }
}
