//! Links in modules' files that are not copied to machines.

use holdfast_catalog::resource::attribute::FileContent;

use crate::diagnostic::{Code, Diagnostic};
use crate::repo::Snapshot;

/// Links that lead out of every folder that a manifest could name. Others may lead out of the folder that a manifest
/// does name; the compile reports these.
pub(super) fn that_lead_out(snapshot: &Snapshot) -> Vec<Diagnostic> {
    let leads_out = |(path, target): &(&str, &str)| {
        // Below modules/NAME/files.
        let inner = path.splitn(4, '/').last().unwrap_or_default();
        !FileContent::stays_inside(inner, target)
    };
    let warning = |(path, target): (&str, &str)| {
        let message = format!("{path} is a link to `{}`, and is ignored", target.escape_debug());
        Diagnostic::warning(Code::UnreadFile, message, None)
            .help("only relative links within the module's files are sent to machines")
    };
    snapshot.links_under("modules").filter(leads_out).map(warning).collect()
}
