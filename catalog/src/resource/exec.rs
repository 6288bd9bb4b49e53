//! `exec`: a command, with a guard that says when there is nothing to do.

use std::collections::BTreeMap;

use super::attribute::{AbsolutePath, AccountName, CommandLine, Seconds, Secret};
use super::claim::Claim;
use super::define::resource_type;
use super::{AttributeError, Implied, Rules};

resource_type! {
    /// A command. It needs a guard (`creates`, `unless`, `only_if`, `refresh_only`), or `always = true`, which is reported as its own class and never as drift.
    Exec("exec"), titled String {
        /// What is run: a list without a shell, or a text by `/bin/sh -c`. Without it, the title is a text for the shell.
        parameter command: Option<CommandLine> => "the title",
        /// A path that the command makes: where it is, nothing is run.
        property creates: Option<AbsolutePath> => "none",
        /// A command: where it succeeds, nothing is run. One that is not there, or cannot be run (exit code 126 or 127), is an error, and
        /// so is a program that the shell does not find, unless the text says what follows then, with `||` or `if`. The result of a
        /// pipeline is that of its last command: `sh` has no `pipefail`.
        property unless: Option<CommandLine> => "none",
        /// A command: only where it succeeds, something is run. One that is not there is an error, as with `unless`.
        property only_if: Option<CommandLine> => "none",
        /// Runs only when something notifies it.
        parameter refresh_only: bool = false,
        /// Runs in every run; shown as such, never as drift.
        parameter always: bool = false,
        /// The working directory.
        parameter cwd: Option<AbsolutePath> => "`\"/\"`",
        /// The user it runs as.
        parameter user: Option<AccountName> => "`\"root\"`",
        /// Variables of its environment, beside a fixed PATH, HOME and LANG=C.UTF-8.
        parameter environment: BTreeMap<String, Secret>,
        /// How long it may take; its process group is ended after that.
        parameter timeout: Seconds = Seconds(300),
        /// How often it is tried before it has failed.
        parameter tries: u32 = 1,
        /// The pause between two tries.
        parameter try_sleep: Seconds = Seconds(1),
        /// Exit codes that mean success.
        parameter returns: Vec<u32> => "`[0]`",
    }
}

impl Exec {
    /// The command that runs.
    pub fn invocation(&self) -> CommandLine {
        self.command.clone().unwrap_or_else(|| CommandLine::Shell(self.title.clone()))
    }
}

impl Rules for Exec {
    const SETS: &'static [&'static str] = &["returns"];

    fn validate(&self) -> Vec<AttributeError> {
        let guarded =
            self.creates.is_some() || self.unless.is_some() || self.only_if.is_some() || self.refresh_only;
        let mut errors = Vec::new();
        if !guarded && !self.always {
            let error = AttributeError::new("title", "an exec without a guard would run every time");
            errors
                .push(error.help(
                    "give it `creates`, `unless`, `only_if` or `refresh_only`, or set `always = true`",
                ));
        }
        if self.always && (self.creates.is_some() || self.refresh_only) {
            errors.push(
                AttributeError::new("always", "`always` cannot be beside `creates` or `refresh_only`")
                    .help("remove one of them"),
            );
        }
        if self.tries == 0 {
            errors.push(
                AttributeError::new("tries", "`tries` is 0: it would never run").help("use at least 1"),
            );
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let mut implied: Vec<_> = self.cwd.iter().map(|cwd| Implied::on_file(cwd.as_str())).collect();
        implied.extend(self.user.iter().map(|user| Implied::on("user", user.as_str())));
        implied.extend(self.invocation().program_path().map(Implied::on_file));
        implied
    }

    fn claims(&self) -> Vec<Claim> {
        // What a command does is unknown.
        Vec::new()
    }
}
