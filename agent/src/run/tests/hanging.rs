//! A server that takes requests and does not answer: each wait ends, and the run continues with what it has.

use std::time::Duration;

use super::*;
use crate::contents::{Contents, Fetching};
use crate::stop::RunEnd;
use crate::system::Door;

const SOON: Duration = Duration::from_millis(20);

#[test]
fn f02_a_server_that_never_answers_is_an_error_in_time() {
    let scene = scene();
    let client = scene.enroll().client(None).unwrap().within(SOON);
    scene.server.answers(|_| ScriptedAnswer::Silent);
    let asked = block_on(client.post::<ReportAnswer>(path::REPORTS, &"x"));
    let error = asked.unwrap_err().to_string();
    assert!(error.contains("cannot be reached: it did not answer completely within"), "{error}");
}

#[test]
fn f02_a_content_that_never_comes_takes_no_more_than_its_part_of_the_run() {
    let scene = scene();
    let client = scene.enroll().client(None).unwrap();
    scene.server.answers(|_| ScriptedAnswer::Silent);
    let network = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let end = RunEnd::after(Duration::from_secs(2));
    let fetching = Fetching { client: &client, network: &network, end };
    let state = scene.state();
    let mut contents = Contents::open(&state, Some(fetching));
    let hash = ContentHash::of(b"x");
    let mut wanted = catalog(1, "");
    wanted.resources[0].attributes.insert("content".into(), FileContent::hash_value(&hash, 1));
    contents.fetch(&wanted);
    assert!(!end.left().is_zero(), "the other half is the run's own");
    let Err(error) = contents.open(&hash, 1) else { panic!("nobody sent it") };
    assert!(error.to_string().contains("it did not arrive within"), "{error}");
}

#[test]
fn who_closes_after_an_answer_does_not_refuse_the_certificate() {
    let scene = scene();
    let identity = scene.enroll();
    let client = identity.client(None).unwrap();
    let network = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ask = || network.block_on(client.post::<ReportAnswer>(path::REPORTS, &"x"));
    scene.server.answers(|_| ScriptedAnswer::Lost);
    assert!(ask().unwrap_err().to_string().contains("it may have refused this node's certificate"));
    scene.server.answers(|_| ScriptedAnswer::ok(&ReportAnswer { new: true }));
    ask().unwrap();
    scene.server.answers(|_| ScriptedAnswer::Lost);
    let error = ask().unwrap_err().to_string();
    assert!(error.contains("it answered other requests") && error.contains("large packets"), "{error}");
}

#[test]
fn f02_reports_that_a_slow_server_takes_one_by_one_wait_for_the_next_run() {
    let scene = scene();
    let identity = scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    let report = scene.run().report;
    let (spool, owner) = (Spool::open(&scene.state()).unwrap(), EnrolledNode::of(&identity));
    spool.add(Some(&owner), &report).unwrap();
    let client = identity.client(None).unwrap();
    let delivery = block_on(spool.deliver(&client, &owner, Duration::ZERO)).unwrap();
    assert_eq!((delivery.delivered, spool.waiting().unwrap()), (0, 1));
    assert!(delivery.waits.unwrap().contains("the server is slow"));
}

#[test]
fn f22_a_run_that_the_kernel_holds_is_given_up_and_what_it_came_to_is_told() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "one"));
    let (watch, door) = (RunWatch::default(), Arc::new(Door::default()));
    let (record, end) =
        (RunRecord::begin(Mode::Enforce, Source::Server), RunEnd::after(Duration::from_secs(3_600)));
    watch.keeps(scene.state().lock().unwrap());
    watch.begins(&record, &Arc::new(catalog(1, "one")), end, door.clone());
    let stop = AtomicBool::new(false);
    let call = door.enter(scene.root.path().canonicalize().unwrap().join("greeting")).unwrap();
    assert!(watch.held(&stop, Duration::ZERO).is_none(), "it has its time");
    stop.store(true, Ordering::Relaxed);
    assert!(watch.held(&stop, Duration::from_secs(3_600)).is_none(), "and so has each look");
    let at = watch.held(&stop, Duration::ZERO).unwrap();
    let report = held::give_up(&scene.place, &watch, at).unwrap().unwrap().report;
    assert_eq!((report.counts.total, report.counts.failed), (1, 1), "{:?}", report.events);
    let said = report.error.unwrap();
    assert!(
        said.contains("was abandoned")
            && said.contains("/greeting on /")
            && said.contains("did not answer for"),
        "{said}"
    );
    assert_eq!(scene.reports().last().unwrap().run, report.run);
    assert_eq!(LastRunStatus::load(&scene.state()).unwrap().unwrap().run, report.run);
    assert!(scene.state().lock().is_ok(), "its lock is free");
    drop(call);
    assert!(watch.held(&stop, Duration::ZERO).is_none(), "it is given up once");
}

#[test]
fn f22_a_run_that_ends_by_itself_is_not_given_up() {
    let (watch, stop) = (RunWatch::default(), AtomicBool::new(true));
    let record = RunRecord::begin(Mode::Enforce, Source::Server);
    let begins = |end| watch.begins(&record, &Arc::new(catalog(1, "one")), end, Arc::default());
    begins(RunEnd::after(Duration::ZERO));
    assert!(watch.held(&stop, Duration::ZERO).is_none(), "what its end cut short is put in order first");
    begins(RunEnd::long_ago());
    assert!(watch.held(&stop, Duration::ZERO).is_some());
    watch.ends();
    assert!(watch.held(&stop, Duration::ZERO).is_none());
}

#[test]
fn the_mount_that_held_a_run_is_remembered_for_the_next_one() {
    let scene = scene();
    assert!(held::held_before(&scene.state()).is_empty());
    for path in ["/proc/self/status", "/proc/self/stat", "/"] {
        held::remember(&scene.place, std::path::Path::new(path));
    }
    assert_eq!(held::held_before(&scene.state()).len(), 1, "each mount once, and never that of the root");
    scene.state().replace("held.json", b"{").unwrap();
    assert!(held::held_before(&scene.state()).is_empty());
}
