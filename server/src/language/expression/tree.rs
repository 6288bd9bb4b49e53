//! The tree of an expression, which the parser makes and the evaluator walks.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::value::Value;

use super::function::Builtin;
use super::operator::Binary;
use crate::language::word::{Chapter, Word};

/// A part of an expression with its bytes.
#[derive(Debug)]
pub(super) struct AstNode {
    pub(super) span: Range<usize>,
    /// The number of levels, this node included; bounded, so that no walk can overflow the stack.
    pub(super) depth: usize,
    pub(super) ast: Ast,
}

/// The kinds of parts.
#[derive(Debug)]
pub(super) enum Ast {
    Literal(Value),
    Name(Name),
    List(Vec<Element>),
    Map(Vec<MapEntry>),
    Select(Select),
    Index {
        operand: Box<AstNode>,
        index: Box<AstNode>,
        mode: Strictness,
    },
    Has(Select),
    Not(Box<AstNode>),
    Negate(Box<AstNode>),
    Binary(Binary, Box<[AstNode; 2]>),
    /// `&&` and `||`, with errors absorbed: the result is the operand that decides.
    Logic(Logic, Box<[AstNode; 2]>),
    Choose(Box<[AstNode; 3]>),
    Call(Call),
    Macro(Box<Macro>),
}

#[derive(Debug)]
pub(super) struct Name {
    pub(super) name: Arc<str>,
    /// Its index among the variables of the macros around it; `None` for a name in the scope.
    pub(super) local: Option<usize>,
    /// The path for [`Scope::read`](super::super::Scope::read), if this node is the end of one.
    pub(super) path: Option<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Select {
    pub(super) operand: Box<AstNode>,
    pub(super) field: Arc<str>,
    pub(super) field_span: Range<usize>,
    pub(super) mode: Strictness,
    pub(super) path: Option<Arc<str>>,
}

/// Whether a missing value is an error, or an optional without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    Strict,
    Optional,
}

#[derive(Debug)]
pub(super) struct Element {
    pub(super) node: AstNode,
    pub(super) mode: Strictness,
}

#[derive(Debug)]
pub(super) struct MapEntry {
    pub(super) key: AstNode,
    pub(super) value: AstNode,
    pub(super) mode: Strictness,
}

const fn word(
    name: &'static str,
    usage: &'static str,
    doc: &'static str,
    example: &'static str,
    gives: &'static str,
) -> Word {
    Word { name, usage, doc, example, gives }
}

