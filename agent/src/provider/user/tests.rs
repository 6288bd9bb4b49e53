//! What is planned for a user, and which commands are run for it.

use std::path::Path;
use std::sync::Mutex;

use holdfast_catalog::resource::TypedResource;
use holdfast_catalog::value::{Kind, Sensitive, Value};

use super::*;
use crate::provider::CatalogClaims;
use crate::provider::Need;
use crate::provider::trial::{self, want};
use crate::system::double::{Double, failed, said};

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/bash
deploy:x:1001:1001:Deployer:/home/deploy:/bin/sh
";
const GROUP: &str = "root:x:0:\ndeploy:x:1001:\nwww:x:33:deploy\nadm:x:4:deploy\nops:x:50:\nalice:x:1002:\n";
const HASH: &str =
    "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/0";

fn secret(text: &str) -> Value {
    Kind::Sensitive(Sensitive::text(text)).into()
}

/// Puts a program at a path.
fn program(machine: &Double, path: &str) {
    machine.put(path, "");
    let access = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(machine.root.path().join(&path[1..]), access).unwrap();
}

fn machine() -> Double {
    let double = Double::new(|_| Some(said("")));
    ["/bin/sh", "/bin/bash"].iter().for_each(|shell| program(&double, shell));
    double.put("/etc/passwd", PASSWD);
    double.put("/etc/group", GROUP);
    double.put("/etc/shadow", &format!("root:*:1::::::\ndeploy:{HASH}:1::::::\n"));
    double
}

fn plan(want: &User) -> Result<Plan, Error> {
    trial::plan(&Users, &machine(), want)
}

fn changes(title: &str, attributes: &[(&str, Value)]) -> Vec<String> {
    trial::said(&trial::changes(&Users, &machine(), &want(title, attributes)))
}

/// The commands that correct everything that was planned.
fn commands(title: &str, attributes: &[(&str, Value)]) -> Vec<String> {
    let machine = machine();
    assert!(trial::correct(&Users, &machine, &want(title, attributes)).unwrap().failed.is_empty());
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
        ("password", secret(HASH)),
    ];
    assert_eq!(changes("deploy", all), [""; 0]);
    assert_eq!(changes("deploy", &[("gid", "1001".into())]), [""; 0]);
    assert_eq!(changes("nobody-here", &[("ensure", "absent".into())]), [""; 0]);
}

#[test]
fn each_property_is_compared_and_corrected_by_itself() {
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
fn groups_by_number_are_the_groups_that_have_them() {
    let groups = |list: &[&str]| Value::from(list.iter().map(|name| Value::from(*name)).collect::<Vec<_>>());
    assert_eq!(changes("deploy", &[("groups", groups(&["33"]))]), [""; 0]);
    assert_eq!(changes("deploy", &[("groups", groups(&["33", "adm"]))]), [""; 0]);
    assert_eq!(changes("deploy", &[("groups", groups(&["33", "50"]))]), ["groups: 33 -> 33,50"]);
    let whole = [("groups", groups(&["33"])), ("membership", "inclusive".into())];
    assert_eq!(changes("deploy", &whole), ["groups: 33,adm -> 33"]);
    let later = plan(&want("alice", &[("groups", groups(&["2000"]))])).unwrap();
    assert_eq!(
        later,
        Plan::pending(Need::account("2000", "there is no group `2000`; manage it too, or name another"))
    );
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
    let new = HASH.replace("saltsalt", "othersalt");
    let want = want("deploy", &[("password", secret(&new))]);
    let Plan::Changes(planned) = plan(&want).unwrap() else { panic!("in sync") };
    assert_eq!((planned[0].is.text(), planned[0].should.text()), ("[sensitive]", "[sensitive]"));
    trial::writing(&machine, |writing| Users.apply(&want, &planned, writing)).unwrap();
    assert_eq!(machine.ran(), ["chpasswd --encrypted"]);
    assert_eq!(*INPUTS.lock().unwrap(), [format!("deploy:{new}\n").into_bytes()]);
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
        has_password(should, &account, &UserDatabase { hashes, ..UserDatabase::default() })
    };
    assert!(has("!$6$x", "!") && has("*", "!") && has("!!", "!") && has("$6$x", "$6$x"));
    assert!(!has("$6$x", "!") && !has("!$6$x", "$6$x") && !has("", "!"));
}

