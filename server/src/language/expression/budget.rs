//! How much one evaluation may do: expressions end, and soon.

use std::collections::BTreeSet;

use holdfast_catalog::value::{Kind, Value};

use crate::language::fault::{Code, Fault};

/// Steps of one evaluation: parts walked, elements made, stretches of text copied. Some 50 ms.
const STEPS: usize = 1_000_000;
/// Bytes of text that count as one step.
const BYTES_A_STEP: usize = 32;
/// The longest text that an expression may make.
const MAX_TEXT: usize = 1024 * 1024;
/// Different patterns of one evaluation: reading one may take milliseconds, so they cannot count as steps.
const MAX_PATTERNS: usize = 64;

/// What is left.
#[derive(Debug)]
pub(in crate::language) struct Budget {
    steps: usize,
    patterns: BTreeSet<Box<str>>,
}

impl Budget {
    pub(in crate::language) fn new() -> Self {
        Self { steps: STEPS, patterns: BTreeSet::new() }
    }

    /// Counts a pattern, unless it came before.
    pub(super) fn pattern(&mut self, written: &str) -> Result<(), Fault> {
        if self.patterns.contains(written) {
            return Ok(());
        }
        if self.patterns.len() >= MAX_PATTERNS {
            let message = format!("more than {MAX_PATTERNS} different patterns");
            return Err(Fault::new(Code::Limit, message, 0..0).help("one pattern can hold others: a|b|c"));
        }
        self.patterns.insert(written.into());
        Ok(())
    }

    /// Takes some steps.
    pub(in crate::language) fn spend(&mut self, steps: usize) -> Result<(), Fault> {
        match self.steps.checked_sub(steps) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => {
                self.steps = 0;
                let fault = Fault::new(Code::Limit, format!("too many steps (more than {STEPS})"), 0..0);
                Err(fault.help("loops inside loops grow fast; compute less, or in the data"))
            }
        }
    }

    /// Takes what a text of so many bytes costs.
    pub(in crate::language) fn text(&mut self, bytes: usize) -> Result<(), Fault> {
        bounded_text(bytes)?;
        self.spend(bytes / BYTES_A_STEP)
    }

    /// Takes what a list or a map weighs: each part is counted as often as it is seen, since a value that is
    /// shared a thousand times is a thousand values to whoever writes it down.
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
