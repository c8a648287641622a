//! Revocations: tokens that are refused although signature and times are good.
//!
//! 1. A revocation belongs to a configured issuer; the same id from another issuer is another id.
//! 2. Tokens and sessions are revoked for good; subjects, clients, actors and issuers up to a time, so
//!    that a later sign-in is accepted.
//! 3. A token is before that time unless it proves the opposite: its `auth_time`, or its `iat` where
//!    that is absent, is later than the time plus the issuer's leeway.

use std::fmt;
use std::sync::Arc;

use crate::model::time::UnixTime;

/// A revocation: of a token, of a session, or of all tokens of a subject, a client, an actor or an issuer
/// up to a time.
///
/// It has ids as the issuer writes them, and takes effect when it is added to the list of a server with
/// [`Revocations::revoke`](crate::revocation::Revocations::revoke).
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
    /// A subject, up to a time.
    Subject,
    /// A subject up to a time, except tokens that name their session.
    SubjectWithoutSession,
    /// A client, up to a time.
    Client,
    /// An actor (RFC 8693), up to a time.
    Actor,
    /// A whole issuer, up to a time.
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
            Self::Actor => "actor",
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
    /// [`session_claim`](crate::Issuer::session_claim); otherwise no token matches.
    #[must_use]
    pub fn session(issuer: &str, id: &str) -> Self {
        Self::new(issuer, RevocationKind::Session, id, None)
    }

    /// All tokens of a subject up to a time: a global sign-out. The subject is
    /// [`AccessToken::subject`](crate::AccessToken::subject), or the token's `sub` where
    /// [`subject_claim`](crate::Issuer::subject_claim) names another claim.
    #[must_use]
    pub fn subject(issuer: &str, subject: &str, before: UnixTime) -> Self {
        Self::new(issuer, RevocationKind::Subject, subject, Some(before))
    }

    /// Like [`subject`](Self::subject), except tokens that name their session, which another revocation
    /// covers.
    /// [Back-channel logout](crate::manual::revocation) adds it beside a session.
    #[must_use]
    pub fn subject_without_session(issuer: &str, subject: &str, before: UnixTime) -> Self {
        let kind = RevocationKind::SubjectWithoutSession;
        Self::new(issuer, kind, subject, Some(before))
    }

    /// All tokens of a client up to a time, for users and for itself. To exclude a client for good,
    /// disable it at the issuer or remove it from the list of allowed clients.
    #[must_use]
    pub fn client(issuer: &str, client_id: &str, before: UnixTime) -> Self {
        Self::new(issuer, RevocationKind::Client, client_id, Some(before))
    }

    /// All tokens with which this actor acts, up to a time: those whose outermost `act` has this `sub` or
    /// this `client_id` (RFC 8693 section 4.1). `issuer` is the configured issuer of the tokens, whatever
    /// `iss` their `act` has. Tokens of its users without the actor stay good, and so do tokens in which
    /// it is an earlier actor: revoke the later one, or the subjects. The actor's own tokens, where it is
    /// the subject or the client, are revoked by [`subject`](Self::subject) or [`client`](Self::client).
    #[doc(alias("agent", "act"))]
    #[must_use]
    pub fn actor(issuer: &str, actor: &str, before: UnixTime) -> Self {
        Self::new(issuer, RevocationKind::Actor, actor, Some(before))
    }

    /// All tokens of an issuer up to a time.
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

    /// The id of the token, session, subject, client or actor; absent for a whole issuer.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self.kind {
            RevocationKind::Issuer => None,
            _ => Some(&self.id),
        }
    }

    /// The time up to which it holds; absent for tokens and sessions, which are revoked for good.
    #[must_use]
    pub const fn before(&self) -> Option<UnixTime> {
        self.before
    }

    /// The same, under the name by which the issuer is configured.
    pub(crate) fn in_realm(mut self, realm: &Arc<str>) -> Self {
        self.issuer = Arc::clone(realm);
        self
    }

    /// The same without the time.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    pub(crate) fn without_moment(&self) -> Self {
        Self {
            before: None,
            ..self.clone()
        }
    }

    /// The same, up to the later of two times.
    pub(crate) fn until_later(mut self, before: Option<UnixTime>) -> Self {
        self.before = self.before.max(before);
        self
    }

    /// Whether both are about the same, ignoring the time.
    pub(crate) fn is_about_the_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.id == other.id && self.issuer == other.issuer
    }
}

/// Without the id: it comes from tokens, and `Debug` output reaches logs.
impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocation")
            .field("issuer", &self.issuer)
            .field("kind", &self.kind)
            .field("before", &self.before)
            .finish_non_exhaustive()
    }
}
