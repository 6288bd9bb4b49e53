//! What an account leaves behind besides its home directory, and is removed with it: jobs, which would run for the next
//! user with its name or id, and `linger`, for which systemd would start that user's manager at each boot.

use std::path::{Path, PathBuf};

use holdfast_catalog::resource::User;
use holdfast_catalog::resource::attribute::Presence;

use super::{Change, Property, command};
use crate::provider::{Error, Reading, Writing};
use crate::system::{FileKind, Inspect};

/// Directories with one file for each user, and what such a file is.
const BY_NAME: [(&str, &str); 3] = [
    ("/var/spool/cron/crontabs", "a crontab"),
    ("/var/spool/cron", "a crontab"),
    ("/var/lib/systemd/linger", "`linger`"),
];

/// Directories with the jobs of `at`, each of which runs as the owner of its file.
const JOBS_OF_AT: [&str; 2] = ["/var/spool/cron/atjobs", "/var/spool/at"];

/// The change if something of a removed account is left.
pub(super) fn differences(want: &User, reading: Reading<'_>) -> Result<Vec<Change>, Error> {
    let left = by_name(want, reading)?;
    let is: Vec<_> = left.iter().map(|(path, what)| format!("{what} ({})", path.display())).collect();
    let is = format!("absent, but for {}", is.join(" and "));
    Ok((!left.is_empty()).then(|| Change::new(Property::Ensure, is, Presence::Absent)).into_iter().collect())
}

/// The files with the user's name that no `file` of the catalog manages.
fn by_name(want: &User, reading: Reading<'_>) -> Result<Vec<(PathBuf, &'static str)>, Error> {
    let mut found = Vec::new();
    for (directory, what) in BY_NAME.into_iter().filter(|_| want.manage_home) {
        let path = format!("{directory}/{}", want.title);
        let is_file =
            reading.machine.lstat(Path::new(&path))?.is_some_and(|stat| stat.kind == FileKind::File);
        if is_file && !reading.named.has_file(&path) {
            found.push((path.into(), what));
        }
    }
    Ok(found)
}

/// Removes the account if it exists, and then what it leaves behind.
pub(super) fn remove(want: &User, writing: Writing<'_>) -> Result<(), Error> {
    let machine = writing.machine;
    let accounts = machine.accounts()?;
    let mut left = Vec::new();
    if let Some(account) = accounts.user(want.title.as_str()) {
        let is_shared = accounts.users().iter().filter(|other| other.uid == account.uid).count() > 1;
        if want.manage_home && !is_shared {
            left = jobs_of_at(account.uid, machine)?;
        }
        writing.run(&command::removing(want))?;
    }
    left.extend(by_name(want, writing.reading())?.into_iter().map(|(path, _)| path));
    left.iter().try_for_each(|path| Ok(machine.remove(path)?))
}

fn jobs_of_at(uid: u32, machine: &dyn Inspect) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for directory in JOBS_OF_AT.map(Path::new) {
        if machine.stat(directory)?.is_none_or(|stat| stat.kind != FileKind::Directory) {
            continue;
        }
        for name in machine.list(directory)? {
            let path = directory.join(name);
            let stat = machine.lstat(&path)?;
            found.extend(
                stat.is_some_and(|stat| stat.kind == FileKind::File && stat.uid == uid).then_some(path),
            );
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::resource::TypedResource;

    use super::*;
    use crate::provider::Plan;
    use crate::provider::trial::{self, want};
    use crate::provider::user::Users;
    use crate::system::double::{Double, said};

    const CRONTAB: &str = "/var/spool/cron/crontabs/alice";
    const LINGER: &str = "/var/lib/systemd/linger/alice";
    const JOB: &str = "/var/spool/cron/atjobs/a0000101";

    fn machine() -> Double {
        let double = Double::new(|_| Some(said("")));
        double.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:4301:4301::/home/alice:/bin/sh\n");
        double.put("/etc/group", "");
        [CRONTAB, LINGER, JOB, "/var/spool/cron/crontabs/bob"].iter().for_each(|path| double.put(path, ""));
        double
    }

    fn is_there(machine: &Double, path: &str) -> bool {
        machine.root.path().join(&path[1..]).exists()
    }

    fn gone(manage_home: bool) -> User {
        want("alice", &[("ensure", "absent".into()), ("manage_home", manage_home.into())])
    }

    #[test]
    fn jobs_go_with_the_account_and_so_do_those_that_an_earlier_one_left() {
        let machine = machine();
        let is_root = crate::skip::is_root();
        if is_root {
            let job = machine.root.path().join(&JOB[1..]);
            std::os::unix::fs::chown(job, Some(4301), None).unwrap();
        }
        assert!(trial::correct(&Users, &machine, &gone(true)).unwrap().failed.is_empty());
        assert_eq!(machine.ran(), ["userdel --remove -- alice"]);
        assert!(!is_there(&machine, CRONTAB) && !is_there(&machine, LINGER));
        assert!(is_there(&machine, "/var/spool/cron/crontabs/bob"));
        assert_eq!(is_there(&machine, JOB), !is_root, "it would run as whoever gets the id next");

        machine.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
        assert_eq!(trial::changes(&Users, &machine, &gone(true)), []);
        machine.put(CRONTAB, "* * * * * true\n");
        assert_eq!(
            trial::said(&trial::changes(&Users, &machine, &gone(true))),
            [format!("ensure: absent, but for a crontab ({CRONTAB}) -> absent")]
        );
        assert!(trial::correct(&Users, &machine, &gone(true)).unwrap().failed.is_empty());
        assert_eq!((is_there(&machine, CRONTAB), machine.ran().len()), (false, 1), "nobody is removed again");
    }

    #[test]
    fn what_is_not_managed_or_another_resources_stays() {
        let machine = machine();
        assert!(trial::correct(&Users, &machine, &gone(false)).unwrap().failed.is_empty());
        assert_eq!(machine.ran(), ["userdel -- alice"]);
        assert!(is_there(&machine, CRONTAB) && is_there(&machine, LINGER));

        machine.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
        assert_eq!(trial::changes(&Users, &machine, &gone(false)), []);
        let all = [CRONTAB, LINGER].map(|path| TypedResource::File(want(path, &[("content", "".into())])));
        assert_eq!(trial::plan_among(&Users, &machine, &gone(true), &all).unwrap(), Plan::IN_SYNC);
    }
}