#[test]
fn the_account_of_root_is_not_removed() {
    let refused = plan(&want("root", &[("ensure", "absent".into())])).unwrap_err().to_string();
    assert!(refused.contains("user id 0"), "{refused}");
}

/// A machine on which `usermod` and `mv` do what they are asked.
fn machine_that_moves(mv_fails: bool) -> Double {
    let place = Arc::new(Mutex::new(std::path::PathBuf::new()));
    let root = place.clone();
    let double = Double::new(move |invocation| {
        let at = |path: &str| root.lock().unwrap().join(path.trim_start_matches('/'));
        let command = invocation.command.to_string();
        match command.split(' ').collect::<Vec<_>>()[..] {
            ["usermod", option @ ("--home" | "--uid"), value, ..] => {
                let passwd = std::fs::read_to_string(at("etc/passwd")).unwrap();
                let [first, user] = [passwd.lines().next().unwrap(), passwd.lines().last().unwrap()];
                let mut fields: Vec<_> = user.split(':').collect();
                if option == "--uid" {
                    // The home directory gets the new id, as usermod(8) says.
                    let id = Some(value.parse().unwrap());
                    std::os::unix::fs::chown(at(fields[5]), id, None).unwrap();
                }
                fields[if option == "--home" { 5 } else { 2 }] = value;
                std::fs::write(at("etc/passwd"), format!("{first}\n{}\n", fields.join(":"))).unwrap();
            }
            ["mv", _, _, _, _] if mv_fails => return Some(failed(1, "No space left on device")),
            ["mv", _, _, from, to] => std::fs::rename(at(from), at(to)).unwrap(),
            _ => {}
        }
        Some(said(""))
    });
    double.root.path().clone_into(&mut place.lock().unwrap());
    double.put("/etc/passwd", PASSWD);
    double.put("/etc/group", GROUP);
    double
}

fn own_home(double: &Double) {
    double.put("/home/deploy/notes", "mine");
    std::os::unix::fs::chown(double.root.path().join("home/deploy"), Some(1001), Some(1001)).unwrap();
}

fn home_of(double: &Double) -> String {
    double.accounts().unwrap().user("deploy").unwrap().home.clone()
}

fn managed(home: &str) -> User {
    want("deploy", &[("home", home.into()), ("manage_home", true.into())])
}

#[test]
fn a_home_that_is_missing_is_made_from_the_skeleton_for_its_user() {
    use std::os::unix::fs::MetadataExt as _;
    if !crate::skip::is_root() {
        return;
    }
    let double = machine_that_moves(false);
    double.put("/etc/skel/.profile", "umask 027");
    double.put("/etc/skel/.config/deep/file", "x");
    std::os::unix::fs::symlink(".profile", double.root.path().join("etc/skel/.link")).unwrap();
    double.put("/etc/login.defs", "UMASK\t022\n#HOME_MODE 0777\nHOME_MODE\t0750\n");
    let want = managed("/home/deploy");
    assert_eq!(trial::said(&trial::changes(&Users, &double, &want)), ["manage_home: no directory -> true"]);
    assert!(trial::correct(&Users, &double, &want).unwrap().failed.is_empty());
    assert_eq!(trial::changes(&Users, &double, &want), [], "and then it is there");
    let home = double.root.path().join("home/deploy");
    for (path, mode) in
        [("", 0o750), (".profile", 0o644), (".config/deep", 0o755), (".config/deep/file", 0o644)]
    {
        let meta = std::fs::symlink_metadata(home.join(path)).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.gid()), (mode, 1001, 1001), "{path}");
    }
    assert_eq!(std::fs::read_link(home.join(".link")).unwrap(), Path::new(".profile"));
    assert_eq!(std::fs::read_dir(double.root.path().join("home")).unwrap().count(), 1);
}

