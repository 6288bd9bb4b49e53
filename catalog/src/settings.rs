//! What is wrong in a program's settings file, in the same words for server and agent: the line as it is there, and
//! what the setting takes. What a parser says about its own types helps nobody.

use std::fmt;

use crate::harmless;
use crate::spelling::nearest;

/// A setting and what it takes, as the end of a sentence: `a time from 1m to 24h`.
pub type SettingDoc = (&'static str, &'static str);

/// The longest line that is shown, in characters.
const MAX_LINE: usize = 120;

/// What is wrong in a settings file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    message: String,
    /// The number of the line, counted from 1, and its text.
    line: Option<(usize, String)>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((number, line)) = &self.line else { return f.write_str(&self.message) };
        write!(f, "line {number}: {}\n  {number} | {line}", self.message)
    }
}

impl SettingsError {
    /// The error if the file is not TOML, with the parser's message about this byte.
    pub fn syntax(text: &str, at: Option<usize>, said: &str) -> Self {
        let number = at.map(|at| number(text, at));
        Self::new(text, number, harmless::line(said.trim()).into_owned())
    }

    /// The error for the first key that is not a setting.
    pub fn unknown<'k>(
        text: &str,
        keys: impl IntoIterator<Item = &'k str>,
        settings: &[SettingDoc],
    ) -> Option<Self> {
        let unknown = |name: &&str| settings.iter().all(|(known, _)| known != name);
        let is_of = |line: &str, name| key(line) == Some(name) || header(line) == Some(name);
        let place = |name: &'k str| (text.lines().position(|line| is_of(line, name)), name);
        let (place, name) = keys.into_iter().filter(unknown).map(place).min()?;
        Some(Self::new(text, place.map(|index| index + 1), unknown_setting(name, settings)))
    }

    /// The error for a value whose type is not the setting's, with the parser's message about this byte.
    pub fn value(text: &str, at: Option<usize>, said: &str, settings: &[SettingDoc]) -> Self {
        let number = at.map(|at| number(text, at));
        let message = match number.and_then(|number| takes(text, number, settings)) {
            Some((name, takes)) => format!("`{name}` takes {takes}"),
            None => harmless::line(said.trim()).into_owned(),
        };
        Self::new(text, number, message)
    }

    /// The error for a value of the right type that the setting does not take.
    pub fn range(text: &str, name: &str, settings: &[SettingDoc]) -> Self {
        let number = text.lines().position(|line| key(line) == Some(name)).map(|index| index + 1);
        let takes =
            settings.iter().find(|(known, _)| *known == name).map_or("something else", |(_, takes)| takes);
        Self::new(text, number, format!("`{name}` takes {takes}"))
    }

    fn new(text: &str, number: Option<usize>, message: String) -> Self {
        let shown = |number: usize| {
            let line: String =
                text.lines().nth(number - 1).unwrap_or_default().chars().take(MAX_LINE).collect();
            (number, harmless::line(line.trim_end()).into_owned())
        };
        Self { message, line: number.map(shown) }
    }
}

fn unknown_setting(name: &str, settings: &[SettingDoc]) -> String {
    let names = || settings.iter().map(|(name, _)| *name);
    let near = nearest(name, names()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    let all: Vec<_> = names().map(|name| format!("`{name}`")).collect();
    format!("there is no setting `{}`; {near}there are {}", harmless::line(name), all.join(", "))
}

/// The number of the line with this byte, counted from 1.
fn number(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// The setting that a line belongs to: a list may have several lines.
fn takes(text: &str, number: usize, settings: &[SettingDoc]) -> Option<SettingDoc> {
    let upwards = text.lines().take(number).collect::<Vec<_>>().into_iter().rev();
    let name = upwards.into_iter().find_map(key)?;
    settings.iter().find(|(known, _)| *known == name).copied()
}

/// The key of the table that begins at a line.
fn header(line: &str) -> Option<&str> {
    let inner = line.trim().strip_prefix('[')?.split(']').next()?;
    Some(inner.trim_matches(['[', ' ', '"', '\'']))
}

/// The key that a line sets.
fn key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    let key = key.trim().trim_matches(['"', '\'']);
    (!key.is_empty() && !key.starts_with('#')).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &[SettingDoc] = &[("interval", "a time from 1m to 24h"), ("names", "a list of names")];

    #[test]
    fn what_is_wrong_is_shown_with_its_line_and_what_is_taken() {
        let text = "# interval = 1\ninterval = 5\nnames = [\n  \"a\",\n  7,\n]\nintervall = 1\n[door]\n";
        let at = |part: &str| text.find(part);
        let of = |part: &str, said: &str| SettingsError::value(text, at(part), said, SETTINGS).to_string();
        assert_eq!(
            of("5", "invalid type: integer `5`, expected a string"),
            "line 2: `interval` takes a time from 1m to 24h\n  2 | interval = 5"
        );
        assert_eq!(of("7", "invalid type"), "line 5: `names` takes a list of names\n  5 |   7,");
        let unknown = |keys: &[&str]| SettingsError::unknown(text, keys.iter().copied(), SETTINGS);
        assert_eq!(unknown(&["interval", "names"]), None);
        let door = unknown(&["door", "names"]).unwrap().to_string();
        assert!(door.starts_with("line 8: there is no setting `door`; there are `interval`"), "{door}");
        assert_eq!(
            unknown(&["door", "interval", "intervall"]).unwrap().to_string(),
            "line 7: there is no setting `intervall`; did you mean `interval`? there are `interval`, `names`\n  7 | intervall = 1"
        );
        assert_eq!(
            SettingsError::range(text, "interval", SETTINGS).to_string(),
            "line 2: `interval` takes a time from 1m to 24h\n  2 | interval = 5"
        );
    }

    #[test]
    fn what_is_shown_of_a_file_does_nothing_to_a_terminal_and_is_short() {
        let text = format!("x \u{1b}[2J{}", "y".repeat(500));
        let told = SettingsError::syntax(&text, Some(2), "no `=`\u{1b}").to_string();
        assert!(!told.contains('\u{1b}') && told.len() < 300 && told.starts_with("line 1: no `=`"), "{told}");
        assert_eq!(SettingsError::syntax("", None, "nothing").to_string(), "nothing");
    }
}
