//! What apt would do, before it does it: to get what one resource asks for, apt may remove what another one wants.

use holdfast_catalog::resource::Package;

use crate::provider::Error;
use crate::system::{Inspect, Invocation};

/// What a transaction would install and remove.
#[derive(Debug, Default, PartialEq, Eq)]
struct Simulated {
    installed: Vec<String>,
    removed: Vec<String>,
}

impl Simulated {
    fn read(text: &str) -> Self {
        let mut all = Self::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            match (words.next(), words.next()) {
                (Some("Inst"), Some(name)) => all.installed.push(name.to_owned()),
                (Some("Remv" | "Purg"), Some(name)) => all.removed.push(name.to_owned()),
                _ => {}
            }
        }
        let Self { installed, removed } = &mut all;
        removed.retain(|name| !installed.contains(name));
        all
    }

    /// Why it must not happen: a package of the catalog wants the opposite.
    fn refusal(&self, catalog: &[&Package]) -> Option<String> {
        let wanted = |name: &&String, unwanted: bool| {
            catalog
                .iter()
                .find(|package| package.is_unwanted() == unwanted && is_same(package.title.as_str(), name))
        };
        let removed = self
            .removed
            .iter()
            .find_map(|name| Some((name, wanted(&name, false)?, "remove", "wants installed")));
        let installed = || {
            self.installed
                .iter()
                .find_map(|name| Some((name, wanted(&name, true)?, "install", "wants absent")))
        };
        let (name, other, verb, wants) = removed.or_else(installed)?;
        Some(format!(
            "apt would {verb} `{name}` for it, which package[{}] {wants}: one depends on the other or excludes it, so say \
             the same of both",
            other.title
        ))
    }
}

/// Whether two names are of one package; a name without an architecture means this machine's.
fn is_same(title: &str, name: &str) -> bool {
    let parts = |text: &str| match text.split_once(':') {
        Some((name, architecture)) => (name.to_owned(), Some(architecture.to_owned())),
        None => (text.to_owned(), None),
    };
    let ((title, wanted), (name, is)) = (parts(title), parts(name));
    title == name && (wanted.is_none() || is.is_none() || wanted == is)
}

/// Refuses a transaction that does the opposite of what the catalog wants. What apt itself refuses is left to it.
pub(super) fn refuse_contradiction(
    machine: &dyn Inspect,
    transaction: &Invocation,
    catalog: &[&Package],
) -> Result<(), Error> {
    let output = machine.probe(&simulating(transaction))?;
    let refusal = output.succeeded().then(|| Simulated::read(&output.text()).refusal(catalog)).flatten();
    refusal.map_or(Ok(()), |why| Err(Error::Conflict(why)))
}

/// The same command, which only prints what it would do.
fn simulating(transaction: &Invocation) -> Invocation {
    use holdfast_catalog::resource::attribute::CommandLine;
    let mut simulation = transaction.clone().limit(16 * 1024 * 1024);
    if let CommandLine::Arguments(words) = &mut simulation.command {
        words.insert(1, "--simulate".to_owned());
    }
    simulation
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::want;
    use super::*;

    const REMOVING: &str = "\
NOTE: This is only a simulation!
Reading package lists...
The following packages will be REMOVED:
  git git-man
Remv git [1:2.39.5-0+deb12u2]
Remv git-man [1:2.39.5-0+deb12u2]
";

    fn refusal(text: &str, catalog: &[Package]) -> Option<String> {
        Simulated::read(text).refusal(&catalog.iter().collect::<Vec<_>>())
    }

    #[test]
    fn what_removes_or_brings_what_the_catalog_wants_otherwise_is_refused_by_name() {
        let both = [want("git-man", "absent"), want("git", "present")];
        let said = refusal(REMOVING, &both).unwrap();
        assert!(said.contains("remove `git`") && said.contains("package[git] wants installed"), "{said}");
        let said =
            refusal("Inst git-man (1:2 Debian)\nInst git (1:2 Debian [amd64])\nConf git\n", &both).unwrap();
        assert!(
            said.contains("install `git-man`") && said.contains("package[git-man] wants absent"),
            "{said}"
        );
        let foreign = [want("libc6:i386", "present")];
        assert!(refusal("Remv libc6:i386 [2.36]\n", &foreign).is_some());
        assert!(refusal("Remv libc6:arm64 [2.36]\n", &foreign).is_none());
    }

    #[test]
    fn what_nobody_speaks_of_may_come_and_go() {
        assert_eq!(refusal(REMOVING, &[want("git-man", "absent"), want("nginx", "present")]), None);
        assert_eq!(refusal("Remv a [1]\nInst a [1] (2 Debian)\n", &[want("a", "2")]), None);
        assert_eq!(refusal("", &[want("git", "present")]), None);
    }

    #[test]
    fn the_simulated_command_is_the_one_that_is_run() {
        let command = Invocation::new(["apt-get", "-y", "install", "--", "git"]);
        assert_eq!(simulating(&command).command.to_string(), "apt-get --simulate -y install -- git");
    }
}
