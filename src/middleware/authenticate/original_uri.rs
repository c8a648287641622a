//! The URI that the client has sent, where axum's nested routers have removed a prefix.

use axum::extract::OriginalUri;
use http::{Extensions, Uri};

/// What the outermost router has recorded.
pub(in crate::middleware) fn original_uri(extensions: &Extensions) -> Option<&Uri> {
    extensions.get::<OriginalUri>().map(|original| &original.0)
}
