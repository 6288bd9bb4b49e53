//! What is planned for a key, what the file is afterwards, and what a hostile user cannot cause.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt, lchown, symlink};
use std::path::PathBuf;

use holdfast_catalog::resource::TypedResource;
use holdfast_catalog::value::Value;

use super::*;
use crate::content;
use crate::provider::trial::{self, want};
use crate::system::double::{Double, said};

const A: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJZTZYpbxf5B6S7xh0bZmyP1yAyuoVYuBQSyfDbYq0sG";
const B: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIBl+9sn4g2nTpDNGrGBdqPpgBvQmRzrxfRLUeWUEjXxQ";
const ALICE: u32 = 4301;

/// A machine with a user and her home directory; `None` if the tests cannot change the owner of files.
fn machine() -> Option<Double> {
    let double = Double::new(|_| None);
    double.put(
        "/etc/passwd",
        "root:x:0:0::/root:/bin/sh\nalice:x:4301:4301::/home/alice:/bin/sh\nbob:x:4302:4302:::\n",
    );
    double.put("/etc/group", "");
    std::fs::create_dir_all(double.root.path().join("home/alice")).unwrap();
    std::fs::create_dir(double.root.path().join("root")).unwrap();
    crate::skip::is_root().then(|| {
        give(&double, "home/alice");
        double
    })
}

fn at(machine: &Double, path: &str) -> PathBuf {
    machine.root.path().join(path)
}

fn give(machine: &Double, path: &str) {
    lchown(at(machine, path), Some(ALICE), Some(ALICE)).unwrap();
}

/// Puts the file and its directory there, as alice would.
fn put(machine: &Double, text: &str) {
    machine.put("/home/alice/.ssh/authorized_keys", text);
    for (path, mode) in [("home/alice/.ssh", 0o700), ("home/alice/.ssh/authorized_keys", 0o600)] {
        give(machine, path);
        std::fs::set_permissions(at(machine, path), PermissionsExt::from_mode(mode)).unwrap();
    }
}

fn file(machine: &Double) -> String {
    std::fs::read_to_string(at(machine, "home/alice/.ssh/authorized_keys"))
        .unwrap()
        .replace(A, "$A")
        .replace(B, "$B")
}

fn key(attributes: &[(&str, Value)]) -> AuthorizedKey {
    let common = [("user", Value::from("alice")), ("key", A.into())];
    let common = common.into_iter().filter(|(name, _)| attributes.iter().all(|(other, _)| name != other));
    want("laptop", &common.chain(attributes.iter().cloned()).collect::<Vec<_>>())
}

fn changes(machine: &Double, want: &AuthorizedKey) -> Vec<String> {
    trial::said(&trial::changes(&AuthorizedKeys, machine, want))
}

#[test]
fn a_first_key_brings_a_directory_and_a_file_that_sshd_takes() {
    let Some(machine) = machine() else { return };
    assert_eq!(changes(&machine, &key(&[])), ["ensure: absent -> present"]);
    trial::correct(&AuthorizedKeys, &machine, &key(&[])).unwrap();
    assert_eq!(file(&machine), "ssh-ed25519 $A laptop\n");
    for (path, mode) in [("home/alice/.ssh", 0o40700), ("home/alice/.ssh/authorized_keys", 0o100_600)] {
        let meta = std::fs::metadata(at(&machine, path)).unwrap();
        assert_eq!((meta.mode(), meta.uid(), meta.gid()), (mode, ALICE, ALICE), "{path}");
    }
    assert_eq!(changes(&machine, &key(&[])), [""; 0]);
}

