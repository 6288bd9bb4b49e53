//! Which commit was meant by what was typed: a full id, the first digits of one, or something that is not an id.

use holdfast_catalog::commit::{self, CommitId};
use holdfast_catalog::harmless;

use super::{AdminContext, RequestError};

/// The id of the commit that was meant.
pub(super) async fn meant(context: &AdminContext, typed: &str) -> Result<CommitId, RequestError> {
    let control = &context.control;
    let shown = || harmless::line(typed).chars().take(80).collect::<String>();
    let lower = typed.to_ascii_lowercase();
    let hex = lower.strip_prefix("dir-").unwrap_or(&lower);
    let is_hex =
        !hex.is_empty() && hex.len() <= commit::DIGITS && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    if control.follows_a_directory() && !(is_hex && lower.starts_with("dir-")) {
        return Err(RequestError::NoCommits);
    }
    if !is_hex {
        return Err(RequestError::NoId(shown()));
    }
    if let Ok(id) = lower.parse() {
        return Ok(id);
    }
    control.whole_id(&lower).await?.ok_or_else(|| RequestError::Short(shown()))
}
