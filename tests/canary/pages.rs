//! The dashboard as users of every kind see it: every page that can be reached through links, as HTML and as JSON, and
//! the API.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use harness::process;
use harness::server::ServerPaths;
use serde_json::Value;

use super::told::Told;

/// If there are more pages than this, the test is wrong.
const MAX_ADDRESSES: usize = 1000;

/// A user who is logged in.
pub struct Session<'a> {
    name: String,
    server: &'a ServerPaths,
    jar: String,
}

impl<'a> Session<'a> {
    /// Logs in with the token of a link.
    pub fn by(server: &'a ServerPaths, name: &str, token: &str, folder: &Path) -> Self {
        let link = format!("{}/login/{token}", address(server));
        let jar = folder.join(format!("{name}.cookies")).display().to_string();
        let origin = format!("Origin: {}", address(server));
        let mut login = Command::new("curl");
        login.args([
            "-sSk",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-X",
            "POST",
            "-H",
            &origin,
            "-c",
            &jar,
            &link,
        ]);
        assert_eq!(process::run(&mut login).unwrap(), "303", "{name} is not let in");
        Self { name: name.to_owned(), server, jar }
    }

    fn get(&self, path: &str, accept: &str) -> Vec<u8> {
        let url = format!("{}{path}", address(self.server));
        let accept = format!("Accept: {accept}");
        let mut get = Command::new("curl");
        get.args(["-sSk", "--compressed", "-b", &self.jar, "-H", &accept, &url]);
        process::output(&mut get).unwrap().stdout
    }

    /// Looks at all pages, beginning with the overview; with `filtered`, also at lists with each filter.
    pub fn look_at_all(&self, told: &mut Told, filtered: bool) -> BTreeSet<String> {
        let mut known: BTreeSet<String> =
            ["/", "/nodes", "/commits", "/account", "/metrics", "/healthz", "/readyz", "/api/openapi.json"]
                .map(str::to_owned)
                .into();
        let mut waiting: Vec<String> = known.iter().cloned().collect();
        while let Some(path) = waiting.pop() {
            for accept in ["text/html", "application/json"] {
                let body = self.get(&path, accept);
                told.look(&format!("{path} for {} as {accept}", self.name), &body);
                for link in links(&String::from_utf8_lossy(&body)) {
                    let api = format!("/api/v1{}", if link == "/" { "/overview" } else { link.as_str() });
                    if !filtered && link.contains('?') {
                        continue;
                    }
                    // No page has a link to a run by its id only, but an agent's log has the id.
                    let by_id = link.find("/reports/").map(|at| format!("/api/v1{}", &link[at..]));
                    let all = [link, api].into_iter().chain(by_id);
                    let new = all.filter(|link| known.insert(link.clone()));
                    waiting.extend(new);
                }
            }
            assert!(known.len() < MAX_ADDRESSES, "{known:#?}");
        }
        known
    }

    /// Checks that every route of the API was among these pages.
    pub fn is_all(&self, known: &BTreeSet<String>) {
        let described: Value =
            serde_json::from_slice(&self.get("/api/openapi.json", "application/json")).unwrap();
        for route in described["paths"].as_object().unwrap().keys() {
            let (before, _) = route.split_once('{').unwrap_or((route, ""));
            let is_visited =
                known.iter().any(|path| path == route || before != route && path.starts_with(before));
            assert!(is_visited, "{} never saw {route}: {known:#?}", self.name);
        }
    }
}

fn address(server: &ServerPaths) -> String {
    format!("https://{}", server.dashboard)
}

/// The links on a page to our own pages, without those that change something.
fn links(page: &str) -> Vec<String> {
    let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let path = |link: &str| link.split(['#']).next().unwrap_or_default().replace("&amp;", "&");
    let ours =
        |link: &String| link.starts_with('/') && !link.starts_with("//") && !link.starts_with("/assets");
    links.map(path).filter(ours).collect()
}
