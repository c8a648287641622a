//! Settings of the layer that give up a protection.

use http::HeaderName;

use crate::middleware::authenticate::client_certificate::{CertificateProxy, SETTING};
use crate::middleware::authenticate::layer::AuthenticateLayer;
use crate::model::error::rejection_detail::Problem;
use crate::model::time::UnixTime;
use crate::verify::request::certificate_header::ClientCertificateHeader;
use crate::verify::request::trusted_peers::TrustedPeers;

impl<M, E> AuthenticateLayer<M, E> {
    /// Settings that give up a protection: tokens from other places than `Authorization`, and the
    /// client's certificate from a header field.
    pub fn danger(self) -> DangerousLayer<M, E> {
        DangerousLayer(self)
    }
}

/// Settings of an [`AuthenticateLayer`] that give up a protection. Each leads back to the layer.
///
/// The sources of tokens add up, with each other and with `Authorization`, and a request holds exactly
/// one credential in all of them: two are answered 400
/// [`SeveralCredentials`](crate::error::RequestFault::SeveralCredentials), whatever they hold. Cookies
/// and headers hold the bare token, without a scheme. An empty value is answered 400, and so is
/// one that is no `b64token`; quotes are not removed.
#[derive(Clone, Debug)]
#[must_use]
pub struct DangerousLayer<M, E>(AuthenticateLayer<M, E>);

impl<M, E> DangerousLayer<M, E> {
    /// Reads the token from this cookie too, for safe methods alone: GET, HEAD, OPTIONS and
    /// TRACE (RFC 9110 section 9.2.1), and never for a request with an `Upgrade` field.
    ///
    /// What is given up: a browser sends cookies with requests of any page, so every page on the web
    /// can make requests in the caller's name, and a neighbour under the same site can plant a
    /// cookie of its own. With this setting such requests cannot change anything, provided that
    /// your safe methods are safe; use [`token_cookie_from`](Self::token_cookie_from) for the
    /// others. A cookie on a request for which it does not count is answered 401
    /// [`MissingToken`](crate::RejectionKind::MissingToken), under
    /// [`optional`](AuthenticateLayer::optional) too: the request is never silently anonymous.
    /// A layer that overrides methods goes outside this one.
    ///
    /// Set the cookie with `HttpOnly`, `Secure`, `SameSite=Lax` or `Strict`, and a name that
    /// begins with `__Host-`, which keeps neighbours from planting one. The name is compared
    /// byte for byte; one that no cookie can have (RFC 6265 section 4.1.1) finds none. With two
    /// settings for one name that differ in their origins the layer answers every request 500.
    pub fn token_cookie(self, name: impl AsRef<str>) -> AuthenticateLayer<M, E> {
        self.token_cookie_from(name, [""; 0])
    }

    /// Reads the token from this cookie too, as [`token_cookie`](Self::token_cookie) does, and
    /// for other methods and upgrades where the request has exactly one `Origin` field that is
    /// one of these, byte for byte, such as `https://app.example.com`, without a slash at the
    /// end. An absent `Origin`, another one and `null` make the cookie not count.
    ///
    /// What is given up: a script on one of these origins acts in the name of
    /// every caller who visits it. Safe methods need no `Origin`, since browsers send none with
    /// most of them. Here too: `__Host-`, `HttpOnly`, `Secure`, `SameSite`.
    pub fn token_cookie_from<O: AsRef<str>>(
        mut self,
        name: impl AsRef<str>,
        origins: impl IntoIterator<Item = O>,
    ) -> AuthenticateLayer<M, E> {
        let origins = origins
            .into_iter()
            .map(|origin| origin.as_ref().as_bytes().into())
            .collect();
        let is_one = self.0.sources.add_cookie(name.as_ref(), origins);
        self.0.demand("token_cookie", is_one, Problem::Contradicts)
    }

    /// Reads the token from the subprotocols of a WebSocket too: a browser cannot set
    /// `Authorization` there, and its script writes `new WebSocket(url, ["bearer", token])`, which
    /// is sent as `Sec-WebSocket-Protocol: bearer, <token>`. The marker, here `bearer`, comes last
    /// but one and the token last; the subprotocols of the application come before. It counts for
    /// requests that open a WebSocket alone: GET with `Upgrade: websocket` over HTTP/1.1
    /// (RFC 6455), and `CONNECT` with `Sec-WebSocket-Version` over HTTP/2 (RFC 8441). A marker on
    /// another request is answered 401 [`MissingToken`](crate::RejectionKind::MissingToken), under
    /// [`optional`](AuthenticateLayer::optional) too; a marker without a token 400
    /// [`NoCredentials`](crate::error::RequestFault::NoCredentials), and one with more than one element
    /// behind it, or two markers, 400
    /// [`SeveralCredentials`](crate::error::RequestFault::SeveralCredentials).
    ///
    /// A browser fails the connection unless the server selects one of its subprotocols: select
    /// the marker or one of your own, and **never the token**, which the answer would repeat. In
    /// axum that is `WebSocketUpgrade::protocols(["bearer"])`. What is given up: proxies and logs
    /// write this field down, which they do not with `Authorization`, so let such tokens be short
    /// lived. The marker is compared byte for byte; with one that no subprotocol can have (RFC 6455
    /// section 4.1) the layer answers every request 500.
    pub fn token_subprotocol(mut self, marker: impl AsRef<str>) -> AuthenticateLayer<M, E> {
        let is_token = self.0.sources.add_marker(marker.as_ref());
        self.0
            .demand("token_subprotocol", is_token, Problem::Malformed)
    }

