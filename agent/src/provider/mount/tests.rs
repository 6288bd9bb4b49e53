//! What is planned for a file system, and what is run for it.

use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};

use holdfast_catalog::value::Value;

use super::*;
use crate::provider::trial::{self, want};
use crate::system::double::{Double, failed, said};

mod names;
mod units;

const LINES: &str =
    "# static\nUUID=1-a  /      ext4  errors=remount-ro  0  1\n/dev/vdb\t/srv/data ext4 noatime 0 2";

const ROOT: &str = "22 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n";
const DATA: &str = "30 22 252:16 / /srv/data rw,noatime shared:2 - ext4 /dev/vdb rw\n";

/// A machine whose mount and umount change its table as the kernel would; `mounts` is what `mount` adds.
fn machine(fstab: &str, table: &str, mounts: &'static str) -> Double {
    let place = Arc::new(Mutex::new(None::<std::path::PathBuf>));
    let known = place.clone();
    let double = Double::new(move |invocation| {
        let root = known.lock().unwrap().clone().unwrap();
        let table = root.join("proc/self/mountinfo");
        let text = std::fs::read_to_string(&table).unwrap();
        match invocation.command.to_string().split(' ').next().unwrap() {
            "umount" => {
                let lines: Vec<_> = text.lines().collect();
                let last = lines.len().saturating_sub(1);
                std::fs::write(
                    &table,
                    lines[..last].iter().map(|line| format!("{line}\n")).collect::<String>(),
                )
            }
            "mount" if invocation.command.to_string().contains("remount") => std::fs::write(&table, mounts),
            "mount" => std::fs::write(&table, text + mounts),
            "swapon" => std::fs::write(root.join("proc/swaps"), "Filename\n/dev/vdc partition 1 0 -2\n"),
            "swapoff" => std::fs::write(root.join("proc/swaps"), "Filename\n"),
            _ => Ok(()),
        }
        .unwrap();
        Some(said(""))
    });
    *place.lock().unwrap() = Some(double.root.path().to_owned());
    double.put("/etc/fstab", fstab);
    double.put("/proc/self/mountinfo", &format!("{ROOT}{table}"));
    for path in ["/srv/data/.here", "/run/systemd/system/.here", "/dev/vdb", "/dev/vdc"] {
        double.put(path, "");
    }
    double
}

fn data(more: &[(&str, Value)]) -> Mount {
    let mut all = vec![
        ("device", Value::from("/dev/vdb")),
        ("fstype", "ext4".into()),
        ("options", "noatime".into()),
        ("pass", 2.into()),
    ];
    for (name, value) in more {
        all.retain(|(other, _)| other != name);
        all.push((name, value.clone()));
    }
    want("/srv/data", &all)
}

fn fstab(double: &Double) -> String {
    std::fs::read_to_string(double.root.path().join("etc/fstab")).unwrap()
}

/// The reported changes and the commands that ran. After that, there must be nothing left to do.
fn corrected(double: &Double, want: &Mount) -> (Vec<String>, Vec<String>) {
    let said = trial::said(&trial::changes(&Mounts, double, want));
    let applied = trial::correct(&Mounts, double, want).unwrap();
    assert!(applied.failed.is_empty(), "{applied:?}");
    assert_eq!(trial::changes(&Mounts, double, want), []);
    (said, double.ran())
}

const RELOAD: &str = "systemctl daemon-reload";

#[test]
fn a_file_system_as_wanted_needs_nothing() {
    assert_eq!(corrected(&machine(LINES, DATA, ""), &data(&[])), (vec![], vec![]));
}

#[test]
fn a_new_one_gets_a_line_and_is_mounted() {
    let double = machine("# static", "", DATA);
    let (said, ran) = corrected(&double, &data(&[]));
    assert_eq!(said, ["ensure: absent -> mounted"]);
    assert_eq!(ran, [RELOAD, "mount -- /srv/data"]);
    assert_eq!(fstab(&double), "# static\n/dev/vdb\t/srv/data\text4\tnoatime\t0\t2\n");
}

/// Lets everybody write to the directory around the mount point.
fn open_to_all(double: &Double) {
    use std::os::unix::fs::PermissionsExt as _;
    let srv = double.root.path().join("srv");
    std::fs::set_permissions(srv, std::fs::Permissions::from_mode(0o777)).unwrap();
}

