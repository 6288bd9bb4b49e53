//! Tests of a server as its operator uses it: start, socket, commits, stop.

use std::os::unix::fs::PermissionsExt as _;

use holdfast_catalog::join::JoinString;
use holdfast_catalog::state::State;

use super::fixture::{Fixture, NodeKey};
use super::{DataDirError, Server, StartError};
use crate::admin::{Answer, CommitVerdict, NodeFilter, Request, VerdictOutcome};
use crate::config::ServerConfig;
use crate::diagnostic::Code;
use crate::repo::{GitRepository, Scratch};
use crate::store::user::UserRole;

#[actix_web::test]
async fn two_servers_do_not_share_a_data_directory() {
    let fixture = Fixture::start().await;
    let is_running = |started| matches!(started, Err(StartError::DataDir(DataDirError::Running(_))));
    assert!(is_running(fixture.second().await));
    // Removing files in it does not let a second server start.
    for entry in std::fs::read_dir(fixture.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && !path.ends_with("server.db") {
            std::fs::rename(&path, path.with_extension("aside")).unwrap();
            assert!(is_running(fixture.second().await), "{}", path.display());
            std::fs::rename(path.with_extension("aside"), &path).unwrap();
        }
    }
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&fixture.data_dir()), 0o700);
    assert_eq!(mode(&fixture.data_dir().join(crate::admin::SOCKET)), 0o600);
}

#[actix_web::test]
async fn a_data_directory_that_is_open_to_others_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    for mode in [0o750, 0o701] {
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(mode)).unwrap();
        let config = ServerConfig { data_dir: data.clone(), ..ServerConfig::default() };
        let refused = Server::start(config).await.err().unwrap().to_string();
        assert!(refused.contains(&format!("chmod 700 {}", data.display())), "{refused}");
        assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, mode);
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0);
    }
}

#[actix_web::test]
async fn the_first_start_lets_the_first_operator_in_and_later_ones_nobody() {
    let fixture = Fixture::start().await;
    let link = fixture.server.first_login().await.unwrap().unwrap();
    let token = link.url.strip_prefix(fixture.server.dashboard_url()).unwrap();
    let page = fixture.anonymous().get(format!("https://{}{token}", fixture.server.dashboard_address()));
    assert!(page.send().await.unwrap().status().is_success(), "{}", link.url);
    let fixture = fixture.restart().await;
    assert!(fixture.server.first_login().await.unwrap().is_none());
}

#[actix_web::test]
async fn operators_invite_show_move_revoke_and_remove_nodes() {
    let fixture = Fixture::start().await;
    let certname = || "web1.acme.example".parse().unwrap();
    let Ok(Answer::Invited { join, .. }) =
        fixture.ask(Request::NodeAdd { certname: certname(), lifetime: 900 }).await
    else {
        panic!("not invited")
    };
    let join: JoinString = join.parse().unwrap();
    let Ok(agent) = fixture.enroll(&join, &NodeKey::new()).await else { panic!("refused") };
    agent.catalog().await;
    let again = fixture.ask(Request::NodeAdd { certname: certname(), lifetime: 900 }).await;
    assert!(again.unwrap_err().to_string().contains("holdfast node move"));
    let Ok(Answer::Node(shown)) = fixture.ask(Request::NodeShow { certname: certname() }).await else {
        panic!("not shown")
    };
    assert_eq!((shown.node.generation, shown.certificates.len()), (Some(1), 1));
    fixture.ask(Request::NodeRevoke { certname: certname() }).await.unwrap();
    assert!(agent.poll("{}", None).await.is_err());
    let moved = fixture.ask(Request::NodeMove { certname: certname(), lifetime: 900 }).await;
    assert!(matches!(moved, Ok(Answer::Invited { node, .. }) if node.generation == Some(2)));
    fixture.ask(Request::NodeRemove { certname: certname() }).await.unwrap();
    let Ok(Answer::Node(removed)) = fixture.ask(Request::NodeShow { certname: certname() }).await else {
        panic!("the inventory still has it")
    };
    assert_eq!((removed.node.state, removed.node.generation), (State::NotAdded, None));
    let short = fixture.ask(Request::NodeShow { certname: "web1".parse().unwrap() }).await.unwrap_err();
    assert!(short.to_string().contains("did you mean `web1.acme.example`?"), "{short}");
    let failed = NodeFilter { states: vec![State::Failed], ..NodeFilter::default() };
    let Ok(Answer::Nodes(none)) = fixture.ask(Request::NodeList { filter: failed }).await else {
        panic!("no list")
    };
    assert!(none.is_empty());
    let stranger = fixture.ask(Request::NodeAdd { certname: "x.example".parse().unwrap(), lifetime: 900 });
    assert!(stranger.await.unwrap_err().to_string().contains("is not in the inventory"));
}

