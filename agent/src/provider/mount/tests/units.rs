//! The systemd units that are generated from its line, and others that take precedence over them.

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
        assert!(why.contains(&format!("/{path} {does} `")) && why.contains("the boot uses that"), "{why}");
        let gone = data(&[("ensure", "absent".into())]);
        assert!(trial::correct(&Mounts, &double, &gone).unwrap().failed.is_empty());
        assert_eq!(trial::changes(&Mounts, &double, &gone), []);
    }
    let double = machine(LINES, DATA, "");
    double.put("/usr/lib/systemd/system/srv-data.mount", "[Mount]\nWhat=/srv/c\n");
    assert_eq!(trial::changes(&Mounts, &double, &data(&[])), [], "the line counts before that of a package");
}
