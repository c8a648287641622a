//! The settings of an extraction.

#![allow(clippy::expect_used)] // Test tooling: a panic is the report.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::Route;
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use tower_layer::Layer;
use tower_service::Service;

use crate::test_util::extraction::refusal::ExtractionRefusal;
use crate::test_util::issuer::MockIssuer;
use crate::test_util::proof::DpopKey;
use crate::test_util::tokens::TokenBuilder;
use crate::{AuthenticateLayer, ResourceServer};

/// Makes verified values for unit tests of handlers: what an extractor finds in a request that has passed
/// the layer. Begun by [`TokenBuilder::extraction`], or by [`Extraction::new`] for a request without a
/// token.
///
/// [`TokenBuilder::extract`] is the short form. This is the long one, for another path, context, server
/// or header field:
///
/// ```
/// use portcullis::test_util::MockIssuer;
/// use portcullis::tenant::{AccountAccess, Delegation};
/// use portcullis::{RejectionKind, WorkspaceAccess};
///
/// let issuer = MockIssuer::new();
/// let elsewhere = issuer.aworld_user().extraction().path_parameter("workspace_id", "globex-prod");
/// let refusal = elsewhere.try_extract::<WorkspaceAccess>().unwrap_err();
/// assert_eq!(refusal.kind(), Some(RejectionKind::WrongTenant));
///
/// // A client that acts for a user, and a principal as the guest of a workspace.
/// let delegation: Delegation =
///     issuer.aworld_client().extraction().header("x-user-id", "user-1").extract();
/// assert_eq!(delegation.user().as_str(), "user-1");
/// let guest: WorkspaceAccess =
///     issuer.aworld_principal().extraction().context("app").admit_principals().extract();
/// assert_eq!(guest.workspace().as_str(), "acme-prod");
/// let account: AccountAccess = issuer.aworld_principal().extract();
/// assert_eq!(account.account().as_str(), "acme");
/// ```
///
/// # Defaults
///
/// | setting | default |
/// |---|---|
/// | [`server`](Self::server) | trusts the token's issuer as [`MockIssuer::trusted`] says, for [`MockIssuer::AUDIENCE`], by the issuer's clock |
/// | its tenant rules | where the token has one of AWorld's claims: [`TenantClaims::aworld`](crate::TenantClaims::aworld) with delegation, principals of [`MockIssuer::PORTAL_CLIENT_ID`] that reach the account `acme`, a directory in which `acme` owns the workspace `acme-prod`, and one that knows the user `user-1` |
/// | [`path_parameter`](Self::path_parameter) | `account_id` and `workspace_id`: the token's `accountId` and `workspaceId`; where it has none and the server is the default, `acme` and `acme-prod`; `account_id` alone for extractors that refuse a route with a workspace |
/// | [`context`](Self::context) | the token's `context` |
/// | the request | `GET`, with the token as `Bearer` and nothing else |
#[must_use]
pub struct Extraction<S = ()> {
    pub(super) state: S,
    /// The issuer of the token, for the default server.
    pub(super) issuer: Option<MockIssuer>,
    pub(super) has_tenant_claims: bool,
    pub(super) server: Option<ResourceServer>,
    pub(super) context: Option<String>,
    pub(super) is_optional: bool,
    pub(super) admits_principals: bool,
    pub(super) cover: Option<Cover>,
    pub(super) method: Method,
    pub(super) route: RoutePath,
    pub(super) headers: HeaderMap,
    pub(super) extensions: http::Extensions,
    pub(super) token: Option<String>,
    pub(super) proof_key: Option<DpopKey>,
}

/// Puts a layer around the route.
pub(super) type Cover = Arc<dyn Fn(Router) -> Router + Send + Sync>;

/// The pattern of the route and the path of the request.
pub(super) enum RoutePath {
    /// These parameters, one in each segment.
    Parameters {
        all: Vec<(String, String)>,
        /// Whether a test has set one.
        is_chosen: bool,
    },
    Written {
        pattern: String,
        path: String,
    },
}

