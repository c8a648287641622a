//! Unsigned tokens of 16 KiB: what their sender can make the server do before it looks at the
//! signature. They have expired, so it never does. Goals are told beside the token that is one long text.
//!
//! Names stay just below their bound: a token that has more is refused where the bound is passed.

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
            row("members", &|n| first(n, 300, &pair(n, "0"))),
            row("members, then numbers", &|n| {
                if n < 240 {
                    pair(n, "0")
                } else {
                    listed(n, "1")
                }
            }),
            row("names with escapes", &|n| {
                let letter = if n < 120 { "\\u0061" } else { "a" };
                first(n, 300, &format!("\",\"{letter}{n:x}\":0,\"z{n:x}\":\""))
            }),
            row("names alike", &|n| {
                first(n, 600, &format!("\",\"aaaaaaaa{n:04}bbbbbbbb\":\""))
            }),
            row("objects of 7", &|n| first(n, 66, &objects(n, 7))),
            row("objects of 33", &|n| first(n, 17, &objects(n, 33))),
            row("objects of 65", &|n| first(n, 9, &objects(n, 65))),
            row("objects of 30 alike", &|n| {
                let member = |m: usize| format!("\"aaaaaaaa{m:02}bbbbbbbb\":0");
                let members: Vec<String> = (0..30).map(member).collect();
                first(n, 18, &pair(n, &format!("{{{}}}", members.join(","))))
            }),
            row("empty lists", &|n| first(n, 6, &listed(n, "[]"))),
            row("numbers", &|n| listed(n, "1")),
            row("short texts", &|n| listed(n, "\"\"")),
            row("texts with escapes", &|_| "\\u0061".to_owned()),
            row("deep lists", &|n| {
                let (open, close) = ("[".repeat(60), "]".repeat(60));
                first(n, 10, &pair(n, &format!("{open}{close}")))
            }),
        ],
    }
}

/// The piece in the first so many places, and the letter of a text in those behind.
fn first(number: usize, places: usize, piece: &str) -> String {
    if number < places {
        piece.to_owned()
    } else {
        "x".to_owned()
    }
}

/// Two members: one with this value, and one with a text, in which the next piece begins.
fn pair(number: usize, value: &str) -> String {
    format!("\",\"n{number:x}\":{value},\"z{number:x}\":\"")
}

fn objects(number: usize, members: usize) -> String {
    let members: Vec<String> = (0..members).map(|m| format!("\"{m:x}\":0")).collect();
    pair(number, &format!("{{{}}}", members.join(",")))
}

fn listed(number: usize, element: &str) -> String {
    pair(number, &format!("[{}]", vec![element; 100].join(",")))
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
