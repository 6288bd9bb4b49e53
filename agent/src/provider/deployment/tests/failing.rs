//! Releases that fail, and runs that are killed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use holdfast_catalog::report::{Cause, Mode, Status};
use holdfast_catalog::value::{Kind, Sensitive, Value};

use super::dying::{Dying, FOREVER, Steps};
use super::shop::Shop;
use crate::enforce::bench::Bench;

#[test]
fn a_build_that_fails_leaves_the_live_release_alone_and_is_not_tried_again() {
    let mut shop = Shop::new(&[]);
    shop.goes_live("1");
    shop.set("build", "echo no such gem >&2; echo x >>../../tries; exit 3");
    shop.want("2");
    let why = shop.fails();
    for words in ["release 2 failed", "1 is live", "no such gem", ".2.failed"] {
        assert!(why.contains(words), "{words}: {why}");
    }
    shop.is_live("1");
    assert_eq!(shop.names("shop/releases"), [".1.finished", ".2.failed", "1"]);
    let again = shop.fails();
    assert!(again.contains("no such gem") && again.contains("1 is live"), "{again}");
    assert_eq!((shop.bench.read("shop/tries").as_deref(), shop.activated()), (Some("x\n"), "1".to_owned()));
    shop.set("build", "true");
    shop.goes_live("2");
}

#[test]
fn a_release_that_is_not_healthy_is_taken_back_once() {
    let mut shop = Shop::new(&[("health_timeout", 0.into())]);
    shop.set("health", "test \"$(cat version)\" != 2 || { echo connection refused >&2; exit 7; }");
    shop.goes_live("1");
    shop.want("2");
    let why = shop.fails();
    for words in ["release 2 failed", "1 is live again", "connection refused", "exit code 7", ".2.failed"] {
        assert!(why.contains(words), "{words}: {why}");
    }
    shop.is_live("1");
    assert_eq!(shop.activated(), "1 2 1");
    // The next runs report that, and leave alone what runs.
    let again = shop.fails();
    assert!(again.contains("release 2 failed") && again.contains("1 is live:"), "{again}");
    assert_eq!(shop.activated(), "1 2 1");
    // Once its marker is removed, it is tried again without being made again.
    shop.sh("rm shop/releases/.2.failed");
    shop.fails();
    assert_eq!(shop.activated(), "1 2 1 2 1");
    // Another version ends it.
    shop.goes_live("3");
    assert!(!shop.names("shop/releases").contains(&".switching".to_owned()));
}

#[test]
fn an_activation_that_fails_is_taken_back_and_said_to_have_failed_twice() {
    let mut shop = Shop::new(&[]);
    shop.goes_live("1");
    shop.set("activate", "echo cannot start >&2; exit 1");
    shop.want("2");
    let why = shop.fails();
    assert!(why.contains("it may not be running") && why.contains("could not be activated: `"), "{why}");
    shop.is_live("1");
}

#[test]
fn the_first_release_stays_when_it_fails() {
    let mut shop = Shop::new(&[("health", "false".into()), ("health_timeout", 0.into())]);
    shop.want("1");
    assert!(shop.fails().contains("there is no earlier release"));
    shop.is_live("1");
    assert!(shop.fails().contains("there is no earlier release"));
    shop.set("health", "true");
    let event = shop.run();
    assert_eq!(event.status, Status::Changed, "{event:?}");
    shop.is_calm();
}

#[test]
fn a_run_that_was_killed_is_gone_on_with_wherever_it_was() {
    // Killed while a release was made.
    let mut shop = Shop::new(&[]);
    shop.goes_live("1");
    shop.sh(
        "mkdir -p shop/releases/2; echo half >shop/releases/2/half; echo '\"2\"' >shop/releases/.2.building",
    );
    shop.goes_live("2");
    assert!(!PathBuf::from(shop.path("shop/releases/2/half")).exists());
    // Killed before the link was switched, and after that but before activation.
    for (link, activations) in [("2", "1 2 3"), ("4", "1 2 3 4")] {
        let version = if link == "2" { "3" } else { "4" };
        shop.want(version);
        if link == "4" {
            shop.sh("cp -r shop/releases/3 shop/releases/4; echo 4 >shop/releases/4/version; cp shop/releases/.3.finished shop/releases/.4.finished");
        }
        shop.sh(&format!(
            "ln -sfn releases/{link} shop/current
             echo '{{\"version\":\"{version}\",\"previous\":\"releases/{}\"}}' >shop/releases/.switching",
            link.parse::<u32>().unwrap() - u32::from(link == "4")
        ));
        let event = shop.run();
        assert_eq!((event.status, event.cause), (Status::Changed, Some(Cause::Intentional)), "{event:?}");
        shop.is_live(version);
        assert_eq!(shop.activated(), activations);
        assert!(!shop.names("shop/releases").contains(&".switching".to_owned()));
    }
}

