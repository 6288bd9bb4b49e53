//! Tests of why commits are refused: for a git LFS pointer in place of a file; and that the reasons of a refusal are
//! listed before problems that existed already.

use super::*;

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
                       oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

#[test]
fn a_pointer_of_git_lfs_is_an_error_where_a_file_is_read_or_sent_and_nowhere_else() {
    let of = |path: &str| check(&repository(&[(path, POINTER)]));
    for path in ["modules/profile/files/app.tgz", "modules/profile/templates/a.hbs", "hieradata/common.toml"]
    {
        let checked = of(path);
        let first = checked.all().remove(0);
        assert_eq!((first.code, checked.is_usable()), (Code::LfsPointer, false), "{path}: {first:?}");
        assert_eq!(&*first.origin.unwrap().file, path);
        assert!(first.help.unwrap().contains("filter=lfs"));
    }
    let checked = of(ACME);
    assert!(checked.is_usable() && checked.nodes.len() == 1, "a tenant's own");
    assert_eq!(checked.tenants[0].code, Code::LfsPointer);
    for path in ["modules/profile/docs/picture.png", "docs/picture.png", "modules/profile/logo.png"] {
        assert!(of(path).is_clean(), "{path}");
    }
    let longer = format!("{POINTER}{}", "x".repeat(1024));
    for other in [longer.as_str(), "see version https://git-lfs.github.com/spec/v1\n"] {
        assert!(check(&repository(&[("modules/profile/files/a", other)])).is_clean());
    }
}

#[test]
fn what_a_commit_is_refused_for_comes_before_what_was_wrong_already() {
    let bad = "[profile.web]\nname = 1\n";
    let inventory = "[\"web1.birch.example\"]\nrole = \"web\"\nstage = \"tset\"\n";
    let checked = check(&repository(&[(ACME, bad), ("inventory/alpinhost/birch.toml", inventory)]));
    let places: Vec<_> = checked.all().into_iter().map(|problem| problem.origin.unwrap().file).collect();
    assert_eq!(
        places.iter().map(|file| &**file).collect::<Vec<_>>(),
        ["inventory/alpinhost/birch.toml", ACME]
    );
}
