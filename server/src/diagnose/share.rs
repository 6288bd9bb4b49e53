//! Selects the part of a long list of diagnostics to show and keep, so that everyone gets a share.
//!
//! A thousand diagnostics, or a megabyte of them, are more than anyone reads. Operators come first, and each part of
//! the data has its turn, so one tenant's flood hides neither the operators' problems nor another tenant's. What is
//! left out is counted, by part.

use std::collections::{BTreeMap, VecDeque};

use crate::diagnostic::{Diagnostic, Severity};
use crate::language::problems::{counted, more};
use crate::repo::limits::part;

/// The most problems to keep for one commit.
const MAX_PROBLEMS: usize = 1_000;

/// The most bytes of text to keep for one commit.
const MAX_BYTES: usize = 1024 * 1024;

/// The most problems to keep for one node's compile.
const MAX_PROBLEMS_OF_A_NODE: usize = 100;
const MAX_BYTES_OF_A_NODE: usize = 64 * 1024;

/// The most characters of one text: a message may quote what someone wrote.
const MAX_TEXT: usize = 1_000;

/// How many parts are named if some of their problems are left out; all others get one line together.
const MAX_NAMED: usize = 50;

/// Problems by their owners, in order: parts of the data, and operators.
type DiagnosticQueues = BTreeMap<Option<String>, VecDeque<(usize, Diagnostic)>>;

/// The list within the limits, in its order; what is left out is counted at the end.
pub fn limited(problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    within(problems, MAX_PROBLEMS, MAX_BYTES)
}

/// The list within the limits for one node's compile, since many nodes may have the same problems.
pub fn of_node(problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    within(problems, MAX_PROBLEMS_OF_A_NODE, MAX_BYTES_OF_A_NODE)
}

fn within(problems: Vec<Diagnostic>, most: usize, most_bytes: usize) -> Vec<Diagnostic> {
    let problems: Vec<_> = problems.into_iter().map(shortened).collect();
    if problems.len() <= most && problems.iter().map(weight).sum::<usize>() <= most_bytes {
        return problems;
    }
    let mut waiting = DiagnosticQueues::new();
    let mut numbered: Vec<_> = problems.into_iter().enumerate().collect();
    numbered.sort_by_key(|(_, problem)| problem.severity); // errors first, so that warnings take no room from them
    for (at, problem) in numbered {
        let owner = problem.origin.as_ref().and_then(|origin| part(&origin.file)).map(str::to_owned);
        waiting.entry(owner).or_default().push_back((at, problem));
    }
    let most = most - waiting.len().min(MAX_NAMED + 1);
    let mut chosen = choose(&mut waiting, most, most_bytes);
    chosen.sort_by_key(|(at, _)| *at);
    let kept = chosen.into_iter().map(|(_, problem)| problem);
    kept.chain(left_out(waiting)).collect()
}

/// Takes one of each part in turn, and as many of the operators' as of all parts together.
fn choose(waiting: &mut DiagnosticQueues, most: usize, most_bytes: usize) -> Vec<(usize, Diagnostic)> {
    let (mut chosen, mut bytes) = (Vec::new(), 0);
    loop {
        let before = chosen.len();
        let others = waiting.keys().flatten().count().max(1);
        for (owner, queue) in waiting.iter_mut() {
            let turns = if owner.is_none() { others } else { 1 };
            for _ in 0..turns {
                let Some((_, next)) = queue.front() else { break };
                let heavier = bytes + weight(next);
                if chosen.len() >= most || heavier > most_bytes {
                    return chosen;
                }
                bytes = heavier;
                chosen.extend(queue.pop_front());
            }
        }
        waiting.retain(|_, queue| !queue.is_empty());
        if chosen.len() == before {
            return chosen;
        }
    }
}

fn left_out(mut waiting: DiagnosticQueues) -> Vec<Diagnostic> {
    waiting.retain(|_, queue| !queue.is_empty());
    let mut said = Vec::new();
    let mut rest = Vec::new();
    for (owner, queue) in waiting {
        if said.len() < MAX_NAMED {
            let whence =
                owner.map_or_else(|| "in what operators write".to_owned(), |owner| format!("in {owner}"));
            let origin = queue.front().and_then(|(_, first)| first.origin.clone());
            said.push(more(number(&queue), &whence, origin, worst(&queue)));
        } else {
            rest.extend(queue);
        }
    }
    if !rest.is_empty() {
        said.push(more(number(&rest), "elsewhere", None, worst(&rest)));
    }
    said
}

/// The number of problems, including those that are already only counted.
fn number<'a>(problems: impl IntoIterator<Item = &'a (usize, Diagnostic)>) -> usize {
    problems.into_iter().map(|(_, problem)| counted(problem)).sum()
}

/// The highest severity: a thousand warnings are not an error.
fn worst<'a>(problems: impl IntoIterator<Item = &'a (usize, Diagnostic)>) -> Severity {
    let has_error = problems.into_iter().any(|(_, problem)| problem.severity == Severity::Error);
    if has_error { Severity::Error } else { Severity::Warning }
}

fn shortened(mut problem: Diagnostic) -> Diagnostic {
    let others = problem.related.iter_mut().map(|(_, words)| words);
    for text in [&mut problem.message, &mut problem.label].into_iter().chain(&mut problem.help).chain(others)
    {
        if let Some((at, _)) = text.char_indices().nth(MAX_TEXT) {
            text.truncate(at);
            text.push('…');
        }
    }
    problem
}

