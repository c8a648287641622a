//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0).
//!
//! 1. A request with an ID token of the session, or one of no session and of the session's user, ends the session at
//!    once (section 2). Without one the user is asked first, so that no other site can sign a browser out.
//! 2. The browser goes back to a URI that the client has registered, and to no other (section 3). A request with a
//!    URI that cannot be used ends nothing.
//! 3. The clients of the session get logout tokens before the browser goes on.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use super::authorize::page::{self, escaped};
use super::authorize::{end_cookie, session_cookie};
use crate::test_util::authorization_server::accounts::redirect_uri::{matches, origin};
use crate::test_util::authorization_server::logout_tokens::end_session;
use crate::test_util::authorization_server::request::Form;
use crate::test_util::authorization_server::state::Server;
use crate::test_util::keys::hmac_sha256;

pub(super) async fn logout(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let form = if head.method == Method::POST {
        Form::of_body(&head.headers, body).await
    } else {
        Form::of_query(head.uri.query().unwrap_or_default())
    };
    let form = match form {
        Ok(form) => form,
        Err(error) => return page::error(error.code, &error.description),
    };
    let asked = match LogoutRequest::read(&server, &form).await {
        Ok(asked) => asked,
        Err(problem) => return page::error("invalid_request", &problem),
    };
    let of_browser = session_cookie(&server, &head.headers);
    let hinted = asked.hinted.as_ref();
    let of_hint = hinted.and_then(|hinted| hinted.session.clone());
    let sid = match (of_hint, &of_browser) {
        (Some(sid), _) => Some(sid),
        // An ID token of no session, such as that of a device, speaks for its user.
        (None, Some(sid)) if hinted.is_some_and(|hinted| hinted.is_about(&server, sid)) => {
            of_browser.clone()
        }
        (None, Some(sid)) => {
            let is_confirmed = head.method == Method::POST
                && form
                    .get("csrf")
                    .is_some_and(|sent| sent == csrf(&server, sid));
            if !is_confirmed {
                let client = hinted.map(|hinted| &*hinted.client);
                return question(&server, sid, &form, client);
            }
            of_browser.clone()
        }
        (None, None) => None,
    };
    if let Some(sid) = &sid {
        end_session(&server, sid).await;
    }
    let mut response = asked.leave();
    if of_browser.is_some() && of_browser == sid {
        end_cookie(&server, &mut response);
    }
    response
}

/// The claims of an ID token that count here.
struct Hinted {
    client: String,
    session: Option<String>,
    subject: Option<String>,
}

impl Hinted {
    /// Section 2: an ID token of this server, expired or not.
    fn read(server: &Server, token: &str) -> Option<Self> {
        let claims = server.issuer.id_token_claims(token)?;
        let text = |name: &str| {
            claims
                .get(name)
                .and_then(Value::as_str)
                .map(ToOwned::to_owned)
        };
        Some(Self {
            client: text("aud")?,
            session: text("sid"),
            subject: text("sub"),
        })
    }
}

impl Hinted {
    /// Whether its user is that of the session.
    fn is_about(&self, server: &Server, sid: &str) -> bool {
        let now = server.now();
        let state = server.state();
        let session = state.sessions.get(sid, now);
        session.is_some_and(|session| self.subject.as_deref() == Some(&*session.user.subject))
    }
}

/// A request that can be answered.
struct LogoutRequest {
    hinted: Option<Hinted>,
    /// Where the browser goes, with `state`.
    back: Option<String>,
}

impl LogoutRequest {
    /// The error is a sentence.
    async fn read(server: &Server, form: &Form) -> Result<Self, String> {
        let hinted = match form.get("id_token_hint") {
            None => None,
            Some(token) => Some(
                Hinted::read(server, token)
                    .ok_or("`id_token_hint` is no ID token of this server")?,
            ),
        };
        let named = form.get("client_id");
        let of_hint = hinted.as_ref().map(|hinted| &*hinted.client);
        // Section 2: both name the same client.
        if let (Some(named), Some(of_hint)) = (named, of_hint) {
            if named != of_hint {
                return Err("`id_token_hint` was issued to another client than `client_id`".into());
            }
        }
        let Some(uri) = form.get("post_logout_redirect_uri") else {
            return Ok(Self { hinted, back: None });
        };
        let id = named.or(of_hint);
        let id = id.ok_or("`post_logout_redirect_uri` needs `id_token_hint` or `client_id`")?;
        let client = server.client(id).await.ok_or("the client is unknown")?;
        let registered = client.post_logout_redirect_uris.iter();
        // Section 3: compared as text.
        if !registered.into_iter().any(|one| matches(one, uri)) {
            return Err("`post_logout_redirect_uri` is not registered for the client".into());
        }
        let mut back = uri.to_owned();
        if let Some(state) = form.get("state") {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("state", state);
            back.push(if uri.contains('?') { '&' } else { '?' });
            back.push_str(&query.finish());
        }
        let back = Some(back);
        Ok(Self { hinted, back })
    }

    fn leave(&self) -> Response {
        let Some(back) = &self.back else {
            let body = "<h1>You are signed out</h1>\n<p>This window can be closed.</p>";
            return page::page(StatusCode::OK, "Signed out", body, "form-action 'none'");
        };
        let Ok(back) = HeaderValue::try_from(back) else {
            return page::error("invalid_request", "the URI cannot stand in a header field");
        };
        let fields = [
            (LOCATION, back),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        (StatusCode::SEE_OTHER, fields).into_response()
    }
}

/// Asks the user, with the parameters of the request in the form.
fn question(server: &Server, sid: &str, form: &Form, client: Option<&str>) -> Response {
    let now = server.now();
    let name = {
        let state = server.state();
        let user = state
            .sessions
            .get(sid, now)
            .map(|session| Arc::clone(&session.user));
        user.map(|user| user.name.clone().unwrap_or_else(|| user.subject.clone()))
    };
    let mut fields = Map::new();
    for parameter in ["client_id", "post_logout_redirect_uri", "state"] {
        let of_hint = client.filter(|_| parameter == "client_id");
        if let Some(value) = form.get(parameter).or(of_hint) {
            fields.insert(parameter.to_owned(), value.into());
        }
    }
    fields.insert("csrf".to_owned(), csrf(server, sid).into());
    let mut body = format!(
        "<h1>Sign out?</h1>\n<p>{}</p>\n<form method=\"post\" action=\"/logout\">\n",
        escaped(&name.unwrap_or_default())
    );
    for (name, value) in &fields {
        let value = escaped(value.as_str().unwrap_or_default());
        let field = format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">\n");
        body.push_str(&field);
    }
    body.push_str("<button autofocus>Sign out</button>\n</form>");
    let back = form.get("post_logout_redirect_uri").unwrap_or_default();
    let targets = page::form_targets(origin(back).unwrap_or_default());
    let policy = format!("form-action {targets}");
    page::page(StatusCode::OK, "Sign out", &body, &policy)
}

/// What the form carries: a MAC of the session.
fn csrf(server: &Server, sid: &str) -> String {
    let text = format!("logout form\n{sid}");
    URL_SAFE_NO_PAD.encode(hmac_sha256(&server.secret, text.as_bytes()))
}
