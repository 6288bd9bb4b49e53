//! What people see: pages over the store, one view function each, drawn as HTML or as JSON.
//!
//! It changes nothing but sessions and a user's own password. Every view is cut to the caller's scope; what lies outside
//! answers like what does not exist.

use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::web::{self, ServiceConfig};
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::store::{self, Store};

mod asked; // who asks, for what form of answer
mod assets; // the style, the script, the icon
mod attempts; // how often someone may try to log in
mod census; // all machines, read once for all who ask
mod compress; // what goes over the line
mod count; // numbers for people
mod entry; // what holds for every request
mod diagnostics; // errors with line and caret
mod history; // the last runs as a drawing
mod metrics_token; // what opens the numbers to other machines
mod metrics; // for monitoring
mod openapi; // what the API offers
mod page; // views, errors, and the frame around them
mod password; // argon2id
mod badge; // how a node is, drawn
mod filter; // which nodes
mod part; // which events of a report
mod size; // how large a page becomes
mod readiness; // whether polls and reports can be served now
mod session; // what a browser holds
mod reading; // large things, one at a time for each user
mod text; // times, hostile texts, links

mod account; // one's own password
mod audit; // who did what
mod commits; // commits, good and broken
mod estate; // what the dashboard asks of the running server
mod live; // happenings, pushed to open pages
mod login; // links, passwords, sessions
mod node; // one node
mod nodes; // the list of nodes
mod overview; // how everything is
mod report; // one run

pub use entry::remember_place;
pub use estate::Estate;
pub use metrics_token::MetricsToken;

/// What the pages depend on.
pub struct State {
    store: Store,
    estate: Arc<dyn Estate>,
    census: census::Census,
    /// How far apart agents poll.
    interval: Duration,
    attempts: attempts::Attempts,
    strangers: entry::Strangers,
    /// What this server is called; any name where it is empty.
    names: Vec<String>,
    readiness: readiness::Readiness,
    metrics_token: Option<MetricsToken>,
    /// Pages are drawn by as many threads as the machine has for it: one more would only slow all.
    drawing: Arc<Semaphore>,
    hashing: password::Hashing,
    listening: live::Listening,
    reading: reading::Reading,
}

impl State {
    /// Pages over `store`, for agents that poll `interval` apart.
    pub fn new(store: Store, estate: Arc<dyn Estate>, interval: Duration) -> Self {
        Self {
            // Whether the server is ready is asked past all pages.
            readiness: readiness::Readiness::of(store.clone(), estate.clone()),
            census: census::Census::of(store.for_pages(), estate.clone(), interval),
            store: store.for_pages(),
            estate,
            interval,
            attempts: attempts::Attempts::default(),
            strangers: entry::Strangers::default(),
            names: Vec::new(),
            metrics_token: None,
            drawing: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))),
            hashing: password::Hashing::default(),
            listening: live::Listening::default(),
            reading: reading::Reading::default(),
        }
    }

    /// The same for a server that can be ready at some times alone.
    #[must_use]
    pub fn by(self, clock: Clock) -> Self {
        Self { readiness: self.readiness.by(clock), ..self }
    }

    /// Does work that goes through many machines or long texts on a thread of its own, so that those that answer, and with
    /// them anyone who asks whether the server is ready, never wait for it.
    ///
    /// # Errors
    /// Where the work fails with an internal error.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, page::Error> {
        let turn = self.drawing.clone().acquire_owned().await.map_err(|_| page::Error::Busy)?;
        // The work goes on where nobody waits for it any more, and so does its turn.
        let span = tracing::Span::current();
        let work = move || {
            let _turn = turn;
            span.in_scope(work)
        };
        web::block(work).await.map_err(|_| page::Error::Unforeseen)
    }

    /// The same with what the audit log says of earlier logins: anyone who came in before a restart is still known.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn recalling(self) -> store::Result<Self> {
        const ENTRIES: u32 = 100_000;
        for (name, address, at) in self.store.logins(ENTRIES).await? {
            if let Ok(address) = address.parse() {
                self.attempts.came_in(address, &name, at);
            }
        }
        Ok(self)
    }

    /// The same for a server whose metrics other machines read by this token.
    #[must_use]
    pub fn monitored_by(self, token: Option<MetricsToken>) -> Self {
        Self { metrics_token: token, ..self }
    }

    /// The same for a server that answers to these names alone.
    #[must_use]
    pub fn called(self, names: Vec<String>) -> Self {
        Self { names, ..self }
    }
}

/// No scripts but our own file, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The routes; the application's data holds a [`State`].
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
            .route("/live", get().to(live::listen))
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
