//! Settings of an issuer that give up a protection.

use crate::server::settings::issuer::value::Issuer;

impl Issuer {
    /// Settings that give up a protection.
    pub fn danger(self) -> DangerousIssuer {
        DangerousIssuer(self)
    }
}

/// Settings of an [`Issuer`] that give up a protection. Each leads back to the issuer.
#[derive(Clone, Debug)]
#[must_use]
pub struct DangerousIssuer(Issuer);

impl DangerousIssuer {
    /// Accepts tokens for any audience, and tokens that name none; for Cognito, of any app
    /// client unless some are named: a caller with a token from
    /// this issuer for any other service can use it here (RFC 8725 section 3.9).
    pub fn accept_any_audience(mut self) -> Issuer {
        self.0.any_audience = true;
        self.0
    }

    /// Accepts access tokens that look like ID tokens: `at_hash`, `c_hash` and a `nonce` are then no
    /// marks of one. For issuers that make both alike, such as Dex, and where an ID token is used
    /// on purpose, as Google's and Entra's are by some products. Then a client that signs users in
    /// can use their ID tokens here, if they name the same audience: give the API an
    /// [`audience`](Issuer::audience) of its own, which no client has as its id. A token that calls
    /// itself another kind (`token_use`, `typ`, `type`, `events`) is refused all the same. It
    /// cannot be combined with [`accept_any_audience`](Self::accept_any_audience) or
    /// `audience_where_stated`, and [`cognito`](Issuer::cognito) has no such tokens.
    pub fn accept_id_token_marks(mut self) -> Issuer {
        self.0.bears_id_token_marks = true;
        self.0
    }

    /// Allows plain http to this issuer anywhere, not only on loopback: an attacker on the network path
    /// can replace the keys.
    pub fn plain_http(mut self) -> Issuer {
        self.0.plain_http = true;
        self.0
    }
}
