//! What is planned for a user, and what is run for it.

use std::sync::Mutex;

use holdfast_catalog::resource::Typed;
use holdfast_catalog::value::{Kind, Sensitive, Value};

use super::*;
use crate::content;
use crate::provider::Named;
use crate::provider::trial::{self, want};
use crate::system::double::{Double, said};

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/bash
deploy:x:1001:1001:Deployer:/home/deploy:/bin/sh
";
const GROUP: &str = "root:x:0:\ndeploy:x:1001:\nwww:x:33:deploy\nadm:x:4:deploy\nops:x:50:\nalice:x:1002:\n";
const SHADOW: &str = "root:*:1::::::\ndeploy:$6$old:1::::::\nlocked:!$6$x:1::::::\n";

fn secret(text: &str) -> Value {
    Kind::Sensitive(Sensitive::text(text)).into()
}

fn machine() -> Double {
    let double = Double::new(|_| Some(said("")));
    double.put("/etc/passwd", PASSWD);
    double.put("/etc/group", GROUP);
    double.put("/etc/shadow", SHADOW);
    double
}

fn plan(want: &User) -> Result<Plan, Error> {
    trial::plan(&Users, &machine(), want)
}

fn changes(title: &str, attributes: &[(&str, Value)]) -> Vec<String> {
    trial::said(&trial::changes(&Users, &machine(), &want(title, attributes)))
}

/// The commands that mend all that was planned.
fn commands(title: &str, attributes: &[(&str, Value)]) -> Vec<String> {
    let machine = machine();
    assert!(trial::mend(&Users, &machine, &want(title, attributes)).unwrap().failed.is_empty());
    machine.ran()
}

#[test]
fn an_account_as_wanted_needs_nothing() {
    let all: &[(&str, Value)] = &[
        ("uid", 1001.into()),
        ("gid", "deploy".into()),
        ("groups", vec![Value::from("www")].into()),
        ("home", "/home/deploy".into()),
        ("shell", "/bin/sh".into()),
        ("comment", "Deployer".into()),
        ("password", secret("$6$old")),
    ];
    assert_eq!(changes("deploy", all), [""; 0]);
    assert_eq!(changes("deploy", &[("gid", "1001".into())]), [""; 0]);
    assert_eq!(changes("nobody-here", &[("ensure", "absent".into())]), [""; 0]);
}

#[test]
fn each_property_is_compared_and_mended_by_itself() {
    for (name, value, change, command) in [
        ("uid", 2000.into(), "uid: 1001 -> 2000", "usermod --uid 2000 -- deploy"),
        ("gid", "ops".into(), "gid: deploy -> ops", "usermod --gid ops -- deploy"),
        ("gid", "50".into(), "gid: deploy -> 50", "usermod --gid 50 -- deploy"),
        (
            "home",
            "/srv/deploy".into(),
            "home: /home/deploy -> /srv/deploy",
            "usermod --home /srv/deploy -- deploy",
        ),
        ("shell", "/bin/bash".into(), "shell: /bin/sh -> /bin/bash", "usermod --shell /bin/bash -- deploy"),
        ("comment", "".into(), "comment: Deployer -> ", "usermod --comment  -- deploy"),
    ] {
        let attributes = [(name, value)];
        assert_eq!(changes("deploy", &attributes), [change]);
        assert_eq!(commands("deploy", &attributes), [command]);
    }
}

#[test]
fn groups_are_the_least_or_the_whole() {
    let groups = |list: &[&str]| Value::from(list.iter().map(|name| Value::from(*name)).collect::<Vec<_>>());
    let least = [("groups", groups(&["www", "ops"]))];
    assert_eq!(changes("deploy", &least), ["groups: www -> ops,www"]);
    assert_eq!(commands("deploy", &least), ["usermod --append --groups ops,www -- deploy"]);
    let whole = [("groups", groups(&["www"])), ("membership", "inclusive".into())];
    assert_eq!(changes("deploy", &whole), ["groups: adm,www -> www"]);
    assert_eq!(commands("deploy", &whole), ["usermod --groups www -- deploy"]);
    let none = [("groups", groups(&[])), ("membership", "inclusive".into())];
    assert_eq!(commands("deploy", &none), ["usermod --groups  -- deploy"]);
}

#[test]
fn a_new_account_is_made_whole_with_the_group_that_has_its_name() {
    let attributes = [
        ("uid", 1002.into()),
        ("groups", vec![Value::from("www")].into()),
        ("shell", "/bin/bash".into()),
        ("manage_home", true.into()),
    ];
    assert_eq!(changes("alice", &attributes), ["ensure: absent -> present"]);
    assert_eq!(
        commands("alice", &attributes),
        ["useradd --uid 1002 --gid alice --groups www --shell /bin/bash --create-home -- alice"]
    );
    assert_eq!(commands("bob", &[("system", true.into())]), ["useradd --no-create-home --system -- bob"]);
}

