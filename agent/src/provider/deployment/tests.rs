//! Deployments in the test's own directory: releases that go live, and are rolled back.

use std::path::PathBuf;

use holdfast_catalog::graph::EdgeKind;
use holdfast_catalog::report::{Cause, Mode, Status};
use holdfast_catalog::value::Value;

mod dying;
mod failing;
mod shop;

use shop::Shop;

fn list(items: &[&str]) -> Value {
    items.iter().map(|item| Value::from(*item)).collect::<Vec<_>>().into()
}

#[test]
fn a_version_goes_live_and_an_earlier_one_is_only_linked_again() {
    let mut shop = Shop::new(&[("build", "echo built >>built; cat version >>../../builds".into())]);
    shop.goes_live("1");
    shop.goes_live("2");
    let back = shop.goes_live("1");
    assert_eq!((back.is.as_deref(), back.cause), (Some("2"), Some(Cause::Intentional)));
    assert_eq!(shop.activated(), "1 2 1");
    assert_eq!(
        shop.bench.read("shop/builds").as_deref(),
        Some("1\n2\n"),
        "what was built is not built again"
    );
    assert_eq!(std::fs::read_link(shop.path("shop/current")).unwrap(), PathBuf::from("releases/1"));
}

#[test]
fn a_link_that_was_led_elsewhere_is_drift() {
    let mut shop = Shop::new(&[]);
    shop.goes_live("1");
    shop.goes_live("2");
    shop.sh("ln -sfn releases/1 shop/current");
    let event = shop.run();
    assert_eq!(
        (event.is.as_deref(), event.cause, event.status),
        (Some("1"), Some(Cause::Corrective), Status::Changed)
    );
    shop.is_live("2");
    shop.sh("rm shop/current; mkdir shop/current");
    assert!(shop.fails().contains("is not a link"));
}

#[test]
fn health_is_asked_for_until_it_comes() {
    let mut shop = Shop::new(&[("health", "echo x >>../../asked; test $(wc -l <../../asked) -ge 2".into())]);
    shop.goes_live("1");
    assert_eq!(shop.bench.read("shop/asked").as_deref(), Some("x\nx\n"));
}

#[test]
fn shared_paths_outlive_releases() {
    let mut shop = Shop::new(&[("shared", list(&["log", "config/app.yml", "public/uploads"]))]);
    shop.want("1");
    assert!(shop.fails().contains("config/app.yml does not exist"), "a file is waited for");
    shop.sh("mkdir -p shop/shared/config; echo secret >shop/shared/config/app.yml");
    shop.goes_live("1");
    shop.sh("echo line >shop/current/log/app.log");
    shop.goes_live("2");
    assert_eq!(shop.bench.read("shop/current/log/app.log").as_deref(), Some("line\n"));
    assert_eq!(shop.bench.read("shop/current/config/app.yml").as_deref(), Some("secret\n"));
    assert!(PathBuf::from(shop.path("shop/current/public/uploads")).is_dir());

    shop.sh("rm shop/current/config/app.yml; touch shop/current/config/app.yml");
    let event = shop.run();
    assert_eq!((event.property.as_deref(), event.cause), (Some("shared"), Some(Cause::Corrective)));
    assert_eq!(event.is.as_deref(), Some("log,public/uploads"));
    assert_eq!(shop.bench.read("shop/current/config/app.yml").as_deref(), Some("secret\n"));
}

#[test]
fn what_stands_in_a_live_release_in_the_place_of_a_shared_path_is_never_dropped() {
    for (path, data) in [("log", "log/data"), ("data", "data"), ("db/app.sqlite3", "db/app.sqlite3")] {
        let mut shop = Shop::new(&[("shared", path.into())]);
        shop.sh("mkdir -p shop/shared/db; touch shop/shared/db/app.sqlite3");
        shop.goes_live("1");
        let folder = if data == path { "" } else { "mkdir shop/current/log; " };
        shop.sh(&format!("rm shop/current/{path}; {folder}echo rows >shop/current/{data}"));
        assert!(shop.fails().contains("move its content"), "{path}");
        assert_eq!(shop.bench.read(&format!("shop/current/{data}")).as_deref(), Some("rows\n"), "{path}");
    }
}

