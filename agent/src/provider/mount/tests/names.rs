//! How many names one device has, and what is not one of them.

use super::*;

/// The reported differences of what is mounted, if `/etc/fstab` is as wanted.
fn differs(wanted: &[(&str, Value)], line: &str, table: &str) -> Vec<String> {
    trial::said(&trial::changes(&Mounts, &machine(line, table, ""), &data(wanted)))
}

#[test]
fn a_directory_of_a_device_is_not_the_device() {
    let part = "30 22 252:16 /sub /srv/data rw,noatime - ext4 /dev/vdb rw\n";
    assert_eq!(differs(&[], LINES, part), ["device: /dev/vdb[/sub] -> /dev/vdb"]);
    let volume = part.replace("ext4", "btrfs");
    let line = "/dev/vdb /srv/data btrfs noatime 0 2\n";
    assert_eq!(differs(&[("fstype", "btrfs".into())], line, &volume), [""; 0], "a subvolume is a whole");
}

#[test]
fn what_has_no_device_is_none_that_is_wanted() {
    let auto = [("fstype", Value::from("auto"))];
    let line = "/dev/vdb /srv/data auto noatime 0 2\n";
    let tmpfs = "30 22 0:40 / /srv/data rw,noatime - tmpfs tmpfs rw\n";
    assert_eq!(differs(&auto, line, tmpfs), ["device: tmpfs -> /dev/vdb"]);
    assert_eq!(differs(&auto, line, DATA), [""; 0]);
    let fuse = "30 22 0:40 / /srv/data rw,noatime - fuse.sshfs /dev/vdb rw\n";
    assert_eq!(differs(&[], LINES, fuse), ["fstype: fuse.sshfs -> ext4"]);
}

#[test]
fn slashes_at_the_end_and_quotes_make_no_other_device() {
    let table = "30 22 0:40 / /srv/data rw,noatime - nfs4 host:/a rw\n";
    let nfs = [("device", Value::from("host:/a")), ("fstype", "nfs".into())];
    assert_eq!(differs(&nfs, "host:/a/ /srv/data nfs noatime 0 2\n", table), [""; 0]);
    let present = [("device", Value::from("UUID=1-b")), ("ensure", "present".into())];
    assert_eq!(differs(&present, "UUID=\"1-b\" /srv/data ext4 noatime 0 2\n", ""), [""; 0]);
}

#[test]
fn a_share_of_a_server_is_no_path_of_this_machine() {
    let share = data(&[("device", "//host/share".into()), ("fstype", "cifs".into()), ("pass", 0.into())]);
    let mounted = "30 22 0:40 / /srv/data rw,noatime - cifs //host/share rw\n";
    assert_eq!(corrected(&machine("", "", mounted), &share).0, ["ensure: absent -> mounted"]);
}

#[test]
fn a_file_behind_a_link_is_the_one_that_a_loop_device_shows() {
    let line = "/srv/image /srv/data ext4 noatime 0 2\n";
    let double = machine(line, "30 22 7:0 / /srv/data rw,noatime - ext4 /dev/loop0 rw\n", "");
    double.put("/srv/real", "");
    double.put("/sys/block/loop0/loop/backing_file", "/srv/real\n");
    symlink("real", double.root.path().join("srv/image")).unwrap();
    let image = data(&[("device", "/srv/image".into())]);
    assert_eq!(trial::said(&trial::changes(&Mounts, &double, &image)), [""; 0]);
    double.put("/sys/block/loop0/loop/backing_file", "/dev/vdb\n");
    assert_eq!(trial::said(&trial::changes(&Mounts, &double, &image)), ["device: /dev/loop0 -> /srv/image"]);
}

#[test]
fn where_udev_keeps_no_link_the_device_is_found_by_its_property() {
    let double = Double::new(|invocation| {
        let found = invocation.command.to_string() == "findfs UUID=1-b";
        Some(if found { said("/dev/vdb\n") } else { failed(1, "unable to resolve") })
    });
    double.put("/etc/fstab", "UUID=1-b /srv/data ext4 noatime 0 2\n");
    double.put("/proc/self/mountinfo", DATA);
    double.put("/dev/vdb", "");
    let by_uuid = |uuid: &str| data(&[("device", uuid.into())]);
    assert_eq!(trial::said(&trial::changes(&Mounts, &double, &by_uuid("UUID=1-b"))), [""; 0]);
    // If the name does not exist, what is mounted stays.
    let error = trial::correct(&Mounts, &double, &by_uuid("UUID=mistyped")).unwrap_err().to_string();
    assert!(error.contains("there is no UUID=mistyped: what is mounted on /srv/data stays"), "{error}");
    assert!(!double.ran().iter().any(|command| command.starts_with("umount")), "{:?}", double.ran());
}
