//! The content of a table, from the kernel or from a script, and how two of them differ. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::name::PREFIX;

/// A rule, or something else in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableEntry {
    chain: String,
    /// The comment that identifies a rule; empty for anything else.
    comment: String,
    body: String,
}

/// The content of a table, chain by chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ruleset(Vec<TableEntry>);

/// How a resource's rules differ from what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleState {
    /// None of them is there.
    Absent,
    Altered,
    Moved,
}

impl RuleState {
    /// The state in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Altered => "altered",
            Self::Moved => "at another place",
        }
    }
}

/// How two tables differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// The state of resources' rules, by their comment.
    pub rules: BTreeMap<String, RuleState>,
    /// Whether anything else differs.
    pub rest: bool,
}

impl Ruleset {
    /// Parses nftables' JSON, from a listing or an echo; `None` if it is neither.
    pub fn of_json(text: &str) -> Option<Self> {
        let whole: Value = serde_json::from_str(text).ok()?;
        let mut entries: Vec<TableEntry> = Vec::new();
        for item in whole.get("nftables")?.as_array()? {
            let item = item.get("add").unwrap_or(item);
            let (kind, object) = item.as_object()?.iter().next()?;
            if kind != "metainfo" {
                entries.push(entry(kind, object)?);
            }
        }
        // A table that is added, deleted and added again is echoed twice.
        let table = |entry: &TableEntry| entry.chain.is_empty() && entry.comment.is_empty();
        let mut seen = BTreeSet::new();
        entries.retain(|entry| !table(entry) || seen.insert(entry.body.clone()));
        Some(Self::by_chain(entries))
    }

    /// Parses a script as this agent writes it; lines of others become entries, too.
    pub fn of_script(text: &str) -> Self {
        let mut chain = "";
        let mut entries = Vec::new();
        for line in text.lines().map(str::trim) {
            chain = match line.strip_prefix("chain ").and_then(|rest| rest.strip_suffix(" {")) {
                Some(name) => name,
                None if line == "}" => "",
                None => chain,
            };
            let comment = split_comment(line).map_or("", |(_, comment, _)| comment);
            entries.push(TableEntry {
                chain: chain.to_owned(),
                comment: comment.to_owned(),
                body: line.to_owned(),
            });
        }
        Self::by_chain(entries)
    }

    /// Sorts the entries by chain, since chains are not always listed in the same order.
    fn by_chain(mut entries: Vec<TableEntry>) -> Self {
        entries.sort_by(|a, b| a.chain.cmp(&b.chain));
        Self(entries)
    }

    /// The rules with this comment.
    pub fn of(&self, comment: &str) -> Vec<&TableEntry> {
        self.0.iter().filter(|entry| entry.comment == comment).collect()
    }

    /// What must be corrected in `is` so that it becomes this one.
    pub fn compare(&self, is: &Self) -> Difference {
        let ours: BTreeSet<&str> =
            self.0.iter().map(|e| &*e.comment).filter(|comment| comment.starts_with(PREFIX)).collect();
        let rest = |set: &Self| -> Vec<(String, String)> {
            let others = set.0.iter().filter(|entry| !ours.contains(&*entry.comment));
            let mut others: Vec<_> = others.map(|e| (e.chain.clone(), e.body.clone())).collect();
            others.sort_unstable();
            others
        };
        let mut difference = Difference { rules: BTreeMap::new(), rest: rest(self) != rest(is) };
        for comment in &ours {
            let (wanted, there) = (self.of(comment), is.of(comment));
            if there.is_empty() {
                difference.rules.insert((*comment).to_owned(), RuleState::Absent);
            } else if wanted != there {
                difference.rules.insert((*comment).to_owned(), RuleState::Altered);
            }
        }
        for entry in self.moved(is) {
            if ours.contains(&*entry.comment) {
                difference.rules.entry(entry.comment.clone()).or_insert(RuleState::Moved);
            } else {
                difference.rest = true;
            }
        }
        difference
    }

