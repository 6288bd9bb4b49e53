//! Accounts for which cron runs nothing, although they exist: cron asks PAM before each job, and `pam_unix` refuses an
//! account that has expired according to `/etc/shadow`. A locked password alone does not stop cron.

use std::collections::BTreeMap;

use holdfast_catalog::resource::Cron;
use holdfast_catalog::resource::attribute::Presence;

use crate::provider::Error;
use crate::system::{Inspect, accounts};

/// The field with the day on which the password was last changed; 0 if it must be changed at the next login.
const CHANGED: usize = 2;
/// The field with the number of days after which a password must be changed.
const MOST: usize = 4;
/// The field with the day on which the account expires.
const EXPIRES: usize = 7;

const DAY: i64 = 24 * 3600;

/// Why cron runs nothing for a user, by name.
#[derive(Debug, Default)]
pub struct Expiries(BTreeMap<String, String>);

impl Expiries {
    /// Looks up all users that run jobs.
    pub fn look(all: &[&Cron], machine: &dyn Inspect) -> Result<Self, Error> {
        let present = all.iter().filter(|want| want.ensure == Presence::Present);
        let users: Vec<&str> = present.map(|want| want.runs_as()).collect();
        if users.is_empty() {
            return Ok(Self::default());
        }
        let shadow = accounts::shadow(machine)?;
        let today = machine.now().div_euclid(DAY);
        let mut found = BTreeMap::new();
        for line in shadow.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let Some(why) = refused(&fields, today).filter(|_| users.contains(&fields[0])) {
                found.entry(fields[0].to_owned()).or_insert(why);
            }
        }
        Ok(Self(found))
    }

    /// Why cron does not run a job.
    pub fn why(&self, want: &Cron) -> Option<String> {
        let user = want.runs_as();
        let why = self.0.get(user)?;
        Some(format!("{why}, and cron runs nothing for that user: see `chage --list {user}`"))
    }
}

/// Why PAM refuses a user on this day, according to the fields of the shadow line.
fn refused(fields: &[&str], today: i64) -> Option<String> {
    // An empty or negative field is not set.
    let field = |at: usize| fields.get(at)?.parse::<i64>().ok().filter(|days| *days >= 0);
    let user = fields.first().copied().unwrap_or_default();
    if field(EXPIRES).is_some_and(|day| today >= day) {
        return Some(format!("the account of the user `{user}` has expired"));
    }
    let changed = field(CHANGED)?;
    if changed == 0 {
        return Some(format!("the password of the user `{user}` must be changed at the next login"));
    }
    let is_old = field(MOST).is_some_and(|most| today - changed > most);
    is_old.then(|| format!("the password of the user `{user}` has expired"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_judged_as_pam_judges_it() {
        let refused = |line: &str| refused(&line.split(':').collect::<Vec<_>>(), 20_000);
        for fine in [
            "a:!:19000:0:99999:7:::",
            "a:*:19000::::::",
            "a:$y$x:19000:0:1000:7::20001:",
            "a:!:20500:0:30:7:::",
            "a:!::::::-1:",
            "a:!",
            "",
        ] {
            assert_eq!(refused(fine), None, "{fine}");
        }
        for (line, why) in [
            ("a:!:19000:0:99999:7::20000:", "account of the user `a` has expired"),
            ("a:!:19000:0:99999:7::0:", "account of the user `a` has expired"),
            ("a:$y$x:0:0:99999:7:::", "must be changed at the next login"),
            ("a:$y$x:19000:0:999:7:::", "password of the user `a` has expired"),
        ] {
            assert!(refused(line).is_some_and(|said| said.contains(why)), "{line}: {:?}", refused(line));
        }
    }
}
