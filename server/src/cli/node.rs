//! `holdfast node`: add nodes, look at them, take them off.

use clap::Subcommand;
use holdfast_catalog::certname::Certname;

use super::{Failed, Format, Socket, print_json, print_table, time};
use crate::admin::{Answer, NodeDetail, NodeView, Request};

/// What to do with nodes.
#[derive(Subcommand)]
pub enum Command {
    /// Add a node of the inventory; prints the join string that it enrols with
    Add(Invite),
    /// List all nodes
    List(Socket),
    /// Show one node, its certificates and last reports
    Show(One),
    /// Take a node again, where the inventory has it now: after a rebuild, or for another customer
    Move(Invite),
    /// Refuse a node from now on
    Revoke(One),
    /// Forget a node; its name may be given again
    Remove(One),
}

/// A node that is to join.
#[derive(clap::Args)]
pub struct Invite {
    /// The node's name
    certname: Certname,
    /// How long the join string works, such as `15m` or `2h`; a day at most
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = seconds)]
    ttl: u64,
    #[command(flatten)]
    socket: Socket,
}

/// One node.
#[derive(clap::Args)]
pub struct One {
    /// The node's name
    certname: Certname,
    #[command(flatten)]
    socket: Socket,
}

fn seconds(text: &str) -> Result<u64, String> {
    use holdfast_catalog::resource::attribute::{Attribute as _, Seconds};
    let number = text.parse::<i64>().map_or_else(|_| text.into(), holdfast_catalog::value::Value::from);
    match Seconds::read(&number) {
        Ok(Seconds(seconds)) if (1..=24 * 3600).contains(&seconds) => Ok(seconds.into()),
        _ => Err("give seconds, or a number with s, m or h; a day at most".into()),
    }
}

impl Command {
    /// Does it.
    pub fn run(self) -> Result<(), Failed> {
        let (socket, request) = match self {
            Self::Add(Invite { certname, ttl, socket }) => {
                (socket, Request::NodeAdd { certname, lifetime: ttl })
            }
            Self::Move(Invite { certname, ttl, socket }) => {
                (socket, Request::NodeMove { certname, lifetime: ttl })
            }
            Self::List(socket) => (socket, Request::NodeList),
            Self::Show(One { certname, socket }) => (socket, Request::NodeShow { certname }),
            Self::Revoke(One { certname, socket }) => (socket, Request::NodeRevoke { certname }),
            Self::Remove(One { certname, socket }) => (socket, Request::NodeRemove { certname }),
        };
        let answer = socket.ask(&request)?;
        match (socket.format, &answer) {
            (Format::Text, Answer::Invited { node, join, expires_at }) => {
                eprintln!(
                    "{} of {} may join until {}; on the machine, run `holdfast-agent enroll` and paste:",
                    node.certname,
                    node.place,
                    time(*expires_at)
                );
                println!("{join}");
            }
            (Format::Text, Answer::Nodes(nodes)) => print_nodes(nodes),
            (Format::Text, Answer::Node(node)) => print_node(node),
            (Format::Text, Answer::Done(said)) => eprintln!("{said}"),
            (Format::Json, Answer::Nodes(nodes)) => print_json(nodes)?,
            (Format::Json, Answer::Node(node)) => print_json(node)?,
            _ => print_json(&answer)?,
        }
        Ok(())
    }
}

fn print_nodes(nodes: &[NodeView]) {
    if nodes.is_empty() {
        eprintln!("there is no node yet; add one with `holdfast node add NAME`");
        return;
    }
    let row = |node: &NodeView| {
        vec![
            node.certname.to_string(),
            node.place.to_string(),
            word(&node.state),
            word(&node.liveness),
            node.seen_at.map_or_else(|| "–".into(), time),
            short(node.commit.as_deref()),
        ]
    };
    let rows: Vec<_> = nodes.iter().map(row).collect();
    print_table(&["NODE", "CUSTOMER", "STATE", "HEARD", "LAST", "COMMIT"], &rows);
}

fn print_node(NodeDetail { node, certificates, reports }: &NodeDetail) {
    println!("node        {} (generation {})", node.certname, node.generation);
    println!("customer    {}", node.place);
    println!("state       {}, {}", word(&node.state), word(&node.liveness));
    println!("last heard  {}", node.seen_at.map_or_else(|| "never".into(), time));
    for certificate in certificates {
        println!("certificate {} until {}", certificate.serial, time(certificate.not_after));
    }
    if reports.is_empty() {
        return;
    }
    println!();
    let row = |report: &crate::admin::ReportView| {
        let counts = &report.counts;
        vec![
            time(report.started_at),
            short(report.commit.as_deref()),
            counts.changed.to_string(),
            counts.corrective.to_string(),
            counts.failed.to_string(),
            counts.skipped.to_string(),
            counts.unchanged.to_string(),
        ]
    };
    let rows: Vec<_> = reports.iter().map(row).collect();
    print_table(&["RUN", "COMMIT", "CHANGED", "CORRECTIVE", "FAILED", "SKIPPED", "UNCHANGED"], &rows);
}

fn short(commit: Option<&str>) -> String {
    commit.map_or_else(|| "–".into(), |commit| commit.chars().take(10).collect())
}

/// A keyword as it is encoded.
fn word(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_value(value).ok().and_then(|json| json.as_str().map(str::to_owned));
    text.unwrap_or_default()
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
