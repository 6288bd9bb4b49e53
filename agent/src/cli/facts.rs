//! `holdfast-agent facts`: prints what this machine says about itself as JSON, in the form that `--facts FILE` takes.

use std::process::ExitCode;

use super::{Common, Style, print_json, say};

pub(super) fn run(common: &Common) -> anyhow::Result<ExitCode> {
    let found = crate::facts::stable(common.root()?)?;
    for warning in &found.warnings {
        say(&format!(
            "{} {}",
            Style::of(&std::io::stderr()).warn("warning:"),
            super::style::harmless(warning)
        ));
    }
    print_json(&found.facts)?;
    Ok(ExitCode::SUCCESS)
}