/// The operators that have a sign of their own.
pub(super) const SIGNS: &[Word] = &[
    word(
        "+",
        "a + b",
        "The sum of two numbers, or two strings or lists joined.",
        "'web' + string(1)",
        "\"web1\"",
    ),
    word("-", "a - b", "The difference; `-a` is the negated number.", "5 - 3", "2"),
    word("*", "a * b", "The product.", "4 * 2", "8"),
    word(
        "/",
        "a / b",
        "The quotient; for two integers, it is an integer without the fraction.",
        "7 / 2",
        "3",
    ),
    word("%", "a % b", "The remainder of a division of integers.", "7 % 2", "1"),
    word(
        "==",
        "a == b",
        "Whether two values are equal; `!=` asks whether they differ.",
        "'a' == 'b'",
        "false",
    ),
    word("<", "a < b", "Compares numbers, strings or booleans; also `<=`, `>` and `>=`.", "1 < 2", "true"),
    word("in", "a in b", "Whether a list has an element, or a map a key.", "'a' in ['a', 'b']", "true"),
    word("&&", "a && b", "Whether both are true.", "true && false", "false"),
    word("||", "a || b", "Whether at least one is true.", "true || false", "true"),
    word("!", "!a", "Whether it is false.", "!true", "false"),
    word(
        "?:",
        "a ? b : c",
        "One value or another, depending on a boolean.",
        "size('web1') > 3 ? 'long' : 'short'",
        "\"long\"",
    ),
    word(
        "has",
        "has(a.b)",
        "Whether a map has a key; the map itself must exist.",
        "has({'a': 1}.b)",
        "false",
    ),
    word(".?", "a.?b", "An entry that may be missing, as an optional.", "{'a': 1}.?b.orValue(0)", "0"),
    word(
        "[]",
        "a[b]",
        "An element by its index, or an entry by its key; `[?b]` returns an optional.",
        "['a', 'b'][1]",
        "\"b\"",
    ),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logic {
    And,
    Or,
}

impl Logic {
    /// The operand that decides alone.
    pub(super) fn deciding(self) -> bool {
        self == Self::Or
    }
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: Arc<str>,
    pub(super) name_span: Range<usize>,
    /// Whether the first argument is written before the dot.
    pub(super) form: CallForm,
    pub(super) arguments: Vec<AstNode>,
    /// `None` for a function of the scope.
    pub(super) builtin: Option<&'static Builtin>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallForm {
    Global,
    Member,
}

/// A macro over a range, with its variables and its filter: `range.map(v, body)`.
#[derive(Debug)]
pub(super) struct Macro {
    pub(super) sort: MacroKind,
    pub(super) range: AstNode,
    pub(super) variables: Vec<Arc<str>>,
    pub(super) filter: Option<AstNode>,
    pub(super) body: AstNode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MacroKind {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
    TransformList,
    TransformMap,
    TransformMapEntry,
    SortBy,
    OptMap,
    OptFlatMap,
}

/// The form of a macro: the number of its variables, and of the arguments after them.
struct MacroShape {
    sort: MacroKind,
    variables: usize,
    rest: usize,
    word: Word,
}

const fn shape(name: &'static str, sort: MacroKind, variables: usize, rest: usize) -> MacroShape {
    MacroShape { sort, variables, rest, word: word(name, "", "", "", "") }
}

impl MacroShape {
    const fn says(self, usage: &'static str, doc: &'static str) -> Self {
        Self { word: Word { usage, doc, ..self.word }, ..self }
    }

    const fn example(self, example: &'static str, gives: &'static str) -> Self {
        Self { word: Word { example, gives, ..self.word }, ..self }
    }
}

const SHAPES: &[MacroShape] = &[
    shape("all", MacroKind::All, 1, 1)
        .says(
            "list.all(x, condition)",
            "Whether a condition is true for every element, or for every key of a map.",
        )
        .example("[1, 2].all(n, n > 0)", "true"),
    shape("all", MacroKind::All, 2, 1)
        .says(
            "list.all(i, x, condition)",
            "The same with the index and the element, or the key and the value.",
        )
        .example("{'a': 1}.all(k, v, v > 0)", "true"),
    shape("exists", MacroKind::Exists, 1, 1)
        .says("list.exists(x, condition)", "Whether a condition is true for at least one element.")
        .example("[1, 2].exists(n, n > 1)", "true"),
    shape("exists", MacroKind::Exists, 2, 1)
        .says(
            "list.exists(i, x, condition)",
            "The same with the index and the element, or the key and the value.",
        )
        .example("{'a': 1}.exists(k, v, v > 1)", "false"),
    shape("exists_one", MacroKind::ExistsOne, 1, 1)
        .says("list.exists_one(x, condition)", "Whether a condition is true for exactly one element.")
        .example("[1, 2].exists_one(n, n > 1)", "true"),
    shape("exists_one", MacroKind::ExistsOne, 2, 1)
        .says(
            "list.exists_one(i, x, condition)",
            "The same with the index and the element, or the key and the value.",
        )
        .example("[5, 5].exists_one(i, n, n == 5)", "false"),
    shape("existsOne", MacroKind::ExistsOne, 1, 1)
        .says("list.existsOne(x, condition)", "The same as `exists_one`.")
        .example("[1, 2].existsOne(n, n > 1)", "true"),
    shape("existsOne", MacroKind::ExistsOne, 2, 1)
        .says("list.existsOne(i, x, condition)", "The same as `exists_one`.")
        .example("[5, 6].existsOne(i, n, n == 5)", "true"),
    shape("map", MacroKind::Map, 1, 1)
        .says("list.map(x, value)", "A list with a new value for each element, or for each key of a map.")
        .example("['a', 'b'].map(n, n + '.example')", "[\"a.example\",\"b.example\"]"),
    shape("map", MacroKind::Map, 1, 2)
        .says("list.map(x, condition, value)", "The same, only for elements that meet a condition.")
        .example("[1, 2, 3].map(n, n > 1, n * 10)", "[20,30]"),
    shape("filter", MacroKind::Filter, 1, 1)
        .says("list.filter(x, condition)", "The elements, or the keys of a map, that meet a condition.")
        .example("{'search': true, 'reviews': false}.filter(k, k == 'search')", "[\"search\"]"),
    shape("transformList", MacroKind::TransformList, 2, 1)
        .says(
            "map.transformList(k, v, value)",
            "A list with a new value for each key and value, or index and element.",
        )
        .example("{'a': 1}.transformList(k, v, k + '=' + string(v))", "[\"a=1\"]"),
    shape("transformList", MacroKind::TransformList, 2, 2)
        .says("map.transformList(k, v, condition, value)", "The same, only for those that meet a condition.")
        .example("['a', 'b'].transformList(i, x, i > 0, x)", "[\"b\"]"),
    shape("transformMap", MacroKind::TransformMap, 2, 1)
        .says("map.transformMap(k, v, value)", "A map with the same keys and new values.")
        .example("{'a': 1}.transformMap(k, v, v * 10)", "{\"a\":10}"),
    shape("transformMap", MacroKind::TransformMap, 2, 2)
        .says("map.transformMap(k, v, condition, value)", "The same, only for entries that meet a condition.")
        .example("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v)", "{\"b\":2}"),
    shape("transformMapEntry", MacroKind::TransformMapEntry, 2, 1)
        .says(
            "map.transformMapEntry(k, v, entry)",
            "A map of new entries, each written as a map with one entry.",
        )
        .example("['a', 'b'].transformMapEntry(i, x, {x: i})", "{\"a\":0,\"b\":1}"),
    shape("transformMapEntry", MacroKind::TransformMapEntry, 2, 2)
        .says(
            "map.transformMapEntry(k, v, condition, entry)",
            "The same, only for those that meet a condition.",
        )
        .example("['a', 'b'].transformMapEntry(i, x, i > 0, {x: i})", "{\"b\":1}"),
    shape("sortBy", MacroKind::SortBy, 1, 1)
        .says("list.sortBy(x, key)", "A list, sorted by a key that is computed for each element.")
        .example("[{'n': 2}, {'n': 1}].sortBy(x, x.n)", "[{\"n\":1},{\"n\":2}]"),
    shape("optMap", MacroKind::OptMap, 1, 1)
        .says("a.?b.optMap(x, value)", "An optional with a new value, if there is a value.")
        .example("{'a': 1}.?a.optMap(x, x + 1).orValue(0)", "2"),
    shape("optFlatMap", MacroKind::OptFlatMap, 1, 1)
        .says("a.?b.optFlatMap(x, optional)", "The same, but the new value is itself an optional.")
        .example("{'a': {'b': 1}}.?a.optFlatMap(x, x.?b).orValue(0)", "1"),
];

impl Macro {
    /// Whether a member call with this name is a macro.
    pub(super) fn is_name(name: &str) -> bool {
        SHAPES.iter().any(|shape| shape.word.name == name)
    }

    /// The names of all macros.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        SHAPES.iter().map(|shape| shape.word.name)
    }

    /// The documentation of the macros.
    pub(super) fn chapter() -> Chapter {
        Chapter::new("On every element", SHAPES.iter().map(|shape| shape.word))
    }

    /// The macro of this name that takes this many arguments, and how many of them are variables.
    pub(super) fn shape(name: &str, arguments: usize) -> Option<(MacroKind, usize)> {
        let fits = |shape: &&MacroShape| shape.word.name == name && shape.variables + shape.rest == arguments;
        SHAPES.iter().find(fits).map(|shape| (shape.sort, shape.variables))
    }
}
