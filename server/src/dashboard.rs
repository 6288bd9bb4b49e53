//! The dashboard: pages over the store, one view function each, shown as HTML or as JSON.
//!
//! It changes only sessions and a user's own password. Every view is limited to the caller's scope; the answer for
//! anything outside it is the same as for what does not exist.

use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::web::{self, ServiceConfig};
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::store::{self, Store};

mod page_request; // who asks, and whether for HTML or JSON
mod assets; // the style, the script, the icon
mod attempts; // how often someone may try to log in
mod census; // all machines, read once for all pages
mod compress; // compression of answers
mod count; // numbers for people
mod entry; // checks that apply to every request
mod diagnostics; // errors with line and caret
mod history; // a chart of the last runs
mod metrics_token; // the token for metrics
mod metrics; // metrics for monitoring
mod openapi; // the description of the API
mod page; // views, errors, and the frame around them
mod password; // argon2id
mod badge; // the badge of a node's state
mod filter; // the filter of the list of nodes
mod report_query; // the part of a report's events to show
mod size; // limits on the size of pages
mod readiness; // whether polls and reports can be served now
mod session; // sessions of browsers
mod large_reads; // reading large values, one at a time for each user
mod text; // times, hostile texts, links

mod account; // one's own password
mod audit; // who did what
mod commits; // commits, good and broken
mod server_view; // what the dashboard asks the running server
mod updates; // changes, sent to open pages
mod login; // links, passwords, sessions
mod node; // one node
mod nodes; // the list of nodes
mod overview; // the overview page
mod report; // one run

pub use entry::remember_place;
pub use metrics_token::MetricsToken;
pub use server_view::ServerView;

/// What the pages are made from.
pub struct DashboardState {
    store: Store,
    server_view: Arc<dyn ServerView>,
    census: census::Census,
    /// The time between two polls of an agent.
    interval: Duration,
    attempts: attempts::Attempts,
    strangers: entry::Strangers,
    /// The names that this server answers to; any name if this is empty.
    names: Vec<String>,
    readiness: readiness::Readiness,
    metrics_token: Option<MetricsToken>,
    /// Pages are rendered by as many threads as the machine has for it: one more would only slow them all down.
    drawing: Arc<Semaphore>,
    hashing: password::Hashing,
    listening: updates::OpenPages,
    reading: large_reads::LargeReads,
}

impl DashboardState {
    /// Pages over `store`, for agents that poll once in each `interval`.
    pub fn new(store: Store, server_view: Arc<dyn ServerView>, interval: Duration) -> Self {
        Self {
            // The readiness check has a store of its own, so that it does not wait behind pages.
            readiness: readiness::Readiness::of(store.clone(), server_view.clone()),
            census: census::Census::of(store.for_pages(), server_view.clone(), interval),
            store: store.for_pages(),
            server_view,
            interval,
            attempts: attempts::Attempts::default(),
            strangers: entry::Strangers::default(),
            names: Vec::new(),
            metrics_token: None,
            drawing: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))),
            hashing: password::Hashing::default(),
            listening: updates::OpenPages::default(),
            reading: large_reads::LargeReads::default(),
        }
    }

    /// Sets the clock, for a server that can be ready only while its clock can be right.
    #[must_use]
    pub fn by(self, clock: Clock) -> Self {
        Self { readiness: self.readiness.by(clock), ..self }
    }

    /// Runs work that goes through many machines or long texts on a thread of its own. The threads that answer
    /// requests, and with them the readiness check, never wait for it.
    ///
    /// # Errors
    /// Returns an error if the work fails with an internal error.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, page::Error> {
        let turn = self.drawing.clone().acquire_owned().await.map_err(|_| page::Error::Busy)?;
        // The work continues even if its caller has gone away, and so it keeps its permit.
        let span = tracing::Span::current();
        let work = move || {
            let _turn = turn;
            span.in_scope(work)
        };
        web::block(work).await.map_err(|_| page::Error::Unforeseen)
    }

    /// Loads earlier logins from the audit log: anyone who logged in before a restart is still known.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn recalling(self) -> store::Result<Self> {
        const ENTRIES: u32 = 100_000;
        for (name, address, at) in self.store.logins(ENTRIES).await? {
            if let Ok(address) = address.parse() {
                self.attempts.came_in(address, &name, at);
            }
        }
        Ok(self)
    }

    /// Sets the token with which other machines may read the metrics.
    #[must_use]
    pub fn monitored_by(self, token: Option<MetricsToken>) -> Self {
        Self { metrics_token: token, ..self }
    }

    /// Sets the names that this server answers to.
    #[must_use]
    pub fn called(self, names: Vec<String>) -> Self {
        Self { names, ..self }
    }
}

/// Scripts only from our own file, nothing from other sites, and no framing.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Registers the routes; the application's data must contain a [`DashboardState`].
pub fn configure(app: &mut ServiceConfig) {
    // With `no-referrer` browsers would send no origin with forms, and login checks it.
    let headers = DefaultHeaders::new()
        .add(("Content-Security-Policy", POLICY))
        .add(("Strict-Transport-Security", "max-age=31536000"))
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("Referrer-Policy", "same-origin"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Cache-Control", "no-store"));
    let get = web::get;
    app.service(
        web::scope("")
            .wrap(from_fn(entry::enter))
            .wrap(from_fn(entry::count))
            .wrap(headers)
            .wrap(from_fn(compress::pack))
            .wrap(from_fn(entry::head))
            .app_data(web::FormConfig::default().limit(8 * 1024).error_handler(page::form_not_understood))
            .route("/", get().to(overview::show))
            .route("/nodes", get().to(nodes::show))
            .route("/nodes/{node}", get().to(node::show))
            .route("/nodes/{node}/reports/{report}", get().to(report::show_of))
            .route("/reports/{report}", get().to(report::show))
            .route("/commits", get().to(commits::show))
            .route("/commits/{commit}", get().to(commits::show_one))
            .route("/audit", get().to(audit::show))
            .service(
                web::scope("/api")
                    .route("/openapi.json", get().to(openapi::show))
                    .route("/v1/overview", get().to(overview::show))
                    .route("/v1/nodes", get().to(nodes::show))
                    .route("/v1/nodes/{node}", get().to(node::show))
                    .route("/v1/nodes/{node}/reports/{report}", get().to(report::show_of))
                    .route("/v1/reports/{report}", get().to(report::show))
                    .route("/v1/commits", get().to(commits::show))
                    .route("/v1/commits/{commit}", get().to(commits::show_one))
                    .route("/v1/audit", get().to(audit::show))
                    .default_service(web::to(page::nothing_here)),
            )
            .route("/live", get().to(updates::listen))
            .route("/login", get().to(login::form))
            .route("/login", web::post().to(login::by_password))
            .route("/login/{token}", get().to(login::confirm))
            .route("/login/{token}", web::post().to(login::by_link))
            .route("/logout", web::post().to(login::logout))
            .route("/account", get().to(account::show))
            .route("/account", web::post().to(account::set_password))
            .route("/metrics", get().to(metrics::show))
            .route("/healthz", get().to(metrics::alive))
            .route("/readyz", get().to(metrics::ready))
            .route("/assets/{name}", get().to(assets::show))
            .default_service(web::to(page::nothing_here)),
    );
}

#[cfg(test)]
mod tests;