#[test]
fn a_run_that_was_killed_while_it_took_a_release_back_is_gone_on_with() {
    let mut shop = Shop::new(&[("health", "test $(cat version) != 2".into()), ("health_timeout", 0.into())]);
    shop.goes_live("1");
    shop.want("2");
    shop.fails();
    shop.sh("ln -sfn releases/2 shop/current; echo '{\"version\":\"2\",\"previous\":\"releases/1\"}' >shop/releases/.switching");
    assert!(shop.fails().contains("1 is live again"));
    shop.is_live("1");
    assert_eq!(shop.activated(), "1 2 1 1");
    assert!(shop.fails().contains("1 is live:"));
}

#[test]
fn secrets_reach_commands_and_nothing_else() {
    let secret: Value = Kind::Sensitive(Sensitive::text("hunter2")).into();
    let mut shop = Shop::new(&[
        ("environment", [("TOKEN", secret)].into()),
        ("health_timeout", 0.into()),
        ("health", "printf %s \"$TOKEN\" >../../token; echo \"bad token $TOKEN\" >&2; exit 1".into()),
    ]);
    shop.want("1");
    let why = shop.fails();
    assert!(why.contains("bad token [sensitive]"), "{why}");
    assert_eq!(shop.bench.read("shop/token").as_deref(), Some("hunter2"));
    assert!(!shop.bench.read("shop/releases/.1.failed").unwrap().contains("hunter2"));
}

#[test]
fn a_source_that_fails_is_tried_again() {
    let mut shop = Shop::new(&[]);
    shop.goes_live("1");
    shop.want("2");
    shop.set("sha256", "0".repeat(64).as_str());
    for _ in 0..2 {
        assert!(shop.fails().contains("does not match"));
    }
    assert_eq!(shop.names("shop/releases"), [".1.finished", "1"]);
    shop.goes_live("2");
}

/// A shop with a live release 1, whose run to release 2 dies after a number of steps; and whether it died.
fn dies(steps: usize, left: &Steps, more: &[(&str, Value)]) -> (Shop, bool) {
    left.store(FOREVER, Ordering::SeqCst);
    let mut shop = Shop::on(Bench::of(Dying::new(left.clone())), more);
    shop.goes_live("1");
    shop.want("2");
    left.store(steps, Ordering::SeqCst);
    shop.bench.run(Mode::Enforce);
    let died = left.swap(FOREVER, Ordering::SeqCst) == 0;
    let live = shop.bench.read("shop/current/version");
    assert!(matches!(live.as_deref(), Some("1\n" | "2\n")), "after {steps} steps {live:?} is live");
    (shop, died)
}

/// Dies at each step in turn, until a run survives all of them.
fn at_every_step(more: &[(&str, Value)], then: impl Fn(&mut Shop, usize)) {
    let left = Arc::new(AtomicUsize::new(0));
    for steps in 0.. {
        let (mut shop, died) = dies(steps, &left, more);
        then(&mut shop, steps);
        if !died {
            assert!(steps > 20, "{steps} steps are not a deployment");
            return;
        }
    }
}

#[test]
fn killed_before_any_step_the_next_run_brings_the_release() {
    at_every_step(&[("shared", "log".into())], |shop, steps| {
        shop.bench.run(Mode::Enforce);
        shop.is_live("2");
        shop.is_calm();
        assert!(shop.activated().ends_with('2'), "after {steps} steps {} runs", shop.activated());
    });
}

#[test]
fn killed_before_any_step_a_release_that_fails_is_taken_back_all_the_same() {
    let sick = [("health", "test $(cat version) != 2".into()), ("health_timeout", 0.into())];
    at_every_step(&sick, |shop, steps| {
        assert!(shop.fails().contains("release 2 failed"), "after {steps} steps");
        shop.is_live("1");
        assert!(shop.activated().ends_with('1'), "after {steps} steps {} runs", shop.activated());
    });
}
