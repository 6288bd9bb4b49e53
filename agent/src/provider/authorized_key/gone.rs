//! Removes keys from every file that sshd reads for a user, not only from the one to which keys are added.

use std::borrow::Cow;
use std::collections::HashMap;

use holdfast_catalog::resource::AuthorizedKey;
use holdfast_catalog::resource::attribute::Presence;

use super::place::{self, KeysFile};
use super::sshd::{KeySources, ReadFile};
use super::{Change, Property, given_to, lines};
use crate::provider::{CatalogClaims, Error, Writing};
use crate::system::accounts::Account;
use crate::system::{Accounts, Inspect};

/// The files that may contain a key that must be absent, by user.
pub(super) type FilesOfUsers = HashMap<String, Vec<ReadFile>>;

/// Finds the files in which to look for keys that must be absent.
pub(super) fn look(
    all: &[&AuthorizedKey],
    accounts: &Accounts,
    machine: &dyn Inspect,
) -> Result<FilesOfUsers, Error> {
    let mut found = FilesOfUsers::new();
    let mut sources = None;
    for want in all.iter().filter(|want| want.ensure == Presence::Absent && want.target.is_none()) {
        let Some(account) =
            place::account(want, accounts).filter(|_| !found.contains_key(want.user.as_str()))
        else {
            continue;
        };
        let sources = match &mut sources {
            Some(sources) => sources,
            none => none.insert(KeySources::ask(machine)?),
        };
        found.insert(want.user.to_string(), sources.of(&account, machine)?);
    }
    Ok(found)
}

/// The files of one key: the one that it names, or all files of its user.
fn files_of<'a>(want: &AuthorizedKey, accounts: &Accounts, all: &'a FilesOfUsers) -> Cow<'a, [ReadFile]> {
    match (&want.target, all.get(want.user.as_str())) {
        (None, Some(files)) => Cow::Borrowed(files),
        _ => {
            let place = KeysFile::of(want, accounts);
            Cow::Owned(
                place.map(|place| ReadFile { place, is_usual: true, is_shared: false }).into_iter().collect(),
            )
        }
    }
}

/// The files that contain a key, and the error if it stays, or may stay, in another one.
struct Holding<'a> {
    files: Vec<&'a ReadFile>,
    left: Option<Error>,
}

/// Looks for a key, except in files in which the catalog wants it for the same user.
fn holding<'a, 't>(
    want: &AuthorizedKey,
    files: &'a [ReadFile],
    text: impl Fn(&KeysFile) -> Result<Cow<'t, [u8]>, Error>,
    named: &CatalogClaims<'_>,
) -> Holding<'a> {
    let mut holding = Holding { files: Vec::new(), left: None };
    let is_given = |file: &ReadFile| {
        let gives = |other: &AuthorizedKey| {
            other.ensure == Presence::Present
                && other.user == want.user
                && other.key.material() == want.key.material()
                && other.target.as_ref().is_some_and(|target| target.as_str() == file.place.file)
        };
        want.target.is_none() && named.of_type::<AuthorizedKey>().any(gives)
    };
    for file in files.iter().filter(|file| !is_given(file)) {
        match text(&file.place) {
            Err(error) => holding.left = holding.left.or(Some(error)),
            Ok(text) if lines::has(&text, want.key.material()) => match kept(file, named) {
                None => holding.files.push(file),
                Some(why) => {
                    let (user, path) = (&want.user, &file.place.file);
                    let words = format!("the key still opens the account `{user}` by {path}, {why}");
                    holding.left = holding.left.or(Some(Error::Refused(words)));
                }
            },
            Ok(_) => {}
        }
    }
    holding
}

