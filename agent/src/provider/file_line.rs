//! `file_line`: single lines of files that others own.
//!
//! Each file is read once for all of its lines. Each change is made to the text as it is at that time.

use holdfast_catalog::resource::FileLine;
use holdfast_catalog::resource::attribute::{Presence, Secret};

use super::text::edit::{self, Lines, Texts};
use super::{Applied, ChangeKind, DisplayValue, Error, Left, Need, Provider, Reading, Writing, properties};

mod wanted;
#[cfg(test)]
mod tests;

use wanted::Edit;

/// The provider of `file_line`.
pub struct FileLines;

properties! {
    Ensure => "ensure",
    Line => "line",
}

impl Provider for FileLines {
    type Want = FileLine;
    type Seen = Texts;
    type Property = Property;

    fn observe(&self, all: &[&FileLine], reading: Reading<'_>) -> Result<Texts, Error> {
        Ok(Texts::read(reading.machine, all.iter().map(|want| want.path.as_str())))
    }

    fn plan(&self, want: &FileLine, texts: &Texts, reading: Reading<'_>) -> Result<Plan, Error> {
        edit::refuse_link(reading.machine, want.path.as_str())?;
        match (texts.get(want.path.as_str())?, want.ensure) {
            (None, Presence::Absent) => Ok(Plan::IN_SYNC),
            (None, Presence::Present) => {
                let cure = reading.named.unless_has_file(want.path.as_str(), ": manage the file too");
                let why = format!("there is no {}{cure}", want.path);
                Ok(Plan::pending(Need::path(want.path.as_str(), why)))
            }
            (Some(text), _) => {
                let lines = Lines::of(text);
                let edit = wanted::edit(want, &lines).map_err(Error::Refused)?;
                let mut changes: Vec<_> = change(want, &lines, &edit).into_iter().collect();
                if want.ensure == Presence::Present && want.line.as_ref().is_some_and(Secret::is_sensitive) {
                    let said = |words| Change::new(Property::Line, "", "").kind(ChangeKind::Note).note(words);
                    changes.extend(edit::readable_by_all(want.path.as_str(), reading)?.map(said));
                }
                Ok(Plan::of(changes))
            }
        }
    }

    fn apply(&self, want: &FileLine, _: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let mut refused = None;
        edit::rewrite(writing, want.path.as_str(), edit::PUBLIC, |text| {
            let mut lines = Lines::of(text);
            match wanted::edit(want, &lines) {
                Ok(edit) => edit.apply(want, &mut lines),
                Err(why) => refused = Some(why),
            }
            lines.to_string()
        })?;
        refused.map_or_else(|| Ok(Applied::default()), |why| Err(Error::Refused(why)))
    }

    fn names<'a>(&self, want: &'a FileLine) -> Vec<&'a str> {
        match want.ensure {
            Presence::Present => vec![want.path.as_str()],
            Presence::Absent => Vec::new(),
        }
    }

    fn left<'a>(&self, want: &'a FileLine) -> Left<'a> {
        let line = want.line.as_ref().filter(|_| want.ensure == Presence::Present);
        let line = line.map(|line| ("line".into(), line.expose().to_string().into()));
        [("ensure".into(), want.ensure.to_string().into())].into_iter().chain(line).collect()
    }
}

/// An edit as a change; `None` if it changes nothing.
fn change(want: &FileLine, lines: &Lines<'_>, edit: &Edit) -> Option<Change> {
    let should = || want.line.as_ref().map_or_else(|| DisplayValue::from(""), DisplayValue::secret);
    let (change, places) = match edit {
        Edit::Nothing => return None,
        Edit::Replace(places) => {
            let old = places.first().and_then(|at| lines.get(*at)).unwrap_or_default();
            let secret = want.line.as_ref().is_some_and(Secret::is_sensitive);
            let is = if secret { DisplayValue::Masked } else { DisplayValue::from(old) };
            let mut change = Change::new(Property::Line, "", "");
            (change.is, change.should) = (is, should());
            (change, places)
        }
        Edit::Insert(places) => {
            let mut change = Change::new(Property::Line, "", "");
            change.should = should();
            (change, places)
        }
        Edit::Remove(places) => (Change::new(Property::Ensure, Presence::Present, Presence::Absent), places),
    };
    let several = (places.len() > 1).then(|| format!("{} times", places.len()));
    Some(several.into_iter().fold(change, Change::note))
}
