//! Credentials that are wrong by the way in which they are sent (RFC 6750 section 2, RFC 9110 section
//! 11.6.2).

use crate::test_util::wrong_credentials::expected::Expected::{
    InvalidRequest, InvalidToken, MissingToken,
};
use crate::test_util::wrong_credentials::row::{Row, row};
use crate::test_util::wrong_credentials::step::Step;

pub(super) const ROWS: &[Row] = &[
    // RFC 6750 s3.1: nothing was sent, so there is no error code.
    row("no_token", MissingToken, |s| {
        Some(vec![Step::send(s.request())])
    }),
    row("empty_field", InvalidRequest, |s| s.field("")),
    row("scheme_without_token", InvalidRequest, |s| {
        s.field("Bearer")
    }),
    row("scheme_and_spaces", InvalidRequest, |s| {
        s.field("Bearer   ")
    }),
    row("scheme_with_colon", InvalidRequest, |s| {
        s.field(format!("Bearer: {}", s.written(&s.good())))
    }),
    row("basic_credentials", MissingToken, |s| {
        s.field("Basic dXNlcjpwYXNzd29yZA==")
    }),
    row("other_scheme", MissingToken, |s| {
        s.field(format!("Token {}", s.written(&s.good())))
    }),
    row("token_without_scheme", MissingToken, |s| {
        s.field(s.written(&s.good()))
    }),
    // RFC 6750 s2.1: 1*SP; no other blank separates.
    row("tab_behind_scheme", InvalidRequest, |s| {
        s.field(format!("Bearer\t{}", s.written(&s.good())))
    }),
    row("token_in_quotes", InvalidRequest, |s| {
        s.field(format!("Bearer \"{}\"", s.written(&s.good())))
    }),
    row("words", InvalidRequest, |s| s.field("Bearer not a token")),
    row("bytes_beyond_ascii", InvalidRequest, |s| {
        s.field([b"Bearer ".as_slice(), &[0x80, 0xc3, 0x28, 0xff]].concat())
    }),
    row("control_bytes", InvalidRequest, |s| {
        s.field([b"Bearer abc".as_slice(), b"\t", b"def"].concat())
    }),
    // RFC 6750 s2: one method for one request. RFC 9110 s5.3: the field is no list.
    row("two_fields", InvalidRequest, |s| {
        let field = format!("Bearer {}", s.written(&s.good())).into_bytes();
        s.with_fields([("authorization", field.clone()), ("authorization", field)])
    }),
    row("two_schemes", InvalidRequest, |s| {
        let token = s.written(&s.good());
        let fields = ["Bearer", "DPoP"].map(|scheme| format!("{scheme} {token}").into_bytes());
        s.with_fields(fields.map(|field| ("authorization", field)))
    }),
    row("two_tokens_in_one_field", InvalidRequest, |s| {
        let token = s.written(&s.good());
        s.field(format!("Bearer {token}, Bearer {token}"))
    }),
    // RFC 9700 s4.3.2: tokens in URLs end up in logs and histories.
    row("token_in_query", MissingToken, |s| {
        let mut request = s.request();
        let mut uri = request.uri().to_string();
        uri.push(if uri.contains('?') { '&' } else { '?' });
        let uri = format!("{uri}access_token={}", s.written(&s.good()));
        *request.uri_mut() = uri.parse().ok()?;
        Some(vec![Step::send(request)])
    }),
    row("token_in_form", MissingToken, |s| {
        let body = format!("access_token={}", s.written(&s.good()));
        let mut request = s.request_with_body(body.into_bytes());
        let form = "application/x-www-form-urlencoded".parse().ok()?;
        request.headers_mut().insert("content-type", form);
        Some(vec![Step::send(request)])
    }),
    row("token_in_cookie", MissingToken, |s| {
        let token = s.written(&s.good());
        let names = [
            "access_token",
            "token",
            "session",
            "__Host-token",
            "__Host-access_token",
        ];
        let cookies = names.map(|name| format!("{name}={token}"));
        s.with_fields([("cookie", cookies.join("; ").into_bytes())])
    }),
    row("token_in_other_field", MissingToken, |s| {
        let token = s.written(&s.good());
        let bearer = format!("Bearer {token}").into_bytes();
        s.with_fields([
            ("x-access-token", token.clone().into_bytes()),
            ("x-auth-token", token.clone().into_bytes()),
            ("x-forwarded-access-token", token.into_bytes()),
            ("x-authorization", bearer.clone()),
            ("proxy-authorization", bearer),
        ])
    }),
    row("token_in_subprotocol", MissingToken, |s| {
        let protocols = format!("bearer, {}", s.written(&s.good()));
        s.with_fields([
            ("connection", b"Upgrade".to_vec()),
            ("upgrade", b"websocket".to_vec()),
            ("sec-websocket-version", b"13".to_vec()),
            ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==".to_vec()),
            ("sec-websocket-protocol", protocols.into_bytes()),
        ])
    }),
    row("unknown_token", InvalidToken, |s| {
        s.text("0123456789abcdefghijABCDEFGHIJ")
    }),
    row("oversize_token", InvalidToken, |s| {
        s.text(&"a".repeat(1024 * 1024))
    }),
];
