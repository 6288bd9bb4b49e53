//! For monitoring: metrics in the OpenMetrics format, which Prometheus reads, and whether the server is alive and ready.
//!
//! No label takes its value from facts or reports, and none names a tenant. Metrics may be read from this machine
//! itself, with the token, and by users who see everything.

use std::sync::atomic::AtomicU64;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use holdfast_catalog::state::State;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::page::{self, Error};
use super::session;
use super::{DashboardState, ServerView};
use crate::fleet::Member;
use crate::metrics::{Labels, Metrics, process};
use crate::store::Store;
use crate::store::commit::EnvironmentHead;
use crate::store::user::UserScope;

/// The content type of the format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Headers that a proxy adds to the requests that it forwards.
const HANDED_ON: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Shows the metrics.
pub async fn show(request: HttpRequest, state: web::Data<DashboardState>) -> HttpResponse {
    match access(&request, &state).await {
        Ok(Access::Open) => {}
        Ok(Access::WrongToken) => return wrong_token(),
        Ok(Access::Closed) => return page::nothing_here(request).await,
        Err(error) => return unavailable(&error),
    }
    match text(&state, Timestamp::now()).await {
        Ok(text) => HttpResponse::Ok().content_type(OPEN_METRICS).body(text),
        Err(error) => unavailable(&error),
    }
}

/// Whether a caller may read the metrics.
enum Access {
    Open,
    /// The request has a token, but a wrong one.
    WrongToken,
    /// For any other caller the page does not exist.
    Closed,
}

async fn access(request: &HttpRequest, state: &DashboardState) -> Result<Access, Error> {
    if is_of_this_machine(request) {
        return Ok(Access::Open);
    }
    match state.metrics_token.as_ref().and_then(|token| token.is_shown_by(request)) {
        Some(true) => return Ok(Access::Open),
        Some(false) => return Ok(Access::WrongToken),
        None => {}
    }
    let Some(session) = session::session_of(request) else { return Ok(Access::Closed) };
    let user = state.store.session_user(session.hash(), Timestamp::now()).await?;
    let sees_everything = user.is_some_and(|user| user.scope == UserScope::Everything);
    Ok(if sees_everything { Access::Open } else { Access::Closed })
}

/// Whether a program on this machine asks for itself: a proxy on this machine asks for others.
fn is_of_this_machine(request: &HttpRequest) -> bool {
    let from = request.peer_addr();
    from.is_some_and(|address| address.ip().to_canonical().is_loopback())
        && !HANDED_ON.iter().any(|name| request.headers().contains_key(*name))
}

fn wrong_token() -> HttpResponse {
    let words = "this is not the token of `metrics_token_file`\n";
    HttpResponse::Unauthorized()
        .insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"metrics\""))
        .content_type("text/plain; charset=utf-8")
        .body(words)
}

fn unavailable(error: &Error) -> HttpResponse {
    HttpResponse::ServiceUnavailable().content_type("text/plain; charset=utf-8").body(format!("{error}\n"))
}

/// The metrics at a point in time.
///
/// # Errors
/// Returns an error if the store fails.
pub async fn text(state: &DashboardState, now: Timestamp) -> Result<String, Error> {
    let members = state.census.members(&UserScope::Everything).await?;
    let head = state.store.head(state.server_view.environment().to_owned()).await?;
    let (server_view, store) = (state.server_view.clone(), state.store.clone());
    let drawn = move || {
        let mut page = MetricsPage::default();
        page.nodes(&members, now);
        page.commits(head, server_view.as_ref(), now);
        page.store(&store);
        page.process();
        page.text(&server_view.metrics())
    };
    state.apart(drawn).await?.map_err(|_| Error::Unforeseen)
}

/// Metrics that are computed when someone asks.
#[derive(Default)]
struct MetricsPage(Registry);

