//! Finds tags of template languages where they have no meaning: those of others in templates, and those of templates in
//! the texts of manifests. They would reach the machine as they are written.
//!
//! A file may contain such tags for a program that reads it there, so only those count that name something which the
//! manifest has: a parameter, a `let`, `facts` or `node`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;

use super::Program;
use crate::diagnostic::{Code, Diagnostic};
use crate::language::manifest::{Block, Manifest, ManifestKind};
use crate::repo::{ModulePath, SnapshotFile};

/// The tags of other languages.
const FOREIGN: [(&str, &str, &str); 2] = [("<%", "%>", "ERB"), ("{%", "%}", "Jinja")];

/// The warning about the first tag of another language in a template.
pub(super) fn in_template(program: &Program, path: &Arc<str>, file: &SnapshotFile) -> Option<Diagnostic> {
    let text = std::str::from_utf8(file.bytes()).ok()?;
    let module = ModulePath::of(path)?.module;
    let mut names = BTreeSet::from(["facts", "node"]);
    for manifest in program.modules.manifests().filter(|manifest| manifest.name.module() == module) {
        names.extend(names_of(manifest));
    }
    let (span, language, name) = foreign(text, &names)?;
    let tag = &text[span.clone()];
    let written = match tag.starts_with("{%") || !tag.trim_start_matches(['<', '%', '-']).starts_with('=') {
        true => format!("tags are written in double braces, such as {{{{#if {name}}}}} … {{{{/if}}}}"),
        false => format!("write {{{{{name}}}}}"),
    };
    Some(warning(tag, language, Origin::locate(path, text, span)).help(written))
}

/// The warnings about tags in the texts of a manifest.
pub(super) fn in_manifest(manifest: &Manifest) -> Vec<Diagnostic> {
    let of_block = |block: &Block| {
        let mut names = BTreeSet::from(["facts", "node"]);
        names.extend(names_of(manifest));
        names.extend(block.for_each.is_some().then_some("each"));
        names.extend((manifest.kind == ManifestKind::Define).then_some("title"));
        let texts = block.attributes.iter().map(|binding| &binding.origin);
        texts.filter_map(|origin| in_text(manifest, origin, &names)).collect::<Vec<_>>()
    };
    manifest.blocks.iter().flat_map(of_block).collect()
}

fn in_text(manifest: &Manifest, origin: &Arc<Origin>, names: &BTreeSet<&str>) -> Option<Diagnostic> {
    let start = origin.start as usize;
    let written = manifest.text.get(start..origin.end as usize)?;
    let (span, problem, name) = match (own(written, names), foreign(written, names)) {
        (Some((span, name)), _) => {
            let message = format!("`{{{{{name}}}}}` is a tag of templates, and this text is not one");
            (span, Diagnostic::warning(Code::ForeignTag, message, None), name)
        }
        (None, Some((span, language, name))) => {
            let problem = warning(&written[span.clone()], language, None);
            (span, problem, name)
        }
        (None, None) => return None,
    };
    let place = Origin::locate(&manifest.file, &manifest.text, start + span.start..start + span.end);
    let problem = Diagnostic { origin: Some(place), ..problem };
    Some(
        problem.label("it is not replaced").help(format!("write ${{{name}}}, or use a file in `templates/`")),
    )
}

fn warning(tag: &str, language: &str, origin: impl Into<Option<Origin>>) -> Diagnostic {
    // what is between the signs may be a secret
    let (open, close) = (tag.get(..3).filter(|open| open.ends_with(['=', '-'])), &tag[tag.len() - 2..]);
    let message = format!("`{} … {close}` is a tag of {language}", open.unwrap_or(&tag[..2]));
    Diagnostic::warning(Code::ForeignTag, message, origin).label("it is not replaced")
}

/// The names that the texts and templates of a manifest can use.
fn names_of(manifest: &Manifest) -> impl Iterator<Item = &str> {
    let parameters = manifest.parameters.iter().map(|parameter| &*parameter.name);
    parameters.chain(manifest.lets.iter().map(|binding| &*binding.name))
}

/// The first tag of another language that names one of these, with the language and the name.
fn foreign<'t>(text: &'t str, names: &BTreeSet<&str>) -> Option<(Range<usize>, &'static str, &'t str)> {
    let of = |(open, close, language): (&str, &str, &'static str)| {
        tags(text, open, close).find_map(|span| {
            let inner = &text[span.start + open.len()..span.end - close.len()];
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
            let mut words = inner.split(|c| !is_name(c));
            let name = words.find(|word| names.contains(word.split('.').next().unwrap_or_default()))?;
            Some((span, language, name))
        })
    };
    let found = FOREIGN.into_iter().filter_map(of);
    found.min_by_key(|(span, ..)| span.start)
}

/// The first tag of Holdfast's templates that is only one of these names, with the name.
fn own<'t>(text: &'t str, names: &BTreeSet<&str>) -> Option<(Range<usize>, &'t str)> {
    tags(text, "{{", "}}").find_map(|span| {
        let name = text[span.start + 2..span.end - 2].trim();
        let is_path = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
        let is_expression = text[..span.start].ends_with('$');
        let known = names.contains(name.split('.').next().unwrap_or_default());
        (is_path && known && !is_expression).then_some((span, name))
    })
}

/// The tags between these signs; each ends at the first closing sign.
fn tags<'t>(text: &'t str, open: &'t str, close: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(open)?;
        let end = start + open.len() + text[start + open.len()..].find(close)? + close.len();
        at = end;
        Some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tags_that_name_something_known_count() {
        let names = BTreeSet::from(["port", "node"]);
        let found =
            |text: &str| foreign(text, &names).map(|(span, language, _)| (text[span].to_owned(), language));
        assert_eq!(found("a <%= @port %>"), Some(("<%= @port %>".into(), "ERB")));
        assert_eq!(found("{% if port == 1 %}x"), Some(("{% if port == 1 %}".into(), "Jinja")));
        assert_eq!(found("<%- if node.stage -%>"), Some(("<%- if node.stage -%>".into(), "ERB")));
        for other in ["<%= request.uri %>", "{% endif %}", "<% port", "port %>", "a % b <port>", "{% %}"] {
            assert_eq!(found(other), None, "{other}");
        }
        let own = |text: &str| own(text, &names).map(|(span, _)| text[span].to_owned());
        assert_eq!(own("x {{ .Values.x }} {{ node.role }}"), Some("{{ node.role }}".into()));
        for other in ["{{ $labels.port }}", "{{.port}}", "${{port}}", "{{other}}", "{{port | upper}}", "{{}}"]
        {
            assert_eq!(own(other), None, "{other}");
        }
    }
}