    /// Of the entries that both have, the smallest set that would have to be moved in `is`.
    fn moved<'a>(&self, is: &'a Self) -> Vec<&'a TableEntry> {
        let mut free: Vec<Option<&TableEntry>> = self.0.iter().map(Some).collect();
        let mut places: Vec<(usize, &TableEntry)> = Vec::new();
        for entry in &is.0 {
            if let Some(place) = free.iter().position(|wanted| *wanted == Some(entry)) {
                free[place] = None;
                places.push((place, entry));
            }
        }
        let stays = longest_rising(&Vec::from_iter(places.iter().map(|(place, _)| *place)));
        places
            .iter()
            .enumerate()
            .filter(|(at, _)| !stays.contains(at))
            .map(|(_, (_, entry))| *entry)
            .collect()
    }
}

/// The indices of a longest increasing subsequence.
fn longest_rising(numbers: &[usize]) -> BTreeSet<usize> {
    // At index n: where the subsequence of length n + 1 with the lowest end ends.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(numbers.len());
    for (at, number) in numbers.iter().enumerate() {
        let length = ends.partition_point(|end| numbers[*end] < *number);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        ends.truncate(length.max(ends.len()));
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    std::iter::successors(ends.last().copied(), |at| before[*at]).collect()
}

/// The entry for one object of nftables' JSON.
fn entry(kind: &str, object: &Value) -> Option<TableEntry> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(match kind {
        "rule" => {
            let mut expression = object.get("expr")?.clone();
            sort_sets(&mut expression);
            TableEntry { chain: text("chain"), comment: text("comment"), body: expression.to_string() }
        }
        _ => {
            let mut about = object.as_object()?.clone();
            about.remove("handle");
            let chain = if kind == "chain" { text("name") } else { String::new() };
            TableEntry { chain, comment: String::new(), body: format!("{kind} {}", Value::from(about)) }
        }
    })
}

/// Sorts the content of sets, which have no order: the kernel returns it in any.
fn sort_sets(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(sort_sets),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                sort_sets(field);
                if let ("set", Value::Array(elements)) = (&**name, field) {
                    elements.sort_by_cached_key(Value::to_string);
                }
            }
        }
        _ => {}
    }
}

/// Splits a line of a script into the statement, its comment, and what follows.
fn split_comment(line: &str) -> Option<(&str, &str, &str)> {
    let (statement, rest) = line.rsplit_once(" comment \"")?;
    let (comment, end) = rest.split_once('"')?;
    Some((statement, comment, end))
}

