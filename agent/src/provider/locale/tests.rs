//! What is planned for locales, and that one command generates them all.

use std::sync::{Arc, Mutex};

use holdfast_catalog::resource::TypedResource;
use holdfast_catalog::value::Value;

use super::*;
use crate::content;
use crate::provider::CatalogClaims;
use crate::provider::trial::{self, want};
use crate::system::double::{Double, failed, said};

const LISTED: &str = "# de_CH.UTF-8 UTF-8\nen_US.UTF-8 UTF-8\n";

/// A machine whose commands do what they are meant to; `refuses` is a locale that it cannot generate.
fn machine(usable: &[&str], refuses: &'static str) -> Double {
    let all = Arc::new(Mutex::new(usable.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>()));
    let double = Double::new(move |invocation| {
        let mut all = all.lock().unwrap();
        let command = invocation.command.to_string();
        if command.starts_with("locale-gen") {
            all.extend(
                ["de_CH.utf8", "fr_CH.utf8"].map(str::to_owned).into_iter().filter(|name| name != refuses),
            );
        } else if let Some(names) = command.strip_prefix("localedef --delete-from-archive -- ") {
            names.split(' ').for_each(|name| {
                all.remove(name);
            });
        } else if command != "locale -a" {
            return Some(failed(127, "not here"));
        }
        Some(said(&Vec::from_iter(all.iter().cloned()).join("\n")))
    });
    double.put("/usr/sbin/locale-gen", "");
    double.put(GENERATED, LISTED);
    double.put(SUPPORTED, "de_CH.UTF-8 UTF-8\nfr_CH.UTF-8 UTF-8\nen_US.UTF-8 UTF-8\n");
    double.put("/etc/default/locale", "LANG=en_US.UTF-8\n");
    double
}

fn locale(title: &str, attributes: &[(&str, Value)]) -> Locale {
    want(title, attributes)
}

fn changes(machine: &Double, want: &Locale) -> Vec<String> {
    trial::said(&trial::changes(&Locales, machine, want))
}

fn file(machine: &Double, path: &str) -> String {
    std::fs::read_to_string(machine.root.path().join(&path[1..])).unwrap()
}

#[test]
fn a_locale_is_listed_and_generated() {
    for (usable, listed, is) in [
        (&["C", "de_CH.utf8"][..], "de_CH.UTF-8 UTF-8\n", None),
        (&["C"], LISTED, Some("absent")),
        (&["C", "de_CH.utf8"], LISTED, Some("present, but not in /etc/locale.gen")),
        (&["C"], "de_CH.UTF-8 UTF-8\n", Some("in /etc/locale.gen, but not generated")),
    ] {
        let machine = machine(usable, "");
        machine.put(GENERATED, listed);
        let change = is.map(|is| format!("ensure: {is} -> present"));
        let want = locale("de_CH.UTF-8", &[]);
        assert_eq!(changes(&machine, &want), Vec::from_iter(change));
        assert!(trial::correct(&Locales, &machine, &want).unwrap().failed.is_empty());
        assert_eq!(changes(&machine, &want), [""; 0]);
        assert!(file(&machine, GENERATED).starts_with("de_CH.UTF-8 UTF-8\n"));
    }
}

#[test]
fn several_are_generated_by_one_command_and_what_fails_fails_alone() {
    let machine = machine(&["en_US.utf8"], "fr_CH.utf8");
    let wants = [
        locale("de_CH.UTF-8", &[("default", true.into())]),
        locale("fr_CH.UTF-8", &[]),
        locale("en_US.UTF-8", &[("ensure", "absent".into())]),
    ];
    let planned: Vec<_> = wants.iter().map(|want| trial::changes(&Locales, &machine, want)).collect();
    let jobs: Vec<_> = wants.iter().zip(&planned).map(|(want, changes)| Job { want, changes }).collect();
    let results = trial::writing(&machine, |writing| Locales.apply_together(&jobs, writing));
    let failed: Vec<usize> = results.into_iter().map(|result| result.unwrap().failed.len()).collect();
    assert_eq!(failed, [0, 1, 0]);
    assert_eq!(
        machine.ran(),
        [
            "locale-gen --keep-existing",
            "locale -a",
            "localedef --delete-from-archive -- en_US.utf8",
            "locale -a"
        ]
    );
    assert_eq!(file(&machine, GENERATED), "de_CH.UTF-8 UTF-8\n# en_US.UTF-8 UTF-8\nfr_CH.UTF-8 UTF-8\n");
    assert_eq!(file(&machine, "/etc/default/locale"), "LANG=de_CH.UTF-8\n");
}

#[test]
fn a_command_that_fails_fails_what_needs_it() {
    let machine =
        Double::new(|invocation| (invocation.command.to_string() == "locale -a").then(|| said("C\n")));
    machine.put("/usr/sbin/locale-gen", "");
    machine.put(SUPPORTED, "de_CH.UTF-8 UTF-8\n");
    machine.put("/etc/default/locale", "");
    let applied =
        trial::correct(&Locales, &machine, &locale("de_CH.UTF-8", &[("default", true.into())])).unwrap();
    let failed: Vec<_> = applied.failed.iter().map(|(i, error)| (*i, error.to_string())).collect();
    assert!(failed.len() == 2 && failed[0].1.contains("locale-gen"), "{failed:?}");
    assert_eq!(file(&machine, "/etc/default/locale"), "", "the default is one that programs can use");
}

