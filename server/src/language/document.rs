//! Parses TOML text into a tree in which everything has its place: values, keys and headers, in the order written.
//!
//! It knows nothing about manifests, data or the inventory, which read the tree. It recovers from syntax errors, so one
//! reading reports them all.

use std::collections::HashSet;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Kind, MAX_DEPTH, Map, Value};
use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

use crate::diagnostic::{Code, Diagnostic};

mod conflict;
mod limits;
mod line_index;
mod traps;

#[cfg(test)]
mod tests;

use super::problems::Problems;
pub use conflict::conflict;
use line_index::LineIndex;
pub use traps::unknown_key;

/// One parsed TOML file.
#[derive(Debug, Clone)]
pub struct Document {
    /// Path from the repository's root.
    pub file: Arc<str>,
    /// The text, needed to place carets under parts of a value.
    pub text: Arc<str>,
    /// The entries of the top level, in the order written.
    pub root: Table,
    /// Whether `root` has everything that is in the text. If not, it is unknown what a part of the text is.
    pub is_whole: bool,
}

/// A table: its entries in the order written.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Its entries, in the order in which their keys first occur.
    pub entries: Vec<DocumentEntry>,
}

/// A key and its item.
#[derive(Debug, Clone)]
pub struct DocumentEntry {
    pub key: Arc<str>,
    /// Where the key is.
    pub key_origin: Arc<Origin>,
    /// The value or table of the key.
    pub item: Item,
}

/// The value or table of a key, or an element of a list.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its place: the span of a value, the header of a table, or the key of a table that exists only through dotted keys.
    pub origin: Arc<Origin>,
    pub content: ItemContent,
}

/// The content of an item.
#[derive(Debug, Clone)]
pub enum ItemContent {
    /// A string, a number or a boolean.
    Scalar(Kind),
    /// A list, or the tables of `[[name]]`.
    List(Vec<Item>),
    Table(Table, TableForm),
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableForm {
    /// Under its own `[header]`.
    Header,
    Inline,
    /// By dotted keys, or as a part of the headers of other tables.
    Dotted,
}

impl Document {
    /// Parses a file. If there are errors, the document still contains everything that could be read.
    ///
    /// `level` is the level of the hierarchy that all its values come from; `None` for a file that is not data.
    pub fn parse(file: &Arc<str>, bytes: &[u8], level: Option<&Arc<str>>) -> (Self, Vec<Diagnostic>) {
        let text: Arc<str> = match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(error) => {
                let text = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let origin = LineIndex::new(file, &text, level).origin(text.len()..text.len());
                let problem =
                    Diagnostic::error(Code::Syntax, "the file is not UTF-8", Origin::clone(&origin))
                        .label("the first invalid byte");
                return (Self::unread(file, "".into()), vec![problem]);
            }
        };
        let places = LineIndex::new(file, &text, level);
        if let Some(problem) = limits::beyond(&text, &places) {
            return (Self::unread(file, text), vec![problem]);
        }
        let (table, errors) = read(&text);
        let undecided =
            if errors.is_empty() { conflict(&text) } else { conflict(&text).or(conflict::marker(&text)) };
        if let Some(span) = undecided {
            let problem = unresolved(Origin::clone(&places.origin(span)));
            return (Self::unread(file, text), vec![problem]);
        }
        let mut problems = Problems::default();
        let known = |error: &&toml::de::Error| places.syntax_error(error).help.is_some();
        let lines = errors.chunk_by(|a, b| places.line(a) == places.line(b));
        let told = lines.filter_map(|line| line.iter().find(known).or(line.first())).collect();
        for error in places.without_repetitions(told) {
            problems.note(|| places.syntax_error(error));
        }
        let root = DocumentWalk { places: &places, problems: &mut problems }.table(table.get_ref(), 0);
        let problems = one_a_line(problems.into_list());
        (Self { file: file.clone(), text, root, is_whole: errors.is_empty() }, problems)
    }

