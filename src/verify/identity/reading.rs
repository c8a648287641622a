//! A token and its bearer, read together: both lie in one buffer until what is kept of them is moved.

use crate::model::error::token_error::TokenError;
#[cfg(feature = "jwks")]
use crate::verify::claims::introspection_response::ActiveToken;
use crate::verify::claims::verified_token::VerifiedToken;
use crate::verify::claims::verified_token::draft::with_draft;
use crate::verify::claims::verified_token::texts::move_texts;
use crate::verify::identity::resolve::{Identified, identify};
use crate::verify::jose::signature::Signed;
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// A verified token, and who bears it.
pub(crate) struct ReadToken {
    pub(crate) token: VerifiedToken,
    pub(crate) bearer: Identified,
}

impl ReadToken {
    /// Checks a signed token against its issuer's policy, and resolves the bearer. The times are checked
    /// separately.
    ///
    /// # Errors
    ///
    /// The first check that fails.
    pub(crate) fn signed(signed: &Signed<'_>, rules: &IssuerPolicy) -> Result<Self, TokenError> {
        with_draft(signed.claims(), rules, |draft, claims, kept| {
            let token = VerifiedToken::check(signed, (draft, claims), rules)?;
            let bearer = identify(&token, claims, rules);
            Ok(Self { token, bearer }.moved(kept))
        })
    }

    /// The same for a token that its issuer reports as active.
    ///
    /// # Errors
    ///
    /// The first check that fails.
    #[cfg(feature = "jwks")]
    pub(crate) fn attested(
        answer: &ActiveToken<'_>,
        rules: &IssuerPolicy,
    ) -> Result<Self, TokenError> {
        with_draft(answer.claims(), rules, |draft, claims, kept| {
            let token = VerifiedToken::attested(answer, (draft, claims), rules)?;
            let bearer = identify(&token, claims, rules);
            Ok(Self { token, bearer }.moved(kept))
        })
    }

    fn moved(mut self, kept: &mut String) -> Self {
        move_texts(&mut self.token, &mut self.bearer, kept);
        self
    }
}
