//! Tokens of other kinds, good for another purpose (RFC 8725 section 3.12).

use serde_json::{Map, Value, json};

use crate::test_util::wrong_credentials::expected::Expected::InvalidToken;
use crate::test_util::wrong_credentials::row::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row("id_token", InvalidToken, |s| {
        s.jwt(&s.issuer().id_token().sign())
    }),
    row("id_token_for_this_audience", InvalidToken, |s| {
        let audience = s.good().text_claim("aud")?.to_owned();
        s.jwt(&s.issuer().id_token().audience(&audience).sign())
    }),
    row("refresh_token", InvalidToken, |s| {
        s.token(&s.good().claim("token_use", "refresh"))
    }),
    row("logout_token", InvalidToken, |s| {
        s.jwt(&s.issuer().logout_token().sign())
    }),
    row("proof_as_token", InvalidToken, |s| s.jwt(&s.proof().sign())),
    // RFC 9701 s8.1: a signed introspection response is not a token.
    row("introspection_response", InvalidToken, |s| {
        let told = json!({ "token_introspection": { "active": true }, "aud": "api-1" });
        s.jwt(
            &s.issuer()
                .sign_answer("token-introspection+jwt", members(told)),
        )
    }),
    row("userinfo_response", InvalidToken, |s| {
        let told = json!({ "sub": "user-1", "aud": "1example23456789" });
        s.jwt(&s.issuer().sign_answer("JWT", members(told)))
    }),
    row("security_event", InvalidToken, |s| {
        let events =
            json!({ "https://schemas.openid.net/secevent/caep/event-type/session-revoked": {} });
        let token = s.good().claim("events", events).without("exp");
        s.jwt(&token.typ("secevent+jwt").sign())
    }),
];

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
