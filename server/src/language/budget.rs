//! Limits the work of one evaluation, and of all evaluations in one compile: expressions always end, and soon.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use holdfast_catalog::value::{Kind, Value};

use crate::diagnostic::Code;
use crate::language::fault::Fault;

mod pattern;

/// Steps of one evaluation: parts walked, elements made, pieces of text copied. They take about 50 ms.
const MAX_STEPS: usize = 1_000_000;
/// Bytes of text that count as one step: walking through a text takes one to three nanoseconds for each byte.
const BYTES_A_STEP: usize = 16;
/// Steps for a fault that is absorbed and never shown, since its message was made nevertheless.
const STEPS_A_FAULT: usize = 64;
/// The longest text that an expression may make, in bytes.
const MAX_TEXT: usize = 1024 * 1024;
/// The most different patterns in one evaluation.
const MAX_PATTERNS: usize = 64;

/// Steps of all evaluations in one node's compile. They take about 2 s, a hundred times what a role of 2,000 resources
/// needs.
pub const MAX_STEPS_OF_A_COMPILE: usize = 40_000_000;

/// What is left for all evaluations in one node's compile, which share it.
#[derive(Debug, Clone)]
pub struct SharedBudget {
    left: Rc<Cell<usize>>,
    most: usize,
}

impl Default for SharedBudget {
    fn default() -> Self {
        Self::of(MAX_STEPS_OF_A_COMPILE)
    }
}

impl SharedBudget {
    /// An allowance of this many steps.
    pub fn of(most: usize) -> Self {
        Self { left: Rc::new(Cell::new(most)), most }
    }

    /// How many steps were spent.
    pub fn spent(&self) -> usize {
        self.most - self.left.get()
    }

    /// How many steps there were at the start.
    #[cfg(test)]
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Spends all steps that are left.
    #[cfg(test)]
    pub(crate) fn exhaust(&self) {
        self.left.set(0);
    }

