//! Shows diagnostics to people and programs: with the line and a caret, or as JSON lines.
//!
//! Lines come as [`Excerpt`]s, which hold no secret. Nothing is read here.

use std::io;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Renderer, Snippet};
use holdfast_catalog::harmless;
use holdfast_catalog::origin::Origin;

use crate::diagnostic::{Diagnostic, Severity};
use crate::excerpt::Excerpt;

pub mod share; // a part of a list that is too long

/// Whether the output may be in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// The output is a terminal, and colour was not turned off.
    Allowed,
    Plain,
}

/// Finds the line of a file of the repository at a place.
pub type ExcerptSource<'a> = dyn Fn(&Origin) -> Option<Excerpt> + 'a;

/// Renders one diagnostic for a terminal: what is wrong, the line with a caret, other places, and what to do.
pub fn text(problem: &Diagnostic, lines: &ExcerptSource<'_>, colour: Colour) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(printable(&problem.message)).id(problem.code.word());
    let mut group = Group::with_title(title);
    let line = |origin: &Origin| lines(origin).map(without_controls);
    let first = problem.origin.iter().map(|origin| (origin, &problem.label, AnnotationKind::Primary));
    let others = problem.related.iter().map(|(origin, words)| (origin, words, AnnotationKind::Context));
    let places: Vec<_> =
        first.chain(others).map(|(origin, words, kind)| (origin, words, kind, line(origin))).collect();
    for (origin, words, kind, line) in &places {
        group = group.element(place(origin, words, *kind, line.as_ref()));
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    let renderer = match colour {
        Colour::Allowed => Renderer::styled(),
        Colour::Plain => Renderer::plain(),
    };
    let rendered = match places.is_empty() {
        true => without_gutter(&renderer.render(&[group])),
        false => renderer.render(&[group]),
    };
    places.iter().fold(rendered, |rendered, (origin, _, _, line)| {
        with_the_files_column(rendered, origin, line.as_ref())
    })
}

/// Writes diagnostics as JSON, one a line.
///
/// # Errors
/// Returns the error of the writer.
pub fn json_lines(problems: &[Diagnostic], out: &mut dyn io::Write) -> io::Result<()> {
    for problem in problems {
        let json = serde_json::to_string(problem)?;
        writeln!(out, "{}", harmless::json(&json))?;
    }
    Ok(())
}

/// Counts the problems, as in `2 errors, 1 warning`; `None` if there are none.
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

/// A hint on how to look up the codes of these problems; `None` if there are none.
pub fn hint(problems: &[Diagnostic]) -> Option<String> {
    let code = problems.first()?.code;
    Some(match problems.iter().all(|problem| problem.code == code) {
        true => format!("`holdfast help {code}` explains this code"),
        false => format!("`holdfast help CODE` explains a code, such as `{code}`"),
    })
}

/// The line with its annotation; only the place if the file's text is not available.
fn place<'a>(origin: &'a Origin, label: &str, kind: AnnotationKind, line: Option<&Excerpt>) -> Element<'a> {
    let path = printable(&origin.file);
    let Some(line) = line else {
        let (line, column) = (origin.line as usize, origin.column as usize);
        return annotate_snippets::Origin::path(path).line(line).char_column(column).into();
    };
    let mut annotation = kind.span(line.marked.clone());
    if !label.is_empty() {
        annotation = annotation.label(printable(label));
    }
    let snippet = Snippet::source(line.text.clone()).line_start(line.number as usize);
    snippet.path(path).annotation(annotation).into()
}

/// Removes the empty lines that separate a line of a file from the help, where there is no such line.
fn without_gutter(rendered: &str) -> String {
    let is_bar = |line: &&str| {
        let mut plain = String::new();
        let mut rest = *line;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').map_or("", |(_, after)| after);
        }
        plain.push_str(rest);
        plain.trim() == "|"
    };
    rendered.lines().filter(|line| !is_bar(line)).collect::<Vec<_>>().join("\n")
}

/// Corrects the column: the renderer counts columns in the line as shown, but the column to report is the file's.
fn with_the_files_column(rendered: String, origin: &Origin, line: Option<&Excerpt>) -> String {
    let Some(before) = line.and_then(|line| line.text.get(..line.marked.start)) else { return rendered };
    let shown = before.chars().count() + 1;
    if shown == origin.column as usize {
        return rendered;
    }
    let place = |column: usize| format!("{}:{}:{column}", printable(&origin.file), origin.line);
    rendered.replacen(&place(shown), &place(origin.column as usize), 1)
}

/// Escapes control characters, so that data cannot control the terminal.
fn printable(text: &str) -> String {
    harmless::line(text).into_owned()
}

