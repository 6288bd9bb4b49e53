//! The server does what `holdfast check` reports for a commit: a table of errors, and who is told about each.

use holdfast_catalog::commit::CommitId;
use holdfast_catalog::report::{Counts, NoCatalog, Report, Source};
use holdfast_catalog::state::State;
use holdfast_catalog::wire::{CatalogAnswer, Refusal, path};

use super::fixture::{Fixture, report};
use crate::admin::{Answer, Request, VerdictOutcome};
use crate::check::check;
use crate::compile::Program;
use crate::inventory::Departures;
use crate::repo::{Follower, Scratch, Snapshot};
use crate::store::commit::CommitStatus;

const WEB: &str = "modules/profile/manifests/web.toml";
const COMMON: &str = "hieradata/common.toml";
const ACME: &str = "hieradata/customers/acme.toml";
const TEMPLATE: &str = "modules/profile/templates/motd.hbs";

/// An error of operators, and the files that cause it.
type FaultCase = (&'static str, &'static [(&'static str, &'static str)]);

const FAULTS: [FaultCase; 16] = [
    (
        "a value of the wrong type",
        &[
            (
                WEB,
                "doc = \"Web.\"\n[parameters]\nport = { type = \"Port\", default = 80, doc = \"Port.\" }\n",
            ),
            (COMMON, "[profile.web]\nport = \"eighty\"\n"),
        ],
    ),
    (
        "a required parameter without a value",
        &[(WEB, "doc = \"Web.\"\n[parameters]\nport = { type = \"Port\", doc = \"Port.\" }\n")],
    ),
    (
        "a cycle",
        &[(
            WEB,
            "doc = \"Web.\"\n[file.\"/a\"]\nrequire = \"file[/b]\"\n[file.\"/b\"]\nrequire = \"file[/a]\"\n",
        )],
    ),
    (
        "two declarations that differ",
        &[
            (WEB, "doc = \"Web.\"\ninclude = [\"profile::other\"]\n[file.\"/a\"]\nmode = \"0644\"\n"),
            ("modules/profile/manifests/other.toml", "doc = \"Other.\"\n[file.\"/a\"]\nmode = \"0600\"\n"),
        ],
    ),
    (
        "an unknown name in a template",
        &[(WEB, "doc = \"Web.\"\n[file.\"/a\"]\ntemplate = \"motd.hbs\"\n"), (TEMPLATE, "{{nobody}}\n")],
    ),
    (
        "a fact that is missing, in a template",
        &[
            (WEB, "doc = \"Web.\"\n[file.\"/a\"]\ntemplate = \"motd.hbs\"\n"),
            (TEMPLATE, "{{facts.nope.nope}}\n"),
        ],
    ),
    (
        "a key that nobody declares",
        &[(WEB, "doc = \"Web.\"\n[file.\"/a\"]\ncontent = \"${lookup('nobody')}\"\n")],
    ),
    ("a reference to nobody", &[(WEB, "doc = \"Web.\"\n[file.\"/a\"]\nrequire = \"file[/nobody]\"\n")]),
    ("a bad mode", &[(WEB, "doc = \"Web.\"\n[file.\"/a\"]\nmode = \"0999\"\n")]),
    (
        "a bad mode by an expression",
        &[(WEB, "doc = \"Web.\"\n[let]\nm = \"09\"\n[file.\"/a\"]\nmode = \"${m + '99'}\"\n")],
    ),
    (
        "an unknown role",
        &[(
            "inventory/alpinhost/acme.toml",
            "[\"web1.acme.example\"]\nrole = \"nobody\"\nstage = \"test\"\n",
        )],
    ),
    (
        "a secret of the wrong length",
        &[
            (
                WEB,
                "doc = \"Web.\"\n[parameters]\npw = { type = \"Sensitive[String[50]]\", doc = \"Password.\" }\n",
            ),
            (COMMON, "[profile.web]\npw = \"hunter22\"\n"),
        ],
    ),
    ("an unknown class", &[(WEB, "doc = \"Web.\"\ninclude = [\"profile::nobody\"]\n")]),
    ("facts that are not JSON", &[("facts/web1.acme.example.json", "{")]),
    (
        "an inventory without a customer's file that it can read",
        &[("inventory/alpinhost/acme.toml", "[\"web1.acme.example\"\nrole = \"web\"\n")],
    ),
    ("an unknown key in holdfast.toml", &[("holdfast.toml", "lables = [\"cluster\"]\n")]),
];

