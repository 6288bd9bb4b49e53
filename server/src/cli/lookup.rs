//! `holdfast lookup`: a value of the data, as one node sees it, and where it comes from.

use holdfast_catalog::harmless;
use holdfast_catalog::value::Value;

use crate::compile::{ClassStatus, parameter as parameter_of};
use crate::diagnostic::Diagnostic;
use crate::excerpt::Excerpts;
use crate::explain::{Explanation, FallbackValue};
use crate::language::merge::Merge;
use crate::lookup::{KEYS_FILE, Lookup, LookupError, hierarchy};

use super::repository::{CompileInput, InputError, Question, show_on_stderr};
use super::{CommandOutcome, OutputFormat, print};

mod note; // notes beside the answer

/// Looks up a key of the data for one machine.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the key has a value; 1 it has no value, or is not declared; 2 the data has errors."
)]
pub(super) struct LookupArguments {
    /// `CLASS::PARAMETER`, or a key that hieradata/keys.toml declares.
    key: String,
    #[command(flatten)]
    question: Question,
    /// Merges the levels in this way, instead of as declared.
    #[arg(long, value_name = "STRATEGY")]
    merge: Option<Strategy>,
    /// Shows each level with its file and line, what happened to each part of its value, and how the answer was found.
    #[arg(long)]
    explain: bool,
    /// How to print the value.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
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
pub(super) fn run(args: &LookupArguments) -> CommandOutcome {
    match args.question.ask() {
        Ok(asked) => answer(args, &asked),
        Err(refused) => {
            refused.tell();
            CommandOutcome::Badly
        }
    }
}

fn answer(args: &LookupArguments, asked: &CompileInput) -> CommandOutcome {
    let snapshot = asked.program.snapshot();
    let reader = snapshot.reader();
    let profiles = |class: Option<&str>| asked.program.profiles(&asked.node.role, class);
    let (data, node, facts) = (asked.program.data(), &asked.node, &asked.facts);
    let lookup = match Lookup::new(data, &reader, node, facts, &asked.environment, &profiles) {
        Ok(lookup) => lookup,
        Err(problems) => {
            show_on_stderr(snapshot, &problems);
            return CommandOutcome::Wrongly;
        }
    };
    let broken = broken_declarations(asked, &args.key);
    if !broken.is_empty() {
        show_on_stderr(snapshot, &broken);
        say!("cannot look up `{}`: its declaration has errors", args.key);
        return CommandOutcome::Wrongly;
    }
    let merge = args.merge.map(Strategy::merge);
    let found = lookup.get_merged(&args.key, merge.as_ref());
    let has_nothing = matches!(&found, Ok(found) if found.as_ref().is_none_or(Value::is_null));
    let has_null = matches!(&found, Ok(Some(_)));
    let absent = has_nothing.then(|| absent(asked, &args.key, has_null));
    // For a key that is not declared there is nothing else to explain, and programs must be able to read that too.
    let is_declared = !matches!(found, Err(LookupError::Undeclared { .. }));
    let standing = if is_declared { note::standing(asked, &args.key) } else { None };
    if args.explain && (is_declared || args.format == OutputFormat::Json) {
        explain(args, asked, &lookup, absent.clone(), standing.as_ref());
    }
    told(args, asked, &found, absent.as_ref(), standing.as_ref())
}

fn explain(
    args: &LookupArguments,
    asked: &CompileInput,
    lookup: &Lookup<'_>,
    absent: Option<FallbackValue>,
    standing: Option<&ClassStatus>,
) {
    let excerpts = Excerpts::new(asked.program.snapshot(), Some(asked.program.modules()));
    let givers = note::givers(asked, &args.key, standing);
    let merge = args.merge.map(Strategy::merge);
    let explanation = Explanation::of(lookup, &args.key, merge.as_ref(), &excerpts)
        .or(absent, &excerpts)
        .on(givers, note::is_included(asked, &args.key, standing));
    match args.format {
        OutputFormat::Text => print(harmless::block(explanation.text().trim_end_matches('\n'))),
        OutputFormat::Json => print(harmless::json(&explanation.json().to_string())),
    }
}

/// Reports the result, and the value itself if no explanation was asked for.
fn told(
    args: &LookupArguments,
    asked: &CompileInput,
    found: &Result<Option<Value>, LookupError>,
    absent: Option<&FallbackValue>,
    standing: Option<&ClassStatus>,
) -> CommandOutcome {
    if !matches!(found, Err(LookupError::Undeclared { .. })) {
        note::all(asked, &args.key, standing).iter().for_each(|note| say!("note: {note}"));
    }
    let snapshot = asked.program.snapshot();
    match found {
        Err(LookupError::Data(problems)) => {
            InputError::Problems(snapshot.clone(), problems.clone()).tell();
            CommandOutcome::Wrongly
        }
        Err(LookupError::Undeclared { message, help }) => {
            let help = help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            say!("not found: {message}{help}");
            CommandOutcome::Badly
        }
        Ok(found) => match (absent, found) {
            (Some(absent), null) => without_data(args, asked, null.as_ref(), absent),
            (None, Some(found)) if !args.explain => {
                show_value(found, args.format);
                CommandOutcome::Well
            }
            (None, _) => CommandOutcome::Well,
        },
    }
}

/// Errors in the declaration of a key or in the levels: the answer might differ from what is declared.
fn broken_declarations(asked: &CompileInput, key: &str) -> Vec<Diagnostic> {
    let declared = match key
        .rsplit_once("::")
        .and_then(|(class, name)| Some((asked.program.modules().get(class)?, name)))
    {
        None => (KEYS_FILE.to_owned(), 0..u32::MAX),
        // of a file that cannot be read, it is unknown what it declares
        Some((manifest, _)) if !manifest.complete => (manifest.file.to_string(), 0..u32::MAX),
        Some((manifest, name)) => {
            // from the parameter's own line to whatever comes next in the file
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

/// What applies if no level has the key, or the most specific one has null.
fn absent(asked: &CompileInput, key: &str, has_null: bool) -> FallbackValue {
    let program = &asked.program;
    let declared = key
        .rsplit_once("::")
        .and_then(|(class, name)| Some(((class, name), program.modules().class(class)?.parameter(name)?)));
    let Some((wanted, parameter)) = declared else {
        let is_optional = program.data().key(key).is_some_and(|key| key.of.takes_null());
        return if is_optional || has_null { FallbackValue::Null } else { FallbackValue::Nothing };
    };
    if parameter.is_required() {
        return FallbackValue::Required;
    }
    match parameter_of(program, &asked.node, &asked.facts, &asked.environment, wanted) {
        Ok(value) => {
            FallbackValue::Default { value: value.unwrap_or(Value::NULL), origin: parameter.origin.clone() }
        }
        Err(problems) => FallbackValue::Wrong(problems),
    }
}

/// Reports what applies instead of a value from the data.
fn without_data(
    args: &LookupArguments,
    asked: &CompileInput,
    null: Option<&Value>,
    absent: &FallbackValue,
) -> CommandOutcome {
    let place = null.and_then(|found| found.origin.as_ref());
    let why = place.map_or_else(
        || format!("no level has `{}`", args.key),
        |origin| format!("{}:{} says null", origin.file, origin.line),
    );
    let (value, note) = match absent {
        FallbackValue::Default { value, origin } => {
            (value, format!("{why}, so the default applies: {}:{}", origin.file, origin.line))
        }
        FallbackValue::Null => (&Value::NULL, why),
        FallbackValue::Nothing => {
            say!("not found: {why} for {}", asked.node.certname);
            return CommandOutcome::Badly;
        }
        FallbackValue::Required => {
            say!("not found: {why} for {}, and the parameter has no default", asked.node.certname);
            return CommandOutcome::Badly;
        }
        FallbackValue::Wrong(problems) => {
            InputError::Problems(asked.program.snapshot().clone(), problems.clone()).tell();
            return CommandOutcome::Wrongly;
        }
    };
    // the explanation contains it already
    if !args.explain {
        say!("note: {note}");
        show_value(value, args.format);
    }
    CommandOutcome::Well
}

fn show_value(value: &Value, format: OutputFormat) {
    match (format, value.as_str()) {
        (OutputFormat::Text, Some(text)) => print(harmless::block(text)),
        (OutputFormat::Text, None) => print(harmless::block(&format!("{:#}", value.to_json_masked()))),
        (OutputFormat::Json, _) => print(harmless::json(&value.to_json_masked().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::Program;
    use crate::repo::Snapshot;
    use holdfast_catalog::facts::Facts;

    fn broken(manifest: &str) -> usize {
        let files = [
            ("inventory/a/acme.toml", "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n"),
            ("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"app\"]\n"),
            ("modules/app/manifests/init.toml", manifest),
        ];
        let files = files.into_iter().map(|(path, text)| (path, text.as_bytes()));
        let program = Program::new(&Snapshot::of_files(files), None);
        let node = program.inventory().nodes().next().unwrap().clone();
        let asked = CompileInput { program, node, facts: Facts::none(), environment: "main".into() };
        broken_declarations(&asked, "app::password").len()
    }

    #[test]
    fn nothing_is_looked_up_where_the_file_of_the_declaration_cannot_be_read() {
        let good = "doc = \"A.\"\n[parameters]\npassword = { type = \"Secret\", doc = \"P.\" }\n";
        assert_eq!(broken(good), 0);
        for declaration in ["Secret", "Secrt", "Array[Secrett]", "Hash[Strng, Struct[{pw => Secret}]]"] {
            for slip in ["[file.\"/a\"]\nmode = 0600\n", "[let]\nx =\n", "[let]\nx = \"a\n"] {
                let text = format!("{}{slip}", good.replace("Secret", declaration));
                assert!(broken(&text) > 0, "{text}");
            }
        }
    }
}
