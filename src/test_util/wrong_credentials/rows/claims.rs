//! Tokens that are wrong by a claim (RFC 7519 section 4.1, RFC 9068 section 4).

use std::time::Duration;

use crate::test_util::tokens::TokenBuilder;
use crate::test_util::wrong_credentials::expected::Expected::InvalidToken;
use crate::test_util::wrong_credentials::row::{Row, row};
use crate::test_util::wrong_credentials::sample::Sample;
use crate::test_util::wrong_credentials::step::Step;

pub(super) const ROWS: &[Row] = &[
    row("expired", InvalidToken, |s| s.token(&s.good().expired())),
    row("expired_long_ago", InvalidToken, |s| {
        s.token(&s.good().claim("exp", 1))
    }),
    row("not_yet_valid", InvalidToken, |s| {
        s.token(&s.good().not_before_in(Duration::from_secs(3600)))
    }),
    // RFC 7662 s2.2: an introspection response may leave it out.
    row("expiry_missing", InvalidToken, |s| {
        s.jwt(&s.good().without("exp").sign())
    }),
    row("expiry_as_text", InvalidToken, |s| {
        s.token(&s.good().claim("exp", "9999999999"))
    }),
    row("expiry_as_null", InvalidToken, |s| {
        s.token(&s.good().claim("exp", ()))
    }),
    row("not_before_as_text", InvalidToken, |s| {
        s.token(&s.good().claim("nbf", "1"))
    }),
    row("wrong_issuer", InvalidToken, |s| {
        s.token(&s.good().issuer("https://attacker.example"))
    }),
    // RFC 8414 s3.3: compared byte for byte.
    row("issuer_with_a_slash", InvalidToken, |s| {
        s.token(&s.good().issuer(&format!("{}/", s.issuer().issuer())))
    }),
    row("issuer_missing", InvalidToken, |s| {
        s.jwt(&s.good().without("iss").sign())
    }),
    row("issuer_as_list", InvalidToken, |s| {
        s.token(&s.good().claim("iss", [s.issuer().issuer()]))
    }),
    row("wrong_audience", InvalidToken, |s| {
        with_audience(s, |good, _| good.audience("https://other.example"))
    }),
    row("audience_missing", InvalidToken, |s| {
        with_audience(s, |good, _| good.without("aud"))
    }),
    row("audience_is_empty", InvalidToken, |s| {
        with_audience(s, |good, _| good.audiences([""; 0]))
    }),
    row("audience_begins_alike", InvalidToken, |s| {
        with_audience(s, |good, audience| {
            good.audience(&format!("{audience}.attacker.example"))
        })
    }),
    row("audience_is_the_client", InvalidToken, |s| {
        with_audience(s, |good, _| good.audience("1example23456789"))
    }),
    // Cognito's access tokens have a client in the place of an audience.
    row("wrong_client", InvalidToken, |s| {
        let names_clients = s.check.good.text_claim("token_use").is_some();
        names_clients.then(|| s.token(&s.good().client("another-client")))?
    }),
    row("token_use_missing", InvalidToken, |s| {
        s.check.good.text_claim("token_use")?;
        s.token(&s.good().without("token_use"))
    }),
    row("token_use_of_an_id_token", InvalidToken, |s| {
        s.token(&s.good().claim("token_use", "id"))
    }),
];

/// The good token with another audience, where it has one.
fn with_audience(
    s: &Sample<'_>,
    change: impl Fn(TokenBuilder, &str) -> TokenBuilder,
) -> Option<Vec<Step>> {
    let audience = s.check.good.text_claim("aud")?;
    s.token(&change(s.good(), audience))
}
