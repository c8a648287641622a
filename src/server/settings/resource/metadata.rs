//! What the metadata document of a resource says (RFC 9728 section 2).

use std::time::Duration;

use serde::Serialize;

use crate::server::settings::resource::value::Resource;

/// The metadata document, which [`ResourceServer::metadata`](crate::ResourceServer::metadata) serves.
/// On a resource without a document each of these is a mistake.
impl Resource {
    /// A name for people (`resource_name`), in no particular language. Not empty. Default: none.
    #[doc(alias("resource_name"))]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.once.set("name", &name);
        self.metadata.names.push((None, name));
        self
    }

    /// The name in this language (`resource_name#de`, RFC 9728 section 2.1); call it once for each.
    /// The language is a tag of RFC 5646, such as `de` or `fr-CA`. Default: none.
    #[doc(alias("resource_name"))]
    pub fn localized_name(mut self, language: impl Into<String>, name: impl Into<String>) -> Self {
        let (language, name) = (language.into(), name.into());
        self.once.set_for("localized_name", &language, &name);
        self.metadata.names.push((Some(language), name));
        self
    }

    /// The URL of documentation for developers (`resource_documentation`): `https`, or `http` on
    /// loopback. Default: none.
    #[doc(alias("resource_documentation"))]
    pub fn documentation(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.once.set("documentation", &url);
        self.metadata.documentation = Some(url);
        self
    }

    /// The URL of the rules for the use of data (`resource_policy_uri`): `https`, or `http` on
    /// loopback. Default: none.
    #[doc(alias("resource_policy_uri"))]
    pub fn policy(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.once.set("policy", &url);
        self.metadata.policy = Some(url);
        self
    }

    /// The URL of the terms of service (`resource_tos_uri`): `https`, or `http` on loopback.
    /// Default: none.
    #[doc(alias("resource_tos_uri"))]
    pub fn terms_of_service(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.once.set("terms_of_service", &url);
        self.metadata.terms_of_service = Some(url);
        self
    }

    /// The URL of the resource's own public keys (`jwks_uri`), such as the one that verifies
    /// [`sign_metadata`](Self::sign_metadata): `https`, or `http` on loopback. This library does not
    /// serve them. Default: none.
    pub fn jwks_uri(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.once.set("jwks_uri", &url);
        self.metadata.jwks_uri = Some(url);
        self
    }

    /// An authorization server that issues tokens for this resource (`authorization_servers`), by its
    /// issuer identifier: an `https` URL, or `http` on loopback, without a query; call it once for
    /// each. Default: the identifiers of the server's issuers that are such URLs.
    #[doc(alias("authorization_servers"))]
    pub fn authorization_server(mut self, issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        if !self.metadata.authorization_servers.contains(&issuer) {
            self.metadata.authorization_servers.push(issuer);
        }
        self
    }

    /// Says that tokens which are bound to a client certificate are accepted
    /// (`tls_client_certificate_bound_access_tokens`, RFC 8705). This library cannot know it: the
    /// certificate comes from the connection, or from a proxy. Default: said where such tokens are
    /// demanded.
    #[doc(alias("tls_client_certificate_bound_access_tokens", "mtls"))]
    pub fn accepts_certificate_bound_tokens(mut self) -> Self {
        self.metadata.accepts_certificate_bound_tokens = true;
        self
    }

    /// A further member of the document; call it once for each. `null` and empty lists are left out
    /// (RFC 9728 section 3.2). A name that this library writes itself is a mistake, and so is a
    /// value that is no JSON. Default: none.
    pub fn member(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).map_err(|error| error.to_string());
        let name = name.into();
        self.once.set_for("member", &name, &format!("{value:?}"));
        self.metadata.members.push((name, value));
        self
    }

    /// Signs the document too (`signed_metadata`, RFC 9728 section 2.2): a JWT with its members, with the
    /// resource as `iss` and the time of `build()` as `iat`. The key is one `PRIVATE KEY` block in
    /// PEM (PKCS#8): RSA of 2048 bits or more signs RS256, P-256 ES256, P-384 ES384, Ed25519 EdDSA.
    /// Default: not signed.
    #[doc(alias("signed_metadata"))]
    pub fn sign_metadata(mut self, pem: impl Into<String>) -> Self {
        let pem = pem.into();
        self.once.set("sign_metadata", &pem);
        self.metadata.signing_key = Some(pem);
        self
    }

    /// The `kid` of the key of [`sign_metadata`](Self::sign_metadata). Default: none is named.
    #[doc(alias("kid"))]
    pub fn metadata_key_id(mut self, key_id: impl Into<String>) -> Self {
        let key_id = key_id.into();
        self.once.set("metadata_key_id", &key_id);
        self.metadata.signing_key_id = Some(key_id);
        self
    }

    /// How long clients may keep the document (`max-age` of `Cache-Control`): 0 s to 7 days, in
    /// whole seconds. Default: 1 h.
    #[doc(alias("cache_control"))]
    pub fn metadata_max_age(mut self, age: Duration) -> Self {
        self.once.set("metadata_max_age", &age);
        self.metadata.max_age = Some(age);
        self
    }
}
