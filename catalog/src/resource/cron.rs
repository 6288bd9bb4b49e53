//! `cron`: a job that cron runs on a schedule.

use std::collections::BTreeMap;
use std::fmt;

use super::attribute::{AccountName, CronSchedule, Presence, Secret};
use super::claim::Claim;
use super::define::resource_type;
use super::{Attribute, AttributeError, AttributeKind, Bond, Implied, Mismatch, ResourceRef, Rules};
use crate::value::Value;

/// The directory from which cron reads jobs that name their user.
const FOLDER: &str = "/etc/cron.d/";

/// The longest command or variable; cron cuts or drops longer ones.
const MAX_LINE: usize = 998;

/// The name of a file that cron reads: letters, digits, `-` and `_`, without a dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronName(String);

impl CronName {
    /// The path of the file.
    pub fn path(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CronName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0[FOLDER.len()..])
    }
}

impl Attribute for CronName {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let character = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if (1..=200).contains(&text.len()) && text.bytes().all(character) && !text.starts_with('-') {
            return Ok(Self(format!("{FOLDER}{text}")));
        }
        let why = format!("is `{}`, which is not a valid job name", text.escape_debug());
        Err(Mismatch::because(why).help("use letters, digits, `-` and `_`: cron ignores files with a dot"))
    }
}

resource_type! {
    /// A job that cron runs by the clock: the file `/etc/cron.d/NAME`, whole. The title is its name. On a machine without a cron daemon that runs it fails, unless a `service` of the catalog starts that one.
    Cron("cron"), titled CronName {
        /// Whether it exists.
        property ensure: Presence = Presence::Present,
        /// What is run, by `/bin/sh -c` unless `SHELL` in `environment` says another. `%` stands for itself.
        property command: Option<String> => "required, unless absent",
        /// The user it runs as.
        property user: Option<AccountName> => "`\"root\"`",
        /// When it runs: minute, hour, day of the month, month, day of the week (`"*/5 * * * *"`), or a word such as `"@daily"`.
        property schedule: Option<CronSchedule> => "required, unless absent",
        /// Variables of its environment, such as `MAILTO` and `PATH`. Where one is secret, only root can read the file.
        property environment: BTreeMap<String, Secret>,
    }
}

impl Cron {
    /// The user as whom the job runs.
    pub fn runs_as(&self) -> &str {
        self.user.as_ref().map_or("root", AccountName::as_str)
    }
}

/// A value so that cron reads it back unchanged; `None` if it cannot be written: cron removes quotes twice.
pub fn quoted(value: &str) -> Option<String> {
    if value.starts_with(['"', '\'']) {
        return None;
    }
    if !value.is_empty() && value.trim() == value {
        return Some(value.to_owned());
    }
    let mark = ['"', '\''].into_iter().find(|mark| !value.contains(*mark))?;
    Some(format!("{mark}{value}{mark}"))
}

