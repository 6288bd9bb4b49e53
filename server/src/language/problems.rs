//! The problems of one text, up to a limit: if there are a million faults, the first hundred are reported, and the
//! number of the others. These cost nothing except counting.

use std::sync::Arc;

use holdfast_catalog::count;
use holdfast_catalog::origin::Origin;

use crate::diagnostic::{Code, Diagnostic, Severity};

/// The most problems to keep.
pub const MAX_PROBLEMS: usize = 100;

/// A list of problems with a limit.
#[derive(Debug, Default)]
pub struct Problems {
    kept: Vec<Diagnostic>,
    more: usize,
}

impl Problems {
    /// Adds a problem; it is made only if it is kept.
    pub fn note(&mut self, problem: impl FnOnce() -> Diagnostic) {
        if self.kept.len() < MAX_PROBLEMS {
            self.kept.push(problem());
        } else {
            self.more += 1;
        }
    }

    /// Whether there is a problem with this code.
    pub fn holds(&self, code: Code) -> bool {
        self.kept.iter().any(|problem| problem.code == code)
    }

    /// Adds several problems.
    pub fn extend(&mut self, problems: impl IntoIterator<Item = Diagnostic>) {
        problems.into_iter().for_each(|problem| self.note(|| problem));
    }

    /// All problems that were kept, with one that gives the number of the others.
    pub fn into_list(mut self) -> Vec<Diagnostic> {
        if self.more > 0 {
            let last = self.kept.last().and_then(|problem| problem.origin.clone());
            // Problems that were not made have no known severity, but only errors can occur so often in one file.
            self.kept.push(more(self.more, "in this file", last, Severity::Error));
        }
        self.kept
    }
}

/// Makes the problem that gives the number of those not shown; `worst` is the highest severity among them.
pub fn more(count: usize, whence: &str, origin: Option<Origin>, worst: Severity) -> Diagnostic {
    let problems = count::counted(count, "more problem", "more problems");
    let said = Diagnostic::error(Code::More, format!("and {problems} {whence}"), origin);
    Diagnostic { severity: worst, others: Some(count), ..said }
}

/// The problems in the order of their places, each once.
pub fn sorted(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let place = |problem: &Diagnostic| {
        let origin = problem.origin.as_ref();
        (origin.map(|o: &Origin| (o.file.clone(), o.start, o.end)), problem.message.clone())
    };
    problems.sort_by_cached_key(|problem| (place(problem), problem.related.len()));
    problems.dedup_by(|a, b| a.code == b.code && a.message == b.message && a.origin == b.origin);
    problems
}

/// Gives a problem without a place the place where the name is used.
pub fn placed(problem: Diagnostic, origin: &Arc<Origin>) -> Diagnostic {
    match problem.origin {
        Some(_) => problem.related(Origin::clone(origin), "used here"),
        None => Diagnostic { origin: Some(Origin::clone(origin)), ..problem },
    }
}

/// The number of errors, including those that are only counted.
pub fn total(problems: &[Diagnostic]) -> usize {
    problems.iter().filter(|problem| problem.severity == Severity::Error).map(counted).sum()
}

/// The number of problems that this one represents: more than one if it gives the number of others.
pub fn counted(problem: &Diagnostic) -> usize {
    problem.others.unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_kept_and_the_rest_are_a_number() {
        let mut problems = Problems::default();
        let mut made = 0;
        for n in 0..1_000_000 {
            problems.note(|| {
                made += 1;
                Diagnostic::error(Code::BadValue, format!("{n}"), None)
            });
        }
        assert_eq!(made, MAX_PROBLEMS, "the others are not even made");
        let list = problems.into_list();
        assert_eq!(
            (list.len(), &*list[MAX_PROBLEMS].message),
            (MAX_PROBLEMS + 1, "and 999900 more problems in this file")
        );
        let warning = Diagnostic::warning(Code::BadValue, "no error", None);
        assert_eq!(total(&[list, vec![warning]].concat()), 1_000_000);
    }
}
