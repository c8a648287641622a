//! The settings of the check.

#![allow(clippy::expect_used)] // Test tooling: a panic is the report.

use std::collections::HashMap;
use std::fmt;

use http::request::Parts;
use serde::Serialize;
use serde_json::Value;

use crate::test_util::openapi_check::document::Document;

/// Calls every operation of an application's OpenAPI document without a token, with a token without
/// scope and with a good one, and finds each operation that answers otherwise than the document states,
/// and each that is open without having been declared public.
///
/// | the document states | without a token | without scope | with a good token |
/// |---|---|---|---|
/// | `security` with scopes | 401 with a challenge | 403; a challenge that names a scope names one of the document's | a documented status other than 400, 401 and 403 |
/// | `security` without scopes | 401 with a challenge | a documented status | the same |
/// | `security: []`, or `{}` in it, or [`public`](Self::public) | a documented status other than 400, 401 and 403 | a documented status | a documented status |
/// | no `security`, neither here nor for the whole document | always a fault; an open one unless the answer is 401 or 403 | | |
///
/// A status is documented by itself, by its range such as `2XX`, or by `default`. A status of 500 or
/// more is a fault in any case. In the row of public operations a status counts that the application
/// gives without looking at the token.
///
/// Parameters and bodies are the document's examples, or the simplest values that fit the schema; what
/// the application needs beyond them is set here. Operations are called in the document's order, each
/// without a token first. The calls change what the application keeps, so it is one for tests.
///
/// ```
/// use axum::{Router, routing::get};
/// use portcullis::test_util::{MockIssuer, OpenApiCheck};
/// use portcullis::{ResourceServer, Scoped};
/// use serde_json::json;
///
/// portcullis::scopes! { ReadOrders = "orders:read"; }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = MockIssuer::new();
/// let server = ResourceServer::builder(MockIssuer::AUDIENCE).issuer(issuer.trusted()).build()?;
/// let app = Router::new()
///     .route("/orders", get(async |_: Scoped<ReadOrders>| "all of them"))
///     .route("/debug", get(async || "open"))
///     .layer(server.authenticate().optional());
///
/// // Made by hand here; utoipa and aide make documents that are as good.
/// let answers = json!({ "200": {}, "401": {}, "403": {} });
/// let document = json!({ "paths": {
///     "/orders": { "get": { "security": [{ "oauth2": ["orders:read"] }], "responses": answers } },
///     "/debug": { "get": { "responses": answers } },
/// }});
/// let faults = OpenApiCheck::new(&document)
///     .good_token(issuer.token().scope("orders:read").sign())
///     .token_without_scope(issuer.token().sign())
///     .run(app)
///     .await
///     .unwrap_err();
/// assert_eq!(faults.iter().count(), 1);
/// assert!(faults.to_string().contains("GET /debug: it is open"));
/// # Ok(())
/// # }
/// ```
#[doc(alias("swagger", "openapi", "open_routes", "utoipa", "aide"))]
#[must_use]
pub struct OpenApiCheck {
    pub(super) document: Document,
    pub(super) good: Option<String>,
    pub(super) without_scope: Option<String>,
    pub(super) good_of: HashMap<(String, String), String>,
    pub(super) without_scope_of: HashMap<(String, String), String>,
    pub(super) public: Vec<(String, String)>,
    pub(super) skipped: Vec<(String, String)>,
    pub(super) refusals_only: Vec<(String, String)>,
    pub(super) path_parameters: HashMap<String, String>,
    pub(super) bodies: HashMap<(String, String), Value>,
    pub(super) prepare: Option<Prepare>,
}

pub(super) type Prepare = Box<dyn Fn(&mut Parts) + Send + Sync>;

