//! `file_line`: one line of a file that others own.

use super::attribute::{AbsolutePath, LinePattern, Presence, Secret};
use super::claim::{Claim, FilePiece, Hold};
use super::define::resource_type;
use super::unit_text;
use super::{AttributeError, Implied, Rules};

resource_type! {
    /// One line of a text file whose other lines are somebody else's. The title is any name. The file itself must be there, and what else it holds stays as it is, its line ends too. Where a program reads a directory of drop-in files, a `file` there is better.
    FileLine("file_line"), titled String {
        /// The file.
        parameter path: AbsolutePath,
        /// Whether the line is there. `absent` removes each line that is `line`, or each that `match` finds.
        property ensure: Presence = Presence::Present,
        /// The line, without a line end. Where it is secret and every user can read the file, the report says so: give the file a mode by a `file`. May be left out only with `ensure = "absent"` and `match`.
        property line: Option<Secret> => "required, unless absent with `match`",
        /// A regular expression that finds the line that `line` replaces. It must find `line` too. Where it finds none, `line` is added.
        parameter r#match: Option<LinePattern>,
        /// A regular expression: a new line is put after the line that it finds, and at the end where it finds none.
        parameter after: Option<LinePattern>,
        /// Whether `match` and `after` may find several lines: all that `match` finds become `line`, a new line is put after each that `after` finds. Otherwise several are an error.
        parameter multiple: bool = false,
        /// Whether `line` is added where `match` finds nothing.
        parameter append_on_no_match: bool = true,
    }
}

impl Rules for FileLine {
    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        let mut refuse = |attribute, message: &str, help: &str| {
            errors.push(AttributeError::new(attribute, message).help(help));
        };
        match (&self.line, &self.r#match) {
            (None, None) => refuse("line", "attribute `line` is missing", "write the whole line"),
            (None, Some(_)) if self.ensure == Presence::Present => {
                refuse(
                    "line",
                    "attribute `line` is missing",
                    "write the line that replaces what `match` finds",
                );
            }
            (Some(line), _) if line.expose().contains(['\n', '\r']) => {
                refuse("line", "`line` contains a line break", "write one resource for each line");
            }
            (Some(line), Some(pattern)) if !pattern.finds(&line.expose()) => refuse(
                "match",
                "`match` does not find `line`: each run would add it again",
                "write `match` so that it finds the old line and the new one, such as '^#?NAME='",
            ),
            _ => {}
        }
        if self.ensure == Presence::Absent && self.after.is_some() {
            refuse("after", "a removed line has no position", "leave `after` out");
        }
        if self.r#match.is_none() && !self.append_on_no_match {
            refuse("append_on_no_match", "this needs a `match`", "leave it out, or give `match`");
        }
        if let Some(line) = self.line.as_ref().filter(|_| unit_text::is_unit(self.path.as_str())) {
            errors.extend(unit_text::refused("line", line));
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        vec![Implied::on_path(self.path.as_str())]
    }

    fn claims(&self) -> Vec<Claim> {
        let piece = FilePiece::Line { text: self.line.clone(), finds: self.r#match.clone() };
        vec![Claim::path(self.path.as_str(), Hold::Piece(piece, self.ensure))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};
    use crate::value::Value;

    fn read(attributes: &[(&str, &str)]) -> Result<FileLine, String> {
        let mut all: Attributes = [("path".into(), Value::from("/etc/x"))].into();
        all.extend(attributes.iter().map(|(name, value)| ((*name).into(), Value::from(*value))));
        FileLine::read("x", &all).map_err(|errors| errors[0].to_string())
    }

    #[test]
    fn a_match_that_would_add_a_line_at_each_run_is_refused() {
        assert!(read(&[("line", "Port 22"), ("match", "^#?Port ")]).is_ok());
        let error = read(&[("line", "Port 22"), ("match", "^#Port ")]).unwrap_err();
        assert!(error.contains("would add it again"), "{error}");
    }

    #[test]
    fn only_one_whole_line_is_a_line() {
        assert!(read(&[("line", "a\nb")]).unwrap_err().contains("line break"));
        assert!(read(&[("line", "a\r")]).unwrap_err().contains("line break"));
        assert!(read(&[]).unwrap_err().contains("missing"));
        assert!(read(&[("match", "^a")]).unwrap_err().contains("missing"));
        assert!(read(&[("match", "^a"), ("ensure", "absent")]).is_ok());
        assert!(read(&[("line", "a"), ("after", "^b"), ("ensure", "absent")]).is_err());
    }
}
