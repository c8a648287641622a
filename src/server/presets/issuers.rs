//! Issuers of providers and of profiles.

use std::time::Duration;

use crate::model::algorithm::Algorithm;
use crate::model::requirement::binding::Binding;
#[cfg(feature = "jwks")]
use crate::runtime::introspection::dialect::TokenInformation;
use crate::server::settings::issuer::value::Issuer;

impl Issuer {
    /// An issuer that follows the FAPI 2.0 Security Profile (final, 2025): [`Issuer::oidc`] with the
    /// rules of section 5.3.4 for resource servers and of section 5.4 for cryptography.
    ///
    /// | rule | value |
    /// |---|---|
    /// | [`require_binding`](Self::require_binding) | [`Binding::Any`]: to a DPoP key or to a client certificate |
    /// | [`algorithms`](Self::algorithms) | PS256, ES256, EdDSA and Ed25519 |
    /// | [`leeway`](Self::leeway) | 10 s: the difference of clocks that the profile has servers accept (section 5.3.2.1) |
    ///
    /// The same setters replace algorithms and leeway. The proofs of clients are a setting of the server:
    /// name the algorithms of the profile with [`Dpop::algorithms`](crate::binding::Dpop::algorithms).
    /// The manual has [each clause](crate::manual::bound_tokens#fapi-20), and the test that shows it.
    ///
    /// ```
    /// use portcullis::binding::Dpop;
    /// use portcullis::{Algorithm, Issuer, ResourceServer};
    ///
    /// let proofs = Dpop::accepted().algorithms([
    ///     Algorithm::PS256,
    ///     Algorithm::ES256,
    ///     Algorithm::EdDSA,
    ///     Algorithm::Ed25519,
    /// ]);
    /// let server = ResourceServer::builder("https://api.example.com")
    ///     .issuer(Issuer::fapi2("https://as.example.com"))
    ///     .dpop(proofs);
    /// # #[cfg(feature = "jwks")]
    /// assert!(server.build().is_ok());
    /// ```
    #[doc(alias("financial_grade", "open_banking"))]
    pub fn fapi2(issuer: impl Into<String>) -> Self {
        Self::oidc(issuer)
            .algorithms([
                Algorithm::PS256,
                Algorithm::ES256,
                Algorithm::EdDSA,
                Algorithm::Ed25519,
            ])
            .leeway(Duration::from_secs(10))
            .require_binding(Binding::Any)
            .preset()
    }
}

/// An Amazon Cognito user pool: the same as [`Issuer::cognito`]. At least one
/// [`client_id`](Issuer::client_id) must follow.
///
/// ```
/// use portcullis::presets;
///
/// let pool = presets::cognito("eu-west-1", "eu-west-1_AbCdEf").client_id("1example23456789");
/// # let _ = pool;
/// ```
pub fn cognito(region: impl Into<String>, pool_id: impl Into<String>) -> Issuer {
    Issuer::cognito(region, pool_id)
}

/// A realm of Keycloak 17 or later, at `<base_url>/realms/<realm>`; for older versions the base URL
/// ends in `/auth`. Roles are those of the realm, `realm_access.roles`; those of a client are at
/// `.roles_claim(["resource_access", "my-api", "roles"])`. Set the
/// [`audience`](Issuer::audience) that an audience mapper of the client writes.
///
/// ```
/// use portcullis::{ResourceServer, presets};
///
/// let realm = presets::keycloak("https://id.example.com", "main").audience("my-api");
/// # let server = ResourceServer::builder("https://api.example.com").issuer(realm);
/// # #[cfg(feature = "jwks")]
/// # assert!(server.build().is_ok());
/// ```
pub fn keycloak(base_url: impl AsRef<str>, realm: impl AsRef<str>) -> Issuer {
    let base = base_url.as_ref().trim_end_matches('/');
    Issuer::oidc(format!("{base}/realms/{}", realm.as_ref()))
        .roles_claim(["realm_access", "roles"])
        .preset()
}

/// An Auth0 tenant or custom domain, such as `example.eu.auth0.com`: `iss` is
/// `https://<domain>/`. Roles are the `permissions` that RBAC adds to the token. Set the
/// [`audience`](Issuer::audience) to the API's identifier. An API whose tokens follow the RFC 9068
/// profile is an [`Issuer::rfc9068`].
///
/// ```
/// use portcullis::presets;
///
/// let auth0 = presets::auth0("example.eu.auth0.com").audience("https://api.example.com");
/// # let _ = auth0;
/// ```
pub fn auth0(domain: impl AsRef<str>) -> Issuer {
    Issuer::oidc(format!("https://{}/", domain.as_ref()))
        .roles_claim("permissions")
        .preset()
}

