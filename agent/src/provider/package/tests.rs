//! What is planned for a package, given dpkg's record.

use holdfast_catalog::resource::ResourceType;
use holdfast_catalog::value::Value;

use super::*;
use crate::provider::DisplayValue;

const STATUS: &str = "\
Package: nginx
Status: install ok installed
Architecture: amd64
Version: 1.22.1-9

Package: chrony
Status: hold ok installed
Architecture: amd64
Version: 4.3-2

Package: apache2
Status: deinstall ok config-files
Architecture: amd64
Version: 2.4.62-1

Package: redis
Status: install ok half-configured
Architecture: amd64
Version: 7.0.15-1
";

pub(super) fn want(title: &str, ensure: &str) -> Package {
    Package::read(title, &[("ensure".into(), Value::from(ensure))].into()).unwrap()
}

/// The `is` and `should` of the difference.
fn planned(title: &str, ensure: &str) -> Option<(String, String)> {
    let candidates =
        HashMap::from([("nginx".to_owned(), "1.24-1".to_owned()), ("chrony".to_owned(), "4.3-2".to_owned())]);
    let change = difference(&want(title, ensure), &DpkgStatus::parse(STATUS), &candidates)?;
    let text = |shown: &DisplayValue| shown.text().to_owned();
    Some((text(&change.is), text(&change.should)))
}

#[test]
fn what_is_as_wanted_needs_nothing() {
    for (title, ensure) in [
        ("nginx", "present"),
        ("nginx", "1.22.1-9"),
        ("nginx", "0:1.22.1-9"),
        ("chrony", "present"),
        ("chrony", "held"),
        ("chrony", "latest"),
        ("apache2", "absent"),
        ("htop", "absent"),
        ("htop", "purged"),
    ] {
        assert_eq!(planned(title, ensure), None, "{title} {ensure}");
    }
}

#[test]
fn what_is_not_is_said_with_what_there_is() {
    for (title, ensure, is, should) in [
        ("htop", "present", "absent", "present"),
        ("htop", "held", "absent", "held"),
        ("htop", "latest", "absent", "latest"),
        ("nginx", "1.23-1", "1.22.1-9", "1.23-1"),
        ("nginx", "1.0-1", "1.22.1-9", "1.0-1"),
        ("nginx", "held", "1.22.1-9", "held"),
        ("nginx", "latest", "1.22.1-9", "1.24-1"),
        ("nginx", "absent", "1.22.1-9", "absent"),
        ("chrony", "purged", "4.3-2, held", "purged"),
        ("apache2", "present", "absent, with its configuration left", "present"),
        ("apache2", "purged", "absent, with its configuration left", "purged"),
        ("redis", "present", "7.0.15-1, half installed", "present"),
        ("redis", "absent", "7.0.15-1, half installed", "absent"),
    ] {
        assert_eq!(planned(title, ensure), Some((is.into(), should.into())), "{title} {ensure}");
    }
}

#[test]
fn a_version_without_its_epoch_is_refused_with_the_whole_one() {
    let status = DpkgStatus::parse(&STATUS.replace("1.22.1-9", "1:1.22.1-9"));
    let refused = epoch(&want("nginx", "1.22.1-9"), &status).unwrap();
    assert!(refused.contains("write `1:1.22.1-9`"), "{refused}");
    for other in ["1:1.22.1-9", "1.23-1", "present"] {
        assert_eq!(epoch(&want("nginx", other), &status), None, "{other}");
    }
}

pub(super) fn held(title: &str, ensure: &str, hold: bool) -> Package {
    Package { hold: Some(hold), ..want(title, ensure) }
}

#[test]
fn a_hold_is_a_property_of_its_own_beside_a_version() {
    let said = |want: &Package| -> Vec<String> {
        let changes = differences(want, &DpkgStatus::parse(STATUS), &HashMap::new());
        crate::provider::trial::said(&changes)
    };
    assert_eq!(said(&held("nginx", "1.22.1-9", true)), ["hold: false -> true"]);
    assert_eq!(said(&held("nginx", "1.23-1", true)), ["ensure: 1.22.1-9 -> 1.23-1", "hold: false -> true"]);
    assert_eq!(said(&held("chrony", "4.3-2", true)), [""; 0]);
    assert_eq!(said(&held("chrony", "4.4-1", true)), ["ensure: 4.3-2 -> 4.4-1"]);
    assert_eq!(said(&held("chrony", "present", false)), ["hold: true -> false"]);
    assert_eq!(said(&held("htop", "present", true)), ["ensure: absent -> present"]);
    assert_eq!(said(&held("nginx", "held", true)), ["ensure: 1.22.1-9 -> held"]);
}

#[test]
fn a_newer_version_on_offer_is_no_drift_but_a_missing_package_is() {
    let candidates = HashMap::from([("nginx".to_owned(), "1.24-1".to_owned())]);
    let kind = |title| {
        difference(&want(title, "latest"), &DpkgStatus::parse(STATUS), &candidates).map(|change| change.kind)
    };
    assert_eq!(kind("nginx"), Some(ChangeKind::Moved));
    assert_eq!(kind("htop"), Some(ChangeKind::Differs));
    let by_pin = HashMap::from([("nginx".to_owned(), "1.20-1".to_owned())]);
    let older = difference(&want("nginx", "latest"), &DpkgStatus::parse(STATUS), &by_pin).unwrap();
    assert_eq!((older.should.text(), older.kind), ("1.20-1", ChangeKind::Moved), "a pin of 1000 asks for it");
}

#[test]
fn names_that_apt_would_read_otherwise_are_refused() {
    for title in ["foo-", "foo$", "Foo", "a:b:c", "x", "nginx:", "foo@bar", "foo\\", "_foo"] {
        assert!(refusal(&want(title, "present")).is_some(), "{title}");
    }
    for title in ["g++", "libc6:i386", "python3.11", "0ad"] {
        assert_eq!(refusal(&want(title, "present")), None);
    }
    let with = |option: &str| {
        let mut package = want("nginx", "present");
        package.options = vec![option.to_owned()];
        refusal(&package)
    };
    assert!(with("htop").unwrap().contains("option `htop`"));
    assert_eq!(with("--no-install-recommends"), None);
}

#[test]
fn a_new_wish_is_no_drift_where_the_package_is_as_the_old_one_left_it() {
    let also = |title, ensure| {
        difference(&want(title, ensure), &DpkgStatus::parse(STATUS), &HashMap::new()).unwrap().also
    };
    assert_eq!(also("nginx", "2.0"), ["present", "latest"]);
    assert_eq!(also("chrony", "absent"), ["present", "latest", "held", "4.3-2"]);
    assert_eq!(also("apache2", "present"), ["absent"]);
    assert_eq!(also("htop", "present"), ["purged"]);
}
