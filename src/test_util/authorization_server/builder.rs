//! The settings of a development authorization server, and its start.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use axum::middleware::map_request;
use axum::serve::Listener;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::accounts::{Accounts, TestClient, TestUser};
use super::connections::{Ending, wait};
use super::endpoints::router;
use super::error::AuthorizationServerError;
use super::served::ServedAuthorizationServer;
use super::state::{Server, Settings};
use super::tls_peer::TlsPeer;
use crate::test_util::issuer::MockIssuer;

/// An authorization server for development and tests: any caller can sign in as any user.
///
/// | it has | by |
/// |---|---|
/// | authorization code with PKCE, S256 alone | RFC 6749, RFC 7636, RFC 9700, OpenID Connect Core |
/// | client credentials, refresh tokens with rotation | RFC 6749 |
/// | revocation, introspection (signed on request), userinfo | RFC 7009, RFC 7662, RFC 9701 |
/// | resource indicators, `iss` in the authorization response | RFC 8707, RFC 9207 |
/// | the device grant | RFC 8628 |
/// | DPoP, with nonces on request; mutual TLS | RFC 9449, RFC 8705 |
/// | metadata | OpenID Connect Discovery 1.0, RFC 8414 |
///
/// ```
/// use portcullis::ResourceServer;
/// use portcullis::test_util::{AuthorizationServer, MockIssuer, TestClient, TestUser};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let server = AuthorizationServer::new(MockIssuer::new())
///     .user(TestUser::new("alice").claim("email", "alice@example.com"))
///     .client(TestClient::public("spa").redirect_uri("http://localhost/callback"))
///     .serve()
///     .await?;
///
/// let api = ResourceServer::builder(MockIssuer::AUDIENCE).issuer(server.trusted()).build()?;
/// # let _ = api;
/// let url = format!(
///     "{}/authorize?response_type=code&client_id=spa&redirect_uri=http://localhost:3000/callback\
///      &code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
///     server.url(),
/// );
/// let back = server.sign_in(&url, "alice").await?;
/// assert!(back.starts_with("http://localhost:3000/callback?code="));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a server runs after `serve()`"]
pub struct AuthorizationServer {
    issuer: MockIssuer,
    accounts: Accounts,
    address: String,
    base_url: Option<String>,
    beyond_loopback: bool,
    settings: Settings,
}

