//! Deployments in the test's own directory: releases that go live, fail, are killed, and come back.

use std::path::PathBuf;

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::report::{Cause, Event, Mode, Status};
use holdfast_catalog::value::{Kind, Sensitive, Value};

use crate::enforce::bench::Bench;
use holdfast_catalog::graph::EdgeKind;

/// A deployment whose releases are archives `VERSION.tar`, each with a file `version`; `activated` notes what was activated.
struct Shop {
    bench: Bench,
    index: u32,
}

impl Shop {
    fn new(more: &[(&str, Value)]) -> Self {
        let bench = Bench::live();
        let mut shop = Self { bench, index: 0 };
        let root = shop.path("");
        let activate = format!("cat {root}shop/current/version >>{root}activated");
        let title = format!("{root}shop");
        let attributes: std::collections::BTreeMap<_, _> =
            [("version", Value::from("none")), ("activate", activate.as_str().into())]
                .into_iter()
                .chain(more.iter().cloned())
                .map(|(name, value)| (name.into(), value))
                .collect();
        shop.index = shop.bench.add("deployment", &title, &attributes.into());
        shop
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.bench.dir().display())
    }

    fn sh(&self, script: &str) {
        let done =
            std::process::Command::new("sh").args(["-ec", script]).current_dir(self.bench.dir()).status();
        assert!(done.unwrap().success(), "{script}");
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.bench.set(self.index, name, value);
    }

    /// Wants another version, whose archive is made if it is not there.
    fn want(&mut self, version: &str) {
        if !PathBuf::from(self.path(&format!("{version}.tar"))).exists() {
            self.sh(&format!(
                "mkdir -p d/log; echo {version} >d/version; tar -cf {version}.tar -C d . ; rm -r d"
            ));
        }
        let source = self.path(&format!("{version}.tar"));
        let hash = ContentHash::of(&std::fs::read(&source).unwrap());
        self.set("version", version);
        self.set("source", source.as_str());
        self.set("sha256", hash.as_str());
    }

    fn run(&mut self) -> Event {
        let mut events = self.bench.run(Mode::Enforce).events;
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    /// Runs once, which succeeds, and leaves nothing to do.
    fn goes_live(&mut self, version: &str) -> Event {
        self.want(version);
        let event = self.run();
        assert_eq!(
            (event.property.as_deref(), event.status),
            (Some("version"), Status::Changed),
            "{event:?}"
        );
        self.is_live(version);
        self.is_calm();
        event
    }

    fn is_live(&self, version: &str) {
        assert_eq!(self.bench.read("shop/current/version").as_deref(), Some(&*format!("{version}\n")));
    }

    fn is_calm(&mut self) {
        assert_eq!(self.bench.run(Mode::Enforce).events, []);
        let left: Vec<_> = self.names("shop/releases");
        assert!(
            !left.iter().any(|name| name.contains("holdfast-") || name.ends_with(".building")),
            "{left:?}"
        );
    }

    /// Runs once, which fails; answers with the reason.
    fn fails(&mut self) -> String {
        let event = self.run();
        assert_eq!(event.status, Status::Failed, "{event:?}");
        event.reason.unwrap_or_default()
    }

    fn activated(&self) -> String {
        self.bench.read("activated").unwrap_or_default().replace('\n', " ").trim().to_owned()
    }

    fn names(&self, dir: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(dir)).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

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
    assert!(shop.fails().contains("is no link"));
}

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
    // The next runs say so, and leave what runs alone.
    let again = shop.fails();
    assert!(again.contains("release 2 failed") && again.contains("1 is live:"), "{again}");
    assert_eq!(shop.activated(), "1 2 1");
    // Its marker removed, it is tried again, without being made again.
    shop.sh("rm shop/releases/.2.failed");
    shop.fails();
    assert_eq!(shop.activated(), "1 2 1 2 1");
    // Another version, and it is over.
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
    assert!(why.contains("perhaps nothing runs") && why.contains("could not be activated: `"), "{why}");
    shop.is_live("1");
}

