//! A node's facts, as far as a page has room for them.

use actix_web::web;
use holdfast_catalog::value::{Kind, Value};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::page::Error;
use super::super::page_request::PageRequest;
use super::super::size;
use super::super::text::{Shown, When};
use crate::store::node::NodeId;

/// The room for all facts, and for one of them.
const MAX_FACTS: usize = 16_000;
const MAX_FACT: usize = 300;

/// The room for the markup of a fact.
const FACT_ROW: usize = 50;

/// A fact.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Fact {
    /// Its path, such as `os.family`.
    pub path: Shown,
    /// Its value, shortened if it is long.
    pub value: Shown,
}

/// The facts of a node.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Facts")]
pub struct FactsView {
    /// When they arrived.
    pub received: When,
    /// The facts.
    pub facts: Vec<Fact>,
    /// The number of facts that are left out.
    pub more: usize,
}

/// The facts of a node; `None` if it has sent none.
pub(super) async fn of(asked: &PageRequest, node: NodeId) -> Result<Option<FactsView>, Error> {
    // They may be large, and their size is known only after reading them.
    let _turn = asked.state.reading.turn(asked.user.id).await?;
    let Some(row) = asked.state.store.facts(node).await? else { return Ok(None) };
    let received = When::seen(row.received_at, asked.now);
    // On another thread than those that answer: a machine may have megabytes of facts.
    let listed = web::block(move || {
        let mut listed = FactList::default();
        listed.leaves("", row.facts.value());
        listed
    });
    let FactList { facts, more, .. } = listed.await.map_err(|_| Error::Unforeseen)?;
    Ok(Some(FactsView { received, facts, more }))
}

/// The facts for a page: those that fit are rendered, and the others are counted.
#[derive(Default)]
struct FactList {
    facts: Vec<Fact>,
    taken: usize,
    more: usize,
}

impl FactList {
    /// Adds the facts below a path as a flat list.
    fn leaves(&mut self, path: &str, value: &Value) {
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match &value.kind {
            Kind::Map(map) if !map.is_empty() => {
                map.iter().for_each(|(name, value)| self.leaves(&below(name), value));
            }
            Kind::List(list) if list.iter().any(|item| matches!(item.kind, Kind::Map(_) | Kind::List(_))) => {
                list.iter()
                    .enumerate()
                    .for_each(|(index, value)| self.leaves(&below(&index.to_string()), value));
            }
            _ if self.more > 0 => self.more += 1,
            _ => self.take(path, value),
        }
    }

    fn take(&mut self, path: &str, value: &Value) {
        let json = || serde_json::to_string(value).unwrap_or_default();
        let text = if let Kind::String(text) = &value.kind { text.to_string() } else { json() };
        let fact = Fact { path: Shown::from(path).short(MAX_FACT), value: Shown::from(text).short(MAX_FACT) };
        self.taken += size::cost(fact.path.raw()) + size::cost(fact.value.raw()) + FACT_ROW;
        match self.taken > MAX_FACTS && !self.facts.is_empty() {
            true => self.more = 1,
            false => self.facts.push(fact),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a28_of_very_many_facts_those_that_fit_are_made_ready_and_the_rest_is_counted() {
        let fact = |number: usize| (format!("fact{number:05}"), serde_json::Value::from("x".repeat(180)));
        let many: serde_json::Map<_, _> = (0..19_000).map(fact).collect();
        let mut listed = FactList::default();
        listed.leaves("", &Value::from_json(&many.into()));
        assert_eq!(listed.facts.len() + listed.more, 19_000);
        assert!(listed.taken < MAX_FACTS + 2 * MAX_FACT + FACT_ROW, "{}", listed.taken);
    }
}