#[test]
fn each_property_is_seen_by_itself_and_other_keys_stay() {
    let Some(machine) = machine() else { return };
    let options = [("options", Value::from(vec![Value::from("no-pty"), "from=\"::1\"".into()]))];
    let fingerprints = [A, B].map(|key| fingerprint(key.as_bytes()));
    for (text, change) in [
        (format!("no-pty,from=\"::1\" ssh-rsa {A} laptop"), "type: ssh-rsa -> ssh-ed25519".to_owned()),
        (
            format!("no-pty,from=\"::1\" ssh-ed25519 {B} laptop"),
            format!("key: {} -> {}", fingerprints[1], fingerprints[0]),
        ),
        (format!("no-pty ssh-ed25519 {A} laptop"), "options: no-pty -> no-pty,from=\"::1\"".to_owned()),
        (
            format!("no-pty,from=\"::1\" ssh-ed25519 {A} laptop\nssh-ed25519 {A} laptop"),
            "options: no-pty,from=\"::1\" (and on another line)  -> no-pty,from=\"::1\"".to_owned(),
        ),
    ] {
        put(&machine, &format!("# hers\nssh-rsa AAAA other\n{text}\n"));
        assert_eq!(changes(&machine, &key(&options)), [change]);
        trial::correct(&AuthorizedKeys, &machine, &key(&options)).unwrap();
        let wanted = "# hers\nssh-rsa AAAA other\nno-pty,from=\"::1\" ssh-ed25519 $A laptop\n";
        assert_eq!(file(&machine), wanted);
        assert_eq!(changes(&machine, &key(&options)), [""; 0]);
    }
    let absent = key(&[("ensure", "absent".into())]);
    assert_eq!(changes(&machine, &absent), ["ensure: present -> absent"]);
    trial::correct(&AuthorizedKeys, &machine, &absent).unwrap();
    assert_eq!(file(&machine), "# hers\nssh-rsa AAAA other\n");
}

#[test]
fn a_rotated_key_opens_nothing_whatever_comments_the_two_came_with() {
    let Some(machine) = machine() else { return };
    let line = |material, comment| ("key", Value::from(format!("ssh-ed25519 {material} {comment}")));
    put(&machine, &format!("ssh-ed25519 {A} alice@old\n"));
    let old = key(&[line(A, "alice@old")]);
    let fingerprint = fingerprint(A.as_bytes());
    assert_eq!(changes(&machine, &old), [format!("key: {fingerprint}, called `alice@old` -> {fingerprint}")]);
    trial::correct(&AuthorizedKeys, &machine, &old).unwrap();
    assert_eq!(file(&machine), "ssh-ed25519 $A laptop\n");
    assert_eq!(changes(&machine, &old), [""; 0]);
    let new = key(&[line(B, "alice@new")]);
    trial::correct(&AuthorizedKeys, &machine, &new).unwrap();
    assert_eq!(file(&machine), "ssh-ed25519 $B laptop\n");
    assert_eq!(changes(&machine, &new), [""; 0]);
}

#[test]
fn a_key_that_two_give_is_called_by_either_title() {
    let Some(machine) = machine() else { return };
    let second: AuthorizedKey = want("second", &[("user", "alice".into()), ("key", A.into())]);
    trial::correct(&AuthorizedKeys, &machine, &second).unwrap();
    let all = [TypedResource::AuthorizedKey(key(&[])), TypedResource::AuthorizedKey(second)];
    let plan = trial::plan_among(&AuthorizedKeys, &machine, &key(&[]), &all).unwrap();
    assert_eq!(plan, Plan::IN_SYNC);
}

#[test]
fn what_sshd_would_refuse_is_corrected() {
    let Some(machine) = machine() else { return };
    for (path, mode, uid) in [
        ("home/alice/.ssh", 0o777, ALICE),
        ("home/alice/.ssh/authorized_keys", 0o664, ALICE),
        ("home/alice/.ssh/authorized_keys", 0o600, 0),
        ("home/alice/.ssh/authorized_keys", 0o644, 4444),
    ] {
        put(&machine, &format!("ssh-ed25519 {A} laptop\n"));
        lchown(at(&machine, path), Some(uid), Some(uid)).unwrap();
        std::fs::set_permissions(at(&machine, path), PermissionsExt::from_mode(mode)).unwrap();
        let said = changes(&machine, &key(&[]));
        assert_eq!(
            said,
            [format!(
                "ensure: {REFUSES}: /{path} belongs to user id {uid} and has mode {mode:04o} -> present"
            )]
        );
        trial::correct(&AuthorizedKeys, &machine, &key(&[])).unwrap();
        assert_eq!(changes(&machine, &key(&[])), [""; 0]);
    }
}