#[test]
fn the_oldest_go_and_what_others_made_stays() {
    let mut shop = Shop::new(&[("keep", 2.into())]);
    for version in ["1", "2", "3"] {
        shop.goes_live(version);
    }
    shop.sh("mkdir shop/releases/by-hand shop/releases/half; echo '\"half\"' >shop/releases/.half.building");
    assert_eq!(
        shop.names("shop/releases"),
        [".2.finished", ".3.finished", ".half.building", "2", "3", "by-hand", "half"]
    );
    shop.goes_live("2");
    assert_eq!(shop.names("shop/releases"), [".2.finished", ".3.finished", "2", "3", "by-hand"]);
    shop.set("keep", 1);
    shop.goes_live("4");
    assert_eq!(
        shop.names("shop/releases"),
        [".2.finished", ".4.finished", "2", "4", "by-hand"],
        "the one before it stays"
    );
}

#[test]
fn what_a_version_stands_for_does_not_change_while_it_is_live() {
    let mut shop = Shop::new(&[]);
    shop.goes_live("1");
    shop.want("2");
    shop.set("version", "1");
    let said = shop.run();
    assert_eq!((said.status, said.property.as_deref()), (Status::Info, Some("version")), "{said:?}");
    shop.is_live("1");
    // If it is not live, it is made again.
    shop.goes_live("3");
    shop.want("2");
    shop.set("version", "1");
    assert_eq!(shop.run().status, Status::Changed);
    shop.is_live("2");
}

#[test]
fn a_notification_activates_the_live_release_again() {
    let mut shop = Shop::new(&[]);
    shop.goes_live("1");
    let path = shop.path("config");
    let config = shop.bench.file(&path, "new");
    shop.bench.edge(config, shop.index, EdgeKind::Notify);
    shop.bench.run(Mode::Enforce);
    assert_eq!(shop.activated(), "1 1");
    // It was already activated at its own turn.
    shop.want("2");
    shop.bench.set(config, "content", "newer");
    shop.bench.run(Mode::Enforce);
    assert_eq!(shop.activated(), "1 1 2");
}

#[test]
fn a_release_comes_from_git_without_its_history() {
    if !crate::skip::has(&["git"]) {
        return;
    }
    let mut shop = Shop::new(&[]);
    shop.sh("export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@x GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@x
        git init -q -b main origin; cd origin; echo v1 >version; git add .; git commit -qm one; git tag v1");
    let remote = shop.path("origin");
    shop.set("remote", remote.as_str());
    shop.set("version", "v1");
    assert_eq!(shop.run().status, Status::Changed);
    shop.is_live("v1");
    assert_eq!(shop.names("shop/current/"), ["REVISION", "version"]);
    assert_eq!(shop.bench.read("shop/current/REVISION").map(|text| text.trim().len()), Some(40));
    shop.is_calm();
}

#[test]
fn a_release_with_pointers_of_lfs_says_so() {
    if !crate::skip::has(&["git"]) {
        return;
    }
    let mut shop = Shop::new(&[]);
    shop.sh("export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@x GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@x
        git init -q -b main origin; cd origin; echo v1 >version; echo '*.bin filter=lfs' >.gitattributes
        printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:00\\nsize 1\\n' >a.bin
        git add .; git commit -qm one; git tag v1");
    let remote = shop.path("origin");
    shop.set("remote", remote.as_str());
    shop.set("version", "v1");
    let event = shop.run();
    let said = event.reason.unwrap_or_default();
    assert!(event.status == Status::Changed && said.contains("a.bin contains a Git LFS pointer"), "{said}");
    shop.is_calm();
}

#[test]
fn releases_are_their_users_and_what_leads_to_them_is_not() {
    if !crate::skip::is_root() {
        return;
    }
    let mut shop =
        Shop::new(&[("user", "1".into()), ("shared", "log".into()), ("build", "id -u >builder".into())]);
    shop.sh("chmod 0755 .");
    shop.goes_live("1");
    assert_eq!(shop.bench.read("shop/current/builder").as_deref(), Some("1\n"));
    shop.sh("test \"$(stat -c %u shop/releases/1 shop/releases/1/version shop/shared/log shop/releases/1/log | sort -u)\" = 1");
    shop.sh("test \"$(stat -c %u shop shop/current shop/releases shop/shared shop/releases/.1.finished | sort -u)\" = 0");
}
