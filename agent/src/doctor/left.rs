//! Processes that are left of earlier runs because the kernel holds them, such as at a file system that does not respond.

use std::path::Path;
use std::time::Duration;

/// Where the kernel shows processes.
const PROC: &str = "/proc";

/// The agent's unit, in the path of a control group.
const UNIT: &str = "/holdfast-agent.service";

/// The name of the agent's own processes.
const OWN: &str = "holdfast-agent";

/// A process waits for a healthy disk for less than this.
const MOMENT: Duration = Duration::from_millis(500);

/// What the kernel holds for longer than a moment, in words.
pub(super) fn held() -> Vec<String> {
    let before = held_in(Path::new(PROC));
    if before.is_empty() {
        return before;
    }
    std::thread::sleep(MOMENT);
    held_in(Path::new(PROC)).into_iter().filter(|process| before.contains(process)).collect()
}

fn held_in(proc: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(proc).into_iter().flatten().flatten();
    entries.filter_map(|entry| held_process(&entry.path())).collect()
}

/// The process in a directory of `/proc`, if it is the agent's and a thread of it is in an uninterruptible wait. The
/// first thread may have ended.
fn held_process(dir: &Path) -> Option<String> {
    let id = dir.file_name()?.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (name, _) = name_and_state(dir)?;
    let is_of_unit = || std::fs::read_to_string(dir.join("cgroup")).is_ok_and(|path| path.contains(UNIT));
    if name != OWN && !is_of_unit() {
        return None;
    }
    let threads = std::fs::read_dir(dir.join("task")).into_iter().flatten().flatten();
    let mut states = threads.filter_map(|thread| Some(name_and_state(&thread.path())?.1));
    states.any(|state| state == 'D').then(|| format!("process {id} ({name})"))
}

/// The name and state of a process or thread. The name may contain anything, also parentheses.
fn name_and_state(dir: &Path) -> Option<(String, char)> {
    let stat = std::fs::read_to_string(dir.join("stat")).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    Some((name.to_owned(), after.trim_start().chars().next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_the_kernel_holds_is_named_if_it_is_the_agent_s() {
        let proc = tempfile::tempdir().unwrap();
        let process = |id: u32, name: &str, state: char, unit: &str, threads: &str| {
            let dir = proc.path().join(id.to_string());
            let stat = |id, state| format!("{id} ({name}) {state} 1 1 1 0 -1");
            for (at, state) in threads.chars().enumerate() {
                let task = dir.join("task").join((id as usize + at).to_string());
                std::fs::create_dir_all(&task).unwrap();
                std::fs::write(task.join("stat"), stat(id, state)).unwrap();
            }
            std::fs::write(dir.join("stat"), stat(id, state)).unwrap();
            std::fs::write(dir.join("cgroup"), format!("0::/system.slice/{unit}\n")).unwrap();
        };
        process(7, "stat", 'D', "holdfast-agent.service", "D");
        process(8, "holdfast-agent", 'Z', "session-1.scope", "ZD");
        process(9, "holdfast-agent", 'S', "holdfast-agent.service", "SS");
        process(10, "rsync", 'D', "backup.service", "D");
        let mut held = held_in(proc.path());
        held.sort();
        assert_eq!(held, ["process 7 (stat)", "process 8 (holdfast-agent)"]);
    }
}
