//! What a token can be revoked by, beside its id, subject and client.
//!
//! 1. A session's id that is present and empty, `null` or of another type than text is a fault: the
//!    revocation of its session would miss the token.
//! 2. A moment that cannot be read is no moment, and no other claim stands in for it.

use std::sync::Arc;

use crate::model::error::token_error::TokenError;
use crate::model::shared_str::HasTexts;
use crate::model::shared_str::{Arena, SharedStr};
use crate::model::time::OptionalTime;
use crate::verify::json::claims_reader::{Rounding, date, strict_id, strict_id_at};
use crate::verify::json::object::{Object, Value};
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// What a token can be revoked by, beside its id, subject and client.
pub(in crate::verify) struct RevocationIds {
    /// `origin_jti`, or the claim of the setting, and `sid`.
    sessions: [Option<SharedStr>; 2],
    /// `sub`, where the subject comes from another claim.
    pub(in crate::verify) plain_subject: Option<SharedStr>,
    pub(in crate::verify) authenticated_at: OptionalTime,
}

impl RevocationIds {
    /// With it, whether the token has a claim `auth_time`, of any value.
    pub(in crate::verify) fn read(
        claims: &Object<'_>,
        rules: &IssuerPolicy,
        share: impl Fn(&str) -> SharedStr,
    ) -> Result<(Self, bool), TokenError> {
        let sid = strict_id(claims, "sid")?;
        let named = match &rules.session_claim {
            None => strict_id(claims, "origin_jti")?,
            // Read as `sid` already.
            Some(path) if path.is("sid") => None,
            Some(path) => strict_id_at(claims, path)?,
        };
        let sub = claims.get("sub").filter(|_| !rules.subject_claim.is("sub"));
        // AD FS writes it as a text.
        let authenticated_at = date(claims, "auth_time", Rounding::Down).unwrap_or_default();
        let ids = Self {
            sessions: [named, sid].map(|id| id.map(|id| share(&id))),
            plain_subject: sub.and_then(Value::as_text).map(|text| share(&text)),
            authenticated_at: OptionalTime::of(authenticated_at),
        };
        Ok((ids, claims.get("auth_time").is_some()))
    }

    /// The memory that it takes beside this arena and beside itself.
    pub(in crate::verify) fn bytes_beside(&self, arena: &Arc<Arena>) -> usize {
        let texts = self.sessions.iter().chain([&self.plain_subject]).flatten();
        texts.map(|text| text.bytes_beside(arena)).sum()
    }

    pub(in crate::verify) fn sessions(&self) -> [Option<&str>; 2] {
        let [origin, session] = &self.sessions;
        [origin, session].map(|id| id.as_ref().map(SharedStr::as_str))
    }
}

impl HasTexts for RevocationIds {
    fn visit_texts(&mut self, visit: &mut dyn FnMut(&mut SharedStr)) {
        let texts = self.sessions.iter_mut().chain([&mut self.plain_subject]);
        texts.flatten().for_each(visit);
    }
}