    /// Reads the token from this header field too, without a scheme, for any method.
    ///
    /// What is given up: proxies, logs and caches know that `Authorization` is secret and must
    /// not be reused for others (RFC 9111 section 3.5); of this field they know nothing. Where
    /// a proxy sets it, a client that reaches the service past the proxy can set it too; that is
    /// harmless only as long as the token is judged, as it is here. `Authorization`, `Cookie` and
    /// `Sec-WebSocket-Protocol` have rules of their own, and naming them changes nothing.
    pub fn token_header(mut self, name: HeaderName) -> AuthenticateLayer<M, E> {
        self.0.sources.add_header(name);
        self.0
    }

    /// Lets requests go on that this layer, or a [`RequireLayer`](crate::layer::RequireLayer) or
    /// [`RequireScopeLayer`](crate::layer::RequireScopeLayer) behind it, refuses, until `until`: to see what
    /// would break before it does. From that time on, by the server's clock, they are refused; no deploy
    /// is needed for that.
    ///
    /// What is given up, until then: everything. A request with a bad token or with none goes on as one
    /// under [`optional`](AuthenticateLayer::optional) where nothing was sent, with **no caller**: what runs
    /// behind the layer must not take the layer for protection. Extractors that have to make a value, such
    /// as [`AccessToken`](crate::AccessToken), [`Scoped`](crate::Scoped) and
    /// [`WorkspaceAccess`](crate::WorkspaceAccess), refuse all the same, and so does the layer for MCP. What is 500
    /// stays 500. `Option<Scoped<R>>` is no way out: it is `None` without a token, and refuses a good token that
    /// lacks the scope. Take `Option<AccessToken>`, and demand the scope by `RequireScopeLayer`.
    ///
    /// Each such request is a decision [`Observed`](crate::observe::DecisionOutcome::Observed), is logged
    /// and counted as a refusal, and counted in
    /// [`observe_only_status`](crate::ResourceServer::observe_only_status). A warning is logged when this
    /// setting is made, and at most once a minute while requests go on.
    ///
    /// `until` is at most 90 days after this call; with a later time the layer enforces from the
    /// beginning, and a warning says so: a longer observation is one that was forgotten. With two different
    /// times it answers every request 500. Default: the layer enforces.
    ///
    /// ```
    /// use portcullis::time::UnixTime;
    /// # use portcullis::{Issuer, ResourceServer};
    ///
    /// # let server = ResourceServer::builder("https://api.example.com")
    /// #     .issuer(Issuer::oidc("https://id.example.com"))
    /// #     .build()?;
    /// // A fixed end, which no restart moves: `date -u -d '2026-12-31 23:59:59' +%s`
    /// let last_second = UnixTime::from_secs(1_798_761_599);
    /// let layer = server.authenticate().danger().observe_only_until(last_second);
    /// # let _ = layer;
    /// # Ok::<(), portcullis::ConfigError>(())
    /// ```
    #[doc(alias("dry_run", "report_only", "shadow_mode", "audit_mode"))]
    pub fn observe_only_until(mut self, until: UnixTime) -> AuthenticateLayer<M, E> {
        let is_one = self.0.set_observe_only(until);
        self.0
            .demand("observe_only_until", is_one, Problem::Contradicts)
    }

    /// Believes the header field in which a proxy that terminates TLS sends the certificate of the
    /// client (RFC 8705 section 6.5), where the request's connection comes from one of these peers.
    ///
    /// What is given up: the binding of a token to a certificate rests on the proxy. A peer of
    /// the list can state any certificate, and a proxy that passes on the field of its clients
    /// lets each of them do so. The proxy has to remove or replace the field in every request
    /// (RFC 9440 section 4). Keep the list short, and the service unreachable past the proxy.
    ///
    /// The peer's address is that of the connection: [`PeerAddress`](crate::binding::PeerAddress)
    /// in the request's extensions or, with the features `axum` and `jwks`,
    /// `ConnectInfo<SocketAddr>`, which `into_make_service_with_connect_info` puts there.
    ///
    /// | peer | header field | what happens |
    /// |---|---|---|
    /// | trusted | one certificate | it becomes the request's [`ClientCertificate`](crate::binding::ClientCertificate), and the field stays for the application |
    /// | trusted | absent or empty | the request has no certificate |
    /// | trusted | malformed, too long, repeated | 400 [`ClientCertificate`](crate::error::RequestFault::ClientCertificate) |
    /// | another, or unknown | any | the field is removed; the certificate of the peer's own TLS connection, if any, stays |
    ///
    /// A certificate that the acceptor of TLS has put into a trusted peer's request is the
    /// proxy's own, and is removed. With the forms of AWS and RFC 9440, the other fields about the
    /// certificate are removed together with it. With an empty list of peers, with two different
    /// values, or with `Authorization`, `Cookie` or `Host` as the name of the field, the layer
    /// answers every request 500. Default: no header field is read or removed.
    pub fn client_certificate_header(
        mut self,
        header: ClientCertificateHeader,
        peers: TrustedPeers,
    ) -> AuthenticateLayer<M, E> {
        let (has_peers, is_usable) = (!peers.is_empty(), header.is_usable());
        let proxy = CertificateProxy { header, peers };
        let is_one = self.0.set_certificate_proxy(proxy);
        self.0
            .demand(SETTING, has_peers, Problem::Empty)
            .demand(SETTING, is_usable, Problem::Malformed)
            .demand(SETTING, is_one, Problem::Contradicts)
    }
}