#[actix_web::test]
async fn a_fault_of_operators_files_refuses_the_commit_in_check_and_in_the_server() {
    let fixture = Fixture::start().await;
    let good = fixture.server.control.in_force().unwrap().commit().to_owned();
    for (fault, files) in FAULTS {
        let written: Vec<_> = files.iter().map(|(path, text)| (*path, Some(*text))).collect();
        let (commit, status) = fixture.commit_all(&written).await;
        let checked = check(&Program::new(&fixture.snapshot(), None));
        assert!(!checked.is_clean() && !checked.is_usable(), "check finds no fault in {fault}");
        assert_eq!(status, CommitStatus::Broken, "the server takes {fault}");
        assert_eq!(fixture.server.control.in_force().unwrap().commit(), &good, "{fault} is in force");
        let verdict = fixture.verdict(commit).await;
        assert_eq!(verdict.outcome, VerdictOutcome::Refused, "{fault}");
        assert!(verdict.text().contains("is broken"), "{fault}: {}", verdict.text());
        let paths: Vec<_> = files.iter().map(|(path, _)| *path).collect();
        assert_eq!(fixture.restore(&paths).await, (good.clone(), CommitStatus::Good), "{fault}");
    }
}

/// The parameters of the web profile that tenants may give.
const TAKES: &str = "doc = \"Web.\"\n[parameters]\nport = { type = \"Port\", default = 80, doc = \"Port.\" }\n\
                     mode = { type = \"String\", default = \"0644\", doc = \"Mode.\" }\n\
                     [file.\"/etc/motd\"]\nsource = \"web\"\nmode = \"${mode}\"\n";

#[actix_web::test]
async fn a_fault_in_one_tenants_data_keeps_its_nodes_alone_and_the_pusher_is_told() {
    let fixture = Fixture::start().await;
    let (web, _) = fixture.enrolled("web1.acme.example").await;
    let (mail, _) = fixture.enrolled("mail1.other.example").await;
    let (good, _) = fixture.commit_all(&[(WEB, Some(TAKES))]).await;
    let has = web.catalog().await;
    let bad = "[profile.web]\nport = \"eighty\"\n";
    let new = "doc = \"Mail.\"\n[file.\"/etc/mailname\"]\ncontent = \"new\"\n";
    let files = [(ACME, Some(bad)), ("modules/profile/manifests/mail.toml", Some(new))];
    let (commit, status) = fixture.commit_all(&files).await;
    assert_eq!(status, CommitStatus::Good);
    assert_eq!(fixture.server.control.in_force().unwrap().commit(), &commit);

    let verdict = fixture.verdict(commit.clone()).await;
    assert_eq!(verdict.outcome, VerdictOutcome::InForceWithFaults);
    assert_eq!(verdict.kept.len(), 1);
    assert_eq!(verdict.kept[0].certname.as_str(), "web1.acme.example");
    assert_eq!(verdict.kept[0].commit.as_deref(), Some(&*good));
    let first = format!("{commit} is in force; web1.acme.example keeps commit {}: {ACME}:2:8: ", &good[..10]);
    assert!(verdict.text().starts_with(&first), "{}", verdict.text());

    // Before the node's next poll, wherever its state is shown.
    let state = async |name: &str| {
        let Ok(Answer::Node(detail)) =
            fixture.ask(Request::NodeShow { certname: name.parse().unwrap() }).await
        else {
            panic!("{name} is not shown");
        };
        (detail.node.state, detail.node.reason)
    };
    let (web_is, why) = state("web1.acme.example").await;
    assert_eq!(web_is, State::Broken, "{why}");
    assert!(why.contains(&format!("no new catalog at commit {}: {ACME}: ", &commit[..10])), "{why}");
    assert_ne!(state("mail1.other.example").await.0, State::Broken);

    assert!(
        mail.catalog()
            .await
            .resources
            .iter()
            .any(|resource| resource.reference.title == "/etc/mailname".into())
    );
    let (_, refusal) = web.poll("{}", Some(has.id.clone())).await.unwrap_err();
    assert!(refusal.message.contains(commit.as_str()), "{refusal:?}");
    fixture.commit_all(&[(ACME, Some("[profile.web]\nport = 81\n"))]).await;
    let answer = web.poll("{}", Some(has.id)).await;
    assert!(!matches!(answer, Err(_) | Ok(CatalogAnswer::FactsWanted)), "{answer:?}");
}

