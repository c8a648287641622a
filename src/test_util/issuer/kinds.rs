//! The kinds of mock issuers: one constructor for each.

use super::mock_issuer::MockIssuer;
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
    /// [`TokenBuilder::issuer`](crate::test_util::TokenBuilder::issuer).
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
    /// [`TokenBuilder::roles`](crate::test_util::TokenBuilder::roles).
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
    /// [`TokenBuilder::roles`](crate::test_util::TokenBuilder::roles) sets them.
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

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    fn part(token: &str, index: usize) -> Value {
        let part = token.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn tokens_of_a_vendor_have_its_shape() {
        const DIRECTORY: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        let shape = |token: &str| {
            let (header, payload) = (part(token, 0), part(token, 1));
            let names: Vec<_> = payload.as_object().unwrap().keys().cloned().collect();
            (header, names.join(" "), payload)
        };
        let keycloak = MockIssuer::keycloak("https://id.example.com/", "main");
        let (header, names, user) = shape(&keycloak.token().roles(["admin"]).sign());
        assert_eq!(user["iss"], "https://id.example.com/realms/main");
        assert_eq!(
            (&header["typ"], &user["typ"]),
            (&json!("JWT"), &json!("Bearer"))
        );
        assert_eq!(header["kid"].as_str().unwrap().len(), 43);
        assert_eq!(user["realm_access"], json!({"roles": ["admin"]}));
        assert_eq!(user["aud"], json!([MockIssuer::AUDIENCE, "account"]));
        assert_eq!(
            names,
            "acr allowed-origins aud auth_time azp email email_verified exp family_name given_name iat iss \
             jti name preferred_username realm_access resource_access scope sid sub typ"
        );
        let (_, _, machine) = shape(&keycloak.client_token().client("backend").sign());
        assert_eq!(machine["preferred_username"], "service-account-backend");
        assert_eq!(
            (&machine["azp"], &machine["client_id"]),
            (&json!("backend"), &json!("backend"))
        );
        assert_eq!(shape(&keycloak.id_token().sign()).2["typ"], "ID");
        assert_eq!(part(&keycloak.refresh_token(), 1)["typ"], "Refresh");

        let entra = MockIssuer::entra(DIRECTORY);
        let (header, names, user) = shape(&entra.token().scope("read write").sign());
        assert_eq!(
            user["iss"],
            format!("https://login.microsoftonline.com/{DIRECTORY}/v2.0")
        );
        assert_eq!(header["kid"].as_str().unwrap().len(), 27);
        assert_eq!(
            (&user["scp"], &user["tid"]),
            (&json!("read write"), &json!(DIRECTORY))
        );
        assert_eq!(
            names,
            "aio aud azp azpacr exp iat iss name nbf oid preferred_username rh scp sid sub tid uti ver"
        );
        let (_, _, other) = shape(&entra.token().subject("other").sign());
        assert_ne!(user["oid"], other["oid"]);
        let (_, _, machine) = shape(&entra.client_token().sign());
        assert_eq!(
            (&machine["idtyp"], &machine["sub"]),
            (&json!("app"), &machine["oid"])
        );
        let key = &serde_json::from_str::<Value>(&entra.key_set()).unwrap()["keys"][0];
        assert_eq!((&key["x5t"], &key["alg"]), (&key["kid"], &Value::Null));

        let auth0 = MockIssuer::auth0("example.eu.auth0.com");
        let (header, names, user) = shape(&auth0.token().roles(["admin"]).sign());
        assert_eq!(user["iss"], "https://example.eu.auth0.com/");
        assert_eq!(header["kid"].as_str().unwrap().len(), 21);
        assert_eq!(user["aud"][1], "https://example.eu.auth0.com/userinfo");
        assert_eq!(names, "aud azp exp iat iss permissions scope sub");
        let (_, names, machine) = shape(&auth0.client_token().sign());
        assert_eq!(names, "aud azp exp gty iat iss sub");
        assert_eq!(machine["sub"], format!("{}@clients", MockIssuer::CLIENT_ID));

        let okta = MockIssuer::okta("example.okta.com", "default");
        let (header, names, user) = shape(&okta.token().scope("read write").sign());
        assert_eq!(user["iss"], "https://example.okta.com/oauth2/default");
        assert!(header.get("typ").is_none());
        assert_eq!(user["scp"], json!(["read", "write"]));
        assert_eq!(names, "aud auth_time cid exp iat iss jti scp sub uid ver");
        let (_, names, machine) = shape(&okta.client_token().client("backend").sign());
        assert_eq!(names, "aud cid exp iat iss jti scp sub ver");
        assert_eq!(machine["sub"], machine["cid"]);
        let answer: Value =
            serde_json::from_str(&okta.introspection(&okta.token().sign())).unwrap();
        assert_eq!(answer["client_id"], MockIssuer::CLIENT_ID);
        assert_eq!(answer["scope"], "openid profile email");
    }
}