#[actix_web::test]
async fn names_that_nobody_has_are_refused_with_the_nearest() {
    let fixture = Fixture::start().await;
    let add = |scope: &str| Request::UserAdd {
        name: "anna".to_owned(),
        role: UserRole::Viewer,
        scope: scope.parse().unwrap(),
    };
    let refused = fixture.ask(add("alpinhost/amce")).await.unwrap_err().to_string();
    assert!(
        refused.contains("there is no customer `alpinhost/amce`; did you mean `alpinhost/acme`?"),
        "{refused}"
    );
    fixture.ask(add("alpinhost/acme")).await.unwrap();
    let refused = fixture.ask(Request::UserLink { name: "ana".to_owned() }).await.unwrap_err().to_string();
    assert!(refused.contains("there is no user `ana`; did you mean `anna`?"), "{refused}");
    let role = |role: &str| NodeFilter { role: Some(role.to_owned()), ..NodeFilter::default() };
    let refused = fixture.ask(Request::NodeList { filter: role("mial") }).await.unwrap_err().to_string();
    assert!(refused.contains("there is no role `mial`; did you mean `mail`?"), "{refused}");
    assert!(fixture.ask(Request::NodeList { filter: role("mail") }).await.is_ok());
}

#[actix_web::test]
async fn a_move_forgets_what_the_generation_before_was_given() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let catalog = agent.catalog().await;
    let hash = catalog.content_hashes().into_iter().next().unwrap();
    // The commit in force no longer has the bytes; only the memory of what nodes were given has.
    fixture.commit("modules/profile/files/web", "another\n").await;
    let control = &fixture.server.control;
    let node = fixture.server.store.node("web1.acme.example".parse().unwrap()).await.unwrap().unwrap();
    let caller = crate::identity::Caller {
        node: node.id,
        certname: node.certname.clone(),
        generation: node.generation,
        tenancy: node.tenancy,
        serial: String::new(),
    };
    assert!(control.content(&caller, hash.clone()).await.unwrap().is_some());
    fixture.ask(Request::NodeMove { certname: node.certname, lifetime: 900 }).await.unwrap();
    assert!(control.content(&caller, hash).await.unwrap().is_none());
}

const GOOD: &str = "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n";
const FILE: &str = "inventory/alpinhost/acme.toml";

async fn server_of(scratch: &Scratch, data: &std::path::Path) -> Server {
    let config = ServerConfig {
        repo: scratch.path().display().to_string(),
        data_dir: data.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        dashboard: ([127, 0, 0, 1], 0).into(),
        workers: 1,
        ..ServerConfig::default()
    };
    Server::start(config).await.unwrap()
}

async fn poke(data: &std::path::Path, commit: String) -> Result<Answer, String> {
    let data = data.to_owned();
    let asked = move || crate::admin::client::ask(&data, &Request::Poke { commit: Some(commit) });
    actix_web::web::block(asked).await.unwrap().map_err(|error| error.to_string())
}

async fn judged(data: &std::path::Path, commit: String) -> CommitVerdict {
    match poke(data, commit).await {
        Ok(Answer::Judged(verdict)) => *verdict,
        other => panic!("not judged: {other:?}"),
    }
}

#[actix_web::test]
async fn a_pusher_hears_what_became_of_the_commit_and_a_restart_keeps_the_last_good_one() {
    let (scratch, directory) = (Scratch::new(), tempfile::tempdir().unwrap());
    let data = directory.path().join("data");
    scratch.commit("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = []\n");
    scratch.commit(FILE, GOOD);
    let server = server_of(&scratch, &data).await;
    let good = server.control.in_force().unwrap().commit().to_owned();
    scratch.commit(FILE, "[\"web1.acme.example\"]\nrloe = \"web\"\n");
    let broken = scratch.head();
    let said = judged(&data, broken.clone()).await;
    assert_eq!(said.outcome, VerdictOutcome::Refused);
    let said = said.text();
    assert!(said.contains("inventory/alpinhost/acme.toml:2") && said.contains("role"), "{said}");
    assert_eq!(server.control.in_force().unwrap().commit(), &good);
    server.stop().await;
    let server = server_of(&scratch, &data).await;
    assert_eq!(
        server.control.in_force().unwrap().commit(),
        &good,
        "the newest is broken, the last good one known"
    );
    scratch.commit(FILE, &format!("{GOOD}# corrected\n"));
    assert_eq!(judged(&data, scratch.head()).await.outcome, VerdictOutcome::InForce);
    assert_eq!(server.control.in_force().unwrap().commit().as_str(), scratch.head());
    server.stop().await;
}