    /// Spends some steps; returns false if there are not enough left.
    fn spend(&self, steps: usize) -> bool {
        let left = self.left.get().checked_sub(steps);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// What is left for one evaluation.
#[derive(Debug)]
pub(in crate::language) struct Budget {
    steps: usize,
    shared: SharedBudget,
    patterns: BTreeMap<Box<str>, pattern::PatternSize>,
}

impl Budget {
    pub(in crate::language) fn new(shared: SharedBudget) -> Self {
        Self { steps: MAX_STEPS, shared, patterns: BTreeMap::new() }
    }

    /// Spends what a pattern costs: building it, unless it was used before in this evaluation, and searching for it in
    /// a text of this many bytes.
    pub(super) fn pattern(&mut self, written: &str, bytes: usize) -> Result<(), Fault> {
        if let Some(size) = self.patterns.get(written) {
            return self.spend(size.matching(bytes));
        }
        if self.patterns.len() >= MAX_PATTERNS {
            let message = format!("more than {MAX_PATTERNS} different patterns");
            return Err(Fault::new(Code::Limit, message, 0..0).help("combine patterns into one: a|b|c"));
        }
        let size = pattern::PatternSize::of(written);
        self.patterns.insert(written.into(), size);
        self.spend(size.building().saturating_add(size.matching(bytes)))
    }

    /// Spends some steps.
    pub(in crate::language) fn spend(&mut self, steps: usize) -> Result<(), Fault> {
        if !self.shared.spend(steps) {
            let all =
                format!("the expressions of this node together take more than {} steps", self.shared.most);
            let help =
                "this expression may not be the cause: look for loops over large data in the node's classes";
            return Err(Fault::new(Code::Limit, all, 0..0).help(help));
        }
        match self.steps.checked_sub(steps) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => {
                self.steps = 0;
                let message = format!("this expression takes more than {MAX_STEPS} steps");
                let fault = Fault::new(Code::Limit, message, 0..0);
                Err(fault.help("nested loops grow fast; compute less, or move the work into the data"))
            }
        }
    }

    /// Spends what making a text of this many bytes costs.
    pub(in crate::language) fn text(&mut self, bytes: usize) -> Result<(), Fault> {
        bounded_text(bytes)?;
        self.spend(bytes / BYTES_A_STEP)
    }

    /// Spends what walking through a text of this many bytes costs.
    pub(super) fn walk(&mut self, bytes: usize) -> Result<(), Fault> {
        self.spend(bytes / BYTES_A_STEP)
    }

    /// Spends what it costs to find that a map does not have a key, and which key is similar.
    pub(super) fn missing(&mut self, operand: &Value, key: &str) -> Result<(), Fault> {
        let keys = operand.as_map().map_or(0, |map| map.len());
        self.spend(keys.saturating_mul(1 + key.len().min(64)))
    }

    /// Spends what a fault that is absorbed costs.
    pub(super) fn fault(&mut self) -> Result<(), Fault> {
        self.spend(STEPS_A_FAULT)
    }

    /// Spends what looking at a value from outside costs: its length, without the weight of its elements.
    pub(super) fn glance(&mut self, value: &Value) -> Result<(), Fault> {
        match &value.kind {
            Kind::List(list) => self.spend(list.len()),
            Kind::Map(map) => self.spend(map.len()),
            Kind::String(_) | Kind::Sensitive(_) => self.weigh(value),
            _ => Ok(()),
        }
    }

    /// Spends what comparing each element of a list with each other costs.
    pub(super) fn pairs(&mut self, value: &Value) -> Result<(), Fault> {
        /// How many comparisons take as long as one step.
        const COMPARED: usize = 32;
        let list = value.as_list().unwrap_or_default();
        let before = self.steps;
        self.weigh(value)?;
        self.spend((before - self.steps).saturating_mul(list.len()) / COMPARED)
    }

    /// Spends the weight of a value. Each part counts as often as it occurs: a value that is shared a thousand times is
    /// a thousand values when it is written out.
    pub(super) fn weigh(&mut self, value: &Value) -> Result<(), Fault> {
        match &value.kind {
            Kind::List(list) => {
                self.spend(list.len())?;
                list.iter().try_for_each(|item| self.weigh(item))
            }
            Kind::Map(map) => {
                self.spend(map.len())?;
                map.values().try_for_each(|item| self.weigh(item))
            }
            Kind::String(text) => self.text(text.len()),
            Kind::Sensitive(secret) => {
                let pieces = secret.as_pieces().unwrap_or_default();
                self.walk(pieces.iter().map(|piece| piece.text.len()).sum())
            }
            _ => Ok(()),
        }
    }
}

/// Refuses a text that is too long, before it is made.
pub(super) fn bounded_text(bytes: usize) -> Result<(), Fault> {
    if bytes <= MAX_TEXT {
        return Ok(());
    }
    Err(Fault::new(Code::Limit, format!("the text is longer than {MAX_TEXT} bytes"), 0..0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cost_steps_by_what_they_grow_to_whatever_was_kept_from_before() {
        let allowance = SharedBudget::of(100_000);
        let read = |n: usize| Budget::new(allowance.clone()).pattern(&format!("(a{{0,50}}){{0,80}}x{n}"), 1);
        let refused = (0..400).find_map(|n| read(n).err().map(|fault| (n, fault.code)));
        assert!(matches!(refused, Some((4..=6, Code::Limit))), "{refused:?}");
    }

    #[test]
    fn a_pattern_that_is_used_again_costs_the_looking_alone() {
        let mut budget = Budget::new(SharedBudget::default());
        budget.pattern("^web[0-9]+$", 20).unwrap();
        let before = budget.steps;
        (0..1_000).for_each(|_| budget.pattern("^web[0-9]+$", 20).unwrap());
        assert!(before - budget.steps < 50_000, "{}", before - budget.steps);
    }
}
