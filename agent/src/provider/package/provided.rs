//! Names that no package has and that packages provide, such as `mail-transport-agent`.

use std::collections::{BTreeSet, HashMap};

use holdfast_catalog::resource::Package;
use holdfast_catalog::resource::package::{PackageEnsure, PackageState};

use super::dpkg_status::DpkgStatus;
use super::{Plan, candidates};
use crate::provider::{Error, Reading, answer};
use crate::system::{Inspect, Invocation, Output};

/// Installed packages, by the names that they provide.
pub type Providers = HashMap<String, Vec<String>>;

/// Installed packages, by the wanted titles that they provide and that no package has as its name. Runs no command if
/// everything that is wanted is installed under its own name.
pub fn met(all: &[&Package], status: &DpkgStatus, machine: &dyn Inspect) -> Result<Providers, Error> {
    let is_missing =
        |want: &&&Package| super::refusal(want).is_none() && status.package(want.title.as_str()).is_none();
    let missing: BTreeSet<&str> = all.iter().filter(is_missing).map(|want| want.title.as_str()).collect();
    if missing.is_empty() {
        return Ok(HashMap::new());
    }
    let mut providers = providers(&DpkgStatus::record(machine)?, &missing);
    let names: Vec<&str> = missing.into_iter().filter(|name| providers.contains_key(*name)).collect();
    // A name that is available as a package means that package.
    for name in candidates::read(machine, &names)?.keys() {
        providers.remove(name);
    }
    Ok(providers)
}

/// The plan for a name that an installed package provides: it can only be reported as present.
pub fn plan(want: &Package, packages: &[String]) -> Result<Plan, Error> {
    let is_met = want.ensure == PackageEnsure::State(PackageState::Present) && want.hold != Some(true);
    if is_met {
        return Ok(Plan::IN_SYNC);
    }
    if want.is_unwanted() {
        return Err(Error::Refused(format!(
            "`{}` is a virtual package, which `{}` provides: name the package to remove",
            want.title,
            packages.join("`, `")
        )));
    }
    Err(Error::Refused(format!(
        "`{}` is a virtual package, which `{}` provides: name that package, or use ensure = \"present\"",
        want.title,
        packages.join("`, `")
    )))
}

/// Whether the catalog wants a package that provides an unwanted name. Then only the package of that name should be
/// removed, and there is none.
pub fn stay(want: &Package, providers: &[String], reading: Reading<'_>) -> bool {
    let is_wanted = |package: &Package| {
        !package.is_unwanted() && providers.iter().any(|name| *name == package.title.as_str())
    };
    want.is_unwanted() && reading.named.of_type::<Package>().any(is_wanted)
}

/// The packages that are alone in providing a wanted virtual name, if the catalog wants all of them to be absent, and
/// wants no other that provides it.
pub fn unwanted<'p>(
    want: &Package,
    providers: &'p Providers,
    reading: Reading<'_>,
) -> Result<&'p [String], Error> {
    let Some(by) = providers.get(want.title.as_str()).filter(|_| !want.is_unwanted()) else { return Ok(&[]) };
    let catalog = || reading.named.of_type::<Package>();
    let is_unwanted =
        |name: &String| catalog().any(|package| package.is_unwanted() && package.title.as_str() == name);
    if !by.iter().all(is_unwanted) {
        return Ok(&[]);
    }
    let show = Invocation::new(["apt-cache", "showpkg", "--", want.title.as_str()]).limit(1024 * 1024);
    let text = answer(reading.machine, &show)?.text().into_owned();
    let offered = text.split_once("\nReverse Provides:").map_or("", |(_, list)| list);
    let is_wanted = |name: &str| {
        catalog()
            .any(|package| !package.is_unwanted() && package.title.as_str().split(':').next() == Some(name))
    };
    let comes = offered.lines().filter_map(|line| line.split(' ').next()).any(is_wanted);
    Ok(if comes { &[] } else { by })
}

/// Which installed packages provide each of these names, according to dpkg's record.
fn providers(record: &str, names: &BTreeSet<&str>) -> Providers {
    let mut providers = Providers::new();
    for stanza in record.split("\n\n").filter(|stanza| stanza.contains("\nProvides:")) {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let is_installed = field("Status:").is_none_or(|status| status.ends_with(" ok installed"));
        let (Some(package), Some(provides), true) = (field("Package:"), field("Provides:"), is_installed)
        else {
            continue;
        };
        let provided = provides.split(',').filter_map(|entry| entry.split_whitespace().next());
        for name in
            provided.map(|name| name.split(':').next().unwrap_or(name)).filter(|name| names.contains(name))
        {
            providers.entry(name.to_owned()).or_default().push(package.to_owned());
        }
    }
    providers
}

/// apt's message about a name that several packages provide, of which it chooses none by itself.
pub fn refusal(output: &Output) -> Option<String> {
    // apt also prints it about a real package if the requested version does not exist.
    if String::from_utf8_lossy(&output.stderr).lines().any(|line| line.starts_with("E: Version '")) {
        return None;
    }
    let text = output.text();
    let (before, after) = text.split_once(" is a virtual package provided by:\n")?;
    let name = before.rsplit_once("Package ").map_or(before, |(_, name)| name);
    let providers: Vec<&str> = after
        .lines()
        .take_while(|line| line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let providers = providers.join(", ");
    Some(format!("`{name}` is a virtual package: name one of those that provide it: {providers}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::double::failed;

    const RECORD: &str = "\
Package: exim4-daemon-light
Status: install ok installed
Version: 4.96
Provides: mail-transport-agent, exim4-localscanapi-4.3 (= 4.96)
Description: a mail server
 Provides: nothing

Package: gone
Status: deinstall ok config-files
Provides: httpd

Package: plain
Status: install ok installed
Version: 1
";

    #[test]
    fn what_is_installed_provides_names() {
        let names =
            BTreeSet::from(["mail-transport-agent", "exim4-localscanapi-4.3", "httpd", "plain", "nothing"]);
        let mut found: Vec<_> = providers(RECORD, &names).into_iter().collect();
        found.sort();
        let exim = || vec!["exim4-daemon-light".to_owned()];
        assert_eq!(
            found,
            [("exim4-localscanapi-4.3".to_owned(), exim()), ("mail-transport-agent".to_owned(), exim())]
        );
    }

    #[test]
    fn a_name_that_several_provide_is_refused_with_their_names() {
        let mut output = failed(100, "E: Package 'netcat' has no installation candidate");
        assert_eq!(refusal(&output), None);
        let stderr = std::mem::take(&mut output.stderr);
        output.stdout = b"Reading package lists...\nPackage netcat is a virtual package provided by:\n  netcat-openbsd 1.219-1\n  netcat-traditional 1.10-47\nYou should explicitly select one to install.\n\n".to_vec();
        let said = refusal(&output).unwrap();
        assert!(
            said.starts_with("`netcat` ") && said.ends_with(": netcat-openbsd, netcat-traditional"),
            "{said}"
        );
        output.stderr = b"E: Version '9' for 'netcat' was not found\n".to_vec();
        assert_eq!(refusal(&output), None, "it is not a virtual package that lacks a version");
        output.stderr = stderr;
        assert!(refusal(&output).is_some());
    }
}
