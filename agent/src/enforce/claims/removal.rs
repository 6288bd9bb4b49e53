//! What a removal would take with it on this machine: what other resources want below a directory that is going to be
//! removed.
//!
//! The compiler refuses what paths alone show. Only the machine knows links, mounts and home directories: if those
//! conflict, both resources fail, and nothing is removed.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::catalog::Policy;
use holdfast_catalog::resource::claim::{Claim, ClaimTarget, Hold, PathKind};

use super::super::Subject;
use super::super::check::Verdict;
use super::{Claims, MachineNames, called};
use crate::provider::{PathAliases, Reading};
use crate::system::FileKind;

/// A directory that a resource is going to remove.
struct Removal {
    who: usize,
    /// The path that the resource names.
    called: String,
    /// The real path.
    place: String,
}

/// What a resource wants below a removed directory.
struct Loss {
    who: usize,
    path: String,
    why: Option<Arc<str>>,
}

impl Claims {
    /// Fails a resource that would remove what another one wants below a directory, and the other one too.
    pub(super) fn see_removals(
        &mut self,
        looked: &[(usize, Verdict)],
        subjects: &[Subject<'_>],
        reading: Reading<'_>,
    ) {
        let changes = looked.iter().filter(|(_, verdict)| may_remove(verdict));
        let mut names = MachineNames::as_it_is(self, reading);
        let mut found = Vec::new();
        for removal in
            changes.flat_map(|(index, _)| names.removals(*index, &subjects[*index])).collect::<Vec<_>>()
        {
            for loss in names.losses(&removal, subjects) {
                found.push((removal.who, loss.who, words(&removal, &loss, subjects)));
            }
        }
        for (remover, other, (of_remover, of_other)) in found {
            self.add_rival(remover, of_remover);
            self.add_rival(other, of_other);
        }
    }
}

/// Whether a plan replaces or removes what is at a path.
fn may_remove(verdict: &Verdict) -> bool {
    let Verdict::Changes(changes) = verdict else { return false };
    changes
        .iter()
        .any(|change| change.path.is_none() && change.property == "ensure" && change.is.text() != "absent")
}

/// The messages for the resource that removes, and for the one that wants something below.
fn words(removal: &Removal, loss: &Loss, subjects: &[Subject<'_>]) -> (String, String) {
    const HELP: &str = "remove one of the two, or move it";
    let since = loss.why.as_ref().map(|why| format!(", since {why}")).unwrap_or_default();
    let (directory, path) = (&removal.called, &loss.path);
    let remover = called(&subjects[removal.who]);
    let other = called(&subjects[loss.who]);
    (
        format!(
            "it would remove `{directory}` and everything in it, but {other} needs `{path}` there{since}; {HELP}"
        ),
        format!("{remover} would remove `{directory}`, in which `{path}` is{since}; {HELP}"),
    )
}

impl<'c> MachineNames<'c> {
    /// Names according to what the machine has now, and nothing else.
    fn as_it_is(claims: &'c Claims, reading: Reading<'c>) -> Self {
        let ways = PathAliases::new(reading.machine);
        Self { homes: &claims.homes, aliases: &claims.aliases, ways, reading, accounts: OnceCell::new() }
    }

    /// The existing directories that a resource wants to be absent, or to be replaced with everything in them.
    fn removals(&mut self, who: usize, subject: &Subject<'_>) -> Vec<Removal> {
        let claims = subject.typed.claims();
        let is_whole = |thing: &ClaimTarget| {
            let holds = |hold: &Hold| claims.iter().any(|claim| claim.thing == *thing && claim.hold == *hold);
            holds(&Hold::Tree) && holds(&Hold::Content)
        };
        let is_to_go = |claim: &&Claim| match &claim.hold {
            Hold::Standing(PathKind::Directory) => is_whole(&claim.thing),
            Hold::Standing(_) => true,
            _ => false,
        };
        claims.iter().filter(is_to_go).filter_map(|claim| self.removal(who, &claim.thing)).collect()
    }

    fn removal(&mut self, who: usize, thing: &ClaimTarget) -> Option<Removal> {
        let ClaimTarget::Path(path) = self.real(thing).0 else { return None };
        let stat = self.reading.machine.lstat(Path::new(&path)).ok()??;
        let called = match thing {
            ClaimTarget::Path(called) => called.clone(),
            ClaimTarget::InHome { .. } | ClaimTarget::Object { .. } => path.clone(),
        };
        (stat.kind == FileKind::Directory).then(|| Removal { who, called, place: self.ways.place(&path) })
    }

    /// What others want in a directory and exists.
    fn losses(&mut self, removal: &Removal, subjects: &[Subject<'_>]) -> Vec<Loss> {
        let inside = format!("{}/", removal.place.trim_end_matches('/'));
        let mut losses = Vec::new();
        for (who, subject) in subjects.iter().enumerate() {
            if who == removal.who || subject.policy == Policy::Off {
                continue;
            }
            let aliases = self.aliases.get(&who).into_iter().flatten().map(|alias| alias.claim.clone());
            let wanted =
                subject.typed.claims().into_iter().chain(aliases).filter(|claim| claim.hold.is_wanted());
            let lost = wanted.collect::<Vec<_>>().into_iter().find_map(|claim| self.lost(&claim, &inside));
            losses.extend(lost.map(|(path, why)| Loss { who, path, why }));
        }
        losses
    }

    /// What a claim would lose if everything below a path is removed.
    fn lost(&mut self, claim: &Claim, inside: &str) -> Option<(String, Option<Arc<str>>)> {
        let (ClaimTarget::Path(path), mut why) = self.real(&claim.thing) else { return None };
        let mut place = path.clone();
        // What it holds is lost together with the directory that contains it.
        if matches!(claim.hold, Hold::Tree | Hold::Home(_))
            && let Some(way) = self.ways.of(&path)
        {
            place.clone_from(&way.path);
            why = why.or_else(|| Some(way.why().into()));
        }
        let is_there =
            |path: &str| self.reading.machine.lstat(Path::new(path)).is_ok_and(|stat| stat.is_some());
        let called = match &claim.thing {
            ClaimTarget::Path(called) => called.clone(),
            ClaimTarget::InHome { .. } | ClaimTarget::Object { .. } => path,
        };
        (place.starts_with(inside) && is_there(&place)).then_some((called, why))
    }
}
