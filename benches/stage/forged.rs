//! Unsigned tokens of 16 KiB: what their sender can make the server do before it looks at the
//! signature. They have expired, so it never does. Goals are told beside the token that is one long text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use portcullis::test_util::MockIssuer;
use tower::Layer as _;

use super::tokens::{server, values};
use super::{Goal, Row, Scene, built, call, handler, with};

/// The most bytes of a token, by default.
const MOST_BYTES: usize = 16 * 1024;

/// Most nanoseconds for any of them.
const MOST_NANOS: f64 = 30_000.0;

pub(crate) fn scene() -> Scene {
    let issuer = MockIssuer::new();
    let row = |name, fill: &dyn Fn(usize) -> String| refused(name, &issuer, fill);
    Scene {
        name: "forged 16 KiB".to_owned(),
        rows: vec![
            row("one text", &|_| "x".repeat(9)),
            row("members", &|n| format!("\",\"{n:x}\":0,\"z{n:x}\":\"")),
            row("names with escapes", &|n| {
                let first = if n < 120 { "\\u0061" } else { "a" };
                format!("\",\"{first}{n:x}\":0,\"z{n:x}\":\"")
            }),
            row("names alike", &|n| {
                format!("\",\"aaaaaaaa{n:04}bbbbbbbb\":\"")
            }),
            row("objects of 7", &|n| objects(n, 7)),
            row("objects of 33", &|n| objects(n, 33)),
            row("objects of 65", &|n| objects(n, 65)),
            row("objects of 30 alike", &|n| {
                let member = |m: usize| format!("\"aaaaaaaa{m:02}bbbbbbbb\":0");
                let members: Vec<String> = (0..30).map(member).collect();
                format!("\",\"n{n:x}\":{{{}}},\"z{n:x}\":\"", members.join(","))
            }),
            row("empty lists", &|n| listed(n, "[]")),
            row("numbers", &|n| listed(n, "1")),
            row("texts with escapes", &|_| "\\u0061".to_owned()),
            row("deep lists", &|n| {
                let (open, close) = ("[".repeat(60), "]".repeat(60));
                format!("\",\"n{n:x}\":{open}{close},\"z{n:x}\":\"")
            }),
        ],
    }
}

fn objects(number: usize, members: usize) -> String {
    let members: Vec<String> = (0..members).map(|m| format!("\"{m:x}\":0")).collect();
    format!(
        "\",\"n{number:x}\":{{{}}},\"z{number:x}\":\"",
        members.join(",")
    )
}

fn listed(number: usize, element: &str) -> String {
    let list = vec![element; 100].join(",");
    format!("\",\"n{number:x}\":[{list}],\"z{number:x}\":\"")
}

/// A token with as much of what `fill` makes as fits. Each piece of it ends within a text.
fn refused(name: &'static str, issuer: &MockIssuer, fill: &dyn Fn(usize) -> String) -> Row {
    let expired = issuer.token().expired().sign();
    let mut parts = expired.split('.');
    let mut part = || parts.next().expect("three parts");
    let (header, payload, signature) = (part(), part(), part());
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    let payload = String::from_utf8(payload).expect("a text");
    let mut payload = payload.strip_suffix('}').expect("an object").to_owned();
    payload.push_str(",\"fill\":\"");
    let most = (MOST_BYTES - header.len() - signature.len() - 2) / 4 * 3 - 2;
    for number in 0.. {
        let more = fill(number);
        if payload.len() + more.len() > most {
            break;
        }
        payload.push_str(&more);
    }
    payload.push_str("\"}");
    serde_json::from_str::<serde_json::Value>(&payload).expect("JSON");
    let payload = URL_SAFE_NO_PAD.encode(payload);
    let token = format!("{header}.{payload}.{signature}");
    assert!(token.len() <= MOST_BYTES);
    let server = built(server(issuer));
    let mut service = server.authenticate().layer(handler());
    let value = values(&[token])[0].clone();
    let row = Row::new(name, move || {
        call(&mut service, with(&value), StatusCode::UNAUTHORIZED);
    });
    row.over("one text", Goal::Total(MOST_NANOS))
}
