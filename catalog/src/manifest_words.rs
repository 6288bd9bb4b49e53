//! Words of the manifest language that cannot be names of parameters of a class or a define.

/// A key of a file, with its description, from which the reference is made.
#[derive(Debug, Clone, Copy)]
pub struct Keyword {
    pub name: &'static str,
    /// What values it takes.
    pub takes: &'static str,
    pub doc: &'static str,
}

impl Keyword {
    /// A key with its description.
    pub const fn new(name: &'static str, takes: &'static str, doc: &'static str) -> Self {
        Self { name, takes, doc }
    }

    /// The names of these keys.
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

/// The keys that every resource has; no attribute has the name of one.
pub const ON_EVERY_RESOURCE: &[Keyword; 9] = &[
    Keyword::new("title", "a string", "The resource's title, if it is not the block's name."),
    Keyword::new(
        "require",
        "references",
        "Resources that come before this one; if one of them fails, this one is skipped.",
    ),
    Keyword::new("before", "references", "Resources that come after this one."),
    Keyword::new(
        "notify",
        "references",
        "Resources that come after this one and are refreshed when it changes; `service[x]:reload` asks for a reload.",
    ),
    Keyword::new(
        "subscribe",
        "references",
        "Resources that come before this one and refresh it when they change.",
    ),
    Keyword::new(
        "when",
        "true or false",
        "Whether the resource is in the catalog; in a loop, evaluated for each element.",
    ),
    Keyword::new(
        "for_each",
        "a list or a map",
        "One resource for each element: `each.value` with `each.index` or `each.key`. Null means none.",
    ),
    Keyword::new(
        "*",
        "a map",
        "Attributes from a map: they override `[defaults.TYPE]`, and attributes of the block override them. No metaparameters.",
    ),
    Keyword::new("tag", "a string or a list", "Words for people and programs that read the catalog."),
];

/// The names of the keys that every resource has.
pub const METAPARAMETERS: &[&str] = &Keyword::names(ON_EVERY_RESOURCE);

/// The fields of `node` in expressions.
pub const NODE: &[&str] = &["certname", "customer", "environment", "labels", "reseller", "role", "stage"];

/// Words reserved for later, and the names that expressions can use.
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
