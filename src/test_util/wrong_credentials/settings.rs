//! The settings of the check.

#![allow(clippy::expect_used)] // Test tooling: a panic is the report.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{Method, Request};

use crate::ResourceServer;
use crate::test_util::issuer::MockIssuer;
use crate::test_util::proof::DpopKey;
use crate::test_util::tokens::TokenBuilder;

/// Sends an application every kind of wrong credential that this library knows, and finds each that is
/// not answered as documented: by its status, the error code and the form of the challenge, `Cache-Control`,
/// and by an answer that repeats nothing of the token. Each is sent a second time, and must not be let in then.
///
/// The wrong tokens are made of a good one, which must be accepted. Where it has a `scope`, the routes must
/// demand it; where it has AWorld's claims, tokens of another tenant and context are sent too.
/// [The manual](crate::manual::testing#wrong-credentials-by-name) has the table of all names.
///
/// ```
/// use axum::{Router, routing::get};
/// use portcullis::test_util::{MockIssuer, WrongCredentials};
/// use portcullis::{ResourceServer, Scoped};
///
/// portcullis::scopes! { ReadOrders = "orders:read"; }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = MockIssuer::new();
/// let server = ResourceServer::builder(MockIssuer::AUDIENCE).issuer(issuer.trusted()).build()?;
/// let app = Router::new()
///     .route("/orders", get(async |_: Scoped<ReadOrders>| "all of them"))
///     .route_layer(server.authenticate());
///
/// let good = issuer.token().scope("orders:read");
/// let sent = WrongCredentials::of(&good).get("/orders").run(app).await?;
/// assert!(sent > 80);
///
/// // A route without a guard, under an optional layer, lets in who sends nothing.
/// let open = Router::new()
///     .route("/orders", get(async || "all of them"))
///     .route_layer(server.authenticate().optional());
/// let check = WrongCredentials::of(&good).get("/orders").without_scope();
/// let faults = check.run(open).await.unwrap_err();
/// assert!(faults.to_string().contains("GET /orders `no_token`: the answer is 200, and must be 401"));
/// # Ok(())
/// # }
/// ```
#[doc(alias("negative_tests", "attack", "bad_tokens"))]
#[must_use]
pub struct WrongCredentials {
    pub(super) good: TokenBuilder,
    pub(super) requests: Vec<(Parts, Vec<u8>)>,
    pub(super) is_opaque: bool,
    pub(super) server: Option<ResourceServer>,
    pub(super) proof_key: Option<DpopKey>,
    pub(super) public_origin: String,
    pub(super) demands_scope: bool,
    pub(super) has_dpop: bool,
    pub(super) skipped: Vec<&'static str>,
    pub(super) prepare: Option<Prepare>,
}

pub(super) type Prepare = Arc<dyn Fn(&mut Parts) + Send + Sync>;

impl WrongCredentials {
    /// The check with wrong twins of this token, which the routes must accept.
    pub fn of(good: &TokenBuilder) -> Self {
        Self {
            good: good.clone(),
            requests: Vec::new(),
            is_opaque: false,
            server: None,
            proof_key: None,
            public_origin: MockIssuer::AUDIENCE.to_owned(),
            demands_scope: true,
            has_dpop: true,
            skipped: Vec::new(),
            prepare: None,
        }
    }

    /// Sends every credential to this path, by `GET`. Several calls add up.
    ///
    /// # Panics
    ///
    /// When it is no path.
    pub fn get(self, path: &str) -> Self {
        let request = Request::builder().method(Method::GET).uri(path);
        self.request(request.body(Vec::new()).expect("a path"))
    }

    /// Sends every credential with this request, which must succeed with a good token: method, URI, header
    /// fields and body are kept. The good token is sent more than once.
    pub fn request<B: Into<Vec<u8>>>(mut self, request: Request<B>) -> Self {
        let (parts, body) = request.into_parts();
        self.requests.push((parts, body.into()));
        self
    }

    /// Sends opaque tokens ([`TokenBuilder::issue`]) in the place of signed ones, for an application that
    /// introspects: credentials that are wrong by their form as a JWT are left out.
    pub fn opaque(mut self) -> Self {
        self.is_opaque = true;
        self
    }

    /// Sends revoked tokens too, which this server, the one of the application, is told to revoke. Opaque
    /// tokens are revoked at their issuer, without this setting; where introspection responses are cached,
    /// skip `revoked_after_use`.
    pub fn server(mut self, server: &ResourceServer) -> Self {
        self.server = Some(server.clone());
        self
    }

    /// The key that the good token is bound to: each token is sent under the scheme `DPoP` with a good
    /// proof. For routes that demand bound tokens. Default: `Bearer`.
    pub fn proven_by(mut self, key: &DpopKey) -> Self {
        self.proof_key = Some(key.clone());
        self
    }

    /// Scheme, host and port for the proofs: the server's
    /// [`public_origin`](crate::ResourceServerBuilder::public_origin). Default:
    /// [`MockIssuer::AUDIENCE`].
    pub fn public_origin(mut self, origin: impl Into<String>) -> Self {
        self.public_origin = origin.into();
        self
    }

    /// Leaves out what is about DPoP proofs, for a server that has
    /// [`Dpop::off`](crate::binding::Dpop::off) or knows no public origin. Tokens that are bound to a
    /// key are sent without a proof all the same.
    pub fn without_dpop(mut self) -> Self {
        self.has_dpop = false;
        self
    }

    /// Leaves out tokens without the scope, for routes that demand none although the good token has one.
    pub fn without_scope(mut self) -> Self {
        self.demands_scope = false;
        self
    }

    /// Changes every request before it is sent, such as by a `Host` or the extension
    /// [`ClientCertificate`](crate::binding::ClientCertificate).
    pub fn prepare(mut self, change: impl Fn(&mut Parts) + Send + Sync + 'static) -> Self {
        self.prepare = Some(Arc::new(change));
        self
    }
}

impl fmt::Debug for WrongCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = self.requests.iter();
        let requests = requests.map(|(parts, _)| format!("{} {}", parts.method, parts.uri));
        f.debug_struct("WrongCredentials")
            .field("requests", &requests.collect::<Vec<_>>())
            .field("skipped", &self.skipped)
            .finish_non_exhaustive()
    }
}
