//! Which process uses a file system that cannot be unmounted because of that.

use std::path::Path;

use crate::provider::Error;
use crate::system::{Exit, Inspect};

/// The exit code of mount(8) and umount(8) if the kernel refused.
const REFUSED: i32 = 32;

/// Adds a process that uses what is mounted at a point to the error of `umount`. None may be found: it may be another
/// mount that keeps this one, or a process of another namespace.
pub(super) fn named(mut error: Error, point: &str, machine: &dyn Inspect) -> Error {
    if let Error::Command { exit: Exit::Code(REFUSED), said, .. } = &mut error
        && let Some(user) = user_of(Path::new(point), machine)
    {
        said.push_str(&format!("; {user} uses it"));
    }
    error
}

/// The first process that has its root, its working directory, its program or an open file there. The kernel knows
/// these paths without looking at the file system.
fn user_of(point: &Path, machine: &dyn Inspect) -> Option<String> {
    let own = std::process::id().to_string();
    let processes = machine.list(Path::new("/proc")).ok()?;
    let ids = processes.iter().filter_map(|name| name.to_str());
    ids.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()) && **id != own).find_map(|id| {
        let process = Path::new("/proc").join(id);
        let files = process.join("fd");
        let open = machine.list(&files).unwrap_or_default();
        let open = open.iter().map(|name| files.join(name));
        let is_there = |link: &Path| machine.read_link(link).is_ok_and(|path| path.starts_with(point));
        let uses = ["cwd", "root", "exe"].into_iter().map(|name| process.join(name)).chain(open);
        let name = || machine.read_text(&process.join("comm")).ok().flatten().unwrap_or_default();
        uses.into_iter().any(|link| is_there(&link)).then(|| format!("process {id} ({})", name().trim()))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::system::double::Double;

    fn busy(code: i32) -> Error {
        let said = "target is busy.".to_owned();
        Error::Command { command: "umount -- /srv/data".into(), exit: Exit::Code(code), said }
    }

    #[test]
    fn a_process_that_has_a_file_or_its_directory_there_is_named() {
        let double = Double::new(|_| None);
        double.put("/proc/meminfo", "");
        double.put("/proc/7/comm", "init\n");
        double.put("/proc/812/comm", "rsync\n");
        let link = |at: &str, to: &str| {
            let at = double.root.path().join(at);
            std::fs::create_dir_all(at.parent().unwrap()).unwrap();
            symlink(to, at).unwrap();
        };
        link("proc/7/cwd", "/srv/database");
        let words = |code| named(busy(code), "/srv/data", &double).to_string();
        assert!(words(32).ends_with("busy."), "{}", words(32));
        link("proc/812/fd/3", "/srv/data/backup/x");
        assert!(words(32).ends_with("; process 812 (rsync) uses it"), "{}", words(32));
        assert!(words(1).ends_with("busy."), "{}", words(1));
    }
}