#[test]
fn where_others_can_rename_the_directory_it_is_mounted_by_a_handle_and_never_by_its_path() {
    let double = machine("# static", "", DATA);
    open_to_all(&double);
    let (_, ran) = corrected(&double, &data(&[]));
    let by_handle =
        "mount --no-canonicalize --no-mtab --types ext4 --options noatime --source /dev/vdb --target /proc/";
    assert!(ran[1].starts_with(by_handle) && ran[1].ends_with("/.") && ran.len() == 2, "{ran:?}");
    assert!(fstab(&double).contains("/srv/data\text4"));

    let other = machine(LINES, &DATA.replace("noatime", "relatime"), DATA);
    open_to_all(&other);
    let ran = corrected(&other, &data(&[])).1;
    assert!(ran[0].contains("--options remount,noatime --source /dev/vdb --target /proc/"), "{ran:?}");

    let gone = machine(LINES, DATA, "");
    open_to_all(&gone);
    let ran = corrected(&gone, &data(&[("ensure", "unmounted".into())])).1;
    assert!(ran[0].starts_with("umount --no-canonicalize -- /proc/") && ran[0].ends_with("/data"), "{ran:?}");
}

#[test]
fn what_was_mounted_elsewhere_is_unmounted_again_and_said() {
    let double = machine("# static", "", "30 22 252:16 / /srv/moved rw,noatime - ext4 /dev/vdb rw\n");
    double.put("/srv/moved/.here", "");
    open_to_all(&double);
    let error = trial::correct(&Mounts, &double, &data(&[])).unwrap_err().to_string();
    assert!(error.contains("moved the directory /srv/data to /srv/moved"), "{error}");
    assert!(error.contains("it was unmounted there again"), "{error}");
    let ran = double.ran();
    assert!(ran.iter().any(|ran| ran.starts_with("umount ") && ran.ends_with("/moved")), "{ran:?}");
    assert_eq!(fstab(&double).trim_end(), "# static", "nothing is mounted there at the next boot");
}

#[test]
fn below_another_root_nothing_is_said_to_be_mounted() {
    let mut bench = crate::enforce::bench::Bench::directory();
    std::fs::create_dir(bench.dir().join("etc")).unwrap();
    let attributes = [("device", Value::from("/dev/vdb")), ("fstype", "ext4".into())];
    bench.add("mount", "/srv/data", &attributes.into());
    let events = bench.run(holdfast_catalog::report::Mode::Enforce).events;
    let shown = |event: &holdfast_catalog::report::Event| (event.is.clone(), event.should.clone());
    assert_eq!(shown(&events[0]), (Some("absent".to_owned()), Some("present".to_owned())));
}

#[test]
fn what_is_mounted_over_it_is_told() {
    let over = "31 30 0:50 / /srv/data rw,noatime - ext4 /dev/vdb rw\n";
    let double = machine(LINES, &format!("{DATA}{over}"), "");
    let Plan::InSync(said) = trial::plan(&Mounts, &double, &data(&[])).unwrap() else {
        panic!("it is mounted")
    };
    assert!(
        said[0].note.as_deref().unwrap().starts_with("2 file systems are mounted over each other"),
        "{said:?}"
    );
}

#[test]
fn each_field_is_changed_alone_and_the_rest_of_the_file_stays() {
    let changed = |name: &str, value: Value, line: &str| {
        let double = machine(LINES, "", DATA);
        let present = data(&[("ensure", "present".into()), (name, value)]);
        let (said, ran) = corrected(&double, &present);
        assert_eq!(ran, [RELOAD]);
        let before = LINES.rsplit_once('\n').unwrap().0;
        assert_eq!(fstab(&double), format!("{before}\n{line}"));
        said
    };
    let device = changed("device", "LABEL=my data".into(), "LABEL=my\\040data\t/srv/data ext4 noatime 0 2");
    assert_eq!(device, ["device: /dev/vdb -> LABEL=my data"]);
    assert_eq!(
        changed("fstype", "xfs".into(), "/dev/vdb\t/srv/data xfs noatime 0 2"),
        ["fstype: ext4 -> xfs"]
    );
    assert_eq!(
        changed("options", "nofail".into(), "/dev/vdb\t/srv/data ext4 nofail 0 2"),
        ["options: noatime -> nofail"]
    );
    assert_eq!(changed("dump", 1.into(), "/dev/vdb\t/srv/data ext4 noatime 1 2"), ["dump: 0 -> 1"]);
    assert_eq!(changed("pass", 0.into(), "/dev/vdb\t/srv/data ext4 noatime 0 0"), ["pass: 2 -> 0"]);
}

