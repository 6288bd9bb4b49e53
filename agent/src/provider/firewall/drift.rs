//! Which resource reports what differs: one event for each, for its own rules. No I/O.

use std::collections::BTreeMap;

use holdfast_catalog::resource::Firewall;

use super::name;
use super::ruleset::{self, Difference, RuleState, Ruleset};
use super::script::{FILE, RulesetScript};
use super::statement::statements;

/// How a resource's rules differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Off {
    /// What there is in place of its rules.
    pub is: String,
    /// Whether that is what the last run left, although it looks different.
    pub is_as_left: bool,
    /// A further remark.
    pub note: Option<&'static str>,
}

impl Off {
    fn new(is: impl Into<String>) -> Self {
        Self { is: is.into(), is_as_left: false, note: None }
    }
}

/// The kernel's tables, each in the kernel's own form.
pub struct LiveRules {
    /// The table that the catalog wants.
    pub wanted: Ruleset,
    /// The present table; `None` if there is none.
    pub is: Option<Ruleset>,
    /// The table in the file, if it is not what is wanted.
    pub before: Option<Ruleset>,
}

impl LiveRules {
    fn difference(&self) -> Difference {
        self.wanted.compare(self.is.as_ref().unwrap_or(&Ruleset::default()))
    }

    /// Whether a resource's rules are as the last run left them.
    fn is_as_left(&self, comment: &str, state: RuleState) -> bool {
        match (&self.before, &self.is) {
            (Some(before), Some(is)) if state == RuleState::Moved => before == is,
            (Some(before), Some(is)) => before.of(comment) == is.of(comment),
            _ => false,
        }
    }

    fn all_is_as_left(&self) -> bool {
        self.before.is_some() && self.before == self.is
    }
}

/// A rule as it is shown: chain, order and statements.
pub fn shown(want: &Firewall) -> String {
    format!("{} {}: {}", want.chain, want.order, statements(want).join("; "))
}

/// What differs, by title.
pub fn drift(
    script: &RulesetScript<'_>,
    file: Option<&str>,
    live: Option<&LiveRules>,
) -> BTreeMap<String, Off> {
    let in_file = file.map(Ruleset::of_script);
    let wanted = Ruleset::of_script(&script.text);
    let by_file = wanted.compare(in_file.as_ref().unwrap_or(&Ruleset::default()));
    let by_kernel = live.map(LiveRules::difference);
    let mut all = BTreeMap::new();
    let mut file_alone = by_file.rest;
    for rule in &script.rules {
        let comment = name::comment(&rule.title);
        let written = in_file.as_ref().and_then(|file| ruleset::shown(&file.of(&comment)));
        let written = written.filter(|written| *written != shown(rule));
        let in_kernel = by_kernel.as_ref().and_then(|difference| difference.rules.get(&comment));
        let off = match (in_kernel, by_file.rules.get(&comment), live) {
            (None, None, _) => continue,
            (Some(state), _, Some(live)) if live.is_as_left(&comment, *state) => match (written, state) {
                (Some(written), _) => Off::new(written),
                // Another rule moved, and reports it.
                (None, RuleState::Moved) => continue,
                (None, state) => Off::new(state.words()),
            },
            (Some(state), _, Some(_)) => Off::new(state.words()),
            (_, Some(state), None) => Off::new(written.unwrap_or_else(|| state.words().to_owned())),
            (None, Some(_), Some(_)) => match written {
                Some(written) => Off::new(written),
                None => {
                    file_alone = true;
                    continue;
                }
            },
            (Some(_), None, None) => continue,
        };
        all.insert(rule.title.clone(), off);
    }
    let rest = match (live, &by_kernel) {
        (Some(live), Some(difference)) => rest_of_kernel(live, difference, file_alone, in_file.is_some()),
        _ => (by_file.rest && in_file.is_some()).then(|| Off::new(OTHERS)),
    };
    if let (Some(rest), Some(first)) = (rest, script.rules.first()) {
        let note = rest.note;
        all.entry(first.title.clone()).or_insert(rest).note = note;
    }
    all
}

const OTHERS: &str = "other rules as well";

/// Differences that belong to no resource.
fn rest_of_kernel(
    live: &LiveRules,
    difference: &Difference,
    file_alone: bool,
    has_file: bool,
) -> Option<Off> {
    if difference.rest && live.is.is_some() {
        let note =
            "the table contains rules that are not in the catalog, or its chains do not begin as they should";
        return Some(Off { is_as_left: live.all_is_as_left(), note: Some(note), ..Off::new(OTHERS) });
    }
    let is_right = difference.rules.is_empty() && !difference.rest;
    let is = format!("{FILE} is {}", if has_file { "altered" } else { "absent" });
    let note = "the active rules are right, but would not be after a reboot";
    (is_right && file_alone).then(|| Off { note: Some(note), ..Off::new(is) })
}
