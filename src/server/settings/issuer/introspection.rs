//! Settings of an introspected issuer: endpoint, requests, and the use of responses.

use std::time::Duration;

use crate::runtime::introspection::client_auth::ClientAuthentication;
use crate::runtime::introspection::dialect::TokenInformation;
use crate::server::settings::introspection_settings::{
    IntrospectedJwts, IntrospectionSettings, IntrospectionTarget,
};
use crate::server::settings::issuer::value::{Issuer, IssuerKind};

/// Issuers of tokens that only they can judge.
impl Issuer {
    /// An issuer whose tokens are judged by its introspection endpoint
    /// ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)). A server has one such issuer at most;
    /// every token that is no JWT goes to it, and to no other issuer.
    ///
    /// 1. Only the boolean `active: true` is good. `aud`, `iss`, `exp`, `nbf`, `scope`,
    ///    `client_id`, the claims of tenants and `cnf` are then read and checked like those of a
    ///    JWT, and all settings of claims hold; a member that is `null` or empty is absent. A
    ///    `token_type` other than `Bearer`, `access_token` or, with `cnf.jkt`, `DPoP` is refused, and
    ///    so is what is marked as an ID, refresh or logout token.
    /// 2. What the endpoint does not judge is 503: no answer, a broken one, any status but 200. That
    ///    concerns the token that was asked about, and others only when the endpoint is down.
    /// 3. Answers are remembered for a while; see
    ///    [`introspection_cache_life`](Self::introspection_cache_life).
    ///
    /// [`client_authentication`](Self::client_authentication) must follow.
    ///
    /// ```
    /// use portcullis::config::ClientAuthentication;
    /// use portcullis::{Issuer, ResourceServer};
    ///
    /// let issuer = || Issuer::introspected("https://as.example.com/introspect");
    /// let server = ResourceServer::builder("https://api.example.com").issuer(
    ///     issuer()
    ///         .identified_as("https://as.example.com")
    ///         .client_authentication(ClientAuthentication::basic("orders-api", "s3cr3t")),
    /// );
    /// assert!(server.build().is_ok());
    ///
    /// let unknown = ResourceServer::builder("https://api.example.com").issuer(issuer());
    /// assert_eq!(unknown.build().unwrap_err().setting(), "client_authentication");
    /// ```
    #[doc(alias = "introspection")]
    #[doc(alias = "opaque_token")]
    #[doc(alias = "rfc7662")]
    #[doc(alias = "token_introspection")]
    pub fn introspected(endpoint: impl Into<String>) -> Self {
        Self::new(IssuerKind::Introspected(IntrospectionTarget::Endpoint(
            endpoint.into(),
        )))
    }

    /// The same, where the issuer's metadata says where its `introspection_endpoint` is: OpenID
    /// Connect Discovery's document below the issuer, or RFC 8414's. It is looked for by
    /// [`connect()`](crate::ResourceServer::connect), and again by a request where it is not
    /// known; a document of another issuer is a mistake. [`discovery_url`](Self::discovery_url)
    /// names another place.
    pub fn introspection_discovered(issuer: impl Into<String>) -> Self {
        Self::new(IssuerKind::Introspected(IntrospectionTarget::Issuer(
            issuer.into(),
        )))
    }

    /// An issuer whose tokens are judged by a token information service, an older form of
    /// introspection. [`token_dialect`](Self::token_dialect) must follow: the form of the requests.
    /// The members of its answer are claims, and all settings of claims hold. An audience is not
    /// demanded, since such services state none.
    /// [`presets::axway`](crate::presets::axway) is that of Axway API Gateway.
    ///
    /// ```
    /// use portcullis::config::TokenInformation;
    /// use portcullis::{Issuer, ResourceServer};
    ///
    /// let service = || Issuer::token_information("https://gw.example.com/api/oauth/tokeninfo");
    /// let gateway = service()
    ///     .token_dialect(TokenInformation::field("token").bad_token_status(404))
    ///     .subject_claim("user");
    /// let server = ResourceServer::builder("https://api.example.com").issuer(gateway);
    /// assert!(server.build().is_ok());
    ///
    /// let speechless = ResourceServer::builder("https://api.example.com").issuer(service());
    /// assert_eq!(speechless.build().unwrap_err().setting(), "token_dialect");
    /// ```
    pub fn token_information(endpoint: impl Into<String>) -> Self {
        let target = IntrospectionTarget::Service(endpoint.into());
        Self {
            introspection: IntrospectionSettings {
                needs_audience: false,
                ..IntrospectionSettings::default()
            },
            ..Self::new(IssuerKind::Introspected(target))
        }
    }

