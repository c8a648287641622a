//! The pages that the user sees: sign-in, an error, the form post.
//!
//! 1. Text of others is escaped, wherever it stands.
//! 2. A page loads nothing, runs no script and may not be framed; the form post runs one line to send itself.

use std::fmt::Write as _;

use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderValue, StatusCode};

use crate::test_util::keys::random_text;

const LOGIN: &str = include_str!("login.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = "document.forms[0].submit()";

/// What the login page shows.
pub(super) struct LoginPage<'a> {
    pub(super) client: &'a str,
    pub(super) scope: &'a str,
    pub(super) resources: &'a [String],
    pub(super) acr_values: &'a [String],
    /// Subject, name and kind of each user, the suggested one first.
    pub(super) users: Vec<(String, String, String)>,
    /// The authorization request.
    pub(super) query: &'a str,
    pub(super) csrf: String,
    /// What the user typed before, and what is wrong with it.
    pub(super) typed: Option<(&'a str, String)>,
    /// The origin of the redirect URI.
    pub(super) origin: &'a str,
}

impl LoginPage<'_> {
    pub(super) fn respond(&self) -> Response {
        let mut users = String::new();
        for (index, (subject, name, kind)) in self.users.iter().enumerate() {
            let focus = if index == 0 && self.typed.is_none() {
                " autofocus"
            } else {
                ""
            };
            let _ = writeln!(
                users,
                "<li><button name=\"subject\" value=\"{}\"{focus}><strong>{}</strong> <span>{} <code>{}</code></span></button></li>",
                escaped(subject),
                escaped(name),
                escaped(kind),
                escaped(subject)
            );
        }
        let mut facts = String::new();
        for (name, value) in [
            ("Scope", self.scope.to_owned()),
            ("Resource", self.resources.join(" ")),
            ("Authentication class", self.acr_values.join(" ")),
        ] {
            if !value.is_empty() {
                let value = escaped(&value);
                let _ = writeln!(facts, "<dt>{name}</dt><dd><code>{value}</code></dd>");
            }
        }
        let (typed, problem) = match &self.typed {
            Some((typed, problem)) => (*typed, problem.as_str()),
            None => (
                "{\n  \"sub\": \"user-2\",\n  \"roles\": [\"viewer\"]\n}",
                "",
            ),
        };
        let alert = if problem.is_empty() {
            String::new()
        } else {
            format!("<p role=\"alert\" id=\"problem\">{}</p>", escaped(problem))
        };
        let body = fill(
            LOGIN,
            &[
                ("client", &escaped(self.client)),
                ("facts", &facts),
                ("users", &users),
                ("query", &escaped(self.query)),
                ("csrf", &escaped(&self.csrf)),
                ("alert", &alert),
                ("typed", &escaped(typed)),
                ("open", if problem.is_empty() { "" } else { " open" }),
            ],
        );
        let status = if problem.is_empty() {
            StatusCode::OK
        } else {
            StatusCode::BAD_REQUEST
        };
        page(
            status,
            "Sign in",
            &body,
            &format!("form-action {}", form_targets(self.origin)),
        )
    }
}

/// An error that the client must not get.
pub(in crate::test_util) fn error(code: &str, problem: &str) -> Response {
    let body = format!(
        "<h1>This request cannot be answered</h1>\n<p role=\"alert\">{}</p>\n<p><code>{}</code></p>\n\
         <p>The browser is not sent back, since the application could not be made sure of.</p>",
        escaped(problem),
        escaped(code)
    );
    page(
        StatusCode::BAD_REQUEST,
        "Error",
        &body,
        "form-action 'none'",
    )
}

/// A form that sends itself (OAuth 2.0 Form Post Response Mode).
pub(super) fn form_post(
    action: &str,
    origin: &str,
    parameters: &[(&'static str, String)],
) -> Response {
    let nonce = random_text(22);
    let mut fields = String::new();
    for (name, value) in parameters {
        let field = format!(
            "<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n",
            escaped(value)
        );
        fields.push_str(&field);
    }
    let body = format!(
        "<h1>Back to the application</h1>\n<form method=\"post\" action=\"{}\">\n{fields}\
         <button>Continue</button>\n</form>\n<script nonce=\"{nonce}\">{SCRIPT}</script>",
        escaped(action)
    );
    let policy = format!(
        "form-action {}; script-src 'nonce-{nonce}'",
        form_targets(origin)
    );
    page(StatusCode::OK, "Continue", &body, &policy)
}

/// Where a form may lead. Browsers apply it to each redirect that follows, too: an application may send the user on
/// from one port of loopback to another. A policy has no form for an IPv6 address.
pub(in crate::test_util) fn form_targets(origin: &str) -> String {
    let origin = if origin.contains('[') {
        "http:"
    } else {
        origin
    };
    format!("'self' http://localhost:* http://127.0.0.1:* {origin}")
}

/// A page of this server; `policy` is what its Content Security Policy has beside that of all pages.
pub(in crate::test_util) fn page(
    status: StatusCode,
    title: &str,
    body: &str,
    policy: &str,
) -> Response {
    let nonce = random_text(22);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · development authorization server</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style nonce=\"{nonce}\">\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    );
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'; {policy}"
    );
    let Ok(policy) = HeaderValue::try_from(policy) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let fixed = HeaderValue::from_static;
    let fields = [
        (CONTENT_TYPE, fixed("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, policy),
        (X_FRAME_OPTIONS, fixed("DENY")),
        (X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
        (REFERRER_POLICY, fixed("no-referrer")),
        (CACHE_CONTROL, fixed("no-store")),
    ];
    (status, fields, html).into_response()
}

/// The template with each `{{name}}` replaced, in one pass: values are not templates.
pub(in crate::test_util) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        let value = values.iter().find(|(found, _)| *found == name);
        text.push_str(value.map_or("", |(_, value)| value));
        rest = after;
    }
    text + rest
}

/// A text in HTML, in an element or in a quoted attribute.
pub(in crate::test_util) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(one),
        }
    }
    html
}
