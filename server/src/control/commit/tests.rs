//! Tests of what becomes of commits (in force, refused, stopped), and what is reported to those who wait for one.

use holdfast_catalog::log::LogFormat;

use super::super::fixture::{ACME, ControlFixture, WEB};
use super::*;
use crate::logs::kept;
use crate::repo::Follower;

const BROKEN: &str = "doc = \"Web.\"\n[fiel.\"/x\"]\n";

/// The rows of a commit in the store.
async fn recorded(scene: &ControlFixture, commit: &CommitId) -> Vec<CommitRow> {
    scene.store.commit(commit.clone()).await.unwrap()
}

#[actix_web::test]
async fn a_good_commit_is_in_force_recorded_and_told() {
    let scene = ControlFixture::new();
    let mut state_changes = scene.control.state_changes();
    let kept = kept(LogFormat::Json, "info");
    let (commit, status) = scene.take().await;
    assert_eq!(status, CommitStatus::Good);
    assert_eq!(scene.control.in_force().unwrap().commit(), &commit);
    let rows = recorded(&scene, &commit).await;
    assert_eq!((rows.len(), rows[0].status, rows[0].diagnostics.len()), (1, CommitStatus::Good, 0));
    assert_eq!(state_changes.try_recv(), Ok(StateChange::CommitTaken { commit: commit.clone() }));
    let [line] = &kept.objects()[..] else { panic!("{}", kept.text()) };
    assert_eq!(
        (&line["level"], &line["fields"]["message"]),
        (&"INFO".into(), &"the commit is in force".into())
    );
    assert_eq!(line["spans"], serde_json::json!([{ "name": "commit", "commit": commit }]));
}

#[actix_web::test]
async fn a_broken_commit_is_recorded_with_its_errors_and_the_last_good_one_stays() {
    let scene = ControlFixture::new();
    let kept = kept(LogFormat::Text, "info");
    let (first, status) = scene.commit(WEB, BROKEN).await;
    assert!(status == CommitStatus::Broken && scene.control.in_force().is_none());
    assert!(kept.text().contains("and no commit is in force errors=1\n"), "{}", kept.text());
    let good = "doc = \"Web.\"\n";
    let (good, _) = scene.commit(WEB, good).await;

    let mut state_changes = scene.control.state_changes();
    let (commit, status) = scene.commit(WEB, &format!("# Again.\n{BROKEN}")).await;
    assert_eq!(status, CommitStatus::Broken);
    assert_eq!(scene.control.in_force().unwrap().commit(), &good);
    let rows = recorded(&scene, &commit).await;
    let [row] = &rows[..] else { panic!("{rows:?}") };
    let place = row.diagnostics[0].origin.as_ref().unwrap();
    assert_eq!((row.status, &*place.file, place.line), (CommitStatus::Broken, WEB, 3));
    assert_eq!(state_changes.try_recv(), Ok(StateChange::CommitBroken { commit: commit.clone() }));
    assert!(scene.control.snapshot(&commit).is_some(), "pages show its lines");
    assert!(scene.control.snapshot(&first).is_none(), "only of the last one");
    let line = format!(
        "WARN commit{{commit={commit}}}: holdfast_server::control::commit: the commit is broken; the last"
    );
    assert!(kept.text().contains(&line), "{}", kept.text());
}

#[actix_web::test]
async fn what_is_wrong_in_a_tenants_data_keeps_back_its_own_machine() {
    let scene = ControlFixture::new();
    let kept = kept(LogFormat::Text, "info");
    let (commit, status) = scene.commit(ACME, "[profile.web]\nport = \"eighty\"\n").await;
    let in_force = scene.control.in_force().unwrap();
    assert_eq!((status, in_force.commit()), (CommitStatus::Good, &commit));
    let kept_back: Vec<_> = in_force.checked().nodes.keys().map(ToString::to_string).collect();
    assert_eq!(kept_back, ["web1.acme.example"]);
    assert!(kept.text().contains("because of errors in tenants' data nodes=1\n"), "{}", kept.text());
    let rows = recorded(&scene, &commit).await;
    assert_eq!(
        (rows[0].status, &*rows[0].diagnostics[0].origin.as_ref().unwrap().file),
        (CommitStatus::Good, ACME)
    );
}

#[actix_web::test]
async fn a_judgement_that_is_stopped_leaves_everything_as_it_was() {
    let scene = ControlFixture::new();
    let (good, _) = scene.take().await;
    scene.put(WEB, "doc = \"Another.\"\n");
    let (snapshot, stop, mut state_changes) =
        (scene.snapshot(), StopFlag::default(), scene.control.state_changes());
    let newer = snapshot.commit().clone();
    stop.set();
    assert_eq!(scene.control.take_until(snapshot, stop).await, None);
    assert_eq!(scene.control.in_force().unwrap().commit(), &good);
    assert!(recorded(&scene, &newer).await.is_empty() && state_changes.try_recv().is_err());
    assert_eq!(scene.control.stands(), [Some(good), None, None], "nothing is being judged");
}

