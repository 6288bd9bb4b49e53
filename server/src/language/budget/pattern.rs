//! What a regular expression costs: building it by the number of its states, matching it by its positions and the
//! length of the text. Both are computed from the pattern itself, before anything is built, so a compile costs the same
//! whatever was cached by an earlier one.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

/// Steps for each state of the built pattern, which takes about 0.2 µs.
const STEPS_A_STATE: usize = 4;

/// A larger pattern is refused while it is built, which does not take long.
const MAX_STATES: usize = 30_000;

/// Positions and bytes that count as one step, if the text is searched with the slow engine.
const VISITS_A_STEP: usize = 8;

/// The size of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PatternSize {
    /// The number of states that it is built of.
    states: usize,
    /// The number of characters and classes in it, each counted as often as it is repeated.
    positions: usize,
}

impl PatternSize {
    /// The size of a pattern, from its text; for one that does not parse, the size of the text.
    pub(super) fn of(written: &str) -> Self {
        let parsed = ParserBuilder::new().nest_limit(250).build().parse(written);
        let grown = parsed.map_or(Self { states: 0, positions: 0 }, |hir| of(&hir));
        Self { states: grown.states.saturating_add(written.len()).min(MAX_STATES), ..grown }
    }

    /// The steps for building it.
    pub(super) fn building(self) -> usize {
        self.states * STEPS_A_STATE
    }

    /// The steps for searching for it in a text of this many bytes.
    pub(super) fn matching(self, bytes: usize) -> usize {
        self.positions.min(MAX_STATES).saturating_mul(bytes) / VISITS_A_STEP
    }

    fn plus(self, other: Self) -> Self {
        Self {
            states: self.states.saturating_add(other.states),
            positions: self.positions.saturating_add(other.positions),
        }
    }

    fn times(self, count: usize) -> Self {
        Self { states: self.states.saturating_mul(count), positions: self.positions.saturating_mul(count) }
    }
}

/// The recursion is bounded, since the parser limits the depth.
fn of(hir: &Hir) -> PatternSize {
    let one = PatternSize { states: 1, positions: 1 };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => PatternSize { states: 1, positions: 0 },
        HirKind::Literal(literal) => one.times(literal.0.len()),
        HirKind::Class(class) => {
            let ranges = match class {
                regex_syntax::hir::Class::Unicode(class) => class.ranges().len(),
                regex_syntax::hir::Class::Bytes(class) => class.ranges().len(),
            };
            PatternSize { states: ranges.max(1), positions: 1 }
        }
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            of(&repetition.sub).times(usize::try_from(times).unwrap_or(usize::MAX)).plus(one)
        }
        HirKind::Capture(capture) => of(&capture.sub).plus(PatternSize { states: 2, positions: 0 }),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(of).fold(PatternSize { states: 1, positions: 0 }, PatternSize::plus)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_costs_what_it_grows_to_and_not_what_it_is_written_with() {
        let cost = |written: &str| PatternSize::of(written).building();
        assert!(cost("(a{0,50}){0,80}x0") > 16_000, "{}", cost("(a{0,50}){0,80}x0"));
        assert!(cost("^web[0-9]+\\.acme\\.example$") < 300);
        assert!(cost("(((a{1000}){1000}){1000}){1000}") == MAX_STATES * STEPS_A_STATE, "no overflow");
        assert!(cost(&"a|".repeat(5_000)) > 10_000);
        assert!(cost("\\w{1,40}") > cost("a{1,40}"));
        assert!(cost("(") > 0 && cost(&"(".repeat(10_000)) > 10_000, "what is not a pattern is read as well");
    }

    #[test]
    fn a_long_text_costs_by_its_length_and_the_patterns_positions() {
        let small = PatternSize::of("^web[0-9]+$");
        assert!(small.matching(50) < 100);
        let large = PatternSize::of("(a{0,50}){0,80}x0");
        assert!(large.matching(100_000) > 40_000_000, "{}", large.matching(100_000));
    }
}
