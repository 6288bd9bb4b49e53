//! Words of the manifest's language that no parameter of a class or a define may be named like.

/// Stand on every resource (`language.md`, metaparameters); no attribute is named like one either.
pub const METAPARAMETERS: &[&str] =
    &["title", "require", "before", "notify", "subscribe", "when", "for_each", "*", "tag"];

/// Kept for later, and the names that expressions see.
pub const RESERVED: &[&str] = &[
    "policy",
    "schedule",
    "retry",
    "timeout",
    "one_at_a_time",
    "node",
    "nodes",
    "facts",
    "each",
    "lookup",
    "param",
    "template",
];
