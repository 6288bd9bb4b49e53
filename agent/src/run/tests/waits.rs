//! How soon the next run is.

use std::time::Duration;

use super::*;

#[test]
fn after_a_poll_that_failed_the_agent_tries_again_soon_and_keeps_the_servers_interval() {
    let scene = scene();
    scene.enroll();
    let status = || LastRunStatus::load(&scene.state()).unwrap().unwrap();
    scene.server.answers(|_| ScriptedAnswer::Lost);
    scene.run();
    assert_eq!(status().interval(), None, "no server has said one");
    scene.serves(catalog(1, "hello\n"));
    scene.run();
    assert_eq!((status().next_run_seconds, status().interval()), (77, Some(Duration::from_secs(120))));
    scene.server.answers(|_| ScriptedAnswer::Lost);
    let mut missed = Vec::new();
    for _ in 0..5 {
        scene.run();
        missed.push(status().next_run_seconds);
        assert_eq!(status().interval(), Some(Duration::from_secs(120)));
    }
    assert!(missed[0] <= 30, "{missed:?}");
    assert!(missed.iter().all(|seconds| *seconds <= 120), "{missed:?}");
    scene.serves(catalog(1, "hello\n"));
    scene.run();
    assert_eq!((status().next_run_seconds, status().missed), (77, 0));
}
