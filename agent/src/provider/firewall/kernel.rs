//! nftables: the present table, and the form in which the kernel would return another one.
//!
//! The kernel has its own form of rules. To compare like with like, the wanted rules are loaded in a network namespace
//! that ends with the command, so nothing on the machine changes.

use super::ruleset::Ruleset;
use super::script::RulesetScript;
use crate::provider::{Error, Reading, Writing};
use crate::system::{Invocation, Output};

/// The program of nftables.
pub const NFT: &str = "/usr/sbin/nft";

/// The most bytes of its output that are read: a ruleset may have thousands of rules.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Why a script cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    /// The title of the rule at fault, if nftables names its line.
    pub title: Option<String>,
    pub said: String,
}

/// The present table; `None` if there is none.
pub fn table(reading: Reading<'_>) -> Result<Option<Ruleset>, Error> {
    let list = ["nft", "--json", "--stateless", "list", "table", "inet", "holdfast"];
    let list = Invocation::new(list).limit(MAX_BYTES);
    let output = reading.machine.probe(&list)?;
    if output.succeeded() {
        return Ok(Some(read(&list, &output)?));
    }
    // It exits alike for a table that is not there and for one that it cannot list.
    if String::from_utf8_lossy(&output.stderr).contains("No such file or directory") {
        return Ok(None);
    }
    Err(Error::command(&list, &output))
}

/// A script in the kernel's form.
pub fn normal(text: &str, reading: Reading<'_>) -> Result<Ruleset, Error> {
    let (echo, output) = try_out(text, reading)?;
    if output.succeeded() { read(&echo, &output) } else { Err(Error::command(&echo, &output)) }
}

/// A catalog's script in the kernel's form, or why it cannot be loaded.
pub fn wanted(
    script: &RulesetScript<'_>,
    reading: Reading<'_>,
) -> Result<Result<Ruleset, ScriptError>, Error> {
    let (echo, output) = try_out(&script.text, reading)?;
    if output.succeeded() {
        return read(&echo, &output).map(Ok);
    }
    let said = format!("{}{}", output.last_words(), hint(&output));
    let title = line_of(&String::from_utf8_lossy(&output.stderr)).and_then(|line| script.owner(line));
    Ok(Err(ScriptError { title: title.map(str::to_owned), said }))
}

fn try_out(text: &str, reading: Reading<'_>) -> Result<(Invocation, Output), Error> {
    let echo = ["unshare", "--net", "nft", "--json", "--echo", "--stateless", "--file", "-"];
    let echo = Invocation::new(echo).input(text).limit(MAX_BYTES);
    let output = reading.machine.probe(&echo)?;
    Ok((echo, output))
}

fn read(command: &Invocation, output: &Output) -> Result<Ruleset, Error> {
    Ruleset::of_json(&output.text())
        .ok_or_else(|| Error::Unexpected(format!("`{}` did not answer with a ruleset", command.command)))
}

/// A hint if a rule names an interface that does not exist in the namespace, although the machine may have it.
fn hint(output: &Output) -> &'static str {
    if String::from_utf8_lossy(&output.stderr).contains("Interface does not exist") {
        "\n`iif` and `oif` need interfaces that exist when the rule is read, and rules are tested where only `lo` \
         exists: use `iifname` and `oifname`"
    } else {
        ""
    }
}

/// The number of the first line with an error: `/dev/stdin:7:3-9: Error: …`.
fn line_of(said: &str) -> Option<usize> {
    said.split("/dev/stdin:").nth(1)?.split(':').next()?.parse().ok()
}

/// Replaces the table in one transaction.
pub fn load(script: &RulesetScript<'_>, writing: Writing<'_>) -> Result<(), Error> {
    let load = Invocation::new(["nft", "--file", "-"]).input(script.text.as_str());
    writing.run(&load).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_comes_with_what_to_use() {
        let said = |text| hint(&crate::system::double::failed(1, text));
        let missing =
            "/dev/stdin:4:7-12: Error: Interface does not exist\n  iif \"eth9\" accept\n      ^^^^^^\n";
        assert!(said(missing).contains("use `iifname`"));
        assert_eq!(said("/dev/stdin:12:3-9: Error: syntax error\n"), "");
    }

    #[test]
    fn the_line_that_is_to_blame_is_found() {
        let said =
            "/dev/stdin:12:3-9: Error: syntax error, unexpected string\n\t\ttcp dprt 22\n\t\t    ^^^^\n";
        assert_eq!(line_of(said), Some(12));
        assert_eq!(line_of("netlink: Error: cache initialization failed"), None);
    }
}