/// Rules of a script as they are shown: chain, order and statements; `None` if this agent would not write them that
/// way.
pub fn shown(rules: &[&TableEntry]) -> Option<String> {
    let first = rules.first()?;
    let mut statements = Vec::new();
    let mut order = "";
    for rule in rules {
        let (statement, _, end) = split_comment(&rule.body)?;
        order = end.strip_prefix(" # ")?;
        statements.push(statement);
    }
    Some(format!("{} {order}: {}", first.chain, statements.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(rules: &[&str]) -> Ruleset {
        let rules: String = rules.iter().map(|rule| format!("\t\t{rule}\n")).collect();
        Ruleset::of_script(&format!("table inet holdfast {{\n\tchain input {{\n{rules}\t}}\n}}\n"))
    }

    const A: &str = "accept comment \"holdfast:a\" # 50";
    const B: &str = "drop comment \"holdfast:b\" # 50";
    const C: &str = "reject comment \"holdfast:c\" # 50";
    const BASE: &str = "accept comment \"holdfast loopback\"";

    fn said(wanted: &[&str], is: &[&str]) -> (Vec<(String, RuleState)>, bool) {
        let difference = script(wanted).compare(&script(is));
        (difference.rules.into_iter().collect(), difference.rest)
    }

    fn one(title: &str, state: RuleState) -> (Vec<(String, RuleState)>, bool) {
        (vec![(format!("holdfast:{title}"), state)], false)
    }

    #[test]
    fn each_difference_is_one_of_its_own_rule() {
        let all = [BASE, A, B, C];
        assert_eq!(said(&all, &all), (vec![], false));
        assert_eq!(said(&all, &[BASE, A, C]), one("b", RuleState::Absent));
        let altered = "reject comment \"holdfast:b\" # 50";
        assert_eq!(said(&all, &[BASE, A, altered, C]), one("b", RuleState::Altered));
        assert_eq!(said(&all, &[BASE, A, B, B, C]), one("b", RuleState::Altered));
        assert_eq!(said(&all, &[BASE, C, A, B]), one("c", RuleState::Moved));
        assert_eq!(said(&all, &[BASE, B, C, A]), one("a", RuleState::Moved));
        assert_eq!(said(&all, &[A, B, C]), (vec![], true), "how a chain begins is nobody's own");
        assert_eq!(said(&all, &[A, BASE, B, C]).0.len() + usize::from(said(&all, &[A, BASE, B, C]).1), 1);
        assert_eq!(said(&all, &[BASE, A, B, C, "accept"]), (vec![], true));
        assert_eq!(said(&all, &[BASE, A, B, C, "accept comment \"holdfast:z\" # 1"]), (vec![], true));
    }

    #[test]
    fn a_listing_and_an_echo_say_the_same() {
        let rule = r#"{"family": "inet", "table": "holdfast", "chain": "input", "handle": 7,
            "comment": "holdfast:a", "expr": [{"accept": null}]}"#;
        let chain = r#"{"family": "inet", "table": "holdfast", "name": "input", "handle": 1, "type": "filter",
            "hook": "input", "prio": 0, "policy": "accept"}"#;
        let table = |handle| format!(r#"{{"family": "inet", "name": "holdfast", "handle": {handle}}}"#);
        let listed = format!(
            r#"{{"nftables": [{{"metainfo": {{"version": "1.0.6"}}}}, {{"table": {}}}, {{"chain": {chain}}}, {{"rule": {rule}}}]}}"#,
            table(2)
        );
        let echoed = format!(
            r#"{{"nftables": [{{"add": {{"table": {}}}}}, {{"add": {{"table": {}}}}}, {{"add": {{"chain": {chain}}}}}, {{"add": {{"rule": {}}}}}]}}"#,
            table(1),
            table(2),
            rule.replace("\"handle\": 7", "\"handle\": 9")
        );
        let listed_set = Ruleset::of_json(&listed).unwrap();
        assert_eq!(listed_set, Ruleset::of_json(&echoed).unwrap());
        let dormant =
            listed.replace("\"name\": \"holdfast\"", "\"name\": \"holdfast\", \"flags\": [\"dormant\"]");
        let dormant = Ruleset::of_json(&dormant).unwrap();
        assert_eq!(listed_set.compare(&dormant), Difference { rules: BTreeMap::new(), rest: true });
        assert_eq!(Ruleset::of_json("Error: syntax"), None);
    }

    #[test]
    fn the_elements_of_a_set_have_no_order() {
        let rule = |elements: &str| {
            let text = format!(
                r#"{{"nftables": [{{"rule": {{"chain": "input", "expr": [{{"match": {{"op": "==", "right": {{"set": {elements}}}}}}}]}}}}]}}"#
            );
            Ruleset::of_json(&text).unwrap()
        };
        assert_eq!(rule(r#"["udp", "tcp"]"#), rule(r#"["tcp", "udp"]"#));
        assert_ne!(rule(r#"["udp", "tcp"]"#), rule(r#"["tcp"]"#));
    }

    #[test]
    fn rules_are_shown_with_chain_and_order() {
        assert_eq!(shown(&script(&[A, A]).of("holdfast:a")).unwrap(), "input 50: accept; accept");
        assert_eq!(shown(&script(&["accept comment \"holdfast:a\""]).of("holdfast:a")), None);
        assert_eq!(shown(&[]), None);
    }

    #[test]
    fn a_longest_rising_sequence_is_found() {
        assert_eq!(longest_rising(&[3, 0, 1, 2]), [1, 2, 3].into());
        assert_eq!(longest_rising(&[0, 1, 2]), [0, 1, 2].into());
        assert_eq!(longest_rising(&[2, 1]).len(), 1);
        assert_eq!(longest_rising(&[]), BTreeSet::new());
    }
}
