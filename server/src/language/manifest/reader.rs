//! Reads the top level of a manifest, which has a closed list of keys.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::{TypeDef, definitions};
use holdfast_catalog::spelling::nearest;
use holdfast_catalog::synonym;

use super::reading::ReadContext;
use super::{Binding, Defaults, Inclusion, Manifest, ManifestKind, parameters, resources, unknown};
use crate::diagnostic::{Code, Diagnostic};
use crate::language::document::{Document, DocumentEntry, Table};
use crate::language::keyword::TOP_NAMES;
use crate::language::name::{ManifestName, is_name};

const LATER: [&str; 2] = ["publish", "assert"];

pub(super) fn read(
    name: ManifestName,
    document: &Document,
    problems: Vec<Diagnostic>,
) -> (Manifest, Vec<Diagnostic>) {
    // Such as a number beyond 64 bits, which was replaced by another value.
    let broken = problems.clone();
    let mut reading = ReadContext { document, problems, has_left_out: false };
    let (kind, unknown_kind) = document.root.get("kind").map_or((ManifestKind::Class, None), kind);
    let mut manifest = Manifest {
        name,
        file: document.file.clone(),
        text: document.text.clone(),
        complete: broken.is_empty(),
        kind,
        doc: None,
        parameters: Vec::new(),
        inclusions: Vec::new(),
        lets: Vec::new(),
        defaults: Vec::new(),
        blocks: Vec::new(),
    };
    for entry in &document.root.entries {
        top_level(&mut reading, entry, &mut manifest);
    }
    manifest.inclusions.sort_by_key(|inclusion| inclusion.origin.start);
    manifest.blocks.sort_by_key(|block| block.origin.start);
    check_kind(&mut reading, &manifest);
    check_lets(&mut reading, &manifest);
    let forgotten = forgotten_kind(document, &manifest);
    if forgotten.is_some() {
        manifest.kind = ManifestKind::Define;
    }
    if let Some(problem) = unknown_kind.or(forgotten)
        && manifest.complete
    {
        // Read as the kind that was meant; all other problems would only follow from that one line.
        manifest.complete = false;
        return (manifest, vec![problem]);
    }
    // If the file cannot be read, other problems only follow from that.
    let problems = if manifest.complete { reading.problems } else { broken };
    manifest.complete &= !reading.has_left_out;
    (manifest, problems)
}

/// The error for a manifest without `kind` that uses the name that only defines have.
fn forgotten_kind(document: &Document, manifest: &Manifest) -> Option<Diagnostic> {
    let may_be_define = manifest.name.as_str().contains("::") && document.root.get("kind").is_none();
    if !may_be_define {
        return None;
    }
    let formulas = manifest.blocks.iter().flat_map(|block| {
        let title = block.title.as_ref().map_or(&block.name_formula, |title| &title.value);
        let own = [&block.when, &block.for_each, &block.splat, &block.tag].into_iter().flatten();
        let to = block.relations.iter().map(|relation| &relation.to);
        std::iter::once(title).chain(own.chain(&block.attributes).chain(to).map(|binding| &binding.value))
    });
    let nothing = holdfast_catalog::value::Map::new();
    let mut unknown = formulas.flat_map(|formula| formula.unknown(&nothing));
    let fault = unknown.find(|fault| fault.unknown.as_deref() == Some("title"))?;
    Some(Diagnostic {
        message: "only a define has `title`, and this manifest does not say that it is a define".to_owned(),
        help: Some("write `kind = \"define\"` as its first line".to_owned()),
        ..fault.diagnostic(Some(&manifest.text))
    })
}

