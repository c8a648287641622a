//! Tokens as real authorization servers write them, and issuers that trust them.
//!
//! 1. A shape has every claim that its server writes without settings, and the lists by which such
//!    tokens grow: `fill` entries of them.
//! 2. [`Shape::trusted`] reads what the shape has: groups, roles, scopes, and AWorld's tenant claims.
//! 3. Names of users and entries have one length each, so that tokens of one size differ by no byte in
//!    length.

use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{Algorithm, Issuer, TenantClaims};
use serde_json::json;

const DIRECTORY: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

/// What kind of server writes a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A user pool with groups. The token is bound to a resource, so that it has `aud` too.
    Cognito,
    /// A realm with roles of the realm and of the API's client.
    Keycloak,
    /// A directory with groups and roles by GUID, version 2.0.
    Entra,
    /// A machine with permissions.
    Auth0,
    /// A user of a workspace, from a user pool with groups.
    Aworld,
    /// An `OpenID` Provider without a name, with groups, roles and permissions.
    Oidc,
}

impl Shape {
    /// Those with a name.
    pub(crate) const NAMED: [Self; 5] = [
        Self::Cognito,
        Self::Keycloak,
        Self::Entra,
        Self::Auth0,
        Self::Aworld,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cognito => "Cognito",
            Self::Keycloak => "Keycloak",
            Self::Entra => "Entra",
            Self::Auth0 => "Auth0",
            Self::Aworld => "AWorld",
            Self::Oidc => "OIDC",
        }
    }

    pub(crate) fn issuer(self) -> MockIssuer {
        match self {
            Self::Cognito | Self::Aworld => MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEfGhI"),
            Self::Keycloak => MockIssuer::keycloak("https://id.example.com", "main"),
            Self::Entra => MockIssuer::entra(DIRECTORY),
            Self::Auth0 => MockIssuer::auth0("example.eu.auth0.com"),
            Self::Oidc => MockIssuer::new(),
        }
    }

    /// How an API trusts the issuer of this shape.
    pub(crate) fn trusted(self, issuer: &MockIssuer) -> Issuer {
        let tenants = TenantClaims::aworld().portal_client(MockIssuer::PORTAL_CLIENT_ID);
        // User pools sign with RS256 alone. Where very many tokens are made, it is ES256.
        let algorithms = [Algorithm::RS256, Algorithm::ES256];
        match self {
            Self::Cognito => issuer.trusted().algorithms(algorithms),
            Self::Aworld => issuer
                .trusted()
                .algorithms(algorithms)
                .tenant_claims(tenants),
            _ => issuer.trusted(),
        }
    }

    /// The token of one user or machine, with so many entries in its lists.
    pub(crate) fn token(self, issuer: &MockIssuer, name: usize, fill: usize) -> TokenBuilder {
        let subject = format!("2f1c7a52-6d1e-4b8e-9f0d-{name:012}");
        match self {
            Self::Cognito => issuer
                .token()
                .subject(&subject)
                .audience(MockIssuer::AUDIENCE)
                .claim("username", &subject)
                .scope("openid profile app/read app/write dashboard/read")
                .groups(entries(fill, "missions-", "-editors")),
            Self::Keycloak => {
                let roles: Vec<_> = entries(fill, "workspace-", "-edit").collect();
                let (realm, client) = roles.split_at(fill / 2);
                issuer
                    .token()
                    .subject(&subject)
                    .claim("preferred_username", format!("user-{name:06}"))
                    .claim("email", format!("user-{name:06}@customer.example"))
                    .roles(realm)
                    .claim(
                        "resource_access",
                        json!({
                            "orders-api": { "roles": client },
                            "account": { "roles": ["manage-account", "view-profile"] },
                        }),
                    )
            }
            Self::Entra => issuer
                .token()
                .subject(&subject)
                .audience(MockIssuer::AUDIENCE)
                .claim(
                    "preferred_username",
                    format!("user-{name:06}@customer.example"),
                )
                .claim("roles", ["Orders.Read.All"])
                .claim("wids", [guid(0xb79f)])
                .groups((0..fill).map(guid)),
            Self::Auth0 => issuer
                .client_token()
                .client(&format!("kT9vXw2LmQ8rZb5YnC{name:014}"))
                .scope("read:orders write:orders read:missions")
                .roles(entries(fill, "missions:workspace-", ":edit")),
            Self::Aworld => issuer
                .aworld_user()
                .subject(&subject)
                .claim("username", &subject)
                .account("acme-international")
                .workspace("acme-international-production")
                .user(&format!("user-{name:012}"))
                .principal(&format!("principal-{name:012}"))
                .claim("lang", "it")
                .claim("timezone", "Europe/Rome")
                .groups(entries(fill, "missions-", "-editors")),
            Self::Oidc => issuer
                .token()
                .subject(&subject)
                .scope("app/read app/write dashboard/read")
                .claim("email", format!("user-{name:06}@customer.example"))
                .claim("email_verified", true)
                .claim("sid", "7a0a3c0e-5a3e-4a26-b6d7-0f1d8a0b9c11")
                .claim("roles", ["editor", "auditor", "billing-reader"])
                .claim("permissions", ["missions:edit", "missions:publish"])
                .groups(entries(fill, "missions-", "-editors")),
        }
    }
}

fn entries(count: usize, before: &str, after: &str) -> impl Iterator<Item = String> {
    (0..count).map(move |index| format!("{before}{index:04}{after}"))
}

fn guid(number: usize) -> String {
    format!("{number:08x}-3b7c-4d51-9e0a-6f2d8c1b{number:04x}")
}
