//! The id of a state of a control repository, from git to the page.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The prefix of a directory's hash.
const DIRECTORY: &str = "dir-";

/// The number of digits in the id of a commit, and in the hash of a directory.
pub const DIGITS: usize = 40;

/// The id of a commit, 40 hex digits; or of a directory's names and contents, `dir-` and 40 of them. Cheap to clone.
///
/// What people type is parsed, and git and the server make only such ids. Agents report whatever they ran, and the store
/// returns what they reported, so an id from the wire or from a row may be any text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitId(Arc<str>);

/// A text that is not the id of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of a commit is 40 hex digits, and of a directory `dir-` and 40 hex digits")]
pub struct InvalidCommitId;

impl CommitId {
    /// The id of a directory, by the hex digits of a hash that has at least 40.
    pub fn of_directory(digits: &str) -> Self {
        Self(format!("{DIRECTORY}{}", &digits[..DIGITS]).into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for CommitId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for CommitId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.0.to_string()
    }
}

impl FromStr for CommitId {
    type Err = InvalidCommitId;

    fn from_str(text: &str) -> Result<Self, InvalidCommitId> {
        let digits = text.strip_prefix(DIRECTORY).unwrap_or(text);
        let is_id = digits.len() == DIGITS
            && digits.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
        if is_id { Ok(Self(text.into())) } else { Err(InvalidCommitId) }
    }
}

impl Deref for CommitId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for CommitId {
    fn eq(&self, text: &str) -> bool {
        *self.0 == *text
    }
}

impl PartialEq<&str> for CommitId {
    fn eq(&self, text: &&str) -> bool {
        *self.0 == **text
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl schemars::JsonSchema for CommitId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CommitId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_forty_digits_in_lower_case_and_a_directorys_says_so() {
        let digits = "0123456789abcdef0123456789abcdef01234567";
        let directory = CommitId::of_directory(&format!("{digits}89"));
        assert_eq!(directory.as_str(), format!("dir-{digits}"));
        assert_eq!(directory.as_str().parse(), Ok(directory));
        assert_eq!(digits.parse::<CommitId>().unwrap(), digits);
        for wrong in ["", "main", "dir-", &digits[1..], &digits.to_uppercase(), &format!("{digits}8")] {
            assert_eq!(wrong.parse::<CommitId>(), Err(InvalidCommitId), "{wrong}");
        }
    }

    #[test]
    fn on_the_wire_it_is_its_text_whatever_that_is() {
        let id: CommitId = serde_json::from_str("\"c1\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"c1\"");
    }
}