#[actix_web::test]
async fn one_who_pokes_hears_why_the_repository_cannot_be_read_and_hears_it_soon() {
    let (scratch, directory) = (Scratch::new(), tempfile::tempdir().unwrap());
    let data = directory.path().join("data");
    scratch.commit("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = []\n");
    scratch.commit(FILE, GOOD);
    let server = server_of(&scratch, &data).await;
    let ask = async |commit: Option<String>| {
        let data = data.clone();
        let asked = move || crate::admin::client::ask(&data, &Request::Poke { commit });
        actix_web::web::block(asked).await.unwrap().map_err(|error| error.to_string())
    };
    assert!(matches!(ask(None).await, Ok(Answer::Done(_))));
    let (git, away) = (scratch.path().join(".git"), scratch.path().join("away"));
    std::fs::rename(&git, &away).unwrap();
    let began = std::time::Instant::now();
    for commit in [None, Some("1111111".to_owned()), Some("1".repeat(40))] {
        let refused = ask(commit.clone()).await.unwrap_err();
        assert!(refused.contains("the repository cannot be read: "), "{commit:?}: {refused}");
        assert!(refused.contains("there is no git repository in this directory any more"), "{refused}");
    }
    let in_force = server.control.in_force().unwrap().commit().to_owned();
    assert!(matches!(ask(Some(in_force.to_string())).await, Ok(Answer::Judged(_))), "this is known");
    assert!(began.elapsed().as_secs() < 25, "it waited for what cannot come");
    std::fs::rename(&away, &git).unwrap();
    assert!(matches!(ask(None).await, Ok(Answer::Done(_))));
    server.stop().await;
}

#[actix_web::test]
async fn of_commits_that_come_at_once_each_hears_what_became_of_it() {
    let (scratch, directory) = (Scratch::new(), tempfile::tempdir().unwrap());
    let data = directory.path().join("data");
    scratch.commit("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = []\n");
    scratch.commit(FILE, GOOD);
    let server = server_of(&scratch, &data).await;
    scratch.git(&["checkout", "--quiet", "-b", "aside"]);
    scratch.commit(FILE, &format!("{GOOD}# one\n"));
    let aside = || GitRepository::open(scratch.path(), "aside").unwrap().head().unwrap().to_string();
    let skipped = aside();
    scratch.commit(FILE, &format!("{GOOD}# two\n"));
    let newest = aside();
    scratch.git(&["update-ref", "refs/heads/main", &newest]);
    assert_eq!(judged(&data, newest.clone()).await.outcome, VerdictOutcome::InForce);
    let said = poke(&data, skipped.clone()).await.unwrap_err();
    assert!(said.contains(&format!("commit {skipped} is superseded by commit {newest}")), "{said}");
    // The branch is reset to an old commit.
    scratch.git(&["update-ref", "refs/heads/main", &skipped]);
    assert_eq!(judged(&data, skipped.clone()).await.outcome, VerdictOutcome::InForce);
    server.stop().await;
}

#[actix_web::test]
async fn a_tag_named_like_the_branch_moves_nothing_and_a_forced_push_is_told() {
    let (scratch, directory) = (Scratch::new(), tempfile::tempdir().unwrap());
    let data = directory.path().join("data");
    scratch.commit("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = []\n");
    scratch.commit(FILE, GOOD);
    let server = server_of(&scratch, &data).await;
    scratch.git(&["checkout", "--quiet", "-b", "evil"]);
    scratch.commit(FILE, &format!("{GOOD}# evil\n"));
    scratch.git(&["tag", "main"]);
    scratch.git(&["checkout", "--quiet", "heads/main"]);
    scratch.git(&["checkout", "--quiet", "-B", "main"]);
    scratch.commit(FILE, &format!("{GOOD}# good\n"));
    let verdict = judged(&data, scratch.head()).await;
    assert_eq!(verdict.outcome, VerdictOutcome::InForce);
    assert!(verdict.text().contains("there is a tag `main`"), "{}", verdict.text());
    assert_eq!(server.control.in_force().unwrap().commit().as_str(), scratch.head());
    scratch.git(&["tag", "-d", "main"]);
    scratch.git(&["commit", "--quiet", "--amend", "-m", "another"]);
    let verdict = judged(&data, scratch.head()).await;
    assert!(verdict.text().contains("the branch was rewritten"), "{}", verdict.text());
    server.stop().await;
}

