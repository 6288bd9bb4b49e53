//! Follows one commit: a real `git push`, both programs, mTLS, and a browser in which the page changes without a reload.

use std::time::Duration;

use acceptance::browser;
use harness::scene::Scene;
use harness::server::SOON;
use harness::wait;
use holdfast_catalog::report::Cause;

#[test]
fn a_commit_goes_from_a_push_to_a_page_that_is_open() {
    let Some(browser) = browser::for_test() else { return };
    let scene = Scene::start(None).unwrap();
    let machines = scene.machines(&["web1.acme.example"]).unwrap();
    let machine = &machines[0];
    scene.enroll(machine).unwrap();
    assert_eq!(machine.run_once().unwrap().code, 2, "the first run makes what can be made in a directory");

    browser.goto(&scene.login_link("olga").unwrap()).unwrap();
    browser.click("main form button").unwrap();
    browser.goto(&format!("{}/nodes/web1.acme.example", scene.dashboard())).unwrap();
    browser.wait_for_text("main", "web1.acme.example", SOON).unwrap();
    browser.script("window.untouched = true").unwrap();

    let file = "hieradata/customers/acme.toml";
    let to = "[profile.base]\ncontact = \"ropes@acme.example\"\n\n[profile.shop]";
    let (commit, said) = scene.commit(file, "[profile.shop]", to, "Say whom to ask").unwrap();
    assert!(said.contains("is in force"), "{said}");
    let report = machine.run_once().unwrap().report().unwrap();
    assert_eq!(report.commit.as_deref(), Some(commit.as_str()));
    let changed: Vec<_> = report.events.iter().filter(|event| event.cause.is_some()).collect();
    let [event] = changed[..] else { panic!("{changed:?}") };
    assert_eq!(
        (event.resource.to_string().as_str(), event.cause),
        ("file[/etc/motd]", Some(Cause::Intentional))
    );
    let data = event.sources.iter().find(|origin| &*origin.file == file);
    assert_eq!(data.and_then(|origin| origin.level.as_deref()), Some("customer"), "{:?}", event.sources);

    let short = &commit[..7];
    let seen = browser.wait_for_text("main", short, SOON);
    seen.unwrap_or_else(|error| panic!("{error}\n{}", browser.text("main").unwrap_or_default()));
    assert_eq!(browser.script("return window.untouched").unwrap(), true, "the page was loaded anew");
    browser.goto(&scene.dashboard()).unwrap();
    // Of all machines in the inventory: those that were never added run on no commit, but are counted.
    assert!(browser.text("main").unwrap().contains("runs on 1 of 12 nodes"), "{:?}", browser.text("main"));
}

#[test]
fn a_broken_commit_leaves_the_last_good_in_force_and_says_where() {
    let scene = Scene::start(None).unwrap();
    let machines = scene.machines(&["web1.birch.example"]).unwrap();
    scene.enroll(&machines[0]).unwrap();
    machines[0].run_once().unwrap();
    let good = machines[0].run_once().unwrap().report().unwrap().commit;

    let manifest = "modules/profile/manifests/base.toml";
    let (_, said) =
        scene.commit(manifest, "template = \"motd.hbs\"", "tempalte = \"motd.hbs\"", "A slip").unwrap();
    for part in ["broken", "modules/profile/manifests/base.toml:19:1", "tempalte", "template"] {
        assert!(said.contains(part), "the push did not say {part:?}: {said}");
    }
    let run = machines[0].run_once().unwrap();
    assert_eq!((run.code, run.report().unwrap().commit), (0, good));

    let (corrected, _) = scene.commit(manifest, "tempalte", "template", "Correct it").unwrap();
    wait::until("the corrected commit is in force", Duration::from_secs(20), || {
        let commit =
            machines[0].run_once().and_then(|run| run.report()).map_err(|error| error.to_string())?.commit;
        if commit.as_deref() == Some(corrected.as_str()) { Ok(()) } else { Err(format!("{commit:?}")) }
    })
    .unwrap();
}
