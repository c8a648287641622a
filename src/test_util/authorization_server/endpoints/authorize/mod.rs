//! The authorization endpoint and its login page (RFC 6749 section 3.1, OpenID Connect Core section 3.1.2).
//!
//! 1. A browser that is signed in gets its code at once, unless the request asks for a new sign-in.
//! 2. The login form counts with the cookie of the page that it came from, and from this origin alone, so that no
//!    other site can sign a browser in (RFC 9700 section 4.7).
//! 3. Cookies are named after the port: browsers do not keep the cookies of ports apart.

// In the order in which they may name each other.
mod request;
pub(super) mod page;
mod response;
pub(super) mod sign_in;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::Method;

use self::page::LoginPage;
use self::request::{AuthorizationRequest, Refused};
use self::sign_in::Browser;
use crate::test_util::authorization_server::accounts::redirect_uri::origin;
use crate::test_util::authorization_server::request::{Form, OAuthError};
use crate::test_util::authorization_server::state::Server;

pub(in crate::test_util) use self::sign_in::{end_cookie, session_cookie};

pub(super) async fn authorize(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let query = if head.method == Method::POST {
        match Form::of_body(&head.headers, body).await {
            Ok(form) => form.to_query(),
            Err(error) => return page::error(error.code, &error.description),
        }
    } else {
        head.uri.query().unwrap_or_default().to_owned()
    };
    let request = match AuthorizationRequest::read(&server, &query).await {
        Ok(request) => request,
        Err(refused) => return refusal(&server, refused),
    };
    let browser = Browser::of(&server, &head.headers);
    match browser.session_for(&server, &request) {
        Some(sid) => {
            let (to, parameters) = response::grant(&server, request, &sid);
            response::send(&server, to, parameters)
        }
        None if request.prompt.iter().any(|one| one == "none") => {
            let error = OAuthError::new("login_required", "the user is not signed in");
            response::send(&server, request.reply_to, response::parameters_of(&error))
        }
        None => login_page(&server, &request, &query, &browser, None),
    }
}

/// The login form.
pub(super) async fn login(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let form = match Form::of_body(&head.headers, body).await {
        Ok(form) => form,
        Err(error) => return page::error(error.code, &error.description),
    };
    let query = form.get("authorization_request").unwrap_or_default();
    let browser = Browser::of(&server, &head.headers);
    if !browser.sent_form(&server, &head.headers, query, form.get("csrf")) {
        return page::error(
            "invalid_request",
            "the form is not of this browser, or too old: start again",
        );
    }
    let request = match AuthorizationRequest::read(&server, query).await {
        Ok(request) => request,
        Err(refused) => return refusal(&server, refused),
    };
    if form.get("cancel").is_some() {
        // RFC 6749 s4.1.2.1.
        let error = OAuthError::new("access_denied", "the user cancelled the sign-in");
        return response::send(&server, request.reply_to, response::parameters_of(&error));
    }
    let typed = form.get("typed").and(form.get("claims"));
    let user = match sign_in::chosen_user(&server, form.get("subject"), typed) {
        Ok(user) => user,
        Err(problem) => {
            let typed = Some((typed.unwrap_or_default(), problem));
            return login_page(&server, &request, query, &browser, typed);
        }
    };
    let sid = browser.sign_in(&server, user, &request.acr_values);
    let (to, parameters) = response::grant(&server, request, &sid);
    let mut response = response::send(&server, to, parameters);
    sign_in::set_session_cookie(&server, &mut response, &sid);
    response
}

/// The redirect that a browser gets when this user signs in; the error is a sentence.
pub(in crate::test_util) async fn sign_in_as(
    server: &Server,
    query: &str,
    subject: &str,
) -> Result<String, String> {
    let request = match AuthorizationRequest::read(server, query).await {
        Ok(request) => request,
        Err(Refused::Page(_, problem)) => return Err(problem),
        Err(Refused::Client(to, error)) => {
            return Ok(response::url(server, to, response::parameters_of(&error)));
        }
    };
    let user = sign_in::chosen_user(server, Some(subject), None)?;
    let sid = Browser::default().sign_in(server, user, &request.acr_values);
    let (to, parameters) = response::grant(server, request, &sid);
    Ok(response::url(server, to, parameters))
}

fn refusal(server: &Server, refused: Refused) -> Response {
    match refused {
        Refused::Page(code, problem) => page::error(code, &problem),
        Refused::Client(to, error) => response::send(server, to, response::parameters_of(&error)),
    }
}

fn login_page(
    server: &Server,
    request: &AuthorizationRequest,
    query: &str,
    browser: &Browser,
    typed: Option<(&str, String)>,
) -> Response {
    let users = server.state().users.clone();
    let mut users: Vec<_> = users
        .iter()
        .map(|user| {
            let name = user.name.as_deref().unwrap_or(&user.subject).to_owned();
            let kind = user.kind.clone().unwrap_or_default();
            (user.subject.clone(), name, kind)
        })
        .collect();
    // The suggested user first (OpenID Connect Core s3.1.2.1), the others in their order.
    if let Some(hint) = &request.login_hint {
        users.sort_by_key(|(subject, ..)| subject != hint);
    }
    let cookie = browser.login_cookie();
    let mut response = LoginPage {
        client: request.client.shown(),
        scope: &request.scope,
        resources: &request.resources,
        acr_values: &request.acr_values,
        users,
        query,
        csrf: sign_in::csrf(server, &cookie, query),
        typed,
        origin: origin(&request.reply_to.redirect_uri).unwrap_or_default(),
    }
    .respond();
    sign_in::set_login_cookie(server, &mut response, &cookie);
    response.into_response()
}
