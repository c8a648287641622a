//! Revoked tokens (RFC 7009, RFC 7662 section 2.2, and the list of revocations of a server).

#![allow(clippy::expect_used)] // Test tooling: a panic is the report.

use crate::revocation::Revocation;
use crate::test_util::keys::random_text;
use crate::test_util::wrong_credentials::expected::Expected::InvalidToken;
use crate::test_util::wrong_credentials::row::{Row, row};
use crate::test_util::wrong_credentials::sample::Sample;
use crate::test_util::wrong_credentials::step::Step;

pub(super) const ROWS: &[Row] = &[
    row("revoked", InvalidToken, |s| {
        let (token, revoke) = revocable(s)?;
        Some(vec![Step::Do(revoke), Step::send(s.authorized(&token))])
    }),
    // What is cached is checked again.
    row("revoked_after_use", InvalidToken, |s| {
        let (token, revoke) = revocable(s)?;
        Some(vec![
            Step::send(s.authorized(&token)),
            Step::Do(revoke),
            Step::send(s.authorized(&token)),
        ])
    }),
];

type Action = Box<dyn FnOnce() + Send>;

/// A good token, and what revokes it.
fn revocable(s: &Sample<'_>) -> Option<(String, Action)> {
    // A revocation stays in the server: each route, and each later check, needs a token of its own.
    let id = random_text(24);
    let token = s.written(&s.good().claim("jti", &id));
    if s.check.is_opaque {
        let (issuer, opaque) = (s.issuer().clone(), token.clone());
        return Some((token, Box::new(move || issuer.revoke(&opaque))));
    }
    let server = s.check.server.clone()?;
    let revocation = Revocation::token(&s.issuer().issuer(), &id);
    let revoke = move || {
        let outcome = server.revocations().revoke(revocation);
        outcome.expect("a server that knows the issuer of the token");
    };
    Some((token, Box::new(revoke)))
}
