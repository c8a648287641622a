//! The claims of each kind of issuer, as its vendor writes them.
//!
//! 1. Access tokens of users and machines, and ID tokens, have the claims that the vendor's own have
//!    without any setting of an administrator, and those that an API needs: an audience of its own.
//! 2. Values that depend on the vendor's installation are random, or belong to the subject or client.
//!
//! Sources: the vendors' documentation, and for Keycloak 26.2 its source.

use serde_json::{Map, Value, json};

use super::ids::{okta_id, random_base64url, random_id, stable_uuid};
use super::kinds::{Kind, Profile};
use crate::time::UnixTime;

/// What a token is about.
pub(in crate::test_util) struct Facts<'a> {
    pub(in crate::test_util) issuer: &'a str,
    pub(in crate::test_util) audience: &'a str,
    pub(in crate::test_util) subject: &'a str,
    pub(in crate::test_util) client: &'a str,
    pub(in crate::test_util) now: UnixTime,
    pub(in crate::test_util) expires_at: UnixTime,
}

/// What Cognito grants at a sign-in without a resource server: no API scope.
pub(in crate::test_util) const SIGN_IN_SCOPE: &str = "aws.cognito.signin.user.admin";

impl Profile {
    /// The claims of a token of this kind.
    pub(in crate::test_util) fn claims(&self, kind: Kind, facts: &Facts<'_>) -> Map<String, Value> {
        let mut claims = members(json!({
            "iss": facts.issuer,
            "sub": facts.subject,
            "iat": facts.now.as_secs(),
            "exp": facts.expires_at.as_secs(),
        }));
        if let Some(id) = self.token_id(kind) {
            claims.insert("jti".into(), id.into());
        }
        claims.extend(match kind {
            Kind::Access => members(self.user(facts)),
            Kind::Machine => members(self.machine(facts)),
            Kind::Id => members(self.id(facts)),
        });
        if kind != Kind::Machine {
            self.set_subject(&mut claims, facts.subject);
        }
        self.set_client(kind, &mut claims, facts.client);
        claims
    }

    /// `jti`. Entra has `uti` instead. Auth0 has none, unless the API's tokens follow RFC 9068.
    fn token_id(&self, kind: Kind) -> Option<String> {
        match (self, kind) {
            (Self::Entra { .. } | Self::Auth0 { .. }, _) => None,
            // An online or a transient session, a regular token, the grant.
            (Self::Keycloak { .. }, Kind::Access) => Some(format!("onrtac:{}", random_id())),
            (Self::Keycloak { .. }, Kind::Machine) => Some(format!("trrtcc:{}", random_id())),
            (Self::Okta { .. }, Kind::Id) => Some(format!("ID.{}", random_base64url(32))),
            (Self::Okta { .. }, _) => Some(format!("AT.{}", random_base64url(32))),
            _ => Some(random_id()),
        }
    }

    /// The claims of a user's access token beside the common ones.
    fn user(&self, facts: &Facts<'_>) -> Value {
        let now = facts.now.as_secs();
        match self {
            Self::Oidc | Self::Rfc9068 => json!({ "aud": facts.audience }),
            Self::Cognito { .. } => json!({
                "token_use": "access",
                "username": facts.subject,
                "scope": SIGN_IN_SCOPE,
                "version": 2,
                "auth_time": now,
                "origin_jti": random_id(),
                "event_id": random_id(),
            }),
            Self::Keycloak { realm, .. } => json!({
                "aud": [facts.audience, "account"],
                "typ": "Bearer",
                "auth_time": now,
                "sid": random_id(),
                "acr": "1",
                "allowed-origins": [],
                "realm_access": keycloak_roles(realm),
                "resource_access": account_roles(),
                "scope": "openid profile email",
                "email_verified": true,
                "name": "User One",
                "preferred_username": facts.subject,
                "given_name": "User",
                "family_name": "One",
                "email": "user-1@example.com",
            }),
            Self::Entra { tenant } => json!({
                "aud": facts.audience,
                "nbf": now,
                "aio": random_base64url(48),
                "azpacr": "0",
                "name": "User One",
                "preferred_username": "user-1@example.com",
                "rh": format!("1.{}", random_base64url(30)),
                "scp": "access_as_user",
                "sid": random_id(),
                "tid": tenant,
                "uti": random_base64url(16),
                "ver": "2.0",
            }),
            Self::Auth0 { .. } => json!({
                "aud": [facts.audience, format!("{}userinfo", facts.issuer)],
                "scope": "openid profile email",
            }),
            Self::Okta { .. } => json!({
                "ver": 1,
                "aud": facts.audience,
                "uid": okta_id("00u", facts.subject),
                "scp": ["openid", "profile", "email"],
                "auth_time": now,
            }),
        }
    }

