//! What is planned for a group, and which commands are run for it.

use holdfast_catalog::resource::TypedResource;
use holdfast_catalog::value::Value;

use super::*;
use crate::provider::trial::{self, want};
use crate::system::double::{Double, said};

fn machine() -> Double {
    let double = Double::new(|_| Some(said("")));
    double.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1:1::/:\nbob:x:2:2::/:\n");
    double.put("/etc/group", "root:x:0:\nops:x:50:bob,alice\n");
    double
}

fn plan(want: &Group) -> Result<Plan, Error> {
    trial::plan(&Groups, &machine(), want)
}

/// The differences, and the commands that correct them.
fn corrected(title: &str, attributes: &[(&str, Value)]) -> (Vec<String>, Vec<String>) {
    let (machine, want) = (machine(), want(title, attributes));
    let changes = trial::said(&trial::changes(&Groups, &machine, &want));
    assert!(trial::correct(&Groups, &machine, &want).unwrap().failed.is_empty());
    (changes, machine.ran())
}

fn list(names: &[&str]) -> Value {
    names.iter().map(|name| Value::from(*name)).collect::<Vec<_>>().into()
}

#[test]
fn a_group_as_wanted_needs_nothing_in_whatever_order() {
    let nothing = (Vec::new(), Vec::new());
    assert_eq!(corrected("ops", &[("gid", 50.into()), ("members", list(&["alice", "bob"]))]), nothing);
    assert_eq!(corrected("ops", &[]), nothing);
    assert_eq!(corrected("gone", &[("ensure", "absent".into())]), nothing);
}

#[test]
fn each_property_is_corrected_by_itself() {
    for (title, attributes, change, commands) in [
        ("ops", vec![("gid", 51.into())], "gid: 50 -> 51", vec!["groupmod --gid 51 -- ops"]),
        (
            "ops",
            vec![("members", list(&["bob"]))],
            "members: alice,bob -> bob",
            vec!["gpasswd --members bob -- ops"],
        ),
        ("ops", vec![("members", list(&[]))], "members: alice,bob -> ", vec!["gpasswd --members  -- ops"]),
        ("ops", vec![("ensure", "absent".into())], "ensure: present -> absent", vec!["groupdel -- ops"]),
        (
            "new",
            vec![("gid", 60.into()), ("system", true.into()), ("members", list(&["bob", "alice"]))],
            "ensure: absent -> present",
            vec!["groupadd --gid 60 --system -- new", "gpasswd --members alice,bob -- new"],
        ),
    ] {
        let commands = commands.into_iter().map(str::to_owned).collect();
        assert_eq!(corrected(title, &attributes), (vec![change.to_owned()], commands));
    }
}

#[test]
fn a_member_who_is_not_there_may_still_come_and_the_first_group_stays() {
    let later = plan(&want("ops", &[("members", list(&["later", "alice", "never"]))])).unwrap();
    let why = "/etc/passwd has no `later`, `never`, which must be a member; manage the user too, or take the name out \
               of `members`";
    assert_eq!(later, Plan::pending(why.to_owned()));
    assert!(plan(&want("root", &[("ensure", "absent".into())])).is_err());
}

#[test]
fn a_member_who_waits_for_the_group_holds_it_up_no_longer() {
    let carol = |attributes: &[(&str, Value)]| [TypedResource::User(want("carol", attributes))];
    let plan_in = |machine: &Double, all: &[TypedResource], group: &Group| {
        trial::plan_among(&Groups, machine, group, all).unwrap()
    };
    let waiting = carol(&[("groups", list(&["new", "ops"]))]);
    let new = want("new", &[("members", list(&["carol", "bob"]))]);
    let ops = want("ops", &[("members", list(&["carol", "bob", "alice"]))]);
    let machine = machine();
    let Plan::Changes(changes) = plan_in(&machine, &waiting, &new) else { panic!("it is made without her") };
    assert!(changes[1].note.as_ref().unwrap().contains("carol"), "{changes:?}");
    assert!(
        trial::writing(&machine, |writing| Groups.apply(&new, &changes[..1], writing))
            .unwrap()
            .failed
            .is_empty()
    );
    assert_eq!(machine.ran(), ["groupadd -- new", "gpasswd --members bob -- new"]);
    assert!(matches!(plan_in(&machine, &waiting, &ops), Plan::InSync(notes) if notes.len() == 1));
    // Waits for a user who comes before it, or who is not going to exist.
    for all in [carol(&[]), carol(&[("ensure", "absent".into()), ("groups", list(&["new"]))])] {
        let is_coming = matches!(&all[0], TypedResource::User(user) if user.ensure == Presence::Present);
        let Plan::Pending(need) = plan_in(&machine, &all, &new) else { panic!("it is made without her") };
        assert_eq!(need.why.ends_with("which must be a member"), is_coming, "no cure is needed: {need}");
    }
    // Once her account exists, she is missing from the group.
    machine.put("/etc/passwd", "carol:x:3:3::/:\nalice:x:1:1::/:\nbob:x:2:2::/:\n");
    let Plan::Changes(changes) = plan_in(&machine, &waiting, &ops) else { panic!("she is not a member") };
    assert_eq!(trial::said(&changes), ["members: alice,bob -> alice,bob,carol"]);
}

#[test]
fn members_are_those_of_both_files() {
    for (shadow, change, command) in [
        ("ops:!::alice,bob\n", "", ""),
        ("other:!:carl:carl\n", "", ""),
        (
            "ops:!::bob,carl,alice\n",
            "members: alice,bob (in /etc/gshadow: alice,bob,carl) -> alice,bob",
            "gpasswd --members alice,bob -- ops",
        ),
        (
            "ops:!::\n",
            "members: alice,bob (in /etc/gshadow: nobody) -> alice,bob",
            "gpasswd --members alice,bob -- ops",
        ),
        (
            "ops:!:carl:alice,bob\n",
            "members: alice,bob (administered by carl) -> alice,bob",
            "gpasswd --administrators  --members alice,bob -- ops",
        ),
    ] {
        let (machine, want) = (machine(), want("ops", &[("members", list(&["alice", "bob"]))]));
        machine.put("/etc/gshadow", shadow);
        let changes = trial::said(&trial::changes(&Groups, &machine, &want));
        assert!(trial::correct(&Groups, &machine, &want).unwrap().failed.is_empty());
        let once = |text: &str| Vec::from_iter((!text.is_empty()).then(|| text.to_owned()));
        assert_eq!((changes, machine.ran()), (once(change), once(command)));
    }
}

#[test]
fn a_group_of_another_source_is_not_managed_and_a_member_may_be_of_one() {
    let machine = Double::new(|command| {
        Some(match command.command.to_string().as_str() {
            "getent passwd ldapu" => said("ldapu:*:60001:60001::/home/ldapu:/bin/sh\n"),
            "getent group ldapg" => said("ldapg:*:60002:\n"),
            _ => said(""),
        })
    });
    machine.put("/etc/group", "ops:x:50:\n");
    for ensure in ["present", "absent"] {
        let want = want("ldapg", &[("ensure", ensure.into())]);
        let error = trial::plan(&Groups, &machine, &want).unwrap_err().to_string();
        assert!(
            error.ends_with("(`group:` in /etc/nsswitch.conf), which `group` does not manage"),
            "{error}"
        );
    }
    let want = want("ops", &[("members", list(&["ldapu"]))]);
    assert_eq!(trial::said(&trial::changes(&Groups, &machine, &want)), ["members:  -> ldapu"]);
}
