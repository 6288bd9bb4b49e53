//! What does not apply to this machine and excuses others: it would have brought what they lack.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_catalog::resource::User;

use super::super::turns::account;
use super::Correct;
use crate::provider::Needed;

impl Correct<'_, '_, '_> {
    /// The inapplicable resource that may have brought what this one needs, judged by what that is and where this one is.
    /// An account brings nothing but itself and its home directory.
    pub(super) fn lacking(&self, index: usize, needed: &Needed) -> Option<Arc<str>> {
        let without = &self.turns.reached(index).without;
        let paths = self.subjects[index].paths();
        let is_of = |title: &str| {
            let home = self.home(title);
            let mut places = needed.as_path().into_iter().chain(paths.iter().map(Path::new));
            needed.as_account() == Some(title)
                || home.is_some_and(|home| places.any(|path| path.starts_with(&home)))
        };
        without.iter().find(|name| account(name).is_none_or(is_of)).cloned()
    }

    /// The home directory of a user, from its resource, or else where `useradd` would put it. A group has none.
    fn home(&self, title: &str) -> Option<PathBuf> {
        let mut users = self.reading.named.of_type::<User>();
        let user = users.find(|user| user.title.as_str() == title)?;
        let home = user.home.as_ref().map(|home| home.as_str().into());
        Some(home.unwrap_or_else(|| Path::new("/home").join(title)))
    }
}