#[test]
fn a_planted_link_leads_nowhere() {
    let Some(machine) = machine() else { return };
    machine.put("/etc/shadow", "root:secret:\n");
    std::fs::set_permissions(at(&machine, "etc/shadow"), PermissionsExt::from_mode(0o640)).unwrap();
    let untouched = |what: &str| {
        assert_eq!(std::fs::read_to_string(at(&machine, "etc/shadow")).unwrap(), "root:secret:\n", "{what}");
        assert!(std::fs::read_dir(at(&machine, "root")).unwrap().next().is_none(), "{what}");
        assert_eq!(std::fs::metadata(at(&machine, "root")).unwrap().uid(), 0, "{what}");
    };
    let refused =
        |want: &AuthorizedKey| trial::plan(&AuthorizedKeys, &machine, want).unwrap_err().to_string();

    symlink("/root", at(&machine, "home/alice/.ssh")).unwrap();
    give(&machine, "home/alice/.ssh");
    assert!(refused(&key(&[])).contains("is not followed"));
    assert!(trial::writing(&machine, |writing| AuthorizedKeys.apply(&key(&[]), &[], writing)).is_err());
    untouched("a directory that is a link");
    std::fs::remove_file(at(&machine, "home/alice/.ssh")).unwrap();

    put(&machine, "");
    let planted = at(&machine, "home/alice/.ssh/authorized_keys");
    std::fs::remove_file(&planted).unwrap();
    symlink("/etc/shadow", &planted).unwrap();
    give(&machine, "home/alice/.ssh/authorized_keys");
    assert!(refused(&key(&[])).contains("is not followed"));
    assert!(trial::writing(&machine, |writing| AuthorizedKeys.apply(&key(&[]), &[], writing)).is_err());
    untouched("a file that is a link");

    std::fs::remove_file(&planted).unwrap();
    std::fs::hard_link(at(&machine, "etc/shadow"), &planted).unwrap();
    trial::correct(&AuthorizedKeys, &machine, &key(&[])).unwrap();
    untouched("a hard link");
    assert!(!std::fs::read_to_string(&planted).unwrap().contains("secret"));
}

#[test]
fn what_is_not_the_users_is_not_given_to_them_wherever_they_move_it() {
    let Some(machine) = machine() else { return };
    let private = |path: &str, mode: u32| {
        lchown(at(&machine, path), Some(0), Some(0)).unwrap();
        std::fs::set_permissions(at(&machine, path), PermissionsExt::from_mode(mode)).unwrap();
    };
    put(&machine, "the machine's secret\n");
    private("home/alice/.ssh/authorized_keys", 0o600);
    trial::correct(&AuthorizedKeys, &machine, &key(&[])).unwrap();
    let text = std::fs::read_to_string(at(&machine, "home/alice/.ssh/authorized_keys")).unwrap();
    assert!(text.contains(A) && !text.contains("secret"), "{text}");

    machine.put("/home/alice/.ssh/dump", "the machine's secret\n");
    private("home/alice/.ssh", 0o700);
    let error = trial::correct(&AuthorizedKeys, &machine, &key(&[])).unwrap_err().to_string();
    assert!(error.contains("check what it contains"), "{error}");
    assert_eq!(std::fs::metadata(at(&machine, "home/alice/.ssh")).unwrap().uid(), 0);
}

