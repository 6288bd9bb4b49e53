//! The texts about locales: `locale.gen`, what could be in it, and the machine's default.

use std::path::Path;

use holdfast_catalog::resource::locale::LocaleName;

use crate::provider::Error;
use crate::system::{FileKind, Inspect};

/// A line of `locale.gen` or `SUPPORTED`: a locale and its charset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LocaleLine<'a> {
    pub(super) name: &'a str,
    charset: &'a str,
}

impl<'a> LocaleLine<'a> {
    /// Parses a line that is not a comment.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().filter(|name| !name.starts_with('#'))?;
        Some(Self { name, charset: words.next()? })
    }

    /// Parses an entry, with or without a comment sign.
    fn parse_commented(line: &'a str) -> Option<Self> {
        let entry = Self::parse(line.trim_start_matches(['#', ' ', '\t']))?;
        // Prose has more than two words.
        (line.split_ascii_whitespace().filter(|word| *word != "#").count() == 2).then_some(entry)
    }

    fn is(&self, title: &LocaleName) -> bool {
        use holdfast_catalog::resource::Attribute as _;
        LocaleName::read(&self.name.into()).is_ok_and(|name| name.normal() == title.normal())
    }
}

/// The entry of a locale, if it is there.
pub(super) fn find<'a>(text: &'a str, title: &LocaleName) -> Option<LocaleLine<'a>> {
    text.lines().filter_map(LocaleLine::parse).find(|entry| entry.is(title))
}

/// The text with the locale's line, in the place where it was a comment.
pub(super) fn with(text: &str, title: &LocaleName, supported: &str) -> String {
    let Some(entry) = find(supported, title).filter(|_| find(text, title).is_none()) else {
        return text.to_owned();
    };
    let new = format!("{} {}\n", entry.name, entry.charset);
    let mut placed = false;
    let mut edited = edit(text, |line| {
        let here = !placed && LocaleLine::parse_commented(line).is_some_and(|entry| entry.is(title));
        placed |= here;
        here.then(|| new.clone())
    });
    if !placed {
        edited.extend((!edited.is_empty() && !edited.ends_with('\n')).then_some('\n'));
        edited.push_str(&new);
    }
    edited
}

/// The text with the locale's lines turned into comments.
pub(super) fn without(text: &str, title: &LocaleName) -> String {
    edit(text, |line| {
        LocaleLine::parse(line).filter(|entry| entry.is(title)).map(|_| format!("# {}", line.trim_start()))
    })
}

/// Replaces lines. Those for which `replace` returns `None` are kept unchanged, byte for byte.
fn edit(text: &str, mut replace: impl FnMut(&str) -> Option<String>) -> String {
    let line = |line| replace(line).unwrap_or_else(|| String::from(line));
    text.split_inclusive('\n').map(line).collect()
}

/// The file that sets the default: Debian's if that is a file of its own, otherwise systemd's.
pub(super) fn default_file(machine: &dyn Inspect) -> Result<&'static str, Error> {
    const DEBIAN: &str = "/etc/default/locale";
    const SYSTEMD: &str = "/etc/locale.conf";
    Ok(match machine.lstat(Path::new(DEBIAN))?.map(|stat| stat.kind) {
        Some(FileKind::Symlink) => SYSTEMD,
        Some(_) => DEBIAN,
        None if machine.lstat(Path::new("/etc/debian_version"))?.is_some() => DEBIAN,
        None => SYSTEMD,
    })
}

/// The default that a text sets; the last one counts.
pub(super) fn default(text: &str) -> Option<&str> {
    text.lines().filter_map(language).next_back()
}

fn language(line: &str) -> Option<&str> {
    variable(line).filter(|(name, _)| *name == "LANG").map(|(_, value)| value)
}

/// The variable that a line sets, and its value.
fn variable(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.trim_start().split_once('=')?;
    let value = value.trim_end();
    let unquoted = |mark| value.strip_prefix(mark).and_then(|rest: &str| rest.strip_suffix(mark));
    Some((name, unquoted('"').or_else(|| unquoted('\'')).unwrap_or(value)))
}

/// The lines, as `NAME=VALUE`, that make another locale the default than `LANG`.
pub(super) fn overruling(text: &str, title: &LocaleName) -> Vec<String> {
    let lines = text.lines().filter(|line| overrules(line, title)).filter_map(variable);
    lines.map(|(name, value)| format!("{name}={value}")).collect()
}

