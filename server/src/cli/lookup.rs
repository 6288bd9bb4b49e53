//! `holdfast lookup`: a value of the data, as one node sees it, and where it comes from.

use std::sync::Arc;

use holdfast_catalog::diagnostic::Diagnostic;
use holdfast_catalog::harmless;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;
use serde_json::json;

use crate::compile::parameter as parameter_of;
use crate::language::manifest::Manifest;
use crate::language::merge::Merge;
use crate::lookup::explain::{Outcome, Step};
use crate::lookup::{Explanation, Found, KEYS_FILE, Lookup, LookupError, hierarchy};

use super::repository::{Asked, Question, Refused, show_on_stderr};
use super::{Ended, Format, print};

/// Looks up a key of the data for one machine.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// `CLASS::PARAMETER`, or a key that hieradata/keys.toml declares.
    key: String,
    #[command(flatten)]
    question: Question,
    /// Merges the levels in this way, instead of as the key is declared.
    #[arg(long, value_name = "STRATEGY")]
    merge: Option<Strategy>,
    /// Shows each level, its file and line, and how the answer came about.
    #[arg(long)]
    explain: bool,
    /// How the value is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How values of several levels become one.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Strategy {
    First,
    Unique,
    Hash,
    Deep,
}

impl Strategy {
    fn merge(self) -> Merge {
        match self {
            Self::First => Merge::First,
            Self::Unique => Merge::Unique,
            Self::Hash => Merge::Hash,
            Self::Deep => Merge::Deep(Default::default()),
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Ended {
    match args.question.ask() {
        Ok(asked) => answer(args, &asked),
        Err(refused) => {
            refused.tell();
            Ended::Badly
        }
    }
}

fn answer(args: &Args, asked: &Asked) -> Ended {
    let snapshot = asked.program.snapshot();
    let reader = snapshot.reader();
    let profiles = |class: Option<&str>| asked.program.profiles(&asked.node.role, class);
    let (data, node, facts) = (asked.program.data(), &asked.node, &asked.facts);
    let lookup = match Lookup::new(data, &reader, node, facts, &asked.environment, &profiles) {
        Ok(lookup) => lookup,
        Err(problems) => {
            show_on_stderr(snapshot, &problems);
            return Ended::Wrongly;
        }
    };
    let broken = broken_declarations(asked, &args.key);
    if !broken.is_empty() {
        show_on_stderr(snapshot, &broken);
        say!("nothing is looked up where the declaration of `{}` has errors", args.key);
        return Ended::Wrongly;
    }
    let merge = args.merge.map(Strategy::merge);
    let found = lookup.get_merged(&args.key, merge.as_ref());
    if args.explain && !matches!(found, Err(LookupError::Undeclared { .. })) {
        let nothing = matches!(&found, Ok(found) if found.as_ref().is_none_or(|found| found.value.is_null()));
        let default = nothing.then(|| default_of(asked, &args.key)).flatten();
        show_explanation(&lookup.explain(&args.key, merge.as_ref()), default.as_ref(), args.format);
    }
    for (manifest, origin) in givers(asked, &args.key) {
        say!(
            "note: `{name}` gives this itself ({file}:{line}), which goes before the data on a machine that has `{name}`",
            name = manifest.name,
            file = origin.file,
            line = origin.line
        );
    }
    match found {
        Ok(Some(found)) if !found.value.is_null() => {
            if !args.explain {
                show_value(&found.value, args.format);
            }
            Ended::Well
        }
        Ok(nothing) => without_data(args, asked, nothing.as_ref()),
        Err(LookupError::Data(problems)) => {
            Refused::Problems(snapshot.clone(), problems).tell();
            Ended::Wrongly
        }
        Err(LookupError::Undeclared { message, help }) => {
            say!("not found: {message}{}", help.map(|help| format!(" ({help})")).unwrap_or_default());
            Ended::Badly
        }
    }
}

/// What is wrong with how a key is declared, or with the levels: another answer than the declared one would be no answer.
fn broken_declarations(asked: &Asked, key: &str) -> Vec<Diagnostic> {
    let declared = match key
        .rsplit_once("::")
        .and_then(|(class, name)| Some((asked.program.modules().get(class)?, name)))
    {
        None => (KEYS_FILE.to_owned(), 0..u32::MAX),
        Some((manifest, name)) => {
            // from the parameter's own line to whatever stands next in the file
            let from = manifest.parameter(name).map_or(0, |parameter| parameter.origin.start);
            let parameters = manifest.parameters.iter().map(|parameter| &parameter.origin);
            let others = manifest.blocks.iter().map(|block| &block.origin);
            let others = others.chain(manifest.lets.iter().map(|binding| &binding.key_origin));
            let after = parameters.chain(others).map(|origin| origin.start).filter(|start| *start > from);
            (manifest.file.to_string(), from..after.min().unwrap_or(u32::MAX))
        }
    };
    let concerns = |problem: &Diagnostic| {
        problem.origin.as_ref().is_some_and(|origin| {
            &*origin.file == hierarchy::FILE
                || (*origin.file == *declared.0 && declared.1.contains(&origin.start))
        })
    };
    asked.program.problems().into_iter().filter(concerns).collect()
}

/// No level has the key, or the most specific one says null: what holds then.
fn without_data(args: &Args, asked: &Asked, null: Option<&Found>) -> Ended {
    let key = &args.key;
    let place = null.and_then(|found| found.value.origin.as_ref());
    let why = place.map_or_else(
        || format!("no level has `{key}`"),
        |origin| format!("{}:{} says null", origin.file, origin.line),
    );
    let program = &asked.program;
    let declared = key
        .rsplit_once("::")
        .and_then(|(class, name)| Some(((class, name), program.modules().class(class)?.parameter(name)?)));
    let Some((wanted, parameter)) = declared else {
        let is_optional = program.data().key(key).is_some_and(|key| key.of.takes_null());
        if null.is_none() && !is_optional {
            say!("not found: no level has `{key}` for {}", asked.node.certname);
            return Ended::Badly;
        }
        say!("note: {why}");
        show_default(args, &Value::NULL);
        return Ended::Well;
    };
    if parameter.is_required() {
        say!("not found: {why} for {}, and the parameter has no default", asked.node.certname);
        return Ended::Badly;
    }
    match parameter_of(program, &asked.node, &asked.facts, &asked.environment, wanted) {
        Ok(value) => {
            let Origin { file, line, .. } = &*parameter.origin;
            say!("note: {why}, so the default holds: {file}:{line}");
            show_default(args, &value.unwrap_or(Value::NULL));
            Ended::Well
        }
        Err(problems) => {
            Refused::Problems(program.snapshot().clone(), problems).tell();
            Ended::Wrongly
        }
    }
}

fn show_default(args: &Args, value: &Value) {
    match (args.explain, args.format) {
        (false, format) => show_value(value, format),
        (true, Format::Text) => print(format_args!("default: {}", harmless::block(&value.shown()))),
        // the explanation as JSON is one document
        (true, Format::Json) => {}
    }
}

/// What a value of the data does not reach: manifests that give the class this parameter themselves.
fn givers<'a>(asked: &'a Asked, key: &'a str) -> impl Iterator<Item = (&'a Manifest, &'a Origin)> {
    let whole = key.split('.').next().unwrap_or(key);
    let parts = whole.rsplit_once("::").into_iter();
    parts.flat_map(|(class, parameter)| asked.program.modules().givers(class, parameter))
}

fn show_value(value: &Value, format: Format) {
    match (format, value.as_str()) {
        (Format::Text, Some(text)) => print(harmless::block(text)),
        (Format::Text, None) => print(harmless::block(&format!("{:#}", value.to_json_masked()))),
        (Format::Json, _) => print(harmless::json(&value.to_json_masked().to_string())),
    }
}

/// The default of a parameter, with its place.
fn default_of(asked: &Asked, key: &str) -> Option<(Value, Arc<Origin>)> {
    let wanted @ (class, name) = key.rsplit_once("::")?;
    let parameter = asked.program.modules().class(class)?.parameter(name)?;
    if parameter.is_required() {
        return None;
    }
    let value = parameter_of(&asked.program, &asked.node, &asked.facts, &asked.environment, wanted);
    Some((value.ok()?.unwrap_or(Value::NULL), parameter.origin.clone()))
}

fn show_explanation(explanation: &Explanation, default: Option<&(Value, Arc<Origin>)>, format: Format) {
    if format == Format::Text {
        print(harmless::block(explanation.text().trim_end_matches('\n')));
        return;
    }
    let answer = explanation.answer.as_ref().ok().and_then(Option::as_ref);
    let json = json!({
        "key": &*explanation.key,
        "merge": explanation.merge.as_ref().map(Merge::name),
        "steps": explanation.steps.iter().map(step).collect::<Vec<_>>(),
        "found": answer.is_some(),
        "value": answer.map(|found| found.value.to_json_masked()),
        "default": default.map(|(value, origin)| json!({
            "value": value.to_json_masked(),
            "path": &*origin.file,
            "line": origin.line,
        })),
    });
    print(harmless::json(&json.to_string()));
}

fn step(step: &Step) -> serde_json::Value {
    let (outcome, value) = match &step.outcome {
        Outcome::Used(value) => ("used", Some(value)),
        Outcome::Overruled(value) => ("overruled", Some(value)),
        Outcome::NoKey => ("no-key", None),
        Outcome::NoFile => ("no-file", None),
        Outcome::Skipped(_) => ("skipped", None),
        Outcome::Failed(_) => ("failed", None),
    };
    json!({
        "level": &*step.level,
        "path": &*step.path,
        "outcome": outcome,
        "line": value.and_then(|value| value.origin.as_ref()).map(|origin| origin.line),
        "value": value.map(Value::to_json_masked),
    })
}
