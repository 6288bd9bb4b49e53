//! `holdfast node`: adds, shows and removes nodes.

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use holdfast_catalog::certname::Certname;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::harmless;
use holdfast_catalog::report::{Mode, Source};
use holdfast_catalog::state::{IN_ORDER, State};

use super::{
    CommandError, OutputFormat, Socket, one_cell, print, print_json, print_table, print_wrapped, time,
};
use crate::admin::{Answer, NodeDetail, NodeFilter, NodeView, ReportView, Request};
use crate::repo;

/// What to do with nodes.
#[derive(Subcommand)]
pub enum NodeCommand {
    /// Add a node from the inventory, and print the join string that it enrols with
    Add(InviteArguments),
    /// List nodes, and machines that were not added, each with its state and reason; those that need attention first
    List(ListArguments),
    /// Show one node: its state and reason, its certificates and last reports
    Show(NodeArguments),
    /// Add a node again at its present place in the inventory: after a rebuild, or for another customer
    Move(InviteArguments),
    /// Refuse a node from now on
    Revoke(NodeArguments),
    /// Remove a node; its name may be used again
    Remove(NodeArguments),
}

/// A node that is to join.
#[derive(clap::Args)]
pub struct InviteArguments {
    /// The node's name
    certname: Certname,
    /// How long the join string works, such as `15m` or `2h`; at most a day
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = seconds)]
    ttl: u64,
    #[command(flatten)]
    socket: Socket,
}

/// One node.
#[derive(clap::Args)]
pub struct NodeArguments {
    /// The node's name
    certname: Certname,
    #[command(flatten)]
    socket: Socket,
}

/// Which nodes.
#[derive(clap::Args)]
pub struct ListArguments {
    /// Only nodes of this state, such as `failed`; may be given several times, or several with commas
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = state())]
    state: Vec<State>,
    /// Only nodes of this reseller
    #[arg(long)]
    reseller: Option<String>,
    /// Only nodes of this customer: CUSTOMER or RESELLER/CUSTOMER
    #[arg(long)]
    customer: Option<String>,
    /// Only nodes of this role
    #[arg(long)]
    role: Option<String>,
    #[command(flatten)]
    socket: Socket,
}

fn state() -> impl TypedValueParser<Value = State> {
    PossibleValuesParser::new(State::ALL.map(State::slug)).try_map(|slug| slug.parse::<State>())
}

fn seconds(text: &str) -> Result<u64, String> {
    use holdfast_catalog::resource::attribute::{Attribute as _, Seconds};
    let number = text.parse::<i64>().map_or_else(|_| text.into(), holdfast_catalog::value::Value::from);
    match Seconds::read(&number) {
        Ok(Seconds(seconds)) if (1..=24 * 3600).contains(&seconds) => Ok(seconds.into()),
        _ => Err("give seconds, or a number with s, m or h; at most a day".into()),
    }
}

impl NodeCommand {
    /// Runs the command.
    pub fn run(self) -> Result<(), CommandError> {
        let (socket, request) = match self {
            Self::Add(InviteArguments { certname, ttl, socket }) => {
                (socket, Request::NodeAdd { certname, lifetime: ttl })
            }
            Self::Move(InviteArguments { certname, ttl, socket }) => {
                (socket, Request::NodeMove { certname, lifetime: ttl })
            }
            Self::List(ListArguments { state, reseller, customer, role, socket }) => {
                let filter = NodeFilter { states: state, reseller, customer, role };
                (socket, Request::NodeList { filter })
            }
            Self::Show(NodeArguments { certname, socket }) => (socket, Request::NodeShow { certname }),
            Self::Revoke(NodeArguments { certname, socket }) => (socket, Request::NodeRevoke { certname }),
            Self::Remove(NodeArguments { certname, socket }) => (socket, Request::NodeRemove { certname }),
        };
        let answer = socket.ask(&request)?;
        match (socket.format, &answer) {
            (OutputFormat::Text, Answer::Invited { node, join, expires_at }) => {
                say!(
                    "{} of {} may join until {}; on the machine, run `holdfast-agent enroll` and paste:",
                    node.certname,
                    node.place,
                    time(*expires_at)
                );
                print(join);
            }
            (OutputFormat::Text, Answer::Nodes(nodes)) => print_nodes(nodes, &request),
            (OutputFormat::Text, Answer::Node(node)) => print_node(node),
            (OutputFormat::Text, Answer::Done(said)) => say!("{said}"),
            (OutputFormat::Json, Answer::Nodes(nodes)) => print_json(nodes)?,
            (OutputFormat::Json, Answer::Node(node)) => print_json(node)?,
            _ => print_json(&answer)?,
        }
        Ok(())
    }
}