#[test]
fn the_first_release_stays_when_it_fails() {
    let mut shop = Shop::new(&[("health", "false".into()), ("health_timeout", 0.into())]);
    shop.want("1");
    assert!(shop.fails().contains("there is none before it"));
    shop.is_live("1");
    assert!(shop.fails().contains("there is none before it"));
    shop.set("health", "true");
    let event = shop.run();
    assert_eq!(event.status, Status::Changed, "{event:?}");
    shop.is_calm();
}

#[test]
fn health_is_asked_for_until_it_comes() {
    let mut shop = Shop::new(&[("health", "echo x >>../../asked; test $(wc -l <../../asked) -ge 2".into())]);
    shop.goes_live("1");
    assert_eq!(shop.bench.read("shop/asked").as_deref(), Some("x\nx\n"));
}

#[test]
fn a_run_that_was_killed_is_gone_on_with_wherever_it_was() {
    // While a release was made.
    let mut shop = Shop::new(&[]);
    shop.goes_live("1");
    shop.sh(
        "mkdir -p shop/releases/2; echo half >shop/releases/2/half; echo '\"2\"' >shop/releases/.2.building",
    );
    shop.goes_live("2");
    assert!(!PathBuf::from(shop.path("shop/releases/2/half")).exists());
    // Before the link was switched, and after, before it was activated.
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
fn shared_paths_outlive_releases() {
    let mut shop = Shop::new(&[("shared", list(&["log", "config/app.yml", "public/uploads"]))]);
    shop.want("1");
    assert!(shop.fails().contains("config/app.yml is not there"), "a file is waited for");
    shop.sh("mkdir -p shop/shared/config; echo secret >shop/shared/config/app.yml");
    shop.goes_live("1");
    shop.sh("echo line >shop/current/log/app.log");
    shop.goes_live("2");
    assert_eq!(shop.bench.read("shop/current/log/app.log").as_deref(), Some("line\n"));
    assert_eq!(shop.bench.read("shop/current/config/app.yml").as_deref(), Some("secret\n"));
    assert!(PathBuf::from(shop.path("shop/current/public/uploads")).is_dir());

    shop.sh("rm shop/current/config/app.yml; echo other >shop/current/config/app.yml");
    let event = shop.run();
    assert_eq!((event.property.as_deref(), event.cause), (Some("shared"), Some(Cause::Corrective)));
    assert_eq!(event.is.as_deref(), Some("log,public/uploads"));
    assert_eq!(shop.bench.read("shop/current/config/app.yml").as_deref(), Some("secret\n"));

    shop.sh("rm shop/current/log; mkdir shop/current/log; echo data >shop/current/log/data");
    assert!(shop.fails().contains("move what it holds"));
    assert_eq!(shop.bench.read("shop/current/log/data").as_deref(), Some("data\n"), "data is never dropped");
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
    // Where it is not live, it is made again.
    shop.goes_live("3");
    shop.want("2");
    shop.set("version", "1");
    assert_eq!(shop.run().status, Status::Changed);
    shop.is_live("2");
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
fn a_notification_activates_the_live_release_again() {
    let mut shop = Shop::new(&[]);
    shop.goes_live("1");
    let path = shop.path("config");
    let config = shop.bench.file(&path, "new");
    shop.bench.edge(config, shop.index, EdgeKind::Notify);
    shop.bench.run(Mode::Enforce);
    assert_eq!(shop.activated(), "1 1");
    // In its own turn it was activated already.
    shop.want("2");
    shop.bench.set(config, "content", "newer");
    shop.bench.run(Mode::Enforce);
    assert_eq!(shop.activated(), "1 1 2");
}

#[test]
fn a_release_comes_from_git_without_its_history() {
    if std::process::Command::new("git").arg("--version").output().is_err() {
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
fn a_source_that_fails_is_tried_again() {
    let mut shop = Shop::new(&[]);
    shop.goes_live("1");
    shop.want("2");
    shop.set("sha256", "0".repeat(64).as_str());
    for _ in 0..2 {
        assert!(shop.fails().contains("not what is wanted"));
    }
    assert_eq!(shop.names("shop/releases"), [".1.finished", "1"]);
    shop.goes_live("2");
}

#[test]
fn releases_are_their_users_and_what_leads_to_them_is_not() {
    if !rustix::process::geteuid().is_root() {
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
