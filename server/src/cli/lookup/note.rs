//! Notes beside the answer of a lookup: that the machine does not use the value, or that a manifest gives another.

use holdfast_catalog::origin::Origin;

use crate::check::LookupKeys;
use crate::compile::{Absence, ClassStatus};
use crate::explain::ManifestSource;

use super::CompileInput;

/// Whether the machine has the class of a parameter, and how; `None` for a declared key.
pub(super) fn standing(asked: &CompileInput, key: &str) -> Option<ClassStatus> {
    let parameter = parameter(key)?;
    Some(ClassStatus::of(&asked.program, &asked.node, &asked.facts, &asked.environment, parameter))
}

/// The manifests that give the parameter themselves on this machine; if that cannot be told, those that may.
pub(super) fn givers(asked: &CompileInput, key: &str, standing: Option<&ClassStatus>) -> Vec<ManifestSource> {
    match (parameter(key), standing) {
        (_, Some(ClassStatus::Has(Some(gift)))) => {
            let Origin { file, .. } = &*gift.origin;
            let name = asked.program.modules().manifests().find(|manifest| manifest.file == *file);
            let manifest = name.map_or_else(|| file.clone(), |manifest| manifest.name.shared().clone());
            vec![ManifestSource { manifest, origin: Origin::clone(&gift.origin), value: gift.value.clone() }]
        }
        (Some((class, name)), Some(ClassStatus::Unknown)) => {
            let giver =
                |(manifest, origin): (&crate::language::manifest::Manifest, &Origin)| ManifestSource {
                    manifest: manifest.name.shared().clone(),
                    origin: origin.clone(),
                    value: None,
                };
            asked.program.modules().givers(class, name).map(giver).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether the machine has the class of a parameter, as far as that can be told; true for all other keys.
pub(super) fn is_included(asked: &CompileInput, key: &str, standing: Option<&ClassStatus>) -> bool {
    parameter(key).is_none_or(|(class, _)| {
        asked.program.leads_to(&asked.node.role, class) && !matches!(standing, Some(ClassStatus::Lacks(_)))
    })
}

/// The notes, as lines for people.
pub(super) fn all(asked: &CompileInput, key: &str, standing: Option<&ClassStatus>) -> Vec<String> {
    let Some((class, name)) = parameter(key) else { return Vec::new() };
    let role = &asked.node.role;
    let uses = || match LookupKeys::of(&asked.program).names_key(&format!("{class}::{name}")) {
        true => "uses the value only where `lookup()` asks for it",
        false => "does not use the value",
    };
    if !asked.program.leads_to(role, class) {
        return vec![format!("the role `{role}` does not include `{class}`: this machine {}", uses())];
    }
    if let Some(ClassStatus::Lacks(absence)) = standing {
        let at = |origin: &Origin| format!("({}:{})", origin.file, origin.line);
        let why = match absence {
            Some(Absence::When(when)) => {
                format!("is switched off on this machine by a `when` {}", at(when))
            }
            Some(Absence::ForEach(each)) => {
                format!("is not on this machine, since a `for_each` is empty {}", at(each))
            }
            None => "is not on this machine".to_owned(),
        };
        return vec![format!("`{class}` {why}: it {}", uses())];
    }
    let told = |giver: ManifestSource| {
        let ManifestSource { manifest, origin, value } = giver;
        let verb = if matches!(standing, Some(ClassStatus::Unknown)) { "may give" } else { "gives" };
        let what = value.map(|value| format!(": it is {} on this machine", value.shown()));
        format!(
            "`{manifest}` {verb} this itself ({}:{}), which takes precedence over the data{}",
            origin.file,
            origin.line,
            what.unwrap_or_default()
        )
    };
    givers(asked, key, standing).into_iter().map(told).collect()
}

/// The class and the parameter of a key.
fn parameter(key: &str) -> Option<(&str, &str)> {
    key.split('.').next().unwrap_or(key).rsplit_once("::")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::Program;
    use crate::repo::Snapshot;
    use holdfast_catalog::facts::Facts;

    /// The notes about `kiosk::port` if a profile includes the class in this way.
    fn said(inclusion: &str) -> Vec<String> {
        said_beside(inclusion, &[])
    }

    /// Like [`said`], in a repository that has further files.
    fn said_beside(inclusion: &str, more: &[(&str, &str)]) -> Vec<String> {
        let profile = format!("doc = \"Kiosk.\"\n[class.kiosk]\n{inclusion}");
        let files = [
            ("inventory/a/acme.toml", "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"production\"\n"),
            ("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"profile::kiosk\"]\n"),
            ("modules/profile/manifests/kiosk.toml", &profile),
            (
                "modules/kiosk/manifests/init.toml",
                "doc = \"Kiosk.\"\n[parameters]\nport = { type = \"Port\", default = 80, doc = \"Port.\" }\n\
                 secret = { type = \"Optional[Secret]\", doc = \"Secret.\" }\n",
            ),
        ];
        let files: std::collections::BTreeMap<_, _> = files.into_iter().chain(more.iter().copied()).collect();
        let files = files.into_iter().map(|(path, text)| (path, text.as_bytes()));
        let program = Program::new(&Snapshot::of_files(files), None);
        let node = program.inventory().nodes().next().unwrap().clone();
        let asked = CompileInput { program, node, facts: Facts::none(), environment: "main".into() };
        let key = if inclusion.contains("secret") { "kiosk::secret" } else { "kiosk::port" };
        all(&asked, key, standing(&asked, key).as_ref())
    }

    const PLACE: &str = "`profile::kiosk` gives this itself (modules/profile/manifests/kiosk.toml:3), which takes \
                         precedence over the data: it is 99 on this machine";

    #[test]
    fn what_a_manifest_gives_is_what_it_gives_this_machine() {
        assert_eq!(said(""), [""; 0]);
        assert_eq!(said("port = 99\n"), [PLACE]);
        assert_eq!(said("port = \"${node.stage == 'production' ? 99 : null}\"\n"), [PLACE]);
        assert_eq!(said("port = \"${node.stage == 'test' ? 99 : null}\"\n"), [""; 0], "the data is asked");
        let secret = said("secret = \"hunter2-hunter2\"\n");
        assert!(secret.len() == 1 && !secret[0].contains("hunter2"), "{secret:?}");
    }

    #[test]
    fn a_class_that_is_switched_off_here_uses_no_value() {
        let off = "`kiosk` is switched off on this machine by a `when` (modules/profile/manifests/kiosk.toml:3): it does \
                   not use the value";
        assert_eq!(said("when = \"${node.stage == 'test'}\"\nport = 99\n"), [off]);
        assert_eq!(said("when = \"${node.stage == 'production'}\"\n"), [""; 0]);
        let another = (
            "modules/profile/manifests/a.toml",
            "doc = \"A.\"\n[class.kiosk]\nwhen = \"${node.stage == 'test'}\"\n",
        );
        let test = "when = \"${node.stage == 'test'}\"\n";
        assert_eq!(said_beside(test, &[another]), [off], "a profile that this machine does not have");
        let unknown = said("port = \"${facts.nope.nope}\"\n");
        assert_eq!(unknown, [PLACE.split_once(": it is").unwrap().0]);
    }

    #[test]
    fn what_keeps_a_class_from_a_machine_is_named_as_it_is() {
        let profile = |text: &'static str| ("modules/profile/manifests/kiosk.toml", text);
        let define =
            ("modules/shop/manifests/site.toml", "kind = \"define\"\ndoc = \"Site.\"\n[class.kiosk]\n");
        let none = profile("doc = \"Kiosk.\"\n[\"shop::site\".x]\nfor_each = []\n");
        let said = said_beside("", &[define, none]);
        assert_eq!(
            said,
            ["`kiosk` is not on this machine, since a `for_each` is empty \
              (modules/profile/manifests/kiosk.toml:3): it does not use the value"]
        );
        let off = profile("doc = \"Kiosk.\"\n[\"shop::site\".x]\nwhen = \"${node.stage == 'test'}\"\n");
        let said = said_beside("", &[define, off]);
        assert_eq!(
            said,
            [
                "`kiosk` is switched off on this machine by a `when` (modules/profile/manifests/kiosk.toml:3): it does \
              not use the value"
            ]
        );
        let middle = ("modules/shop/manifests/init.toml", "doc = \"Shop.\"\ninclude = [\"kiosk\"]\n");
        let off = profile("doc = \"Kiosk.\"\n[class.shop]\nwhen = \"${node.stage == 'test'}\"\n");
        let said = said_beside("", &[middle, off]);
        assert!(
            said.len() == 1 && said[0].contains("`when` (modules/profile/manifests/kiosk.toml:3)"),
            "{said:?}"
        );
    }

    #[test]
    fn a_value_that_something_looks_up_by_name_is_used_without_its_class() {
        let looks = "doc = \"A.\"\n[let]\nx = \"${lookup('kiosk::port')}\"\n";
        let looks = ("modules/profile/manifests/a.toml", looks);
        let said = said_beside("when = \"${node.stage == 'test'}\"\n", &[looks]);
        assert_eq!(
            said,
            [
                "`kiosk` is switched off on this machine by a `when` (modules/profile/manifests/kiosk.toml:3): it uses \
              the value only where `lookup()` asks for it"
            ]
        );
        let without = ("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"profile::a\"]\n");
        let said = said_beside("", &[looks, without]);
        assert_eq!(
            said,
            [
                "the role `web` does not include `kiosk`: this machine uses the value only where `lookup()` asks for it"
            ]
        );
    }
}
