//! What the compile of one node shares: the node, its facts and its data, the problems so far, and what was read.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use holdfast_catalog::facts::Facts;
use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::language::Fault;
use crate::language::manifest::Parameter;
use crate::language::problems::{more, sorted};
use crate::lookup::{Lookup, LookupError};
use crate::repo::{SnapshotFile, SnapshotReader};

use super::program::Program;
use super::unit::{ManifestInstance, UnitName};

/// The most problems to keep for one node.
const MAX_PROBLEMS: usize = 500;

/// The compile of one node.
pub(super) struct Pass<'a> {
    pub(super) program: &'a Program,
    pub(super) facts: &'a Facts,
    pub(super) node_value: Value,
    pub(super) reader: &'a SnapshotReader,
    pub(super) lookup: &'a Lookup<'a>,
    /// The names whose values are being computed, innermost last.
    pub(super) running: RefCell<Vec<UnitName<'a>>>,
    /// How many templates are being rendered inside each other.
    pub(super) rendering: Cell<usize>,
    /// The files of modules that the catalog refers to, by hash.
    pub(super) contents: RefCell<BTreeMap<ContentHash, (Arc<str>, SnapshotFile)>>,
    pub(super) warnings: RefCell<Vec<Diagnostic>>,
    problems: RefCell<Vec<Diagnostic>>,
    beyond: RefCell<OverflowCount>,
    facts_read: RefCell<BTreeSet<Arc<str>>>,
}

/// Counts the problems that are not kept, each once, so that the number is correct.
#[derive(Default)]
struct OverflowCount {
    hasher: RandomState,
    different: HashSet<u64>,
    /// Whether problems are being ignored at the moment.
    quiet: bool,
}

impl OverflowCount {
    fn note(&mut self, problem: &Diagnostic) {
        if !self.quiet {
            let place = problem.origin.as_ref().map(|origin| (&origin.file, origin.start, origin.end));
            self.different.insert(self.hasher.hash_one((&problem.code, &problem.message, place)));
        }
    }
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        program: &'a Program,
        facts: &'a Facts,
        node_value: Value,
        reader: &'a SnapshotReader,
        lookup: &'a Lookup<'a>,
    ) -> Self {
        Self {
            program,
            facts,
            node_value,
            reader,
            lookup,
            running: RefCell::default(),
            rendering: Cell::new(0),
            contents: RefCell::default(),
            warnings: RefCell::default(),
            problems: RefCell::default(),
            beyond: RefCell::default(),
            facts_read: RefCell::default(),
        }
    }

    /// Records a problem.
    pub(super) fn report(&self, problem: Diagnostic) {
        let mut problems = self.problems.borrow_mut();
        if problem.others == Some(0) {
            return; // it is counted already, and only passes on that there is no value
        }
        match problems.len() < MAX_PROBLEMS {
            true => problems.push(problem),
            false => self.beyond.borrow_mut().note(&problem),
        }
    }

    /// Records a fault of an expression, with the caret under the part that is wrong.
    pub(super) fn report_fault(&self, fault: &Fault) {
        let file = fault.origin.as_ref().and_then(|origin| self.program.snapshot.get(&origin.file));
        let text = file.and_then(|file| std::str::from_utf8(file.bytes()).ok());
        self.report(fault.diagnostic(text));
    }

    /// Whether there is a problem at this place already. What can be found without a node has the better message.
    pub(super) fn has_problem_at(&self, place: Option<&Origin>) -> bool {
        let here =
            |problem: &Diagnostic| problem.code != Code::BadAttribute && problem.origin.as_ref() == place;
        self.problems.borrow().iter().any(here)
    }

    /// The number of problems so far.
    pub(super) fn problems_so_far(&self) -> usize {
        self.problems.borrow().len()
    }

    /// The first problem since there were `before` of them: the reason why something has no value.
    pub(super) fn why_since(&self, before: usize) -> Diagnostic {
        let why = self.problems.borrow().get(before).cloned();
        why.unwrap_or_else(|| Diagnostic {
            others: Some(0),
            ..Diagnostic::error(Code::More, "its value is not available", None)
        })
    }

    /// Runs something whose problems are to be ignored.
    pub(super) fn quietly<T>(&self, run: impl FnOnce() -> T) -> T {
        let before = self.problems_so_far();
        let outside = std::mem::replace(&mut self.beyond.borrow_mut().quiet, true);
        let result = run();
        self.beyond.borrow_mut().quiet = outside;
        self.problems.borrow_mut().truncate(before);
        result
    }

    /// Takes all problems, in the order of their places, each once.
    pub(super) fn take_problems(&self) -> Vec<Diagnostic> {
        let mut problems = sorted(self.problems.take());
        let count = self.beyond.borrow().different.len();
        if count > 0 {
            let last = problems.last().and_then(|problem| problem.origin.clone());
            problems.push(more(count, "of this node", last, Severity::Error));
        }
        problems
    }

    /// Records that a fact was read.
    pub(super) fn note_fact(&self, path: &str) {
        let mut read = self.facts_read.borrow_mut();
        if !read.contains(path) {
            read.insert(path.into());
        }
    }

    /// Takes the facts that were read, as dotted paths.
    pub(super) fn facts_read(&self) -> BTreeSet<Arc<str>> {
        self.facts_read.take()
    }

    /// The value of a class's parameter in the data.
    pub(super) fn parameter_from_data(
        &self,
        unit: &ManifestInstance<'_>,
        parameter: &Parameter,
    ) -> Result<Option<Value>, Vec<Diagnostic>> {
        let key = format!("{}::{}", unit.manifest.name, parameter.name);
        self.lookup.get(&key).map_err(|error| error.diagnostics(Some(&parameter.origin)))
    }

    /// The result of `lookup(key)` in a manifest.
    ///
    /// # Errors
    /// Returns an error if the key is not declared, no level has it, or the data is wrong.
    pub(super) fn lookup(&self, key: &str) -> Result<Value, Fault> {
        match self.lookup.get_or_null(key) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(Fault::of_scope(Code::NoData, format!("no level has the key `{key}`"))
                .help("give it a value in the data, for example in hieradata/common.toml")),
            Err(LookupError::Data(problems)) if problems.len() > 1 => {
                problems.iter().skip(1).for_each(|problem| self.report(problem.clone()));
                Err(LookupError::Data(problems).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Computes all parameters of a unit, so that each is checked whether or not it is used.
    pub(super) fn settle_parameters(&self, unit: &ManifestInstance<'a>) {
        let manifest = unit.manifest;
        for (at, parameter) in manifest.parameters.iter().enumerate() {
            if let Err(fault) = self.value_of(unit, at, UnitName::Parameter(parameter)) {
                self.report_fault(&fault);
            }
        }
    }
}