#[actix_web::test]
async fn one_who_waits_is_told_of_what_is_here_what_was_and_what_does_not_come() {
    let scene = ControlFixture::new();
    let judged = async |commit: &CommitId| scene.control.judged(commit, Duration::ZERO).await.unwrap();
    let (first, _) = scene.take().await;
    let CommitOutcome::Row(row) = judged(&first).await else { panic!("it is in force") };
    assert_eq!((row.id, row.status), (first.clone(), CommitStatus::Good));
    let (broken, _) = scene.commit(WEB, BROKEN).await;
    let CommitOutcome::Row(row) = judged(&broken).await else { panic!("it is at hand") };
    assert_eq!((row.status, row.diagnostics.len()), (CommitStatus::Broken, 1));

    let (second, _) = scene.commit(WEB, "doc = \"Another.\"\n").await;
    match judged(&first).await {
        CommitOutcome::Past(CommitStatus::Good, Some(now)) => assert_eq!(now, second),
        other => panic!("{other:?}"),
    }
    assert!(matches!(judged(&"dir-0000".into()).await, CommitOutcome::NotCome(None)));
    scene.control.note_overtaken("older".into(), "newer".into());
    assert!(matches!(judged(&"older".into()).await, CommitOutcome::Overtaken(newer) if newer == "newer"));
}

#[actix_web::test]
async fn one_who_waits_hears_of_a_commit_as_soon_as_it_is_judged() {
    let scene = ControlFixture::new();
    let snapshot = scene.snapshot();
    let commit = snapshot.commit().clone();
    let waits = scene.control.judged(&commit, Duration::from_secs(3_600));
    let (judged, status) = tokio::join!(waits, scene.control.take(snapshot));
    assert!(matches!(judged.unwrap(), CommitOutcome::Row(row) if row.id == commit && row.status == status));
}

#[actix_web::test]
async fn digits_name_a_commit_where_they_are_enough_and_only_one_begins_so() {
    let scene = ControlFixture::new();
    let (commit, _) = scene.take().await;
    let whole = async |digits: &str| scene.control.whole_id(digits).await.unwrap();
    let hex = commit.strip_prefix("dir-").unwrap();
    for (digits, found) in [(4, true), (12, true), (3, false), (0, false)] {
        let named = whole(&format!("dir-{}", &hex[..digits])).await;
        assert_eq!(named.as_deref(), found.then_some(&*commit), "{digits} digits");
    }
    let other = if hex.starts_with('0') { "1" } else { "0" };
    assert_eq!(whole(&format!("dir-{}", other.repeat(8))).await, None);
    // A second commit in the store whose id begins with the same digits.
    let twin = format!("{}{}", &commit[..16], "0".repeat(4));
    let row = CommitRow { id: twin.into(), ..recorded(&scene, &commit).await.remove(0) };
    scene.store.put_commit(row).await.unwrap();
    assert_eq!(whole(&commit[..16]).await, None, "two begin so");
    assert_eq!(whole(&commit).await.as_deref(), Some(&*commit));
}

#[actix_web::test]
async fn a_commit_is_in_force_while_the_store_takes_nothing_and_recorded_later() {
    let scene = ControlFixture::new();
    let commit = scene.without_store(async { scene.take().await.0 }).await;
    assert_eq!(scene.control.in_force().unwrap().commit(), &commit);
    assert!(recorded(&scene, &commit).await.is_empty(), "the store did not take it");
    let judged = scene.control.judged(&commit, Duration::ZERO).await.unwrap();
    assert!(
        matches!(judged, CommitOutcome::Row(row) if row.status == CommitStatus::Good),
        "it is known all the same"
    );
    scene.control.write_commits().await;
    assert_eq!(recorded(&scene, &commit).await.len(), 1);
    assert!(scene.control.unwritten().is_empty());
}

#[actix_web::test]
async fn of_commits_that_cannot_be_recorded_the_newest_are_kept() {
    let scene = ControlFixture::new();
    let (commit, _) = scene.take().await;
    let row = recorded(&scene, &commit).await.remove(0);
    for number in 0..=MAX_UNWRITTEN {
        scene.control.unwritten().push_back(CommitRow { id: format!("c{number}").into(), ..row.clone() });
    }
    let kept: Vec<_> = scene.control.unwritten().iter().map(|row| row.id.clone()).collect();
    assert_eq!((kept.len(), &*kept[0]), (MAX_UNWRITTEN, "c1"));
}

#[actix_web::test]
async fn one_who_waits_for_a_commit_while_the_remote_says_nothing_is_told_so_at_once() {
    let scene = ControlFixture::new();
    let control = &scene.control;
    assert!(control.poke.set(Follower::that_hangs()).is_ok());
    let CommitOutcome::NotCome(Some(why)) =
        control.judged(&"a".repeat(40).into(), Duration::from_secs(3_600)).await.unwrap()
    else {
        panic!("it is not told");
    };
    assert!(why.contains("has not answered for 6"), "{why}");
}
