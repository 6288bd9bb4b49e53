//! Diagnostics as people and programs read them: with the line and a caret, or as JSON lines.
//!
//! Where the text of a file comes from is the caller's affair; nothing is read here.

use std::io;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use holdfast_catalog::diagnostic::{Diagnostic, Severity};
use holdfast_catalog::origin::Origin;

pub mod share; // of a list that is too long

/// Whether the output may hold colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// It may: a terminal, and nobody said no.
    Allowed,
    /// Plain text.
    Plain,
}

/// The text of a file of the repository, by its path.
pub type Texts<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// In the order in which they are shown: by file and place, errors before warnings there, each once.
pub fn in_order(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    problems.sort_by(|a, b| (&a.origin, a.severity, &a.message).cmp(&(&b.origin, b.severity, &b.message)));
    problems.dedup();
    problems
}

/// One diagnostic for a terminal: what is wrong, the line, a caret, other places, what to do.
pub fn text(problem: &Diagnostic, texts: &Texts<'_>, colour: Colour) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(printable(&problem.message)).id(printable(&problem.code));
    let mut group = Group::with_title(title);
    if let Some(origin) = &problem.origin {
        group = group.elements(place(origin, &problem.label, AnnotationKind::Primary, texts));
    }
    for (origin, words) in &problem.related {
        group = group.elements(place(origin, words, AnnotationKind::Context, texts));
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    let renderer = match colour {
        Colour::Allowed => Renderer::styled(),
        Colour::Plain => Renderer::plain(),
    };
    renderer.render(&[group])
}

/// Diagnostics as JSON, one a line.
///
/// # Errors
/// The writer's.
pub fn json_lines(problems: &[Diagnostic], out: &mut dyn io::Write) -> io::Result<()> {
    for problem in problems {
        serde_json::to_writer(&mut *out, problem)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// `2 errors, 1 warning`; nothing where there are none.
pub fn summary(problems: &[Diagnostic]) -> Option<String> {
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let words = |count: usize, noun: &str| match count {
        0 => None,
        1 => Some(format!("1 {noun}")),
        many => Some(format!("{many} {noun}s")),
    };
    let parts = [words(count(Severity::Error), "error"), words(count(Severity::Warning), "warning")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The line with its annotation; the bare place where the file's text is not to be had.
fn place<'a>(
    origin: &'a Origin,
    label: &str,
    kind: AnnotationKind,
    texts: &Texts<'_>,
) -> [annotate_snippets::Element<'a>; 1] {
    let Some(text) = texts(&origin.file).filter(|text| !text.is_empty()) else {
        let place = annotate_snippets::Origin::path(printable(&origin.file))
            .line(origin.line as usize)
            .char_column(origin.column as usize);
        return [place.into()];
    };
    let span = span_in(&text, origin);
    let mut annotation = kind.span(span);
    if !label.is_empty() {
        annotation = annotation.label(printable(label));
    }
    [Snippet::source(text).path(printable(&origin.file)).annotation(annotation).into()]
}

/// The span within the text as it is now, on character boundaries; a long one is shown by its first line.
fn span_in(text: &str, origin: &Origin) -> Range<usize> {
    let start = boundary(text, origin.start as usize);
    let end = boundary(text, origin.end as usize).max(start);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    start..end.min(line_end.max(start))
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

/// Data is no terminal control: what quotes it is escaped.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[service.chrony]\nensrue = \"running\"\n";

    fn problem() -> Diagnostic {
        let origin = Origin::locate(&"modules/chrony/manifests/init.toml".into(), TEXT, 17..23);
        Diagnostic::error("unknown-attribute", "`service` has no attribute `ensrue`", origin)
            .label("unknown attribute")
            .did_you_mean("ensrue", ["ensure", "enable"])
    }

    fn plain(problem: &Diagnostic) -> String {
        text(problem, &|_| Some(TEXT.to_owned()), Colour::Plain)
    }

    #[test]
    fn line_caret_place_and_cure_are_shown() {
        let expected = "\
error[unknown-attribute]: `service` has no attribute `ensrue`
 --> modules/chrony/manifests/init.toml:2:1
  |
2 | ensrue = \"running\"
  | ^^^^^^ unknown attribute
  |
  = help: did you mean `ensure`?";
        assert_eq!(plain(&problem()), expected);
    }

    #[test]
    fn other_places_are_shown_and_a_missing_file_is_only_named() {
        let other = Origin::locate(&"hieradata/common.toml".into(), "x = 1", 0..1);
        let problem = problem().related(other, "declared here");
        let shown =
            text(&problem, &|file| file.starts_with("modules").then(|| TEXT.to_owned()), Colour::Plain);
        assert!(shown.contains("hieradata/common.toml:1:1") && shown.contains("ensrue = "), "{shown}");
    }

    #[test]
    fn colours_only_where_they_are_allowed_and_data_never_controls_the_terminal() {
        let hostile = Diagnostic { message: "value \u{1b}[2J".into(), ..problem() };
        assert!(!plain(&hostile).contains('\u{1b}'));
        assert!(text(&problem(), &|_| None, Colour::Allowed).contains('\u{1b}'));
    }

    #[test]
    fn a_span_beyond_a_shorter_text_or_inside_a_character_is_bounded() {
        let origin = Origin { start: 1, end: 900, ..problem().origin.unwrap() };
        let problem = Diagnostic::error("x", "y", origin);
        assert!(text(&problem, &|_| Some("ü".to_owned()), Colour::Plain).contains("error[x]: y"));
    }

    #[test]
    fn json_lines_read_back_and_duplicates_are_shown_once() {
        let problems = in_order(vec![problem(), problem()]);
        let mut out = Vec::new();
        json_lines(&problems, &mut out).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert_eq!(serde_json::from_str::<Diagnostic>(line.trim_end()).unwrap(), problem());
        assert_eq!(summary(&problems).as_deref(), Some("1 error"));
        assert_eq!(summary(&[]), None);
    }
}