#[actix_web::test]
async fn a_title_from_a_tenants_data_that_collides_is_told_at_the_tenants_line() {
    let fixture = Fixture::start().await;
    fixture.enrolled("web1.acme.example").await;
    let names = "doc = \"Web.\"\n[parameters]\nnames = { type = \"Array[String]\", default = [], doc = \"N.\" }\n\
                 [file.\"/srv/app\"]\ncontent = \"ours\"\n\
                 [file.one]\nfor_each = \"${names}\"\ntitle = \"/srv/${each.value}\"\ncontent = \"theirs\"\n";
    fixture.commit_all(&[(WEB, Some(names)), (ACME, Some("[profile.web]\nnames = [\"a\"]\n"))]).await;
    let (commit, status) =
        fixture.commit_all(&[(ACME, Some("[profile.web]\nnames = [\"a\", \"app\"]\n"))]).await;
    assert_eq!(status, CommitStatus::Good);
    let text = fixture.verdict(commit).await.text();
    let line = text.lines().next().unwrap();
    assert!(line.contains(&format!("{ACME}:2:15: `file[/srv/app]` is declared twice")), "{line}");
}

#[actix_web::test]
async fn what_the_machines_own_facts_make_good_is_not_called_broken_and_who_was_never_added_is_not_removed() {
    let fixture = Fixture::start().await;
    let (web, _) = fixture.enrolled("web1.acme.example").await;
    let reads = "doc = \"Web.\"\n[parameters]\nport = { type = \"Port\", default = 80, doc = \"Port.\" }\n";
    let bad = "[profile.web]\nport = \"${facts.port}\"\n";
    fixture.commit_all(&[(WEB, Some(reads)), (ACME, Some(bad))]).await;
    let state = async || match fixture
        .ask(Request::NodeShow { certname: "web1.acme.example".parse().unwrap() })
        .await
    {
        Ok(Answer::Node(detail)) => detail.node.state,
        other => panic!("{other:?}"),
    };
    assert_eq!(state().await, State::Broken);
    assert!(web.poll("{\"port\": 81}", None).await.is_ok());
    assert_ne!(state().await, State::Broken, "its own facts made a catalog of this very commit");
    let removed = fixture.ask(Request::NodeRemove { certname: "mail1.other.example".parse().unwrap() }).await;
    let why = removed.unwrap_err().to_string();
    assert!(why.contains("never added") && !why.contains("shows all"), "{why}");
}

#[actix_web::test]
async fn a_node_that_is_not_added_is_told_as_one_without_a_catalog() {
    let fixture = Fixture::start().await;
    let (commit, _) =
        fixture.commit_all(&[(WEB, Some(TAKES)), (ACME, Some("[profile.web]\nmode = \"0999\"\n"))]).await;
    let verdict = fixture.verdict(commit).await;
    assert_eq!(verdict.outcome, VerdictOutcome::InForceWithFaults);
    assert!(verdict.text().contains("web1.acme.example has no catalog yet"), "{}", verdict.text());
}

#[actix_web::test]
async fn what_shows_only_with_a_machines_own_facts_stops_that_machine_and_no_commit() {
    let fixture = Fixture::start().await;
    let (web, _) = fixture.enrolled("web1.acme.example").await;
    let reads = "doc = \"Web.\"\n[file.\"/etc/motd\"]\ncontent = \"${facts.virtual}\"\n";
    let files = [(WEB, Some(reads)), ("facts/default.json", Some("{\"virtual\": \"kvm\"}"))];
    let (commit, status) = fixture.commit_all(&files).await;
    assert_eq!(
        (status, fixture.verdict(commit).await.outcome),
        (CommitStatus::Good, VerdictOutcome::InForce)
    );
    assert!(web.poll("{}", None).await.is_err(), "it has no such fact");
    let (commit, status) = fixture.commit_all(&[("modules/profile/files/mail", Some("another"))]).await;
    assert_eq!(
        (status, fixture.verdict(commit).await.outcome),
        (CommitStatus::Good, VerdictOutcome::InForce)
    );
}