    /// The claims of a machine's access token beside the common ones.
    fn machine(&self, facts: &Facts<'_>) -> Value {
        let now = facts.now.as_secs();
        match self {
            Self::Oidc | Self::Rfc9068 => json!({ "aud": facts.audience }),
            Self::Cognito { .. } => json!({
                "token_use": "access",
                "version": 2,
                "auth_time": now,
            }),
            Self::Keycloak { realm, .. } => json!({
                "aud": [facts.audience, "account"],
                "typ": "Bearer",
                "acr": "1",
                "allowed-origins": [],
                "realm_access": keycloak_roles(realm),
                "resource_access": account_roles(),
                "scope": "profile email",
                "clientHost": "127.0.0.1",
                "clientAddress": "127.0.0.1",
                "email_verified": false,
            }),
            Self::Entra { tenant } => json!({
                "aud": facts.audience,
                "nbf": now,
                "aio": random_base64url(24),
                "azpacr": "1",
                // An optional claim, which our rules for tenants need.
                "idtyp": "app",
                "rh": format!("1.{}", random_base64url(30)),
                "tid": tenant,
                "uti": random_base64url(16),
                "ver": "2.0",
            }),
            Self::Auth0 { .. } => json!({
                "aud": facts.audience,
                "gty": "client-credentials",
            }),
            // A token by client credentials always has a scope of the authorization server's own.
            Self::Okta { .. } => json!({
                "ver": 1,
                "aud": facts.audience,
                "scp": ["default"],
            }),
        }
    }

    /// The claims of an ID token beside the common ones.
    fn id(&self, facts: &Facts<'_>) -> Value {
        let now = facts.now.as_secs();
        let mut claims = members(json!({
            "email": "user-1@example.com",
            "email_verified": true,
        }));
        claims.extend(members(match self {
            Self::Oidc | Self::Rfc9068 => json!({
                "auth_time": now,
                "at_hash": random_base64url(16),
                "nonce": random_id(),
            }),
            Self::Cognito { .. } => json!({
                "auth_time": now,
                "at_hash": random_base64url(16),
                "token_use": "id",
                "cognito:username": facts.subject,
                "origin_jti": random_id(),
                "event_id": random_id(),
            }),
            Self::Keycloak { .. } => json!({
                "typ": "ID",
                "auth_time": now,
                "at_hash": random_base64url(16),
                "nonce": random_id(),
                "sid": random_id(),
                "acr": "1",
                "name": "User One",
                "preferred_username": facts.subject,
                "given_name": "User",
                "family_name": "One",
            }),
            Self::Entra { tenant } => json!({
                "nbf": now,
                "aio": random_base64url(48),
                "name": "User One",
                "nonce": random_id(),
                "preferred_username": "user-1@example.com",
                "rh": format!("1.{}", random_base64url(30)),
                "sid": random_id(),
                "tid": tenant,
                "uti": random_base64url(16),
                "ver": "2.0",
            }),
            Self::Auth0 { .. } => json!({
                "nickname": facts.subject,
                "name": "user-1@example.com",
                "picture": "https://s.gravatar.com/avatar/0",
                "sid": random_base64url(24),
                "nonce": random_id(),
            }),
            Self::Okta { .. } => json!({
                "ver": 1,
                "name": "User One",
                "preferred_username": "user-1@example.com",
                "amr": ["pwd"],
                "idp": okta_id("00o", facts.issuer),
                "nonce": random_id(),
                "auth_time": now,
                "at_hash": random_base64url(16),
            }),
        }));
        if matches!(self, Self::Entra { .. } | Self::Okta { .. }) {
            claims.remove("email_verified"); // They do not say.
        }
        Value::Object(claims)
    }

    /// A refresh token as it is given to a client: Cognito's is encrypted (RFC 7516), Keycloak's is a JWT with a
    /// secret of its own, those of the others are opaque.
    pub(in crate::test_util) fn refresh_token(&self, facts: &Facts<'_>) -> String {
        match self {
            Self::Oidc | Self::Rfc9068 | Self::Cognito { .. } => {
                let header = r#"{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}"#;
                let [key, iv, text, tag] = [256, 12, 1024, 16].map(random_base64url);
                format!(
                    "{}.{key}.{iv}.{text}.{tag}",
                    super::ids::base64url(header.as_bytes())
                )
            }
            Self::Keycloak { .. } => {
                let header =
                    json!({"alg": "HS512", "typ": "JWT", "kid": stable_uuid(facts.issuer)});
                let payload = json!({
                    "exp": facts.expires_at.as_secs(),
                    "iat": facts.now.as_secs(),
                    "jti": random_id(),
                    "iss": facts.issuer,
                    "aud": facts.issuer,
                    "sub": facts.subject,
                    "typ": "Refresh",
                    "azp": facts.client,
                    "sid": random_id(),
                    "scope": "openid profile email",
                });
                let [header, payload] = [header, payload]
                    .map(|part| super::ids::base64url(part.to_string().as_bytes()));
                format!("{header}.{payload}.{}", random_base64url(64))
            }
            Self::Entra { .. } => format!("1.{}", random_base64url(900)),
            Self::Auth0 { .. } => format!("v1.{}", random_base64url(44)),
            Self::Okta { .. } => random_base64url(32),
        }
    }
}

fn keycloak_roles(realm: &str) -> Value {
    let default = format!("default-roles-{}", realm.to_lowercase());
    json!({ "roles": ["offline_access", default, "uma_authorization"] })
}

fn account_roles() -> Value {
    json!({ "account": { "roles": ["manage-account", "manage-account-links", "view-profile"] } })
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
