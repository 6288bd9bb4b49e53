//! The format of the files of apt and dpkg: stanzas of fields. No I/O.

use std::fmt::Write as _;

use holdfast_catalog::resource::attribute::Presence;

use super::whole_file::FileText;
use crate::provider::Change;

/// The fields of one stanza, in their order; the lines of a longer value are joined with spaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stanza(Vec<(String, String)>);

impl Stanza {
    /// The value of a field; the case of its name does not matter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// The words of a field, joined with single spaces; empty if there is no such field.
    pub fn words(&self, name: &str) -> String {
        Vec::from_iter(self.get(name).unwrap_or_default().split_whitespace()).join(" ")
    }

    /// All fields, in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Adds a field; `None` if the stanza already has it.
    fn add(&mut self, name: &str, value: &str) -> Option<()> {
        self.get(name).is_none().then(|| self.0.push((name.to_owned(), value.trim().to_owned())))
    }

    fn extend_last(&mut self, more: &str) -> Option<()> {
        let (_, value) = self.0.last_mut()?;
        value.push(' ');
        value.push_str(more.trim());
        Some(())
    }
}

/// Parses stanzas; `None` if the text does not have this format.
pub fn parse(text: &str) -> Option<Vec<Stanza>> {
    let mut stanzas = vec![Stanza::default()];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let last = stanzas.last_mut()?;
        if line.trim().is_empty() {
            stanzas.push(Stanza::default());
        } else if line.starts_with([' ', '\t']) {
            last.extend_last(line)?;
        } else {
            let (name, value) = line.split_once(':').filter(|(name, _)| !name.trim_end().contains(' '))?;
            last.add(name.trim_end(), value)?;
        }
    }
    stanzas.retain(|stanza| !stanza.0.is_empty());
    Some(stanzas)
}

/// One stanza as text, below a line that says who wrote it. Fields without a value are left out.
pub fn render<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut text = "# Managed by Holdfast: changes made here are undone.\n".to_owned();
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "{name}: {value}");
    }
    text
}

/// The change if something exists that should not.
pub fn absence<P>(found: &FileText, ensure: P) -> Option<Change<P>> {
    let is = match found {
        FileText::Nothing => return None,
        FileText::Text(_) => "present",
        FileText::Other(kind) => kind,
    };
    Some(Change::new(ensure, is, Presence::Absent))
}

/// The one stanza of a file, or the change if there is not exactly one.
pub fn only_stanza<P: Copy>(found: &FileText, ensure: P) -> Result<Stanza, Change<P>> {
    let differs = |is: &str| Change::new(ensure, is, Presence::Present);
    let text = match found {
        FileText::Nothing => return Err(differs("absent")),
        FileText::Other(kind) => return Err(differs(kind)),
        FileText::Text(text) => text,
    };
    let mut stanzas = parse(text).ok_or_else(|| differs("a file that apt does not read"))?;
    match (stanzas.len(), stanzas.pop()) {
        (1, Some(stanza)) => Ok(stanza),
        (0, _) => Err(differs("an empty file")),
        (number, _) => Err(differs(&format!("a file with {number} stanzas"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_whatever_case_and_over_several_lines() {
        let text =
            "# note\nTypes: deb\nURIs: https://a\n  https://b\n# within\nsuites:x\n\n\nTypes: deb-src\n";
        let stanzas = parse(text).unwrap();
        assert_eq!(stanzas.len(), 2);
        assert_eq!(stanzas[0].words("uris"), "https://a https://b");
        assert_eq!(stanzas[0].words("Suites"), "x");
        assert_eq!(stanzas[0].words("Components"), "");
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_apt_does_not_read_is_not_read() {
        for bad in ["deb https://a b c", "no colon here\n", " begins: with a space\n", "A: 1\na: 2\n"] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_rendered_is_read_back() {
        let text = render([("Types", "deb".to_owned()), ("Components", String::new())]);
        let [stanza] = &parse(&text).unwrap()[..] else { panic!("{text}") };
        assert_eq!(stanza.fields().collect::<Vec<_>>(), [("Types", "deb")]);
    }
}