#[test]
fn fields_that_a_line_does_not_have_are_added() {
    let double = machine("/dev/vdb /srv/data ext4", DATA, DATA);
    assert_eq!(
        trial::said(&trial::changes(&Mounts, &double, &data(&[("options", "defaults".into())]))),
        ["pass: 0 -> 2"]
    );
    corrected(&double, &data(&[("options", "defaults".into())]));
    assert_eq!(fstab(&double), "/dev/vdb /srv/data ext4\tdefaults\t0\t2");
}

#[test]
fn other_options_are_put_in_force_without_unmounting() {
    let double = machine(LINES, DATA, "30 22 252:16 / /srv/data rw,noexec,noatime - ext4 /dev/vdb rw\n");
    let (said, ran) = corrected(&double, &data(&[("options", "noatime,noexec".into())]));
    assert_eq!(said, ["options: noatime -> noatime,noexec"]);
    assert_eq!(ran, [RELOAD, "mount -o remount -- /srv/data"]);
    let double = machine(LINES, &DATA.replace("noatime", "relatime"), DATA);
    let (said, ran) = corrected(&double, &data(&[]));
    assert_eq!(said, ["options: rw,relatime -> noatime"], "somebody else mounted it anew");
    assert_eq!(ran, ["mount -o remount -- /srv/data"]);
}

#[test]
fn an_option_that_the_kernel_does_not_take_is_a_failure() {
    let double = machine(LINES, DATA, DATA);
    let wanted = data(&[("options", "noatime,noexec".into())]);
    let applied = trial::correct(&Mounts, &double, &wanted).unwrap();
    assert!(applied.failed[0].1.to_string().contains("unmount it"), "{applied:?}");
}

#[test]
fn a_line_by_which_nothing_can_be_mounted_does_not_stay() {
    for before in ["# static\n", LINES] {
        let double = Double::new(|invocation| {
            let mounts = invocation.command.to_string().starts_with("mount ");
            Some(if mounts { failed(32, "wrong fs type") } else { said("") })
        });
        double.put("/etc/fstab", before);
        double.put("/proc/self/mountinfo", ROOT);
        double.put("/srv/data/.here", "");
        let wanted = data(&[("device", "UUID=mistyped".into())]);
        let error = trial::correct(&Mounts, &double, &wanted).unwrap_err().to_string();
        assert!(error.contains("wrong fs type"), "{error}");
        assert_eq!(fstab(&double), before);
    }
}

#[test]
fn nothing_else_is_mounted_where_a_machine_cannot_do_without() {
    let double = machine(LINES, DATA, "");
    double.put("/dev/vda1", "");
    let root = want("/", &[("device", "/dev/vdb".into()), ("fstype", "ext4".into())]);
    let error = trial::plan(&Mounts, &double, &root).unwrap_err().to_string();
    assert!(error.contains("the device of / is /dev/vda1"), "{error}");
}

#[test]
fn a_mount_point_behind_a_link_is_refused() {
    let double = machine(LINES, "", DATA);
    symlink("srv", double.root.path().join("link")).unwrap();
    let through = want("/link/data", &[("device", "/dev/vdb".into()), ("fstype", "ext4".into())]);
    let error = trial::plan(&Mounts, &double, &through).unwrap_err().to_string();
    assert!(error.contains("/link is a symbolic link to srv"), "{error}");
}

