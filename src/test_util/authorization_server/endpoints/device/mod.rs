//! The device authorization endpoint and the page for its users (RFC 8628 sections 3.1 to 3.3).
//!
//! 1. A user code has 8 consonants, which no word is made of, in two groups (section 6.1). Case, blanks and hyphens do
//!    not count.
//! 2. The page shows the client and the code, so that the user can compare (section 5.4), and decides once.
//! 3. The form counts with the cookie of the page that it came from, as the login form does.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::authorize::page;
use super::authorize::sign_in::{self, Browser};
use crate::test_util::authorization_server::accounts::TestUser;
use crate::test_util::authorization_server::accounts::client::DEVICE_CODE;
use crate::test_util::authorization_server::issue::{granted_resources, granted_scope, may_reach};
use crate::test_util::authorization_server::request::client_authentication::authenticate;
use crate::test_util::authorization_server::request::{Form, OAuthError, json_response};
use crate::test_util::authorization_server::state::{
    Authentication, Device, DeviceDecision, Grant, Server, State as Remembered,
};
use crate::test_util::keys::{random_bytes, random_text, sha256};
use crate::time::UnixTime;

/// How long a device code is good.
const LIFETIME: Duration = Duration::from_secs(600);
/// How long an expired code is known as such.
const MEMORY: Duration = Duration::from_secs(600);
/// RFC 8628 s3.2: the default.
const INTERVAL: Duration = Duration::from_secs(5);

/// RFC 8628 s6.1.
const CONSONANTS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

const CODE_PAGE: &str = include_str!("code.html");
const DECISION_PAGE: &str = include_str!("decide.html");

pub(super) async fn device_authorization(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Response {
    answer(&server, request)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn answer(server: &Server, request: Request) -> Result<Response, OAuthError> {
    let (head, body) = request.into_parts();
    let form = Form::of_body(&head.headers, body).await?;
    let client = authenticate(server, &head, &form).await?;
    if !client.may_use(DEVICE_CODE) {
        return Err(OAuthError::new(
            "unauthorized_client",
            format!("the client may not use `{DEVICE_CODE}`"),
        ));
    }
    let scope = granted_scope(&client, form.get("scope"))?;
    let asked = form.all("resource");
    let resources = granted_resources(|resource| may_reach(&client, resource), asked)?;
    let now = server.now();
    let (device_code, user_code) = (random_text(43), user_code());
    let device = Device {
        user_code: user_code.clone(),
        client: client.shared(),
        scope: scope.into(),
        resources,
        expires_at: now.saturating_add(LIFETIME),
        interval: INTERVAL,
        asked_at: None,
        decision: DeviceDecision::Pending,
    };
    let end = now.saturating_add(LIFETIME).saturating_add(MEMORY);
    let digest = sha256(device_code.as_bytes());
    server.state().devices.insert(digest, device, end, now);
    let page = format!("{}/device", server.url);
    Ok(json_response(
        StatusCode::OK,
        &json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={user_code}"),
            "expires_in": LIFETIME.as_secs(),
            "interval": INTERVAL.as_secs(),
        }),
    ))
}

/// The page: where a code is typed, or what to decide about it.
pub(super) async fn show(State(server): State<Arc<Server>>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let typed = Form::of_query(query).ok();
    let typed = typed.as_ref().and_then(|form| form.get("user_code"));
    let Some(typed) = typed else {
        return code_page("", None);
    };
    let browser = Browser::of(&server, request.headers());
    let now = server.now();
    let cookie = browser.login_cookie();
    let body = {
        let state = server.state();
        let Some(device) = pending(&state, typed, now) else {
            drop(state);
            return code_page(
                typed,
                Some("This code is unknown, expired or was used before."),
            );
        };
        decision_page(
            device,
            &state.users,
            &sign_in::csrf(&server, &cookie, &device.user_code),
        )
    };
    let mut response = page::page(
        StatusCode::OK,
        "Connect a device",
        &body,
        "form-action 'self'",
    );
    sign_in::set_login_cookie(&server, &mut response, &cookie);
    response
}

