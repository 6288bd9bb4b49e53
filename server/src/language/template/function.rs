//! Helpers: what a template can compute. The functions of expressions, and what templates have no operators for.

use crate::language::expression::function::{self, Builtin};
use crate::language::expression::tree::Binary;

/// A helper.
#[derive(Debug, Clone, Copy)]
pub(super) enum Helper {
    /// A function that expressions have too.
    Function(&'static Builtin),
    /// `(eq a b)`, `(add a b)` and their like.
    Operator(Binary),
    And,
    Or,
    Not,
    /// `(has a.b)`: whether it is there.
    Has,
    /// `(default a.b x)`: `x` where `a.b` is missing or null.
    Default,
    /// `(get map key)`.
    Get,
}

/// What templates have no operators for.
const OWN: &[(&str, Helper)] = &[
    ("eq", Helper::Operator(Binary::Equal)),
    ("ne", Helper::Operator(Binary::Unequal)),
    ("lt", Helper::Operator(Binary::Less)),
    ("le", Helper::Operator(Binary::LessOrEqual)),
    ("gt", Helper::Operator(Binary::Greater)),
    ("ge", Helper::Operator(Binary::GreaterOrEqual)),
    ("in", Helper::Operator(Binary::In)),
    ("add", Helper::Operator(Binary::Add)),
    ("sub", Helper::Operator(Binary::Subtract)),
    ("and", Helper::And),
    ("or", Helper::Or),
    ("not", Helper::Not),
    ("has", Helper::Has),
    ("default", Helper::Default),
    ("get", Helper::Get),
];

impl Helper {
    pub(super) fn find(name: &str) -> Option<Self> {
        let own = OWN.iter().find(|(known, _)| *known == name).map(|(_, helper)| *helper);
        own.or_else(|| function::find(name).map(Self::Function))
    }

    /// Whether it takes so many arguments.
    pub(super) fn takes(self, count: usize) -> bool {
        match self {
            Self::Function(builtin) => builtin.takes.contains(&count),
            Self::Operator(_) | Self::Default | Self::Get => count == 2,
            Self::And | Self::Or => count >= 2,
            Self::Not | Self::Has => count == 1,
        }
    }
}

/// The names of all.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    OWN.iter().map(|(name, _)| *name).chain(function::names())
}

/// Whether a name is a helper's or a block's: no parameter may be named like one.
pub fn is_helper(name: &str) -> bool {
    Helper::find(name).is_some() || super::tree::BlockSort::ALL.iter().any(|(block, _)| *block == name)
}
