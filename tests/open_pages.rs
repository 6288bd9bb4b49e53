//! Open pages in a real browser: they become live again after quick clicks, a refusal, a crowd of pages, and a restart
//! of the server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use acceptance::browser::{self, Browser};
use harness::binaries::workspace;
use harness::scene::Scene;
use harness::server::SOON;
use harness::wait;

/// A browser in which an operator is logged in.
fn logged_in(scene: &Scene) -> Option<Browser> {
    let browser = browser::for_test()?;
    browser.goto(&scene.login_link("olga").unwrap()).unwrap();
    browser.click("main form button").unwrap();
    Some(browser)
}

/// Waits until the page shows that it is live.
fn is_live(browser: &Browser) {
    let live = wait::until("the page is live", SOON, || match browser.text("#live") {
        Ok(text) if text == "live" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    live.unwrap();
}

#[test]
fn an_open_page_is_live_after_quick_clicks_and_after_a_restart_of_the_server() {
    let mut scene = Scene::start(None).unwrap();
    let Some(browser) = logged_in(&scene) else { return };
    for click in 0..24 {
        let tab = ["/", "/nodes", "/commits"][click % 3];
        browser.click(&format!(".top nav a[href='{tab}']")).unwrap();
    }
    is_live(&browser);
    browser.goto(&scene.dashboard()).unwrap();
    is_live(&browser);
    browser.script("window.untouched = true").unwrap();
    scene.stop_server();
    browser.wait_for_text("#live", "not live", SOON).unwrap();
    browser.wait_for_text("#live-wait", "trying again in", SOON).unwrap();
    scene.start_server().unwrap();
    let file = "hieradata/customers/acme.toml";
    let to = "[profile.base]\ncontact = \"ropes@acme.example\"\n\n[profile.shop]";
    let (commit, _) = scene.commit(file, "[profile.shop]", to, "Say whom to ask").unwrap();
    browser.wait_for_text("main", &commit[..7], SOON).unwrap();
    is_live(&browser);
    assert_eq!(browser.script("return window.untouched").unwrap(), true, "the page was loaded anew");
}

#[test]
fn after_one_refusal_a_page_is_live_again() {
    let Some(browser) = browser::for_test() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = count.clone();
            thread::spawn(move || answer(stream, &count));
        }
    });
    browser.goto(&address).unwrap();
    is_live(&browser);
    assert_eq!(browser.script("return seen.join()").unwrap(), "lost,on", "it said that it was not");
    assert_eq!(asked.load(Ordering::Relaxed), 2, "one that was refused, and one that was not");
    assert_eq!(browser.text("#live-wait").unwrap(), "");
}

/// A server that refuses the first connection for events, as a busy one does.
fn answer(mut stream: TcpStream, asked: &AtomicUsize) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let request = lines.next().and_then(Result::ok).unwrap_or_default();
    while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
    let script = Path::new("server/assets/live.js");
    let (status, kind, body) = match request.split(' ').nth(1) {
        Some("/live.js") => {
            ("200 OK", "text/javascript", std::fs::read_to_string(workspace().join(script)).unwrap())
        }
        Some("/live") if asked.fetch_add(1, Ordering::Relaxed) == 0 => {
            ("503 Service Unavailable", "text/plain", "busy\n".to_owned())
        }
        Some("/live") => {
            // It stays open for as long as the browser does.
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: hello\n\n";
            let _ = stream.write_all(head.as_bytes());
            while lines.next().is_some_and(|line| line.is_ok()) {}
            return;
        }
        _ => {
            let page = "<!doctype html><title>page</title><span id=live></span><span id=live-wait></span>\
                <p data-live id=part>part</p><script>const seen = []; new MutationObserver(() => \
                seen.push(live.dataset.state)).observe(live, { attributeFilter: ['data-state'] })</script>\
                <script src=/live.js></script>";
            ("200 OK", "text/html", page.to_owned())
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // A browser that has gone away does not read it.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}