/// One tenant of Microsoft Entra ID, by its directory id, with tokens of version 2.0: `iss` is
/// `https://login.microsoftonline.com/<tenant>/v2.0`, and `tid` must be the tenant. The scope is at
/// `scp`, application permissions are roles. Set the [`audience`](Issuer::audience) to the
/// application id of the API's registration.
///
/// ```
/// use portcullis::presets;
///
/// let entra = presets::entra("72f988bf-86f1-41af-91ab-2d7cd011db47")
///     .audience("11112222-bbbb-3333-cccc-4444dddd5555");
/// # let _ = entra;
/// ```
pub fn entra(tenant_id: impl Into<String>) -> Issuer {
    let tenant = tenant_id.into();
    Issuer::oidc(format!("https://login.microsoftonline.com/{tenant}/v2.0"))
        .require_claim("tid", tenant)
        .scope_claim("scp")
        .preset()
}

/// Several tenants of Microsoft Entra ID, each an issuer of its own: see
/// [`Issuer::oidc_tenants`]. Otherwise as [`entra`].
///
/// ```
/// use portcullis::presets;
///
/// let entra = presets::entra_tenants(["72f988bf-86f1-41af-91ab-2d7cd011db47"])
///     .audience("11112222-bbbb-3333-cccc-4444dddd5555");
/// # let _ = entra;
/// ```
pub fn entra_tenants(tenant_ids: impl IntoIterator<Item = impl Into<String>>) -> Issuer {
    let tenants = Issuer::oidc_tenants(
        "https://login.microsoftonline.com/{tenant}/v2.0",
        "tid",
        tenant_ids,
    );
    Issuer {
        preset_key_set_url: Some("https://login.microsoftonline.com/common/discovery/v2.0/keys"),
        ..tenants
    }
    .scope_claim("scp")
    .preset()
}

/// A custom authorization server of Okta: `okta("example.okta.com", "default")` has
/// `iss` = `https://example.okta.com/oauth2/default`. The scope is an array at `scp`, the client
/// at `cid`. Set the [`audience`](Issuer::audience) of the authorization server, `api://default`
/// for the one that is there from the start.
///
/// ```
/// use portcullis::presets;
///
/// let okta = presets::okta("example.okta.com", "default").audience("api://default");
/// # let _ = okta;
/// ```
pub fn okta(domain: impl AsRef<str>, authorization_server: impl AsRef<str>) -> Issuer {
    let (domain, server) = (domain.as_ref(), authorization_server.as_ref());
    Issuer::oidc(format!("https://{domain}/oauth2/{server}"))
        .scope_claim("scp")
        .client_id_claim("cid")
        .preset()
}

/// An instance of ZITADEL, by its domain. Roles are the names of the members of
/// `urn:zitadel:iam:org:project:roles`. Set the [`audience`](Issuer::audience) to the project. The
/// application's access tokens must be JWTs with asserted roles, by its settings.
///
/// ```
/// use portcullis::presets;
///
/// let zitadel = presets::zitadel("acme.zitadel.cloud").audience("266@proj");
/// # let _ = zitadel;
/// ```
pub fn zitadel(domain: impl AsRef<str>) -> Issuer {
    Issuer::oidc(format!("https://{}", domain.as_ref()))
        .roles_claim("urn:zitadel:iam:org:project:roles")
        .member_names_as_roles_and_groups()
        .preset()
}

/// Safewhere Identify, by its domain: `iss` is `https://<domain>/runtime/oauth2`. Roles are at
/// `urn:anyid:role`, one as a text and several as an array. An installation whose `iss` is an
/// entity id is an [`Issuer::oidc`] with the same two settings and a
/// [`key_set_url`](Issuer::key_set_url).
///
/// ```
/// use portcullis::presets;
///
/// let identify = presets::safewhere("id.example.com").audience("https://api.example.com");
/// # let _ = identify;
/// ```
pub fn safewhere(domain: impl AsRef<str>) -> Issuer {
    Issuer::oidc(format!("https://{}/runtime/oauth2", domain.as_ref()))
        .roles_claim("urn:anyid:role")
        .lone_roles_and_groups()
        .preset()
}

/// Axway API Gateway, which judges its opaque tokens at its token information service:
/// [`Issuer::token_information`] in the [`axway_dialect`], where `audience` is the client and
/// `user_id` the subject. No audience is stated, and none is demanded.
///
/// ```
/// use portcullis::{ResourceServer, presets};
///
/// let gateway = presets::axway("https://gateway.example.com:8089/api/oauth/tokeninfo")
///     .identified_as("https://gateway.example.com")
///     .client_id("0web123456789");
/// let server = ResourceServer::builder("https://api.example.com").issuer(gateway);
/// assert!(server.build().is_ok());
/// ```
#[cfg(feature = "jwks")]
pub fn axway(endpoint: impl Into<String>) -> Issuer {
    Issuer::token_information(endpoint)
        .token_dialect(axway_dialect())
        .subject_claim("user_id")
        .client_id_claim("audience")
        .preset()
}

/// How Axway API Gateway's token information service is asked: the field `access_token`, `400` for
/// any bad token, and the seconds that are left in `expires_in`.
#[cfg(feature = "jwks")]
pub fn axway_dialect() -> TokenInformation {
    TokenInformation::field("access_token")
        .bad_token_status(400)
        .lifetime_claim("expires_in")
        .preset()
}
