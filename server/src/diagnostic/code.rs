//! The codes of diagnostics: one table with the word, the meaning and an example of each.
//!
//! A row of the table without a meaning or an example does not compile. The words are stable: those of earlier versions
//! are understood wherever a code is read.

use serde::{Deserialize, Serialize};

/// An example of a code, as it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Example {
    /// The output of `holdfast check` for a golden case, which contains the code.
    Case(&'static str),
    /// The output for a problem that needs more than the files of a repository.
    Elsewhere(&'static str),
}

/// A row of the table.
struct CodeRow {
    word: &'static str,
    /// Words of earlier versions with the same meaning.
    former: &'static [&'static str],
    meaning: &'static str,
    example: Example,
}

/// The output for a folder of `tests/golden/errors`.
macro_rules! case {
    ($name:literal) => {
        Example::Case(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/golden/errors/",
            $name,
            "/expected.txt"
        )))
    };
}

macro_rules! codes {
    ($($(#[doc = $line:literal])+ $name:ident = $word:literal $(or $former:literal)*, $example:expr;)+) => {
        /// The kind of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[doc = $line])+ #[serde(rename = $word $(, alias = $former)*)] $name,)+
        }

        impl Code {
            /// Every code, in the order of the reference.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            const fn row(self) -> CodeRow {
                match self {
                    $(Self::$name => CodeRow {
                        word: $word,
                        former: &[$($former),*],
                        meaning: concat!($($line),+),
                        example: $example,
                    },)+
                }
            }
        }
    };
}