impl TokenBuilder {
    /// What `T` extracts from a request with this token, signed: a verified value for the unit test of a
    /// handler. `T` is an extractor of this library, a guard around one, an `Option` of one, a tuple, or
    /// the application's own. The defaults are those of [`Extraction`].
    ///
    /// ```
    /// use portcullis::test_util::MockIssuer;
    /// use portcullis::{Scoped, WorkspaceAccess};
    ///
    /// portcullis::scopes! { ReadMissions = "app/read"; }
    ///
    /// async fn list(access: Scoped<ReadMissions, WorkspaceAccess>) -> String {
    ///     format!("missions of {}", access.workspace())
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let issuer = MockIssuer::new();
    /// assert_eq!(list(issuer.aworld_user().extract()).await, "missions of acme-prod");
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// When the layer or the extractor refuses, with the reason.
    #[must_use]
    #[track_caller]
    pub fn extract<T: axum::extract::FromRequestParts<()> + Send + 'static>(&self) -> T {
        self.extraction().extract()
    }

    /// The same, and what the client would be answered where it is refused.
    ///
    /// ```
    /// use portcullis::error::TokenFault;
    /// use portcullis::tenant::Principal;
    /// use portcullis::test_util::MockIssuer;
    /// use portcullis::{AccessToken, RejectionKind};
    ///
    /// let issuer = MockIssuer::new();
    /// let refusal = issuer.aworld_user().try_extract::<Principal>().unwrap_err();
    /// assert_eq!(refusal.kind(), Some(RejectionKind::WrongCaller));
    /// let refusal = issuer.token().expired().try_extract::<AccessToken>().unwrap_err();
    /// assert_eq!(refusal.kind(), Some(RejectionKind::InvalidToken(TokenFault::Expired)));
    /// ```
    ///
    /// # Errors
    ///
    /// The refusal of the layer or of the extractor.
    #[track_caller]
    pub fn try_extract<T: axum::extract::FromRequestParts<()> + Send + 'static>(
        &self,
    ) -> Result<T, ExtractionRefusal> {
        self.extraction().try_extract()
    }

    /// Begins an extraction from a request with this token, signed.
    pub fn extraction(&self) -> Extraction {
        let parameters = [("account_id", "accountId"), ("workspace_id", "workspaceId")];
        let parameters = parameters.into_iter().filter_map(|(name, claim)| {
            let value = self.text_claim(claim)?;
            Some((name.to_owned(), value.to_owned()))
        });
        let has_tenant_claims = [
            "accountId",
            "workspaceId",
            "userId",
            "principalId",
            "context",
        ]
        .iter()
        .any(|name| self.text_claim(name).is_some());
        Extraction {
            issuer: Some(self.mock_issuer().clone()),
            has_tenant_claims,
            server: None,
            context: self.text_claim("context").map(ToOwned::to_owned),
            route: RoutePath::Parameters {
                all: parameters.collect(),
                is_chosen: false,
            },
            ..Extraction::begun().bearer(self.sign())
        }
    }
}

impl Extraction {
    /// Begins an extraction from a request without a token and without path parameters, under a layer of
    /// this server. With [`optional`](Self::optional) it shows what a handler sees of such a request.
    ///
    /// ```
    /// use portcullis::test_util::{Extraction, MockIssuer};
    /// use portcullis::{AccessToken, RejectionKind, ResourceServer};
    ///
    /// let issuer = MockIssuer::new();
    /// let server = ResourceServer::builder(MockIssuer::AUDIENCE).issuer(issuer.trusted()).build()?;
    /// let anonymous: Option<AccessToken> = Extraction::new(&server).optional().extract();
    /// assert!(anonymous.is_none());
    /// let refusal = Extraction::new(&server).try_extract::<AccessToken>().unwrap_err();
    /// assert_eq!(refusal.kind(), Some(RejectionKind::MissingToken));
    /// # Ok::<(), portcullis::ConfigError>(())
    /// ```
    pub fn new(server: &ResourceServer) -> Self {
        Self::begun().server(server)
    }

    fn begun() -> Self {
        Self {
            state: (),
            issuer: None,
            has_tenant_claims: false,
            server: None,
            context: None,
            is_optional: false,
            admits_principals: false,
            cover: None,
            method: Method::GET,
            route: RoutePath::Parameters {
                all: Vec::new(),
                is_chosen: false,
            },
            headers: HeaderMap::new(),
            extensions: http::Extensions::new(),
            token: None,
            proof_key: None,
        }
    }
}