/// Why nothing is removed from a file; `None` if it can be.
fn kept(file: &ReadFile, named: &CatalogClaims<'_>) -> Option<&'static str> {
    if file.is_usual {
        None
    } else if file.is_shared {
        Some("which sshd reads for other users too; name that file by `target`, or remove the key by hand")
    } else {
        named
            .is_written(&file.place.file)
            .then_some("whose content another resource of the catalog says; take the key out there")
    }
}

/// The change for a key that must be absent.
pub(super) fn differences(
    want: &AuthorizedKey,
    seen: &super::Seen,
    named: &CatalogClaims<'_>,
) -> Result<Vec<Change>, Error> {
    let files = files_of(want, &seen.accounts, &seen.gone);
    let text = |place: &KeysFile| match seen.texts.get(&place.file) {
        Some(Ok(text)) => Ok(Cow::Borrowed(&**text)),
        Some(Err(error)) => Err(error.clone().into()),
        None => Ok(Cow::Borrowed(&[][..])),
    };
    let Holding { files, left } = holding(want, &files, text, named);
    match left {
        Some(error) if files.is_empty() => return Err(error),
        _ => {}
    }
    let elsewhere: Vec<_> =
        files.iter().filter(|file| !file.is_usual).map(|file| file.place.file.as_str()).collect();
    let change = (!files.is_empty()).then(|| {
        let change = Change::new(Property::Ensure, Presence::Present, Presence::Absent);
        if elsewhere.is_empty() { change } else { change.note(format!("in {}", elsewhere.join(" and "))) }
    });
    Ok(change.into_iter().collect())
}

/// Removes a key from all files in which that is possible. Fails afterwards if the key is left in one.
pub(super) fn remove(want: &AuthorizedKey, accounts: &Accounts, writing: Writing<'_>) -> Result<(), Error> {
    let all = look(&[want], accounts, writing.machine)?;
    let files = files_of(want, accounts, &all);
    let text = |place: &KeysFile| place.read(writing.machine).map(Cow::Owned);
    let Holding { files, left } = holding(want, &files, text, writing.named);
    let rewrite =
        |file: &ReadFile| file.place.rewrite(writing, |text| lines::without(text, want.key.material()));
    let failed = files.into_iter().filter_map(|file| rewrite(file).err());
    failed.chain(left).next().map_or(Ok(()), Err)
}

/// The lines in the files of a user that no resource put there, for people.
pub(in crate::provider) fn strays(
    user: &Account,
    sources: &KeySources,
    machine: &dyn Inspect,
    named: &CatalogClaims<'_>,
) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for file in sources.of(user, machine)? {
        let found = match file.place.read(machine) {
            Ok(text) => lines::strays(&text, &given_to(user, &file, named)),
            Err(error) => vec![format!("unknown: {error}")],
        };
        if file.is_usual {
            all.extend(found);
        } else if !found.is_empty() && (file.is_shared || kept(&file, named).is_none()) {
            all.extend(found.into_iter().map(|stray| format!("{stray} (in {})", file.place.file)));
        }
    }
    Ok(all)
}

