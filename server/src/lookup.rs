//! Lookup: from a key to its value, with the place that each part came from.
//!
//! [`DataTree`] is what all nodes of a snapshot share: each file is parsed once, when the first node needs it. A [`Lookup`]
//! is one node's view for one compile: it opens only the files on that node's own path, through a [`SnapshotReader`] that
//! remembers them. It uses no clock, network or database.

use std::cell::RefCell;
use std::sync::Arc;

use holdfast_catalog::facts::Facts;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

use crate::diagnostic::{Code, Diagnostic};
use crate::inventory::Node;
use crate::language::SharedBudget;
use crate::language::fault::Fault;
use crate::language::merge::Merge;
use crate::repo::SnapshotReader;

mod data;
pub mod fate;
mod file;
pub mod hierarchy;
mod keys;
mod merge;
mod part;
mod policy;
mod scope;
mod source;
mod steps;
#[cfg(test)]
mod tests;

pub use data::{DataTree, Declaration};
pub use keys::{DeclaredKey, FILE as KEYS_FILE, KEY_WORDS};
pub use policy::{InheritedPolicies, POLICY_WORDS, Policies, PolicySubject};
pub use steps::{LevelAnswer, NameUse, Step};

use scope::DataScope;
use source::{DataSource, DataSources};

/// The profiles of a node. With a class: the profiles whose includes reach it, or the class itself if it is a profile.
/// Without a class: all profiles.
///
/// The names are full names of classes, such as `profile::web::tls`. The result may grow only as long as nothing has
/// been looked up.
pub type Profiles<'a> = dyn Fn(Option<&str>) -> Vec<Arc<str>> + 'a;

/// The data as one node sees it, for one compile.
pub struct Lookup<'a> {
    data: &'a DataTree,
    reader: &'a SnapshotReader,
    node: &'a Node,
    facts: &'a Facts,
    node_value: Value,
    profiles: &'a Profiles<'a>,
    sources: DataSources,
    /// The keys whose values are being computed, and the place that asked for each, for naming a recursion.
    asking: RefCell<Vec<PendingKey>>,
    /// The work that the expressions of this compile may do in total.
    allowance: SharedBudget,
}

/// A key whose value is being computed.
struct PendingKey {
    key: Arc<str>,
    /// The string whose evaluation needs it.
    at: Option<Arc<Origin>>,
}

/// Why a key has no value.
#[derive(Debug, Clone)]
pub enum LookupError {
    /// Nothing declares the key.
    Undeclared {
        /// What is wrong, in one line.
        message: String,
        help: Option<String>,
    },
    /// The data itself has errors; each has its place.
    Data(Vec<Diagnostic>),
}

impl LookupError {
    /// Turns the error into diagnostics; `asked` is the place that asked for the key.
    pub fn diagnostics(self, asked: Option<&Origin>) -> Vec<Diagnostic> {
        match self {
            Self::Data(problems) => problems,
            Self::Undeclared { message, help } => {
                let mut problem = Diagnostic::error(Code::UnknownKey, message, asked.cloned());
                problem.help = help;
                vec![problem]
            }
        }
    }
}

/// For scopes: the error of `lookup('key')` in an expression.
impl From<LookupError> for Fault {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Undeclared { message, help } => {
                Self { help, ..Self::of_scope(Code::UnknownKey, message) }
            }
            LookupError::Data(problems) => match problems.into_iter().next() {
                Some(problem) => Self::caused_by(problem),
                None => Self::of_scope(Code::NoData, "the data has errors"),
            },
        }
    }
}

