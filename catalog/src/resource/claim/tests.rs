//! Pairs of resources that claim one thing, and pairs that are compatible. A resource is written as `type title
//! attribute=value …`; `~` stands for a space, and SHA, KEY, ARMOR and TREE for values that are too long to repeat.

use std::sync::Arc;

use super::{Claim, Conflict, Hold, conflicts};
use crate::resource::{Attributes, TypedResource};
use crate::value::Value;

fn value(text: &str) -> Value {
    let text =
        text.replace('~', " ").replace("KEY", KEY).replace("ARMOR", "-----BEGIN PGP PUBLIC KEY BLOCK-----");
    let text = text.replace("SHA", &"0".repeat(64));
    match (text.as_str(), text.parse::<i64>()) {
        ("true", _) => true.into(),
        ("false", _) => false.into(),
        ("TREE", _) => {
            let entry = Value::from([("sha256", "0".repeat(64).as_str().into()), ("size", 1.into())]);
            let link = Value::from([("link", "f".into())]);
            let folder = Value::from([("folder", true.into())]);
            let entries = [("f", entry.clone()), ("conf/a", entry), ("cache", folder), ("current", link)];
            Value::from([("tree", Value::from(entries))])
        }
        (text, Ok(number)) if !text.starts_with('0') => number.into(),
        (text, _) => match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            Some(list) => {
                list.split(',').filter(|item| !item.is_empty()).map(value).collect::<Vec<_>>().into()
            }
            None => text.into(),
        },
    }
}

fn claims(text: &str) -> Vec<Claim> {
    let mut words = text.split_whitespace();
    let (type_name, title) = (words.next().unwrap().replace('-', "_"), words.next().unwrap());
    let attribute = |word: &str| {
        let (name, text) = word.split_once('=').unwrap();
        (Arc::from(name.replace('-', "_")), value(text))
    };
    let attributes: Attributes = words.map(attribute).collect();
    let typed = TypedResource::read(&type_name, &title.replace('~', " "), &attributes).expect(text);
    typed.unwrap_or_else(|errors| panic!("{text}: {errors:?}")).claims()
}

fn of_pair(pair: &str) -> Vec<Conflict> {
    let claims: Vec<_> = pair.split('|').map(claims).collect();
    let mut turned = claims.clone();
    turned.reverse();
    assert_eq!(conflicts(&claims).len(), conflicts(&turned).len(), "{pair}: it depends on the order");
    conflicts(&claims)
}

const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJZTZYpbxf5B6S7xh0bZmyP1yAyuoVYuBQSyfDbYq0sG";

