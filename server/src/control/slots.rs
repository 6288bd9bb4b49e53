//! How many compiles run at once, and for whom: the nodes of one customer never hold all slots.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::store::node::Tenancy;

/// The slots of a server.
pub struct CompileSlots {
    all: Arc<Semaphore>,
    /// How many slots one customer may hold.
    share: usize,
    customers: Mutex<HashMap<Tenancy, Arc<Semaphore>>>,
}

/// A slot, which is free again when this is dropped.
pub struct CompileSlot {
    _of_customer: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl CompileSlots {
    /// Makes `count` slots, but at least two: if there were only one, whoever holds it would keep out everyone else.
    pub fn new(count: usize) -> Self {
        let count = count.clamp(2, Semaphore::MAX_PERMITS);
        let share = count.div_ceil(2).min(count - 1);
        Self { all: Arc::new(Semaphore::new(count)), share, customers: Mutex::default() }
    }

    /// Waits for a slot: first among the customer's own nodes, so that those who wait there do not get in anyone else's
    /// way. Returns `None` when the server stops.
    pub async fn take(&self, tenancy: &Tenancy) -> Option<CompileSlot> {
        let own = self.of(tenancy);
        let _of_customer = own.acquire_owned().await.ok()?;
        let _of_all = self.all.clone().acquire_owned().await.ok()?;
        Some(CompileSlot { _of_customer, _of_all })
    }

    fn of(&self, tenancy: &Tenancy) -> Arc<Semaphore> {
        let mut customers = self.customers.lock().unwrap_or_else(PoisonError::into_inner);
        customers.entry(tenancy.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.share))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Waker};

    fn tenancy(customer: &str) -> Tenancy {
        Tenancy { reseller: "r".parse().unwrap(), customer: customer.parse().unwrap() }
    }

    /// Takes a slot if there is one now.
    fn now(slots: &CompileSlots, customer: &str) -> Option<CompileSlot> {
        let taken = pin!(async { slots.take(&tenancy(customer)).await });
        match taken.poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(slot) => slot,
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn one_customer_has_half_of_the_slots_and_leaves_one_at_least() {
        for (count, share) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (16, 8)] {
            let slots = CompileSlots::new(count);
            let greedy: Vec<_> = std::iter::from_fn(|| now(&slots, "acme")).take(100).collect();
            assert_eq!(greedy.len(), share, "of {count}");
            let other = now(&slots, "birch");
            assert!(other.is_some(), "of {count}");
            drop(greedy);
            assert!(now(&slots, "acme").is_some(), "what was given back is there again");
        }
    }
}
