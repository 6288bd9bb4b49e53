//! What the compile of one node shares: the node, its facts and its data, what went wrong, and what was read.

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
use crate::repo::{File, Reader};

use super::program::Program;
use super::unit::{Named, Unit};

/// The most problems that are kept for one node.
const MAX_PROBLEMS: usize = 500;

/// One node's compile.
pub(super) struct Pass<'a> {
    pub(super) program: &'a Program,
    pub(super) facts: &'a Facts,
    pub(super) node_value: Value,
    pub(super) reader: &'a Reader,
    pub(super) lookup: &'a Lookup<'a>,
    /// Names whose values are being computed, innermost last.
    pub(super) running: RefCell<Vec<Named<'a>>>,
    /// How many templates are being rendered inside each other.
    pub(super) rendering: Cell<usize>,
    /// Files of modules that the catalog names, by hash.
    pub(super) contents: RefCell<BTreeMap<ContentHash, (Arc<str>, File)>>,
    /// What is worth a look, and stops nothing.
    pub(super) warnings: RefCell<Vec<Diagnostic>>,
    problems: RefCell<Vec<Diagnostic>>,
    beyond: RefCell<Beyond>,
    facts_read: RefCell<BTreeSet<Arc<str>>>,
}

/// Problems that are not kept, each once: a number that holds.
#[derive(Default)]
struct Beyond {
    hasher: RandomState,
    different: HashSet<u64>,
    /// Whether what runs now runs quietly.
    quiet: bool,
}

impl Beyond {
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
        reader: &'a Reader,
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

    /// Notes a problem.
    pub(super) fn report(&self, problem: Diagnostic) {
        let mut problems = self.problems.borrow_mut();
        if problem.others == Some(0) {
            return; // it is counted already, and only hands on that something cannot be had
        }
        match problems.len() < MAX_PROBLEMS {
            true => problems.push(problem),
            false => self.beyond.borrow_mut().note(&problem),
        }
    }

    /// Notes a fault of an expression, with the caret under the part that is wrong.
    pub(super) fn report_fault(&self, fault: &Fault) {
        let file = fault.origin.as_ref().and_then(|origin| self.program.snapshot.get(&origin.file));
        let text = file.and_then(|file| std::str::from_utf8(file.bytes()).ok());
        self.report(fault.diagnostic(text));
    }

    /// Whether something is wrong there already: what can be said without a node is said better.
    pub(super) fn has_problem_at(&self, place: Option<&Origin>) -> bool {
        let here =
            |problem: &Diagnostic| problem.code != Code::BadAttribute && problem.origin.as_ref() == place;
        self.problems.borrow().iter().any(here)
    }

    /// How many problems there are.
    pub(super) fn problems_so_far(&self) -> usize {
        self.problems.borrow().len()
    }

    /// The first problem since there were `before`: why something cannot be had.
    pub(super) fn why_since(&self, before: usize) -> Diagnostic {
        let why = self.problems.borrow().get(before).cloned();
        why.unwrap_or_else(|| Diagnostic {
            others: Some(0),
            ..Diagnostic::error(Code::More, "its value is not available", None)
        })
    }

    /// Runs something whose problems do not matter.
    pub(super) fn quietly<T>(&self, run: impl FnOnce() -> T) -> T {
        let before = self.problems_so_far();
        let outside = std::mem::replace(&mut self.beyond.borrow_mut().quiet, true);
        let result = run();
        self.beyond.borrow_mut().quiet = outside;
        self.problems.borrow_mut().truncate(before);
        result
    }

    /// All problems, in the order of their places, each once.
    pub(super) fn take_problems(&self) -> Vec<Diagnostic> {
        let mut problems = sorted(self.problems.take());
        let count = self.beyond.borrow().different.len();
        if count > 0 {
            let last = problems.last().and_then(|problem| problem.origin.clone());
            problems.push(more(count, "of this node", last, Severity::Error));
        }
        problems
    }

    /// Notes that a fact was read.
    pub(super) fn note_fact(&self, path: &str) {
        let mut read = self.facts_read.borrow_mut();
        if !read.contains(path) {
            read.insert(path.into());
        }
    }

    /// The facts that were read, as dotted paths.
    pub(super) fn facts_read(&self) -> BTreeSet<Arc<str>> {
        self.facts_read.take()
    }

    /// What the data says of a class's parameter.
    pub(super) fn parameter_from_data(
        &self,
        unit: &Unit<'_>,
        parameter: &Parameter,
    ) -> Result<Option<Value>, Vec<Diagnostic>> {
        let key = format!("{}::{}", unit.manifest.name, parameter.name);
        self.lookup.get(&key).map_err(|error| error.diagnostics(Some(&parameter.origin)))
    }

    /// `lookup(key)` in a manifest.
    ///
    /// # Errors
    /// Nobody declares the key, no level has it, or the data is wrong.
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

    /// Computes all parameters of a unit, so that each is checked whether it is used or not.
    pub(super) fn settle_parameters(&self, unit: &Unit<'a>) {
        let manifest = unit.manifest;
        for (at, parameter) in manifest.parameters.iter().enumerate() {
            if let Err(fault) = self.value_of(unit, at, Named::Parameter(parameter)) {
                self.report_fault(&fault);
            }
        }
    }
}