#[test]
fn a_target_elsewhere_is_roots_and_readable() {
    let Some(machine) = machine() else { return };
    let want = key(&[("target", "/etc/ssh/keys/alice".into())]);
    let plan = trial::plan(&AuthorizedKeys, &machine, &want).unwrap();
    assert_eq!(plan, Plan::pending(Need::path("/etc/ssh/keys", "there is no directory /etc/ssh/keys")));
    std::fs::create_dir_all(at(&machine, "etc/ssh/keys")).unwrap();
    trial::correct(&AuthorizedKeys, &machine, &want).unwrap();
    let meta = std::fs::metadata(at(&machine, "etc/ssh/keys/alice")).unwrap();
    assert_eq!((meta.mode() & 0o7777, meta.uid()), (0o644, 0));
    assert_eq!(changes(&machine, &want), [""; 0]);
}

#[test]
fn a_user_or_a_home_that_is_not_there_may_still_come() {
    let Some(machine) = machine() else { return };
    for user in ["nobody-here", "bob"] {
        let plan = trial::plan(&AuthorizedKeys, &machine, &key(&[("user", user.into())])).unwrap();
        assert!(matches!(&plan, Plan::Pending(need) if need.why.contains(user)), "{plan:?}");
        let absent = key(&[("user", user.into()), ("ensure", "absent".into())]);
        assert_eq!(trial::plan(&AuthorizedKeys, &machine, &absent).unwrap(), Plan::IN_SYNC);
    }
    std::fs::remove_dir(at(&machine, "home/alice")).unwrap();
    let plan = trial::plan(&AuthorizedKeys, &machine, &key(&[])).unwrap();
    assert_eq!(plan, Plan::pending(Need::path("/home/alice", "there is no directory /home/alice")));
}

#[test]
fn two_resources_do_not_contradict_each_other() {
    let Some(machine) = machine() else { return };
    let restricted =
        want("restricted", &[("user", "alice".into()), ("key", A.into()), ("options", "no-pty".into())]);
    let all = [TypedResource::AuthorizedKey(key(&[])), TypedResource::AuthorizedKey(restricted)];
    let named = CatalogClaims::new(&all);
    let reading = Reading {
        machine: &machine,
        content: &content::Nowhere,
        named: &named,
        state_dir: std::path::Path::new("/none"),
    };
    let seen = AuthorizedKeys.observe(&[], reading).unwrap();
    let refused = AuthorizedKeys.plan(&key(&[]), &seen, reading).unwrap_err().to_string();
    assert!(refused.contains("authorized_key[restricted]"), "{refused}");
}

#[test]
fn a_home_that_others_can_write_is_a_failure_at_each_run() {
    let Some(machine) = machine() else { return };
    trial::correct(&AuthorizedKeys, &machine, &key(&[])).unwrap();
    let home = at(&machine, "home/alice");
    for (owner, group, mode) in [(ALICE, ALICE, 0o777), (4302, ALICE, 0o755), (ALICE, 33, 0o775)] {
        lchown(&home, Some(owner), Some(group)).unwrap();
        std::fs::set_permissions(&home, PermissionsExt::from_mode(mode)).unwrap();
        for _ in 0..2 {
            let said = changes(&machine, &key(&[]));
            assert!(said[0].contains("StrictModes is off: the home /home/alice"), "{said:?}");
            let error = trial::correct(&AuthorizedKeys, &machine, &key(&[])).unwrap_err().to_string();
            assert!(error.contains(&format!("mode {mode:04o}")), "{error}");
        }
    }
    machine.put("/etc/group", "alice:x:4301:\n");
    for (owner, mode) in [(ALICE, 0o775), (0, 0o755)] {
        lchown(&home, Some(owner), Some(ALICE)).unwrap();
        std::fs::set_permissions(&home, PermissionsExt::from_mode(mode)).unwrap();
        assert_eq!(changes(&machine, &key(&[])), [""; 0], "{owner} {mode:o}");
    }
}

