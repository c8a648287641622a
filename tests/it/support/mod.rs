//! What the tests share: servers, an application around them, and what they talk to.

pub(crate) mod certificate;
pub(crate) mod endpoint;
pub(crate) mod folder;
pub(crate) mod golden;
pub(crate) mod introspection;
pub(crate) mod lease;
pub(crate) mod logs;
pub(crate) mod test_app;
pub(crate) mod tls_key_set;

use portcullis::test_util::MockIssuer;
use portcullis::{Issuer, ResourceServer, ResourceServerBuilder};
#[allow(unused_imports)] // The load tests take some of them.
pub(crate) use test_app::{Requests, TestApp, TestResponse};

/// The resource that the tests protect.
pub(crate) const API: &str = "https://api.example.com";

/// A server for [`API`] that trusts this issuer's present keys.
pub(crate) fn server(issuer: &MockIssuer) -> ResourceServer {
    builder(issuer).build().expect("a sound configuration")
}

/// The same, still open for settings.
pub(crate) fn builder(issuer: &MockIssuer) -> ResourceServerBuilder {
    ResourceServer::builder(API).issuer(issuer.trusted())
}

/// A server for [`API`] that trusts these issuers.
pub(crate) fn trusting(issuers: impl IntoIterator<Item = Issuer>) -> ResourceServer {
    issuers
        .into_iter()
        .fold(ResourceServer::builder(API), ResourceServerBuilder::issuer)
        .build()
        .expect("a sound configuration")
}
