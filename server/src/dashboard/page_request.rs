//! Who asks, when, and for which format. A page that takes a [`PageRequest`] cannot forget to check the login.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError as _, web};
use jiff::Timestamp;

use super::DashboardState;
use super::page::{self, Error, FormattedError, PageFormat, View};
use super::session::{self, SessionToken};
use crate::network::limiter;
use crate::request;
use crate::store::commit::EnvironmentHead;
use crate::store::node::{NodeRow, Tenancy};
use crate::store::user::UserRow;

/// A request of a user who is logged in.
#[derive(Clone)]
pub struct PageRequest {
    /// What pages are made from.
    pub state: web::Data<DashboardState>,
    pub user: UserRow,
    pub session: SessionToken,
    pub now: Timestamp,
    pub format: PageFormat,
    wanted: String,
}

impl PageRequest {
    async fn read(request: HttpRequest) -> Result<Self, FormattedError> {
        let format = PageFormat::of(&request);
        let wanted = request.uri().to_string();
        let problem = |error: Error| FormattedError { error, format, wanted: wanted.clone(), user: None };
        let state = request
            .app_data::<web::Data<DashboardState>>()
            .cloned()
            .ok_or_else(|| problem(Error::Unforeseen))?;
        let session = session::session_of(&request).ok_or_else(|| problem(Error::LoggedOut))?;
        let now = Timestamp::now();
        let user = state.store.session_user(session.hash(), now).await;
        let user = user.map_err(|error| problem(error.into()))?.ok_or_else(|| problem(Error::LoggedOut))?;
        request::is_of_user(&user.name);
        if let Some(slot) = request.conn_data::<Arc<limiter::ConnectionSlot>>() {
            slot.belongs_to(user.id);
        }
        // A page that renews itself does not show that a person is present.
        if !request.headers().contains_key("x-holdfast-renewal") {
            let extended =
                state.store.extend_session(session.hash(), now, session::IDLE, session::LIFETIME).await;
            // With a full disk, pages are needed most.
            if let Err(error) = extended {
                tracing::error!(%error, "cannot record that a session continues");
            }
        }
        Ok(Self { state, user, session, now, format, wanted })
    }

    /// Whether the caller may see what belongs to this place.
    pub fn sees(&self, tenancy: &Tenancy) -> bool {
        self.user.scope.covers(tenancy)
    }

    /// The node, if there is one and the caller may see it.
    ///
    /// # Errors
    /// Returns the same error if there is no node and if the caller may not see it.
    pub fn theirs(&self, node: Option<NodeRow>) -> Result<NodeRow, Error> {
        node.filter(|node| self.sees(&node.tenancy)).ok_or(Error::NotFound)
    }

    /// The state of the followed environment; `None` if no commit of it has arrived.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn head(&self) -> Result<Option<EnvironmentHead>, Error> {
        Ok(self.state.store.head(self.state.server_view.environment().to_owned()).await?)
    }

    /// Whether the caller may see everything, and so also what operators wrote for everyone.
    pub fn sees_everything(&self) -> bool {
        self.user.scope == crate::store::user::UserScope::Everything
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
                FormattedError { error, format, wanted: self.wanted, user }.error_response()
            }
        }
    }
}

impl FromRequest for PageRequest {
    type Error = FormattedError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, FormattedError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(Self::read(request.clone()))
    }
}
