//! Requests about nodes: all of them, some, or one, each with its state; and suggestions for a mistyped name.

use holdfast_catalog::certname::Certname;
use holdfast_catalog::spelling::nearest;
use jiff::Timestamp;

use super::names::FleetNames;
use super::{
    AdminContext, Answer, CertificateView, NodeDetail, NodeFilter, NodeView, ReportView, RequestError,
};
use crate::fleet::{self, FleetQuery, InventoryView as _, Member};
use crate::store;
use crate::store::certificate::CertificateRow;
use crate::store::report::ReportRow;
use crate::store::user::UserScope;

/// The most names to suggest.
const MAX_SUGGESTED: usize = 3;

/// The most reports of a machine to show, newest first.
const MAX_REPORTS: u32 = 20;

/// All machines, those that need attention first.
pub(super) async fn members(context: &AdminContext) -> store::Result<Vec<Member>> {
    let look = FleetQuery {
        scope: UserScope::Everything,
        only: None,
        now: Timestamp::now(),
        interval: context.control.interval(),
    };
    let mut members = fleet::members(&context.store, &*context.control, look).await?;
    members.sort_by_key(Member::state);
    Ok(members)
}

/// The machines that match a filter.
pub(super) async fn list(context: &AdminContext, filter: &NodeFilter) -> Result<Answer, RequestError> {
    let members = members(context).await?;
    FleetNames::of(context, &members).check_filter(filter)?;
    let fit = members.iter().filter(|member| filter.takes(member));
    Ok(Answer::Nodes(fit.map(view).collect()))
}

/// One machine with its certificates and last reports.
pub(super) async fn show(context: &AdminContext, certname: Certname) -> Result<Answer, RequestError> {
    let members = members(context).await?;
    let Some(member) = members.iter().find(|member| member.certname == certname) else {
        return Err(unknown(context, certname).await);
    };
    let (certificates, reports) = match &member.row {
        Some(row) => {
            let store = &context.store;
            // One more than is shown, to tell whether there are older ones.
            (store.certificates(row.node.id).await?, store.reports_of(row.node.id, MAX_REPORTS + 1).await?)
        }
        None => (Vec::new(), Vec::new()),
    };
    Ok(Answer::Node(Box::new(NodeDetail {
        node: view(member),
        certificates: certificates.into_iter().map(CertificateView::from).collect(),
        has_older_reports: reports.len() > MAX_REPORTS as usize,
        reports: reports.into_iter().take(MAX_REPORTS as usize).map(ReportView::from).collect(),
    })))
}

/// A machine for people and scripts.
pub(super) fn view(member: &Member) -> NodeView {
    let node = member.row.as_ref().map(|row| &row.node);
    NodeView {
        certname: member.certname.clone(),
        place: member.tenancy.clone(),
        role: member.role().map(str::to_owned),
        generation: node.map(|node| node.generation),
        enrolment: node.map(|node| node.state),
        state: member.state(),
        reason: member.judgement.reason.clone(),
        seen_at: member.seen(),
        commit: member.runs_on().cloned(),
        unknown_commit: member.unknown_commit().cloned(),
    }
}

impl NodeFilter {
    fn takes(&self, member: &Member) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        let customer = |wanted: &String| {
            wanted == member.tenancy.customer.as_str() || *wanted == member.tenancy.to_string()
        };
        (self.states.is_empty() || self.states.contains(&member.state()))
            && is(&self.reseller, member.tenancy.reseller.as_str())
            && self.customer.as_ref().is_none_or(customer)
            && is(&self.role, member.role().unwrap_or_default())
    }
}

impl From<CertificateRow> for CertificateView {
    fn from(row: CertificateRow) -> Self {
        Self { serial: row.serial, not_after: row.not_after }
    }
}

impl From<ReportRow> for ReportView {
    fn from(row: ReportRow) -> Self {
        Self {
            received_at: row.received_at,
            started_at: row.started_at,
            commit: row.known_commit().cloned(),
            unknown_commit: row.unknown_commit().cloned(),
            mode: row.mode,
            source: row.source,
            counts: row.counts,
            error: row.error,
        }
    }
}

/// The refusal for an unknown node, with similar names suggested.
pub(super) async fn unknown(context: &AdminContext, certname: Certname) -> RequestError {
    match members(context).await {
        Ok(members) => {
            let names = members.iter().map(|member| member.certname.as_str());
            RequestError::Unknown(certname.clone(), meant(certname.as_str(), names))
        }
        Err(error) => error.into(),
    }
}

/// Whether a machine is in the inventory in force.
pub(super) fn is_in_inventory(context: &AdminContext, certname: &Certname) -> bool {
    context.control.machines().iter().any(|(machine, _)| machine == certname)
}

/// The refusal for a machine that is not in the inventory, with similar names suggested.
pub(super) fn not_in_inventory(context: &AdminContext, certname: Certname) -> RequestError {
    let machines = context.control.machines();
    let meant = meant(certname.as_str(), machines.iter().map(|(certname, _)| certname.as_str()));
    RequestError::NotInInventory(certname, meant)
}

/// `did you mean …? ` with the names of which this is the first label, or else with the most similar one.
fn meant<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let host = |name: &'a str| name.split('.').next().unwrap_or(name);
    let mut meant: Vec<&str> = names.iter().copied().filter(|full| host(full) == name).collect();
    if meant.is_empty() && !name.contains('.') {
        let near = nearest(name, names.iter().map(|full| host(full)));
        meant = names.iter().copied().filter(|full| Some(host(full)) == near).collect();
    }
    if meant.is_empty() {
        meant.extend(nearest(name, names.iter().copied()));
    }
    let (count, rest) = (meant.len(), meant.len().saturating_sub(MAX_SUGGESTED));
    meant.truncate(MAX_SUGGESTED);
    match count {
        0 => String::new(),
        _ if rest > 0 => format!("did you mean `{}` or one of {rest} more? ", meant.join("`, `")),
        _ => format!("did you mean `{}`? ", meant.join("` or `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_or_mistyped_name_is_completed() {
        let names = ["web1.acme.example", "db1.acme.example", "web1.birch.example", "mail7.acme.example"];
        let meant = |name| meant(name, names.into_iter());
        assert_eq!(meant("db1"), "did you mean `db1.acme.example`? ");
        assert_eq!(meant("web1"), "did you mean `web1.acme.example` or `web1.birch.example`? ");
        assert_eq!(meant("mail77"), "did you mean `mail7.acme.example`? ");
        assert_eq!(meant("wbe1.acme.example"), "did you mean `web1.acme.example`? ");
        assert_eq!(meant("nothing-like-it"), "");
    }
}
