//! Which nodes of a list, in which order, and which page of them. Numbers elsewhere are counted with the same filter
//! that their links carry, so that a number and its list agree.

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
    /// Something was changed that had not drifted.
    Changed,
    /// Something failed.
    Failed,
}

/// The time within which something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Within")]
pub enum Period {
    /// The last hour.
    Hour,
    /// The last day.
    Day,
}

/// The order of the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Sort")]
pub enum NodeOrder {
    /// By name.
    #[default]
    Name,
    /// Those that need attention first.
    State,
    /// By customer.
    Customer,
    /// Those without contact for the longest time first.
    Silence,
    /// Those whose certificate ends first.
    Certificate,
}

/// Some states; in a query they are separated by commas, as in `failed,late`.
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

/// Which nodes, in which order, and which page of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// The state of the node: one of these.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub state: Option<States>,
    /// The reseller of the node.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub reseller: Option<String>,
    /// The customer of the node.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The role of the node.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What happened to the node, within the last day unless `within` says otherwise.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub did: Option<Did>,
    /// The time within which it happened.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub within: Option<Period>,
    /// The commit that the node reported to run on.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Words that must all occur in its name, place, role or labels.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// The order of the list.
    #[serde(skip_serializing_if = "is_default")]
    pub sort: NodeOrder,
    /// The page, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<usize>,
}

/// Reads an empty text as `None`, since forms send one for a field that was left blank.
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
    pub fn that_did(did: Did, within: Period) -> Self {
        Self { did: Some(did), within: Some(within), ..Self::default() }
    }

    /// The address of the list with this filter.
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

    /// The length of its longest text, in bytes.
    pub fn longest(&self) -> usize {
        let texts = [&self.reseller, &self.customer, &self.role, &self.commit, &self.q];
        texts.into_iter().flatten().map(String::len).max().unwrap_or_default()
    }

    /// The same filter in another order, from the first page.
    pub fn sorted(&self, sort: NodeOrder) -> Self {
        Self { sort, page: None, ..self.clone() }
    }

    /// Whether a node matches the filter.
    pub fn takes(&self, member: &Member, now: Timestamp) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        self.state.as_ref().is_none_or(|states| states.0.contains(&member.state()))
            && is(&self.reseller, member.tenancy.reseller.as_str())
            && is(&self.customer, member.tenancy.customer.as_str())
            && is(&self.role, member.role().unwrap_or_default())
            && is(&self.commit, member.runs_on().map_or("", |commit| commit.as_str()))
            && self.did.is_none_or(|did| happened(member, did, self.within.unwrap_or(Period::Day), now))
            && self.q.as_ref().is_none_or(|words| holds(member, words))
    }
}

fn happened(member: &Member, did: Did, within: Period, now: Timestamp) -> bool {
    let lately = member.lately();
    let at = match did {
        Did::Drifted => lately.drifted,
        Did::Changed => lately.changed,
        Did::Failed => lately.failed,
    };
    let window = SignedDuration::from_hours(if within == Period::Hour { 1 } else { 24 });
    at.is_some_and(|at| now.duration_since(at) <= window)
}

fn holds(member: &Member, words: &str) -> bool {
    let mut text = format!("{} {}", member.certname, member.tenancy);
    if let Some(function) = &member.function {
        text.push_str(&format!(" {} {}", function.role, function.stage));
        function.labels.iter().for_each(|(name, value)| text.push_str(&format!(" {name}={value}")));
    }
    words.split_whitespace().all(|word| text.contains(&word.to_lowercase()))
}
