//! What a lookup says beside its answer: that the machine does not use the value, or that a manifest gives another.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;

use crate::compile::Standing;
use crate::explain::Giver;

use super::Asked;

/// How the machine stands to the class of a parameter; none for a declared key.
pub(super) fn standing(asked: &Asked, key: &str) -> Option<Standing> {
    let parameter = parameter(key)?;
    Some(Standing::of(&asked.program, &asked.node, &asked.facts, &asked.environment, parameter))
}

/// The manifests that give the parameter themselves on this machine; where that cannot be told, those that may.
pub(super) fn givers(asked: &Asked, key: &str, standing: Option<&Standing>) -> Vec<Giver> {
    match (parameter(key), standing) {
        (_, Some(Standing::Has(Some(gift)))) => {
            let Origin { file, .. } = &*gift.origin;
            let name = asked.program.modules().manifests().find(|manifest| manifest.file == *file);
            let manifest = name.map_or_else(|| file.clone(), |manifest| manifest.name.shared().clone());
            vec![Giver { manifest, origin: Origin::clone(&gift.origin), value: gift.value.clone() }]
        }
        (Some((class, name)), Some(Standing::Unknown)) => {
            let giver = |(manifest, origin): (&crate::language::manifest::Manifest, &Origin)| Giver {
                manifest: manifest.name.shared().clone(),
                origin: origin.clone(),
                value: None,
            };
            asked.program.modules().givers(class, name).map(giver).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether the machine has the class of a parameter, as far as that can be told; of other keys, that is so.
pub(super) fn is_included(asked: &Asked, key: &str, standing: Option<&Standing>) -> bool {
    parameter(key).is_none_or(|(class, _)| {
        asked.program.leads_to(&asked.node.role, class) && !matches!(standing, Some(Standing::Lacks))
    })
}

/// Lines for people.
pub(super) fn all(asked: &Asked, key: &str, standing: Option<&Standing>) -> Vec<String> {
    let Some((class, _)) = parameter(key) else { return Vec::new() };
    let role = &asked.node.role;
    if !asked.program.leads_to(role, class) {
        return vec![format!(
            "the role `{role}` does not include `{class}`: this machine does not use the value"
        )];
    }
    if matches!(standing, Some(Standing::Lacks)) {
        let at = when(asked, class).map(|at| format!(" ({}:{})", at.file, at.line)).unwrap_or_default();
        return vec![format!(
            "`{class}` is switched off on this machine by a `when`{at}: it does not use the value"
        )];
    }
    let told = |giver: Giver| {
        let Giver { manifest, origin, value } = giver;
        let verb = if matches!(standing, Some(Standing::Unknown)) { "may give" } else { "gives" };
        let what = value.map(|value| format!(": it is {} on this machine", value.shown()));
        format!(
            "`{manifest}` {verb} this itself ({}:{}), which goes before the data{}",
            origin.file,
            origin.line,
            what.unwrap_or_default()
        )
    };
    givers(asked, key, standing).into_iter().map(told).collect()
}

/// The first `when` of those that switch the class itself.
fn when<'a>(asked: &'a Asked, class: &str) -> Option<&'a Arc<Origin>> {
    let inclusions = asked.program.modules().manifests().flat_map(|manifest| &manifest.inclusions);
    let mut whens = inclusions.filter(|inclusion| *inclusion.class == *class).filter_map(|i| i.when.as_ref());
    whens.next().map(|when| &when.origin)
}

/// Class and parameter of a key.
fn parameter(key: &str) -> Option<(&str, &str)> {
    key.split('.').next().unwrap_or(key).rsplit_once("::")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::Program;
    use crate::repo::Snapshot;
    use holdfast_catalog::facts::Facts;

    /// What is said of `kiosk::port` where a profile includes the class in this way.
    fn said(inclusion: &str) -> Vec<String> {
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
        let files = files.into_iter().map(|(path, text)| (path, text.as_bytes()));
        let program = Program::new(&Snapshot::of_files(files), None);
        let node = program.inventory().nodes().next().unwrap().clone();
        let asked = Asked { program, node, facts: Facts::none(), environment: "main".into() };
        let key = if inclusion.contains("secret") { "kiosk::secret" } else { "kiosk::port" };
        all(&asked, key, standing(&asked, key).as_ref())
    }

    const PLACE: &str = "`profile::kiosk` gives this itself (modules/profile/manifests/kiosk.toml:3), which goes \
                         before the data: it is 99 on this machine";

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
        let unknown = said("port = \"${facts.nope.nope}\"\n");
        assert_eq!(unknown, [PLACE.split_once(": it is").unwrap().0]);
    }
}