fn print_nodes(nodes: &[NodeView], asked: &Request) {
    if nodes.is_empty() {
        let is_all = matches!(asked, Request::NodeList { filter } if *filter == NodeFilter::default());
        say!(
            "{}",
            if is_all { "there are no machines yet: add one to the inventory" } else { "no node matches" }
        );
        return;
    }
    let row = |node: &NodeView| {
        let reason = if node.reason == IN_ORDER { "" } else { &node.reason };
        vec![
            node.certname.to_string(),
            node.state.word().to_owned(),
            node.place.to_string(),
            node.role.clone().unwrap_or_else(|| "–".into()),
            node.seen_at.map_or_else(|| "–".into(), time),
            runs_on(node.commit.as_ref(), node.unknown_commit.as_ref()),
            reason.to_owned(),
        ]
    };
    let rows: Vec<_> = nodes.iter().map(row).collect();
    print_table(&["NODE", "STATE", "CUSTOMER", "ROLE", "HEARD", "RUNS ON", "WHY"], &rows);
}

fn print_node(NodeDetail { node, certificates, reports, has_older_reports }: &NodeDetail) {
    let generation = node.generation.map_or_else(
        || format!("not added: run `holdfast node add {}`", node.certname),
        |generation| format!("generation {generation}"),
    );
    print(format!("node        {} ({generation})", node.certname));
    print(format!("customer    {}", node.place));
    let nowhere = || format!("none: the inventory in force does not list it under {}", node.place);
    print(format!("role        {}", node.role.clone().unwrap_or_else(nowhere)));
    print_wrapped(&format!("state       {}: {}", node.state.word(), one_cell(&node.reason)));
    print(format!("last heard  {}", node.seen_at.map_or_else(|| "never".into(), time)));
    let commit = match (&node.commit, &node.unknown_commit) {
        (Some(commit), _) => harmless::line(commit).into_owned(),
        (None, Some(unknown)) => {
            format!(
                "unknown: it reports `{}`, a commit that this server does not know",
                harmless::line(unknown)
            )
        }
        (None, None) => "none: no run in enforce mode has been reported".into(),
    };
    print(format!("runs on     {commit}"));
    for certificate in certificates {
        print(format!("certificate {} until {}", certificate.serial, time(certificate.not_after)));
    }
    if !reports.is_empty() {
        print("");
        print_reports(reports);
    }
    if *has_older_reports {
        say!("older runs are on the dashboard");
    }
}

fn print_reports(reports: &[ReportView]) {
    let row = |report: &ReportView| {
        let counts = &report.counts;
        let by = match (report.mode, report.source) {
            (Mode::Audit, _) => "audit",
            (Mode::Enforce, Source::Cache) if report.took_place() => "cache",
            (Mode::Enforce, _) => "",
        };
        let numbers = [
            counts.failed,
            counts.skipped,
            counts.changed,
            counts.corrective,
            counts.would_change,
            counts.not_applicable,
            counts.off,
            counts.unchanged,
        ];
        let commit = runs_on(report.commit.as_ref(), report.unknown_commit.as_ref());
        let begin = [time(report.received_at), commit, by.to_owned()];
        let why = report.error.clone().unwrap_or_default();
        begin.into_iter().chain(numbers.map(|count| count.to_string())).chain([why]).collect()
    };
    let rows: Vec<_> = reports.iter().map(row).collect();
    print_table(
        &[
            "REPORTED",
            "COMMIT",
            "BY",
            "FAILED",
            "SKIPPED",
            "CHANGED",
            "DRIFTED",
            "WOULD",
            "N/A",
            "OFF",
            "UNCHANGED",
            "WHY",
        ],
        &rows,
    );
}

/// A commit in a column; one that a node reported and the server does not know is not repeated.
fn runs_on(known: Option<&CommitId>, unknown: Option<&CommitId>) -> String {
    match (known, unknown) {
        (None, Some(_)) => "unknown".into(),
        (commit, _) => short(commit),
    }
}

fn short(commit: Option<&CommitId>) -> String {
    commit.map_or_else(|| "–".into(), repo::short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_bounded_by_a_day() {
        assert_eq!(seconds("15m"), Ok(900));
        assert_eq!(seconds("30"), Ok(30));
        for bad in ["0", "25h", "soon", "-1"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
