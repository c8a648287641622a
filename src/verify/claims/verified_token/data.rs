//! What verification keeps of an access token: facts in fields, texts in one arena.
//!
//! 1. The payload is not kept. Where it is wanted again, it is decoded from the token that the request
//!    holds; see [`SentToken`].
//! 2. What few tokens have lies in one box.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::RejectionDetail;
use crate::model::error::token_error::TokenError;
use crate::model::ids::{ClientId, SubjectId};
use crate::model::requirement::binding::RequiredBindings;
use crate::model::requirement::resource_set::ResourceSet;
use crate::model::scope::Scope;
use crate::model::shared_str::{Arena, Piece, SharedStr};
use crate::model::time::{OptionalTime, UnixTime};
use crate::verify::claims::access_token::authentication::is_recent;
use crate::verify::claims::access_token::confirmation::Confirmation;
use crate::verify::claims::access_token::revocation_ids::RevocationIds;
use crate::verify::claims::access_token::seldom_claims::SeldomClaims;
use crate::verify::claims::access_token::validity::Validity;
use crate::verify::claims::actor::Actor;
use crate::verify::claims::custom::payload_cache::CustomClaims;
use crate::verify::json::name_list::Names;
use crate::verify::request::sent_token::SentToken;

/// A verified access token without its text: the part that a cache keeps.
pub(crate) struct VerifiedToken {
    /// The texts of all fields, except those that had escapes.
    pub(super) arena: Arc<Arena>,
    pub(super) issuer: Arc<str>,
    pub(super) subject: Option<SubjectId>,
    pub(super) client_id: Option<ClientId>,
    pub(super) scope: Scope,
    pub(super) id: Option<SharedStr>,
    pub(super) revocable: RevocationIds,
    pub(super) expires_at: UnixTime,
    pub(super) not_before: OptionalTime,
    pub(super) issued_at: OptionalTime,
    pub(super) lists: TokenLists,
    pub(super) seldom: Option<Box<SeldomClaims>>,
    pub(super) custom: CustomClaims,
    /// Those that its audience names.
    pub(super) resources: ResourceSet,
    pub(super) has_username: bool,
    pub(super) has_auth_time: bool,
    pub(super) is_machine: bool,
}

/// Lists of names in the arena; see [`name_list`](crate::verify::json::name_list).
#[derive(Clone, Copy, Default)]
pub(in crate::verify) struct TokenLists {
    pub(super) roles: Piece,
    pub(super) groups: Piece,
    pub(super) acr_values: Piece,
}

/// What holds a verified token, beside what is known of its bearer.
pub(crate) trait TokenHolder: Send + Sync {
    fn token(&self) -> &VerifiedToken;
}

impl VerifiedToken {
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(crate) const fn subject(&self) -> Option<&SubjectId> {
        self.subject.as_ref()
    }

    pub(crate) const fn client_id(&self) -> Option<&ClientId> {
        self.client_id.as_ref()
    }

    pub(crate) const fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(crate) fn has_scope(&self, token: &str) -> bool {
        self.scope.contains(token) || self.implies_scope(token)
    }

    fn implies_scope(&self, token: &str) -> bool {
        let implied = self.seldom().and_then(|claims| claims.implied.as_ref());
        implied.is_some_and(|implied| implied.contains(token))
    }

    fn seldom(&self) -> Option<&SeldomClaims> {
        self.seldom.as_deref()
    }

    pub(crate) const fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    pub(crate) const fn issued_at(&self) -> Option<UnixTime> {
        self.issued_at.get()
    }

    pub(crate) const fn authenticated_at(&self) -> Option<UnixTime> {
        self.revocable.authenticated_at.get()
    }

