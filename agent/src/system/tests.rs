//! What the door guarantees: whole files, no planted links, commands that end.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};
use std::time::{Duration, Instant};

use super::*;
use crate::stop::{RunEnd, StopReason};

mod special;
mod taken;

const NOBODY: u32 = 65534;

fn root() -> (tempfile::TempDir, Machine) {
    let dir = tempfile::tempdir().unwrap();
    let machine = Machine::open(dir.path()).unwrap();
    (dir, machine)
}

fn access(mode: u32) -> Permissions {
    Permissions { mode, uid: None, gid: None }
}

fn write(machine: &Machine, path: &str, mode: u32, text: &str) -> Result<()> {
    write_durably(machine, Path::new(path), access(mode), text.as_bytes())
}

fn am_root() -> bool {
    crate::skip::is_root()
}

fn chown(path: &Path, uid: u32) {
    std::os::unix::fs::lchown(path, Some(uid), Some(uid)).unwrap();
}

#[test]
fn a_file_is_replaced_whole_with_its_mode() {
    let (dir, machine) = root();
    write(&machine, "/a", 0o600, "old").unwrap();
    let old_inode = std::fs::metadata(dir.path().join("a")).unwrap().ino();
    write(&machine, "/a", 0o4755, "new").unwrap();
    let meta = std::fs::metadata(dir.path().join("a")).unwrap();
    assert_ne!(meta.ino(), old_inode, "a reader of the old file must keep it");
    assert_eq!(meta.permissions().mode() & 0o7777, 0o4755);
    assert_eq!(std::fs::read_to_string(dir.path().join("a")).unwrap(), "new");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
}

const ACL: &str = "system.posix_acl_access";

#[test]
fn a_replaced_file_keeps_its_access_control_list_and_what_is_noted_about_it() {
    let (dir, machine) = root();
    let path = dir.path().join("a");
    write(&machine, "/a", 0o640, "old").unwrap();
    set_attribute(&path, ACL, &acl_for(NOBODY));
    set_attribute(&path, "user.note", b"kept");
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(), 0o660, "the mask shows as the group's right");

    write(&machine, "/a", mode(), "new").unwrap();
    assert_eq!(read_attribute(&path, ACL), Some(acl_for(NOBODY)), "the group can still read only");
    assert_eq!(read_attribute(&path, "user.note").as_deref(), Some(&b"kept"[..]));
    assert_eq!((mode(), std::fs::read_to_string(&path).unwrap()), (0o660, "new".to_owned()));

    // A declared mode sets the mask from then on, and the list is kept.
    write(&machine, "/a", 0o640, "newer").unwrap();
    assert_eq!(mode(), 0o640);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o660)).unwrap();
    assert_eq!(read_attribute(&path, ACL), Some(acl_for(NOBODY)));
}

#[test]
fn a_replaced_file_takes_no_access_control_list_over_from_its_directory() {
    let (dir, machine) = root();
    write(&machine, "/a", 0o640, "old").unwrap();
    set_attribute(dir.path(), "system.posix_acl_default", &acl_for(NOBODY));
    write(&machine, "/a", 0o640, "new").unwrap();
    assert_eq!(read_attribute(&dir.path().join("a"), ACL), None);
    write(&machine, "/b", 0o640, "new").unwrap();
    assert!(read_attribute(&dir.path().join("b"), ACL).is_some(), "a new file is like all new ones there");
}