/// The decision of the user.
pub(super) async fn decide(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let form = match Form::of_body(&head.headers, body).await {
        Ok(form) => form,
        Err(error) => return page::error(error.code, &error.description),
    };
    let browser = Browser::of(&server, &head.headers);
    let typed = form.get("user_code").unwrap_or_default();
    if !browser.sent_form(&server, &head.headers, typed, form.get("csrf")) {
        return page::error(
            "invalid_request",
            "the form is not of this browser, or too old: start again",
        );
    }
    let user = match form.get("deny") {
        Some(_) => None,
        None => match sign_in::chosen_user(&server, form.get("subject"), None) {
            Ok(user) => Some(user),
            Err(problem) => return page::error("invalid_request", &problem),
        },
    };
    let now = server.now();
    let mut state = server.state();
    let devices = state.devices.values_mut();
    let mut waiting = devices.filter(|device| device.is_pending(now));
    let Some(device) = waiting.find(|device| device.user_code == typed) else {
        drop(waiting);
        drop(state);
        return code_page(
            typed,
            Some("This code is unknown, expired or was used before."),
        );
    };
    let said = if user.is_some() {
        "The device is connected"
    } else {
        "The device is refused"
    };
    device.decision = match user {
        Some(user) => DeviceDecision::Granted(Some(Box::new(grant(device, user, now)))),
        None => DeviceDecision::Denied,
    };
    let body = format!("<h1>{said}</h1>\n<p>You can close this page.</p>");
    page::page(StatusCode::OK, said, &body, "form-action 'none'")
}

fn grant(device: &Device, user: Arc<TestUser>, now: UnixTime) -> Grant {
    Grant {
        client: Arc::clone(&device.client),
        user,
        // No session of a browser: the device's tokens outlive it.
        session: None,
        authentication: Authentication {
            time: now,
            acr: None,
        },
        scope: device.scope.clone(),
        resources: device.resources.clone(),
        confirmation: None,
        generation: 0,
        refresh_expires_at: now,
    }
}

/// The device that waits for the decision about this code.
fn pending<'s>(state: &'s Remembered, typed: &str, now: UnixTime) -> Option<&'s Device> {
    let typed = normalized(typed);
    let mut devices = state.devices.iter(now).map(|(_, device)| device);
    devices.find(|device| device.is_pending(now) && normalized(&device.user_code) == typed)
}

/// RFC 8628 s6.1: what is no letter of a code does not count, nor does case.
fn normalized(code: &str) -> String {
    let letters = code.chars().map(|one| one.to_ascii_uppercase());
    letters
        .filter(char::is_ascii_alphanumeric)
        .take(32)
        .collect()
}

fn user_code() -> String {
    let mut code = String::new();
    while code.len() < 9 {
        for byte in random_bytes(16) {
            // Bytes from 240 on would make the first letters more likely.
            let letter = CONSONANTS
                .get(usize::from(byte % 20))
                .filter(|_| byte < 240);
            if code.len() == 4 {
                code.push('-');
            }
            if let Some(letter) = letter.filter(|_| code.len() < 9) {
                code.push(char::from(*letter));
            }
        }
    }
    code
}

fn code_page(typed: &str, problem: Option<&str>) -> Response {
    let alert = problem.map_or_else(String::new, |problem| {
        format!(
            "<p role=\"alert\" id=\"problem\">{}</p>\n",
            page::escaped(problem)
        )
    });
    let body = page::fill(
        CODE_PAGE,
        &[("alert", &alert), ("user_code", &page::escaped(typed))],
    );
    let status = problem.map_or(StatusCode::OK, |_| StatusCode::BAD_REQUEST);
    page::page(status, "Connect a device", &body, "form-action 'self'")
}

fn decision_page(device: &Device, users: &[Arc<TestUser>], csrf: &str) -> String {
    let users: String = users.iter().map(|user| user_button(user)).collect();
    let facts = [
        ("Scope", device.scope.to_string()),
        ("Resource", device.resources.join(" ")),
    ];
    let facts = facts.iter().filter(|(_, value)| !value.is_empty());
    let facts: Vec<String> = facts
        .map(|(name, value)| {
            let value = page::escaped(value);
            format!("<dt>{name}</dt><dd><code>{value}</code></dd>\n")
        })
        .collect();
    page::fill(
        DECISION_PAGE,
        &[
            ("client", &page::escaped(device.client.shown())),
            ("user_code", &device.user_code),
            ("facts", &facts.concat()),
            ("csrf", csrf),
            ("users", &users),
        ],
    )
}

fn user_button(user: &TestUser) -> String {
    let subject = page::escaped(&user.subject);
    let name = page::escaped(user.name.as_deref().unwrap_or(&user.subject));
    let kind = page::escaped(user.kind.as_deref().unwrap_or_default());
    format!(
        "<li><button name=\"subject\" value=\"{subject}\"><strong>{name}</strong> <span>{kind} <code>{subject}</code></span></button></li>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_code_is_two_groups_of_consonants_and_is_read_in_any_case() {
        for _ in 0..100 {
            let code = user_code();
            let (first, second) = code.split_once('-').unwrap();
            assert_eq!((first.len(), second.len()), (4, 4), "{code}");
            assert!(
                [first, second]
                    .concat()
                    .bytes()
                    .all(|one| CONSONANTS.contains(&one))
            );
        }
        assert_eq!(normalized("wdjb-mjht"), normalized(" WDJB MJHT"));
    }
}