    /// The identifier of the introspected issuer: the `iss` that its answers must have where they
    /// have any, the realm of its callers' ids, and its name in events. Default: the issuer that
    /// was given, else the endpoint.
    pub fn identified_as(mut self, issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        self.once.set("identified_as", &issuer);
        self.introspection_setting("identified_as", |settings| {
            settings.identifier = Some(issuer);
        })
    }

    /// How this server authenticates at the endpoint. Default: not at all, which only a
    /// [token information service](Self::token_information) may allow.
    #[doc(alias = "client_secret")]
    #[doc(alias = "client_credentials")]
    pub fn client_authentication(mut self, ours: ClientAuthentication) -> Self {
        self.once.set_opaque("client_authentication");
        if let Some(inner) = ours.once() {
            self.once.take_over(inner);
        }
        self.introspection_setting("client_authentication", |settings| {
            settings.authentication = Some(ours);
        })
    }

    /// The form of requests to the token information service and of its responses. Default: none; a
    /// [`token_information`](Self::token_information) issuer must have it.
    pub fn token_dialect(mut self, dialect: TokenInformation) -> Self {
        self.once.set_opaque("token_dialect");
        self.once.take_over(&dialect.once);
        self.introspection_setting("token_dialect", |settings| settings.dialect = Some(dialect))
    }

    /// Takes this status of the endpoint, 400 to 499 except 401, 403 and 429, as its word that a
    /// token is bad: some answer 400 for what is none of their tokens. Call it once for each.
    /// Default: none, since the same status may be about the question, and then good tokens would
    /// be refused.
    pub fn bad_token_status(self, status: u16) -> Self {
        self.introspection_setting("bad_token_status", |settings| {
            settings.bad_token.push(status);
        })
    }

    /// Asks about JWTs too, if their `iss` is exactly this issuer's identifier. Their signature
    /// is the endpoint's business. On a server that has no other issuer, every `b64token` is asked
    /// about, whatever its form: a JWT without `iss`, a JWE of five parts, a PASETO.
    ///
    /// Some endpoints judge none of their own JWTs (oidc-provider answers `400`
    /// `unsupported_token_type`): such a token is 401. Then leave this setting out and configure
    /// the same issuer twice, once to be verified here and once to be asked: a JWT goes to the
    /// keys and an opaque token to the endpoint.
    ///
    /// Default: JWTs are not asked about; those of an issuer that is configured to be verified
    /// here are verified, and all others are refused.
    pub fn introspect_jwts(self) -> Self {
        self.introspection_setting("introspect_jwts", |settings| {
            settings.jwts = IntrospectedJwts::Also;
        })
    }

    /// Asks about JWTs, as [`introspect_jwts`](Self::introspect_jwts) does, and about nothing
    /// else: a token of another form is answered 401 without introspection. For servers whose access tokens are JWTs and
    /// whose opaque tokens are refresh tokens that the endpoint describes in the same way. A JWT
    /// counts as one here if its `iss` is exactly this issuer's identifier.
    /// Default: opaque tokens are introspected.
    pub fn introspect_only_jwts(self) -> Self {
        self.introspection_setting("introspect_only_jwts", |settings| {
            settings.jwts = IntrospectedJwts::Only;
        })
    }

    /// Takes an answer with a client id, without a subject and without a user's name (`username`,
    /// `preferred_username`, `upn`) for one about a client that speaks for itself: its caller is a
    /// [`Client`](crate::tenant::Client). For endpoints that state no `sub` for client credentials. Leave
    /// it out where the endpoint may leave a user's `sub` and name out as well: such a user would
    /// count as the client. Default: without a subject the caller is a
    /// [`Subject`](crate::tenant::Subject), who reaches no tenant.
    pub fn clients_without_subject(self) -> Self {
        self.introspection_setting("clients_without_subject", |settings| {
            settings.clients_without_subject = true;
        })
    }

