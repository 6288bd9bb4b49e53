//! When cron runs a job: five fields, or a word.

use std::fmt;

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// Words that stand for the five fields.
const WORDS: [&str; 8] =
    ["@reboot", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A field: its name, its bounds, and names for its numbers, beginning with the lower bound.
struct ScheduleField {
    name: &'static str,
    least: u32,
    greatest: u32,
    names: &'static [&'static str],
}

const FIELDS: [ScheduleField; 5] = [
    ScheduleField { name: "minute", least: 0, greatest: 59, names: &[] },
    ScheduleField { name: "hour", least: 0, greatest: 23, names: &[] },
    ScheduleField { name: "day of the month", least: 1, greatest: 31, names: &[] },
    ScheduleField { name: "month", least: 1, greatest: 12, names: &MONTHS },
    ScheduleField { name: "day of the week", least: 0, greatest: 7, names: &DAYS },
];

/// When a job runs, with one space between fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronSchedule(String);

impl CronSchedule {
    /// The schedule as cron reads it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CronSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for CronSchedule {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let fields: Vec<&str> = text.split([' ', '\t']).filter(|field| !field.is_empty()).collect();
        let refused = |why: String| Mismatch::because(format!("is `{}`: {why}", text.escape_debug()));
        match fields[..] {
            [word] if WORDS.contains(&word) => {}
            [word] if word.starts_with('@') => {
                let help = crate::spelling::did_you_mean(word, WORDS).unwrap_or_else(|| WORDS.join(", "));
                return Err(refused("there is no such word".to_owned()).help(help));
            }
            [_, _, _, _, _] => {
                for (field, written) in FIELDS.iter().zip(&fields) {
                    field.check(written).map_err(|why| refused(why).help(field.help()))?;
                }
            }
            _ => {
                let why = match fields.len() {
                    1 => "this is 1 field, not 5".to_owned(),
                    many => format!("these are {many} fields, not 5"),
                };
                let help = "write minute, hour, day of the month, month and day of the week, or a word such as `@daily`";
                return Err(refused(why).help(help));
            }
        }
        Ok(Self(fields.join(" ")))
    }
}

impl ScheduleField {
    fn help(&self) -> String {
        let Self { name, least, greatest, .. } = self;
        format!(
            "the {name} is `*`, or numbers from {least} to {greatest}, as in `{least}-{greatest}/2` or `1,2`"
        )
    }

    /// Checks a list of `*`, numbers and ranges, each perhaps with a step.
    fn check(&self, written: &str) -> Result<(), String> {
        written.split(',').try_for_each(|part| {
            let (range, step) =
                part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
            let is_step = |step: &str| number(step).is_some_and(|step| (1..=self.greatest).contains(&step));
            if step.is_some_and(|step| !is_step(step)) {
                return Err(format!("`{part}` is not a step of the {}", self.name));
            }
            if range == "*" {
                return Ok(());
            }
            let (from, to) = range.split_once('-').map_or((range, None), |(from, to)| (from, Some(to)));
            let bad = || format!("`{part}` is not a value for the {}", self.name);
            let from = self.value(from).ok_or_else(bad)?;
            match to.map(|to| self.value(to).ok_or_else(bad)).transpose()? {
                Some(to) if to < from => Err(format!("`{part}` runs backwards")),
                None if step.is_some() => Err(format!("`{part}` has a step, but no range")),
                _ => Ok(()),
            }
        })
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().zip(self.least..).find(|(name, _)| name.eq_ignore_ascii_case(text));
        let number = named.map(|(_, number)| number).or_else(|| number(text))?;
        (self.least..=self.greatest).contains(&number).then_some(number)
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CronSchedule, Mismatch> {
        CronSchedule::read(&text.into())
    }

    #[test]
    fn schedules_are_five_fields_or_a_word() {
        for good in ["*/5 * * * *", "0 4 1,15 * mon-fri", "0-30/10 0 * Jan 7", "@daily", "@reboot"] {
            assert_eq!(read(good).unwrap().as_str(), good);
        }
        assert_eq!(read(" 1\t2  3 4 5 ").unwrap().as_str(), "1 2 3 4 5");
    }

    #[test]
    fn what_cron_would_not_read_is_refused_with_the_cure() {
        for (bad, why) in [
            ("60 * * * *", "not a value for the minute"),
            ("* 24 * * *", "not a value for the hour"),
            ("* * 0 * *", "not a value for the day of the month"),
            ("* * * 13 *", "not a value for the month"),
            ("* * * * 8", "not a value for the day of the week"),
            ("30-10 * * * *", "backwards"),
            ("5/10 * * * *", "no range"),
            ("*/0 * * * *", "not a step"),
            ("* * * *", "4 fields"),
            ("* * * * * root", "6 fields"),
            ("", "0 fields"),
            ("@dayly", "no such word"),
            ("* * * * *\n* * * * *", "fields"),
            ("1,, * * * *", "not a value for the minute"),
            ("*\n * * * *", "not a value for the minute"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.why.as_ref().is_some_and(|said| said.contains(why)), "{bad}: {error:?}");
            assert!(error.help.is_some(), "{bad}");
        }
    }
}