#[test]
fn what_is_mounted_behind_a_link_is_not_said_to_be_absent() {
    let absent = |double: &Double, title: &str| {
        let plan = trial::plan(&Mounts, double, &want(title, &[("ensure", "absent".into())]));
        plan.map_err(|error| error.to_string())
    };
    let led = |fstab: &str, table: &str| {
        let double = machine(fstab, table, "");
        symlink("srv", double.root.path().join("link")).unwrap();
        symlink("data", double.root.path().join("srv/last")).unwrap();
        double
    };
    for (fstab, table) in [("", DATA), (LINES, ""), (LINES, DATA), ("/dev/vdb /srv/data/ ext4\n", "")] {
        let double = led(fstab, table);
        for (title, link) in [
            ("/link/data", "/link is a symbolic link to srv"),
            ("/srv/last", "/srv/last is a symbolic link to data"),
        ] {
            let error = absent(&double, title).unwrap_err();
            assert!(error.contains(link) && error.ends_with("use that path"), "{title}: {error}");
        }
    }
    let double = led("# nothing\n/dev/vdb /link/data ext4\n", "");
    assert_eq!(absent(&double, "/srv/last"), Ok(Plan::IN_SYNC), "nothing is there, and nothing says so");
    assert!(matches!(absent(&double, "/link/data"), Ok(Plan::Changes(_))), "its own line goes");
    assert_eq!(absent(&double, "/srv/data"), Ok(Plan::IN_SYNC));
}

#[test]
fn what_the_kernel_has_otherwise_after_mounting_is_a_failure() {
    let double = machine(LINES, "", "30 22 0:50 / /srv/data rw,noatime - ext4 /dev/vdc rw\n");
    let error = trial::correct(&Mounts, &double, &data(&[])).unwrap_err().to_string();
    assert!(error.contains("with the device `/dev/vdc` and not `/dev/vdb`"), "{error}");
}

#[test]
fn another_device_is_mounted_in_the_place_of_one() {
    let double = machine(LINES, &DATA.replace("/dev/vdb", "/dev/vdc"), DATA);
    let (said, ran) = corrected(&double, &data(&[]));
    assert_eq!(said, ["device: /dev/vdc -> /dev/vdb"]);
    assert_eq!(ran, ["umount -- /srv/data", "mount -- /srv/data"]);
}

#[test]
fn what_is_mounted_stays_where_the_other_device_is_not_there() {
    let double = machine(LINES, DATA, "");
    let mistyped = data(&[("device", "/dev/vdz".into())]);
    let error = trial::correct(&Mounts, &double, &mistyped).unwrap_err().to_string();
    assert_eq!(error, "there is no /dev/vdz: what is mounted on /srv/data stays");
    assert_eq!(double.ran().iter().filter(|command| command.contains("mount")).count(), 0);
    assert_eq!(std::fs::read_to_string(double.root.path().join("etc/fstab")).unwrap(), LINES);
}

#[test]
fn a_bind_mount_is_known_by_what_it_shows_and_has_options_of_its_own() {
    let double = machine(
        "/srv/data /srv/shown none bind,ro 0 0\n",
        "31 22 252:1 / /srv/shown rw - ext4 /dev/vda1 rw,x=y\n",
        "",
    );
    // A bind mount is one directory at two places; for this test, a link does the same.
    std::fs::rename(double.root.path().join("srv/data"), double.root.path().join("srv/shown")).unwrap();
    symlink("shown", double.root.path().join("srv/data")).unwrap();
    let all = [("device", "/srv/data".into()), ("fstype", "none".into()), ("options", "bind,ro".into())];
    let bind = want("/srv/shown", &all);
    assert_eq!(trial::said(&trial::changes(&Mounts, &double, &bind)), ["options: rw -> bind,ro"]);
    let other = want("/srv/shown", &[("device", "/dev".into()), all[1].clone(), ("options", "bind".into())]);
    let said = trial::said(&trial::changes(&Mounts, &double, &other));
    assert_eq!(said[0], "device: /srv/data -> /dev", "what /etc/fstab says");
    trial::correct(&Mounts, &double, &bind).unwrap();
    assert_eq!(double.ran(), ["mount -o remount,bind,ro -- /srv/shown"]);
}

#[test]
fn what_is_on_no_device_may_have_any_name() {
    let double = machine(
        "tmpfs /srv/data tmpfs size=1M 0 0\n",
        "30 22 0:40 / /srv/data rw - tmpfs none rw,size=1024k\n",
        "",
    );
    let all = [("device", "tmpfs".into()), ("fstype", "tmpfs".into()), ("options", "size=1M".into())];
    assert_eq!(corrected(&double, &want("/srv/data", &all)).0, [""; 0], "what it holds would be lost");
}