#[test]
fn what_is_staged_and_dropped_leaves_no_trace() {
    let (dir, machine) = root();
    write(&machine, "/a", 0o644, "old").unwrap();
    let staged = machine.stage(Path::new("/a"), access(0o644), &mut &b"new"[..]).unwrap();
    assert_eq!(std::fs::read(staged.path()).unwrap(), b"new", "a validator sees the new file");
    drop(staged);
    assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn any_other_user_of_a_command_has_a_session_without_a_terminal() {
    if !am_root() {
        return;
    }
    let machine = Machine::open(Path::new("/")).unwrap();
    let session = |user: Option<&str>| {
        let mut invocation = Invocation::new(["sh", "-c", "cut -d' ' -f5,6 /proc/$$/stat; echo $$"]);
        invocation.user = user.map(ToOwned::to_owned);
        machine.probe(&invocation).unwrap().text().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let own = session(None);
    assert!(own[0] == own[2] && own[1] != own[2], "a group of its own, in the agent's session: {own:?}");
    let theirs = session(Some("nobody"));
    assert!(theirs[0] == theirs[2] && theirs[1] == theirs[2], "a session of its own: {theirs:?}");
}

#[test]
fn a_way_leads_to_the_directory_that_was_looked_at() {
    let (dir, machine) = root();
    std::fs::create_dir_all(dir.path().join("bob/scratch")).unwrap();
    std::fs::create_dir(dir.path().join("victim")).unwrap();
    assert!(machine.way_into(Path::new("/bob/scratch")).unwrap().is_none());
    std::fs::set_permissions(dir.path().join("bob"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let way = machine.way_into(Path::new("/bob/scratch")).unwrap().unwrap();
    std::fs::rename(dir.path().join("bob/scratch"), dir.path().join("bob/moved")).unwrap();
    symlink(dir.path().join("victim"), dir.path().join("bob/scratch")).unwrap();
    std::fs::write(way.path().join("x"), "").unwrap();
    assert!(dir.path().join("bob/moved/x").exists());
    assert!(machine.way_into(Path::new("/bob/scratch")).is_err(), "a link is not a directory");
    let error = machine.way_to_mounted(Path::new("/bob/moved")).unwrap_err();
    assert!(error.to_string().contains("/bob/moved"), "nothing is mounted there: {error}");
}

#[test]
fn what_a_killed_run_left_is_swept_and_nothing_else() {
    let (dir, machine) = root();
    for name in [".holdfast-0123456789abcdef", ".holdfast-notes", ".holdfast-0123456789abcdeg"] {
        std::fs::write(dir.path().join(name), "x").unwrap();
    }
    write(&machine, "/a", 0o644, "x").unwrap();
    let left = machine.list(Path::new("/")).unwrap();
    assert_eq!(left, [".holdfast-0123456789abcdeg", ".holdfast-notes", "a"]);
}

#[test]
fn a_missing_directory_says_what_to_do() {
    let (_dir, machine) = root();
    let error = write(&machine, "/no/such/a", 0o644, "x").unwrap_err().to_string();
    assert!(error.contains("/no/such/a") && error.contains("makes it"), "{error}");
    assert_eq!(machine.lstat(Path::new("/no/such/a")).unwrap(), None);
}

#[test]
fn links_of_root_are_followed_and_never_out_of_the_root() {
    let (dir, machine) = root();
    std::fs::create_dir(dir.path().join("real")).unwrap();
    symlink("/real", dir.path().join("absolute")).unwrap();
    symlink("../../../../real", dir.path().join("real/up")).unwrap();
    write(&machine, "/absolute/a", 0o644, "x").unwrap();
    write(&machine, "/real/up/b", 0o644, "x").unwrap();
    assert_eq!(machine.list(Path::new("/real")).unwrap(), ["a", "b", "up"]);
    symlink("loop", dir.path().join("loop")).unwrap();
    assert!(matches!(machine.lstat(Path::new("/loop/a")), Err(Error::LinkLoop(_))));
}

#[test]
fn links_that_a_user_could_have_planted_are_not_followed() {
    if !am_root() {
        return;
    }
    let (dir, machine) = root();
    let (etc, tmp, home) = (dir.path().join("etc"), dir.path().join("tmp"), dir.path().join("home"));
    for made in [&etc, &tmp, &home] {
        std::fs::create_dir(made).unwrap();
    }
    std::fs::set_permissions(&tmp, PermissionsExt::from_mode(0o1777)).unwrap();
    chown(&home, NOBODY);
    // In a sticky directory a user's link could mislead root; root's own link cannot be exchanged.
    symlink("/etc", tmp.join("app")).unwrap();
    write(&machine, "/tmp/app/fine", 0o644, "x").unwrap();
    chown(&tmp.join("app"), NOBODY);
    // In a home directory the owner decides, even about links that root made there.
    symlink("/etc", home.join("conf")).unwrap();
    for planted in ["/tmp/app/bad", "/home/conf/bad"] {
        let error = write(&machine, planted, 0o644, "x").unwrap_err();
        assert!(matches!(error, Error::PlantedLink { owner: NOBODY, .. }), "{planted}: {error}");
    }
    chown(&home.join("conf"), NOBODY);
    assert!(matches!(write(&machine, "/home/conf/bad", 0o644, "x"), Err(Error::PlantedLink { .. })));
    assert_eq!(machine.list(Path::new("/etc")).unwrap(), ["fine"]);
    // What the link leads to belongs to the same user, who gains nothing by it.
    std::fs::create_dir(home.join("dotfiles")).unwrap();
    chown(&home.join("dotfiles"), NOBODY);
    symlink("/home/dotfiles", home.join(".ssh")).unwrap();
    chown(&home.join(".ssh"), NOBODY);
    write(&machine, "/home/.ssh/keys", 0o600, "x").unwrap();
    assert!(home.join("dotfiles/keys").exists());
}

#[test]
fn a_planted_hard_link_keeps_its_owner_and_mode() {
    if !am_root() {
        return;
    }
    let (dir, machine) = root();
    std::fs::create_dir(dir.path().join("home")).unwrap();
    std::fs::write(dir.path().join("shadow"), "secret").unwrap();
    std::fs::set_permissions(dir.path().join("shadow"), PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::hard_link(dir.path().join("shadow"), dir.path().join("home/file")).unwrap();
    chown(&dir.path().join("home"), NOBODY);
    let path = Path::new("/home/file");
    assert!(matches!(machine.set_mode(path, 0o644), Err(Error::PlantedHardLink { links: 2, .. })));
    assert!(matches!(machine.set_owner(path, Some(NOBODY), None, None), Err(Error::PlantedHardLink { .. })));
    write(&machine, "/home/file", 0o644, "mine").unwrap();
    assert_eq!(std::fs::read_to_string(dir.path().join("shadow")).unwrap(), "secret");
}

#[test]
fn devices_and_fifos_are_never_opened() {
    let (dir, machine) = root();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        dir.path().join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    assert_eq!(machine.lstat(Path::new("/fifo")).unwrap().unwrap().kind, FileKind::Other);
    assert!(matches!(machine.open(Path::new("/fifo")), Err(Error::NotAFile(_))));
}

#[test]
fn a_tree_is_removed_without_what_its_links_lead_to() {
    let (dir, machine) = root();
    std::fs::create_dir_all(dir.path().join("tree/deep")).unwrap();
    std::fs::write(dir.path().join("kept"), "x").unwrap();
    symlink("/", dir.path().join("tree/deep/out")).unwrap();
    symlink("../kept", dir.path().join("tree/link")).unwrap();
    machine.remove_tree(Path::new("/tree")).unwrap();
    assert_eq!(machine.list(Path::new("/")).unwrap(), ["kept"]);
    machine.remove_tree(Path::new("/tree")).unwrap();
}

/// Makes nested directories, this many levels deep, as any user's `mkdir` can.
fn deep(top: &Path, levels: usize) {
    let mut at = rustix::fs::open(top, rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..levels {
        rustix::fs::mkdirat(&at, "d", rustix::fs::Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, "d", rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    }
    rustix::fs::mkdirat(&at, "e", rustix::fs::Mode::RWXU).unwrap();
}

#[test]
fn a_tree_of_any_depth_is_removed() {
    let (dir, machine) = root();
    std::fs::create_dir_all(dir.path().join("tree/.lifted-0/kept-out")).unwrap();
    deep(&dir.path().join("tree"), 1000);
    machine.remove_tree(Path::new("/tree")).unwrap();
    assert!(machine.list(Path::new("/")).unwrap().is_empty());
}

#[test]
fn a_walk_hands_over_what_is_too_deep_and_goes_on() {
    let (dir, machine) = root();
    std::fs::create_dir_all(dir.path().join("t/other")).unwrap();
    deep(&dir.path().join("t"), 300);
    let (mut met, mut unread) = (Vec::new(), Vec::new());
    machine
        .walk(Path::new("/t"), &mut |one| {
            match one {
                Ok(member) => met.push(member.path.to_owned()),
                Err(UnreadMember { path, error }) => unread.push((path.to_owned(), error.to_string())),
            }
            Ok(WalkStep::Into)
        })
        .unwrap();
    assert!(met.contains(&PathBuf::from("other")) && unread.len() == 1, "{unread:?}");
    assert!(met.contains(&unread[0].0), "it was met, and could not be gone into");
    let stops = machine.walk(Path::new("/t"), &mut |one| one.map(|_| WalkStep::Into).map_err(Into::into));
    assert!(stops.is_err(), "anyone who says nothing of it is told");
}

#[test]
fn a_walk_meets_everything_once_and_goes_only_where_it_is_sent() {
    let (dir, machine) = root();
    std::fs::create_dir_all(dir.path().join("t/a/b")).unwrap();
    std::fs::create_dir_all(dir.path().join("t/past/hidden")).unwrap();
    std::fs::write(dir.path().join("t/a/b/f"), "text").unwrap();
    symlink("a", dir.path().join("t/link")).unwrap();
    let mut met = Vec::new();
    machine
        .walk(Path::new("/t"), &mut |one| {
            let member = one?;
            if member.stat.kind == FileKind::File {
                assert_eq!(member.open()?.stat.size, 4);
            }
            met.push(member.path.display().to_string());
            Ok(if member.path == Path::new("past") { WalkStep::Past } else { WalkStep::Into })
        })
        .unwrap();
    met.sort();
    assert_eq!(met, ["a", "a/b", "a/b/f", "link", "past"]);
}

#[test]
fn reading_is_limited() {
    let (_dir, machine) = root();
    write(&machine, "/a", 0o644, "12345").unwrap();
    assert_eq!(machine.read(Path::new("/a"), 5).unwrap().unwrap(), b"12345");
    assert!(matches!(machine.read(Path::new("/a"), 4), Err(Error::TooLarge { size: 5, .. })));
    assert_eq!(machine.read(Path::new("/b"), 4).unwrap(), None);
}

#[test]
fn accounts_are_read_again_when_their_files_change() {
    let (_dir, machine) = root();
    assert!(machine.accounts().unwrap().users().is_empty());
    machine.make_dir(Path::new("/etc"), access(0o755)).unwrap();
    write(&machine, "/etc/passwd", 0o644, "bob:x:7:7::/:/bin/sh\n").unwrap();
    assert_eq!(machine.accounts().unwrap().uid("bob"), Some(7));
}

#[test]
fn another_root_runs_no_command() {
    let (_dir, machine) = root();
    assert!(matches!(machine.run(&Invocation::new(["true"])), Err(Error::NotLive(_))));
}

fn here(invocation: &Invocation) -> Output {
    Machine::open(Path::new("/")).unwrap().probe(invocation).unwrap()
}

#[test]
fn a_command_has_a_fixed_environment_and_its_input() {
    let script = "env | sort; cat";
    let said =
        here(&Invocation::new(["sh", "-c", script]).variable("X", "y").input("in")).text().into_owned();
    for line in ["LANG=C.UTF-8", "X=y", "PATH=/usr/local/sbin"] {
        assert!(said.contains(line), "{line} in {said}");
    }
    assert!(said.ends_with("in") && !said.contains("CARGO"), "{said}");
}

#[test]
fn a_command_that_takes_too_long_ends_with_its_children() {
    let began = Instant::now();
    let quick = Duration::from_millis(100);
    let output = here(&Invocation::new(["sh", "-c", "sleep 60 & wait"]).timeout(quick));
    assert_eq!(output.exit, Exit::TimedOut(quick));
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn what_does_not_end_with_the_command_that_began_it_is_made_to() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("pid");
    let script = format!("(trap '' TERM; exec sleep 3600) & echo $! >{}; wait", file.display());
    let quick = Duration::from_millis(500);
    let output = here(&Invocation::new(["sh", "-c", &*script]).timeout(quick));
    assert_eq!(output.exit, Exit::TimedOut(quick));
    let pid = std::fs::read_to_string(&file).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    let is_gone = || stat().rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'));
    let began = Instant::now();
    while !is_gone() {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", stat());
        std::thread::yield_now();
    }
}

#[test]
fn a_missing_program_is_named_no_matter_whom_it_runs_as() {
    let named = |invocation: &Invocation| {
        let error = Machine::open(Path::new("/")).unwrap().run(invocation).unwrap_err().to_string();
        assert!(error.starts_with("`nosuch-program` could not be started: No such file"), "{error}");
    };
    let missing = Invocation::new(["nosuch-program", "-v"]);
    named(&missing);
    named(&missing.clone().detached());
    if crate::skip::is_root() {
        named(&Invocation { user: Some("daemon".to_owned()), ..missing });
    }
}

/// Runs a shell script until it has made a file, then sets the flag on which its run must stop.
fn told_to_stop(script: &str, stoppable: bool) -> Output {
    let place = tempfile::tempdir().unwrap();
    let begun = place.path().join("begun");
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let machine = Machine::open(Path::new("/")).unwrap().stopped_by(stop.clone());
    let script = script.replace("BEGUN", begun.to_str().unwrap());
    let invocation = Invocation::new(["sh", "-c", &*script]);
    let invocation = if stoppable { invocation.stoppable() } else { invocation };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !begun.exists() {
                std::thread::yield_now();
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        machine.run(&invocation).unwrap()
    })
}

#[test]
fn f10_a_command_at_hand_ends_with_its_children_when_the_run_is_told_to_stop() {
    let began = Instant::now();
    for script in ["sleep 3600 & touch BEGUN; wait", "trap '' TERM; touch BEGUN; sleep 3600; sleep 3600"] {
        assert_eq!(told_to_stop(script, true).exit, Exit::Stopped(StopReason::Told), "{script}");
    }
    // A command that ends by itself when it is asked to was not completed either.
    assert_eq!(
        told_to_stop("trap 'exit 0' TERM; touch BEGUN; sleep 3600 & wait", true).exit,
        Exit::Stopped(StopReason::Told)
    );
    assert!(began.elapsed() < Duration::from_secs(600));
}

#[test]
fn f22_a_tool_ends_with_its_run_whatever_time_it_has_itself_and_none_begins_later() {
    let over = Exit::Stopped(StopReason::OutOfTime);
    let until = |end| Machine::open(Path::new("/")).unwrap().until(end);
    // A stopped process does not respond to a gentle signal either.
    for script in ["sleep 3600", "trap '' TERM; sleep 3600; sleep 3600", "kill -STOP $$"] {
        let soon = until(RunEnd::after(Duration::from_millis(100)));
        let output = soon.run(&Invocation::new(["sh", "-c", script])).unwrap();
        assert_eq!(output.exit, over, "{script}");
    }
    let tidies = until(RunEnd::after(Duration::ZERO)).run(&Invocation::new(["true"])).unwrap();
    assert_eq!(tidies.exit, Exit::Code(0), "what puts in order what was cut short has its time");
    let late = until(RunEnd::long_ago());
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("begun");
    let output = late.run(&Invocation::new(["touch", file.to_str().unwrap()])).unwrap();
    assert_eq!((output.exit, file.exists()), (over, false));
    assert_eq!(over.to_string(), "interrupted because the run reached its time limit (run_timeout)");
}

#[test]
fn f10_a_command_that_must_not_end_half_way_goes_on_to_its_end() {
    let output = told_to_stop("touch BEGUN; sleep 1; echo whole", false);
    assert_eq!((output.exit, &*output.text()), (Exit::Code(0), "whole\n"));
}

#[test]
fn what_a_command_leaves_running_does_not_hold_us() {
    let began = Instant::now();
    let output = here(&Invocation::new(["sh", "-c", "echo said; sleep 30 &"]));
    assert_eq!((output.exit, &*output.text()), (Exit::Code(0), "said\n"));
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn output_is_bounded_and_no_line_is_cut() {
    // A secret that is cut in half would not be recognized where texts are redacted.
    let flood = Invocation::new([
        "sh",
        "-c",
        "yes password=hunter2 | head -c 3000000; yes password=hunter2 | head -n 99999 >&2; echo end >&2",
    ]);
    let output = here(&flood.limit(1000));
    assert!(output.succeeded());
    assert!((900..=1000).contains(&output.stdout.len()), "{}", output.stdout.len());
    assert!((900..=2000).contains(&output.stderr.len()), "{}", output.stderr.len());
    assert!(output.text().lines().all(|line| line == "password=hunter2"), "{}", output.text());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.strip_suffix("end\n").unwrap().lines().all(|line| line == "password=hunter2"), "{said}");
}

#[test]
fn of_one_endless_line_nothing_is_kept() {
    let flood = Invocation::new(["sh", "-c", "head -c 99999 /dev/zero; head -c 99999 /dev/zero >&2"]);
    let output = here(&flood.limit(1000));
    assert_eq!((output.stdout.len(), output.stderr.len()), (0, 0));
}

#[test]
fn a_missing_program_is_named() {
    let error =
        Machine::open(Path::new("/")).unwrap().run(&Invocation::new(["no-such-program"])).unwrap_err();
    assert!(error.to_string().contains("`no-such-program` could not be started"), "{error}");
    assert_eq!(error.kind(), Some(io::ErrorKind::NotFound));
}

#[test]
fn another_user_has_that_users_groups_alone() {
    if !am_root() {
        return;
    }
    let mut invocation = Invocation::new(["sh", "-c", "id -u; id -G; echo $USER"]);
    invocation.user = Some("nobody".to_owned());
    assert_eq!(here(&invocation).text(), "65534\n65534\nnobody\n");
}
