//! Happenings, pushed to open pages as server-sent events. They carry no data: a page that hears of one asks again for
//! itself, and so sees what its user may see. Users do not even hear of what happens to others.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::State;
use super::asked::Asked;
use super::login::SessionToken;
use super::page::Error;
use crate::live::Happening;
use crate::store::user::Scope;

/// A sign of life, and when the session is looked at again.
const BEAT: Duration = Duration::from_secs(15);

/// So many pages listen at once: each holds a connection.
const MOST: usize = 1_000;

/// So many of one user's: nobody keeps the others out.
const MOST_OF_ONE: usize = 20;

/// How many open pages of each user listen.
#[derive(Clone, Default)]
pub struct Listening(Arc<Mutex<HashMap<i64, usize>>>);

impl Listening {
    fn seat(&self, user: i64) -> Option<Seat> {
        let mut pages = self.pages();
        let all: usize = pages.values().sum();
        if all >= MOST || pages.get(&user).is_some_and(|own| *own >= MOST_OF_ONE) {
            return None;
        }
        *pages.entry(user).or_default() += 1;
        Some(Seat { listening: self.clone(), user })
    }

    fn pages(&self) -> MutexGuard<'_, HashMap<i64, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One listening page's place, given back with it.
struct Seat {
    listening: Listening,
    user: i64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut pages = self.listening.pages();
        if let Some(own) = pages.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                pages.remove(&self.user);
            }
        }
    }
}

/// What an open page listens to.
struct Listener {
    happenings: broadcast::Receiver<Happening>,
    state: web::Data<State>,
    session: SessionToken,
    scope: Scope,
    /// When it is time for the next beat: however much happens, it is never put off.
    beat: Instant,
    _seat: Seat,
}

impl Listener {
    /// The next message; none when the session is over.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            match tokio::time::timeout_at(self.beat, self.happenings.recv()).await {
                Ok(Ok(happening)) if !concerns(&happening, &self.scope) => {}
                // Whoever was too slow has missed something, and asks again as well.
                Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) => {
                    return Some((Bytes::from_static(b"event: changed\ndata:\n\n"), self));
                }
                Ok(Err(broadcast::error::RecvError::Closed)) => return None,
                Err(_) => {
                    let user = self.state.store.session_user(self.session.hash(), Timestamp::now()).await;
                    let user = user.ok()??;
                    self.scope = user.scope;
                    self.beat = Instant::now() + BEAT;
                    return Some((Bytes::from_static(b": still here\n\n"), self));
                }
            }
        }
    }
}

/// What happens to others' nodes is not even heard.
fn concerns(happening: &Happening, scope: &Scope) -> bool {
    match happening {
        Happening::CommitTaken { .. }
        | Happening::CommitBroken { .. }
        | Happening::RepositoryUnreadable
        | Happening::RepositoryReadable => true,
        Happening::NodeChanged { place, .. }
        | Happening::CatalogChanged { place, .. }
        | Happening::ReportStored { place, .. } => scope.covers(place),
    }
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Listener)>>>>;

/// The body that never ends by itself.
struct Messages(Option<Next>);

impl MessageBody for Messages {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let Some(next) = self.0.as_mut() else { return Poll::Ready(None) };
        match next.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                self.0 = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some((bytes, listener))) => {
                self.0 = Some(Box::pin(listener.next()));
                Poll::Ready(Some(Ok(bytes)))
            }
        }
    }
}

/// The stream of happenings.
pub async fn listen(asked: Asked) -> HttpResponse {
    let Some(seat) = asked.state.listening.seat(asked.user.id) else {
        return asked.answer(Err::<super::overview::Overview, _>(Error::Busy));
    };
    let listener = Listener {
        happenings: asked.state.estate.happenings(),
        state: asked.state.clone(),
        session: asked.session.clone(),
        scope: asked.user.scope.clone(),
        beat: Instant::now() + BEAT,
        _seat: seat,
    };
    // The first line tells the page that it is connected.
    let hello: Next = Box::pin(async { Some((Bytes::from_static(b"retry: 2000\n: hello\n\n"), listener)) });
    HttpResponse::Ok().content_type("text/event-stream").body(Messages(Some(hello)))
}