#[test]
fn devices_have_many_names() {
    let double = machine("UUID=1-b /srv/data ext4 noatime 0 2\n", DATA, "");
    let by_uuid = double.root.path().join("dev/disk/by-uuid");
    std::fs::create_dir_all(&by_uuid).unwrap();
    symlink("../../vdb", by_uuid.join("1-b")).unwrap();
    assert_eq!(corrected(&double, &data(&[("device", "UUID=1-b".into())])).0, [""; 0]);
    std::fs::remove_file(by_uuid.join("1-b")).unwrap();
    symlink("../../vdc", by_uuid.join("1-b")).unwrap();
    let said = trial::said(&trial::changes(&Mounts, &double, &data(&[("device", "UUID=1-b".into())])));
    assert_eq!(said, ["device: /dev/vdb -> UUID=1-b"]);
    let label = double.root.path().join("dev/disk/by-label");
    std::fs::create_dir_all(&label).unwrap();
    symlink("../../vdb", label.join("my\\x20data")).unwrap();
    assert_eq!(device::resolved("LABEL=my data", &double).unwrap(), Path::new("/dev/vdb"));
}

#[test]
fn what_is_unmounted_or_absent_is_taken_off_layer_by_layer() {
    let double = machine(LINES, &format!("{DATA}{DATA}"), "");
    let (said, ran) = corrected(&double, &data(&[("ensure", "unmounted".into())]));
    assert_eq!(said, ["ensure: mounted -> unmounted"]);
    assert_eq!(ran, ["umount -- /srv/data", "umount -- /srv/data"]);
    let double = machine(LINES, DATA, "");
    let (said, ran) = corrected(&double, &want("/srv/data", &[("ensure", "absent".into())]));
    assert_eq!(
        (said, ran),
        (vec!["ensure: mounted -> absent".into()], vec![RELOAD.into(), "umount -- /srv/data".into()])
    );
    assert!(!fstab(&double).contains("/srv/data") && fstab(&double).contains("UUID=1-a  /      ext4"));
    let double = machine("", DATA, "");
    assert_eq!(corrected(&double, &data(&[])).0, ["ensure: mounted until the next boot -> mounted"]);
}

#[test]
fn what_is_not_there_yet_may_still_come() {
    let double = machine(LINES, "", "");
    let pending = |title: &str, device: &str| {
        let all = [("device", device.into()), ("fstype", "ext4".into())];
        match trial::plan(&Mounts, &double, &want(title, &all)).unwrap() {
            Plan::Pending(need) => need.why,
            other => panic!("{other:?}"),
        }
    };
    assert!(pending("/srv/new", "/dev/vdb").contains("/srv/new"));
    assert!(pending("/srv/data", "/dev/vdx").contains("/dev/vdx"));
}

#[test]
fn two_lines_of_one_mount_point_are_refused() {
    let double = machine(&format!("{LINES}\n/dev/vdc /srv/data/ xfs"), DATA, "");
    let refused = trial::plan(&Mounts, &double, &data(&[])).unwrap_err().to_string();
    assert!(refused.contains("line 4"), "{refused}");
}

#[test]
fn swap_space_is_known_by_its_device() {
    let swap = |ensure: &str| {
        want::<Mount>(
            "none",
            &[("device", "/dev/vdc".into()), ("fstype", "swap".into()), ("ensure", ensure.into())],
        )
    };
    let double = machine("/dev/vdd none swap sw 0 0\n", "", "");
    let (said, ran) = corrected(&double, &swap("mounted"));
    assert_eq!(said, ["ensure: absent -> mounted"]);
    assert_eq!(ran, [RELOAD, "swapon --options=defaults -- /dev/vdc"]);
    assert_eq!(fstab(&double), "/dev/vdd none swap sw 0 0\n/dev/vdc\tnone\tswap\tdefaults\t0\t0\n");
    let (said, ran) = corrected(&double, &swap("absent"));
    assert_eq!(said, ["ensure: mounted -> absent"]);
    assert_eq!(ran[2..], [RELOAD, "swapoff -- /dev/vdc"]);
    assert_eq!(fstab(&double), "/dev/vdd none swap sw 0 0\n");
}

