//! A shop whose releases are archives of one file.

use std::path::PathBuf;

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::report::{Event, Mode, Status};
use holdfast_catalog::value::Value;

use crate::enforce::bench::Bench;

/// A deployment whose releases are archives `VERSION.tar`, each with a file `version`; `activated` lists what was
/// activated.
pub(super) struct Shop {
    pub(super) bench: Bench,
    pub(super) index: u32,
}

impl Shop {
    pub(super) fn new(more: &[(&str, Value)]) -> Self {
        Self::on(Bench::live(), more)
    }

    pub(super) fn on(bench: Bench, more: &[(&str, Value)]) -> Self {
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

    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.bench.dir().display())
    }

    pub(super) fn sh(&self, script: &str) {
        let done =
            std::process::Command::new("sh").args(["-ec", script]).current_dir(self.bench.dir()).status();
        assert!(done.unwrap().success(), "{script}");
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.bench.set(self.index, name, value);
    }

    /// Asks for another version, whose archive is made if it does not exist.
    pub(super) fn want(&mut self, version: &str) {
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

    pub(super) fn run(&mut self) -> Event {
        let mut events = self.bench.run(Mode::Enforce).events;
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    /// Runs once, which succeeds and leaves nothing to do.
    pub(super) fn goes_live(&mut self, version: &str) -> Event {
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

    pub(super) fn is_live(&self, version: &str) {
        assert_eq!(self.bench.read("shop/current/version").as_deref(), Some(&*format!("{version}\n")));
    }

    pub(super) fn is_calm(&mut self) {
        assert_eq!(self.bench.run(Mode::Enforce).events, []);
        let left: Vec<_> = self.names("shop/releases");
        assert!(
            !left.iter().any(|name| name.contains("holdfast-") || name.ends_with(".building")),
            "{left:?}"
        );
    }

    /// Runs once, which fails; returns the reason.
    pub(super) fn fails(&mut self) -> String {
        let event = self.run();
        assert_eq!(event.status, Status::Failed, "{event:?}");
        event.reason.unwrap_or_default()
    }

    pub(super) fn activated(&self) -> String {
        self.bench.read("activated").unwrap_or_default().replace('\n', " ").trim().to_owned()
    }

    pub(super) fn names(&self, dir: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(dir)).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}