const RIVALS: &[(&str, &str)] = &[
    // A purge in what another resource makes with everything in it.
    (
        "file /opt/app/conf ensure=directory purge=true | archive /opt/app source=/a.tar sha256=SHA",
        "the content of `/opt/app/conf`: everything in `/opt/app`",
    ),
    (
        "file /srv/app/a/b ensure=directory recurse=true purge=true | git-checkout /srv/app remote=https://h/r.git revision=main",
        "everything in `/srv/app`",
    ),
    // Whole files, of any type.
    ("file /etc/cron.d/x content=a | cron x command=b schedule=@daily", "the content of `/etc/cron.d/x`"),
    ("file /etc/cron.d/x mode=0600 | cron x command=b schedule=@daily", "the mode of `/etc/cron.d/x`"),
    (
        "file /etc/cron.d/x content=a | cron x ensure=absent",
        "what is at `/etc/cron.d/x`: a file, and nothing",
    ),
    ("file /etc/systemd/system/a.service content=x | systemd-unit a.service content=y", "the content of"),
    ("file /etc/systemd/system/a.service content=x | service a enable=mask", "a symbolic link"),
    ("systemd-unit a.service content=x | service a enable=mask", "what is at"),
    (
        "file /etc/sysctl.d/99-zz-holdfast-vm.swappiness.conf ensure=absent | sysctl vm.swappiness value=1",
        "nothing",
    ),
    ("file /etc/apt/sources.list.d/x.sources content=a | apt-repository x ensure=absent", "what is at"),
    (
        "file /etc/apt/preferences.d/x.pref content=a | apt-pin x packages=[a] pin=version~1 priority=1",
        "the content of",
    ),
    ("file /etc/modules-load.d/holdfast-dummy.conf content=a | kernel-module dummy", "the content of"),
    ("file /etc/hostname content=a | hostname web1", "the content of"),
    ("file /etc/localtime target=/x | timezone Europe/Zurich", "the content of"),
    ("file /etc/alternatives/editor target=/x | alternatives editor path=/usr/bin/vim", "the content of"),
    ("file /srv/a ensure=directory | archive /srv/a ensure=absent", "a directory, and nothing"),
    (
        "file /srv/a ensure=directory recurse=true content=TREE | file /srv/a/f content=x",
        "the content of `/srv/a/f`",
    ),
    (
        "file /srv/a ensure=directory recurse=true mode=0644 content=TREE | file /srv/a/conf ensure=directory mode=0700",
        "the mode of `/srv/a/conf`",
    ),
    (
        "file /srv/a ensure=directory recurse=true content=TREE | file /srv/a/conf content=x",
        "a directory, and a file",
    ),
    (
        "file /srv/a ensure=directory recurse=true content=TREE | file /srv/a/current ensure=directory",
        "a symbolic link, and a directory",
    ),
    ("file /etc/modules-load.d/holdfast-dummy.conf content=a | kernel-module dummy persist=false", "nothing"),
    ("file /etc/modprobe.d/holdfast-dummy.conf content=a | kernel-module dummy", "the content of"),
    (
        "file /etc/sysctl.d/99-zz-holdfast-vm.swappiness.conf content=a | sysctl vm.swappiness value=1 persist=false",
        "nothing",
    ),
    ("file /srv/a content=x | archive /srv/a source=/a.tar sha256=SHA", "a directory"),
    (
        "archive /srv/a source=/a.tar sha256=SHA | git-checkout /srv/a remote=/r revision=main",
        "the content of",
    ),
    ("archive /srv/a source=/a.tar sha256=SHA | file /srv/a ensure=directory owner=www", "the owner of"),
    ("archive /srv/a source=/a.tar sha256=SHA | file /srv/a ensure=directory purge=true", "the content of"),
    ("deployment /srv/a version=v1 remote=/r | file /srv/a ensure=directory purge=true", "the content of"),
    ("deployment /srv/a version=v1 remote=/r | file /srv/a/current target=/x", "the content of"),
    // Parts of files and the whole.
    ("file /etc/fstab content=a | mount /srv device=/dev/sda1 fstype=ext4", "the mount point `/srv`"),
    ("file /etc/fstab content=a | mount /srv ensure=absent", "the mount point `/srv`"),
    ("file /etc/x content=a | file-line y path=/etc/x line=b", "a line of it"),
    ("file /etc/x content=a | ini-setting y path=/etc/x section=s key=k value=v", "the setting `k` of `[s]`"),
    ("file /etc/x fragments=true | file-line y path=/etc/x line=b", "a line of it"),
    ("file /etc/x ensure=absent | file-line y path=/etc/x line=b", "nothing, and a file"),
    ("file /etc/x ensure=directory | ini-setting y path=/etc/x key=k value=v", "a directory, and a file"),
    ("file /etc/x target=/etc/y | file-line y path=/etc/x line=b", "a symbolic link, and a file"),
    ("file /etc/hosts content=a | host web1 ip=192.0.2.1", "the host `web1 (IPv4)`"),
    ("file /etc/passwd content=a | user dave", "the account `dave`"),
    ("file /etc/group content=a | group ops", "the group `ops`"),
    ("file /etc/locale.gen content=a | locale de_CH.UTF-8", "the locale"),
    (
        "file /root/.ssh/authorized_keys content=a | authorized-key k user=root key=KEY",
        "all of it, and the key",
    ),
    (
        "file /etc/keys content=a | authorized-key k user=root target=/etc/keys key=KEY",
        "all of it, and the key",
    ),
    ("file /home/dave/.ssh/authorized_keys content=a | user dave purge-ssh-keys=true", "the content of"),
    // Parts of files and other parts.
    (
        "ini-setting a path=/etc/x section=s key=k value=1 | ini-setting b path=/etc/x section=s key=k value=2",
        "`k`",
    ),
    (
        "ini-setting a path=/etc/x section=s key=k value=1 | ini-setting b path=/etc/x section=s key=k ensure=absent",
        "`k`",
    ),
    ("file-line a path=/etc/x line=b | file-line c path=/etc/x line=b ensure=absent", "the same line"),
    ("file-line a path=/etc/x line=b | file-line c path=/etc/x line=b", "the same line"),
    ("file-line a path=/etc/x line=k=1 match=^k= | file-line b path=/etc/x line=k=2", "`match` of one"),
    (
        "file-line a path=/etc/x line=k=1 match=^k= | file-line b path=/etc/x line=k=2 match=^k=",
        "`match` of one",
    ),
    ("file-line a path=/etc/x ensure=absent match=^k | file-line b path=/etc/x line=k=2", "`match` of one"),
    ("file-line a path=/etc/x line=k=1 | ini-setting b path=/etc/x key=k value=2", "the setting `k`"),
    (
        "file-line a path=/etc/x line=k=1 match=^k | ini-setting b path=/etc/x section=s key=k value=2",
        "the setting `k`",
    ),
    ("host a ip=192.0.2.1 aliases=[b] | host b ip=192.0.2.2", "the host `b (IPv4)`"),
    ("host a ip=192.0.2.1 aliases=[b] | host b ensure=absent", "the host `b (IPv4)`"),
    ("authorized-key k user=root key=KEY | authorized-key l user=root key=KEY", "the key"),
    ("mount none device=/a fstype=swap | mount /b device=/a fstype=swap", "the swap space `/a`"),
    // A mount is a systemd unit.
    (
        "mount /srv/b device=/a fstype=none options=bind | systemd-unit srv-b.mount content=x",
        "what is at `/etc/systemd/system/srv-b.mount`: nothing, and a file",
    ),
    (
        "mount /srv/b-c device=/a fstype=none options=bind | file /etc/systemd/system/srv-b\\x2dc.automount content=x",
        "what is at `/etc/systemd/system/srv-b\\x2dc.automount`",
    ),
    (
        "mount /srv/b device=/a fstype=none options=bind | service srv-b.mount enable=mask",
        "what is at `/etc/systemd/system/srv-b.mount`: nothing, and a symbolic link",
    ),
    ("mount /srv/b device=/a fstype=none | service srv-b.mount enable=true", "the unit `srv-b.mount`"),
    ("mount /srv/b ensure=absent | service srv-b.mount ensure=stopped", "the unit `srv-b.mount`"),
    ("locale de_CH.UTF-8 | locale de_CH.utf8 ensure=absent", "the locale"),
    // Objects of the machine.
    (
        "service ssh ensure=running | service ssh.service ensure=stopped",
        "the state of the unit `ssh.service`",
    ),
    (
        "service ssh enable=true | service ssh.service enable=false",
        "the start at boot of the unit `ssh.service`",
    ),
    ("package git | package git:native ensure=absent", "the package `git`"),
    ("user a uid=1001 | user b uid=1001", "the id of a user `1001`"),
    ("group a gid=1001 | group b gid=1001", "the id of a group `1001`"),
    ("group ops members=[dave] | user carol groups=[ops]", "`carol`"),
    ("group ops members=[dave] | user dave groups=[] membership=inclusive", "`ops`"),
    ("kernel-module nf-nat | kernel-module nf_nat ensure=absent", "the kernel module `nf_nat`"),
    ("sysctl net.ipv4.ip_forward value=1 | sysctl net/ipv4/ip_forward value=0", "the kernel setting"),
    ("hostname a | hostname b", "both"),
    ("timezone Europe/Zurich | timezone Etc/UTC", "both"),
    ("locale de_CH.UTF-8 default=true | locale fr_CH.UTF-8 default=true", "the language of the machine"),
    (
        "mysql-grant a user=u@h on=d.* privileges=[ALL] | mysql-grant b user=u@h on=d.* privileges=[DROP] ensure=absent",
        "DROP on d.*",
    ),
    (
        "mysql-grant a user=u@h on=d.* privileges=[DROP] grant-option=true | mysql-grant b user=u@h on=d.* privileges=[SELECT] grant-option=false",
        "GRANT OPTION",
    ),
    (
        "postgresql-grant a role=r database=d on=all_tables privileges=[SELECT] | postgresql-grant b role=r database=d on=table object=t privileges=[SELECT] ensure=absent",
        "SELECT on public",
    ),
    // Something that exists and should be removed.
    ("file /srv ensure=absent | mount /srv device=/dev/sda1 fstype=ext4", "nothing, and something"),
    (
        "file /home/dave ensure=directory | user dave ensure=absent manage-home=true",
        "a directory, and nothing",
    ),
    ("file /h ensure=absent | user dave home=/h manage-home=true", "nothing, and a directory"),
    // What is not a directory contains nothing.
    (
        "file /srv/a ensure=absent force=true | file /srv/a/b/c mode=0600",
        "`/srv/a`: nothing, and `/srv/a/b/c` in it",
    ),
    ("file /srv/a content=x | file /srv/a/b target=/c", "`/srv/a`: a file, and `/srv/a/b` in it"),
    ("file /srv/a ensure=absent | file-line x path=/srv/a/b line=c", "nothing, and `/srv/a/b` in it"),
    ("file /srv/a ensure=absent | deployment /srv/a/b version=v1 remote=/r", "nothing, and `/srv/a/b` in it"),
    ("archive /srv/a ensure=absent | mount /srv/a/b device=/dev/sda1 fstype=ext4", "`/srv/a/b` in it"),
    ("git-checkout /srv/a ensure=absent | user dave home=/srv/a/dave", "`/srv/a/dave` in it"),
    ("user dave ensure=absent manage-home=true | file /home/dave/x content=a", "`/home/dave/x` in it"),
    ("user dave ensure=absent manage-home=true | user carol home=/home/dave/c", "`/home/dave/c` in it"),
];

