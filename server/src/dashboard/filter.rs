//! Which nodes of a list, in what order, and which page of them. Numbers elsewhere are counted by the same filter that
//! their links carry, so that a number and its list agree.

use holdfast_catalog::state::State;
use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text;
use crate::fleet::Member;

/// What happened to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Did {
    /// Something had drifted.
    Drifted,
    /// Something was changed, and that was not drift.
    Changed,
    /// Something failed.
    Failed,
}

/// Within what time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Within {
    /// The last hour.
    Hour,
    /// The last day.
    Day,
}

/// The order of the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// By name.
    #[default]
    Name,
    /// What needs attention first.
    State,
    /// By customer.
    Customer,
    /// Who has been without contact longest first.
    Silence,
    /// The certificate that ends first.
    Certificate,
}

/// Some states: in a query with commas between them, such as `failed,late`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct States(pub Vec<State>);

impl Serialize for States {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.iter().map(|state| state.slug()).collect::<Vec<_>>().join(","))
    }
}

impl<'de> Deserialize<'de> for States {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let states = text.split(',').map(|slug| slug.trim().parse::<State>());
        states.collect::<Result<_, _>>().map(Self).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for States {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "States".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "States with commas between them." })
    }
}

/// Which nodes, in what order, and which page of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// How the node is: one of these.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub state: Option<States>,
    /// Its reseller.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub reseller: Option<String>,
    /// Its customer.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Its role.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What happened to it, within the last day where nothing else is said.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub did: Option<Did>,
    /// Within what time it happened.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// The commit that it runs on, as it reported.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Words that its name, place, role and labels must hold, each of them.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// The order.
    #[serde(skip_serializing_if = "is_default")]
    pub sort: Sort,
    /// The page, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<usize>,
}

/// Forms send what is left open as an empty text.
fn blank_is_none<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    use serde::de::IntoDeserializer as _;
    match String::deserialize(deserializer)? {
        text if text.trim().is_empty() => Ok(None),
        text => T::deserialize(text.into_deserializer()).map(Some),
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Filter {
    /// Nodes of some states.
    pub fn of_states(states: impl IntoIterator<Item = State>) -> Self {
        Self { state: Some(States(states.into_iter().collect())), ..Self::default() }
    }

    /// Nodes to which something happened.
    pub fn that_did(did: Did, within: Within) -> Self {
        Self { did: Some(did), within: Some(within), ..Self::default() }
    }

    /// The address of its list.
    pub fn address(&self) -> String {
        let pairs = match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(pairs)) => pairs,
            _ => serde_json::Map::new(),
        };
        let text =
            |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| format!("{name}={}", text::in_query(&text(value)))).collect();
        if pairs.is_empty() { "/nodes".to_owned() } else { format!("/nodes?{}", pairs.join("&")) }
    }

    /// How long its longest text is.
    pub fn longest(&self) -> usize {
        let texts = [&self.reseller, &self.customer, &self.role, &self.commit, &self.q];
        texts.into_iter().flatten().map(String::len).max().unwrap_or_default()
    }

    /// The same in another order, from its first page.
    pub fn sorted(&self, sort: Sort) -> Self {
        Self { sort, page: None, ..self.clone() }
    }

    /// Whether a node is meant.
    pub fn takes(&self, member: &Member, now: Timestamp) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        self.state.as_ref().is_none_or(|states| states.0.contains(&member.state()))
            && is(&self.reseller, member.place.reseller.as_str())
            && is(&self.customer, member.place.customer.as_str())
            && is(&self.role, member.role().unwrap_or_default())
            && is(&self.commit, member.runs_on().unwrap_or_default())
            && self.did.is_none_or(|did| happened(member, did, self.within.unwrap_or(Within::Day), now))
            && self.q.as_ref().is_none_or(|words| holds(member, words))
    }
}

fn happened(member: &Member, did: Did, within: Within, now: Timestamp) -> bool {
    let lately = member.lately();
    let at = match did {
        Did::Drifted => lately.drifted,
        Did::Changed => lately.changed,
        Did::Failed => lately.failed,
    };
    let window = SignedDuration::from_hours(if within == Within::Hour { 1 } else { 24 });
    at.is_some_and(|at| now.duration_since(at) <= window)
}

fn holds(member: &Member, words: &str) -> bool {
    let mut text = format!("{} {}", member.certname, member.place);
    if let Some(function) = &member.function {
        text.push_str(&format!(" {} {}", function.role, function.stage));
        function.labels.iter().for_each(|(name, value)| text.push_str(&format!(" {name}={value}")));
    }
    words.split_whitespace().all(|word| text.contains(&word.to_lowercase()))
}