#[test]
fn the_default_is_compared_by_itself() {
    let machine = machine(&["C.utf8", "en_US.utf8"], "");
    let default = [("default", true.into())];
    assert_eq!(changes(&machine, &locale("en_US.UTF-8", &default)), [""; 0]);
    assert_eq!(changes(&machine, &locale("C.UTF-8", &default)), ["default: en_US.UTF-8 -> C.UTF-8"]);
    assert_eq!(changes(&machine, &locale("C.UTF-8", &[])), [""; 0]);
}

#[test]
fn what_overrules_the_default_is_removed_and_an_exception_for_a_part_is_said() {
    let want = locale("en_US.UTF-8", &[("default", true.into())]);
    for (lines, overruling) in [
        ("LC_ALL=C\n", "LC_ALL=C"),
        ("LC_ALL=\"de_CH.UTF-8\"\n", "LC_ALL=de_CH.UTF-8"),
        ("LANGUAGE=fr\n", "LANGUAGE=fr"),
        ("LC_ALL=C\nLANGUAGE=fr:en\n", "LC_ALL=C and LANGUAGE=fr:en"),
    ] {
        let machine = machine(&["en_US.utf8"], "");
        machine.put(GENERATED, "en_US.UTF-8 UTF-8\n");
        machine.put("/etc/default/locale", &format!("# mine\nLANG=en_US.UTF-8\n{lines}"));
        let is = format!("en_US.UTF-8, overruled by {overruling}");
        assert_eq!(changes(&machine, &want), [format!("default: {is} -> en_US.UTF-8")]);
        assert!(trial::correct(&Locales, &machine, &want).unwrap().failed.is_empty());
        assert_eq!(file(&machine, "/etc/default/locale"), "# mine\nLANG=en_US.UTF-8\n");
        assert_eq!(trial::plan(&Locales, &machine, &want).unwrap(), Plan::IN_SYNC);
    }
    for lines in
        ["LC_ALL=en_US.utf8\n", "LC_ALL=\n", "LANGUAGE=en_GB:en\n", "#LC_ALL=C\n", "LC_TIME=en_US.UTF-8\n"]
    {
        let machine = machine(&["en_US.utf8"], "");
        machine.put(GENERATED, "en_US.UTF-8 UTF-8\n");
        machine.put("/etc/default/locale", &format!("LANG=en_US.UTF-8\n{lines}"));
        assert_eq!(trial::plan(&Locales, &machine, &want).unwrap(), Plan::IN_SYNC, "{lines}");
    }
    let machine = machine(&["en_US.utf8"], "");
    machine.put(GENERATED, "en_US.UTF-8 UTF-8\n");
    machine.put("/etc/default/locale", "LANG=en_US.UTF-8\nLC_TIME=de_CH.UTF-8\n");
    let Plan::InSync(said) = trial::plan(&Locales, &machine, &want).unwrap() else { panic!("it stays") };
    let words = "/etc/default/locale has LC_TIME=de_CH.UTF-8, which is another locale for a part";
    assert_eq!(said[0].note.as_deref(), Some(words));
}

#[test]
fn what_cannot_be_had_is_refused_or_waited_for() {
    let plan = |machine: &Double, title: &str, attributes: &[(&str, Value)]| {
        trial::plan(&Locales, machine, &locale(title, attributes))
    };
    let with = machine(&[], "");
    let refused = plan(&with, "de_HC.UTF-8", &[]).unwrap_err().to_string();
    assert!(refused.contains("did you mean `de_CH.UTF-8`?"), "{refused}");
    let other_case = plan(&with, "DE_ch.UTF-8", &[]).unwrap_err().to_string();
    assert!(other_case.contains("did you mean `de_CH.UTF-8`?"), "{other_case}");
    let bare = Double::new(|_| Some(said("C\nPOSIX\n")));
    let waits = plan(&bare, "de_CH.UTF-8", &[]).unwrap();
    assert!(matches!(&waits, Plan::Pending(need) if need.why.contains("package `locales`")), "{waits:?}");
    assert_eq!(plan(&bare, "de_CH.UTF-8", &[("ensure", "absent".into())]).unwrap(), Plan::IN_SYNC);
    let both = ["de_CH.UTF-8", "fr_CH.UTF-8"].map(|title| locale(title, &[("default", true.into())]));
    let all = both.clone().map(TypedResource::Locale);
    let reading = Reading {
        machine: &with,
        content: &content::Nowhere,
        named: &CatalogClaims::new(&all),
        state_dir: Path::new("/none"),
    };
    let seen = Locales.observe(&[], reading).unwrap();
    assert!(Locales.plan(&both[0], &seen, reading).unwrap_err().to_string().contains("locale[fr_CH.UTF-8]"));
}

#[test]
fn without_a_generator_nothing_is_written_and_what_a_package_brought_is_there() {
    let machine = machine(&["C", "de_CH.utf8"], "");
    std::fs::remove_file(machine.root.path().join("usr/sbin/locale-gen")).unwrap();
    std::fs::remove_file(machine.root.path().join(&GENERATED[1..])).unwrap();
    assert_eq!(changes(&machine, &locale("de_CH.UTF-8", &[])), [""; 0]);
    for want in [locale("fr_CH.UTF-8", &[]), locale("de_CH.UTF-8", &[("ensure", "absent".into())])] {
        let Plan::Pending(Need { why, .. }) = trial::plan(&Locales, &machine, &want).unwrap() else {
            panic!("{want:?}")
        };
        assert!(why.contains("no `locale-gen`") && why.contains("glibc-langpack-"), "{why}");
    }
    assert!(!machine.root.path().join(&GENERATED[1..]).exists());
}
