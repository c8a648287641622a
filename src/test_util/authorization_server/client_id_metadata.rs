//! Clients whose id is the URL of their metadata (draft-ietf-oauth-client-id-metadata-document-01).
//!
//! 1. The id is an `https` URL with a path, or here an `http` URL on loopback (section 3).
//! 2. The document names itself, is small, and comes without a redirect (section 4).
//! 3. A document is kept for a minute; a failure is not kept.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::state::Server;
use crate::test_util::authorization_server::accounts::TestClient;
use crate::test_util::authorization_server::accounts::client_metadata::client_of;
use crate::test_util::authorization_server::outgoing::{fetch_json, is_allowed};

/// Section 6: the limit that it recommends.
const MAX_BYTES: usize = 5 * 1024;

const LIFETIME: Duration = Duration::from_secs(60);

impl Server {
    /// The client of this id, from its document; absent where there is none, or none that is good.
    pub(super) async fn client_by_document(&self, id: &str) -> Option<Arc<TestClient>> {
        if !is_client_id(id) {
            return None;
        }
        let body = fetch_json(id, MAX_BYTES).await.ok()?;
        let client = client_of_document(id, &body)?;
        let client = Arc::new(client.audiences(self.all_audiences()));
        let now = self.now();
        let end = now.saturating_add(LIFETIME);
        let shared = Arc::clone(&client);
        self.state()
            .registered_clients
            .insert(id.to_owned(), shared, end, now);
        Some(client)
    }
}

/// Section 3: which URLs are ids.
fn is_client_id(id: &str) -> bool {
    let path = id
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'));
    let Some((_, path)) = path.filter(|_| is_allowed(id) && !id.contains('#')) else {
        return false;
    };
    let path = path.split('?').next().unwrap_or_default();
    let is_dots = |segment: &str| {
        let segment = segment.replace("%2e", ".").replace("%2E", ".");
        segment == "." || segment == ".."
    };
    !path.split('/').any(is_dots)
}

fn client_of_document(id: &str, body: &[u8]) -> Option<TestClient> {
    let document: Map<String, Value> = serde_json::from_slice(body).ok()?;
    // Section 4.1: the document names itself, byte for byte.
    let is_its_own = document.get("client_id").and_then(Value::as_str) == Some(id);
    // Section 4.1: what everybody can read is no secret.
    let has_secret = ["client_secret", "client_secret_expires_at"]
        .iter()
        .any(|name| document.contains_key(*name));
    let method = document
        .get("token_endpoint_auth_method")
        .and_then(Value::as_str);
    let shares_secret = method.is_some_and(|method| method.starts_with("client_secret"));
    if !is_its_own || has_secret || shares_secret {
        return None;
    }
    client_of(&document, id.to_owned(), "none", || None).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_id_with_a_path_on_https_or_loopback_is_a_document() {
        for good in [
            "https://app.example/client.json",
            "https://app.example:8443/oauth/client?v=1",
            "http://127.0.0.1:9000/client",
            "https://app.example/",
        ] {
            assert!(is_client_id(good), "{good}");
        }
        for bad in [
            "spa",
            "https://app.example",
            "http://app.example/client",
            "https://app.example/a/../client",
            "https://app.example/%2e%2E/client",
            "https://app.example/client#part",
            "https://user:word@app.example/client",
            "https:///client",
            "ftp://app.example/client",
        ] {
            assert!(!is_client_id(bad), "{bad}");
        }
    }

    #[test]
    fn client_id_document_names_itself_and_shares_no_secret() {
        const ID: &str = "https://app.example/client.json";
        let document = |more: &str| {
            format!(r#"{{"client_id":"{ID}","redirect_uris":["https://app.example/cb"]{more}}}"#)
        };
        let client = client_of_document(ID, document("").as_bytes());
        assert!(client.is_some_and(|client| client.is_public()));
        for bad in [
            r#","client_secret":"x""#,
            r#","client_secret_expires_at":0"#,
            r#","token_endpoint_auth_method":"client_secret_basic""#,
            r#","grant_types":"authorization_code""#,
        ] {
            assert!(
                client_of_document(ID, document(bad).as_bytes()).is_none(),
                "{bad}"
            );
        }
        let other = client_of_document("https://app.example/other.json", document("").as_bytes());
        assert!(other.is_none());
    }
}
