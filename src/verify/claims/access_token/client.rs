//! The client that a token was issued to: its claim, and the list of allowed clients.

use std::borrow::Cow;

use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::model::ids::MAX_FOREIGN_ID_BYTES;
use crate::verify::json::claim_error::{ClaimName as _, listed, no_text};
use crate::verify::json::claims_reader::{text_at, too_long, value_at};
use crate::verify::json::object::Object;
use crate::verify::policy::issuer_policy::{IssuerPolicy, Profile};

/// The client id: the first of the policy's claims that is present.
pub(in crate::verify) fn client_id<'c>(
    claims: &Object<'c>,
    rules: &IssuerPolicy,
) -> Result<Option<Cow<'c, str>>, TokenError> {
    for path in &rules.client_id_claims {
        match text_at(claims, path)? {
            Some(found) if found.len() > MAX_FOREIGN_ID_BYTES => return Err(too_long(path)),
            Some(found) => return Ok(Some(found)),
            None => {}
        }
    }
    match rules.profile {
        Profile::Oidc | Profile::Spiffe | Profile::Introspected => Ok(None),
        Profile::Cognito | Profile::Rfc9068 => Err(no_client(claims, rules)),
    }
}

#[cold]
fn no_client(claims: &Object<'_>, rules: &IssuerPolicy) -> TokenError {
    match rules.client_id_claims.first() {
        Some(path) => {
            no_text(path, value_at(claims, path).ok().flatten()).by_setting(rules.profile.setting())
        }
        None => TokenFault::Claims.into(),
    }
}

/// Compares the client with the policy's list; an empty list accepts every client.
pub(in crate::verify) fn check_client(
    client_id: Option<&str>,
    rules: &IssuerPolicy,
) -> Result<(), TokenError> {
    let allowed = rules.client_ids.is_empty()
        || rules
            .client_ids
            .iter()
            .any(|allowed| Some(&**allowed) == client_id);
    if allowed {
        Ok(())
    } else {
        Err(other_client(client_id.is_some(), rules))
    }
}

#[cold]
fn other_client(is_stated: bool, rules: &IssuerPolicy) -> TokenError {
    let problem = if is_stated {
        Problem::Differs
    } else {
        Problem::Missing
    };
    let detail = RejectionDetail::new()
        .with_problem(problem)
        .with_setting("client_id")
        .with_expected(listed(&rules.client_ids));
    let detail = match rules.client_id_claims.first() {
        Some(path) => detail.with_claim(path.shown()),
        None => detail,
    };
    TokenError::new(TokenFault::ClientId, detail)
}