/// Removes these lines where that is possible. Fails afterwards if some are left.
pub(in crate::provider) fn purge(user: &Account, writing: Writing<'_>) -> Result<(), Error> {
    let mut failed = None;
    for file in KeySources::ask(writing.machine)?.of(user, writing.machine)? {
        let given = given_to(user, &file, writing.named);
        let has_some = |text: &[u8]| !lines::strays(text, &given).is_empty();
        let done = file.place.read(writing.machine).and_then(|text| {
            match kept(&file, writing.named).filter(|_| has_some(&text)) {
                _ if !has_some(&text) => Ok(()),
                None => file.place.rewrite(writing, |text| lines::without_strays(text, &given)),
                Some(why) if file.is_shared => Err(Error::Refused(format!(
                    "{} opens the account `{}` by other keys than those of the catalog, {why}",
                    file.place.file, user.name
                ))),
                Some(_) => Ok(()),
            }
        });
        failed = failed.or(done.err());
    }
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::resource::{TypedResource, User};
    use holdfast_catalog::value::Value;

    use super::*;
    use crate::provider::authorized_key::AuthorizedKeys;
    use crate::provider::trial::{self, want};
    use crate::provider::user::Users;
    use crate::provider::{Plan, Provider};
    use crate::system::double::{Double, said};

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJZTZYpbxf5B6S7xh0bZmyP1yAyuoVYuBQSyfDbYq0sG";
    const SECOND: &str = "/home/alice/.ssh/authorized_keys2";

    /// A machine whose sshd reads these files.
    fn machine(files: &'static str) -> Double {
        let double = Double::new(move |command| {
            let is_sshd = command.command.to_string().starts_with("/usr/sbin/sshd -T");
            Some(said(if is_sshd { files } else { "" }))
        });
        let own = rustix::process::geteuid().as_raw();
        double.put(
            "/etc/passwd",
            &format!("alice:x:{own}:0::/home/alice:/bin/sh\nbob:x:7:7::/home/bob:/bin/sh\n"),
        );
        double.put("/usr/sbin/sshd", "");
        double
    }

    fn line() -> String {
        format!("ssh-ed25519 {KEY} laptop\n")
    }

    fn text(machine: &Double, path: &str) -> String {
        std::fs::read_to_string(machine.root.path().join(&path[1..])).unwrap_or_default()
    }

    fn gone() -> AuthorizedKey {
        want("laptop", &[("user", "alice".into()), ("key", KEY.into()), ("ensure", "absent".into())])
    }

    /// Plans a resource in a catalog and makes the changes; returns them, and the error if one failed.
    fn corrected<P: Provider>(
        provider: &P,
        machine: &Double,
        want: &P::Want,
        all: &[TypedResource],
    ) -> Result<(Vec<String>, Option<String>), Error> {
        let changes = match trial::plan_among(provider, machine, want, all)? {
            Plan::Changes(changes) => changes,
            _ => return Ok((Vec::new(), None)),
        };
        let named = CatalogClaims::new(all);
        let writing = trial::writing_to(machine, &named, machine.root.path());
        let error = match provider.apply(want, &changes, writing) {
            Ok(applied) => applied.failed.into_iter().next().map(|(_, error)| error),
            Err(error) => Some(error),
        };
        Ok((trial::said(&changes), error.map(|error| error.to_string())))
    }

    #[test]
    fn a_key_that_is_gone_is_in_no_file_that_sshd_reads() {
        const ELSEWHERE: &str = "/etc/ssh/keys/alice";
        for (files, path) in [
            ("authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2\n", SECOND),
            ("", SECOND),
            ("authorizedkeysfile /etc/ssh/keys/%u\n", ELSEWHERE),
            ("authorizedkeysfile /etc/ssh/keys/%u\n", "/home/alice/.ssh/authorized_keys"),
        ] {
            let machine = machine(files);
            machine.put(path, &format!("# kept\n{}", line()));
            let (said, error) = corrected(&AuthorizedKeys, &machine, &gone(), &[]).unwrap();
            assert_eq!((said, error), (vec!["ensure: present -> absent".to_owned()], None), "{files} {path}");
            assert_eq!(text(&machine, path), "# kept\n");
            assert_eq!(corrected(&AuthorizedKeys, &machine, &gone(), &[]).unwrap(), (vec![], None));
        }
        let machine = machine("authorizedkeysfile .ssh/authorized_keys\n");
        machine.put(SECOND, &line());
        assert_eq!(
            corrected(&AuthorizedKeys, &machine, &gone(), &[]).unwrap(),
            (vec![], None),
            "it opens nothing"
        );
    }

    #[test]
    fn a_key_that_cannot_be_taken_out_of_a_file_is_a_failure_that_names_it() {
        let machine = machine("authorizedkeysfile .ssh/authorized_keys /etc/ssh/all /etc/ssh/keys/%u\n");
        machine.put("/home/alice/.ssh/authorized_keys", &line());
        machine.put("/etc/ssh/all", &line());
        let (said, error) = corrected(&AuthorizedKeys, &machine, &gone(), &[]).unwrap();
        assert_eq!(said, ["ensure: present -> absent"]);
        let is_named = |error: &str| error.contains("`alice` by /etc/ssh/all") && error.contains("`target`");
        assert!(error.as_deref().is_some_and(is_named), "{error:?}");
        assert_eq!(text(&machine, "/home/alice/.ssh/authorized_keys"), "");
        let error = corrected(&AuthorizedKeys, &machine, &gone(), &[]).unwrap_err().to_string();
        assert!(is_named(&error), "{error}");
        std::fs::remove_file(machine.root.path().join("etc/ssh/all")).unwrap();

        // A file whose content the catalog sets is left alone.
        machine.put("/etc/ssh/keys/alice", &line());
        let file = TypedResource::File(want("/etc/ssh/keys/alice", &[("content", line().into())]));
        let error = corrected(&AuthorizedKeys, &machine, &gone(), &[file]).unwrap_err().to_string();
        assert!(error.contains("by /etc/ssh/keys/alice, whose content another resource"), "{error}");
        let target = ("target", "/etc/ssh/keys/alice".into());
        let given = [("user", Value::from("alice")), ("key", KEY.into()), target];
        let given = TypedResource::AuthorizedKey(want("moved", &given));
        assert_eq!(corrected(&AuthorizedKeys, &machine, &gone(), &[given]).unwrap(), (vec![], None));
    }

    #[test]
    fn a_file_that_a_user_spoils_keeps_no_key_in_another() {
        let machine = machine("");
        machine.put("/home/alice/.ssh/authorized_keys", &line());
        machine.put(&format!("{SECOND}/x"), "");
        let (_, error) = corrected(&AuthorizedKeys, &machine, &gone(), &[]).unwrap();
        assert!(error.as_deref().is_some_and(|error| error.contains(SECOND)), "{error:?}");
        assert_eq!(text(&machine, "/home/alice/.ssh/authorized_keys"), "");
        assert!(corrected(&AuthorizedKeys, &machine, &gone(), &[]).is_err());
    }

    #[test]
    fn a_purge_is_of_all_files_that_sshd_reads() {
        let machine = machine(
            "authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2 /etc/ssh/keys/%u /etc/ssh/all\n",
        );
        let purging: User = want("alice", &[("purge_ssh_keys", true.into())]);
        let given = |title: &str, more: &[(&str, Value)]| {
            let common = [("user", Value::from("alice")), ("key", KEY.into())];
            TypedResource::AuthorizedKey(want(title, &[&common[..], more].concat()))
        };
        // The same key without its options opens the account too.
        let all = [given("usual", &[]), given("other", &[("target", "/etc/ssh/all".into())])];
        for path in ["/home/alice/.ssh/authorized_keys", SECOND, "/etc/ssh/all"] {
            machine.put(path, &line());
        }
        machine.put("/etc/ssh/keys/alice", "ssh-rsa junk! old\n");
        let (said, error) = corrected(&Users, &machine, &purging, &all).unwrap();
        assert_eq!(error, None);
        assert_eq!(said.len(), 1);
        let shown = format!(
            "{} laptop (in {SECOND}), damaged old (in /etc/ssh/keys/alice)",
            super::super::fingerprint(KEY.as_bytes())
        );
        assert_eq!(said, [format!("purge_ssh_keys: {shown} -> none")]);
        assert_eq!(
            (text(&machine, SECOND), text(&machine, "/etc/ssh/keys/alice")),
            (String::new(), String::new())
        );
        assert_eq!(
            (text(&machine, "/etc/ssh/all"), text(&machine, "/home/alice/.ssh/authorized_keys")),
            (line(), line())
        );
        assert_eq!(corrected(&Users, &machine, &purging, &all).unwrap(), (vec![], None));
        // A file that is read for other users too is not purged.
        machine.put("/etc/ssh/all", &format!("{}ssh-rsa junk! bob\n", line()));
        let (said, error) = corrected(&Users, &machine, &purging, &all).unwrap();
        assert_eq!(said, ["purge_ssh_keys: damaged bob (in /etc/ssh/all) -> none"]);
        assert!(error.is_some_and(|error| error.contains("/etc/ssh/all opens the account `alice`")));
    }

    #[test]
    fn each_user_is_asked_for_where_the_configuration_may_tell_them_apart() {
        let asked = |config: &str| {
            let double = Double::new(|command| {
                let text = command.command.to_string();
                let files = if text.contains("user=alice") { "/etc/ssh/of-alice" } else { "none" };
                Some(said(&format!("authorizedkeysfile {files}\n")))
            });
            double.put("/etc/passwd", "alice:x:0:0::/home/alice:/bin/sh\n");
            double.put("/usr/sbin/sshd", "");
            double.put("/etc/ssh/sshd_config", config);
            let accounts = double.accounts().unwrap();
            let sources = KeySources::ask(&double).unwrap();
            let files = sources.of(accounts.user("alice").unwrap(), &double).unwrap();
            files.iter().map(|file| file.place.file.clone()).collect::<Vec<_>>()
        };
        let usual = "/home/alice/.ssh/authorized_keys";
        for all in ["Port 22\n#Match all\n", "Include /etc/ssh/sshd_config.d/*.conf\n"] {
            assert_eq!(asked(all), [usual], "{all}");
        }
        for some in ["match User alice\n", "Include \"/etc/ssh/more\"\n"] {
            assert_eq!(asked(some), [usual, "/etc/ssh/of-alice"], "{some}");
        }
    }
}