    /// Accepts an answer that names no audience; one that is named must be ours all the same.
    /// Then the endpoint alone decides which of its tokens this server may see
    /// (RFC 7662 section 4). Default: an audience is required, except for a
    /// [token information service](Self::token_information).
    pub fn audience_where_stated(self) -> Self {
        self.introspection_setting("audience_where_stated", |settings| {
            settings.needs_audience = false;
        })
    }

    /// Demands signed answers ([RFC 9701](https://www.rfc-editor.org/rfc/rfc9701)): by this
    /// issuer, for our client id, with one of its keys, which are found like any issuer's, and by
    /// one of its [`algorithms`](Self::algorithms). An unsigned answer is none, and neither is one
    /// whose `exp` has passed, whose `nbf` is to come, or whose `iat` is further from the
    /// question than [`signed_answer_age`](Self::signed_answer_age): an attacker could replay an old
    /// answer back. The [`leeway`](Self::leeway) is added to each. A remembered answer ends with the key that verified it.
    /// Default: answers count for the connection that they came by.
    pub fn signed_answers(self) -> Self {
        self.introspection_setting("signed_answers", |settings| settings.signed = true)
    }

    /// The same, for this audience in place of our client id; call it once for each.
    pub fn signed_answers_for(self, audience: impl Into<String>) -> Self {
        let audience = audience.into();
        self.introspection_setting("signed_answers_for", |settings| {
            settings.signed = true;
            settings.signed_for.push(audience);
        })
    }

    /// How far the `iat` of a signed answer may be from the moment of the question, either way:
    /// 1 s to 1 h, and the [`leeway`](Self::leeway) on top. A longer time is for a server that
    /// gives the same signed answer for a while; so a party between both can replay it for as long.
    /// Default: 5 min.
    pub fn signed_answer_age(self, age: Duration) -> Self {
        self.introspection_setting("signed_answer_age", |settings| {
            settings.signed = true;
            settings.signed_age = age;
        })
    }

    /// How long the response about an active token is cached: 1 s to 5 min, and
    /// never past its own end. So long a token may be used after the issuer has revoked it.
    /// Refusals, and answers that name no end, are remembered for 10 s at most. Default: 60 s.
    pub fn introspection_cache_life(mut self, life: Duration) -> Self {
        self.once.set("introspection_cache_life", &Some(life));
        self.introspection_setting("introspection_cache_life", |settings| {
            settings.life = Some(life);
        })
    }

    /// Caches no response: every request introspects its token. Default: responses are cached.
    pub fn without_introspection_cache(mut self) -> Self {
        self.once.set("introspection_cache_life", &None::<Duration>);
        self.introspection_setting("without_introspection_cache", |settings| {
            settings.life = None;
        })
    }

    /// How many introspection requests may run at a time: 1 to 1024. Up to 256 tokens wait for their
    /// turn; beyond that requests are answered 503. Default: 64.
    pub fn concurrent_introspections(mut self, most: usize) -> Self {
        self.once.set("concurrent_introspections", &most);
        self.introspection_setting("concurrent_introspections", |settings| {
            settings.calls = most;
        })
    }

    /// How long a request waits for the issuer's response before it is answered 503, by the server's
    /// clock: 10 ms to 30 s. The introspection request continues, and its response serves the next
    /// request. Default: 2 s.
    pub fn introspection_timeout(mut self, timeout: Duration) -> Self {
        self.once.set("introspection_timeout", &timeout);
        self.introspection_setting("introspection_timeout", |settings| {
            settings.wait_limit = timeout;
        })
    }

    fn introspection_setting(
        mut self,
        setting: &'static str,
        set: impl FnOnce(&mut IntrospectionSettings),
    ) -> Self {
        set(&mut self.introspection);
        self.introspection.set.push(setting);
        self
    }
}
