//! A real browser on a page: headless Chromium, driven through WebDriver, with a new profile each time.
//!
//! It accepts any certificate: other tests check that clients refuse a wrong one.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use fantoccini::error::{CmdError, NewSessionError};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};

use harness::process::{self, ChildGuard};
use harness::{skip, wait};

/// Arguments that make Chromium show a page and do nothing else.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Chromium ends by itself when the driver at the other end has ended.
    "--remote-debugging-pipe",
];

/// Why the browser failed to do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Driver(#[from] process::Error),
    /// A file or a stream failed.
    #[error("{0}: {1}")]
    Io(String, #[source] io::Error),
    /// The driver could not start a browser.
    #[error("cannot open a browser: {0}")]
    Open(#[from] NewSessionError),
    /// The browser refused a command.
    #[error("{0}")]
    Command(#[from] CmdError),
    /// Something did not happen in time.
    #[error(transparent)]
    TimedOut(#[from] wait::TimedOut),
}

/// The colour scheme that the user prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorScheme {
    /// Dark text on a light background.
    Light,
    /// Light text on a dark background.
    Dark,
}

/// A browser with one page. It ends when dropped, or with the thread that opened it.
pub struct Browser {
    runtime: Runtime,
    client: Client,
    _driver: ChildGuard,
    // Kept open: the driver would be ended by its next line of output if nobody could read it.
    _driver_output: BufReader<ChildStdout>,
    _profile: TempDir,
}

/// A browser for a test. `None` if there is none, which is reported with the reason. With `HOLDFAST_REQUIRE_BROWSER=1`
/// the test fails instead.
///
/// # Panics
///
/// If a browser is required and there is none, or if it cannot be opened.
pub fn for_test() -> Option<Browser> {
    match process::installed(&["chromedriver", "chromium", "setpriv"]) {
        Ok(()) => Some(Browser::open().unwrap_or_else(|error| panic!("the browser: {error}"))),
        Err(missing) => {
            skip::unless_required("HOLDFAST_REQUIRE_BROWSER", "tests with a browser", &missing);
            None
        }
    }
}

impl Browser {
    /// Opens a browser on an empty page.
    pub fn open() -> Result<Self, Error> {
        let profile = tempfile::tempdir().map_err(|error| Error::Io("a new profile".into(), error))?;
        let (driver, driver_output, port) = start_driver()?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Io("an event loop".into(), error))?;
        let mut builder = ClientBuilder::new(HttpConnector::new());
        if let Value::Object(capabilities) = capabilities(profile.path()) {
            builder.capabilities(capabilities);
        }
        let client = runtime.block_on(builder.connect(&format!("http://127.0.0.1:{port}")))?;
        Ok(Self { runtime, client, _driver: driver, _driver_output: driver_output, _profile: profile })
    }

    /// Opens an address and waits until its page is loaded.
    pub fn goto(&self, url: &str) -> Result<(), Error> {
        Ok(self.runtime.block_on(self.client.goto(url))?)
    }

    /// The address of the current page.
    pub fn url(&self) -> Result<String, Error> {
        Ok(self.runtime.block_on(self.client.current_url())?.into())
    }

    /// The visible text of the first matching element.
    pub fn text(&self, css: &str) -> Result<String, Error> {
        Ok(self.runtime.block_on(async { self.client.find(Locator::Css(css)).await?.text().await })?)
    }

    /// Waits, without reloading, until the first matching element contains a text, and returns all its text.
    pub fn wait_for_text(&self, css: &str, needle: &str, timeout: Duration) -> Result<String, Error> {
        let found = wait::until(&format!("{css} shows {needle:?}"), timeout, || match self.text(css) {
            Ok(text) if text.contains(needle) => Ok(text),
            Ok(text) => Err(format!("{text:?}")),
            Err(error) => Err(error.to_string()),
        });
        Ok(found?)
    }

    /// Clicks on the first matching element.
    pub fn click(&self, css: &str) -> Result<(), Error> {
        Ok(self.runtime.block_on(async { self.client.find(Locator::Css(css)).await?.click().await })?)
    }

    /// Types into the first matching element, in place of its present text.
    pub fn fill(&self, css: &str, text: &str) -> Result<(), Error> {
        Ok(self.runtime.block_on(async {
            let field = self.client.find(Locator::Css(css)).await?;
            field.clear().await?;
            field.send_keys(text).await
        })?)
    }

    /// Runs a function's body in the page and returns its result.
    pub fn script(&self, body: &str) -> Result<Value, Error> {
        Ok(self.runtime.block_on(self.client.execute(body, Vec::new()))?)
    }

    /// Sets the size of the window, in pixels.
    pub fn resize(&self, width: u32, height: u32) -> Result<(), Error> {
        Ok(self.runtime.block_on(self.client.set_window_size(width, height))?)
    }

    /// Sets the colour scheme that pages should use.
    pub fn prefer(&self, scheme: ColorScheme) -> Result<(), Error> {
        let value = match scheme {
            ColorScheme::Light => "light",
            ColorScheme::Dark => "dark",
        };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        let command =
            DevTools { command: "Emulation.setEmulatedMedia", parameters: json!({ "features": features }) };
        self.runtime.block_on(self.client.issue_cmd(command))?;
        Ok(())
    }

    /// Saves what the window shows as a PNG file.
    pub fn screenshot(&self, path: &Path) -> Result<(), Error> {
        let image = self.runtime.block_on(self.client.screenshot())?;
        fs::write(path, image).map_err(|error| Error::Io(path.display().to_string(), error))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A browser that no longer answers ends with its driver, which is dropped next.
        let _ = self.runtime.block_on(self.client.clone().close());
    }
}

/// Starts the driver on a free port that it chooses and prints.
fn start_driver() -> Result<(ChildGuard, BufReader<ChildStdout>, u16), Error> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "chromedriver", "--port=0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut driver = process::start(&mut command)?;
    let stdout = driver.child().stdout.take();
    let silent = || Error::Io("chromedriver".into(), io::Error::other("it said no port"));
    let mut output = BufReader::new(stdout.ok_or_else(silent)?);
    let mut line = String::new();
    loop {
        line.clear();
        let read = output.read_line(&mut line).map_err(|error| Error::Io("chromedriver".into(), error))?;
        let port = line.trim_end().trim_end_matches('.').rsplit_once("successfully on port ");
        match port.and_then(|(_, port)| port.parse().ok()) {
            Some(port) => return Ok((driver, output, port)),
            None if read == 0 => return Err(silent()),
            None => {}
        }
    }
}