fn top_level(reading: &mut ReadContext<'_>, entry: &DocumentEntry, manifest: &mut Manifest) {
    match &*entry.key {
        "kind" => {}
        "doc" => manifest.doc = reading.text(entry),
        "parameters" => manifest.parameters = parameters::read(reading, entry, manifest.kind),
        "include" => manifest.inclusions.extend(include(reading, entry)),
        "class" => {
            if let Some(table) = reading.table(entry, "a table: [class.\"nginx\"]") {
                manifest.inclusions.extend(table.entries.iter().filter_map(|entry| class(reading, entry)));
            }
        }
        "let" => {
            if let Some(table) = reading.table(entry, "a table of names") {
                strayed(reading, table);
                manifest.lets = table.entries.iter().filter_map(|entry| named(reading, entry)).collect();
            }
        }
        "defaults" => {
            if let Some(table) = reading.table(entry, "a table: [defaults.file]") {
                manifest.defaults =
                    table.entries.iter().filter_map(|entry| defaults(reading, entry)).collect();
            }
        }
        key if LATER.contains(&key) => reading.later(entry),
        key if TypeDef::find(key).is_some() || key.contains("::") => {
            manifest.blocks.extend(resources::read(reading, entry));
        }
        _ => unknown_top_level(reading, entry),
    }
}

/// Reports keys of the top level below `[let]`, where they would be names without any effect.
fn strayed(reading: &mut ReadContext<'_>, lets: &Table) {
    for entry in lets.entries.iter().filter(|entry| TOP_NAMES.contains(&&*entry.key)) {
        let message = format!("`{}` is a reserved word", entry.key);
        let help = format!(
            "in TOML everything that follows [let] belongs to it; move `{}` above the first header",
            entry.key
        );
        reading
            .problems
            .push(Diagnostic::error(Code::BadName, message, Origin::clone(&entry.key_origin)).help(help));
    }
}

fn unknown_top_level(reading: &mut ReadContext<'_>, entry: &DocumentEntry) {
    let message = format!("`{}` is neither a resource type nor a key of a manifest", entry.key);
    let types = definitions().iter().map(|def| def.name);
    let problem =
        Diagnostic::error(Code::UnknownType, message, Origin::clone(&entry.key_origin)).label("unknown type");
    reading.problems.push(match synonym::of_type(&entry.key) {
        Some(advice) => problem.help(advice),
        None => problem
            .help("a define is named with its module: [\"nginx::vhost\".shop]")
            .did_you_mean(&entry.key, types.chain(TOP_NAMES)),
    });
}

const KINDS: [&str; 2] = ["class", "define"];

/// Reads the kind of a manifest. If it is unknown, returns what was probably meant, with the problem.
fn kind(entry: &DocumentEntry) -> (ManifestKind, Option<Diagnostic>) {
    let Some(word) = entry.item.as_str() else {
        return (ManifestKind::Class, Some(entry.item.not("kind", "\"class\" or \"define\"")));
    };
    let problem = || {
        let message = format!("`{}` is not a kind of manifest", word.escape_debug());
        Diagnostic::error(Code::BadValue, message, Origin::clone(&entry.item.origin))
            .label("neither \"class\" nor \"define\"")
            .help("write `kind = \"define\"`; a class needs no such line")
            .did_you_mean(word, KINDS)
    };
    match &**word {
        "class" => (ManifestKind::Class, None),
        "define" => (ManifestKind::Define, None),
        other if nearest(other, KINDS) == Some("define") => (ManifestKind::Define, Some(problem())),
        _ => (ManifestKind::Class, Some(problem())),
    }
}

fn check_kind(reading: &mut ReadContext<'_>, manifest: &Manifest) {
    if manifest.kind == ManifestKind::Define && !manifest.name.as_str().contains("::") {
        let message = format!("`{}` cannot be a define: the name of a define contains `::`", manifest.name);
        reading.problems.push(
            Diagnostic::error(Code::BadName, message, reading.document.start())
                .help("move it into a file next to init.toml"),
        );
    }
    for inclusion in manifest.inclusions.iter().filter(|i| *i.class == *manifest.name.as_str()) {
        let message = format!("`{}` includes itself", manifest.name);
        reading.problems.push(Diagnostic::error(Code::Cycle, message, Origin::clone(&inclusion.origin)));
    }
}

