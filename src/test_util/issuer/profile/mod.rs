//! The kinds of issuer that a mock issuer can be: what their tokens look like.
//!
//! 1. A kind decides the claims of its tokens, the header parameter `typ`, the form of key ids and where
//!    the key set is. It decides nothing about validity.
//! 2. Where two claims state one fact, they change together: Okta's `sub` and `cid` of a machine, the
//!    `oid` of Entra and its `sub`.
//! 3. Ids that belong to a user or a client are computed from its name, so that they stay the same.

// In the order in which they may name each other.
mod ids;
mod kinds;
mod claims;

use serde_json::{Map, Value, json};

pub(in crate::test_util) use claims::{Facts, SIGN_IN_SCOPE};
pub(in crate::test_util) use kinds::{Kind, Profile};

use self::ids::{base64url, stable_uuid};
use crate::test_util::keys::random_bytes;

impl Profile {
    /// The header's `typ`.
    pub(in crate::test_util) const fn token_type(&self, kind: Kind) -> Option<&'static str> {
        match (self, kind) {
            (Self::Cognito { .. } | Self::Okta { .. }, _) => None,
            (Self::Rfc9068, Kind::Access | Kind::Machine) => Some("at+jwt"),
            _ => Some("JWT"),
        }
    }

    /// The id of the key of this number, from 1 on.
    pub(in crate::test_util) fn key_id(&self, number: usize) -> String {
        match self {
            Self::Oidc | Self::Rfc9068 | Self::Cognito { .. } => format!("key-{number}"),
            // As long as a SHA-256 thumbprint.
            Self::Keycloak { .. } | Self::Okta { .. } => base64url(&random_bytes(32)),
            // As long as the SHA-1 thumbprint of a certificate.
            Self::Entra { .. } => base64url(&random_bytes(20)),
            Self::Auth0 { .. } => base64url(&random_bytes(16)).chars().take(21).collect(),
        }
    }

    /// The path of the key set.
    pub(in crate::test_util) fn key_set_path(&self) -> String {
        match self {
            Self::Oidc | Self::Rfc9068 | Self::Cognito { .. } => "/jwks.json".into(),
            Self::Keycloak { realm, .. } => {
                format!("/realms/{realm}/protocol/openid-connect/certs")
            }
            Self::Entra { tenant } => format!("/{tenant}/discovery/v2.0/keys"),
            Self::Auth0 { .. } => "/.well-known/jwks.json".into(),
            Self::Okta { server, .. } => format!("/oauth2/{server}/v1/keys"),
        }
    }

    /// A key as this kind of issuer publishes it.
    pub(in crate::test_util) fn published(&self, issuer: &str, mut jwk: Value) -> Value {
        if let (Self::Entra { .. }, Some(members)) = (self, jwk.as_object_mut()) {
            let id = members.get("kid").cloned().unwrap_or_default();
            members.insert("x5t".into(), id);
            members.insert("issuer".into(), issuer.into());
            // Entra names no algorithm. A key that could sign several keeps its own.
            if members.get("alg").and_then(Value::as_str) == Some("RS256") {
                members.remove("alg");
            }
        }
        jwk
    }

    /// An introspection answer with the members of RFC 7662 section 2.2 beside the vendor's claims.
    pub(in crate::test_util) fn introspected(&self, mut answer: Value) -> Value {
        let (client, scope) = match self {
            Self::Oidc | Self::Rfc9068 | Self::Cognito { .. } => return answer,
            Self::Keycloak { .. } | Self::Auth0 { .. } => ("azp", "scope"),
            Self::Entra { .. } => ("azp", "scp"),
            Self::Okta { .. } => ("cid", "scp"),
        };
        if let Some(members) = answer.as_object_mut() {
            let scope = match members.get(scope) {
                Some(Value::Array(scopes)) => {
                    let scopes: Vec<_> = scopes.iter().filter_map(Value::as_str).collect();
                    Some(scopes.join(" ").into())
                }
                stated => stated.cloned(),
            };
            let client = members.get(client).cloned();
            for (name, value) in [("client_id", client), ("scope", scope)] {
                if let Some(value) = value {
                    members.insert(name.into(), value);
                }
            }
        }
        answer
    }

    /// Sets the subject, and what is computed from it.
    pub(in crate::test_util) fn set_subject(&self, claims: &mut Map<String, Value>, subject: &str) {
        claims.insert("sub".into(), subject.into());
        match self {
            Self::Entra { .. } => claims.insert("oid".into(), stable_uuid(subject).into()),
            Self::Okta { .. } if claims.contains_key("uid") => {
                claims.insert("uid".into(), ids::okta_id("00u", subject).into())
            }
            _ => None,
        };
    }

    /// Sets the client, and what follows it.
    pub(in crate::test_util) fn set_client(
        &self,
        kind: Kind,
        claims: &mut Map<String, Value>,
        client: &str,
    ) {
        match kind {
            Kind::Access => {}
            Kind::Machine => self.set_machine(claims, client),
            Kind::Id => {
                claims.insert("aud".into(), client.into());
            }
        }
        let names: &[&str] = match (self, kind) {
            (Self::Keycloak { .. }, Kind::Machine) => &["azp", "client_id"],
            (Self::Keycloak { .. }, _) => &["azp"],
            (_, Kind::Id) => &[],
            (Self::Oidc | Self::Rfc9068 | Self::Cognito { .. }, _) => &["client_id"],
            (Self::Entra { .. } | Self::Auth0 { .. }, _) => &["azp"],
            (Self::Okta { .. }, _) => &["cid"],
        };
        for name in names {
            claims.insert((*name).into(), client.into());
        }
    }

    fn set_machine(&self, claims: &mut Map<String, Value>, client: &str) {
        match self {
            Self::Oidc | Self::Rfc9068 | Self::Cognito { .. } | Self::Okta { .. } => {
                claims.insert("sub".into(), client.into());
            }
            // A service account is a user of the realm.
            Self::Keycloak { .. } => {
                claims.insert("sub".into(), stable_uuid(client).into());
                let name = format!("service-account-{client}");
                claims.insert("preferred_username".into(), name.into());
            }
            // The object id of the service principal.
            Self::Entra { .. } => {
                claims.insert("sub".into(), stable_uuid(client).into());
                claims.insert("oid".into(), stable_uuid(client).into());
            }
            Self::Auth0 { .. } => {
                claims.insert("sub".into(), format!("{client}@clients").into());
            }
        }
    }

    /// Sets scope tokens, with spaces between.
    pub(in crate::test_util) fn set_scope(&self, claims: &mut Map<String, Value>, scope: &str) {
        match self {
            Self::Entra { .. } => claims.insert("scp".into(), scope.into()),
            Self::Okta { .. } => {
                let scopes: Vec<_> = scope.split_ascii_whitespace().collect();
                claims.insert("scp".into(), json!(scopes))
            }
            _ => claims.insert("scope".into(), scope.into()),
        };
    }

    /// Sets the roles.
    pub(in crate::test_util) fn set_roles(
        &self,
        claims: &mut Map<String, Value>,
        roles: &[String],
    ) {
        match self {
            Self::Keycloak { .. } => {
                claims.insert("realm_access".into(), json!({ "roles": roles }))
            }
            Self::Auth0 { .. } => claims.insert("permissions".into(), json!(roles)),
            _ => claims.insert("roles".into(), json!(roles)),
        };
    }

    /// The claim that holds the groups.
    pub(in crate::test_util) const fn groups_claim(&self) -> &'static str {
        match self {
            Self::Cognito { .. } => "cognito:groups",
            _ => "groups",
        }
    }
}
