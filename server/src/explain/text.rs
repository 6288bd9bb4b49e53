//! An explanation for people.

use std::fmt::Write as _;

use holdfast_catalog::origin::Origin;

use super::{Explanation, FallbackValue, KeyDeclaration, LevelTrace, leaves};
use crate::diagnose;
use crate::language::merge::{DeepOptions, ListOrder, MapsInLists, Merge};
use crate::lookup::LevelAnswer;
use crate::lookup::fate::{Fate, ValuePart};

impl Explanation {
    /// The explanation as plain text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.heading(&mut out);
        let width = self.levels.iter().map(|level| level.name.chars().count()).max().unwrap_or_default();
        for level in &self.levels {
            let mut lines = self.told(level).into_iter();
            // writing to a string cannot fail
            let _ = writeln!(out, "  {:width$}  {}", level.name, lines.next().unwrap_or_default());
            for line in lines {
                let _ = writeln!(out, "  {:width$}    {line}", "");
            }
        }
        self.ending(&mut out);
        out
    }

    fn heading(&self, out: &mut String) {
        let Some(declared) = &self.declared else {
            let _ = writeln!(out, "{}", self.key);
            return;
        };
        let KeyDeclaration { of, origin, .. } = declared;
        let _ = writeln!(out, "{}: {of}, declared in {}", self.key, place(origin));
        let _ = writeln!(out, "merge: {}", how(declared.how()));
        if declared.instead.is_some() {
            let _ = writeln!(out, "  asked for by --merge; it is declared as {}", declared.merge.name());
        }
    }

    /// The value of a level and what became of it: the first line, and the lines below it.
    fn told(&self, level: &LevelTrace) -> Vec<String> {
        let at = level.line().map_or_else(|| level.path.to_string(), |line| format!("{}:{line}", level.path));
        let value = match &level.says {
            LevelAnswer::Value(value) => value.shown(),
            LevelAnswer::NoKey => return vec![format!("{at}: does not have the key")],
            LevelAnswer::NoFile => return vec![format!("{at}: no such file")],
            LevelAnswer::Skipped(why) => return vec![format!("{at}: skipped: {why}")],
            LevelAnswer::Wrong(problems) => {
                let texts: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
                return vec![format!("{at}: error: {}", texts.join("; "))];
            }
        };
        let mut lines = match level.parts.as_deref() {
            None => vec![format!("{at}: {value}")],
            Some([one]) => vec![format!("{at}: {value}, {}", self.sentence(one.fate))],
            Some(parts) => {
                let below = self.by_fate(parts);
                std::iter::once(format!("{at}: {value}")).chain(below).collect()
            }
        };
        lines.extend(level.reads.iter().map(|read| match &read.value {
            Some(value) => format!("reads {} = {}", read.what, value.shown()),
            None => format!("reads {}, which does not exist", read.what),
        }));
        lines
    }

    /// The parts of a value, one line for each fate.
    fn by_fate(&self, parts: &[ValuePart]) -> Vec<String> {
        let mut fates: Vec<Fate> = Vec::new();
        for part in parts {
            if !fates.contains(&part.fate) {
                fates.push(part.fate);
            }
        }
        fates.sort_by_key(|fate| *fate != Fate::Used);
        let line = |fate: Fate| {
            let paths = parts.iter().filter(|part| part.fate == fate).map(|part| part.path.as_str());
            format!("{}: {}", self.sentence(fate), paths.collect::<Vec<_>>().join(", "))
        };
        fates.into_iter().map(line).collect()
    }

    /// What became of a part, in words; begins with the word for programs.
    fn sentence(&self, fate: Fate) -> String {
        let by = fate.by().map_or("another level", |by| self.deciding(by));
        let rest = match fate {
            Fate::Used | Fate::Gone => String::new(),
            Fate::Overruled(_) | Fate::KnockedOut(_) => format!(" by {by}"),
            Fate::Repeated(_) => format!(" as {by} says"),
            Fate::Hidden(_) => format!(" by the null of {by}"),
            Fate::TakesAway | Fate::Null => " what less specific levels say".to_owned(),
        };
        format!("{}{rest}", fate.word().replace('-', " "))
    }

    fn ending(&self, out: &mut String) {
        let _ = match (&self.answer, &self.absent) {
            (Err(problems), _) => {
                writeln!(out, "= no answer: {}", diagnose::summary(problems).unwrap_or_default())
            }
            (Ok(_), Some(absent)) => writeln!(out, "= {}", self.instead(absent)),
            (Ok(None), None) => writeln!(out, "= not found: no level has the key"),
            (Ok(Some(found)), None) => {
                let mut parts = Vec::new();
                leaves(found, "", None, &mut parts);
                let lines = parts.iter().filter(|part| !part.path.is_empty()).map(|part| {
                    let level =
                        part.place.level.as_deref().map_or_else(String::new, |level| format!(" ({level})"));
                    format!("  {} = {}  from {}{level}\n", part.path, part.value.shown(), place(part.place))
                });
                writeln!(out, "= {}", found.shown()).and_then(|()| out.write_str(&lines.collect::<String>()))
            }
        };
    }

    /// What applies if the data has no value.
    fn instead(&self, absent: &FallbackValue) -> String {
        let null = self.answer.iter().flatten().find_map(|found| found.origin.as_deref());
        let why = null.map_or_else(
            || "no level has the key".to_owned(),
            |origin| format!("{} says null", place(origin)),
        );
        match absent {
            FallbackValue::Default { value, origin } => {
                format!("{}, the default ({}): {why}", value.shown(), place(origin))
            }
            FallbackValue::Wrong(problems) => {
                let errors = diagnose::summary(problems).unwrap_or_default();
                format!("no answer: {why}, and the default has {errors}")
            }
            FallbackValue::Required => format!("not found: {why}, and the parameter has no default"),
            FallbackValue::Null => format!("null: {why}"),
            FallbackValue::Nothing => format!("not found: {why}"),
        }
    }
}

fn place(origin: &Origin) -> String {
    format!("{}:{}", origin.file, origin.line)
}

/// A merge strategy in words.
fn how(merge: &Merge) -> String {
    match merge {
        Merge::First => "first, only the most specific value".to_owned(),
        Merge::Unique => "unique, all levels as one list without duplicates, most specific first".to_owned(),
        Merge::Hash => "hash, the keys of all levels; for each the most specific value".to_owned(),
        Merge::Deep(options) => {
            format!("deep, maps and lists of all levels at every depth{}", extra(options))
        }
    }
}

fn extra(options: &DeepOptions) -> String {
    let DeepOptions { knockout_prefix, lists, maps_in_lists } = options;
    let mut out = String::new();
    if let Some(prefix) = knockout_prefix {
        let _ = write!(out, "; {prefix:?} knocks out");
    }
    if *lists == ListOrder::Sorted {
        out.push_str("; lists are sorted");
    }
    match maps_in_lists {
        MapsInLists::Whole => {}
        MapsInLists::ByPosition => out.push_str("; maps in lists are merged by their position"),
        MapsInLists::ByKey(key) => {
            let _ = write!(out, "; maps in lists are merged by their {key:?}");
        }
    }
    out
}