fn is_variable(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl Rules for Cron {
    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        let mut refuse = |attribute, message: String, help: &str| {
            errors.push(AttributeError::new(attribute, message).help(help));
        };
        if self.ensure == Presence::Present {
            if self.command.is_none() {
                refuse(
                    "command",
                    "attribute `command` is missing".to_owned(),
                    "say what is run: command = \"…\"",
                );
            }
            if self.schedule.is_none() {
                refuse(
                    "schedule",
                    "attribute `schedule` is missing".to_owned(),
                    "say when it runs: schedule = \"*/5 * * * *\" or \"@daily\"",
                );
            }
        }
        if let Some((why, help)) = self.command.as_deref().and_then(wrong_command) {
            refuse("command", format!("`command` {why}"), help);
        }
        for (name, value) in &self.environment {
            if let Some((why, help)) = wrong_variable(name, &value.expose()) {
                refuse("environment", format!("`environment` has `{}`, {why}", name.escape_debug()), help);
            }
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let cron = ["cron", "cronie", "systemd-cron", "bcron"].map(|name| ResourceRef::new("package", name));
        vec![
            Implied::on_parent(self.title.path()),
            Implied::On(cron.into(), Bond::Lack),
            Implied::on("user", self.runs_as()),
        ]
    }

    fn claims(&self) -> Vec<Claim> {
        Claim::whole_file(self.title.path(), self.ensure)
    }
}

/// Why cron would not run a command as it is written, and what to do.
fn wrong_command(command: &str) -> Option<(&'static str, &'static str)> {
    let script = "put it into a script, and run that";
    if command.trim().is_empty() {
        Some(("is empty", "say what is run"))
    } else if command.contains(char::is_control) {
        Some(("contains a line break or another control character, which a crontab cannot", script))
    } else if command.trim() != command {
        Some(("begins or ends with white space", "leave that out"))
    } else if command.len() > MAX_LINE {
        Some(("is longer than 998 bytes, which cron does not read", script))
    } else if command.contains("\\\\") {
        Some(("has two backslashes in a row, and some crons remove one", script))
    } else if command.contains("\\%") {
        Some(("has a backslash before `%`", "write only `%`: it is escaped for cron automatically"))
    } else {
        None
    }
}

/// Why cron would not read a variable back as it is, and what to do.
fn wrong_variable(name: &str, value: &str) -> Option<(&'static str, &'static str)> {
    if !is_variable(name) {
        Some(("which is not a valid variable name", "use letters, digits and `_`"))
    } else if value.contains(|c: char| c.is_control() && c != '\t') {
        Some(("whose value contains a line break or another control character", "give it by a file"))
    } else if value.len() + name.len() > MAX_LINE {
        Some(("whose value is longer than cron reads", "give it by a file"))
    } else if quoted(value).is_none() {
        Some((
            "whose value begins with a quote, or has both kinds and white space at an end",
            "give it by a file",
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType as _};

    fn read(title: &str, attributes: &[(&str, Value)]) -> Result<Cron, Vec<AttributeError>> {
        let attributes: Attributes = attributes.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
        Cron::read(title, &attributes)
    }

    fn job(command: &str, environment: &[(&'static str, &str)]) -> Result<Cron, Vec<AttributeError>> {
        let map: Vec<(&str, Value)> = environment.iter().map(|(k, v)| (*k, Value::from(*v))).collect();
        let map =
            map.into_iter().map(|(k, v)| (k.into(), v)).collect::<BTreeMap<std::sync::Arc<str>, Value>>();
        read(
            "job",
            &[("command", command.into()), ("schedule", "@daily".into()), ("environment", map.into())],
        )
    }

    #[test]
    fn a_job_needs_a_command_and_a_schedule() {
        let missing: Vec<_> = read("job", &[]).unwrap_err().iter().map(|error| error.attribute).collect();
        assert_eq!(missing, ["command", "schedule"]);
        assert!(read("job", &[("ensure", "absent".into())]).is_ok());
        let job = job("date +%F", &[("MAILTO", "")]).unwrap();
        assert_eq!((job.title.path(), job.runs_as()), ("/etc/cron.d/job", "root"));
    }

    #[test]
    fn names_are_those_that_cron_reads() {
        for bad in ["a.b", "a/b", "", "-a", "a b", "../x"] {
            assert!(read(bad, &[("ensure", "absent".into())]).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_text_becomes_another_line_or_another_command() {
        for bad in ["", "  ", "a\nb", "a\rb", "date +\\%F", "a\\\\b", " a", &"x".repeat(999)] {
            let errors = job(bad, &[]).unwrap_err();
            assert!(errors[0].attribute == "command" && errors[0].help.is_some(), "{bad:?}: {errors:?}");
        }
        for bad in [("A B", "x"), ("1A", "x"), ("A", "x\n* * * * * root evil"), ("A", "\"it's")] {
            let errors = job("true", &[bad]).unwrap_err();
            assert!(errors[0].attribute == "environment" && errors[0].help.is_some(), "{bad:?}: {errors:?}");
            assert!(!errors[0].message.contains("evil"), "{errors:?}");
        }
    }

    #[test]
    fn values_are_quoted_only_where_cron_would_change_them() {
        for (value, written) in [
            ("/bin:/usr/bin", Some("/bin:/usr/bin")),
            ("it's", Some("it's")),
            ("", Some("\"\"")),
            (" a ", Some("\" a \"")),
            (" \"a\"", Some("' \"a\"'")),
            ("\"a\"", None),
            (" \"it's\"", None),
        ] {
            assert_eq!(quoted(value).as_deref(), written, "{value:?}");
        }
    }
}