/// The lines that set another locale for a part of the default, such as dates.
pub(super) fn parts(text: &str, title: &LocaleName) -> Vec<String> {
    let is_part = |(name, value): &(&str, &str)| {
        name.starts_with("LC_") && *name != "LC_ALL" && !value.is_empty() && !is_named(value, title)
    };
    text.lines().filter_map(variable).filter(is_part).map(|(name, value)| format!("{name}={value}")).collect()
}

/// Whether programs use this line and not `LANG`: `LC_ALL` takes precedence, and `LANGUAGE` does for messages, unless
/// the locale is `C`.
fn overrules(line: &str, title: &LocaleName) -> bool {
    let language = |name: &str| name.split(['_', '.', '@']).next().unwrap_or_default().to_owned();
    match variable(line) {
        None | Some((_, "")) => false,
        Some(("LC_ALL", value)) => !is_named(value, title),
        Some(("LANGUAGE", value)) => {
            let first = value.split(':').find(|name| !name.is_empty()).unwrap_or_default();
            !matches!(title.as_str(), "C" | "POSIX") && language(first) != language(title.as_str())
        }
        Some(_) => false,
    }
}

/// Whether a name is that of the locale, in any notation.
fn is_named(name: &str, title: &LocaleName) -> bool {
    LocaleLine { name, charset: "" }.is(title)
}

/// The text with this default on one line, and without the lines that overrule it.
pub(super) fn with_default(text: &str, title: &LocaleName) -> String {
    let new = format!("LANG={title}\n");
    let mut placed = false;
    let mut edited = edit(text, |line| {
        if overrules(line, title) {
            return Some(String::new());
        }
        language(line)?;
        Some(if std::mem::replace(&mut placed, true) { String::new() } else { new.clone() })
    });
    if !placed {
        edited.extend((!edited.is_empty() && !edited.ends_with('\n')).then_some('\n'));
        edited.push_str(&new);
    }
    edited
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::resource::Attribute as _;

    use super::*;

    const TEXT: &str = "\
# This file lists locales that you wish to have built.

# de_CH ISO-8859-1
# de_CH.UTF-8 UTF-8
  en_US.UTF-8 UTF-8
";
    const SUPPORTED: &str =
        "de_CH.UTF-8 UTF-8\nde_CH ISO-8859-1\nfr_CH.UTF-8 UTF-8\nde_DE@euro ISO-8859-15\n";

    fn name(text: &str) -> LocaleName {
        LocaleName::read(&text.into()).unwrap()
    }

    #[test]
    fn a_line_is_uncommented_where_it_stands_or_added() {
        for (title, edited) in [
            ("de_CH.UTF-8", TEXT.replace("# de_CH.UTF-8", "de_CH.UTF-8")),
            ("de_CH.utf8", TEXT.replace("# de_CH.UTF-8", "de_CH.UTF-8")),
            ("de_CH", TEXT.replace("# de_CH ISO", "de_CH ISO")),
            ("fr_CH.UTF-8", format!("{TEXT}fr_CH.UTF-8 UTF-8\n")),
            ("de_DE@euro", format!("{TEXT}de_DE@euro ISO-8859-15\n")),
            ("en_US.UTF-8", TEXT.to_owned()),
        ] {
            assert_eq!(with(TEXT, &name(title), SUPPORTED), edited, "{title}");
        }
        assert_eq!(with("", &name("de_CH"), SUPPORTED), "de_CH ISO-8859-1\n");
    }

    #[test]
    fn a_line_that_goes_becomes_a_comment() {
        let edited = without(TEXT, &name("en_US.utf8"));
        assert_eq!(edited, TEXT.replace("  en_US", "# en_US"));
        assert_eq!(find(&edited, &name("en_US.UTF-8")), None);
        assert_eq!(without(TEXT, &name("de_CH")), TEXT);
    }

    #[test]
    fn the_default_is_one_line_and_others_stay() {
        let text = "# by update-locale\nLANG=\"en_US.UTF-8\"\nLC_TIME=de_CH.UTF-8\nLANG=C\n";
        assert_eq!(default(text), Some("C"));
        assert_eq!(default("LANG=\"en_US.UTF-8\""), Some("en_US.UTF-8"));
        assert_eq!(
            with_default(text, &name("de_CH.UTF-8")),
            "# by update-locale\nLANG=de_CH.UTF-8\nLC_TIME=de_CH.UTF-8\n"
        );
        assert_eq!(with_default("LC_TIME=C", &name("x")), "LC_TIME=C\nLANG=x\n");
    }
}
