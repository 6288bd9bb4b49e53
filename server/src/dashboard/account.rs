//! The page of one's own account: the name, the scope and the password.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::login;
use super::page::{Error, PageFormat, Tab, View, sentence};
use super::page_request::PageRequest;
use super::password::{self, QueuePlace};
use super::session::{LoginMethod, SetCookie};

/// The page of the account.
#[derive(Debug, Serialize, Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    name: String,
    scope: String,
    has_password: bool,
    asks_for_current: bool,
    shortest: usize,
    /// The result of the form.
    #[serde(skip)]
    said: Option<FormOutcome>,
}

/// The result of the form.
#[derive(Debug)]
enum FormOutcome {
    /// The password was set.
    Set,
    /// The password was not set, for this reason.
    Wrong(String),
}

impl View for AccountPage {
    fn title(&self) -> String {
        "Account".to_owned()
    }
    fn tab(&self) -> Tab {
        Tab::Account
    }
}

fn view(asked: &PageRequest) -> AccountPage {
    AccountPage {
        name: asked.user.name.clone(),
        scope: asked.user.scope.to_string(),
        has_password: asked.user.password.is_some(),
        asks_for_current: asks_for_current(asked),
        shortest: password::MIN_LENGTH,
        said: None,
    }
}

/// Whether the form asks for the current password. A user who logged in by a link may have forgotten it: that is what
/// links are for.
fn asks_for_current(asked: &PageRequest) -> bool {
    asked.user.password.is_some() && asked.session.came_by() == LoginMethod::Password
}

/// Where a successful form leads.
const SET: &str = "/account?set";

/// Shows the account page.
pub async fn show(request: HttpRequest, asked: PageRequest) -> HttpResponse {
    let is_set = request.query_string() == "set" && asked.user.password.is_some();
    let account = AccountPage { said: is_set.then_some(FormOutcome::Set), ..view(&asked) };
    asked.answer(Ok(account)).await
}

/// The fields of the form.
#[derive(Deserialize)]
pub struct NewPassword {
    #[serde(default)]
    current: String,
    new: String,
    again: String,
}

/// Sets the password. All sessions of the user end, and this browser gets a new one.
pub async fn set_password(
    request: HttpRequest,
    asked: PageRequest,
    form: web::Form<NewPassword>,
) -> HttpResponse {
    match change(&request, &asked, form.into_inner()).await {
        Ok(cookie) => login::see_other(SET, cookie),
        // An error that the user can correct is shown beside the form.
        Err(Error::Wrong(why)) if asked.format == PageFormat::Html => {
            let account = AccountPage { said: Some(FormOutcome::Wrong(sentence(&why))), ..view(&asked) };
            let mut response = asked.answer(Ok(account)).await;
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
        Err(error) => asked.answer(Err::<AccountPage, _>(error)).await,
    }
}

async fn change(request: &HttpRequest, asked: &PageRequest, form: NewPassword) -> Result<SetCookie, Error> {
    login::from_our_page(request)?;
    let (state, user) = (&asked.state, &asked.user);
    let [current, new, again] = [form.current, form.new, form.again].map(Zeroizing::new);
    if new != again {
        return Err(Error::Wrong("the new password and its repetition differ".to_owned()));
    }
    if new.chars().count() < password::MIN_LENGTH {
        return Err(Error::Wrong(format!("a password needs at least {} characters", password::MIN_LENGTH)));
    }
    if new.len() > password::MAX_LENGTH {
        return Err(Error::Wrong(format!("a password can have at most {} bytes", password::MAX_LENGTH)));
    }
    if asks_for_current(asked) {
        login::count_attempt(request, state, &user.name)?;
        if !state.hashing.fits(QueuePlace::KNOWN, current, user.password.clone()).await? {
            return Err(Error::Wrong("the current password is wrong".to_owned()));
        }
    }
    let hash = state.hashing.hash(new).await?;
    let entry = crate::store::audit::NewAuditEntry::new(asked.now, &user.name, "password-set", &user.name);
    state.store.set_password(user.id, hash, entry).await?;
    login::new_session(request, state, user, LoginMethod::Password).await
}