impl OpenApiCheck {
    /// The check of an application that has this document: a `utoipa::openapi::OpenApi`, an
    /// `aide::openapi::OpenApi` or a `serde_json::Value`.
    ///
    /// # Panics
    ///
    /// When the document cannot be written as JSON, or has no operation.
    pub fn new(document: &impl Serialize) -> Self {
        let document = Document(serde_json::to_value(document).expect("a document of JSON"));
        assert!(
            !document.operations().is_empty(),
            "the OpenAPI document has no operation: nothing would be checked"
        );
        Self {
            document,
            good: None,
            without_scope: None,
            good_of: HashMap::new(),
            without_scope_of: HashMap::new(),
            public: Vec::new(),
            skipped: Vec::new(),
            refusals_only: Vec::new(),
            path_parameters: HashMap::new(),
            bodies: HashMap::new(),
            prepare: None,
        }
    }

    /// A token that may call every operation, sent as `Bearer`, or with its scheme before it, such as
    /// `DPoP eyJ..`. Must be set.
    pub fn good_token(mut self, token: impl Into<String>) -> Self {
        self.good = Some(token.into());
        self
    }

    /// A good token without any scope. Must be set.
    pub fn token_without_scope(mut self, token: impl Into<String>) -> Self {
        self.without_scope = Some(token.into());
        self
    }

    /// The good token of one operation, in the place of [`good_token`](Self::good_token). The path is the
    /// document's, such as `/orders/{id}`.
    pub fn good_token_of(mut self, method: &str, path: &str, token: impl Into<String>) -> Self {
        let operation = self.named(method, path);
        self.good_of.insert(operation, token.into());
        self
    }

    /// The token without scope of one operation, such as one with the binding that the operation demands.
    pub fn token_without_scope_of(
        mut self,
        method: &str,
        path: &str,
        token: impl Into<String>,
    ) -> Self {
        let operation = self.named(method, path);
        self.without_scope_of.insert(operation, token.into());
        self
    }

    /// Declares an operation public whose document does not: for documents that others make.
    pub fn public(mut self, method: &str, path: &str) -> Self {
        let operation = self.named(method, path);
        self.public.push(operation);
        self
    }

    /// Does not call this operation at all.
    pub fn skip(mut self, method: &str, path: &str) -> Self {
        let operation = self.named(method, path);
        self.skipped.push(operation);
        self
    }

    /// Does not make the call of this operation that must succeed, such as one that opens a WebSocket;
    /// those that must be refused are made.
    pub fn refusals_only(mut self, method: &str, path: &str) -> Self {
        let operation = self.named(method, path);
        self.refusals_only.push(operation);
        self
    }

    /// The value of a path parameter, for all operations that have one of this name, in the place of the
    /// document's example.
    #[allow(clippy::needless_pass_by_value)] // Numbers and texts.
    pub fn path_parameter(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.path_parameters.insert(name.into(), value.to_string());
        self
    }

    /// The JSON body of an operation, in the place of the document's example.
    ///
    /// # Panics
    ///
    /// When it cannot be written as JSON.
    pub fn body(mut self, method: &str, path: &str, body: &impl Serialize) -> Self {
        let operation = self.named(method, path);
        let body = serde_json::to_value(body).expect("a body of JSON");
        self.bodies.insert(operation, body);
        self
    }

    /// Changes every request before it is sent, such as by a DPoP proof, a `Host` or an extension. A
    /// request without a token has no `Authorization` by then.
    pub fn prepare(mut self, change: impl Fn(&mut Parts) + Send + Sync + 'static) -> Self {
        self.prepare = Some(Box::new(change));
        self
    }

    /// The key of an operation that a setting names.
    fn named(&self, method: &str, path: &str) -> (String, String) {
        let method = method.to_uppercase();
        let mut all = self.document.operations().into_iter();
        assert!(
            all.any(|one| one.method == method && one.path == path),
            "the OpenAPI document has no operation {method} {path}"
        );
        (method, path.to_owned())
    }
}

impl fmt::Debug for OpenApiCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations = self.document.operations();
        let names = operations
            .iter()
            .map(|one| format!("{} {}", one.method, one.path));
        f.write_str("OpenApiCheck ")?;
        f.debug_list().entries(names).finish()
    }
}
