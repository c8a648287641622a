//! Tokens that are wrong by their form as a compact JWS (RFC 7515 section 5.2, RFC 8725).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::test_util::wrong_credentials::expected::Expected::{
    InvalidRequest, InvalidToken, InvalidTokenOrUnavailable,
};
use crate::test_util::wrong_credentials::row::{Row, row};
use crate::test_util::wrong_credentials::sample::Sample;

pub(super) const ROWS: &[Row] = &[
    row("oversize_jwt", InvalidToken, |s| {
        s.jwt(&s.good().claim("padding", "x".repeat(1024 * 1024)).sign())
    }),
    row("two_parts", InvalidToken, |s| {
        with_parts(s, |[header, payload, _]| format!("{header}.{payload}"))
    }),
    row("four_parts", InvalidToken, |s| {
        with_parts(s, |[header, payload, signature]| {
            format!("{header}.{payload}.{signature}.{signature}")
        })
    }),
    // RFC 7516 s9: five parts are a JWE.
    row("five_parts", InvalidToken, |s| {
        s.jwt(&s.issuer().refresh_token())
    }),
    row("only_dots", InvalidToken, |s| s.jwt("..")),
    row("truncated", InvalidToken, |s| s.jwt(&s.good().truncated())),
    row("empty_signature", InvalidToken, |s| {
        with_parts(s, |[header, payload, _]| format!("{header}.{payload}."))
    }),
    row("bad_base64", InvalidToken, |s| {
        with_parts(s, |[header, payload, signature]| {
            format!("{header}.~{payload}.{signature}")
        })
    }),
    // RFC 7515 s2: base64url without padding. A `=` before the end is no b64token either.
    row("padded_base64", InvalidRequest, |s| {
        with_parts(s, |[header, payload, signature]| {
            format!("{header}=.{payload}.{signature}")
        })
    }),
    row("header_is_no_json", InvalidToken, |s| {
        s.jwt(&s.good().header_json("not json").sign())
    }),
    row("header_is_an_array", InvalidToken, |s| {
        s.jwt(&s.good().header_json("[]").sign())
    }),
    row("payload_is_no_json", InvalidToken, |s| {
        s.jwt(&s.good().payload_json("not json").sign())
    }),
    row("payload_is_an_array", InvalidToken, |s| {
        s.jwt(&s.good().payload_json("[]").sign())
    }),
    row("payload_is_no_utf8", InvalidToken, |s| {
        s.jwt(
            &s.good()
                .payload_json(b"{\"sub\":\"\xff\"}".as_slice())
                .sign(),
        )
    }),
    row("text_behind_payload", InvalidToken, |s| {
        let mut payload = decoded(s)?;
        payload.extend_from_slice(b"{}");
        s.jwt(&s.good().payload_json(payload).sign())
    }),
    // RFC 8725 s2.4, RFC 7515 s4: two readers of a member that is there twice read two values.
    row("duplicate_claim", InvalidToken, |s| {
        let payload = decoded(s)?;
        let inside = payload.strip_prefix(b"{")?;
        let payload = [br#"{"sub":"somebody-else","#.as_slice(), inside].concat();
        s.jwt(&s.good().payload_json(payload).sign())
    }),
    row("duplicate_header_parameter", InvalidToken, |s| {
        let algorithm = s.good().signing_algorithm();
        let header = format!(r#"{{"alg":"none","alg":"{}"}}"#, algorithm.as_str());
        s.jwt(&s.good().header_json(header).sign())
    }),
    // Signatures.
    row("wrong_key", InvalidToken, |s| {
        s.jwt(&s.good().sign_with_wrong_key())
    }),
    row("unknown_key_id", InvalidTokenOrUnavailable, |s| {
        s.jwt(&s.good().sign_with_unknown_key())
    }),
    row("tampered_payload", InvalidToken, |s| {
        s.jwt(&s.good().tampered_payload())
    }),
    row("tampered_signature", InvalidToken, |s| {
        s.jwt(&s.good().tampered_signature())
    }),
    row("signature_of_another_token", InvalidToken, |s| {
        let other = s.good().claim("jti", "another").sign();
        let (_, signature) = other.rsplit_once('.')?;
        with_parts(s, |[header, payload, _]| {
            format!("{header}.{payload}.{signature}")
        })
    }),
    // RFC 8725 s2.1.
    row("alg_none", InvalidToken, |s| s.jwt(&s.good().unsigned())),
    row("alg_none_in_other_case", InvalidToken, |s| {
        let token = s.good().header("alg", "nOnE").sign();
        let (input, _) = token.rsplit_once('.')?;
        s.jwt(&format!("{input}."))
    }),
    row("hmac_with_public_key", InvalidToken, |s| {
        s.jwt(&s.good().with_hmac_of_public_key())
    }),
];

/// The good token with its three parts put together anew.
fn with_parts(
    s: &Sample<'_>,
    join: impl Fn([&str; 3]) -> String,
) -> Option<Vec<crate::test_util::wrong_credentials::step::Step>> {
    let token = s.good().sign();
    let mut parts = token.split('.');
    let parts = [parts.next()?, parts.next()?, parts.next()?];
    s.jwt(&join(parts))
}

/// The payload of the good token.
fn decoded(s: &Sample<'_>) -> Option<Vec<u8>> {
    let token = s.good().sign();
    URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()
}