impl<'a> Lookup<'a> {
    /// Makes the view of one node. Opens the node's files except those of the profile level, which are opened when a
    /// class that they may be about is looked up.
    ///
    /// # Errors
    /// Everything that is wrong with those files or with their paths.
    pub fn new(
        data: &'a DataTree,
        reader: &'a SnapshotReader,
        node: &'a Node,
        facts: &'a Facts,
        environment: &str,
        profiles: &'a Profiles<'a>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let sources = DataSources::open(data, reader, (node, facts))?;
        let node_value = node.to_value(environment);
        let (asking, allowance) = Default::default();
        Ok(Self { data, reader, node, facts, node_value, profiles, sources, asking, allowance })
    }

    /// Sets the work that the expressions of this compile may do in total.
    pub(crate) fn within(self, allowance: SharedBudget) -> Self {
        Self { allowance, ..self }
    }

    /// The work that the expressions of this compile may do in total.
    pub(crate) fn allowance(&self) -> SharedBudget {
        self.allowance.clone()
    }

    /// The value of a key, `CLASS::PARAMETER` or a key of `keys.toml`, merged and of the declared type; each leaf has
    /// the place that gave it. `None` if no level has it. Null if the data has null: a class's parameter then gets its
    /// default.
    ///
    /// # Errors
    /// The key is not declared, or the data is wrong: a value has the wrong type, keys depend on each other, or two
    /// profiles contradict each other.
    pub fn get(&self, key: &str) -> Result<Option<Value>, LookupError> {
        self.get_merged(key, None)
    }

    /// The result of `lookup(key)` in an expression: like [`Lookup::get`], but null for a key that is declared, may be
    /// null, and has no value.
    ///
    /// # Errors
    /// As [`Lookup::get`].
    pub fn get_or_null(&self, key: &str) -> Result<Option<Value>, LookupError> {
        if let Some(found) = self.get(key)? {
            return Ok(Some(found));
        }
        let is_optional = self.data.key(key).is_some_and(|key| key.of.takes_null());
        Ok(is_optional.then_some(Value::NULL))
    }

    /// Like [`Lookup::get`], but merged with another strategy than the declared one.
    ///
    /// # Errors
    /// As [`Lookup::get`].
    pub fn get_merged(&self, key: &str, merge: Option<&Merge>) -> Result<Option<Value>, LookupError> {
        let declaration = self.data.declaration(key)?;
        self.enter(key).map_err(|problem| LookupError::Data(vec![problem]))?;
        let found = self.find(key, &declaration, merge.unwrap_or(declaration.merge));
        self.asking.borrow_mut().pop();
        found.map_err(LookupError::Data)
    }

    /// The policies of the node's levels on enforcing and auditing.
    ///
    /// # Errors
    /// What is wrong with the files of the profile level, which are opened for it.
    pub fn policies(&self) -> Result<Policies, Vec<Diagnostic>> {
        let mut policies = Policies::default();
        let mut last: Option<DataSource> = None;
        for source in self.sources_of(None)? {
            let Some(file) = source.file().filter(|file| !file.policies.is_empty()) else { continue };
            policies.add(&file.policies, last.is_some_and(|last| source.is_peer_of(&last)));
            last = Some(source);
        }
        Ok(policies)
    }

    /// Records that a key is being computed.
    ///
    /// # Errors
    /// Returns an error if it is being computed already, since it then depends on itself.
    fn enter(&self, key: &str) -> Result<(), Diagnostic> {
        let mut asking = self.asking.borrow_mut();
        if let Some(first) = asking.iter().position(|asking| &*asking.key == key) {
            return Err(recursion(key, &asking[first..]));
        }
        asking.push(PendingKey { key: key.into(), at: None });
        Ok(())
    }

    fn find(
        &self,
        key: &str,
        declaration: &Declaration<'_>,
        merge: &Merge,
    ) -> Result<Option<Value>, Vec<Diagnostic>> {
        let values = self.collect(key, declaration.class, merge)?;
        let merged = merge::merge(merge, &values).map_err(|problem| {
            let misfits = declaration.unmergeable(merge, &values, key, self);
            if misfits.is_empty() { vec![problem] } else { misfits }
        })?;
        let Some(value) = merged else { return Ok(None) };
        // Parts that have no matching type alone may form a whole in which more is secret.
        let value = declaration.of.sealed(&value, self.data.modules());
        declaration.check(&value, key, self)?;
        Ok(Some(value))
    }

