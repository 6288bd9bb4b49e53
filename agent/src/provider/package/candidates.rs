//! The versions that apt would install.

use std::collections::HashMap;

use crate::provider::Error;
use crate::system::{Inspect, Invocation};

/// The newest versions available, by title, according to the present package lists. Runs one probe, or none if there
/// are no titles.
pub fn read(machine: &dyn Inspect, titles: &[&str]) -> Result<HashMap<String, String>, Error> {
    if titles.is_empty() {
        return Ok(HashMap::new());
    }
    let policy = ["apt-cache", "policy", "--"].into_iter().chain(titles.iter().copied());
    let policy = Invocation::new(policy).limit(16 * 1024 * 1024);
    let output = machine.probe(&policy)?;
    if !output.succeeded() {
        return Err(Error::command(&policy, &output));
    }
    let offered = read_policy(&output.text());
    let of = |title: &&str| {
        // apt omits this machine's own architecture.
        let name = title.split(':').next().unwrap_or(title);
        Some(((*title).to_owned(), offered.get(*title).or_else(|| offered.get(name))?.clone()))
    };
    Ok(titles.iter().filter_map(of).collect())
}

fn read_policy(text: &str) -> HashMap<String, String> {
    let mut candidates = HashMap::new();
    let mut name = "";
    for line in text.lines() {
        if let Some(candidate) = line.strip_prefix("  Candidate: ") {
            if candidate != "(none)" {
                candidates.insert(name.to_owned(), candidate.to_owned());
            }
        } else if !line.starts_with(' ') {
            name = line.trim_end_matches(':');
        }
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "\
nginx:
  Installed: 1.22.1-9
  Candidate: 1.22.1-9+deb12u3
  Version table:
     1.22.1-9+deb12u3 500
        500 http://deb.example.com/debian bookworm/main amd64 Packages
 *** 1.22.1-9 100
        100 /var/lib/dpkg/status
local-only:
  Installed: (none)
  Candidate: (none)
  Version table:
libc6:i386:
  Installed: (none)
  Candidate: 2.36-9
  Version table:
";

    #[test]
    fn candidates_are_read_by_name() {
        let candidates = read_policy(POLICY);
        assert_eq!(candidates["nginx"], "1.22.1-9+deb12u3");
        assert_eq!(candidates["libc6:i386"], "2.36-9");
        assert_eq!(candidates.len(), 2);
    }
}