/// Checks that no `let` has the name of a parameter.
fn check_lets(reading: &mut ReadContext<'_>, manifest: &Manifest) {
    for binding in &manifest.lets {
        let Some(parameter) = manifest.parameter(&binding.name) else { continue };
        let message = format!("`{}` is a parameter, so `[let]` cannot have the same name", binding.name);
        reading.problems.push(
            Diagnostic::error(Code::BadName, message, Origin::clone(&binding.key_origin))
                .label("named again")
                .related(Origin::clone(&parameter.origin), "the parameter")
                .help("give the value another name"),
        );
    }
}

fn include(reading: &mut ReadContext<'_>, entry: &DocumentEntry) -> Vec<Inclusion> {
    let Some(list) = entry.item.as_list() else {
        reading
            .problems
            .push(entry.item.not("include", "a list of classes").help("write include = [\"nginx\"]"));
        return Vec::new();
    };
    let mut inclusions = Vec::new();
    for item in list {
        match item.as_str() {
            Some(class) if is_class_name(reading, class, &item.origin) => inclusions.push(Inclusion {
                class: class.clone(),
                origin: item.origin.clone(),
                when: None,
                parameters: Vec::new(),
            }),
            Some(_) => {}
            None => reading.problems.push(item.not("include", "a list of strings")),
        }
    }
    inclusions
}

fn class(reading: &mut ReadContext<'_>, entry: &DocumentEntry) -> Option<Inclusion> {
    let table = reading.table(entry, "a table of the class's parameters")?;
    if !is_class_name(reading, &entry.key, &entry.key_origin) {
        return None;
    }
    let mut inclusion = Inclusion {
        class: entry.key.clone(),
        origin: entry.key_origin.clone(),
        when: None,
        parameters: Vec::new(),
    };
    for entry in &table.entries {
        let Some(binding) = reading.binding(entry) else { continue };
        match &*entry.key {
            "when" => inclusion.when = Some(binding),
            _ => inclusion.parameters.push(binding),
        }
    }
    Some(inclusion)
}

fn is_class_name(reading: &mut ReadContext<'_>, class: &str, origin: &Arc<Origin>) -> bool {
    let ok = is_name(class);
    if !ok {
        let message = format!("`{class}` is not a valid class name");
        let problem = Diagnostic::error(Code::BadName, message, Origin::clone(origin));
        reading.problems.push(if class.contains("${") {
            problem.help(
                "a manifest lists the classes that it includes; use `when` on [class.NAME] to switch one",
            )
        } else {
            problem.help(
                "class names look like nginx or profile::web::tls; quote them in a header: [class.\"a::b\"]",
            )
        });
    }
    ok
}

fn defaults(reading: &mut ReadContext<'_>, entry: &DocumentEntry) -> Option<Defaults> {
    let table = reading.table(entry, "a table of attributes")?;
    let mut attributes = Vec::new();
    if let Some(def) = TypeDef::find(&entry.key) {
        let unknown: Vec<_> = table.entries.iter().filter(|entry| !unknown::has(def, &entry.key)).collect();
        unknown::tell(reading, def, &unknown);
    }
    for attribute in &table.entries {
        if resources::check_attribute(reading, &entry.key, attribute) {
            attributes.extend(reading.binding(attribute));
        }
    }
    if !resources::check_type(reading, entry) {
        return None;
    }
    Some(Defaults { type_name: entry.key.clone(), origin: entry.key_origin.clone(), attributes })
}

/// Reads a `let`; its name must be usable in an expression.
fn named(reading: &mut ReadContext<'_>, entry: &DocumentEntry) -> Option<Binding> {
    parameters::check_name(reading, entry).then(|| reading.binding(entry)).flatten()
}
