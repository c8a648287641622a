//! The names of the kinds: of issuers, and of their tokens.

/// A kind of issuer.
#[derive(Clone)]
pub(in crate::test_util) enum Profile {
    Oidc,
    Rfc9068,
    Cognito { region: String, pool: String },
    Keycloak { base_url: String, realm: String },
    Entra { tenant: String },
    Auth0 { domain: String },
    Okta { domain: String, server: String },
}

/// Which claims follow the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::test_util) enum Kind {
    /// An access token of a user.
    Access,
    /// An access token of a machine: the subject is the client.
    Machine,
    /// An ID token: the audience is the client.
    Id,
}
