//! What a purge, a `tidy` and a `recurse` affect, next to other resources of the catalog.

use holdfast_catalog::resource::{Attributes, TypedResource};
use holdfast_catalog::value::Value;

use crate::content;
use crate::provider::{CatalogClaims, ChangeKind, Plan, Reading, provider_of};
use crate::system::double::Double;

type Said<'a> = (&'a str, &'a str, &'a [(&'a str, Value)]);

fn typed((type_name, title, attributes): &Said<'_>) -> TypedResource {
    let attributes: Attributes =
        attributes.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    TypedResource::read(type_name, title, &attributes)
        .unwrap()
        .unwrap_or_else(|errors| panic!("{title}: {errors:?}"))
}

/// The paths that the first of these resources would change or remove.
fn taken(machine: &Double, all: &[Said<'_>]) -> Vec<String> {
    let all: Vec<_> = all.iter().map(typed).collect();
    let named = CatalogClaims::new(&all);
    let reading = Reading {
        machine,
        content: &content::Nowhere,
        named: &named,
        state_dir: std::path::Path::new("/none"),
    };
    let provider = provider_of(&all[0]);
    let seen = provider.observe_all(&[&all[0]], reading).unwrap();
    match provider.plan_one(&all[0], &seen, reading).unwrap() {
        Plan::Changes(changes) => {
            let done = changes.into_iter().filter(|change| change.kind != ChangeKind::Note);
            done.filter_map(|change| change.path).collect()
        }
        Plan::InSync(_) => Vec::new(),
        other => panic!("{other:?}"),
    }
}

fn machine(files: &[&str]) -> Double {
    let double = Double::new(|_| None);
    double.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\npia:x:1001:1001::/srv/p/pia:/bin/sh\n");
    double.put("/etc/group", "root:x:0:\npia:x:1001:\n");
    files.iter().for_each(|path| double.put(path, "kept"));
    double
}

fn purge(recurse: bool) -> Vec<Attribute> {
    let all = [("purge", true), ("force", true), ("recurse", recurse)];
    let flags = all.into_iter().map(|(name, value)| (name, value.into()));
    flags.chain([("ensure", "directory".into())]).collect()
}

fn sha() -> Value {
    "0".repeat(64).as_str().into()
}

type Attribute = (&'static str, Value);
type Made = (&'static str, &'static str, Vec<Attribute>, &'static str);

/// Resources that make something, and one path of it.
fn made() -> Vec<Made> {
    let key = "AAAAC3NzaC1lZDI1NTE5AAAAIJZTZYpbxf5B6S7xh0bZmyP1yAyuoVYuBQSyfDbYq0sG";
    vec![
        ("archive", "/srv/p/a", vec![("source", "/a.tar".into()), ("sha256", sha())], "/srv/p/a/bin/app"),
        (
            "git_checkout",
            "/srv/p/g",
            vec![("remote", "/r".into()), ("revision", "main".into())],
            "/srv/p/g/x/y",
        ),
        (
            "deployment",
            "/srv/p/d",
            vec![("version", "v1".into()), ("remote", "/r".into()), ("shared", "uploads".into())],
            "/srv/p/d/shared/uploads/photo.jpg",
        ),
        ("user", "pia", vec![], "/srv/p/pia/letter"),
        ("user", "pia", vec![("home", "/srv/p/pia".into())], "/srv/p/pia/letter"),
        ("user", "new", vec![("home", "/srv/p/new".into()), ("manage_home", true.into())], "/srv/p/new/x"),
        (
            "authorized_key",
            "k",
            vec![("user", "pia".into()), ("key", key.into())],
            "/srv/p/pia/.ssh/authorized_keys",
        ),
        (
            "mount",
            "/srv/p/m",
            vec![("device", "/dev/sdb".into()), ("fstype", "ext4".into())],
            "/srv/p/m/data",
        ),
        (
            "ini_setting",
            "i",
            vec![("path", "/srv/p/i".into()), ("key", "k".into()), ("value", 1.into())],
            "/srv/p/i",
        ),
        ("file_line", "l", vec![("path", "/srv/p/l".into()), ("line", "x".into())], "/srv/p/l"),
        ("file", "/srv/p/deep/f", vec![("content", "x".into())], "/srv/p/deep/f"),
    ]
}

#[test]
fn a_purge_takes_nothing_of_another_resource_at_or_below_its_path() {
    for (type_name, title, attributes, path) in made() {
        for recurse in [true, false] {
            let machine = machine(&[path, "/srv/p/stray/x", "/srv/p/stray2"]);
            let file = ("file", "/srv/p", &purge(recurse)[..]);
            let all = taken(&machine, &[file, (type_name, title, &attributes)]);
            assert_eq!(all, ["stray", "stray2"], "{type_name}[{title}], recurse = {recurse}");
            let alone = taken(&machine, &[file]);
            assert_eq!(alone.len(), 3, "{type_name}[{title}]: {alone:?}");
        }
    }
}

#[test]
fn recurse_gives_no_mode_to_what_is_anothers() {
    for (type_name, title, attributes, path) in made().into_iter().take(6) {
        let machine = machine(&[path, "/srv/p/stray"]);
        let own = [("ensure", "directory".into()), ("recurse", true.into()), ("mode", "0700".into())];
        let all = taken(&machine, &[("file", "/srv/p", &own), (type_name, title, &attributes)]);
        assert_eq!(all, ["stray"], "{type_name}[{title}]");
    }
}

#[test]
fn tidy_takes_nothing_of_another_resource() {
    for (type_name, title, attributes, path) in made() {
        let machine = machine(&[path, "/srv/p/stray"]);
        machine.pass(30 * 86_400);
        let own = [("age", "14d".into()), ("recurse", true.into()), ("remove_dirs", true.into())];
        let all = taken(&machine, &[("tidy", "/srv/p", &own), (type_name, title, &attributes)]);
        assert_eq!(all, ["stray"], "{type_name}[{title}]");
    }
}

#[test]
fn a_directory_in_a_home_or_a_mount_can_be_tidied_by_itself_and_an_archive_cannot() {
    let own = [("age", "14d".into()), ("recurse", true.into())];
    let machine = machine(&["/srv/p/pia/tmp/old", "/srv/p/a/old"]);
    machine.pass(30 * 86_400);
    assert_eq!(taken(&machine, &[("tidy", "/srv/p/pia/tmp", &own), ("user", "pia", &[])]), ["old"]);
    let archive = [("source", Value::from("/a.tar")), ("sha256", sha())];
    assert!(taken(&machine, &[("tidy", "/srv/p/a", &own), ("archive", "/srv/p/a", &archive)]).is_empty());
}

/// Makes a link in the machine's root, with its directory.
fn link(machine: &Double, at: &str, target: &str) {
    let at = machine.root.path().join(at.trim_start_matches('/'));
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(target, at).unwrap();
}

#[test]
fn what_is_claimed_by_another_name_is_spared_and_so_is_the_link_by_which_it_is_called_that() {
    let content = [("content", Value::from("x"))];
    let archive = [("source", Value::from("/a.tar")), ("sha256", sha())];
    for (claimed, title) in [("/run/foo/x", "/var/run/foo"), ("/var/run/foo/x", "/run/foo")] {
        let machine = machine(&["/run/foo/x", "/run/foo/stray"]);
        link(&machine, "/var/run", "/run");
        machine.pass(30 * 86_400);
        let own = [("age", "14d".into()), ("recurse", true.into()), ("remove_dirs", true.into())];
        let all = taken(&machine, &[("tidy", title, &own), ("file", claimed, &content)]);
        assert_eq!(all, ["stray"], "tidy of {title} beside {claimed}");
        let all = taken(&machine, &[("file", title, &purge(true)), ("file", claimed, &content)]);
        assert_eq!(all, ["stray"], "purge of {title} beside {claimed}");
    }
    let machine = machine(&["/srv/p/stray", "/srv/p/data/app/uploads/photo", "/data/home/pia/letter"]);
    link(&machine, "/srv/app", "p/data/app");
    link(&machine, "/srv/p/way", "/data");
    let purge = purge(true);
    for (type_name, title, attributes, kept) in [
        ("archive", "/srv/app", &archive[..], "data"),
        ("archive", "/srv/app/uploads", &archive, "data"),
        ("file", "/srv/p/way/f", &content, "way"),
    ] {
        let all = taken(&machine, &[("file", "/srv/p", &purge), (type_name, title, attributes)]);
        let strays: Vec<_> = ["data", "stray", "way"].into_iter().filter(|path| *path != kept).collect();
        assert_eq!(all, strays, "{type_name}[{title}]");
    }
    link(&machine, "/home/pia", "/data/home/pia");
    let home = [("home", Value::from("/home/pia")), ("manage_home", true.into())];
    let all = taken(&machine, &[("file", "/data", &purge), ("user", "pia", &home)]);
    assert!(all.is_empty(), "{all:?}");
}

#[test]
fn a_purge_in_what_another_makes_takes_nothing_by_whatever_way_it_is_led_there() {
    let archive = [("source", Value::from("/a.tar")), ("sha256", sha())];
    let machine = machine(&["/opt/app/conf/own", "/opt/apple/stray"]);
    link(&machine, "/srv/way", "/opt/app");
    for title in ["/opt/app/conf", "/srv/way/conf"] {
        let all = taken(&machine, &[("file", title, &purge(true)), ("archive", "/opt/app", &archive)]);
        assert!(all.is_empty(), "{title}: {all:?}");
    }
    let beside = [("file", "/opt/apple", &purge(true)[..]), ("archive", "/opt/app", &archive)];
    assert_eq!(taken(&machine, &beside), ["stray"]);
}

#[test]
fn links_of_a_unit_stay_that_is_managed_by_an_alias() {
    let machine = machine(&["/lib/systemd/system/ssh.service"]);
    link(&machine, "/etc/systemd/system/sshd.service", "/lib/systemd/system/ssh.service");
    let wants = "/etc/systemd/system/multi-user.target.wants";
    link(&machine, &format!("{wants}/ssh.service"), "/lib/systemd/system/ssh.service");
    link(&machine, &format!("{wants}/other.service"), "/lib/systemd/system/other.service");
    let attributes = purge(true);
    let service: Said<'_> = ("service", "sshd", &[("enable", Value::from(true))]);
    let all = taken(&machine, &[("file", "/etc/systemd/system", &attributes), service]);
    assert_eq!(all, ["multi-user.target.wants/other.service"]);
}

#[test]
fn links_by_which_units_are_enabled_and_masked_stay() {
    let machine = machine(&["/etc/systemd/system/stray.service"]);
    let link = |path: &str, target: &str| {
        let path = machine.root.path().join(format!("etc/systemd/system/{path}"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    };
    link("multi-user.target.wants/cron.service", "/lib/systemd/system/cron.service");
    link("multi-user.target.wants/stray.service", "/lib/systemd/system/stray.service");
    link("getty.target.wants/getty@tty1.service", "/lib/systemd/system/getty@.service");
    link("other.wants/other.service", "/lib/systemd/system/other.service");
    link("docker.service", "/dev/null");
    link("sshd.service", "/lib/systemd/system/ssh.service");
    link("gone.service", "/dev/null");
    let services: [Said<'_>; 5] = [
        ("service", "cron", &[("enable", true.into())]),
        ("service", "getty@tty1", &[("enable", true.into())]),
        ("service", "docker", &[("enable", "mask".into())]),
        ("service", "ssh", &[]),
        ("service", "gone", &[("enable", false.into())]),
    ];
    let all = |recurse| {
        let attributes = purge(recurse);
        let mut all: Vec<Said<'_>> = vec![("file", "/etc/systemd/system", &attributes)];
        all.extend(services);
        taken(&machine, &all)
    };
    let strays = ["gone.service", "multi-user.target.wants/stray.service", "other.wants", "stray.service"];
    assert_eq!(all(true), strays);
    assert_eq!(all(false), ["gone.service", "other.wants", "stray.service"]);
}
