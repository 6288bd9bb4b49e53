//! What is planned for rules, and how they come into force, on a kernel that keeps scripts as its own form.

use std::sync::{Arc, Mutex};

use holdfast_catalog::resource::TypedResource;
use holdfast_catalog::value::Value;
use serde_json::json;

use super::*;
use crate::content;
use crate::provider::trial::{self, want};
use crate::system::double::{Double, failed, said};
use crate::system::{Invocation, Machine, Output};

/// A table of rules as lines, which represent the kernel's form.
type Table = Arc<Mutex<Option<String>>>;

/// Turns scripts into JSON line by line; one that contains `nonsense` is refused.
fn nft(invocation: &Invocation, table: &Table) -> Option<Output> {
    let input = || String::from_utf8(invocation.input.as_ref().unwrap().bytes().to_vec()).unwrap();
    let command = invocation.command.to_string();
    let mut table = table.lock().unwrap();
    match &*command {
        "nft --json --stateless list table inet holdfast" => Some(match &*table {
            Some(text) => said(&json_of(text)),
            None => failed(1, "Error: No such file or directory\nlist table inet holdfast"),
        }),
        "unshare --net nft --json --echo --stateless --file -" => {
            let text = input();
            let bad = text.lines().position(|line| line.contains("nonsense"));
            Some(match bad {
                Some(line) => failed(1, &format!("/dev/stdin:{}:3-9: Error: syntax error", line + 1)),
                None => said(&json_of(&text)),
            })
        }
        "nft --file -" => {
            *table = Some(input());
            Some(said(""))
        }
        _ => None,
    }
}

fn json_of(script: &str) -> String {
    let mut chain = "";
    let mut objects =
        vec![json!({"metainfo": {"version": "1"}}), json!({"table": {"name": "holdfast", "handle": 1}})];
    for line in script.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("chain ") {
            chain = name.trim_end_matches(" {");
            objects.push(json!({"chain": {"name": chain, "handle": objects.len()}}));
        } else if let Some((expression, rest)) = line.rsplit_once(" comment \"") {
            let comment = rest.split('"').next();
            objects.push(json!({"rule": {"chain": chain, "comment": comment, "expr": [expression]}}));
        } else if line.starts_with("foreign") {
            objects.push(json!({"rule": {"chain": chain, "expr": [line]}}));
        }
    }
    json!({"nftables": objects}).to_string()
}

struct Bench {
    double: Double,
    table: Table,
    rules: Vec<TypedResource>,
}

impl Bench {
    fn new(rules: &[(&str, &[(&str, Value)])]) -> Self {
        let table = Table::default();
        let kernel = Arc::clone(&table);
        let double = Double::new(move |invocation| nft(invocation, &kernel));
        double.put(kernel::NFT, "");
        double.put("/etc/x", "");
        let mut bench = Self { double, table, rules: Vec::new() };
        bench.want(rules);
        bench
    }

    fn want(&mut self, rules: &[(&str, &[(&str, Value)])]) {
        let typed =
            |(title, attributes): &(&str, &[(&str, Value)])| TypedResource::Firewall(want(title, attributes));
        self.rules = rules.iter().map(typed).collect();
    }

    /// The plan of each rule, with its title.
    fn plans(&self) -> Vec<(String, Result<Plan, Error>)> {
        let named = CatalogClaims::new(&self.rules);
        let reading = Reading {
            machine: &self.double,
            content: &content::Nowhere,
            named: &named,
            state_dir: Path::new("/none"),
        };
        let wants: Vec<&Firewall> = named.of_type::<Firewall>().collect();
        let seen = FirewallRules.observe(&wants, reading).unwrap();
        wants.iter().map(|want| (want.title.clone(), FirewallRules.plan(want, &seen, reading))).collect()
    }

    /// What would be changed: title, and `is`.
    fn off(&self) -> Vec<String> {
        let mut off = Vec::new();
        for (title, plan) in self.plans() {
            match plan.unwrap() {
                Plan::Changes(changes) => {
                    off.extend(changes.iter().map(|c| format!("{title}: {}", c.is.text())));
                }
                plan => assert_eq!(plan, Plan::IN_SYNC),
            }
        }
        off
    }

