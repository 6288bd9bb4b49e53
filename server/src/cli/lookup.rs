//! `holdfast lookup`: a value of the data, as one node sees it, and where it comes from.

use holdfast_catalog::origin::Origin;
use serde_json::json;

use crate::language::manifest::Manifest;
use crate::language::merge::Merge;
use crate::lookup::explain::{Outcome, Step};
use crate::lookup::{Explanation, Found, Lookup, LookupError};

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
    let merge = args.merge.map(Strategy::merge);
    let found = lookup.get_merged(&args.key, merge.as_ref());
    if args.explain && !matches!(found, Err(LookupError::Undeclared { .. })) {
        show_explanation(&lookup.explain(&args.key, merge.as_ref()), args.format);
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
        Ok(Some(found)) => {
            if !args.explain {
                show_value(&found, args.format);
            }
            Ended::Well
        }
        Ok(None) => {
            say!("not found: no level has `{}` for {}", args.key, node.certname);
            Ended::Badly
        }
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

/// What a value of the data does not reach: manifests that give the class this parameter themselves.
fn givers<'a>(asked: &'a Asked, key: &'a str) -> impl Iterator<Item = (&'a Manifest, &'a Origin)> {
    let whole = key.split('.').next().unwrap_or(key);
    let parts = whole.rsplit_once("::").into_iter();
    parts.flat_map(|(class, parameter)| asked.program.modules().givers(class, parameter))
}

fn show_value(found: &Found, format: Format) {
    match (format, found.value.as_str()) {
        (Format::Text, Some(text)) => print(text),
        (Format::Text, None) => print(format!("{:#}", found.value.to_json_masked())),
        (Format::Json, _) => print(found.value.to_json_masked()),
    }
}

fn show_explanation(explanation: &Explanation, format: Format) {
    if format == Format::Text {
        print(explanation.text().trim_end_matches('\n'));
        return;
    }
    let answer = explanation.answer.as_ref().ok().and_then(Option::as_ref);
    let json = json!({
        "key": &*explanation.key,
        "merge": explanation.merge.as_ref().map(Merge::name),
        "steps": explanation.steps.iter().map(step).collect::<Vec<_>>(),
        "found": answer.is_some(),
        "value": answer.map(|found| found.value.to_json_masked()),
    });
    print(json);
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
        "value": value.map(holdfast_catalog::value::Value::to_json_masked),
    })
}