impl AuthorizationServer {
    /// A server whose keys and tokens are those of this issuer, with [`Accounts::prepared`]. An issuer of
    /// [`MockIssuer::new`] takes the base URL as its name.
    pub fn new(issuer: MockIssuer) -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            issuer,
            accounts: Accounts::prepared(),
            address: "127.0.0.1:0".into(),
            base_url: None,
            beyond_loopback: false,
            settings: Settings {
                access_token_lifetime: HOUR,
                refresh_token_lifetime: HOUR * 24 * 30,
                opaque_access_tokens: false,
                dpop_nonces: false,
                admin: true,
                any_host: false,
            },
        }
    }

    /// Has these users and clients, and no others. Default: [`Accounts::prepared`].
    pub fn accounts(mut self, accounts: Accounts) -> Self {
        self.accounts = accounts;
        self
    }

    /// Adds a user, in place of one with this subject.
    pub fn user(mut self, user: TestUser) -> Self {
        self.accounts = self.accounts.user(user);
        self
    }

    /// Adds a client, in place of one with this id.
    pub fn client(mut self, client: TestClient) -> Self {
        self.accounts = self.accounts.client(client);
        self
    }

    /// Where to listen: an IP address on loopback, or `localhost` for 127.0.0.1, and a port; port 0 is any free
    /// one. Default: `127.0.0.1:0`.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// The URL that clients know it by, without a slash at its end, such as that of a proxy.
    /// Default: `http` and the address.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// How long access tokens and ID tokens are good, in whole seconds. Default: 1 hour.
    pub const fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.access_token_lifetime = lifetime;
        self
    }

    /// How long refresh tokens are good, counted from the sign-in, in whole seconds. Default: 30 days.
    pub const fn refresh_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.refresh_token_lifetime = lifetime;
        self
    }

    /// Issues opaque access tokens, which only introspection can judge
    /// ([`ServedAuthorizationServer::introspected`]). Default: JWTs.
    pub const fn opaque_access_tokens(mut self) -> Self {
        self.settings.opaque_access_tokens = true;
        self
    }

    /// Wants a nonce of the server in DPoP proofs (RFC 9449 section 8). Default: none.
    pub const fn dpop_nonces(mut self) -> Self {
        self.settings.dpop_nonces = true;
        self
    }

    /// Has no endpoints below `/admin`. Default: it has.
    pub const fn without_admin(mut self) -> Self {
        self.settings.admin = false;
        self
    }

    /// Settings that are dangerous.
    pub const fn danger(self) -> AuthorizationServerDanger {
        AuthorizationServerDanger(self)
    }

    /// Starts it. The port is open when this returns; keys are made in the background.
    ///
    /// # Errors
    ///
    /// [`AuthorizationServerError`]: a mistake in the accounts, or an address that cannot be had.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with I/O enabled.
    pub async fn serve(self) -> Result<ServedAuthorizationServer, AuthorizationServerError> {
        self.accounts.check()?;
        let cannot = |error| AuthorizationServerError::Bind(self.address.clone(), error);
        let (host, address) = resolved(&self.address)?;
        if !address.ip().is_loopback() && !self.beyond_loopback {
            return Err(AuthorizationServerError::BeyondLoopback(address));
        }
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let port = listener.local_addr().map_err(cannot)?.port();
        let base_url = self.base_url.clone();
        let url = base_url.unwrap_or_else(|| format!("http://{host}:{port}"));
        Ok(self.start(url, |server, stopped| {
            let socket = listener;
            let listener = Ending {
                socket,
                stopped: stopped.clone(),
            };
            axum::serve(listener, router(server))
                .with_graceful_shutdown(wait(stopped))
                .into_future()
        }))
    }

    /// Starts it on a socket of the caller's that speaks TLS, such as that of `examples/mock_issuer`. Its URL is
    /// `https` and the address, unless [`base_url`](Self::base_url) says otherwise; [`listen`](Self::listen)
    /// counts nothing.
    ///
    /// The certificates of clients ([`TlsPeer`]) authenticate them and bind their tokens (RFC 8705):
    /// see [`TestClient::certificate_thumbprint`]. The socket must take any certificate, or those of the authorities
    /// that `tls_client_auth` is about, and connections without one.
    ///
    /// # Errors
    ///
    /// [`AuthorizationServerError`]: a mistake in the accounts, or an address beyond loopback.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with I/O enabled.
    #[allow(clippy::unused_async)] // Like `serve`, it needs a runtime.
    pub async fn serve_tls<L>(
        self,
        listener: L,
    ) -> Result<ServedAuthorizationServer, AuthorizationServerError>
    where
        L: Listener<Addr = TlsPeer>,
    {
        self.accounts.check()?;
        let cannot = |error| AuthorizationServerError::Bind("the socket".into(), error);
        let address = listener.local_addr().map_err(cannot)?.address;
        if !address.ip().is_loopback() && !self.beyond_loopback {
            return Err(AuthorizationServerError::BeyondLoopback(address));
        }
        let base_url = self.base_url.clone();
        let url = base_url.unwrap_or_else(|| format!("https://{address}"));
        Ok(self.start(url, |server, stopped| {
            let app = router(server).layer(map_request(with_certificate));
            let listener = Ending {
                socket: listener,
                stopped: stopped.clone(),
            };
            axum::serve(
                listener,
                app.into_make_service_with_connect_info::<TlsPeer>(),
            )
            .with_graceful_shutdown(wait(stopped))
            .into_future()
        }))
    }

    fn start<S>(
        self,
        url: String,
        serve: impl FnOnce(&Arc<Server>, watch::Receiver<()>) -> S,
    ) -> ServedAuthorizationServer
    where
        S: Future<Output = io::Result<()>> + Send + 'static,
    {
        self.issuer.moved_to(&url);
        let issuer = self.issuer.clone();
        // An RSA key takes a tenth of a second.
        tokio::task::spawn_blocking(move || issuer.key_ids());
        let server = Arc::new(Server::new(self.issuer, url, self.settings, self.accounts));
        // It stops when the handle drops the sender.
        let (stop, stopped) = watch::channel(());
        tokio::spawn(serve(&server, stopped));
        ServedAuthorizationServer::new(server, stop)
    }
}

/// Puts the certificate of the connection where a TLS acceptor puts it.
async fn with_certificate(mut request: Request) -> Request {
    let peer = request.extensions().get::<ConnectInfo<TlsPeer>>();
    let certificate = peer.and_then(|ConnectInfo(peer)| peer.certificate.clone());
    if let Some(certificate) = certificate {
        request.extensions_mut().insert(certificate);
    }
    request
}

/// Dangerous settings of an [`AuthorizationServer`].
#[derive(Debug)]
#[must_use]
pub struct AuthorizationServerDanger(AuthorizationServer);

impl AuthorizationServerDanger {
    /// Lets [`listen`](AuthorizationServer::listen) name any address, and requests any host. A caller that reaches
    /// the address can sign in as anyone, and take every token that the server's APIs accept.
    pub fn listen_beyond_loopback(mut self) -> AuthorizationServer {
        self.0.beyond_loopback = true;
        self.0.settings.any_host = true;
        self.0
    }
}

/// The host as URLs write it, and the address.
fn resolved(text: &str) -> Result<(String, SocketAddr), AuthorizationServerError> {
    let wrong = || AuthorizationServerError::Address(text.to_owned());
    if let Ok(address) = text.parse::<SocketAddr>() {
        let (host, _) = text.rsplit_once(':').ok_or_else(wrong)?;
        return Ok((host.to_owned(), address));
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    if host.eq_ignore_ascii_case("localhost") {
        return Ok((
            host.to_ascii_lowercase(),
            SocketAddr::from(([127, 0, 0, 1], port)),
        ));
    }
    Err(wrong())
}