#[test]
fn a_password_goes_by_standard_input_alone_and_is_never_shown() {
    static INPUTS: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
    let machine = Double::new(|invocation| {
        INPUTS.lock().unwrap().extend(invocation.input.iter().map(|input| input.bytes().to_vec()));
        Some(said(""))
    });
    machine.put("/etc/passwd", PASSWD);
    let want = want("deploy", &[("password", secret("$6$new$hash"))]);
    let Plan::Changes(planned) = plan(&want).unwrap() else { panic!("in sync") };
    assert_eq!((planned[0].is.text(), planned[0].should.text()), ("[sensitive]", "[sensitive]"));
    trial::writing(&machine, |writing| Users.apply(&want, &planned, writing)).unwrap();
    assert_eq!(machine.ran(), ["chpasswd --encrypted"]);
    assert_eq!(*INPUTS.lock().unwrap(), [b"deploy:$6$new$hash\n"]);
}

#[test]
fn a_locked_account_is_any_that_no_password_opens() {
    let account = Account {
        name: "locked".into(),
        uid: 7,
        gid: 7,
        comment: String::new(),
        home: "/".into(),
        shell: "/bin/sh".into(),
    };
    let has = |is: &str, should: &str| {
        let hashes = HashMap::from([("locked".to_owned(), Zeroizing::new(is.to_owned()))]);
        has_password(should, &account, &Found { accounts: Arc::default(), hashes, strays: HashMap::new() })
    };
    assert!(has("!$6$x", "!") && has("*", "!") && has("!!", "!") && has("$6$x", "$6$x"));
    assert!(!has("$6$x", "!") && !has("!$6$x", "$6$x") && !has("", "!"));
}

#[test]
fn what_would_break_the_files_or_the_machine_is_refused_without_showing_a_secret() {
    let refused = |title: &str, attributes: &[(&str, Value)]| {
        plan(&want::<User>(title, attributes)).unwrap_err().to_string()
    };
    let error = refused("deploy", &[("password", secret("x\nroot:$6$mine"))]);
    assert!(error.contains("line break") && !error.contains("mine"), "{error}");
    assert!(refused("deploy", &[("comment", "a:b".into())]).contains("comment"));
    assert!(refused("root", &[("ensure", "absent".into())]).contains("user id 0"));
}

#[test]
fn keys_that_no_resource_gives_are_removed() {
    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJZTZYpbxf5B6S7xh0bZmyP1yAyuoVYuBQSyfDbYq0sG";
    const FILE: &str = "/home/deploy/.ssh/authorized_keys";
    let purging = want::<User>("deploy", &[("purge_ssh_keys", true.into()), ("shell", "/bin/bash".into())]);
    let given = want("laptop", &[("user", "deploy".into()), ("key", KEY.into())]);
    let all = [Typed::AuthorizedKey(given)];
    let named = Named::new(&all);
    let machine = machine();
    machine.put(FILE, &format!("# kept\nssh-ed25519 {KEY} laptop\nssh-rsa junk! stray\n"));
    let reading = Reading { machine: &machine, content: &content::Nowhere, named: &named };
    let planned =
        || match Users.plan(&purging, &Users.observe(&[&purging], reading).unwrap(), reading).unwrap() {
            Plan::Changes(changes) => changes,
            other => panic!("{other:?}"),
        };
    let shell = "shell: /bin/sh -> /bin/bash";
    assert_eq!(trial::said(&planned()), [shell, "purge_ssh_keys: damaged stray -> none"]);
    let state_dir = machine.root.path();
    let writing = Writing { machine: &machine, content: &content::Nowhere, named: &named, state_dir };
    assert!(Users.apply(&purging, &planned(), writing).unwrap().failed.is_empty());
    let text = std::fs::read_to_string(machine.root.path().join(&FILE[1..])).unwrap();
    assert_eq!(text, format!("# kept\nssh-ed25519 {KEY} laptop\n"));
    assert_eq!(trial::said(&planned()), [shell]);
    // A user who puts something else there holds up the purge, and nothing but it.
    std::fs::remove_file(machine.root.path().join(&FILE[1..])).unwrap();
    std::fs::create_dir(machine.root.path().join(&FILE[1..])).unwrap();
    let applied = Users.apply(&purging, &planned(), writing).unwrap();
    assert_eq!(applied.failed.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [1]);
    assert_eq!(machine.ran().last().unwrap(), "usermod --shell /bin/bash -- deploy");
}

#[test]
fn a_group_that_is_not_there_may_still_come() {
    let plan = plan(&want("alice", &[("groups", vec![Value::from("later")].into())])).unwrap();
    assert_eq!(plan, Plan::Pending("there is no group `later`".to_owned()));
}
