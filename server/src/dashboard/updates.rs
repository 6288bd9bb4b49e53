//! Sends happenings to open pages as server-sent events. They carry no data: a page that receives one asks again
//! itself, and so gets what its user may see. Users do not receive events about nodes that they may not see.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;

use super::DashboardState;
use super::page_request::PageRequest;
use super::session::SessionToken;
use crate::control::StateChange;
use crate::store::user::UserScope;

/// The time between two signs of life, at which the session is also checked again.
const BEAT: Duration = Duration::from_secs(15);

/// The most pages that may listen at once; each holds a connection.
const MAX_PAGES: usize = 1_000;

/// The most pages of one user, so that nobody keeps others out.
const MAX_PAGES_OF_ONE: usize = 20;

/// The open pages that listen. A new page is always admitted: if there are too many, the oldest page must leave, of the
/// same user or of the user who has the most. Often that page was closed long ago, which the server notices late.
#[derive(Clone, Default)]
pub struct OpenPages(Arc<Mutex<Seats>>);

#[derive(Default)]
struct Seats {
    /// How many there were in total.
    given: u64,
    /// The pages of each user, oldest first.
    of_user: HashMap<i64, VecDeque<(u64, Arc<Notify>)>>,
}

impl Seats {
    /// The user whose page must leave so that this user gets one more.
    fn crowded(&self, user: i64) -> Option<i64> {
        if self.of_user.get(&user).is_some_and(|own| own.len() >= MAX_PAGES_OF_ONE) {
            return Some(user);
        }
        let all: usize = self.of_user.values().map(VecDeque::len).sum();
        let greediest = || self.of_user.iter().max_by_key(|(_, own)| own.len()).map(|(user, _)| *user);
        if all >= MAX_PAGES { greediest() } else { None }
    }

    fn remove(&mut self, user: i64, gone: impl Fn(usize, u64) -> bool) -> Option<Arc<Notify>> {
        let own = self.of_user.get_mut(&user)?;
        let place = own.iter().enumerate().position(|(place, (number, _))| gone(place, *number))?;
        let (_, leave) = own.remove(place)?;
        if own.is_empty() {
            self.of_user.remove(&user);
        }
        Some(leave)
    }
}

impl OpenPages {
    fn seat(&self, user: i64) -> Seat {
        let mut seats = self.seats();
        let oldest = seats.crowded(user).and_then(|crowded| seats.remove(crowded, |place, _| place == 0));
        if let Some(leave) = oldest {
            leave.notify_one();
        }
        seats.given += 1;
        let (number, leave) = (seats.given, Arc::new(Notify::new()));
        seats.of_user.entry(user).or_default().push_back((number, leave.clone()));
        Seat { listening: self.clone(), user, number, leave }
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a listening page, which is given back when this is dropped.
struct Seat {
    listening: OpenPages,
    user: i64,
    number: u64,
    /// Notified when another page takes the place.
    leave: Arc<Notify>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.listening.seats().remove(self.user, |_, number| number == self.number);
    }
}

/// A page that listens.
struct PageStream {
    state_changes: broadcast::Receiver<StateChange>,
    state: web::Data<DashboardState>,
    session: SessionToken,
    scope: UserScope,
    /// When the next sign of life is due; it is never delayed, however much happens.
    beat: Instant,
    /// `None` once another page took the place.
    seat: Option<Seat>,
}

impl PageStream {
    /// The next message; `None` if the session is over, or another page took the place.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            let seat = self.seat.as_ref()?;
            let heard = tokio::select! {
                () = seat.leave.notified() => {
                    self.seat = None;
                    return Some((Bytes::from_static(b"event: gave-way\ndata:\n\n"), self));
                }
                heard = tokio::time::timeout_at(self.beat, self.state_changes.recv()) => heard,
            };
            match heard {
                Ok(Ok(state_change)) if !concerns(&state_change, &self.scope) => {}
                // A receiver that was too slow has missed something, and must also ask again.
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

/// Whether an event concerns a scope. Events about other nodes are not sent at all.
fn concerns(state_change: &StateChange, scope: &UserScope) -> bool {
    match state_change {
        StateChange::CommitTaken { .. }
        | StateChange::CommitBroken { .. }
        | StateChange::RepositoryUnreadable
        | StateChange::RepositoryReadable => true,
        StateChange::NodeChanged { tenancy, .. }
        | StateChange::CatalogChanged { tenancy, .. }
        | StateChange::ReportStored { tenancy, .. } => scope.covers(tenancy),
    }
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, PageStream)>>>>;

/// A body that never ends by itself.
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

/// Answers with the stream of happenings.
pub async fn listen(asked: PageRequest) -> HttpResponse {
    let listener = PageStream {
        state_changes: asked.state.server_view.state_changes(),
        state: asked.state.clone(),
        session: asked.session.clone(),
        scope: asked.user.scope.clone(),
        beat: Instant::now() + BEAT,
        seat: Some(asked.state.listening.seat(asked.user.id)),
    };
    // The first line shows the page that it is connected.
    let hello: Next = Box::pin(async { Some((Bytes::from_static(b": hello\n\n"), listener)) });
    HttpResponse::Ok().content_type("text/event-stream").body(Messages(Some(hello)))
}
