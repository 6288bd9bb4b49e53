//! Names of a remote that cannot be beside those that it had before.

use super::*;

#[test]
fn a_branch_that_became_a_folder_of_branches_is_no_hindrance_and_the_reverse() {
    let commit = |bench: &Bench, name: &str| {
        sh(bench, &format!("{COMMIT} echo {name} >file; git commit -qam {name}"));
    };
    for more in [&[][..], &[("depth", 1.into()), ("force", true.into())][..]] {
        let Some((mut bench, index)) = bench("feature", more) else { return };
        sh(&bench, "git -C origin checkout -q -b feature");
        changes(&mut bench, "ensure", Cause::Intentional);
        sh(&bench, "cd origin; git checkout -q main; git branch -q -D feature; git checkout -q -b feature/x");
        commit(&bench, "x");
        bench.set(index, "revision", "feature/x");
        changes(&mut bench, "revision", Cause::Intentional);
        assert_eq!(bench.read("app/file").as_deref(), Some("x\n"));
        sh(&bench, "cd origin; git checkout -q main; git branch -q -D feature/x; git checkout -q -b feature");
        commit(&bench, "back");
        bench.set(index, "revision", "feature");
        changes(&mut bench, "revision", Cause::Intentional);
        assert_eq!(bench.read("app/file").as_deref(), Some("back\n"));
        // With a tag it is the same.
        sh(&bench, "cd origin; git tag -d v1 >/dev/null; git tag v1/a main");
        bench.set(index, "revision", "v1/a");
        sh(&bench, "git -C app update-ref refs/tags/v1 HEAD");
        changes(&mut bench, "revision", Cause::Intentional);
        assert_eq!(head(&bench), of(&bench, "v1/a"));
    }
}

#[test]
fn a_commit_is_found_though_a_name_became_a_folder_of_names() {
    let Some((mut bench, index)) = bench("feature", &[]) else { return };
    sh(&bench, "git -C origin checkout -q -b feature");
    changes(&mut bench, "ensure", Cause::Intentional);
    sh(&bench, "cd origin; git checkout -q main; git branch -q -D feature; git checkout -q -b feature/x");
    let two = "echo x >file; git commit -qam x; git commit -q --allow-empty -m y; git checkout -q main";
    sh(&bench, &format!("{COMMIT} {two}"));
    let commit = of(&bench, "feature/x~1");
    // A remote that gives no commit by its id alone.
    sh(
        &bench,
        "git -C origin config uploadpack.allowAnySHA1InWant false; git -C app config protocol.version 0",
    );
    bench.set(index, "revision", commit.as_str());
    changes(&mut bench, "revision", Cause::Intentional);
    assert_eq!(bench.read("app/file").as_deref(), Some("x\n"));
}
