//! Scripts of standard modules that run as root on what users of a service own or name, tested with fake programs in
//! place of the service's own.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

use harness::binaries::workspace;
use harness::skip;
use toml::Table;

/// Runs a script with `place` replaced by the directory `out`, and with these programs first in the `PATH`.
fn run(command: &mut Command, script: &str, place: &str, dir: &Path, programs: &[(&str, &str)]) -> Output {
    assert!(script.contains(place), "{script}");
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).unwrap();
    for (name, does) in programs {
        fs::write(bin.join(name), format!("#!/bin/sh\n{does}\n")).unwrap();
        fs::set_permissions(bin.join(name), Permissions::from_mode(0o755)).unwrap();
    }
    let script = script.replace(place, dir.join("out").to_str().unwrap());
    let path = format!("{}:/usr/bin:/bin", bin.display());
    command.args(["-c", &script]).env("PATH", path).current_dir("/").output().unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A fake dump program: writes the last argument to the output file.
const DUMPS: &str = r#"
for word; do case $word in --result-file=* | --file=*) file=${word#*=} ;; esac; done
case "$*" in *broken*) echo half >"$file"; echo 'cannot dump' >&2; exit 2 ;; esac
printf 'dump of %s\n' "$word" >"$file""#;

#[test]
fn one_tenants_name_of_a_database_costs_no_other_its_dump_and_what_is_left_out_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let script = fs::read_to_string(workspace().join("modules/mariadb/files/mariadb-dump-all")).unwrap();
    let run = |names: &str| {
        let lists = format!("printf 'mysql\\n{names}'");
        let programs = [("mariadb", lists.as_str()), ("mariadb-dump", DUMPS)];
        run(&mut Command::new("sh"), &script, "/var/backups/mariadb", dir.path(), &programs)
    };
    let unpacked = |name: &str| {
        let output = Command::new("zcat").arg(out.join(name)).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let good = run("accounts\\n-x\\nshop\\n");
    assert!(good.status.success(), "{good:?}");
    assert_eq!(names(&out), ["-x.sql.gz", "accounts.sql", "accounts.sql.gz", "shop.sql.gz"]);
    assert_eq!(unpacked("accounts.sql.gz"), "dump of accounts");
    assert!(fs::read_to_string(out.join("accounts.sql")).unwrap().contains("dump of --result-file"));

    let bad = run("-x\\n.x\\na/b\\nbroken\\nz\\n");
    let said = String::from_utf8_lossy(&bad.stderr);
    assert!(!bad.status.success(), "{said}");
    for left_out in ["database .x,", "database a/b,", "database broken"] {
        assert!(said.contains(left_out), "{left_out}: {said}");
    }
    assert_eq!(unpacked("z.sql.gz"), "dump of z");
    assert!(
        !names(&out).iter().any(|name| name.contains("broken") || name.starts_with('.')),
        "{:?}",
        names(&out)
    );
}

#[test]
fn so_it_is_with_postgresql_whose_names_may_hold_quotes() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let script = fs::read_to_string(workspace().join("modules/postgresql/files/postgresql-dump")).unwrap();
    let lists = r"printf '%s\n' -x .x 'a/b' broken 'x'\'' host='\''elsewhere' 'b\s' z";
    let programs = [("psql", lists), ("pg_dump", DUMPS), ("pg_dumpall", DUMPS)];
    let done = run(&mut Command::new("sh"), &script, "/var/backups/postgresql", dir.path(), &programs);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success(), "{said}");
    for left_out in ["database .x,", "database a/b,", "database broken"] {
        assert!(said.contains(left_out), "{left_out}: {said}");
    }
    let quoted = "x' host='elsewhere.dump";
    assert_eq!(names(&out), ["-x.dump", "b\\s.dump", "roles.sql", quoted, "z.dump"]);
    let dump = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(dump(quoted), "dump of --dbname=dbname='x\\' host=\\'elsewhere'\n");
    assert_eq!(dump("b\\s.dump"), "dump of --dbname=dbname='b\\\\s'\n");
}

#[test]
fn the_password_of_redis_is_written_by_redis_and_through_none_of_its_links_by_root() {
    if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) != 0) {
        skip::unless_required("HOLDFAST_REQUIRE_LAB", "a script of the redis module", "it needs root");
        return;
    }
    let manifest = fs::read_to_string(workspace().join("modules/redis/manifests/init.toml")).unwrap();
    let manifest: Table = manifest.parse().unwrap();
    let exec = &manifest["exec"]["password"];
    let command = exec["command"].as_str().unwrap();
    let user = exec.get("user").and_then(toml::Value::as_str).unwrap_or("root");

    let dir = tempfile::tempdir().unwrap();
    let (out, precious) = (dir.path().join("out"), dir.path().join("precious"));
    fs::create_dir(&out).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&out, Permissions::from_mode(0o777)).unwrap();
    fs::write(&precious, "precious").unwrap();
    fs::set_permissions(&precious, Permissions::from_mode(0o600)).unwrap();
    symlink(&precious, out.join(".password")).unwrap();
    let mut shell = match user {
        "redis" => Command::new("setpriv"),
        _ => Command::new("sh"),
    };
    if user == "redis" {
        shell.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--", "sh"]);
    }
    let programs = [("openssl", "echo 0123")];
    let refused = run(&mut shell, command, "/etc/redis", dir.path(), &programs);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious", "{refused:?}");
    assert!(!refused.status.success(), "and the run says so: {refused:?}");
}