    fn correct(&self) {
        let named = CatalogClaims::new(&self.rules);
        let writing = trial::writing_to(&self.double, &named, self.double.root.path());
        let jobs: Vec<_> = named.of_type::<Firewall>().map(|want| Job { want, changes: &[] }).collect();
        assert!(FirewallRules.apply_together(&jobs, writing).iter().all(Result::is_ok));
        assert_eq!(self.off(), [""; 0], "what was corrected is in sync");
    }

    fn file(&self) -> String {
        std::fs::read_to_string(self.double.root.path().join(&FILE[1..])).unwrap()
    }

    /// Alters the kernel's table from outside.
    fn alter(&self, from: &str, to: &str) {
        let mut table = self.table.lock().unwrap();
        let text = table.take().unwrap();
        assert!(text.contains(from), "{text}");
        *table = Some(text.replace(from, to));
    }
}

fn tcp(port: i64) -> [(&'static str, Value); 2] {
    [("protocol", "tcp".into()), ("ports", port.into())]
}

fn three() -> Bench {
    let bench = Bench::new(&[("ssh", &tcp(22)), ("http", &tcp(80)), ("rest", &[("order", 999.into())])]);
    assert_eq!(bench.off(), ["ssh: absent", "http: absent", "rest: absent"]);
    bench.correct();
    bench
}

const SSH: &str = "\t\ttcp dport 22 accept comment \"holdfast:ssh\" # 50\n";
const HTTP: &str = "\t\ttcp dport 80 accept comment \"holdfast:http\" # 50\n";

#[test]
fn all_rules_are_one_transaction_and_one_file() {
    let bench = three();
    assert_eq!(bench.double.ran(), ["nft --file -"]);
    assert_eq!(bench.table.lock().unwrap().as_ref(), Some(&bench.file()));
    assert!(bench.file().contains(&format!("{HTTP}{SSH}")));
}

#[test]
fn what_is_done_to_the_table_is_one_event_of_the_right_rule() {
    // What belongs to no rule is reported by the first one.
    for (from, to, event) in [
        (SSH, String::new(), "ssh: absent"),
        (SSH, SSH.replace("22", "2222"), "ssh: altered"),
        (SSH, format!("{SSH}{SSH}"), "ssh: altered"),
        (&format!("{HTTP}{SSH}"), format!("{SSH}{HTTP}"), "ssh: at another place"),
        (SSH, format!("{SSH}\t\tforeign accept\n"), "http: other rules as well"),
        (
            "\t\tct state invalid drop comment \"holdfast invalid\"\n",
            String::new(),
            "http: other rules as well",
        ),
    ] {
        let bench = three();
        bench.alter(from, &to);
        assert_eq!(bench.off(), [event]);
        bench.correct();
    }
}

#[test]
fn a_flushed_table_is_every_rule_gone_and_nothing_else() {
    let bench = three();
    *bench.table.lock().unwrap() = None;
    assert_eq!(bench.off(), ["ssh: absent", "http: absent", "rest: absent"]);
    bench.correct();
}

#[test]
fn what_is_done_to_the_file_is_one_event_of_the_right_rule() {
    for (from, to, event) in [
        (SSH, SSH.replace("22", "2222"), "ssh: input 50: tcp dport 2222 accept"),
        (SSH, String::new(), "http: /etc/nftables.d/holdfast.nft is altered"),
        ("# Managed", "# managed".to_owned(), "http: /etc/nftables.d/holdfast.nft is altered"),
        (SSH, format!("{SSH}\t\taccept\n"), "http: /etc/nftables.d/holdfast.nft is altered"),
    ] {
        let bench = three();
        bench.double.put(FILE, &bench.file().replace(from, &to));
        assert_eq!(bench.off(), [event]);
        bench.correct();
    }
    let bench = three();
    std::fs::remove_file(bench.double.root.path().join(&FILE[1..])).unwrap();
    assert_eq!(bench.off(), ["http: /etc/nftables.d/holdfast.nft is absent"]);
}

/// Whether a difference would not count as drift: in some words, it is what an earlier wish left.
fn shown_as_left(bench: &Bench, left: &str) -> bool {
    let plans = bench.plans();
    let changes = plans.iter().filter_map(|(_, plan)| match plan {
        Ok(Plan::Changes(changes)) => changes.first(),
        _ => None,
    });
    let changes: Vec<_> = changes.collect();
    changes.len() == 1 && (changes[0].is.text() == left || changes[0].also.iter().any(|also| also == left))
}

#[test]
fn a_new_wish_shows_what_the_old_one_left() {
    let rest: &[(&str, Value)] = &[("order", 999.into())];
    let mut bench = three();
    bench.want(&[("ssh", &tcp(2222)), ("http", &tcp(80)), ("rest", rest)]);
    assert!(shown_as_left(&bench, "input 50: tcp dport 22 accept"), "{:?}", bench.plans());
    let mut bench = three();
    let moved: Vec<_> = tcp(22).into_iter().chain([("order", 40.into())]).collect();
    bench.want(&[("ssh", &moved), ("http", &tcp(80)), ("rest", rest)]);
    assert!(shown_as_left(&bench, "input 50: tcp dport 22 accept"), "{:?}", bench.plans());
    let mut bench = three();
    bench.want(&[("http", &tcp(80)), ("rest", rest)]);
    assert!(shown_as_left(&bench, "input 50: tcp dport 80 accept"), "{:?}", bench.plans());
    let mut bench = three();
    bench.want(&[("new", &tcp(25)), ("ssh", &tcp(22)), ("http", &tcp(80)), ("rest", rest)]);
    assert_eq!(bench.off(), ["new: absent"]);
}

#[test]
fn a_rule_that_is_altered_and_wished_otherwise_was_altered() {
    let mut bench = three();
    bench.alter("dport 22 ", "dport 23 ");
    bench.want(&[("ssh", &tcp(2222)), ("http", &tcp(80)), ("rest", &[("order", 999.into())])]);
    assert_eq!(bench.off(), ["ssh: altered"]);
}

#[test]
fn a_rule_that_cannot_be_loaded_is_named_and_nothing_changes() {
    let mut bench = three();
    bench.want(&[("ssh", &tcp(22)), ("broken", &[("rule", "nonsense".into())])]);
    let errors: Vec<String> =
        bench.plans().into_iter().map(|(_, plan)| plan.unwrap_err().to_string()).collect();
    assert!(errors[1].starts_with("nftables refuses it: "), "{errors:?}");
    assert!(errors[0].contains("nftables refuses firewall[broken]"), "{errors:?}");
}

#[test]
fn without_nftables_it_may_still_come() {
    let double = Double::new(|_| None);
    double.put("/etc/x", "");
    let plan = trial::plan(&FirewallRules, &double, &want("ssh", &tcp(22))).unwrap();
    assert_eq!(plan, Plan::pending(Need::path("/usr/sbin/nft", "there is no /usr/sbin/nft")));
}

#[test]
fn below_another_root_it_is_a_file() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::open(root.path()).unwrap();
    let rules =
        [TypedResource::Firewall(want("ssh", &tcp(22))), TypedResource::Firewall(want("http", &tcp(80)))];
    let named = CatalogClaims::new(&rules);
    let reading = Reading {
        machine: &machine,
        content: &content::Nowhere,
        named: &named,
        state_dir: Path::new("/none"),
    };
    let wants: Vec<&Firewall> = named.of_type::<Firewall>().collect();
    let off = || {
        let seen = FirewallRules.observe(&wants, reading).unwrap();
        let Seen::Compared(off) = seen else { panic!("a file is compared") };
        off.into_iter().map(|(title, off)| format!("{title}: {}", off.is)).collect::<Vec<_>>()
    };
    assert_eq!(off(), ["http: absent", "ssh: absent"]);
    let writing = trial::writing_to(&machine, &named, root.path());
    FirewallRules.apply(wants[0], &[], writing).unwrap();
    assert_eq!(off(), [""; 0]);
    let place = root.path().join(&FILE[1..]);
    let text = std::fs::read_to_string(&place).unwrap();
    std::fs::write(&place, text.replace("dport 22 ", "dport 23 ")).unwrap();
    assert_eq!(off(), ["ssh: input 50: tcp dport 23 accept"]);
    std::fs::write(&place, text.replace("\t}\n", "\t\taccept\n\t}\n")).unwrap();
    assert_eq!(off(), ["http: other rules as well"]);
}