/// Roughly how many bytes it takes to keep a problem.
fn weight(problem: &Diagnostic) -> usize {
    let places = problem.origin.iter().chain(problem.related.iter().map(|(origin, _)| origin));
    let words = problem.related.iter().map(|(_, words)| words.len()).sum::<usize>();
    let help = problem.help.as_ref().map_or(0, String::len);
    places.map(|origin| origin.file.len() + 60).sum::<usize>()
        + problem.message.len()
        + problem.label.len()
        + help
        + words
        + 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;
    use holdfast_catalog::origin::Origin;

    fn problems(file: &str, count: usize) -> impl Iterator<Item = Diagnostic> + use<> {
        let origin = Origin::locate(&file.into(), "", 0..0);
        (0..count).map(move |n| Diagnostic::error(Code::BadValue, format!("{n}"), origin.clone()))
    }

    fn of(list: &[Diagnostic], file: &str) -> usize {
        list.iter()
            .filter(|p| p.code == Code::BadValue && p.origin.as_ref().is_some_and(|o| &*o.file == file))
            .count()
    }

    #[test]
    fn one_tenants_flood_hides_neither_anothers_faults_nor_the_operators() {
        let mut all: Vec<_> = problems("hieradata/customers/acme.toml", 100_000).collect();
        all.extend(problems("hieradata/customers/birch.toml", 30));
        all.extend(problems("modules/a/manifests/init.toml", 40));
        let shown = limited(all);
        assert!(shown.len() <= MAX_PROBLEMS, "{}", shown.len());
        assert_eq!(of(&shown, "hieradata/customers/birch.toml"), 30);
        assert_eq!(of(&shown, "modules/a/manifests/init.toml"), 40);
        let acme = of(&shown, "hieradata/customers/acme.toml");
        assert!(acme > 800, "{acme}");
        let last = &shown.last().unwrap().message;
        assert_eq!(*last, format!("and {} more problems in hieradata/customers/acme", 100_000 - acme));
    }

    #[test]
    fn no_number_of_warnings_hides_an_error_of_the_same_hand() {
        let mut all: Vec<_> = problems("modules/a/manifests/init.toml", 2_000)
            .map(|problem| Diagnostic { severity: Severity::Warning, ..problem })
            .collect();
        all.extend(problems("modules/z/manifests/init.toml", 1));
        assert_eq!(of(&limited(all), "modules/z/manifests/init.toml"), 1);
    }

    #[test]
    fn what_is_left_out_is_as_bad_as_the_worst_of_it() {
        let warnings = |file: &str| {
            let warning = |problem| Diagnostic { severity: Severity::Warning, ..problem };
            problems(file, 600).map(warning).collect::<Vec<_>>()
        };
        let mut all = warnings("hieradata/customers/acme.toml");
        all.extend((0..100).flat_map(|n| warnings(&format!("hieradata/customers/c{n}.toml"))));
        let severities =
            |shown: &[Diagnostic]| shown.iter().filter(|p| p.severity == Severity::Error).count();
        assert_eq!(severities(&limited(all.clone())), 0, "warnings alone make no error");
        all.extend(problems("hieradata/customers/acme.toml", 600));
        let shown = limited(all);
        let acme =
            shown.iter().find(|p| p.code == Code::More && p.message.ends_with("customers/acme")).unwrap();
        assert_eq!(acme.severity, Severity::Error);
        assert_eq!(shown.last().unwrap().severity, Severity::Warning);
    }

    #[test]
    fn ten_thousand_tenants_at_fault_are_counted_too() {
        let all = (0..10_000).flat_map(|n| problems(&format!("hieradata/customers/c{n}.toml"), 1)).collect();
        let shown = limited(all);
        assert!(shown.len() <= MAX_PROBLEMS);
        let counted: usize = shown.iter().filter(|p| p.code == Code::More).count();
        assert!(
            (1..=MAX_NAMED + 1).contains(&counted) && shown.last().unwrap().message.ends_with("elsewhere")
        );
    }

    #[test]
    fn long_texts_are_cut_and_a_megabyte_is_the_most() {
        let long = |n: usize| {
            let origin = Origin::locate(&"hieradata/customers/acme.toml".into(), "", 0..0);
            Diagnostic::error(Code::BadValue, "ü".repeat(100_000), origin).label(n.to_string())
        };
        let shown = limited((0..990).map(long).collect());
        assert!(shown.iter().map(weight).sum::<usize>() <= MAX_BYTES + 10_000);
        assert_eq!(shown[0].message.chars().count(), MAX_TEXT + 1);
        assert!(shown.last().unwrap().message.starts_with("and "));
    }

    #[test]
    fn of_one_node_a_hundred_are_kept_and_what_operators_broke_is_among_them() {
        let mut all: Vec<_> = problems("hieradata/customers/acme.toml", 5_000).collect();
        all.extend(problems("modules/a/manifests/init.toml", 1));
        let shown = of_node(all);
        assert_eq!((shown.len(), of(&shown, "modules/a/manifests/init.toml")), (99, 1));
        let long = |n: usize| Diagnostic::error(Code::BadValue, format!("{n}{}", "y".repeat(5_000)), None);
        let shown = of_node((0..100).map(long).collect());
        assert!(shown.iter().map(weight).sum::<usize>() <= MAX_BYTES_OF_A_NODE + 1_000);
        assert!(shown.last().unwrap().message.starts_with("and "));
    }

    #[test]
    fn a_short_list_is_left_as_it_is() {
        let all: Vec<_> = problems("a", MAX_PROBLEMS).collect();
        assert_eq!(limited(all.clone()), all);
    }
}
