//! Key sets whose address comes from a discovery document.

use super::{FirstAttemptError, RefreshError};
use crate::runtime::jwks::key_store::test_keys::{ISSUER, X1, X2, has, started};
use crate::runtime::jwks::key_store::test_server::{Server, document, ok, set, status};

#[tokio::test]
async fn discovery_tries_its_addresses_in_order_and_remembers() {
    let server = Server::start().await;
    server.set(
        "/two",
        ok(&document(ISSUER, &format!("{}/jwks", server.url))),
    );
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, clock) = started(&server, None);
    keys.first_attempt().await.expect("keys");
    assert!(has(&keys, "a"));
    keys.refresh_now().await.expect("keys");
    assert_eq!(
        (
            server.hits("/one"),
            server.hits("/two"),
            server.hits("/jwks")
        ),
        (1, 1, 2)
    );
    // After a failure the address is looked up again: it may have moved.
    server.set("/jwks", status(404, ""));
    keys.refresh_now().await.expect_err("404");
    server.set(
        "/two",
        ok(&document(ISSUER, &format!("{}/moved", server.url))),
    );
    server.set("/moved", ok(&set(&[("b", X2)])));
    keys.refresh_now().await.expect("keys");
    assert!(has(&keys, "b"));
    let hits = server.hits("/two");
    clock.advance(3_600);
    keys.refresh_now().await.expect("keys");
    assert!(server.hits("/two") > hits);
}

#[tokio::test]
async fn a_discovery_document_that_lies_is_refused() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let jwks = format!("{}/jwks", server.url);
    let (keys, _clock) = started(&server, None);
    keys.first_attempt().await.expect_err("404");
    // An empty `issuer` is one that is not there.
    server.set("/one", ok(&document("", &jwks)));
    let refused = keys.refresh_now().await;
    let lacks = "the discovery document has no string `issuer`".to_owned();
    assert_eq!(refused, Err(RefreshError::Failed(lacks)));
    for other in ["https://issuer.example.com/", "https://evil.example"] {
        server.set("/one", ok(&document(other, &jwks)));
        let refused = keys.refresh_now().await;
        let found = other.to_owned();
        assert_eq!(refused, Err(RefreshError::IssuerMismatch { found }));
    }
    let (second, _clock) = started(&server, None);
    let Err(FirstAttemptError::IssuerMismatch { configured, found }) = second.first_attempt().await
    else {
        panic!("no mismatch");
    };
    assert_eq!((&*configured, &*found), (ISSUER, "https://evil.example"));
    let hits = server.hits("/two");
    for lie in [
        format!(r#"{{"issuer":["{ISSUER}"],"jwks_uri":"{jwks}"}}"#),
        format!(r#"{{"issuer":"{ISSUER}"}}"#),
        format!(r#"{{"issuer":"{ISSUER}","jwks_uri":["{jwks}"]}}"#),
        format!(r#"{{"issuer":"https://evil.example","issuer":"{ISSUER}","jwks_uri":"{jwks}"}}"#),
        format!("[{}]", document(ISSUER, &jwks)),
        document(ISSUER, "file:///etc/passwd"),
        document(ISSUER, "http://169.254.169.254/current_set"),
        document(ISSUER, "https://user:secret@issuer.example.com/jwks"),
    ] {
        server.set("/one", ok(&lie));
        let refused = keys.refresh_now().await;
        let Err(RefreshError::Failed(text)) = refused else {
            panic!("{lie}: {refused:?}");
        };
        assert!(
            text.starts_with("the discovery document ") && !text.contains("secret"),
            "{text}"
        );
    }
    assert!(server.hits("/two") >= hits + 8);
    assert_eq!(server.hits("/jwks"), 0);
    assert!(keys.current().is_err());
}
