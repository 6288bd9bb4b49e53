//! The whole ruleset as an nftables script, which replaces the table in one transaction. No I/O.

use std::fmt::Write as _;

use holdfast_catalog::resource::Firewall;
use holdfast_catalog::resource::firewall::FirewallChain;

use super::name;
use super::statement::statements;

/// The file in which it is kept.
pub const FILE: &str = Firewall::FILE;

const HEAD: &str = "\
#!/usr/sbin/nft -f
# Managed by Holdfast: changes made here are undone.
table inet holdfast {}
delete table inet holdfast
table inet holdfast {
";

/// Neighbour and router discovery, without which IPv6 does not work, and the groups by which switches find them.
const ICMPV6: &str = "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, \
    mld-listener-query, mld-listener-report, mld-listener-done, nd-router-solicit, nd-router-advert, \
    nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept comment \"holdfast icmpv6\"";

const ESTABLISHED: &str = "ct state established,related accept comment \"holdfast established\"";

const INVALID: &str = "ct state invalid drop comment \"holdfast invalid\"";

/// The beginning of each chain: what keeps the machine reachable.
fn base(chain: FirewallChain) -> &'static [&'static str] {
    match chain {
        FirewallChain::Input => &[
            "iifname \"lo\" accept comment \"holdfast loopback\"",
            ESTABLISHED,
            ICMPV6,
            "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept comment \"holdfast dhcpv6\"",
            INVALID,
        ],
        FirewallChain::Forward => &[ESTABLISHED, INVALID],
        FirewallChain::Output => {
            &["oifname \"lo\" accept comment \"holdfast loopback\"", ESTABLISHED, ICMPV6]
        }
    }
}

/// The rules of a catalog, in their order.
pub struct RulesetScript<'a> {
    /// Sorted by chain, order and title.
    pub rules: Vec<&'a Firewall>,
    pub text: String,
    /// The title of the rule that each line belongs to.
    owners: Vec<Option<&'a str>>,
}

impl<'a> RulesetScript<'a> {
    /// The script of these rules.
    pub fn of(rules: impl IntoIterator<Item = &'a Firewall>) -> Self {
        let mut rules: Vec<&Firewall> = rules.into_iter().collect();
        rules.sort_by_key(|rule| (rule.chain as u8, rule.order, &*rule.title));
        rules.dedup_by_key(|rule| &*rule.title);
        let mut script = Self { rules, text: HEAD.to_owned(), owners: Vec::new() };
        script.owners.resize(HEAD.lines().count(), None);
        for chain in [FirewallChain::Input, FirewallChain::Forward, FirewallChain::Output] {
            script.add_chain(chain);
        }
        script.line(None, "}");
        script
    }

    /// The title of the rule at a line, counted from 1.
    pub fn owner(&self, line: usize) -> Option<&'a str> {
        self.owners.get(line.checked_sub(1)?).copied().flatten()
    }

    fn add_chain(&mut self, chain: FirewallChain) {
        let rules: Vec<&Firewall> = self.rules.iter().copied().filter(|rule| rule.chain == chain).collect();
        if rules.is_empty() {
            return;
        }
        self.line(None, &format!("\tchain {chain} {{"));
        self.line(None, &format!("\t\ttype filter hook {chain} priority filter; policy accept;"));
        for line in base(chain) {
            self.line(None, &format!("\t\t{line}"));
        }
        for rule in rules {
            for line in lines(rule) {
                self.line(Some(&rule.title), &format!("\t\t{line}"));
            }
        }
        self.line(None, "\t}");
    }

    fn line(&mut self, owner: Option<&'a str>, text: &str) {
        let _ = writeln!(self.text, "{text}");
        self.owners.push(owner);
    }
}

/// The lines of a rule, each with its comment and its order, which is needed to read the file back.
fn lines(rule: &Firewall) -> Vec<String> {
    let end = format!("comment \"{}\" # {}", name::comment(&rule.title), rule.order);
    statements(rule).into_iter().map(|statement| format!("{statement} {end}")).collect()
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::value::Value;

    use super::*;
    use crate::provider::trial::want;

    #[test]
    fn the_ruleset_is_one_text_by_chain_order_and_title() {
        let rule = |title: &str, attributes: &[(&str, Value)]| want::<Firewall>(title, attributes);
        let rules = [
            rule("the rest", &[("order", 999.into()), ("action", "drop".into())]),
            rule("ssh", &[("rule", "tcp dport 22 ct state new limit rate 10/minute accept".into())]),
            rule("forwarding", &[("chain", "forward".into()), ("action", "drop".into())]),
            rule("http", &[("protocol", "tcp".into()), ("ports", vec![80.into(), Value::from(443)].into())]),
            rule("mail \"out\"", &[("chain", "output".into()), ("source", "192.0.2.1".into())]),
        ];
        let script = RulesetScript::of(&rules);
        let golden = include_str!("golden.nft");
        assert_eq!(script.text, golden);
        let line = golden.lines().position(|line| line.contains("dport 22")).unwrap() + 1;
        assert_eq!((script.owner(line), script.owner(line - 2), script.owner(1)), (Some("ssh"), None, None));
        assert_eq!(script.owners.len(), golden.lines().count());
        let turned: Vec<_> = rules.iter().rev().collect();
        assert_eq!(RulesetScript::of(turned).text, golden, "the written order says nothing");
    }
}