impl MetricsPage {
    fn gauge(&mut self, name: &str, help: &str, value: i64) {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    fn seconds(&mut self, name: &str, help: &str, value: Option<SignedDuration>) {
        if let Some(value) = value {
            self.gauge(name, help, value.as_secs());
        }
    }

    fn nodes(&mut self, members: &[Member], now: Timestamp) {
        let nodes = Family::<Labels<1>, Gauge>::default();
        for of in State::ALL {
            let count = members.iter().filter(|member| member.state() == of).count();
            nodes.get_or_create(&[("state", of.slug().to_owned())]).set(whole(count));
        }
        self.0.register("holdfast_nodes", "Nodes by state", nodes);
        let in_service = || members.iter().filter(|member| member.is_in_service());
        let silence = |member: &Member| member.seen().map(|at| now.duration_since(at));
        self.seconds(
            "holdfast_node_silence_seconds",
            "Time since the last contact with the node that has been silent the longest",
            in_service().filter_map(silence).max(),
        );
        let left = |member: &Member| member.certificate_until().map(|at| at.duration_since(now));
        self.seconds(
            "holdfast_certificate_expiry_seconds",
            "Time until the first certificate of a node expires",
            in_service().filter_map(left).min(),
        );
    }

    fn commits(&mut self, head: Option<EnvironmentHead>, server_view: &dyn ServerView, now: Timestamp) {
        let is_broken = head.as_ref().is_some_and(|head| head.broken.is_some());
        let help = "Whether the newest commit did not come into force";
        self.gauge("holdfast_commits_broken", help, is_broken.into());
        let help = "Whether the repository cannot be read";
        self.gauge("holdfast_repository_unreadable", help, server_view.unreadable().is_some().into());
        let age = head.and_then(|head| head.in_force).map(|commit| now.duration_since(commit.seen_at));
        self.seconds("holdfast_commit_age_seconds", "Time since the commit in force reached the server", age);
        let looks = server_view.looks();
        if let Some(last) = looks.last {
            let help = "When the repository was last read, or fetched if it is remote";
            self.gauge("holdfast_repository_read_timestamp_seconds", help, last.as_second());
        }
        let family = Family::<Labels<1>, Counter>::default();
        for (outcome, count) in [("read", looks.read), ("failed", looks.failed)] {
            family.get_or_create(&[("outcome", outcome.to_owned())]).inc_by(count);
        }
        self.0.register("holdfast_repository_looks", "Reads of the repository, by result", family);
    }

    fn store(&mut self, store: &Store) {
        let size = i64::try_from(store.size()).unwrap_or(i64::MAX);
        self.gauge("holdfast_store_size_bytes", "The size of the database, with its log", size);
        let help = "Writes to the database that are waiting";
        self.gauge("holdfast_store_waiting", help, whole(store.waiting()));
    }

    fn process(&mut self) {
        let version = env!("CARGO_PKG_VERSION");
        let build = Info::new([("version", version)]);
        self.0.register("holdfast_build", "The running program", build);
        let Some(now) = process::now() else { return };
        let cpu: Counter<f64, AtomicU64> = Counter::default();
        cpu.inc_by(now.cpu_seconds);
        self.0.register("process_cpu_seconds", "User and system time", cpu);
        let resident = i64::try_from(now.resident_bytes).unwrap_or(i64::MAX);
        self.gauge("process_resident_memory_bytes", "Resident memory of the process", resident);
        let open = i64::try_from(now.open_files).unwrap_or(i64::MAX);
        self.gauge("process_open_fds", "Open files and connections", open);
        let started: Gauge<f64, AtomicU64> = Gauge::default();
        started.set(now.started);
        self.0.register("process_start_time_seconds", "Start time of the process, since 1970", started);
    }

    fn text(&self, metrics: &Metrics) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        encode_registry(&mut out, &self.0)?;
        encode_registry(&mut out, metrics.registry())?;
        encode_eof(&mut out)?;
        Ok(out)
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Answers that the process is alive.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// Answers whether polls and reports can be served now: with a line for programs, and a page for browsers.
pub async fn ready(request: HttpRequest, state: web::Data<DashboardState>) -> HttpResponse {
    let readiness = state.readiness.look().await;
    if page::is_browsers(&request) {
        return page::readiness(readiness);
    }
    match readiness {
        Ok(()) => HttpResponse::Ok().body("ok\n"),
        Err(reason) => HttpResponse::ServiceUnavailable().body(format!("{reason}\n")),
    }
}