#[actix_web::test]
async fn one_who_names_a_commit_in_short_or_names_none_is_answered_at_once() {
    let fixture = Fixture::start().await;
    let (commit, _) = fixture.commit_all(&[("modules/profile/files/mail", Some("another"))]).await;
    for short in [&commit[..9], &commit[..14].to_uppercase().replace("DIR", "dir")] {
        assert_eq!(fixture.verdict(short.to_owned()).await.commit, commit, "{short}");
    }
    let told = async |typed: &str| {
        fixture.ask(Request::Poke { commit: Some(typed.into()) }).await.unwrap_err().to_string()
    };
    for none in ["HEAD", "main", "3f9d1c5e3f9d1c5e3f9d1c5e3f9d1c5e3f9d1c5e"] {
        assert!(told(none).await.contains("a directory without git"), "{none}");
    }
    assert!(told("dir-fffffff").await.contains("is not the id of a commit"));
}

#[actix_web::test]
async fn a_short_id_is_one_of_a_repository_with_commits_and_a_name_is_none() {
    let scratch = Scratch::new();
    scratch.commit("inventory/alpinhost/acme.toml", "# nobody yet\n");
    let fixture = Fixture::with(|config| config.repo = scratch.path().display().to_string()).await;
    let head = scratch.head();
    for id in [&head[..7], &head[..12].to_uppercase(), &head] {
        assert_eq!(fixture.verdict(id.to_owned()).await.commit.as_str(), head, "{id}");
    }
    let told = async |typed: &str| {
        fixture.ask(Request::Poke { commit: Some(typed.into()) }).await.unwrap_err().to_string()
    };
    assert!(told("HEAD").await.contains("`HEAD` is not a commit's id: give the id, $(git rev-parse 'HEAD')"));
    assert!(told("main").await.contains("is not a commit's id"));
    let other = if head.starts_with("0000000") { "1111111" } else { "0000000" };
    assert!(told(other).await.contains("is not the id of a commit that is known here"));
}

/// The state of a machine, and the reason.
async fn state_of(fixture: &Fixture, name: &str) -> (State, String) {
    match fixture.ask(Request::NodeShow { certname: name.parse().unwrap() }).await {
        Ok(Answer::Node(detail)) => (detail.node.state, detail.node.reason),
        other => panic!("{name} is not shown: {other:?}"),
    }
}

/// The report of a machine that was refused a new catalog, and had an old one.
fn went_by_the_cache(refusal: &Refusal) -> Report {
    let why =
        format!("the server refused (broken): {}; the last good catalog stays in force", refusal.message);
    let no_catalog = NoCatalog { commit: refusal.commit.clone().unwrap(), why };
    Report { source: Source::Cache, no_catalog: Some(no_catalog), ..report() }
}

#[actix_web::test]
async fn a_machine_that_a_commit_takes_out_of_the_inventory_or_moves_is_kept_back_and_told_at_once() {
    let (web, other) = ("inventory/alpinhost/acme.toml", "inventory/alpinhost/other.toml");
    let fixture = Fixture::start().await;
    fixture.enrolled("web1.acme.example").await;
    fixture.enrolled("mail1.other.example").await;
    let moved = "[\"mail1.other.example\"]\nrole = \"mail\"\nstage = \"test\"\n                 [\"web1.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n";
    for (files, says, leaving) in [
        (
            [(web, None), (other, Some(moved))],
            "was added for alpinhost/acme, but the inventory has it elsewhere",
            "\n1 machine moved to another customer: web1.acme.example (alpinhost/acme to alpinhost/other)",
        ),
        (
            [(web, Some("# nobody\n")), (other, None)],
            "`web1.acme.example` is not in the inventory",
            "\n2 machines no longer in the inventory: mail1.other.example, web1.acme.example",
        ),
    ] {
        let (commit, _) = fixture.commit_all(&files).await;
        let verdict = fixture.verdict(commit).await;
        assert_eq!(verdict.outcome, VerdictOutcome::InForceWithFaults);
        assert!(verdict.text().contains(says) && verdict.text().contains(leaving), "{}", verdict.text());
        let (state, reason) = state_of(&fixture, "web1.acme.example").await;
        assert_eq!(state, State::KeptBack, "{reason}");
        assert!(reason.contains(says), "{reason}");
    }
    let (commit, _) = fixture.restore(&[web, other]).await;
    assert_eq!(fixture.verdict(commit).await.outcome, VerdictOutcome::InForce);
    assert_ne!(state_of(&fixture, "web1.acme.example").await.0, State::KeptBack);
}

