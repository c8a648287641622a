//! The kinds of mock issuers: one constructor for each.

use super::issuer::MockIssuer;
use super::profile::Profile;

impl MockIssuer {
    /// An OpenID Provider, `https://issuer.test`; once served, its name is its base URL.
    #[must_use]
    pub fn new() -> Self {
        Self::make("https://issuer.test".into(), false, Profile::Oidc)
    }

    /// An OpenID Provider of this name, exactly; serving it does not change the name.
    #[must_use]
    pub fn named(issuer: impl Into<String>) -> Self {
        Self::make(issuer.into(), true, Profile::Oidc)
    }

    /// An issuer of this name, exactly, that follows RFC 9068.
    #[must_use]
    pub fn rfc9068(issuer: impl Into<String>) -> Self {
        Self::make(issuer.into(), true, Profile::Rfc9068)
    }

    /// An Amazon Cognito user pool, in its `cognito-idp` form.
    ///
    /// Its key set answers for both forms: for a token of the other, set
    /// [`TokenBuilder::issuer`](super::TokenBuilder::issuer).
    #[must_use]
    pub fn cognito(region: impl Into<String>, pool_id: impl Into<String>) -> Self {
        let (region, pool) = (region.into(), pool_id.into());
        let domain = match &*region {
            china if china.starts_with("cn-") => "amazonaws.com.cn",
            europe if europe.starts_with("eusc-") => "amazonaws.eu",
            _ => "amazonaws.com",
        };
        let name = format!("https://cognito-idp.{region}.{domain}/{pool}");
        Self::make(name, true, Profile::Cognito { region, pool })
    }

    /// A realm of Keycloak, named `<base_url>/realms/<realm>`, as [`presets::keycloak`](crate::presets::keycloak()) trusts it. Serving it
    /// does not change the name.
    ///
    /// The roles of its users are those that every user of a new realm has; set
    /// [`TokenBuilder::roles`](super::TokenBuilder::roles).
    #[must_use]
    pub fn keycloak(base_url: impl AsRef<str>, realm: impl Into<String>) -> Self {
        let base_url = base_url.as_ref().trim_end_matches('/').to_owned();
        let realm = realm.into();
        let name = format!("{base_url}/realms/{realm}");
        Self::make(name, true, Profile::Keycloak { base_url, realm })
    }

    /// A tenant of Microsoft Entra ID, by its directory id, with tokens of version 2.0, as
    /// [`presets::entra`](crate::presets::entra()) trusts it.
    ///
    /// A user's token has the scope `access_as_user`, a machine's has none, and `roles` where
    /// [`TokenBuilder::roles`](super::TokenBuilder::roles) sets them.
    #[must_use]
    pub fn entra(tenant_id: impl Into<String>) -> Self {
        let tenant = tenant_id.into();
        let name = format!("https://login.microsoftonline.com/{tenant}/v2.0");
        Self::make(name, true, Profile::Entra { tenant })
    }

    /// An Auth0 tenant or custom domain, such as `example.eu.auth0.com`, with the token profile that Auth0
    /// calls its own, as [`presets::auth0`](crate::presets::auth0()) trusts it. For an API whose tokens follow RFC 9068 use
    /// [`rfc9068`](Self::rfc9068).
    #[must_use]
    pub fn auth0(domain: impl Into<String>) -> Self {
        let domain = domain.into();
        let name = format!("https://{domain}/");
        Self::make(name, true, Profile::Auth0 { domain })
    }

    /// A custom authorization server of Okta, such as `("example.okta.com", "default")`, as
    /// [`presets::okta`](crate::presets::okta()) trusts it.
    #[must_use]
    pub fn okta(domain: impl Into<String>, authorization_server: impl Into<String>) -> Self {
        let (domain, server) = (domain.into(), authorization_server.into());
        let name = format!("https://{domain}/oauth2/{server}");
        Self::make(name, true, Profile::Okta { domain, server })
    }
}