const FRIENDS: &[&str] = &[
    "file /opt/app/conf ensure=directory recurse=true owner=www | archive /opt/app source=/a.tar sha256=SHA",
    "file /opt ensure=directory purge=true | archive /opt/app source=/a.tar sha256=SHA",
    "file /opt/apple ensure=directory purge=true | archive /opt/app source=/a.tar sha256=SHA",
    "file /srv/a ensure=directory recurse=true mode=0750 | file /srv/a/b ensure=directory recurse=true mode=0700",
    "file /etc/x mode=0600 owner=root | ini-setting y path=/etc/x key=k value=v",
    "file /etc/x mode=0600 | file-line y path=/etc/x line=b",
    "file /etc/x content=a replace=false | file-line y path=/etc/x line=b",
    "file /etc/x ensure=absent | file-line y path=/etc/x line=b ensure=absent",
    "file /etc/hosts mode=0644 | host web1 ip=192.0.2.1",
    "file /etc/fstab mode=0644 | mount /srv device=/dev/sda1 fstype=ext4",
    "file /srv ensure=directory | mount /srv device=/dev/sda1 fstype=ext4",
    "file /srv ensure=absent | mount /srv ensure=absent",
    "mount /srv device=/dev/sda1 fstype=ext4 | systemd-unit srv.mount.d/after.conf content=x",
    "mount /srv device=/dev/sda1 fstype=ext4 | systemd-unit srv.mount ensure=absent",
    "mount /srv device=/dev/sda1 fstype=ext4 | mount /srv/a device=/dev/sda2 fstype=ext4",
    "file-line a path=/etc/x line=k=1 match=^k= | file-line b path=/etc/x line=l=2 match=^l=",
    "file-line a path=/etc/x line=b | file-line c path=/etc/x line=d",
    "file-line a path=/etc/x line=b | file-line a path=/etc/y line=b",
    "file-line a path=/etc/x line=k=1 | ini-setting b path=/etc/x section=s key=other value=2",
    "ini-setting a path=/etc/x section=s key=k value=1 | ini-setting b path=/etc/x section=t key=k value=2",
    "host a ip=192.0.2.1 | host b ip=192.0.2.1",
    "host a ip=192.0.2.1 | host b ip=2001:db8::1 aliases=[a]",
    "service ssh ensure=running | service ssh.service enable=true",
    "service getty@tty1 ensure=running | service getty@tty2 ensure=running",
    "service a enable=true | systemd-unit a.service content=x",
    "package git | package git:i386",
    "user carol groups=[ops] | group ops members=[carol]",
    "user carol groups=[ops] | group ops",
    "user carol groups=[ops] | user dave groups=[ops]",
    "user carol home=/srv | user dave home=/srv",
    "file /home/dave ensure=directory mode=0700 | user dave manage-home=true",
    "file /home/dave/.ssh/authorized_keys mode=0600 | authorized-key k user=dave key=KEY",
    "user dave purge-ssh-keys=true | authorized-key k user=dave key=KEY",
    "user dave home=/srv/d | authorized-key k user=dave key=KEY | file /home/dave/.ssh/authorized_keys content=a",
    "file /srv/a ensure=directory | git-checkout /srv/a remote=/r revision=main user=www",
    "file /srv/a ensure=directory owner=www | deployment /srv/a version=v1 remote=/r",
    "file /srv ensure=directory purge=true | archive /srv/a source=/a.tar sha256=SHA",
    "file /etc/apt/keyrings/x.gpg ensure=absent | apt-key x content=ARMOR",
    "firewall a ports=[80] protocol=tcp | firewall b ports=[80] protocol=tcp",
    "mysql-grant a user=u@h on=d.* privileges=[DROP] | mysql-grant b user=u@h on=d.* privileges=[ALL]",
    "postgresql-grant a role=r database=d on=table object=s privileges=[SELECT] | postgresql-grant b role=r database=d on=table object=t privileges=[SELECT] ensure=absent",
    "exec /etc/x always=true | file /etc/x content=a",
    "mysql-database shop | mysql-user shop@localhost",
    "postgresql-database shop | postgresql-role shop",
    "tidy /srv age=1d | file /srv/a content=a",
    "file /srv/a ensure=absent | file /srv/a/b ensure=absent",
    "file /srv/a ensure=absent | file-line x path=/srv/a/b line=c ensure=absent",
    "file /srv/a ensure=absent | file /srv/a-b content=x",
    "file /srv/a target=/srv/b | file /srv/a/c content=x",
    "user dave ensure=absent | file /home/dave/x content=a",
];

