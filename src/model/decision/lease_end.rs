//! Why a lease ended.

use std::fmt;

use crate::model::revocation::RevocationKind;

/// Why the authority of an admitted request ended; see [`Lease`](crate::lease::Lease).
///
/// ```
/// use portcullis::lease::LeaseEnd;
/// use portcullis::revocation::RevocationKind;
///
/// assert_eq!(LeaseEnd::Expired.as_str(), "expired");
/// assert_eq!(LeaseEnd::Revoked(RevocationKind::Session).as_str(), "revoked");
/// assert_eq!(LeaseEnd::KeyRemoved.to_string(), "the key of the token was removed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaseEnd {
    /// The token has expired, leeway included.
    Expired,
    /// The token, or what this names, was revoked.
    Revoked(RevocationKind),
    /// The key that verified the token is no longer in the issuer's key set, or an operator has
    /// dropped the keys of the issuer; for an introspected token, the answers of the issuer.
    KeyRemoved,
    /// The issuer of the token was removed from the configuration, or its rules were replaced, while the
    /// server ran; see [`ResourceServer::replace`](crate::ResourceServer::replace).
    IssuerReplaced,
    /// The token's entry in its [status list](crate::manual::token_status_list) has a status that is not
    /// accepted.
    Status,
    /// It cannot be known whether the token was revoked: the list of revocations was incomplete, or no status
    /// list of the token could be had, for longer than [`lease_outage_tolerance`](crate::ResourceServerBuilder::lease_outage_tolerance),
    /// or no tokio runtime was there that could watch the lease.
    Unavailable,
}

impl LeaseEnd {
    /// A stable name, for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked(_) => "revoked",
            Self::KeyRemoved => "key_removed",
            Self::IssuerReplaced => "issuer_replaced",
            Self::Status => "status",
            Self::Unavailable => "unavailable",
        }
    }

    /// A fixed sentence, fit for clients.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Expired => "the access token has expired",
            Self::Revoked(_) => "the access token was revoked",
            Self::KeyRemoved => "the key of the token was removed",
            Self::IssuerReplaced => "the rules for the access token have changed",
            Self::Status => "the access token is no longer valid",
            Self::Unavailable => "the access token cannot be checked",
        }
    }
}

impl fmt::Display for LeaseEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}
