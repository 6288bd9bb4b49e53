//! A module's README: what it is, how it is used, and the parameters of each of its classes and defines.
//!
//! It is made only from the module's manifests, and is always the same for the same manifests. It never uses data,
//! which belongs to others.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use holdfast_catalog::value::{Kind, Value};

use super::markdown::{code, one_line, plain, table};
use crate::language::Formula;
use crate::language::manifest::{Block, Manifest, ManifestKind, Parameter};
use crate::language::merge::Merge;
use crate::language::sample::sample;
use crate::modules::Modules;

/// The name of a module's README.
pub const FILE: &str = "README.md";

/// The longest default that a table shows, in characters.
const MAX_DEFAULT: usize = 120;

/// The README of each module, by the module's name.
pub fn readmes(modules: &Modules) -> Vec<(Arc<str>, String)> {
    let mut names: Vec<&str> = modules.manifests().map(|manifest| manifest.name.module()).collect();
    names.dedup();
    names.into_iter().map(|name| (name.into(), readme(modules, name))).collect()
}

fn readme(modules: &Modules, module: &str) -> String {
    let of_module = || modules.manifests().filter(|manifest| manifest.name.module() == module);
    let mut page = format!("# {module}\n");
    match modules.get(module).and_then(|init| init.doc.as_deref()) {
        Some(doc) => drop(write!(page, "\n{}\n", plain(&one_line(doc)))),
        None => drop(write!(page, "\n{}\n", contents(of_module().count(), module))),
    }
    let needed: Vec<String> = needs(modules, module).iter().map(|name| code(name)).collect();
    if !needed.is_empty() {
        let _ = write!(page, "\nNeeds {}.\n", needed.join(", "));
    }
    page.push_str("\n<!-- Made from the manifests by `holdfast docs`: change those, not this. -->\n");
    page.push_str(&example(modules, module).unwrap_or_default());
    of_module().for_each(|manifest| section(&mut page, manifest, modules));
    page
}

/// Other modules that its manifests refer to. Roles and profiles are left out, since they combine whatever the
/// repository has.
fn needs(modules: &Modules, module: &str) -> BTreeSet<Arc<str>> {
    if matches!(module, "role" | "profile") {
        return BTreeSet::new();
    }
    let own = modules.manifests().filter(|manifest| manifest.name.module() == module);
    let named = own.flat_map(|manifest| {
        let classes = manifest.inclusions.iter().map(|inclusion| &*inclusion.class);
        let defines =
            manifest.blocks.iter().map(|block| &*block.type_name).filter(|name| name.contains("::"));
        classes.chain(defines)
    });
    let module_of = |name: &str| name.split("::").next().unwrap_or(name).into();
    named.map(module_of).filter(|name: &Arc<str>| &**name != module).collect()
}

/// The description of a module without a class of the same name.
fn contents(count: usize, module: &str) -> String {
    match (module, count) {
        ("role", _) => {
            "What machines do: each role is a list of profiles. A machine has one, in the inventory.".into()
        }
        ("profile", _) => "How modules are put together here. Roles are made of these.".into(),
        (_, 1) => "One class or define.".into(),
        (_, count) => format!("{count} classes and defines."),
    }
}

/// An example: a profile that uses the module, and the data that it needs.
fn example(modules: &Modules, module: &str) -> Option<String> {
    if matches!(module, "role" | "profile") {
        return None;
    }
    let class = modules.class(module);
    let defines = modules
        .manifests()
        .filter(|manifest| manifest.kind == ManifestKind::Define && manifest.name.module() == module);
    let mut profile = String::new();
    if class.is_some() {
        let _ = writeln!(profile, "include = [\"{module}\"]");
    }
    for define in defines {
        let gap = if profile.is_empty() { "" } else { "\n" };
        let title = title_of(define);
        let _ = writeln!(profile, "{gap}[\"{}\".{}]", define.name, key(&title));
        profile.push_str(&assignments(define.parameters.iter().filter(|p| p.is_required()), modules));
    }
    if profile.is_empty() {
        return None;
    }
    let mut text =
        format!("\n## Use it\n\n```toml\n# modules/profile/manifests/example.toml\n{profile}```\n");
    let said: Vec<&Parameter> = class.into_iter().flat_map(|class| worth_saying(class)).collect();
    if !said.is_empty() {
        let said = assignments(said.into_iter(), modules);
        let _ = write!(text, "\n```toml\n# hieradata/common.toml\n[{module}]\n{said}```\n");
    }
    Some(text)
}

/// The required parameters; if there are none, the first one with a default that is not secret, to show how one is set.
fn worth_saying(class: &Manifest) -> Vec<&Parameter> {
    let required: Vec<&Parameter> = class.parameters.iter().filter(|p| p.is_required()).collect();
    if !required.is_empty() {
        return required;
    }
    let constant = |p: &&Parameter| matches!(p.default, Some(Formula::Constant(_)));
    class.parameters.iter().find(constant).into_iter().collect()
}

/// Lines of `name = value` with the equals signs aligned; a comment if there is no sample value.
fn assignments<'a>(parameters: impl Iterator<Item = &'a Parameter> + Clone, modules: &Modules) -> String {
    let width = parameters.clone().map(|p| p.name.len()).max().unwrap_or_default();
    let line = |parameter: &Parameter| {
        let value = match &parameter.default {
            Some(Formula::Constant(value)) if !is_secret(parameter, modules) => Some(value.clone()),
            _ => sample(&parameter.of, &parameter.name, modules),
        };
        match value {
            Some(value) => format!("{:width$} = {}\n", parameter.name, toml(&value)),
            None => format!("# {} = …: {}\n", parameter.name, type_of(parameter)),
        }
    };
    parameters.map(line).collect()
}