codes! {
    /// The text does not follow the grammar of its language (TOML, an expression, a template, a type), or has an unresolved merge conflict.
    Syntax = "syntax", case!("toml-syntax");
    /// An expression or a template uses a name that does not exist where it is used.
    UnknownName = "unknown-name", case!("unknown-name");
    /// There is no function of this name.
    UnknownFunction = "unknown-function", case!("unknown-function");
    /// This is neither a type of resource, nor a define, nor a type of value, nor a key of a manifest.
    UnknownType = "unknown-type", case!("unknown-type");
    /// There is no class of this name in any module.
    UnknownClass = "unknown-class", case!("unknown-class");
    /// The type of the resource has no such attribute.
    UnknownAttribute = "unknown-attribute", case!("unknown-attribute");
    /// The class or define has no such parameter.
    UnknownParameter = "unknown-parameter", case!("unknown-class-parameter");
    /// Nothing declares this key, so a value for it would have no effect, and a lookup of it has no answer.
    UnknownKey = "unknown-key" or "unread-key", case!("data-unread-key");
    /// `holdfast.toml` does not declare this label.
    UnknownLabel = "unknown-label", case!("inventory-undeclared-label");
    /// The catalog of the node does not contain the resource that is referred to.
    UnknownReference = "unknown-reference", case!("unknown-reference");
    /// The module has no template of this name.
    UnknownTemplate = "unknown-template" or "template", case!("template-missing");
    /// A map has no such key, a list no such index, or a table lacks a key that it must have.
    MissingKey = "missing-key", case!("unknown-fact");
    /// A class or define is used without a parameter that it requires.
    MissingParameter = "missing-parameter", case!("missing-parameter");
    /// No data file gives a value to a key that is declared or looked up.
    NoData = "no-data" or "evaluation", case!("merge-that-cannot-be");
    /// The value does not have the type that is needed here.
    WrongType = "wrong-type" or "wrong-kind" or "type-mismatch", case!("data-of-the-wrong-type");
    /// The value is of the right type, but cannot be used here.
    BadValue = "bad-value" or "bad-level", case!("policy-unknown");
    /// The resource type does not accept this value, or does not accept it together with the other attributes.
    BadAttribute = "bad-attribute" or "attribute", case!("rule-of-a-type");
    /// This is not a valid name: of a machine, a class or a parameter, or a title or a tag.
    BadName = "bad-name" or "bad-title" or "bad-tag", case!("inventory-not-a-certname");
    /// The path of a file, or a path in the hierarchy, cannot be used.
    BadPath = "bad-path", case!("name-of-a-path");
    /// The text does not refer to a resource, or refers to one in a way that is not possible here.
    BadReference = "bad-reference", case!("reference-without-a-type");
    /// The module's `files/` does not contain this file, or the file cannot be used here.
    BadSource = "bad-source" or "source", case!("source-missing");
    /// The facts of a machine cannot be read, or cannot be part of the path of a data file.
    BadFact = "bad-fact" or "facts", case!("facts-not-json");
    /// A title with a dot needs quotes: TOML splits it into two keys.
    SplitName = "split-name", case!("toml-title-wants-quotes");
    /// A parameter of a class has the name of a class below it, so a key of the data could mean either.
    AmbiguousParameter = "ambiguous-parameter", case!("class-named-like-a-parameter");
    /// A map that is spread with `"*"` contains a metaparameter, which belongs in the block itself.
    Metaparameter = "metaparameter", case!("metaparameter-in-star");
    /// The name is used twice where names must be unique, or one thing is declared twice in different ways.
    Duplicate = "duplicate" or "duplicate-node" or "duplicate-customer" or "duplicate-level" or "one-of-many",
        case!("duplicate-that-differs");
    /// Two places set the same thing, and neither takes precedence.
    Conflict = "conflict" or "profiles-differ" or "two-contents", case!("explicit-against-explicit");
    /// Two resources manage the same thing on a machine.
    ClaimedTwice = "claimed-twice", case!("claimed-twice");
    /// Things depend on each other in a cycle: resources, values, classes, defines or keys.
    Cycle = "cycle" or "circle" or "recursion", case!("cycle");
    /// The resource is part of another one, which is not declared or does not accept parts.
    PartOfNothing = "part-of-nothing", case!("fragment-of-nothing");
    /// A role contains something other than profiles.
    RoleContent = "role-content" or "role-of-more", case!("role-with-a-resource");
    /// A level that tenants write has a fact in its path: a machine could choose whose data it reads.
    FactInTenantPath = "fact-in-tenant-path", case!("hierarchy-fact-in-a-tenants-path");
    /// The key is reserved for something that this version does not have.
    Unsupported = "unsupported" or "later", case!("hierarchy-glob");
    /// The text is too large, too deep, or takes too many steps.
    Limit = "limit", case!("data-too-deep");
    /// A secret is used where it would be shown.
    Secret = "secret", case!("secret-in-a-title");
    /// A key is below the header of another table, so it belongs to that table.
    InSubTable = "in-sub-table", case!("toml-attribute-after-subtable");
    /// The template has Windows line endings, which would be in the file on the machine.
    Crlf = "crlf", case!("template-with-crlf");
    /// A tag of another template language: it would be in the file on the machine as it is written.
    ForeignTag = "foreign-tag", case!("tags-of-other-tools");
    /// The two sides of a comparison can never be equal.
    NeverTrue = "never-true", case!("never-equal");
    /// A key is declared, but nothing looks it up.
    UnusedKey = "unused-key", case!("merge-that-cannot-be");
    /// A policy names a resource that no machine has.
    IdlePolicy = "idle-policy", case!("policy-of-nothing");
    /// Nothing reads this file, so it has no effect.
    UnreadFile = "unread-file" or "ignored", case!("folder-misspelt");
    /// The file is only a git LFS pointer: its content is not in the repository.
    LfsPointer = "lfs-pointer", case!("lfs-pointer");
    /// No machine of the inventory reads this file or value.
    LeadsNowhere = "leads-nowhere", case!("data-of-no-machine");
    /// The repository has no facts, so a check skips the data files whose path contains one.
    NoFacts = "no-facts", case!("no-facts");
    /// The repository has no machines: no `inventory/`, or one that is empty.
    NoInventory = "no-inventory" or "no-machine", case!("no-inventory");
    /// More than one branch, tag or commit has this name.
    AmbiguousRevision = "ambiguous-revision" or "tag-of-that-name", Example::Elsewhere("\
warning[ambiguous-revision]: there is a tag `main` with the name of the branch: only the branch is followed
 = help: remove the tag, and find out who pushed it");
    /// The branch was pushed with force: the commit that was in force is not among its ancestors.
    HistoryRewritten = "history-rewritten", Example::Elsewhere("\
warning[history-rewritten]: the branch was replaced: this commit has no history in common with 3f1c9ab02d, where it was
 = help: someone force-pushed: find out who, and protect the branch if that was not intended");
    /// The server knows the machine, but the inventory does not list it.
    NotInInventory = "not-in-inventory", Example::Elsewhere("\
error[not-in-inventory]: `web1.acme.example` is not in the inventory
 = help: add it to inventory/alpin/acme.toml, or remove it with `holdfast node remove web1.acme.example`");
    /// The inventory lists the machine under a different customer from the one that it was added for.
    PlaceDisagrees = "place-disagrees", Example::Elsewhere("\
error[place-disagrees]: `web1.acme.example` was added for alpin/acme, but the inventory has it elsewhere
 = help: move the node with `holdfast node move web1.acme.example`, or move it back in the inventory");
    /// The program failed, not the repository; the server's log says more.
    Internal = "internal", Example::Elsewhere("\
error[internal]: internal error: checking this commit failed; see the server's log");
    /// There are more problems than are shown.
    More = "more", Example::Elsewhere("\
error[more]: and 23 more problems in this file
 --> hieradata/common.toml:412:1");
}

impl Code {
    /// The code of a word, which may be that of an earlier version.
    pub fn parse(word: &str) -> Option<Self> {
        let is_it = |row: &CodeRow| row.word == word || row.former.contains(&word);
        Self::ALL.iter().copied().find(|code| is_it(&code.row()))
    }

    /// The word, such as `unknown-attribute`.
    pub const fn word(self) -> &'static str {
        self.row().word
    }

    /// What it means, in a sentence.
    pub fn meaning(self) -> &'static str {
        self.row().meaning.trim_start()
    }

    /// A diagnostic with this code, as it is printed.
    pub fn example(self) -> &'static str {
        match self.row().example {
            Example::Case(printed) => self.among(printed).unwrap_or(printed),
            Example::Elsewhere(printed) => printed,
        }
    }

    /// The first diagnostic with this code among those that are printed.
    fn among(self, printed: &'static str) -> Option<&'static str> {
        let begin = ["error", "warning"].map(|severity| format!("{severity}[{self}]: "));
        printed.split("\n\n").find(|one| begin.iter().any(|begin| one.starts_with(begin)))
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_code_says_what_it_means_and_its_example_shows_it() {
        for code in Code::ALL.iter().copied() {
            let (row, meaning) = (code.row(), code.meaning());
            assert!(meaning.ends_with('.') && meaning.len() > 20, "{code}: {meaning}");
            match row.example {
                Example::Case(printed) => {
                    assert!(code.among(printed).is_some(), "no `{code}` in its golden case:\n{printed}");
                }
                Example::Elsewhere(printed) => assert_eq!(code.among(printed), Some(printed), "{code}"),
            }
        }
    }

    #[test]
    fn a_word_means_one_code_and_words_of_earlier_versions_are_understood() {
        let mut words = BTreeSet::new();
        for code in Code::ALL.iter().copied() {
            for word in code.row().former.iter().chain([&code.word()]) {
                assert!(words.insert(*word), "`{word}` is there twice");
                assert_eq!(Code::parse(word), Some(code));
                assert_eq!(serde_json::from_value::<Code>((*word).into()).unwrap(), code);
            }
            assert_eq!(serde_json::to_value(code).unwrap(), code.word());
        }
        assert_eq!(Code::parse("no-such-code"), None);
    }
}
