//! Who asks, when, and for which format. A page that takes an [`Asked`] cannot forget to check the login.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError as _, web};
use jiff::Timestamp;

use super::State;
use super::page::{self, Error, Format, Problem, View};
use super::session::{self, SessionToken};
use crate::network::door;
use crate::request;
use crate::store::commit::Head;
use crate::store::node::{NodeRow, Place};
use crate::store::user::UserRow;

/// A request of a user who is logged in.
#[derive(Clone)]
pub struct Asked {
    /// What pages are made from.
    pub state: web::Data<State>,
    pub user: UserRow,
    pub session: SessionToken,
    pub now: Timestamp,
    pub format: Format,
    wanted: String,
}

impl Asked {
    async fn read(request: HttpRequest) -> Result<Self, Problem> {
        let format = Format::of(&request);
        let wanted = request.uri().to_string();
        let problem = |error: Error| Problem { error, format, wanted: wanted.clone(), user: None };
        let state =
            request.app_data::<web::Data<State>>().cloned().ok_or_else(|| problem(Error::Unforeseen))?;
        let session = session::session_of(&request).ok_or_else(|| problem(Error::LoggedOut))?;
        let now = Timestamp::now();
        let user = state.store.session_user(session.hash(), now).await;
        let user = user.map_err(|error| problem(error.into()))?.ok_or_else(|| problem(Error::LoggedOut))?;
        request::is_of_user(&user.name);
        if let Some(place) = request.conn_data::<Arc<door::Place>>() {
            place.belongs_to(user.id);
        }
        // A page that renews itself does not show that a person is present.
        if !request.headers().contains_key("x-holdfast-renewal") {
            let extended =
                state.store.extend_session(session.hash(), now, session::IDLE, session::MOST).await;
            // With a full disk, pages are needed most.
            if let Err(error) = extended {
                tracing::error!(%error, "cannot record that a session continues");
            }
        }
        Ok(Self { state, user, session, now, format, wanted })
    }

    /// Whether the caller may see what belongs to this place.
    pub fn sees(&self, place: &Place) -> bool {
        self.user.scope.covers(place)
    }

    /// The node, if there is one and the caller may see it.
    ///
    /// # Errors
    /// Returns the same error if there is no node and if the caller may not see it.
    pub fn theirs(&self, node: Option<NodeRow>) -> Result<NodeRow, Error> {
        node.filter(|node| self.sees(&node.place)).ok_or(Error::NotFound)
    }

    /// The state of the followed environment; `None` if no commit of it has arrived.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn head(&self) -> Result<Option<Head>, Error> {
        Ok(self.state.store.head(self.state.estate.environment().to_owned()).await?)
    }

    /// Whether the caller may see everything, and so also what operators wrote for everyone.
    pub fn sees_everything(&self) -> bool {
        self.user.scope == crate::store::user::Scope::Everything
    }

    /// The answer: the rendered view, or the error.
    pub async fn answer(self, view: Result<impl View + Send + 'static, Error>) -> HttpResponse {
        let (format, user) = (self.format, Box::new(self.user));
        let known = user.clone();
        let drawn = match view {
            Ok(view) => self.state.apart(move || page::draw(&view, format, &user)).await,
            Err(error) => Err(error),
        };
        match drawn {
            Ok(text) => page::of_format(format, text),
            Err(error) => {
                // The answer for what does not exist is the same for everyone, even at addresses without a page.
                let user = (!matches!(error, Error::NotFound)).then_some(known);
                Problem { error, format, wanted: self.wanted, user }.error_response()
            }
        }
    }
}

impl FromRequest for Asked {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(Self::read(request.clone()))
    }
}
