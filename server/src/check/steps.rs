//! Limits the steps that the compiles of one judgement take, by customer: anyone who waits for a commit waits for all
//! of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use holdfast_catalog::certname::Slug;

use crate::language::{MAX_STEPS_OF_A_COMPILE, SharedBudget};

/// The steps that the nodes of one customer may take together before each is given less; they take about 20 s.
const SHARE: usize = 10 * MAX_STEPS_OF_A_COMPILE;

/// The steps that every node is given: ten times what a role of 2,000 resources needs, so customers without costly
/// expressions are not affected.
const LEAST: usize = MAX_STEPS_OF_A_COMPILE / 10;

/// The steps taken so far, by customer.
#[derive(Default)]
pub(super) struct StepShares(Mutex<HashMap<Slug, usize>>);

impl StepShares {
    /// The allowance for the next node of a customer.
    pub(super) fn allowance(&self, customer: &Slug) -> SharedBudget {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(customer).copied();
        let left = SHARE.saturating_sub(taken.unwrap_or_default());
        SharedBudget::of(left.clamp(LEAST, MAX_STEPS_OF_A_COMPILE))
    }

    /// Records the steps that were taken.
    pub(super) fn note(&self, customer: &Slug, allowance: &SharedBudget) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(customer.clone()).or_default() += allowance.spent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a45_a_customer_whose_nodes_cost_much_has_less_for_the_next_and_others_have_not() {
        let (steps, acme, birch) =
            (StepShares::default(), Slug::parse("acme").unwrap(), Slug::parse("birch").unwrap());
        let whole = |customer: &Slug| steps.allowance(customer).most() == MAX_STEPS_OF_A_COMPILE;
        for _ in 0..10 {
            assert!(whole(&acme));
            let allowance = steps.allowance(&acme);
            allowance.exhaust();
            steps.note(&acme, &allowance);
        }
        assert_eq!(steps.allowance(&acme).most(), LEAST);
        assert!(whole(&birch));
    }
}