#[test]
fn swap_space_is_used_with_the_priority_that_is_wanted() {
    let swap = |options: &str| {
        let device = [("device", "/dev/vdc".into()), ("fstype", "swap".into()), ("options", options.into())];
        want::<Mount>("none", &device)
    };
    // The double's kernel uses it with -2, whatever is asked.
    let double = machine("/dev/vdc none swap pri=-2 0 0\n", "", "");
    double.put("/proc/swaps", "Filename Type Size Used Priority\n/dev/vdc partition 1 0 7\n");
    let (said, ran) = corrected(&double, &swap("pri=-2"));
    assert_eq!(said, ["options: pri=7 -> pri=-2"]);
    assert_eq!(ran, ["swapoff -- /dev/vdc", "swapon --options=pri=-2 -- /dev/vdc"]);
    let error = trial::correct(&Mounts, &double, &swap("pri=9")).unwrap_err().to_string();
    assert!(error.contains("pri=-2"), "{error}");
    let applied = trial::correct(&Mounts, &double, &swap("pri=-2,discard")).unwrap();
    assert!(applied.said[0].1.contains("next turned on"), "{applied:?}");
    assert_eq!(trial::changes(&Mounts, &double, &swap("pri=-2,discard")), []);
}

#[test]
fn a_mode_that_a_remount_does_not_bring_is_a_failure_at_each_run() {
    let tmpfs = "30 22 0:40 / /srv/data rw - tmpfs tmpfs rw\n";
    let double = machine("tmpfs /srv/data tmpfs defaults 0 0\n", tmpfs, tmpfs);
    let all = [("device", "tmpfs".into()), ("fstype", "tmpfs".into()), ("options", "mode=0700".into())];
    let wanted = want("/srv/data", &all);
    for _ in 0..2 {
        let failed = trial::correct(&Mounts, &double, &wanted).unwrap().failed;
        assert!(failed[0].1.to_string().contains("unmount it"), "{failed:?}");
        double.put("/proc/self/mountinfo", &format!("{ROOT}{tmpfs}"));
    }
}

#[test]
fn several_are_written_at_once() {
    let double = machine("", "", "");
    let wants = ["/srv/a", "/srv/b"].map(|title| {
        let all = [("device", "x".into()), ("fstype", "tmpfs".into()), ("ensure", "present".into())];
        want::<Mount>(title, &all)
    });
    let jobs = wants.each_ref().map(|want| Job { want, changes: &[] });
    trial::writing(&double, |writing| Mounts.apply_together(&jobs, writing));
    assert_eq!(double.ran(), [RELOAD]);
    assert_eq!(fstab(&double).lines().count(), 2);
}

#[test]
fn a_notification_mounts_it_anew() {
    let double = machine(LINES, DATA, DATA);
    let refreshed =
        trial::writing(&double, |writing| Mounts.refresh(&data(&[]), Notice::Refresh, &[], writing));
    assert!(matches!(refreshed.unwrap(), Refreshed::Done(_)));
    assert_eq!(double.ran(), ["mount -o remount -- /srv/data"]);
}

#[test]
fn what_was_mounted_without_an_option_is_mounted_anew_though_its_line_is_new() {
    let proc = |options: &str| format!("30 22 0:40 / /srv/data rw,nosuid - proc proc {options}\n");
    let double =
        machine("", &proc("rw"), "30 22 0:40 / /srv/data rw,nosuid - proc proc rw,hidepid=invisible\n");
    let all = [("device", "proc".into()), ("fstype", "proc".into()), ("options", "nosuid,hidepid=2".into())];
    let wanted = want("/srv/data", &all);
    let (said, ran) = corrected(&double, &wanted);
    assert_eq!(
        said,
        ["ensure: mounted until the next boot -> mounted", "options: rw,nosuid -> nosuid,hidepid=2"]
    );
    assert_eq!(ran, [RELOAD, "mount -o remount -- /srv/data"]);
    double.put("/proc/self/mountinfo", &format!("{ROOT}{}", proc("rw,hidepid=noaccess")));
    assert_eq!(trial::said(&trial::changes(&Mounts, &double, &wanted)).len(), 1, "a hand's `hidepid=1`");
}

#[test]
fn of_what_was_mounted_before_its_line_it_is_said_what_is_not_to_be_seen() {
    let double = machine("", DATA, "");
    let wanted = data(&[("options", "noatime,journal_checksum".into())]);
    let applied = trial::correct(&Mounts, &double, &wanted).unwrap();
    assert!(applied.said[0].1.contains("`journal_checksum`"), "{applied:?}");
}