#[actix_web::test]
async fn a_pusher_sees_which_machines_leave_though_nothing_is_wrong() {
    let fixture = Fixture::start().await;
    let other = "inventory/alpinhost/other.toml";
    let (commit, _) = fixture.commit_all(&[(other, None)]).await;
    let verdict = fixture.verdict(commit.clone()).await;
    assert_eq!(verdict.outcome, VerdictOutcome::InForce, "nobody added it");
    let said = format!("{commit} is in force\n1 machine no longer in the inventory: mail1.other.example");
    assert!(verdict.text().starts_with(&said), "{}", verdict.text());
    let (commit, _) = fixture.restore(&[other]).await;
    let back = fixture.verdict(commit.clone()).await;
    assert_eq!(back.text().lines().next(), Some(format!("{commit} is in force").as_str()));
    assert_eq!(back.leaving, Departures::default(), "{}", back.text());
}

#[actix_web::test]
async fn what_a_commit_corrected_is_pending_until_the_machine_polls_and_no_reason_is_said_twice() {
    let fixture = Fixture::start().await;
    let (web, _) = fixture.enrolled("web1.acme.example").await;
    fixture.commit_all(&[(WEB, Some(TAKES))]).await;
    let has = web.catalog().await;
    let bad = "[profile.web]\nport = \"eighty\"\n";
    let (broken, _) = fixture.commit_all(&[(ACME, Some(bad))]).await;
    let (_, refusal) = web.poll("{}", Some(has.id.clone())).await.unwrap_err();
    let report = went_by_the_cache(&refusal);
    assert!(web.post(path::REPORTS).json(&report).send().await.unwrap().status().is_success());
    let (state, reason) = state_of(&fixture, "web1.acme.example").await;
    assert_eq!(state, State::Broken, "{reason}");
    assert_eq!(reason.matches(&broken[..10]).count(), 1, "{reason}");
    let report = Report {
        run: uuid::Uuid::from_u128(77).into(),
        error: Some("the certificate could not be renewed: no answer".to_owned()),
        ..went_by_the_cache(&refusal)
    };
    assert!(web.post(path::REPORTS).json(&report).send().await.unwrap().status().is_success());
    let (state, reason) = state_of(&fixture, "web1.acme.example").await;
    assert_eq!((state, reason.matches(&broken[..10]).count()), (State::Broken, 1), "{reason}");
    assert!(
        reason.contains("; the last run said: the certificate could not be renewed: no answer"),
        "{reason}"
    );
    let (corrected, _) = fixture.commit_all(&[(ACME, Some("[profile.web]\nport = 81\n"))]).await;
    // The later commit is not the one that corrected the error.
    fixture.commit_all(&[("modules/profile/files/mail", Some("another"))]).await;
    let (state, reason) = state_of(&fixture, "web1.acme.example").await;
    assert_eq!(state, State::Pending, "{reason}");
    let words = format!("corrected by commit {}; its next poll is due in ", &corrected[..10]);
    assert!(reason.starts_with(&words) && !reason.contains(&broken[..10]), "{reason}");
    assert!(reason.contains("the certificate could not be renewed"), "{reason}");
    // A run that had no catalog at all did not fail because of anything that still applies.
    let none = Report {
        run: uuid::Uuid::from_u128(78).into(),
        commit: None,
        counts: Counts::default(),
        ..went_by_the_cache(&refusal)
    };
    assert!(web.post(path::REPORTS).json(&none).send().await.unwrap().status().is_success());
    let (state, reason) = state_of(&fixture, "web1.acme.example").await;
    assert!(state == State::Pending && reason.starts_with(&words), "{state:?}: {reason}");
    web.poll("{}", Some(has.id)).await.unwrap();
    assert!(!state_of(&fixture, "web1.acme.example").await.1.contains("corrected by"));
}