    /// A document of which nothing could be read.
    fn unread(file: &Arc<str>, text: Arc<str>) -> Self {
        Self { file: file.clone(), text, root: Table::default(), is_whole: false }
    }

    /// The first byte of the file, as the place of problems with the whole file.
    pub fn start(&self) -> Origin {
        Origin::locate(&self.file, &self.text, 0..0)
    }
}

/// Above this size in bytes only the first error is reported: recovering at each line of a large file takes hundreds of
/// times its memory.
const MAX_RECOVERED: usize = 256 * 1024;

fn read(text: &str) -> (Spanned<DeTable<'_>>, Vec<toml::de::Error>) {
    if text.len() <= MAX_RECOVERED {
        return DeTable::parse_recoverable(text);
    }
    match DeTable::parse(text) {
        Ok(table) => (table, Vec::new()),
        Err(error) => (Spanned::new(0..0, DeTable::new()), vec![error]),
    }
}

/// The error for an unresolved merge conflict.
pub fn unresolved(origin: Origin) -> Diagnostic {
    Diagnostic::error(Code::Syntax, "unresolved merge conflict", origin)
        .label("one side begins here")
        .help("keep one of the two sides, and remove the lines `<<<<<<<`, `=======` and `>>>>>>>`")
}

/// Keeps, of several errors in a line, the first one that has a help text: the others follow from it.
fn one_a_line(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let line = |problem: &Diagnostic| problem.origin.as_ref().map(|origin| origin.line);
    let is_syntax = |problem: &Diagnostic| problem.code == Code::Syntax;
    let broken: std::collections::BTreeSet<_> =
        problems.iter().filter(|problem| is_syntax(problem)).map(line).collect();
    let follows = |problem: &Diagnostic| problem.code != Code::More && broken.contains(&line(problem));
    problems.retain(|problem| is_syntax(problem) || !follows(problem));
    problems.sort_by_key(|problem| (line(problem), problem.help.is_none()));
    problems.dedup_by(|a, b| {
        (is_syntax(a) && is_syntax(b) && line(a) == line(b))
            || (a.origin == b.origin && a.message == b.message)
    });
    problems
}

impl Table {
    /// The entry of a key.
    pub fn get(&self, key: &str) -> Option<&DocumentEntry> {
        self.entries.iter().find(|entry| &*entry.key == key)
    }

    /// The table as a plain map of values.
    pub fn to_map(&self) -> Map {
        self.entries.iter().map(|entry| (entry.key.clone(), entry.item.to_value())).collect()
    }
}

impl Item {
    /// The item as a value; each part of it keeps its place.
    pub fn to_value(&self) -> Value {
        let value: Value = match &self.content {
            ItemContent::Scalar(kind) => kind.clone().into(),
            ItemContent::List(items) => items.iter().map(Self::to_value).collect::<Vec<_>>().into(),
            ItemContent::Table(table, _) => table.to_map().into(),
        };
        value.at(self.origin.clone())
    }

