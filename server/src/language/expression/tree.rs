//! The tree of an expression: what the parser makes and the evaluator walks.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::value::Value;

use super::function::Builtin;

/// A part of an expression with its bytes.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    /// Levels below and with it; bounded, so that no walk can run out of stack.
    pub(super) depth: usize,
    pub(super) ast: Ast,
}

/// What a part is.
#[derive(Debug)]
pub(super) enum Ast {
    Literal(Value),
    Name(Name),
    List(Vec<Element>),
    Map(Vec<Entry>),
    Select(Select),
    Index {
        operand: Box<Node>,
        index: Box<Node>,
        mode: Mode,
    },
    /// `has(a.b)`.
    Has(Select),
    Not(Box<Node>),
    Negate(Box<Node>),
    Binary(Binary, Box<[Node; 2]>),
    /// `&&` and `||`, with errors absorbed: the value is the one that decides.
    Logic(Logic, Box<[Node; 2]>),
    Choose(Box<[Node; 3]>),
    Call(Call),
    Macro(Box<Macro>),
}

#[derive(Debug)]
pub(super) struct Name {
    pub(super) name: Arc<str>,
    /// Its place among the variables of the macros around it; none where it is a name of the scope.
    pub(super) local: Option<usize>,
    /// What [`Scope::read`](super::super::Scope::read) is told, where this is all of the path.
    pub(super) path: Option<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Select {
    pub(super) operand: Box<Node>,
    pub(super) field: Arc<str>,
    pub(super) field_span: Range<usize>,
    pub(super) mode: Mode,
    /// As in [`Name`].
    pub(super) path: Option<Arc<str>>,
}

/// Whether what is missing is an error or no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Strict,
    Optional,
}

#[derive(Debug)]
pub(super) struct Element {
    pub(super) node: Node,
    pub(super) mode: Mode,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Node,
    pub(super) value: Node,
    pub(super) mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::language) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

impl Binary {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
        }
    }
}

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
    /// Whether the first argument stands before the dot.
    pub(super) form: Form,
    pub(super) arguments: Vec<Node>,
    /// None where it is a function of the scope.
    pub(super) builtin: Option<&'static Builtin>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Global,
    Member,
}

/// A macro over a range: `range.map(v, body)`, with its variables and its filter.
#[derive(Debug)]
pub(super) struct Macro {
    pub(super) sort: MacroSort,
    pub(super) range: Node,
    pub(super) variables: Vec<Arc<str>>,
    pub(super) filter: Option<Node>,
    pub(super) body: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MacroSort {
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

/// The shape of a macro: how many variables, and how many arguments after them.
struct Shape {
    name: &'static str,
    sort: MacroSort,
    variables: usize,
    rest: usize,
}

const fn shape(name: &'static str, sort: MacroSort, variables: usize, rest: usize) -> Shape {
    Shape { name, sort, variables, rest }
}

const SHAPES: &[Shape] = &[
    shape("all", MacroSort::All, 1, 1),
    shape("all", MacroSort::All, 2, 1),
    shape("exists", MacroSort::Exists, 1, 1),
    shape("exists", MacroSort::Exists, 2, 1),
    shape("exists_one", MacroSort::ExistsOne, 1, 1),
    shape("exists_one", MacroSort::ExistsOne, 2, 1),
    shape("existsOne", MacroSort::ExistsOne, 1, 1),
    shape("existsOne", MacroSort::ExistsOne, 2, 1),
    shape("map", MacroSort::Map, 1, 1),
    shape("map", MacroSort::Map, 1, 2),
    shape("filter", MacroSort::Filter, 1, 1),
    shape("transformList", MacroSort::TransformList, 2, 1),
    shape("transformList", MacroSort::TransformList, 2, 2),
    shape("transformMap", MacroSort::TransformMap, 2, 1),
    shape("transformMap", MacroSort::TransformMap, 2, 2),
    shape("transformMapEntry", MacroSort::TransformMapEntry, 2, 1),
    shape("transformMapEntry", MacroSort::TransformMapEntry, 2, 2),
    shape("sortBy", MacroSort::SortBy, 1, 1),
    shape("optMap", MacroSort::OptMap, 1, 1),
    shape("optFlatMap", MacroSort::OptFlatMap, 1, 1),
];

impl Macro {
    /// Whether a member call of this name is a macro.
    pub(super) fn is_name(name: &str) -> bool {
        SHAPES.iter().any(|shape| shape.name == name)
    }

    /// The names of all.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        SHAPES.iter().map(|shape| shape.name)
    }

    /// What a macro of this name with so many arguments is, and how many of them are variables.
    pub(super) fn shape(name: &str, arguments: usize) -> Option<(MacroSort, usize)> {
        let fits = |shape: &&Shape| shape.name == name && shape.variables + shape.rest == arguments;
        SHAPES.iter().find(fits).map(|shape| (shape.sort, shape.variables))
    }
}