    /// The values of a key, most specific first. With the strategy `first`, only as many as are needed to decide.
    fn collect(&self, key: &str, class: Option<&str>, merge: &Merge) -> Result<Vec<Value>, Vec<Diagnostic>> {
        let mut found: Vec<(DataSource, Value)> = Vec::new();
        for source in self.sources_of(class)? {
            let decided = |(first, _): &(DataSource, Value)| !source.is_peer_of(first);
            if *merge == Merge::First && found.first().is_some_and(decided) {
                break;
            }
            if let Some(value) = self.evaluate(&source, key)? {
                found.push((source, value));
            }
        }
        merge::check_peers(merge, key, &found)?;
        Ok(found.into_iter().map(|(_, value)| value).collect())
    }

    /// Whether the values of a key can be computed and do not contradict each other, whatever their merge yields.
    pub fn is_decided(&self, key: &str, merge: &Merge) -> bool {
        let Ok(declaration) = self.data.declaration(key) else { return false };
        if self.enter(key).is_err() {
            return false;
        }
        let values = self.collect(key, declaration.class, merge);
        self.asking.borrow_mut().pop();
        values.is_ok()
    }

    /// The files that may have keys of a class, or top-level keys if `class` is `None`; most specific first.
    fn sources_of(&self, class: Option<&str>) -> Result<Vec<DataSource>, Vec<Diagnostic>> {
        self.sources.with_profiles(self.data, self.reader, (self.node, self.facts), &(self.profiles)(class))
    }

    /// The value that one file has for a key, computed on its own.
    fn evaluate_alone(&self, source: &DataSource, key: &str) -> Result<Option<Value>, Vec<Diagnostic>> {
        self.enter(key).map_err(|problem| vec![problem])?;
        let value = self.evaluate(source, key);
        self.asking.borrow_mut().pop();
        value
    }

    /// The value that one file has for a key.
    fn evaluate(&self, source: &DataSource, key: &str) -> Result<Option<Value>, Vec<Diagnostic>> {
        let Some((file, formula)) = source.file().and_then(|file| Some((file, file.values.get(key)?))) else {
            return Ok(None);
        };
        if let Some(asking) = self.asking.borrow_mut().last_mut() {
            asking.at = file.origins.get(key).cloned();
        }
        let scope = DataScope { lookup: self, writer: source.writer };
        // What the declaration marks as secret is sealed from here on: merges, errors and explanations never see it open.
        let sealed = |value: Value| match self.data.declaration(key) {
            Ok(declaration) => declaration.of.sealed(&value, self.data.modules()),
            Err(_) => value,
        };
        let value = formula.evaluate(&scope);
        value
            .map(|value| Some(sealed(value)))
            .map_err(|faults| faults.iter().map(|fault| fault.diagnostic(Some(&file.text))).collect())
    }
}

/// The error for keys that depend on each other: the whole chain, each link with its place.
fn recursion(key: &str, chain: &[PendingKey]) -> Diagnostic {
    let keys = chain.iter().map(|asking| format!("`{}`", asking.key)).chain([format!("`{key}`")]);
    let message = format!("keys depend on each other: {}", keys.collect::<Vec<_>>().join(" → "));
    let mut places =
        chain.iter().filter_map(|asking| Some((Origin::clone(asking.at.as_ref()?), &asking.key)));
    let first = places.next().map(|(origin, _)| origin);
    let mut problem =
        Diagnostic::error(Code::Cycle, message, first).label(format!("`{key}` is computed here"));
    for (origin, key) in places {
        problem = problem.related(origin, format!("`{key}` is computed here"));
    }
    problem.help("give one of them a fixed value")
}