/// Does the same for a line; the marked part moves with the text before it.
fn without_controls(line: Excerpt) -> Excerpt {
    let part = |from: usize, to: usize| printable(line.text.get(from..to).unwrap_or_default());
    let (start, end) = (line.marked.start, line.marked.end);
    let (before, meant, after) = (part(0, start), part(start, end), part(end, line.text.len()));
    let marked = before.len()..before.len() + meant.len();
    Excerpt { number: line.number, text: before + &meant + &after, marked }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;
    use crate::excerpt::MaskedFile;

    const TEXT: &str = "[service.chrony]\nensrue = \"running\"\n";

    fn problem() -> Diagnostic {
        let origin = Origin::locate(&"modules/chrony/manifests/init.toml".into(), TEXT, 17..23);
        Diagnostic::error(Code::UnknownAttribute, "`service` has no attribute `ensrue`", origin)
            .label("unknown attribute")
            .did_you_mean("ensrue", ["ensure", "enable"])
    }

    fn plain(problem: &Diagnostic) -> String {
        text(problem, &|origin| MaskedFile::open(TEXT).line(origin), Colour::Plain)
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
        let shown = text(
            &problem,
            &|origin| origin.file.starts_with("modules").then(|| MaskedFile::open(TEXT).line(origin))?,
            Colour::Plain,
        );
        assert!(shown.contains("hieradata/common.toml:1:1") && shown.contains("ensrue = "), "{shown}");
    }

    #[test]
    fn without_a_place_there_is_no_line_of_a_file_nor_its_edge() {
        let problem = Diagnostic { origin: None, ..problem() };
        let expected =
            "error[unknown-attribute]: `service` has no attribute `ensrue`\n  = help: did you mean `ensure`?";
        assert_eq!(plain(&problem).replace("\n =", "\n  ="), expected);
        let coloured = text(&problem, &|_| None, Colour::Allowed);
        assert!(coloured.lines().count() == 2 && coloured.contains("did you mean"), "{coloured}");
    }

    #[test]
    fn colours_only_where_they_are_allowed_and_data_never_controls_the_terminal() {
        let hostile = Diagnostic { message: "value \u{1b}[2J".into(), ..problem() };
        assert!(!plain(&hostile).contains('\u{1b}'));
        assert!(text(&problem(), &|_| None, Colour::Allowed).contains('\u{1b}'));
    }

    #[test]
    fn nothing_steers_the_terminal_neither_in_words_nor_in_paths_lines_and_json() {
        const STEERING: &str = "\u{202e}\u{200f}\u{2028}\u{200b}\u{feff}\u{ad}\u{e0041}\u{9b}2J";
        let source = format!("a{STEERING} = \"{STEERING}\"\n");
        let file = format!("hieradata/customers/{STEERING}.toml").into();
        let origin = Origin::locate(&file, &source, 0..1 + STEERING.len());
        let hostile = Diagnostic::error(Code::BadValue, STEERING, origin.clone())
            .label(STEERING)
            .help(STEERING)
            .related(origin, STEERING);
        for line in [true, false] {
            let lines = |origin: &Origin| line.then(|| MaskedFile::open(&source).line(origin))?;
            let shown = text(&hostile, &lines, Colour::Plain);
            let steering: Vec<char> = shown.chars().filter(|c| harmless::steers(*c) && *c != '\n').collect();
            assert!(steering.is_empty(), "{steering:?} in {shown}");
            assert!(shown.contains("\\u{202e}") && shown.contains(".toml:1:1"), "{shown}");
        }
        let mut out = Vec::new();
        json_lines(std::slice::from_ref(&hostile), &mut out).unwrap();
        let json = String::from_utf8(out).unwrap();
        assert!(!json.chars().any(|c| harmless::steers(c) && c != '\n'), "{json}");
        assert_eq!(serde_json::from_str::<Diagnostic>(&json).unwrap(), hostile);
    }

    #[test]
    fn a_span_beyond_a_shorter_text_or_inside_a_character_is_bounded() {
        let origin = Origin { start: 1, end: 900, ..problem().origin.unwrap() };
        let problem = Diagnostic::error(Code::BadValue, "y", origin);
        assert!(
            text(&problem, &|origin| MaskedFile::open("ü").line(origin), Colour::Plain)
                .contains("error[bad-value]: y")
        );
    }

    #[test]
    fn how_to_ask_for_more_names_a_code_that_is_there() {
        let other = Diagnostic::error(Code::BadValue, "x", None);
        let one = hint(&[problem(), problem()]).unwrap();
        assert_eq!(one, "`holdfast help unknown-attribute` explains this code");
        assert!(hint(&[problem(), other]).unwrap().ends_with("explains a code, such as `unknown-attribute`"));
    }

    #[test]
    fn json_lines_read_back() {
        let problems = [problem()];
        let mut out = Vec::new();
        json_lines(&problems, &mut out).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert_eq!(serde_json::from_str::<Diagnostic>(line.trim_end()).unwrap(), problem());
        assert_eq!(summary(&problems).as_deref(), Some("1 error"));
        assert_eq!((summary(&[]), hint(&[])), (None, None));
    }
}
