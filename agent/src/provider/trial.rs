//! Runs a provider on a double of the machine: what it plans for one resource, and what it does.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use holdfast_catalog::resource::{Attributes, ResourceType, TypedResource};
use holdfast_catalog::value::Value;

use super::{Applied, CatalogClaims, Change, Error, Plan, Property, Provider, Reading, Writing};
use crate::content;
use crate::system::System;
use crate::system::double::Double;

/// For tests in which no path ever had a secret.
static NO_SECRETS: BTreeSet<String> = BTreeSet::new();

/// A resource with these attributes.
pub(crate) fn want<W: ResourceType>(title: &str, attributes: &[(&str, Value)]) -> W {
    let attributes: Attributes =
        attributes.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    W::read(title, &attributes).unwrap_or_else(|errors| panic!("{title}: {errors:?}"))
}

/// The plan of a provider for a resource that is alone in its catalog.
pub(crate) fn plan<P: Provider>(
    provider: &P,
    machine: &Double,
    want: &P::Want,
) -> Result<Plan<P::Property>, Error> {
    plan_among(provider, machine, want, &[])
}

/// The plan of a provider for a resource in a catalog of these.
pub(crate) fn plan_among<P: Provider>(
    provider: &P,
    machine: &Double,
    want: &P::Want,
    all: &[TypedResource],
) -> Result<Plan<P::Property>, Error> {
    let named = CatalogClaims::new(all);
    let state_dir = machine.root.path().join("state");
    let reading = Reading { machine, content: &content::Nowhere, named: &named, state_dir: &state_dir };
    provider.plan(want, &provider.observe(&[want], reading)?, reading)
}

/// The changes that a provider plans; empty if it is in sync.
pub(crate) fn changes<P: Provider>(
    provider: &P,
    machine: &Double,
    want: &P::Want,
) -> Vec<Change<P::Property>> {
    match plan(provider, machine, want) {
        Ok(Plan::Changes(changes)) => changes,
        Ok(Plan::InSync(_)) => Vec::new(),
        other => panic!("{other:?}"),
    }
}

/// Changes as texts: `property: is -> should`.
pub(crate) fn said<P: Property>(changes: &[Change<P>]) -> Vec<String> {
    let line =
        |change: &Change<P>| format!("{}: {} -> {}", change.property, change.is.text(), change.should.text());
    changes.iter().map(line).collect()
}

/// Plans and makes the changes.
pub(crate) fn correct<P: Provider>(provider: &P, machine: &Double, want: &P::Want) -> Result<Applied, Error> {
    let changes = changes(provider, machine, want);
    writing(machine, |writing| provider.apply(want, &changes, writing))
}

/// Checks that a resource which writes a secret into a line of a file reports it if every user can read that file, both
/// before the secret is in it and after; and does not if others cannot read it.
pub(crate) fn says_who_may_read<P: Provider>(provider: &P, machine: &Double, want: &P::Want, path: &str) {
    machine.put(path, "");
    let said = |mode| -> Vec<String> {
        let file = machine.root.path().join(path.trim_start_matches('/'));
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
        let (Plan::Changes(changes) | Plan::InSync(changes)) = plan(provider, machine, want).unwrap() else {
            panic!("it is planned")
        };
        changes.into_iter().filter_map(|change| change.note).collect()
    };
    let before = said(0o644);
    assert!(
        matches!(&before[..], [one] if one.contains("every user") && one.contains("mode = \"0640\"")),
        "{before:?}"
    );
    correct(provider, machine, want).unwrap();
    assert_eq!(said(0o644), before, "also once it is in the file");
    assert_eq!(said(0o640), [""; 0]);
}

/// Calls `act` with what applying may use, for a resource that is alone in its catalog.
pub(crate) fn writing<T>(machine: &Double, act: impl FnOnce(Writing<'_>) -> T) -> T {
    act(writing_to(machine, &CatalogClaims::new(&[]), &machine.root.path().join("state")))
}

/// What applying may use beside other resources. No content is available, and no path ever had a secret.
pub(crate) fn writing_to<'a>(
    machine: &'a dyn System,
    named: &'a CatalogClaims<'a>,
    state_dir: &'a Path,
) -> Writing<'a> {
    Writing { machine, content: &content::Nowhere, named, state_dir, once_secret: &NO_SECRETS }
}
