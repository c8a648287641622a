//! What is no longer good, though its signature and its times are.
//!
//! 1. A revocation names a configured issuer; the same text from another issuer is somebody else's.
//! 2. Tokens and sessions are revoked for good; subjects, clients and issuers up to a moment, so
//!    that who signs in again afterwards is let in again.
//! 3. A token belongs to the time before the moment unless it shows that it does not: its
//!    `auth_time`, or its `iat` where that is absent, must lie behind the moment plus the issuer's
//!    leeway.

use std::fmt;
use std::sync::Arc;

use crate::model::time::UnixTime;

/// What is no longer good: a token, a session, or what a subject, a client or an issuer had got
/// before a moment.
///
/// It is made of texts as the issuer writes them, and means nothing before it is added to the list
/// of a server with [`Revocations::revoke`](crate::revocation::Revocations::revoke).
///
/// ```
/// use portcullis::revocation::{Revocation, RevocationKind};
/// use portcullis::time::UnixTime;
///
/// let pool = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf";
/// let stolen = Revocation::token(pool, "7e2c7a1e-8a1f-4c8d-9a53-0a3c");
/// let signed_out = Revocation::subject(pool, "user-1", UnixTime::from_secs(1_800_000_000));
/// assert_eq!(stolen.kind(), RevocationKind::Token);
/// assert_eq!(signed_out.before(), Some(UnixTime::from_secs(1_800_000_000)));
/// assert_ne!(stolen, signed_out);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Revocation {
    issuer: Arc<str>,
    kind: RevocationKind,
    /// Empty for a whole issuer.
    id: Box<str>,
    before: Option<UnixTime>,
}

/// What a [`Revocation`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RevocationKind {
    /// One token, by its `jti`.
    Token,
    /// A session, by the `origin_jti` or the `sid` of its tokens, or by the claim that
    /// [`session_claim`](crate::Issuer::session_claim) names.
    Session,
    /// A subject, up to a moment.
    Subject,
    /// A subject up to a moment, but for tokens that name their session.
    SubjectWithoutSession,
    /// A client, up to a moment.
    Client,
    /// A whole issuer, up to a moment.
    Issuer,
}

impl RevocationKind {
    /// A stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::Subject => "subject",
            Self::SubjectWithoutSession => "subject_without_session",
            Self::Client => "client",
            Self::Issuer => "issuer",
        }
    }
}

impl Revocation {
    /// One token, by its id (`jti`). A token without an id cannot be revoked alone.
    #[must_use]
    pub fn token(issuer: &str, id: &str) -> Self {
        Self::new(issuer, RevocationKind::Token, id, None)
    }

    /// A session: every token whose `origin_jti` (Cognito) or `sid` (OpenID Connect) is this. Where
    /// the issuer writes it elsewhere, name the claim with
    /// [`session_claim`](crate::Issuer::session_claim), or this concerns no token.
    #[must_use]
    pub fn session(issuer: &str, id: &str) -> Self {
        Self::new(issuer, RevocationKind::Session, id, None)
    }

    /// What a subject had got up to a moment: a global sign-out. The subject is the one that
    /// [`AccessToken::subject`](crate::AccessToken::subject) says, or the token's `sub` where
    /// [`subject_claim`](crate::Issuer::subject_claim) names another claim.
    #[must_use]
    pub fn subject(issuer: &str, subject: &str, before: UnixTime) -> Self {
        Self::new(issuer, RevocationKind::Subject, subject, Some(before))
    }

    /// The same, but for tokens that name their session, which another revocation is about.
    /// [Back-channel logout](crate::manual::revocation) adds it beside a session.
    #[must_use]
    pub fn subject_without_session(issuer: &str, subject: &str, before: UnixTime) -> Self {
        let kind = RevocationKind::SubjectWithoutSession;
        Self::new(issuer, kind, subject, Some(before))
    }

    /// What was issued to a client up to a moment, for users and for itself. A client that must
    /// not come back at all is shut out at the issuer, or by the list of allowed clients.
    #[must_use]
    pub fn client(issuer: &str, client_id: &str, before: UnixTime) -> Self {
        Self::new(issuer, RevocationKind::Client, client_id, Some(before))
    }

    /// Everything that an issuer had issued up to a moment.
    #[must_use]
    pub fn whole_issuer(issuer: &str, before: UnixTime) -> Self {
        Self::new(issuer, RevocationKind::Issuer, "", Some(before))
    }

    pub(crate) fn new(
        issuer: &str,
        kind: RevocationKind,
        id: &str,
        before: Option<UnixTime>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            kind,
            id: id.into(),
            before,
        }
    }

    /// The issuer, as it was named; in a server's list, as it is configured.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> RevocationKind {
        self.kind
    }

    /// The id of the token, session, subject or client; absent for a whole issuer.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self.kind {
            RevocationKind::Issuer => None,
            _ => Some(&self.id),
        }
    }

    /// The moment up to which it holds; absent for tokens and sessions, which are not good again.
    #[must_use]
    pub const fn before(&self) -> Option<UnixTime> {
        self.before
    }

    /// The same, under the name by which the issuer is configured.
    pub(crate) fn in_realm(mut self, realm: &Arc<str>) -> Self {
        self.issuer = Arc::clone(realm);
        self
    }

    /// What it is about, without the moment.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    pub(crate) fn without_moment(&self) -> Self {
        Self {
            before: None,
            ..self.clone()
        }
    }

    /// The same, up to the later of two moments.
    pub(crate) fn until_later(mut self, before: Option<UnixTime>) -> Self {
        self.before = self.before.max(before);
        self
    }

    /// Whether both are about the same, whatever the moment.
    pub(crate) fn is_about_the_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.id == other.id && self.issuer == other.issuer
    }
}

/// Without the id: it comes from tokens, and `Debug` ends up in logs.
impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocation")
            .field("issuer", &self.issuer)
            .field("kind", &self.kind)
            .field("before", &self.before)
            .finish_non_exhaustive()
    }
}