impl<S> Extraction<S> {
    /// The application's own server, with static keys such as those of [`MockIssuer::trusted`]. For guards of
    /// tenants add what the path names: [`path_parameter`](Self::path_parameter).
    pub fn server(mut self, server: &ResourceServer) -> Self {
        self.server = Some(server.clone());
        self
    }

    /// The application's own layer, such as [`ResourceServer::authenticate`] with its settings, or
    /// several in a `tower::ServiceBuilder`. It stands in the place of server, context,
    /// [`optional`](Self::optional) and [`admit_principals`](Self::admit_principals).
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.cover = Some(Arc::new(move |router| router.layer(layer.clone())));
        self
    }

    /// The context that the layer names: see [`AuthenticateLayer::context`].
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// Makes the layer optional: see [`AuthenticateLayer::optional`].
    pub fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// Makes the layer admit principals: see [`AuthenticateLayer::admit_principals`].
    pub fn admit_principals(mut self) -> Self {
        self.admits_principals = true;
        self
    }

    /// The state of the router, for extractors of the application that need it. Default: `()`.
    pub fn state<T>(self, state: T) -> Extraction<T> {
        Extraction {
            state,
            issuer: self.issuer,
            has_tenant_claims: self.has_tenant_claims,
            server: self.server,
            context: self.context,
            is_optional: self.is_optional,
            admits_principals: self.admits_principals,
            cover: self.cover,
            method: self.method,
            route: self.route,
            headers: self.headers,
            extensions: self.extensions,
            token: self.token,
            proof_key: self.proof_key,
        }
    }

    /// The method of the request. Default: `GET`.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Sets a path parameter of the route; others stay.
    #[allow(clippy::needless_pass_by_value)] // Numbers and texts.
    pub fn path_parameter(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        let (name, value) = (name.into(), value.to_string());
        let mut all = match self.route {
            RoutePath::Parameters { all, .. } => all,
            RoutePath::Written { .. } => Vec::new(),
        };
        all.retain(|(other, _)| *other != name);
        all.push((name, value));
        self.route = RoutePath::Parameters {
            all,
            is_chosen: true,
        };
        self
    }

    /// The pattern of the route and the path of the request, such as `/teams/{team}/members` and
    /// `/teams/7/members?page=2`, in the place of all path parameters.
    pub fn route(mut self, pattern: impl Into<String>, path: impl Into<String>) -> Self {
        self.route = RoutePath::Written {
            pattern: pattern.into(),
            path: path.into(),
        };
        self
    }

    /// Adds a header field to the request. Fields of one name add up.
    ///
    /// # Panics
    ///
    /// When it is no header field.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the name of a header field");
        let value = HeaderValue::from_bytes(value.as_ref()).expect("the value of a header field");
        self.headers.append(name, value);
        self
    }

    /// Sends this token as `Bearer`, in the place of the one that the extraction began with: a
    /// forgery such as [`TokenBuilder::unsigned`], say.
    pub fn bearer(mut self, token: impl Into<String>) -> Self {
        self.headers.remove(AUTHORIZATION);
        self.token = Some(token.into());
        self
    }

    /// Sends the token under the scheme `DPoP`, with a good proof by this key for the request. Bind the
    /// token to the key with [`TokenBuilder::bound_to_key`]; give the key the clock of the server.
    pub fn proven_by(mut self, key: &DpopKey) -> Self {
        self.proof_key = Some(key.clone());
        self
    }

    /// Puts a value into the request's extensions, such as the
    /// [`ClientCertificate`](crate::binding::ClientCertificate) of the connection.
    pub fn extension(mut self, value: impl Clone + Send + Sync + 'static) -> Self {
        self.extensions.insert(value);
        self
    }

    pub(super) fn layer_of(&self, server: &ResourceServer) -> AuthenticateLayer {
        let mut layer = server.authenticate();
        if let Some(context) = &self.context {
            layer = layer.context(context.as_str());
        }
        if self.is_optional {
            layer = layer.optional();
        }
        if self.admits_principals {
            layer = layer.admit_principals();
        }
        layer
    }
}

impl<S> fmt::Debug for Extraction<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extraction")
            .field("method", &self.method)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
