//! A port: TLS and HTTP on connections that its door admitted.
//!
//! actix-web's own server accepts a connection before anything can decide whether there is room for it, so this one is
//! built from its parts.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_server::{Server, ServerHandle};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::App;
use actix_web::dev::{AppConfig, Extensions};
use actix_web::web::{Data, ServiceConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::limiter::ConnectionLimiter;
use super::stream::Stream;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a connection waits for its next request.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How long the head of a request may take to arrive.
const FIRST_REQUEST: Duration = Duration::from_secs(5);

/// How long a client that is still sending has to see the answer.
const FAREWELL: Duration = Duration::from_secs(1);

/// The most connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// HTTP/2. A server cannot end such a connection together with an answer.
pub const HTTP_2: &[u8] = b"h2";

/// HTTP/1.1.
pub const HTTP_1: &[u8] = b"http/1.1";

/// A connection, as its requests see it.
pub type Connection = TlsStream<Stream>;

/// What is served at a port.
pub struct ServedPort<S> {
    pub listener: TcpListener,
    pub tls: rustls::ServerConfig,
    /// The versions of HTTP, the best one first.
    pub protocols: &'static [&'static [u8]],
    pub door: Arc<ConnectionLimiter>,
    /// What the routes need.
    pub state: Data<S>,
    pub routes: fn(&mut ServiceConfig),
    /// Passes information on the connection to its requests.
    pub introduce: fn(&Connection, &mut Extensions),
}

impl<S: Send + Sync + 'static> ServedPort<S> {
    /// Serves requests from now on, with this number of threads. When it is stopped, requests have `shutdown` seconds
    /// to end.
    ///
    /// # Errors
    /// Returns an error if the system refuses.
    pub fn open(self, workers: usize, shutdown: u64) -> io::Result<ServerHandle> {
        let Self { listener, mut tls, protocols, door, state, routes, introduce } = self;
        rustix::net::listen(&listener, BACKLOG)?;
        tls.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        // The door limits the connections; this limit is never reached.
        let builder = Server::build().workers(workers).max_concurrent_connections(usize::MAX / 2);
        let builder = builder.disable_signals().shutdown_timeout(shutdown);
        let stopping = builder.graceful_shutdown_signal();
        let service = move || {
            let (door, acceptor, stopping) = (door.clone(), acceptor.clone(), stopping.clone());
            let stopped = move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            };
            let app = App::new().app_data(state.clone()).configure(routes).into_factory();
            let app = app.map_err(|error: actix_web::Error| error.error_response());
            let http = HttpService::build()
                .keep_alive(KeepAlive::Timeout(KEEP_ALIVE))
                .client_request_timeout(FIRST_REQUEST)
                .client_disconnect_timeout(FAREWELL)
                .graceful_shutdown_signal(stopped)
                .on_connect_ext(introduce)
                .finish(map_config(app, |()| AppConfig::default()));
            fn_service(move |socket: TcpStream| let_in(socket, door.clone(), acceptor.clone())).and_then(http)
        };
        let server = builder.listen("port", listener, service)?.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Ok(handle)
    }
}

async fn let_in(
    socket: TcpStream,
    door: Arc<ConnectionLimiter>,
    acceptor: TlsAcceptor,
) -> Result<(Connection, Protocol, Option<SocketAddr>), DispatchError> {
    let peer = socket.peer_addr()?;
    let slot = door.enter(peer.ip());
    // Otherwise, each new connection waits 40 ms for an acknowledgement.
    socket.set_nodelay(true)?;
    let shaken = tokio::time::timeout(HANDSHAKE, acceptor.accept(Stream::new(socket, slot))).await;
    let connection = shaken.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let protocol = match connection.get_ref().1.alpn_protocol() {
        Some(HTTP_2) => Protocol::Http2,
        _ => Protocol::Http1,
    };
    Ok((connection, protocol, Some(peer)))
}
