//! The browser's cookies, the session and the protection of the login form.

use std::sync::Arc;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{COOKIE, ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use super::request::AuthorizationRequest;
use crate::test_util::authorization_server::accounts::TestUser;
use crate::test_util::authorization_server::accounts::redirect_uri::{is_loopback_origin, origin};
use crate::test_util::authorization_server::state::{
    Authentication, SESSION_LIFETIME, Server, Session,
};
use crate::test_util::keys::{hmac_sha256, random_text};

const SESSION: &str = "as_session";
const LOGIN: &str = "as_login";

/// What a browser brings: its cookies.
#[derive(Default)]
pub(in crate::test_util) struct Browser {
    session: Option<String>,
    login: Option<String>,
}

impl Browser {
    pub(in crate::test_util) fn of(server: &Server, headers: &HeaderMap) -> Self {
        Self {
            session: cookie(headers, &named(server, SESSION)),
            login: cookie(headers, &named(server, LOGIN)),
        }
    }

    /// The id of a session that answers the request without the user.
    pub(super) fn session_for(
        &self,
        server: &Server,
        request: &AuthorizationRequest,
    ) -> Option<String> {
        let asks = |one: &String| matches!(&**one, "login" | "select_account");
        if request.prompt.iter().any(asks) {
            return None;
        }
        // RFC 6749 s10.2: not without the user, where a site that is not registered gets the code.
        if server.is_of_document(&request.client.id)
            && !is_loopback_origin(&request.reply_to.redirect_uri)
        {
            return None;
        }
        let sid = self.session.as_deref()?;
        let now = server.now();
        let state = server.state();
        let session = state.sessions.get(sid, now)?;
        let known = &session.authentication;
        // OpenID Connect Core s3.1.2.1: the answer is about the user of the hint, or there is none.
        let hint = &request.id_token_hint;
        let same_user = hint
            .as_ref()
            .is_none_or(|hint| *hint == session.user.subject);
        // OpenID Connect Core s3.1.2.1: `max_age` counts from the last sign-in of the user.
        let age =
            u64::try_from(now.as_secs().saturating_sub(known.time.as_secs())).unwrap_or_default();
        let young = request
            .max_age
            .is_none_or(|most| age < most || (age == most && most > 0));
        let wanted = &request.acr_values;
        let fits = wanted.is_empty() || wanted.iter().any(|acr| known.acr.as_deref() == Some(acr));
        (young && fits && same_user).then(|| sid.to_owned())
    }

    /// Begins a session, in place of the one of this browser; a session of the same user goes on. It reaches the
    /// best class that was asked for.
    pub(super) fn sign_in(
        &self,
        server: &Server,
        user: Arc<TestUser>,
        acr_values: &[String],
    ) -> String {
        let now = server.now();
        let authentication = Authentication {
            time: now,
            acr: acr_values.first().map(|acr| acr.as_str().into()),
        };
        let end = now.saturating_add(SESSION_LIFETIME);
        let mut state = server.state();
        if let Some(before) = &self.session {
            match state.sessions.get_mut(before.as_str(), now) {
                Some(session) if session.user.subject == user.subject => {
                    *session = Session {
                        user,
                        authentication,
                        clients: std::mem::take(&mut session.clients),
                    };
                    state.sessions.extend(before.as_str(), end);
                    return before.clone();
                }
                _ => drop(state.sessions.remove(before.as_str())),
            }
        }
        let sid = random_text(32);
        let session = Session {
            user,
            authentication,
            clients: Vec::new(),
        };
        state
            .sessions
            .insert(sid.as_str().into(), session, end, now);
        sid
    }

    /// The value of the cookie that goes with the login form.
    pub(in crate::test_util) fn login_cookie(&self) -> String {
        self.login.clone().unwrap_or_else(|| random_text(32))
    }

    /// Whether this browser got the form from here.
    pub(in crate::test_util) fn sent_form(
        &self,
        server: &Server,
        headers: &HeaderMap,
        query: &str,
        sent: Option<&str>,
    ) -> bool {
        let from_here = headers.get(ORIGIN).is_none_or(|sent| {
            // A page with `no-referrer` sends `null` in some browsers (Fetch standard, section 3.2).
            sent == "null" || origin(&server.url).is_some_and(|own| sent == own)
        });
        let expected = self
            .login
            .as_ref()
            .map(|cookie| csrf(server, cookie, query));
        from_here && expected.is_some() && expected.as_deref() == sent
    }
}

/// What the login form carries: a MAC of the cookie and the request.
pub(in crate::test_util) fn csrf(server: &Server, cookie: &str, query: &str) -> String {
    let text = format!("login form\n{cookie}\n{query}");
    URL_SAFE_NO_PAD.encode(hmac_sha256(&server.secret, text.as_bytes()))
}

/// The user that was picked or typed; the error is a sentence.
pub(in crate::test_util) fn chosen_user(
    server: &Server,
    subject: Option<&str>,
    typed: Option<&str>,
) -> Result<Arc<TestUser>, String> {
    if let Some(typed) = typed {
        let claims: Map<String, Value> = serde_json::from_str(typed)
            .map_err(|error| format!("this is no JSON object: {error}"))?;
        return TestUser::from_claims(claims).map(Arc::new);
    }
    let subject = subject.ok_or("pick a user, or type claims")?;
    server
        .user(subject)
        .ok_or_else(|| "there is no such user".into())
}

pub(super) fn set_session_cookie(server: &Server, response: &mut Response, sid: &str) {
    set_cookie(server, response, &named(server, SESSION), sid, "");
}

pub(in crate::test_util) fn set_login_cookie(
    server: &Server,
    response: &mut Response,
    value: &str,
) {
    set_cookie(server, response, &named(server, LOGIN), value, "");
}

/// The id of the browser's session.
pub(in crate::test_util) fn session_cookie(server: &Server, headers: &HeaderMap) -> Option<String> {
    cookie(headers, &named(server, SESSION))
}

/// Takes the session's cookie away.
pub(in crate::test_util) fn end_cookie(server: &Server, response: &mut Response) {
    let name = named(server, SESSION);
    set_cookie(server, response, &name, "", "; Max-Age=0");
}

fn set_cookie(server: &Server, response: &mut Response, name: &str, value: &str, more: &str) {
    let secure = if server.url.starts_with("https:") {
        "; Secure"
    } else {
        ""
    };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}");
    if let Ok(value) = HeaderValue::try_from(text) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// The name of a cookie of this server.
fn named(server: &Server, name: &str) -> String {
    let port = server.url.rsplit(':').next().unwrap_or_default();
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        format!("{name}_{port}")
    } else {
        name.to_owned()
    }
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = all
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(found, _)| found.trim() == name);
    found
        .map(|(_, value)| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}
