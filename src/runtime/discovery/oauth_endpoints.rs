//! The endpoints of an authorization server that its clients use, for documents: read on demand, once.

use std::sync::Arc;

use crate::runtime::discovery::metadata::{MetadataQuery, RefreshError};
use crate::runtime::http::client::Fetcher;
use crate::runtime::http::tls::HttpOptions;

/// Where clients of an authorization server go. At least one is known.
pub(crate) struct OAuthEndpoints {
    pub(crate) authorization: Option<String>,
    pub(crate) token: Option<String>,
}

/// Reads the endpoints from the first of these metadata documents that is about the issuer and has
/// them. A server without users has no authorization endpoint.
pub(crate) async fn discover_oauth_endpoints(
    issuer: &Arc<str>,
    candidates: &[String],
    http_options: &HttpOptions,
) -> Result<OAuthEndpoints, RefreshError> {
    let fetcher = Fetcher::for_lookups(http_options).map_err(RefreshError::Failed)?;
    let is_named = |found: &str| found == &**issuer;
    let query = |member| MetadataQuery {
        member,
        is_named: &is_named,
        plain_http: http_options.plain_http,
    };
    let token = query("token_endpoint").find(&fetcher, candidates).await;
    let authorization = query("authorization_endpoint")
        .find(&fetcher, candidates)
        .await;
    match (authorization, token) {
        (Err(_), Err(error)) => Err(error),
        (authorization, token) => Ok(OAuthEndpoints {
            authorization: authorization.ok(),
            token: token.ok(),
        }),
    }
}
