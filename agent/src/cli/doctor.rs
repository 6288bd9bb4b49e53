//! `holdfast-agent doctor`: what keeps this agent from working, part by part.

use std::process::ExitCode;

use super::style::harmless;
use super::{Common, Format, Style};
use crate::doctor::{Health, examine};

pub(super) fn run(common: &Common) -> anyhow::Result<ExitCode> {
    let findings = examine(&common.place()?);
    match common.format {
        Format::Json => super::print_json(&findings)?,
        Format::Text => {
            let style = Style::of(&std::io::stdout());
            for finding in &findings {
                let mark = match finding.health {
                    Health::Good => style.good("ok  "),
                    Health::Doubtful => style.warn("look"),
                    Health::Bad => style.bad("bad "),
                };
                super::print_text(&format!("{mark} {:<9} {}\n", finding.part, harmless(&finding.words)))?;
            }
        }
    }
    let bad = findings.iter().any(|finding| finding.health == Health::Bad);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
