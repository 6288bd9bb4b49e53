//! The functions that are available only in manifests.

use crate::language::Word;

/// The functions that are available only in manifests.
pub(crate) const WORDS: &[Word] = &[
    Word {
        name: "lookup",
        usage: "lookup(key)",
        doc: "A value from the data, as this node sees it: a key of `hieradata/keys.toml`, or `class::parameter`. It is an \
              error if no level has it. Not available in the data of tenants.",
        example: "lookup('smarthosts')",
        gives: "",
    },
    Word {
        name: "template",
        usage: "template(name)",
        doc: "The rendered text of one of the module's templates, with the names in scope here.",
        example: "template('motd.hbs')",
        gives: "",
    },
];

pub(super) const FUNCTIONS: &[&str] = &[WORDS[0].name, WORDS[1].name];