    pub(crate) fn acr_values(&self) -> Names<'_> {
        self.names(self.lists.acr_values)
    }

    /// Whether the token states an authentication of its user that is no older than `max_age`.
    pub(crate) fn is_authenticated_since(
        &self,
        max_age: Duration,
        now: UnixTime,
        leeway: Duration,
    ) -> bool {
        is_recent(self.authenticated_at(), max_age, now, leeway)
    }

    pub(crate) fn session_ids(&self) -> impl Iterator<Item = &str> {
        self.sessions().into_iter().flatten()
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_ref().map(SharedStr::as_str)
    }

    pub(crate) fn roles(&self) -> Names<'_> {
        self.names(self.lists.roles)
    }

    pub(crate) fn groups(&self) -> Names<'_> {
        self.names(self.lists.groups)
    }

    fn names(&self, list: Piece) -> Names<'_> {
        Names::of(self.arena.piece(list).unwrap_or_default())
    }

    pub(crate) fn confirmation(&self) -> Option<&Confirmation> {
        self.seldom()?.confirmation.as_ref()
    }

    pub(crate) fn is_bound(&self) -> bool {
        self.confirmation().is_some()
    }

    pub(crate) fn actor(&self) -> Option<&Actor> {
        self.seldom()?.actor.as_deref()
    }

    /// The payload as the application's own type, with the detail of the error.
    pub(crate) fn read_claims<T>(&self, sent: &SentToken) -> Result<Arc<T>, TokenError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.custom.read(|| self.payload(sent))
    }

    /// The payload: that of the token as it was sent, or the answer of the issuer about it.
    pub(crate) fn payload(&self, sent: &SentToken) -> Result<Cow<'_, str>, TokenError> {
        let answer = self.seldom().and_then(|claims| claims.answer.as_deref());
        match answer {
            Some(text) => Ok(Cow::Borrowed(text)),
            // INVARIANT: the token is the one that was verified, so that its payload is well formed.
            None => match sent.payload() {
                Some(text) => Ok(Cow::Owned(text)),
                None => Err(TokenFault::CustomClaims.into()),
            },
        }
    }

    /// Whether the token has these bindings. That the request proves them is checked elsewhere.
    pub(crate) fn check_bindings(&self, required: RequiredBindings) -> Result<(), TokenError> {
        let confirmation = self.confirmation();
        let has_dpop = confirmation.is_some_and(|keys| keys.jwk_thumbprint().is_some());
        let has_tls = confirmation.is_some_and(|keys| keys.certificate_thumbprint().is_some());
        if required.are_met_by(has_dpop, has_tls) {
            return Ok(());
        }
        let detail = RejectionDetail::new()
            .with_claim("cnf")
            .with_setting("require_binding")
            .with_expected(required.to_string());
        Err(TokenError::new(TokenFault::Binding, detail))
    }

    /// What the token is bound to, as a word for an event.
    pub(crate) fn binding_name(&self) -> &'static str {
        let bound = self.confirmation().map(|keys| {
            (
                keys.jwk_thumbprint().is_some(),
                keys.certificate_thumbprint().is_some(),
            )
        });
        match bound {
            Some((true, true)) => "dpop+mutual_tls",
            Some((true, false)) => "dpop",
            Some((false, _)) => "mutual_tls",
            None => "none",
        }
    }

    /// The period in which the token is good, widened by the leeway.
    pub(crate) fn validity(&self, leeway: Duration) -> Validity {
        let from = self.not_before.get();
        Validity {
            from: OptionalTime::of(from.map(|from| from.saturating_sub(leeway))),
            until: self.expires_at.saturating_add(leeway),
        }
    }

    /// Whether it is a client's own token: `sub` is the client, or may be absent by a setting, and no
    /// claim names a user.
    pub(crate) fn is_machine(&self) -> bool {
        self.is_machine
    }

    /// The resources of the server that the token is for: at least one.
    pub(crate) fn resources(&self) -> ResourceSet {
        self.resources
    }

    /// Whether the token has a `username`, of any value.
    pub(crate) fn has_username(&self) -> bool {
        self.has_username
    }

    /// The sign-in of the subject, or the issue of the token, as far as the token states it.
    pub(crate) fn began_at(&self) -> Option<UnixTime> {
        if self.has_auth_time {
            self.authenticated_at()
        } else {
            self.issued_at()
        }
    }

    /// `origin_jti`, or the claim that a setting names in its place, and `sid`.
    pub(crate) fn sessions(&self) -> [Option<&str>; 2] {
        self.revocable.sessions()
    }

    /// The `sub`, where the subject comes from another claim.
    pub(crate) fn plain_subject(&self) -> Option<&str> {
        self.revocable.plain_subject.as_ref().map(SharedStr::as_str)
    }

    /// A text of its arena as a part of it; otherwise a copy.
    pub(in crate::verify) fn share(&self, text: &str) -> SharedStr {
        SharedStr::within(&self.arena, text)
    }

    pub(crate) const fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    /// Its heap memory in bytes, without itself and without the application's own types of claims.
    pub(crate) fn bytes(&self) -> usize {
        let arena = &self.arena;
        let ids = [
            self.subject.as_ref().map(|id| id.bytes_beside(arena)),
            self.client_id.as_ref().map(|id| id.bytes_beside(arena)),
            self.id.as_ref().map(|id| id.bytes_beside(arena)),
        ];
        let seldom = self.seldom();
        arena.bytes()
            + ids.iter().flatten().sum::<usize>()
            + self.scope.bytes_beside(arena)
            + self.revocable.bytes_beside(arena)
            + seldom.map_or(0, |claims| claims.bytes(arena))
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("issuer", &self.issuer())
            .field("subject", &self.subject)
            .field("client_id", &self.client_id)
            .field("scope", &self.scope)
            .field("issued_at", &self.issued_at())
            .field("not_before", &self.not_before.get())
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