#[test]
fn a_home_moves_with_its_user_and_never_over_something_else() {
    if !crate::skip::is_root() {
        return;
    }
    let double = machine_that_moves(false);
    own_home(&double);
    let want = managed("/srv/homes/deploy");
    assert_eq!(
        trial::said(&trial::changes(&Users, &double, &want)),
        ["home: /home/deploy -> /srv/homes/deploy"]
    );
    assert!(trial::correct(&Users, &double, &want).unwrap().failed.is_empty());
    assert!(double.root.path().join("srv/homes/deploy/notes").exists());
    assert_eq!(trial::changes(&Users, &double, &want), []);

    let double = machine_that_moves(false);
    own_home(&double);
    double.put("/srv/homes/deploy/theirs", "");
    let refused = trial::correct(&Users, &double, &want).unwrap().failed;
    assert!(refused[0].1.to_string().contains("already exists"), "{refused:?}");
    assert_eq!((home_of(&double).as_str(), double.ran().len()), ("/home/deploy", 0));
}

#[test]
fn a_home_moves_with_a_user_whose_id_changes_too() {
    if !crate::skip::is_root() {
        return;
    }
    let double = machine_that_moves(false);
    own_home(&double);
    let attributes = [("uid", 2001.into()), ("home", "/srv/deploy".into()), ("manage_home", true.into())];
    let want = want("deploy", &attributes);
    assert!(trial::correct(&Users, &double, &want).unwrap().failed.is_empty());
    let home = double.root.path().join("srv/deploy");
    assert!(home.join("notes").exists(), "its files came with it");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(home).unwrap()), 2001);
    assert_eq!(trial::changes(&Users, &double, &want), []);
}

#[test]
fn a_move_that_fails_leaves_the_account_where_its_files_are() {
    if !crate::skip::is_root() {
        return;
    }
    let double = machine_that_moves(true);
    own_home(&double);
    for _ in 0..2 {
        let failed = trial::correct(&Users, &double, &managed("/srv/deploy")).unwrap().failed;
        assert!(failed[0].1.to_string().contains("No space left"), "{failed:?}");
        assert_eq!(home_of(&double), "/home/deploy");
    }
}

#[test]
fn a_directory_that_is_not_the_users_own_is_not_moved() {
    let double = machine_that_moves(false);
    double.put("/home/deploy/system", "");
    std::os::unix::fs::chown(double.root.path().join("home/deploy"), Some(0), Some(0)).unwrap_or_default();
    if !crate::skip::is_root() {
        return;
    }
    assert!(trial::correct(&Users, &double, &managed("/srv/deploy")).unwrap().failed.is_empty());
    assert!(double.root.path().join("home/deploy/system").exists());
    assert!(double.root.path().join("srv/deploy").is_dir(), "a new one is made");
}

#[test]
fn a_home_that_is_left_behind_is_a_failure_until_it_is_gone() {
    let double = machine();
    double.put("/home/alice/mail", "");
    let gone = want("alice", &[("ensure", "absent".into()), ("manage_home", true.into())]);
    assert_eq!(trial::plan(&Users, &double, &gone).unwrap(), Plan::IN_SYNC, "it is somebody's");
    if !crate::skip::is_root() {
        return;
    }
    std::os::unix::fs::chown(double.root.path().join("home/alice"), Some(4711), None).unwrap();
    let refused = trial::plan(&Users, &double, &gone).unwrap_err().to_string();
    assert!(refused.contains("/home/alice") && refused.contains("4711"), "{refused}");
}

