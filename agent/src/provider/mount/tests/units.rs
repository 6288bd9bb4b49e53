//! The systemd units that are generated from its line, and others that take precedence over them.

use holdfast_catalog::resource::{File, TypedResource};

use super::*;

#[test]
fn another_definition_of_its_unit_is_a_failure_that_names_it() {
    for (path, is_mask) in [
        ("etc/systemd/system/srv-data.mount", true),
        ("etc/systemd/system/srv-data.mount", false),
        ("etc/systemd/system.control/srv-data.mount", false),
        ("run/systemd/system/srv-data.automount", false),
    ] {
        let double = machine(LINES, DATA, "");
        if is_mask {
            std::fs::create_dir_all(double.root.path().join("etc/systemd/system")).unwrap();
            symlink("/dev/null", double.root.path().join(path)).unwrap();
        } else {
            double.put(path, "[Mount]\nWhat=/srv/c\nWhere=/srv/data\n");
        }
        let why = trial::plan(&Mounts, &double, &data(&[])).unwrap_err().to_string();
        let does = if is_mask { "masks" } else { "defines" };
        let who = if path.starts_with("run/") {
            "until the next boot systemd goes by that"
        } else {
            "the boot goes by that"
        };
        assert!(why.contains(&format!("/{path} {does} `")) && why.contains(who), "{why}");
        let gone = data(&[("ensure", "absent".into())]);
        assert!(trial::correct(&Mounts, &double, &gone).unwrap().failed.is_empty());
        assert_eq!(trial::changes(&Mounts, &double, &gone), []);
    }
    let double = machine(LINES, DATA, "");
    double.put("/usr/lib/systemd/system/srv-data.mount", "[Mount]\nWhat=/srv/c\n");
    assert_eq!(trial::changes(&Mounts, &double, &data(&[])), [], "the line counts before that of a package");
}

#[test]
fn a_drop_in_that_decides_what_is_mounted_is_a_failure_that_names_it_unless_it_is_managed() {
    const OPTIONS: &str = "[Mount]\nOptions=size=1m\n";
    for (path, text, who) in [
        (
            "etc/systemd/system/srv-data.mount.d/o.conf",
            "[Unit]\nConditionPathExists=/none\n",
            "the boot goes",
        ),
        ("etc/systemd/system/srv-.mount.d/o.conf", OPTIONS, "the boot goes"),
        ("run/systemd/system/mount.d/o.conf", OPTIONS, "until the next boot systemd goes"),
    ] {
        let double = machine(LINES, DATA, "");
        double.put(path, text);
        let why = trial::plan(&Mounts, &double, &data(&[])).unwrap_err().to_string();
        assert!(why.contains(&format!("/{path} sets `")) && why.contains(who), "{why}");
        assert_eq!(trial::changes(&Mounts, &double, &data(&[("ensure", "absent".into())])).len(), 1);

        let claims = [TypedResource::File(want::<File>(&format!("/{path}"), &[("content", text.into())]))];
        let plan = trial::plan_among(&Mounts, &double, &data(&[]), &claims);
        assert!(matches!(plan, Ok(Plan::InSync(_))), "{path}");
    }
    for (path, text) in [
        ("etc/systemd/system/srv-data.mount.d/o.conf", "[Unit]\nAfter=network-online.target\n"),
        ("etc/systemd/system/srv-data.mount.d/o.txt", OPTIONS),
        ("etc/systemd/system/srv-data.automount.d/o.conf", "[Automount]\nWhere=/x\n"),
        ("usr/lib/systemd/system/srv-data.mount.d/o.conf", OPTIONS),
        ("etc/systemd/system/srv-database.mount.d/o.conf", OPTIONS),
    ] {
        let double = machine(LINES, DATA, "");
        double.put(path, text);
        assert_eq!(trial::changes(&Mounts, &double, &data(&[])), [], "{path}");
    }
}
