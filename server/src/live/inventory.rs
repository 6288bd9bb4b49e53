//! What the commit in force says of machines.

use holdfast_catalog::certname::Certname;
use holdfast_catalog::diagnostic::Diagnostic;

use super::{InForce, Live};
use crate::fleet::{Function, Inventory};
use crate::store::fleet::KeptBack;
use crate::store::node::{NodeRow, Place};

impl Inventory for Live {
    fn function(&self, node: &Certname, place: &Place) -> Option<Function> {
        let in_force = self.in_force()?;
        let node = in_force.program().inventory().get(node)?;
        if node.reseller != place.reseller || node.customer != place.customer {
            return None;
        }
        let labels = node.labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Some(Function {
            role: node.role.to_string(),
            stage: node.stage.to_string(),
            labels: labels.collect(),
        })
    }

    fn machines(&self) -> Vec<(Certname, Place)> {
        let Some(in_force) = self.in_force() else { return Vec::new() };
        let nodes = in_force.program().inventory().nodes();
        let place = |node: &crate::inventory::Node| Place {
            reseller: node.reseller.clone(),
            customer: node.customer.clone(),
        };
        nodes.map(|node| (node.certname.clone(), place(node))).collect()
    }

    fn environment(&self) -> &str {
        self.environment()
    }

    fn broken(&self, node: &NodeRow) -> Option<KeptBack> {
        let in_force = self.in_force()?;
        let problems = self.found_in(&in_force, node)?;
        Some(KeptBack::of(in_force.commit(), problems))
    }

    fn problems_of(&self, node: &NodeRow) -> Option<(String, Vec<Diagnostic>)> {
        let in_force = self.in_force()?;
        let problems = self.found_in(&in_force, node)?.to_vec();
        Some((in_force.commit().to_owned(), problems))
    }
}

impl Live {
    /// What the judgement of the commit found wrong with a node. It went by the repository's facts: where the machine's own
    /// made a catalog of the same commit, that is what holds.
    fn found_in<'a>(&self, in_force: &'a InForce, node: &NodeRow) -> Option<&'a [Diagnostic]> {
        let problems = in_force.checked.get()?.nodes.get(&node.certname)?;
        let is_there = in_force.place(&node.certname).as_ref() == Some(&node.place);
        let has_catalog = self.given().get(&node.id).is_some_and(|given| given.is_of(in_force.commit()));
        (is_there && !has_catalog).then_some(problems)
    }
}