    /// The table, if it is one.
    pub fn as_table(&self) -> Option<&Table> {
        if let ItemContent::Table(table, _) = &self.content { Some(table) } else { None }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&[Self]> {
        if let ItemContent::List(list) = &self.content { Some(list) } else { None }
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&Arc<str>> {
        if let ItemContent::Scalar(Kind::String(text)) = &self.content { Some(text) } else { None }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let ItemContent::Scalar(Kind::Bool(b)) = self.content { Some(b) } else { None }
    }

    /// Whether it contains something that could not be read as written, such as a number beyond 64 bits; `unread` has
    /// the places. Other problems with such a value would be about the value that replaced it.
    pub fn holds_unread(&self, unread: &UnreadPlaces) -> bool {
        !unread.0.is_empty()
            && (unread.0.contains(&*self.origin)
                || match &self.content {
                    ItemContent::Scalar(_) => false,
                    ItemContent::List(items) => items.iter().any(|item| item.holds_unread(unread)),
                    ItemContent::Table(table, _) => {
                        table.entries.iter().any(|entry| entry.item.holds_unread(unread))
                    }
                })
    }

    /// The noun for its kind, for error messages.
    pub fn noun(&self) -> &'static str {
        match &self.content {
            ItemContent::Scalar(Kind::String(_)) => "a string",
            ItemContent::Scalar(Kind::Int(_)) => "an integer",
            ItemContent::Scalar(Kind::Float(_)) => "a float",
            ItemContent::Scalar(_) => "a boolean",
            ItemContent::List(_) => "a list",
            ItemContent::Table(..) => "a table",
        }
    }

    /// The error for an item of another kind than `wanted`.
    pub fn not(&self, name: &str, wanted: &str) -> Diagnostic {
        let message = format!("`{name}` is {}, not {wanted}", self.noun());
        Diagnostic::error(Code::WrongType, message, Origin::clone(&self.origin))
            .label(format!("not {wanted}"))
    }
}

/// The places of values that a document could not read as written.
#[derive(Debug, Default)]
pub struct UnreadPlaces(HashSet<Origin>);

impl UnreadPlaces {
    /// The places of the problems of a document.
    pub fn of(problems: &[Diagnostic]) -> Self {
        Self(problems.iter().filter_map(|problem| problem.origin.clone()).collect())
    }
}

/// Converts the parser's tree to ours.
struct DocumentWalk<'a> {
    places: &'a LineIndex<'a>,
    problems: &'a mut Problems,
}

impl DocumentWalk<'_> {
    fn table(&mut self, table: &DeTable<'_>, depth: usize) -> Table {
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            DocumentEntry {
                key: (&**name).into(),
                key_origin: self.places.origin(key.span()),
                item: self.item(value, &key.span(), depth),
            }
        };
        Table { entries: table.iter().map(entry).collect() }
    }

    fn item(&mut self, value: &Spanned<DeValue<'_>>, key: &std::ops::Range<usize>, depth: usize) -> Item {
        let origin = self.places.origin(value.span());
        if depth >= MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            self.problems.note(|| Diagnostic::error(Code::Limit, message, Origin::clone(&origin)));
            return Item { origin, content: ItemContent::List(Vec::new()) };
        }
        let content = match value.get_ref() {
            DeValue::String(text) => ItemContent::Scalar(Kind::String((&**text).into())),
            DeValue::Boolean(b) => ItemContent::Scalar(Kind::Bool(*b)),
            DeValue::Integer(number) => ItemContent::Scalar(self.integer(number, &origin)),
            DeValue::Float(number) => ItemContent::Scalar(self.float(number, &origin)),
            DeValue::Datetime(date) => {
                self.problems.note(|| {
                    Diagnostic::error(Code::WrongType, "no parameter takes a date", Origin::clone(&origin))
                        .label("a date")
                        .help("write it as a string, in quotes")
                });
                ItemContent::Scalar(Kind::String(date.to_string().into()))
            }
            DeValue::Array(list) => {
                ItemContent::List(list.iter().map(|item| self.item(item, &value.span(), depth + 1)).collect())
            }
            DeValue::Table(table) => {
                let form = self.places.form(&value.span(), key);
                ItemContent::Table(self.table(table, depth + 1), form)
            }
        };
        Item { origin, content }
    }

    fn integer(&mut self, number: &DeInteger<'_>, origin: &Arc<Origin>) -> Kind {
        match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(integer) => Kind::Int(integer),
            Err(_) => {
                let message = "this number does not fit in 64 bits";
                self.problems.note(|| Diagnostic::error(Code::BadValue, message, Origin::clone(origin)));
                Kind::Int(0)
            }
        }
    }

    fn float(&mut self, number: &DeFloat<'_>, origin: &Arc<Origin>) -> Kind {
        match number.as_str().parse::<f64>() {
            Ok(float) if float.is_finite() => Kind::Float(float),
            _ => {
                let message = "this is not a finite number";
                self.problems.note(|| Diagnostic::error(Code::BadValue, message, Origin::clone(origin)));
                Kind::Float(0.0)
            }
        }
    }
}