#[actix_web::test]
async fn a_forced_push_is_told_once_and_of_the_commit_that_it_brought() {
    let (scratch, directory) = (Scratch::new(), tempfile::tempdir().unwrap());
    let data = directory.path().join("data");
    scratch.commit("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = []\n");
    scratch.commit(FILE, GOOD);
    let server = server_of(&scratch, &data).await;
    let rewritten = async |server: &Server, commit: &str| {
        let rows = server.store.commit(commit.into()).await.unwrap();
        let said = rows.into_iter().flat_map(|row| row.diagnostics);
        said.filter(|remark| remark.code == Code::HistoryRewritten)
            .map(|remark| remark.message)
            .collect::<Vec<_>>()
    };
    let first = scratch.head();
    // A broken commit that replaces the first one.
    std::fs::write(scratch.path().join(FILE), "not TOML").unwrap();
    scratch.git(&["add", "-A"]);
    scratch.git(&["commit", "--quiet", "--amend", "-m", "broken"]);
    let broken = scratch.head();
    assert_eq!(judged(&data, broken.clone()).await.outcome, VerdictOutcome::Refused);
    let told = rewritten(&server, &broken).await;
    assert!(told.len() == 1 && told[0].contains(&first[..10]), "{told:?}");
    server.stop().await;
    let server = server_of(&scratch, &data).await;
    assert_eq!(judged(&data, broken.clone()).await.outcome, VerdictOutcome::Refused);
    assert_eq!(
        rewritten(&server, &broken).await,
        told,
        "it is judged again, and what was said of it is kept"
    );
    server.stop().await;
    // A commit that builds on it is pushed while the server is down.
    scratch.commit(FILE, &format!("{GOOD}# good\n"));
    let server = server_of(&scratch, &data).await;
    assert_eq!(judged(&data, scratch.head()).await.outcome, VerdictOutcome::InForce);
    assert_eq!(rewritten(&server, &scratch.head()).await, Vec::<String>::new());
    server.stop().await;
}

#[actix_web::test]
async fn a_directory_that_is_broken_at_a_restart_keeps_the_last_good_state() {
    let fixture = Fixture::start().await;
    let (agent, key) = fixture.enrolled("web1.acme.example").await;
    let good = fixture.server.control.in_force().unwrap().commit().to_owned();
    let catalog = agent.catalog().await;
    fixture.commit("modules/role/manifests/web.toml", "include = [\"profile::nobody\"]\n").await;
    let fixture = fixture.restart().await;
    assert_eq!(fixture.server.control.in_force().unwrap().commit(), &good);
    let agent = fixture.agent(agent.certificate, &key);
    assert_eq!(agent.catalog().await.id, catalog.id, "nodes get their catalogs as before");
    let (commit, status) = fixture.restore(&["modules/role/manifests/web.toml"]).await;
    assert_eq!((commit, status), (good, crate::store::commit::CommitStatus::Good));
}

#[actix_web::test]
async fn a_directory_of_which_a_tenant_has_too_much_keeps_its_last_good_state_over_a_restart() {
    let fixture = Fixture::start().await;
    let (agent, key) = fixture.enrolled("web1.acme.example").await;
    let catalog = agent.catalog().await;
    let large = "#".repeat(8 * 1024 * 1024 + 1);
    let (good, status) = fixture.commit_all(&[("hieradata/customers/other.toml", Some(&large))]).await;
    assert_eq!(status, crate::store::commit::CommitStatus::Good, "it is the tenant's own affair");
    fixture.commit("modules/role/manifests/web.toml", "include = [\"profile::nobody\"]\n").await;
    let fixture = fixture.restart().await;
    assert_eq!(fixture.server.control.in_force().unwrap().commit(), &good);
    let agent = fixture.agent(agent.certificate, &key);
    assert_eq!(agent.catalog().await.id, catalog.id, "nodes get their catalogs as before");
}
