//! A bench for tests of runs: a catalog, a temporary root, and a state directory that lasts from run to run.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use holdfast_catalog::catalog::{Catalog, CatalogId, Policy, Resource};
use holdfast_catalog::certname::Certname;
use holdfast_catalog::graph::{Edge, EdgeKind};
use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::report::Mode;
use holdfast_catalog::resource::{Attributes, ResourceRef};
use holdfast_catalog::value::Value;

use super::{Findings, Run, run};
use crate::content::{self, ContentSource};
use crate::system::double::Double;
use crate::system::{Machine, System};

/// A catalog that is run again and again on one machine.
pub(crate) struct Bench {
    pub(crate) catalog: Catalog,
    pub(crate) contents: TestContents,
    pub(crate) stop: AtomicBool,
    /// Whether the state is older than the machine.
    pub(crate) is_put_back: bool,
    root: tempfile::TempDir,
    /// The machine's root, as a path of the host.
    machine: PathBuf,
    state: tempfile::TempDir,
    system: Box<dyn System>,
}

/// Contents by hash, and an action for each time one is opened.
#[derive(Default)]
pub(crate) struct TestContents {
    by_hash: BTreeMap<ContentHash, Vec<u8>>,
    on_open: Option<Box<dyn Fn() + Sync>>,
}

impl TestContents {
    /// Keeps a content; returns its value in a catalog.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> Value {
        let hash = ContentHash::of(bytes);
        self.by_hash.insert(hash.clone(), bytes.to_vec());
        holdfast_catalog::resource::attribute::FileContent::hash_value(&hash, bytes.len() as u64)
    }

    pub(crate) fn on_open(&mut self, act: impl Fn() + Sync + 'static) {
        self.on_open = Some(Box::new(act));
    }

    /// Changes the bytes that are given for each content from now on.
    pub(crate) fn falsify(&mut self) {
        self.by_hash.values_mut().for_each(|bytes| bytes.push(b'!'));
    }
}

impl ContentSource for TestContents {
    fn open(&self, sha256: &ContentHash, _: u64) -> Result<Box<dyn Read>, content::Error> {
        if let Some(act) = &self.on_open {
            act();
        }
        let bytes = self.by_hash.get(sha256).ok_or_else(|| content::Error::Missing(sha256.clone()))?;
        Ok(Box::new(std::io::Cursor::new(bytes.clone())))
    }
}

impl Bench {
    /// A bench with a temporary directory as the root.
    pub(crate) fn directory() -> Self {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::open(root.path()).unwrap();
        Self::on(root, Box::new(machine))
    }

    /// A bench on the machine itself, where commands run; it may touch nothing but [`Bench::dir`].
    pub(crate) fn live() -> Self {
        Self::on(tempfile::tempdir().unwrap(), Box::new(Machine::open(Path::new("/")).unwrap()))
    }

    /// A bench on a machine that the test provides.
    pub(crate) fn of(system: impl System + 'static) -> Self {
        Self::on(tempfile::tempdir().unwrap(), Box::new(system))
    }

    /// A bench on a double of a machine, whose root [`Bench::root`] returns.
    pub(crate) fn double(double: Double) -> Self {
        let machine = double.root.path().to_owned();
        let mut bench = Self::on(tempfile::tempdir().unwrap(), Box::new(double));
        bench.machine = machine;
        bench
    }

    fn on(root: tempfile::TempDir, system: Box<dyn System>) -> Self {
        let catalog = Catalog {
            id: CatalogId::parse(&"0".repeat(64)).unwrap(),
            certname: Certname::parse("web1.acme.example").unwrap(),
            commit: "c1".into(),
            environment: "main".into(),
            resources: Vec::new(),
            containers: Vec::new(),
            edges: Vec::new(),
        };
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let state = tempfile::Builder::new().permissions(private).tempdir().unwrap();
        let (machine, stop) = (root.path().to_owned(), AtomicBool::new(false));
        let contents = TestContents::default();
        Self { catalog, contents, stop, root, machine, state, system, is_put_back: false }
    }

    /// Uses this directory for the state; it is private.
    pub(crate) fn with_state(mut self, state: tempfile::TempDir) -> Self {
        self.state = state;
        self
    }

    /// The test's own directory: the root itself, or one on the live machine.
    pub(crate) fn dir(&self) -> &Path {
        self.root.path()
    }

    /// The machine's root; on a double, the double's.
    pub(crate) fn root(&self) -> &Path {
        &self.machine
    }

    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }

    pub(crate) fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root.path().join(path)).ok()
    }

    /// Adds a resource; returns its index.
    pub(crate) fn add(&mut self, type_name: &str, title: &str, attributes: &Value) -> u32 {
        self.catalog.resources.push(Resource {
            reference: ResourceRef::new(type_name, title),
            attributes: attributes.as_map().cloned().unwrap_or_else(Attributes::new),
            policy: Policy::Enforce,
            container: None,
            tags: Vec::new(),
            origin: None,
            sources: BTreeMap::new(),
        });
        u32::try_from(self.catalog.resources.len() - 1).unwrap()
    }

    /// Adds a file with this text.
    pub(crate) fn file(&mut self, title: &str, text: &str) -> u32 {
        self.add("file", title, &[("content", text.into())].into())
    }

    pub(crate) fn edge(&mut self, from: u32, to: u32, kind: EdgeKind) {
        self.catalog.edges.push(Edge { from, to, kind });
    }

    pub(crate) fn set(&mut self, index: u32, attribute: &str, value: impl Into<Value>) {
        self.catalog.resources[index as usize].attributes.insert(attribute.into(), value.into());
    }

    /// Runs the catalog as it is now.
    pub(crate) fn run(&mut self, mode: Mode) -> Findings {
        self.catalog.id = self.catalog.compute_id(b"key");
        run(Run {
            catalog: &self.catalog,
            mode,
            system: &*self.system,
            content: &self.contents,
            state_dir: self.state.path(),
            is_put_back: self.is_put_back,
            stop: &self.stop,
            told: &|_| {},
        })
        .unwrap()
    }
}
