//! What systemd shows to every user of a machine: the directives of units, however their files are made.

use super::AttributeError;
use super::attribute::Secret;

/// Directories from which systemd reads the machine's unit definitions.
const DIRECTORIES: [&str; 5] = [
    "/etc/systemd/system/",
    "/run/systemd/system/",
    "/usr/lib/systemd/system/",
    "/usr/local/lib/systemd/system/",
    "/lib/systemd/system/",
];

/// Suffixes of the files that it reads there: those of units, and of drop-ins.
const ENDINGS: [&str; 11] = [
    ".service",
    ".socket",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".path",
    ".timer",
    ".slice",
    ".scope",
    ".conf",
];

/// Whether a file is part of a unit's definition.
pub(super) fn is_unit(path: &str) -> bool {
    let is_below = |directory: &&str| path.starts_with(*directory);
    DIRECTORIES.iter().any(is_below) && ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// The error if a unit's text has a secret in a directive.
pub(super) fn refused(attribute: &'static str, text: &Secret) -> Option<AttributeError> {
    directive_of_secret(text).map(|directive| error(attribute, directive.as_deref()))
}

/// The error if a directive of a unit has a secret value.
pub(super) fn error(attribute: &'static str, directive: Option<&str>) -> AttributeError {
    let place = directive.map(|directive| format!(" in `{directive}=`")).unwrap_or_default();
    let message = format!(
        "`{attribute}` has a sensitive value{place}, and systemd shows to every user what a unit says (`systemctl show`)"
    );
    AttributeError::new(attribute, message)
        .help("write it into a `file`, and name that with `EnvironmentFile=` or `LoadCredential=`")
}

/// The name of the first directive with a secret in it, unless that is secret too. Comments are not shown, so they do
/// not count.
fn directive_of_secret(text: &Secret) -> Option<Option<String>> {
    let (mut whole, mut secrets) = (String::new(), Vec::new());
    for piece in text.pieces() {
        let begin = whole.len();
        whole.push_str(&piece.text);
        secrets.extend(piece.secret.then_some(begin..whole.len()));
    }
    let is_secret =
        |begin: usize, end: usize| secrets.iter().any(|secret| secret.start < end && begin < secret.end);
    let (mut at, mut directive, mut goes_on) = (0, None, false);
    for line in whole.split_inclusive('\n') {
        let (begin, end) = (at, at + line.trim_end().len());
        at += line.len();
        let text = line.trim();
        if text.starts_with(['#', ';']) {
            continue;
        }
        if !goes_on {
            let name = line.split_once('=').map(|(name, _)| name);
            let name = name.filter(|name| !is_secret(begin, begin + name.len()));
            directive = name.map(|name| name.trim().to_owned());
        }
        goes_on = text.ends_with('\\');
        if is_secret(begin, end) {
            return Some(directive);
        }
    }
    None
}