#[actix_web::test]
async fn a_tree_without_an_inventory_is_never_in_force_however_it_comes() {
    let fixture = Fixture::start().await;
    let good = fixture.server.control.in_force().unwrap().commit().to_owned();
    let nothing = Snapshot::of_files(Vec::<(&str, &[u8])>::new());
    assert_eq!(fixture.server.control.take(nothing).await, CommitStatus::Broken);
    assert_eq!(fixture.server.control.in_force().unwrap().commit(), &good);
}

#[actix_web::test]
async fn a_newer_commit_ends_the_judgement_of_an_older_and_is_judged_to_its_end() {
    let fixture = Fixture::start().await;
    let commit = |text: &str| {
        let files = fixture.snapshot();
        let files = files.files().map(|(path, file)| (path.clone(), file.bytes().clone()));
        let change = ("modules/profile/files/web".into(), text.as_bytes().into());
        Snapshot::of_files(files.chain([change]).collect::<std::collections::BTreeMap<_, _>>())
    };
    let commits = ["one", "two", "three"].map(commit);
    let [one, two, three] = commits.each_ref().map(|snapshot| snapshot.commit().clone());
    // All of them arrive before the first one is looked at.
    fixture.server.control.clone().follow(Follower::of(commits.into()).await).await;
    let was_judged =
        async |commit: &CommitId| !fixture.server.store.commit(commit.clone()).await.unwrap().is_empty();
    assert!(!was_judged(&one).await, "nobody waits for what is never in force");
    assert!(was_judged(&two).await, "what took another's place is not overtaken itself");
    assert_eq!(fixture.server.control.in_force().unwrap().commit(), &three);
    let told = fixture.ask(Request::Poke { commit: Some(one.to_string()) }).await.unwrap_err().to_string();
    assert!(
        told.contains(&format!("commit {one} was not judged: commit {two} arrived in the meantime")),
        "{told}"
    );
}

#[actix_web::test]
async fn a_commit_that_cannot_be_written_down_is_told_all_the_same_and_written_later() {
    let fixture = Fixture::start().await;
    let (file, aside) = (fixture.data_dir().join("server.db"), fixture.data_dir().join("aside"));
    // The store accepts no writes, as if what is written now would be lost.
    std::fs::rename(&file, &aside).unwrap();
    let (commit, status) = fixture.commit_all(&[("modules/profile/files/mail", Some("another"))]).await;
    assert_eq!(
        (status, fixture.verdict(commit.clone()).await.outcome),
        (CommitStatus::Good, VerdictOutcome::InForce)
    );
    std::fs::rename(&aside, &file).unwrap();
    fixture.server.control.write_commits().await;
    assert_eq!(fixture.newest_commit().await.id, commit);
}

#[actix_web::test]
async fn a_commit_that_the_store_never_takes_holds_up_no_other() {
    let fixture = Fixture::start().await;
    let store = rusqlite::Connection::open(fixture.data_dir().join("server.db")).unwrap();
    store
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON commit_seen WHEN NEW.status = 'broken'
             BEGIN SELECT RAISE(ABORT, 'never one of these'); END",
        )
        .unwrap();
    let (bad, status) = fixture.commit_all(&[(WEB, Some("not TOML"))]).await;
    assert_eq!(
        (status, fixture.verdict(bad.clone()).await.outcome),
        (CommitStatus::Broken, VerdictOutcome::Refused)
    );
    let (good, _) = fixture.commit_all(&[(WEB, Some(TAKES))]).await;
    assert_eq!(fixture.newest_commit().await.id, good);
    store.execute_batch("DROP TRIGGER refuse").unwrap();
    fixture.server.control.write_commits().await;
    assert!(!fixture.server.store.commit(bad).await.unwrap().is_empty(), "it is written when it can be");
}
