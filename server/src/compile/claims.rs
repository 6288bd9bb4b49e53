//! Finds resources that claim the same thing. They would undo each other in each run, so they are refused, whatever
//! their types are.

use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::claim::{Conflict, conflicts};

use crate::diagnostic::{Code, Diagnostic};

use super::declared::Declarations;
use super::pass::Pass;

/// Reports each pair of resources that claim the same thing.
pub(super) fn check(declared: &mut Declarations<'_>, pass: &Pass<'_>) {
    let claims: Vec<_> = declared.resources.iter_mut().map(|one| std::mem::take(&mut one.claims)).collect();
    for Conflict { first, second, what, help, .. } in conflicts(&claims) {
        let (first, second) = (&declared.resources[first], &declared.resources[second]);
        let message = format!("`{}` and `{}` both manage {what}", first.reference, second.reference);
        let problem = Diagnostic::error(Code::ClaimedTwice, message, Origin::clone(&second.origin))
            .label("managed here")
            .related(Origin::clone(&first.origin), "and here")
            .help(help);
        pass.report(first.whence.told(second.whence.told(problem)));
    }
}
