//! The text of a file in `/etc/cron.d`, written and read back.

use std::collections::BTreeMap;

use holdfast_catalog::resource::Cron;
use holdfast_catalog::resource::cron::quoted;

/// The file of a job.
pub(super) fn text(want: &Cron) -> String {
    let mut text =
        format!("# Written by holdfast for cron[{}]; what is changed here is undone.\n", want.title);
    for (name, value) in &want.environment {
        // Validation refuses what cannot be written.
        let value = quoted(&value.expose()).unwrap_or_default();
        text.push_str(&format!("{name}={value}\n"));
    }
    let schedule = want.schedule.as_ref().map_or("", |schedule| schedule.as_str());
    let command = want.command.as_deref().unwrap_or_default().replace('%', "\\%");
    text.push_str(&format!("{schedule} {} {command}\n", want.runs_as()));
    text
}

/// What cron reads from a file.
#[derive(Debug, Default)]
pub(super) struct Crontab<'a> {
    environment: BTreeMap<&'a str, &'a str>,
    pub(super) jobs: Vec<CronJob<'a>>,
}

/// A line with a job; missing parts are empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CronJob<'a> {
    pub(super) schedule: String,
    pub(super) user: &'a str,
    /// As it is in the file, with `\%` for `%`.
    command: &'a str,
}

impl<'a> Crontab<'a> {
    /// Reads a file's text. A line that cron cannot read counts as a job.
    pub(super) fn parse(text: &'a str) -> Self {
        let mut crontab = Self::default();
        for line in text.lines().map(str::trim_start).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            match variable(line) {
                Some((name, value)) => {
                    crontab.environment.insert(name, value);
                }
                None => crontab.jobs.push(job(line)),
            }
        }
        crontab
    }

    /// The commands of its jobs, as a manifest would write them.
    pub(super) fn command(&self) -> String {
        self.jobs.iter().map(|job| job.command.replace("\\%", "%")).collect::<Vec<_>>().join("; ")
    }

    /// Its variables as a text, in the order of their names.
    pub(super) fn environment(&self) -> String {
        self.environment.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    }
}

/// Parses a line that sets a variable.
fn variable(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim_end();
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then(|| (name, unquoted(value.trim())))
}

fn unquoted(value: &str) -> &str {
    let inner = |mark| value.strip_prefix(mark).and_then(|rest: &str| rest.strip_suffix(mark));
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}

fn job(line: &str) -> CronJob<'_> {
    let fields = if line.starts_with('@') { 1 } else { 5 };
    let mut rest = line;
    let mut next = || {
        let (word, after) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        rest = after.trim_start();
        word
    };
    let schedule: Vec<&str> = (0..fields).map(|_| next()).collect();
    let user = next();
    CronJob { schedule: schedule.join(" "), user, command: rest.trim_end() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::trial::want;

    #[test]
    fn what_is_written_is_what_is_read_back() {
        let environment = [("A", " spaces ".into()), ("MAILTO", "".into()), ("Q", "it's \"so\"".into())];
        let job = want::<Cron>(
            "job",
            &[
                ("command", "date '+%F %T' | tee /x = y".into()),
                ("schedule", "0-30/5 4 * jan mon,tue".into()),
                ("user", "www-data".into()),
                ("environment", environment.into()),
            ],
        );
        let text = text(&job);
        assert!(text.ends_with("0-30/5 4 * jan mon,tue www-data date '+\\%F \\%T' | tee /x = y\n"), "{text}");
        let read = Crontab::parse(&text);
        assert_eq!(read.environment(), "A= spaces , MAILTO=, Q=it's \"so\"");
        assert_eq!(read.command(), "date '+%F %T' | tee /x = y");
        assert_eq!((&*read.jobs[0].schedule, read.jobs[0].user), ("0-30/5 4 * jan mon,tue", "www-data"));
    }

    #[test]
    fn foreign_hands_write_in_other_ways() {
        let read = Crontab::parse("SHELL = '/bin/bash'\n\n# note\n\t@daily\troot\t run  it \n1 2\n");
        assert_eq!(read.environment(), "SHELL=/bin/bash");
        assert_eq!(read.jobs[0], CronJob { schedule: "@daily".into(), user: "root", command: "run  it" });
        assert_eq!(read.jobs[1], CronJob { schedule: "1 2   ".into(), user: "", command: "" });
    }
}
