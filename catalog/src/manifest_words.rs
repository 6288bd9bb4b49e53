//! Words of the manifest's language that no parameter of a class or a define may be named like.

/// A key of a file, with what its definition says about it: the reference is made of it.
#[derive(Debug, Clone, Copy)]
pub struct Keyword {
    pub name: &'static str,
    /// What is under it.
    pub takes: &'static str,
    pub doc: &'static str,
}

impl Keyword {
    /// A key.
    pub const fn new(name: &'static str, takes: &'static str, doc: &'static str) -> Self {
        Self { name, takes, doc }
    }

    /// The names of some keys.
    pub const fn names<const N: usize>(keywords: &[Self; N]) -> [&'static str; N] {
        let mut names = [""; N];
        let mut at = 0;
        while at < N {
            names[at] = keywords[at].name;
            at += 1;
        }
        names
    }
}

/// What is on every resource; no attribute is named like one either.
pub const ON_EVERY_RESOURCE: &[Keyword; 9] = &[
    Keyword::new("title", "a string", "The resource's title, where the block's name is not it."),
    Keyword::new(
        "require",
        "references",
        "What comes before this resource; if that fails, this one is skipped.",
    ),
    Keyword::new("before", "references", "What comes after this resource."),
    Keyword::new(
        "notify",
        "references",
        "What comes after this resource and is refreshed when it changes; `service[x]:reload` asks for a reload.",
    ),
    Keyword::new(
        "subscribe",
        "references",
        "What comes before this resource and refreshes it when that changes.",
    ),
    Keyword::new(
        "when",
        "true or false",
        "Whether the resource is in the catalog; in a loop, asked for each.",
    ),
    Keyword::new(
        "for_each",
        "a list or a map",
        "One resource for each: `each.value` with `each.index` or `each.key`. Null means none.",
    ),
    Keyword::new(
        "*",
        "a map",
        "Attributes from a map: above `[defaults.TYPE]`, below those that are written. No metaparameters.",
    ),
    Keyword::new("tag", "a string or a list", "Words for people and programs that read the catalog."),
];

/// Their names.
pub const METAPARAMETERS: &[&str] = &Keyword::names(ON_EVERY_RESOURCE);

/// What `node` has in expressions.
pub const NODE: &[&str] = &["certname", "customer", "environment", "labels", "reseller", "role", "stage"];

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
