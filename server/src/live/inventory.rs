//! What the commit in force says of machines.

use holdfast_catalog::certname::Certname;

use super::Live;
use crate::fleet::{Function, Inventory};
use crate::store::node::Place;

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
}