#[test]
fn keys_that_no_resource_gives_are_removed() {
    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJZTZYpbxf5B6S7xh0bZmyP1yAyuoVYuBQSyfDbYq0sG";
    const FILE: &str = "/home/deploy/.ssh/authorized_keys";
    let purging = want::<User>("deploy", &[("purge_ssh_keys", true.into()), ("shell", "/bin/bash".into())]);
    let given = want("laptop", &[("user", "deploy".into()), ("key", KEY.into())]);
    let all = [TypedResource::AuthorizedKey(given)];
    let machine = machine();
    machine.put(FILE, &format!("# kept\nssh-ed25519 {KEY} laptop\nssh-rsa junk! stray\n"));
    let planned = || match trial::plan_among(&Users, &machine, &purging, &all).unwrap() {
        Plan::Changes(changes) => changes,
        other => panic!("{other:?}"),
    };
    let shell = "shell: /bin/sh -> /bin/bash";
    assert_eq!(trial::said(&planned()), [shell, "purge_ssh_keys: damaged stray -> none"]);
    let named = CatalogClaims::new(&all);
    let writing = trial::writing_to(&machine, &named, machine.root.path());
    assert!(Users.apply(&purging, &planned(), writing).unwrap().failed.is_empty());
    let text = std::fs::read_to_string(machine.root.path().join(&FILE[1..])).unwrap();
    assert_eq!(text, format!("# kept\nssh-ed25519 {KEY} laptop\n"));
    assert_eq!(trial::said(&planned()), [shell]);
    // A user who puts something else there only holds up the purge.
    std::fs::remove_file(machine.root.path().join(&FILE[1..])).unwrap();
    std::fs::create_dir(machine.root.path().join(&FILE[1..])).unwrap();
    let applied = Users.apply(&purging, &planned(), writing).unwrap();
    assert_eq!(applied.failed.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [1]);
    assert_eq!(machine.ran().last().unwrap(), "usermod --shell /bin/bash -- deploy");
}

#[test]
fn a_group_that_is_not_there_may_still_come() {
    let plan = plan(&want("alice", &[("groups", vec![Value::from("later")].into())])).unwrap();
    assert_eq!(
        plan,
        Plan::pending(Need::account("later", "there is no group `later`; manage it too, or name another"))
    );
}

#[test]
fn a_home_that_is_a_link_to_nowhere_or_to_a_file_is_a_failure() {
    let double = machine();
    double.put("/srv/file", "");
    double.put("/srv/dir/x", "");
    std::fs::create_dir(double.root.path().join("home")).unwrap();
    let link = double.root.path().join("home/deploy");
    for (target, words) in [("/nowhere", "where there is nothing"), ("/srv/file", "which is not a directory")]
    {
        std::os::unix::fs::symlink(target, &link).unwrap();
        let error = trial::plan(&Users, &double, &managed("/home/deploy")).unwrap_err().to_string();
        assert!(error.contains(&format!("a link to {target}, {words}")), "{error}");
        std::fs::remove_file(&link).unwrap();
    }
    std::os::unix::fs::symlink("/srv/dir", &link).unwrap();
    assert_eq!(trial::changes(&Users, &double, &managed("/home/deploy")), []);
}

#[test]
fn a_home_of_another_is_told() {
    if !crate::skip::is_root() {
        return;
    }
    let double = machine();
    double.put("/home/deploy/x", "");
    let home = double.root.path().join("home/deploy");
    let told = |uid: u32| {
        std::os::unix::fs::chown(&home, Some(uid), None).unwrap();
        match trial::plan(&Users, &double, &managed("/home/deploy")).unwrap() {
            Plan::InSync(said) => said.into_iter().filter_map(|change| change.note).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    let said = told(4242);
    assert!(said[0].contains("/home/deploy belongs to the user id 4242"), "{said:?}");
    assert_eq!((told(1001), told(0)), (vec![], vec![]), "its own, or one of root's that everybody may enter");
}

#[test]
fn a_shell_that_nobody_can_run_is_no_shell() {
    let machine = machine();
    for (shell, why) in [
        ("/usr/bin/zsh", "the shell `/usr/bin/zsh` does not exist"),
        ("/etc", "the shell `/etc` is not a program"),
        ("/etc/passwd", "the shell `/etc/passwd` is not a program"),
    ] {
        for title in ["deploy", "alice"] {
            let want = want(title, &[("shell", shell.into())]);
            let Plan::Pending(Need { why: said, .. }) = trial::plan(&Users, &machine, &want).unwrap() else {
                panic!("{title} could not log in with {shell}")
            };
            assert!(said.starts_with(why) && said.contains("manage the package"), "{said}");
        }
    }
    program(&machine, "/usr/bin/zsh");
    let want = want("deploy", &[("shell", "/usr/bin/zsh".into())]);
    assert_eq!(trial::said(&trial::changes(&Users, &machine, &want)), ["shell: /bin/sh -> /usr/bin/zsh"]);
}