fn capabilities(profile: &Path) -> Value {
    let profile = format!("--user-data-dir={}", profile.display());
    let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([profile.as_str()]).collect();
    json!({ "acceptInsecureCerts": true, "goog:chromeOptions": { "args": arguments } })
}

/// A command of Chromium's own protocol, for what WebDriver cannot do.
#[derive(Debug)]
struct DevTools {
    command: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "cmd": self.command, "params": self.parameters }).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "data:text/html,<style>@media (prefers-color-scheme: dark) { p::after { content: ' by night' } }\
        </style><p>waiting</p><input id=name><script>document.querySelector('input').onchange = event => \
        setTimeout(() => document.querySelector('p').innerText = 'hello ' + event.target.value, 100)</script>";

    #[test]
    fn a_page_is_used_and_seen_as_by_a_person() {
        let Some(browser) = for_test() else { return };
        browser.goto(PAGE).unwrap();
        assert_eq!(browser.text("p").unwrap(), "waiting");
        browser.fill("#name", "you").unwrap();
        browser.click("p").unwrap();
        assert_eq!(browser.wait_for_text("p", "hello", Duration::from_secs(10)).unwrap(), "hello you");
        let error = browser.wait_for_text("p", "goodbye", Duration::ZERO).unwrap_err().to_string();
        assert!(error.contains("goodbye") && error.contains("hello you"), "{error}");

        let night = || browser.script("return matchMedia('(prefers-color-scheme: dark)').matches").unwrap();
        browser.prefer(ColorScheme::Dark).unwrap();
        assert_eq!(night(), true);
        browser.prefer(ColorScheme::Light).unwrap();
        assert_eq!(night(), false);

        browser.resize(800, 600).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("page.png");
        browser.screenshot(&file).unwrap();
        assert!(fs::read(&file).unwrap().starts_with(b"\x89PNG"));
    }

    #[test]
    fn a_closed_browser_leaves_no_process() {
        let Some(browser) = for_test() else { return };
        let profile = browser._profile.path().to_string_lossy().into_owned();
        let processes =
            || process::run(Command::new("pgrep").args(["--full", "--", &profile])).unwrap_or_default();
        assert_ne!(processes(), "");
        drop(browser);
        wait::until("no process", Duration::from_secs(10), || match processes() {
            left if left.is_empty() => Ok(()),
            left => Err(left),
        })
        .unwrap();
    }
}