#[test]
fn a_home_that_its_group_can_write_is_the_users_where_nobody_else_is_in_that() {
    let Some(machine) = machine() else { return };
    trial::correct(&AuthorizedKeys, &machine, &key(&[])).unwrap();
    let home = at(&machine, "home/alice");
    lchown(&home, Some(ALICE), Some(ALICE)).unwrap();
    std::fs::set_permissions(&home, PermissionsExt::from_mode(0o775)).unwrap();
    let passwd = |of_bob: u32| format!("alice:x:4301:4301::/home/alice:/bin/sh\nbob:x:4302:{of_bob}:::\n");
    for (group, of_bob, is_taken) in [
        ("users:x:4301:\n", 4302, true),
        ("users:x:4301:alice\n", 4302, true),
        ("users:x:4301:\n", ALICE, false),
        ("users:x:4301:bob\n", 4302, false),
        ("users:x:4301:alice,bob\n", 4302, false),
        ("other:x:7:\n", 4302, false),
    ] {
        machine.put("/etc/group", group);
        machine.put("/etc/passwd", &passwd(of_bob));
        let said = changes(&machine, &key(&[]));
        assert_eq!(said.is_empty(), is_taken, "{group} {of_bob}: {said:?}");
        assert!(is_taken || said[0].contains("can write, and not only the user"), "{said:?}");
    }
}

/// The same machine, where sshd gives these answers for all users and for alice.
fn with_sshd(all: &'static str, of_alice: &'static str) -> Option<Double> {
    let of = |files: &str| said(&format!("port 22\nauthorizedkeysfile {files}\n"));
    let plain = machine()?;
    let Double { root, .. } = plain;
    let double = Double::at(root, move |command| match command.command.to_string().as_str() {
        "/usr/sbin/sshd -T" => Some(of(all)),
        "/usr/sbin/sshd -T -C user=alice,host=localhost,addr=127.0.0.1" => Some(of(of_alice)),
        _ => None,
    });
    double.put("/usr/sbin/sshd", "");
    Some(double)
}

#[test]
fn a_key_in_a_file_that_sshd_does_not_read_opens_nothing() {
    const USUAL: &str = ".ssh/authorized_keys .ssh/authorized_keys2";
    let plan = |all, of_alice, want: &AuthorizedKey| {
        let machine = with_sshd(all, of_alice)?;
        put(&machine, &format!("ssh-ed25519 {A} laptop\n"));
        Some(trial::plan(&AuthorizedKeys, &machine, want).map_err(|error| error.to_string()))
    };
    for files in ["/etc/ssh/user-keys/%u", "none"] {
        let Some(plan) = plan(files, files, &key(&[])) else { return };
        let why = plan.unwrap_err();
        let named = files.replace("%u", "alice");
        assert!(why.contains(&format!("it reads {named}")) && why.contains("`target`"), "{why}");
    }
    for (all, of_alice) in [
        (USUAL, USUAL),
        ("%h/.ssh/authorized_keys", USUAL),
        ("/etc/ssh/user-keys/%u", USUAL),
        ("/home/%u/.ssh/authorized_keys", "none"),
    ] {
        assert_eq!(plan(all, of_alice, &key(&[])), Some(Ok(Plan::IN_SYNC)), "{all} {of_alice}");
    }
    // The key is put there anyway. If sshd reads another file, that is only reported.
    let machine = with_sshd("none", "none").unwrap();
    assert_eq!(changes(&machine, &key(&[]))[0], "ensure: absent -> present");
    let elsewhere = key(&[("target", "/home/alice/keys".into())]);
    trial::correct(&AuthorizedKeys, &machine, &elsewhere).unwrap();
    let Plan::InSync(notes) = trial::plan(&AuthorizedKeys, &machine, &elsewhere).unwrap() else { panic!() };
    assert!(
        notes.len() == 1 && notes[0].note.as_deref().unwrap().contains("from /home/alice/keys"),
        "{notes:?}"
    );
}
