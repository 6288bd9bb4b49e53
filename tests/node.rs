//! The whole life of a node, with both programs in one process: enrolment, a run, drift, and a server that stops and
//! starts again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use holdfast_agent::run::{self, Done};
use holdfast_agent::{Installation, OnExisting, StateDir, enroll};
use holdfast_catalog::certname::Certname;
use holdfast_catalog::report::{Mode, Source};
use holdfast_catalog::run::RunId;
use holdfast_server::{OnConflict, Server, ServerConfig};

pub(crate) const NODE: &str = "web1.acme.example";

/// One node of one customer, with a file from `files/` and one from a template.
const REPOSITORY: &[(&str, &str)] = &[
    ("inventory/hosting/acme.toml", "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n"),
    ("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"profile::web\"]\n"),
    (
        "modules/profile/manifests/web.toml",
        "doc = \"Web.\"\n[file.\"/motd\"]\nsource = \"motd\"\n[file.\"/name\"]\ncontent = \"${node.certname}\"\n",
    ),
    ("modules/profile/files/motd", "welcome\n"),
];

pub(crate) struct Scene {
    directory: tempfile::TempDir,
    pub(crate) place: Installation,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in REPOSITORY {
            let file = directory.path().join("repo").join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let root = directory.path().join("node");
        std::fs::create_dir(&root).unwrap();
        let place = Installation::find(&root, None, None).unwrap();
        Self { directory, place }
    }

    pub(crate) async fn server(&self, listen: SocketAddr) -> Server {
        let config = ServerConfig {
            repo: self.directory.path().join("repo").display().to_string(),
            data_dir: self.directory.path().join("data"),
            listen,
            dashboard: ([127, 0, 0, 1], 0).into(),
            name: Some("127.0.0.1".into()),
            workers: 1,
            ..ServerConfig::default()
        };
        Server::start(config).await.unwrap()
    }

    fn on_node(&self, path: &str) -> PathBuf {
        self.place.root.join(path)
    }

    async fn run(&self) -> Done {
        let place = self.place.clone();
        let once = move || run::once(&place, Mode::Enforce, &Arc::default()).unwrap();
        actix_web::web::block(once).await.unwrap()
    }

    pub(crate) async fn enroll(&self, server: &Server) {
        let certname: Certname = NODE.parse().unwrap();
        let tenancy = server.control.in_force().unwrap().tenancy(&certname).unwrap();
        let lifetime = Duration::from_secs(900);
        let invited = server.identity.invite(certname, tenancy, OnConflict::Keep, lifetime, "test").await;
        let join = invited.unwrap().join.parse().unwrap();
        let state = StateDir::open(&self.place.state_dir).unwrap();
        assert_eq!(enroll(&join, &state, OnExisting::Keep).await.unwrap().certname.as_str(), NODE);
    }
}

/// The runs whose reports the server has, oldest first.
async fn stored(server: &Server) -> Vec<RunId> {
    let node = server.identity.node(&NODE.parse().unwrap()).unwrap().id;
    let mut rows = server.store.reports_of(node, 100).await.unwrap();
    rows.sort_by_key(|row| row.id);
    rows.into_iter().map(|row| row.run).collect()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_node_enrols_converges_outlives_its_server_and_reports_each_run_once() {
    actix_web::rt::System::new().block_on(async {
        let scene = Scene::new();
        let server = scene.server(([127, 0, 0, 1], 0).into()).await;
        let address = server.nodes_address();
        scene.enroll(&server).await;

        let first = scene.run().await;
        assert_eq!(first.report.error, None);
        assert_eq!((first.report.counts.changed, first.report.source), (2, Source::Server));
        assert_eq!(text(&scene.on_node("motd")), "welcome\n");
        assert_eq!(text(&scene.on_node("name")), NODE);
        let again = scene.run().await;
        assert_eq!((again.report.counts.changed, again.report.counts.unchanged), (0, 2));

        server.stop().await;
        std::fs::write(scene.on_node("motd"), "defaced\n").unwrap();
        let alone = scene.run().await;
        assert_eq!((alone.report.source, alone.report.counts.corrective), (Source::Cache, 1));
        assert_eq!(text(&scene.on_node("motd")), "welcome\n");
        assert!(alone.delivery.waits.is_some());

        let server = scene.server(address).await;
        let back = scene.run().await;
        assert_eq!(back.delivery.delivered, 2);
        let expected: Vec<_> = [&first, &again, &alone, &back].iter().map(|done| done.report.run).collect();
        assert_eq!(stored(&server).await, expected);

        server.identity.revoke(NODE.parse().unwrap(), "test").await.ok().unwrap();
        std::fs::write(scene.on_node("motd"), "defaced\n").unwrap();
        let revoked = scene.run().await;
        assert_eq!(revoked.report.source, Source::Cache);
        assert!(revoked.report.error.is_some() && revoked.delivery.waits.is_some());
        assert_eq!(
            text(&scene.on_node("motd")),
            "welcome\n",
            "in doubt the last good catalog stays in force"
        );
        server.stop().await;
    });
}
