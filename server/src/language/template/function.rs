//! Helpers: the functions of expressions, and functions for what templates have no operators for.

use crate::language::expression::function::{self, Builtin};
use crate::language::expression::operator::Binary;
use crate::language::word::{Chapter, Word};

/// A helper.
#[derive(Debug, Clone, Copy)]
pub(super) enum Helper {
    /// A function that expressions also have.
    Function(&'static Builtin),
    /// `(eq a b)`, `(add a b)` and so on.
    Operator(Binary),
    And,
    Or,
    Not,
    /// `(has a.b)`: whether there is a value.
    Has,
    /// `(default a.b x)`: `x` if `a.b` is missing or null.
    Default,
    Get,
}

/// The name of a helper, the helper, how it is written, what it does, and an example with its result.
type HelperRow = (&'static str, Helper, &'static str, &'static str, [&'static str; 2]);

/// The helpers for what templates have no operators for.
const OWN: &[HelperRow] = &[
    (
        "eq",
        Helper::Operator(Binary::Equal),
        "(eq a b)",
        "Whether two values are equal.",
        ["{{#if (eq 1 1)}}yes{{/if}}", "yes"],
    ),
    (
        "ne",
        Helper::Operator(Binary::Unequal),
        "(ne a b)",
        "Whether they differ.",
        ["{{#if (ne 1 1)}}yes{{else}}no{{/if}}", "no"],
    ),
    (
        "lt",
        Helper::Operator(Binary::Less),
        "(lt a b)",
        "Whether the first is less.",
        ["{{#if (lt 1 2)}}yes{{/if}}", "yes"],
    ),
    (
        "le",
        Helper::Operator(Binary::LessOrEqual),
        "(le a b)",
        "Whether it is less or equal.",
        ["{{#if (le 2 2)}}yes{{/if}}", "yes"],
    ),
    (
        "gt",
        Helper::Operator(Binary::Greater),
        "(gt a b)",
        "Whether it is greater.",
        ["{{#if (gt 1 2)}}yes{{else}}no{{/if}}", "no"],
    ),
    (
        "ge",
        Helper::Operator(Binary::GreaterOrEqual),
        "(ge a b)",
        "Whether it is greater or equal.",
        ["{{#if (ge 2 2)}}yes{{/if}}", "yes"],
    ),
    (
        "in",
        Helper::Operator(Binary::In),
        "(in a b)",
        "Whether a list has an element, or a map a key.",
        ["{{#if (in 'a' (split 'a b' ' '))}}yes{{/if}}", "yes"],
    ),
    (
        "add",
        Helper::Operator(Binary::Add),
        "(add a b)",
        "The sum of two numbers, or two strings or lists joined.",
        ["{{add 1 2}}", "3"],
    ),
    ("sub", Helper::Operator(Binary::Subtract), "(sub a b)", "The difference.", ["{{sub 5 3}}", "2"]),
    (
        "and",
        Helper::And,
        "(and a b …)",
        "Whether all are true.",
        ["{{#if (and true (eq 1 1))}}yes{{/if}}", "yes"],
    ),
    (
        "or",
        Helper::Or,
        "(or a b …)",
        "Whether at least one is true.",
        ["{{#if (or false (eq 1 1))}}yes{{/if}}", "yes"],
    ),
    ("not", Helper::Not, "(not a)", "Whether it is false.", ["{{#if (not false)}}yes{{/if}}", "yes"]),
    (
        "has",
        Helper::Has,
        "(has a.b)",
        "Whether it exists and is not null.",
        ["{{#if (has site.port)}}yes{{else}}no{{/if}}", "no"],
    ),
    (
        "default",
        Helper::Default,
        "(default a.b x)",
        "A value, or another if it is missing or null.",
        ["{{default site.port 80}}", "80"],
    ),
    (
        "get",
        Helper::Get,
        "(get map key)",
        "The entry of a map whose key is computed.",
        ["{{get site 'name'}}", "shop"],
    ),
];

/// The documentation of the helpers. The examples use `site`, which has `name = "shop"` and nothing else.
pub(super) fn chapter() -> Chapter {
    let word =
        |&(name, _, usage, doc, [example, gives]): &HelperRow| Word { name, usage, doc, example, gives };
    Chapter::new("Helpers", OWN.iter().map(word))
}

impl Helper {
    pub(super) fn find(name: &str) -> Option<Self> {
        let own = OWN.iter().find(|own| own.0 == name).map(|own| own.1);
        own.or_else(|| function::find(name).map(Self::Function))
    }

    /// Whether it takes this many arguments.
    pub(super) fn takes(self, count: usize) -> bool {
        match self {
            Self::Function(builtin) => builtin.takes.contains(&count),
            Self::Operator(_) | Self::Default | Self::Get => count == 2,
            Self::And | Self::Or => count >= 2,
            Self::Not | Self::Has => count == 1,
        }
    }
}

/// The names of all helpers.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    OWN.iter().map(|own| own.0).chain(function::names())
}
