//! What does not apply to this machine and excuses others: it would have brought what they lack.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_catalog::resource::User;

use super::super::turns::account;
use super::Correct;

/// Characters that surround a path in a text.
const AROUND: [char; 6] = ['`', ':', ',', ';', '(', ')'];

impl Correct<'_, '_, '_> {
    /// The inapplicable resource that may have brought what this one lacks, judged by what the error says and where the
    /// path is. An account brings nothing but itself and its home directory.
    pub(super) fn lacking(&self, index: usize, why: &str) -> Option<Arc<str>> {
        let without = &self.turns.reached(index).without;
        let paths = self.subjects[index].paths();
        let is_of = |title: &str| {
            let home = self.home(title);
            let mut said = paths_in(why).chain(paths.iter().map(Path::new));
            is_named(title, why) || home.is_some_and(|home| said.any(|path| path.starts_with(&home)))
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

/// Whether a text names an account, which messages write in backticks.
fn is_named(title: &str, text: &str) -> bool {
    text.split('`').skip(1).step_by(2).any(|name| name == title)
}

/// The absolute paths in a text.
fn paths_in(text: &str) -> impl Iterator<Item = &Path> {
    let words = text.split_whitespace().map(|word| word.trim_matches(AROUND).trim_end_matches('.'));
    words.filter(|word| word.starts_with('/')).map(Path::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_named_whole_or_not_at_all() {
        assert!(is_named("app", "there is no user `app`: manage it"));
        for other in
            ["there is no user `apply`", "there is no app", "`make` needs app, `x`", "/srv/app is not there"]
        {
            assert!(!is_named("app", other), "{other}");
        }
        let paths: Vec<_> =
            paths_in("`cp /a` is to run in /home/app, which is not there; (/b): /c.").collect();
        assert_eq!(paths, ["/a", "/home/app", "/b", "/c"].map(Path::new));
    }
}
