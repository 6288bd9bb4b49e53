//! The process group of a command: whether all of it is gone.

use std::path::Path;

use rustix::process::{Pid, WaitId, WaitIdOptions};

/// Whether a child has ended. This does not reap it; until that happens, its id is not reused.
pub(super) fn has_ended(child: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // If the kernel cannot tell, whoever reaps it finds out.
    rustix::process::waitid(WaitId::Pid(child), options).map_or(true, |ended| ended.is_some())
}

/// Whether a child that has ended has left other processes in its group.
pub(super) fn has_others(leader: Pid) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = leader.as_raw_nonzero().get();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).any(|pid| {
        pid != own
            && std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))
                .is_ok_and(|stat| group_of(&stat) == Some(own))
    })
}

/// The group of a process that has not ended, from `/proc/PID/stat`. After its name, which may contain anything, come
/// its state, its parent and its group.
fn group_of(stat: &str) -> Option<i32> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    (state != "Z" && state != "X").then_some(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_of_its_group_whatever_it_is_called_until_it_has_ended() {
        assert_eq!(group_of("7 (a) b 9) S 1 42 42 0 -1"), Some(42));
        assert_eq!(group_of("7 (sleep) Z 1 42 42 0 -1"), None);
        assert_eq!(group_of("7 (sleep"), None);
    }
}