#[test]
fn two_that_claim_one_thing_are_told_with_what_it_is() {
    let mut wrong = String::new();
    for (pair, words) in RIVALS {
        let found = of_pair(pair);
        match &found[..] {
            [one] if format!("both manage {}", one.what).contains(words) => {}
            other => wrong += &format!("{pair}\n  {other:?}\n"),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn claims_are_as_fine_as_what_is_managed() {
    let wrong: Vec<_> =
        FRIENDS.iter().map(|pair| (pair, of_pair(pair))).filter(|(_, f)| !f.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_a_machine_has_given_away_is_nobody_elses_and_two_who_have_it_are_friends() {
    let id = |hold| vec![Claim::object("id of a user", "0", hold)];
    let all = [id(Hold::Taken), id(Hold::Taken), id(Hold::Whole)];
    let pairs: Vec<_> = conflicts(&all).into_iter().map(|one| (one.first, one.second, one.thing)).collect();
    let thing = || all[0][0].thing.clone();
    assert_eq!(pairs, [(0, 2, thing()), (1, 2, thing())]);
}

#[test]
fn of_very_many_lines_twins_are_found_all_the_same() {
    let mut all: Vec<_> =
        (0..700).map(|n| claims(&format!("file-line a{n} path=/etc/x line=b{n}"))).collect();
    assert_eq!(conflicts(&all), []);
    all.push(claims("file-line twin path=/etc/x line=b7"));
    let pairs: Vec<_> = conflicts(&all).iter().map(|one| (one.first, one.second)).collect();
    assert_eq!(pairs, [(7, 700)]);
}

#[test]
fn a_line_that_is_secret_is_in_no_message() {
    let secret = || Value::from(crate::value::Kind::Sensitive(crate::value::Sensitive::text("hunter2")));
    let attributes = || [("path".into(), "/etc/x".into()), ("line".into(), secret())].into();
    let claims = ["a", "b"]
        .map(|title| TypedResource::read("file_line", title, &attributes()).unwrap().unwrap().claims());
    let found = conflicts(&claims);
    assert_eq!(found.len(), 1);
    assert!(!format!("{found:?}{claims:?}").contains("hunter2"));
}

#[test]
fn many_that_claim_one_thing_are_told_in_linear_time() {
    let user = |number: u32| claims(&format!("user u{number} uid=1001"));
    let all: Vec<_> = (0..20_000).map(user).collect();
    let found = conflicts(&all);
    assert_eq!(found.len(), all.len() - 1);
    assert!(found.iter().all(|conflict| conflict.first == 0));
}

#[test]
fn every_type_says_what_it_claims() {
    // These claim nothing on a machine: nobody knows what a command does, and a fragment belongs to its file.
    let none = ["exec", "fragment", "notify", "tidy"];
    let said = RIVALS.iter().map(|(pair, _)| pair).chain(FRIENDS).flat_map(|pair| pair.split('|'));
    let said: std::collections::BTreeSet<_> = said
        .filter(|one| !claims(one).is_empty())
        .map(|one| one.split_whitespace().next().unwrap().replace('-', "_"))
        .collect();
    for def in crate::resource::definitions().iter().filter(|def| !none.contains(&def.name)) {
        assert!(said.contains(def.name), "no pair of the tables has a `{}`", def.name);
    }
}