/// A title for an example of a define: the one that its doc quotes, or one that fits the parameter whose default is the
/// title.
fn title_of(define: &Manifest) -> String {
    if let Some(quoted) = define.doc.as_deref().and_then(|doc| doc.split('"').nth(1)) {
        return quoted.to_owned();
    }
    let takes_title = |parameter: &&Parameter| {
        let texts = parameter.default.as_ref().map(Formula::texts).unwrap_or_default();
        texts.iter().any(|(text, _)| text.expressions().any(|(expression, _)| expression.source() == "title"))
    };
    let parameter = define.parameters.iter().find(takes_title);
    let value = parameter.and_then(|parameter| sample(&parameter.of, "example", &()));
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_else(|| "example".to_owned())
}

/// Whether a parameter has a default that is a secret, or contains one.
fn is_secret(parameter: &Parameter, modules: &Modules) -> bool {
    let says_nothing = match &parameter.default {
        None => true,
        Some(Formula::Constant(value)) => {
            value.is_null()
                || value.as_list().is_some_and(<[Value]>::is_empty)
                || value.as_map().is_some_and(|map| map.iter().next().is_none())
        }
        Some(_) => false,
    };
    !says_nothing && parameter.of.holds_secrets(modules)
}

fn section(page: &mut String, manifest: &Manifest, modules: &Modules) {
    let kind = if manifest.kind == ManifestKind::Define { "define" } else { "class" };
    let _ = write!(page, "\n## {kind} `{}`\n", manifest.name);
    if let Some(doc) = manifest.doc.as_deref().filter(|_| manifest.name.as_str() != manifest.name.module()) {
        let _ = write!(page, "\n{}\n", plain(&one_line(doc)));
    }
    let included: Vec<String> = manifest.inclusions.iter().map(|inclusion| code(&inclusion.class)).collect();
    if !included.is_empty() {
        let _ = write!(page, "\nIncludes {}.\n", included.join(", "));
    }
    if !manifest.parameters.is_empty() {
        let _ = write!(page, "\n{}", parameters(manifest, modules));
    }
    let declared: Vec<String> =
        manifest.blocks.iter().map(|block| code(&reference(block, manifest))).collect();
    if !declared.is_empty() {
        let _ = write!(page, "\nDeclares {}.\n", declared.join(", "));
    }
}

/// The type of a parameter on one line. A line end inside quotes belongs to a pattern and is not replaced with a space.
fn type_of(parameter: &Parameter) -> String {
    let parts = parameter.type_text.split('\'').enumerate();
    let shown = parts.map(|(at, part)| if at % 2 == 0 { part.into() } else { part.replace('\n', "\\n") });
    one_line(&shown.collect::<Vec<String>>().join("'"))
}

fn parameters(manifest: &Manifest, modules: &Modules) -> String {
    let row = |parameter: &Parameter| {
        let merge = match &parameter.merge {
            Merge::First => String::new(),
            merge => format!(" Levels are merged: `{}`.", merge.name()),
        };
        [
            code(&parameter.name),
            code(&type_of(parameter)),
            if is_secret(parameter, modules) { "a secret".to_owned() } else { default(parameter, manifest) },
            format!("{}{merge}", plain(parameter.doc.as_deref().unwrap_or_default())),
        ]
    };
    table(["parameter", "type", "default", "what it is"], manifest.parameters.iter().map(row))
}

fn default(parameter: &Parameter, manifest: &Manifest) -> String {
    let Some(formula) = &parameter.default else {
        return if parameter.is_required() { "required".to_owned() } else { "none".to_owned() };
    };
    let text = match formula {
        Formula::Constant(value) => toml(value),
        _ => written(formula, manifest).unwrap_or_else(|| "…".to_owned()),
    };
    match formula {
        _ if text.chars().count() <= MAX_DEFAULT => code(&text),
        Formula::Constant(Value { kind: Kind::List(list), .. }) => format!("a list of {}", list.len()),
        Formula::Constant(Value { kind: Kind::Map(map), .. }) => format!("a map of {}", map.len()),
        _ => "see the manifest".to_owned(),
    }
}

/// The formula, as written in the manifest.
fn written(formula: &Formula, manifest: &Manifest) -> Option<String> {
    let origin = match formula {
        Formula::Constant(value) => value.origin.as_ref(),
        Formula::Text(_, origin) | Formula::List(_, origin) | Formula::Map(_, origin) => origin.as_ref(),
    }?;
    let text = manifest.text.get(origin.start as usize..origin.end as usize)?;
    Some(one_line(text)).filter(|text| !text.is_empty())
}

/// `type[title]`, with the title as written; a loop is shown as one resource.
fn reference(block: &Block, manifest: &Manifest) -> String {
    let title = block.title.as_ref().and_then(|title| match &title.value {
        Formula::Constant(value) => value.as_str().map(str::to_owned),
        formula => written(formula, manifest).map(|text| text.trim_matches('"').to_owned()),
    });
    format!("{}[{}]", block.type_name, title.unwrap_or_else(|| block.name.to_string()))
}

/// A value in TOML, on one line.
fn toml(value: &Value) -> String {
    match &value.kind {
        Kind::List(list) => format!("[{}]", list.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Kind::Map(map) if map.is_empty() => "{}".to_owned(),
        Kind::Map(map) => {
            let entry = |(name, value): (&Arc<str>, &Value)| format!("{} = {}", key(name), toml(value));
            let entries: Vec<String> = map.iter().filter(|(_, value)| !value.is_null()).map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        // TOML's basic strings have all escapes of JSON.
        _ => value.shown(),
    }
}

/// A key, in quotes if necessary.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { name.to_owned() } else { Value::from(name).shown() }
}

#[cfg(test)]
mod tests;
