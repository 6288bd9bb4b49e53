//! `holdfast compile`: a node's catalog, as JSON for people or as a bundle for an agent without a server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use holdfast_catalog::catalog::Bundle;
use holdfast_catalog::harmless;
use holdfast_catalog::value::Value;

use crate::compile::{Compiled, compile};
use crate::diagnose;
use crate::regular;

use super::repository::{CompileInput, Question, show_on_stderr};
use super::{CommandOutcome, print};

/// Compiles the catalog of one machine, and prints it as JSON with its secrets masked.
#[derive(Debug, clap::Args)]
pub(super) struct CompileArguments {
    #[command(flatten)]
    question: Question,
    /// Writes catalog and file contents to one file, for `holdfast-agent apply`.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Puts secrets into the bundle; without it they are masked, and the agent refuses it if there are any.
    #[arg(long, requires = "bundle")]
    with_secrets: bool,
    /// How the JSON is written: indented for `text`, on one line for `json`.
    #[arg(long, value_enum, default_value = "json")]
    format: super::OutputFormat,
}

/// Runs the command.
pub(super) fn run(args: &CompileArguments) -> CommandOutcome {
    let asked = match args.question.ask() {
        Ok(asked) => asked,
        Err(refused) => {
            refused.tell();
            return CommandOutcome::Badly;
        }
    };
    let CompileInput { program, node, facts, environment } = &asked;
    let compiled = match compile(program, node, facts, environment, b"") {
        Ok(compiled) => compiled,
        Err(problems) => {
            show_on_stderr(program.snapshot(), &problems);
            say!("{}", diagnose::summary(&problems).unwrap_or_default());
            return CommandOutcome::Badly;
        }
    };
    show_on_stderr(program.snapshot(), &compiled.warnings);
    match &args.bundle {
        None => {
            let catalog = compiled.catalog.to_json_masked();
            match args.format {
                super::OutputFormat::Json => print(harmless::json(&catalog.to_string())),
                super::OutputFormat::Text => print(harmless::json(&format!("{catalog:#}"))),
            }
            CommandOutcome::Well
        }
        Some(path) => match write_bundle(path, &compiled, args.with_secrets) {
            Ok(()) => {
                say!("{}", written(path, &compiled, args.with_secrets));
                CommandOutcome::Well
            }
            Err(error) => {
                say!("error: cannot write {}: {error}", path.display());
                CommandOutcome::Badly
            }
        },
    }
}

/// What a bundle contains, and whether an agent accepts it.
fn written(path: &Path, compiled: &Compiled, with_secrets: bool) -> String {
    let resources = &compiled.catalog.resources;
    let has_secrets =
        || resources.iter().any(|resource| resource.attributes.values().any(Value::is_sensitive));
    let but = match !with_secrets && has_secrets() {
        true => "; its secrets are masked, so an agent refuses it: use --with-secrets to include them",
        false => "",
    };
    let (resources, files) = (resources.len(), compiled.contents.len());
    format!("wrote {}: resources: {resources}, files: {files}{but}", path.display())
}

fn write_bundle(path: &Path, compiled: &Compiled, with_secrets: bool) -> std::io::Result<()> {
    let encode = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    let contents: BTreeMap<String, String> =
        compiled.contents.iter().map(|(hash, (_, file))| (hash.to_string(), encode(file.bytes()))).collect();
    let bundle = if with_secrets {
        serde_json::to_vec(&Bundle { catalog: compiled.catalog.clone(), contents })?
    } else {
        let catalog = compiled.catalog.to_json_masked();
        serde_json::to_vec(&serde_json::json!({ "catalog": catalog, "contents": contents }))?
    };
    regular::write_private(path, &bundle)
}
