//! Bound tokens of `oidc-provider`: to the key of a DPoP proof and to a client certificate, as JWT
//! and opaque.
//!
//! Where the two formats differ: a JWT states its binding in `cnf`, and the introspection response
//! of an opaque token states it too, with `token_type` "DPoP" for the one and "Bearer" for the other.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use portcullis::binding::{Binding, Dpop};
use portcullis::test_util::{DpopKey, TestCertificate};
use portcullis::{Issuer, Scoped};
use serde_json::{Value, json};

use super::house::{Foreign, builder, clock, json as answer_of, names, opened, posting, text};
use super::oidc_provider::{bound_to_certificate, bound_to_key, machine};
use super::opaque::{OPAQUE, ours};
use crate::support::{API, Requests as _};

portcullis::scopes! {
    Read = "missions/read";
}

/// The API with this issuer, which demands bound tokens.
async fn app(issuer: Issuer) -> Router {
    let server = builder(issuer, &clock())
        .dpop(Dpop::accepted())
        .require_binding(Binding::Any)
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("the provider is up");
    Router::new()
        .route("/read", get(|_: Scoped<Read>| async {}))
        .route_layer(server.authenticate())
}

/// The same provider by each way of verification, with the resource whose tokens take it.
async fn apps(provider: &Foreign) -> [(&'static str, Router, &'static str); 3] {
    let introspected = || {
        Issuer::introspection_discovered(provider.url())
            .client_authentication(ours())
            .audience(OPAQUE)
    };
    [
        ("JWT", app(Issuer::rfc9068(provider.url())).await, API),
        ("opaque", app(introspected()).await, OPAQUE),
        (
            "opaque, signed response",
            app(introspected().signed_answers()).await,
            OPAQUE,
        ),
    ]
}

/// What the provider itself says about an opaque token.
async fn introspected(provider: &Foreign, token: &str) -> Value {
    let url = format!("{}/token/introspection", provider.url());
    // Each half is form-encoded before it is joined (RFC 6749 section 2.3.1).
    let request = posting(&url, &[("token", token)])
        .basic_auth("api", Some("api%3A+a+secret%2C+100%25+of+it"));
    answer_of(request).await
}

async fn by_proof(app: &Router, token: &str, proof: &str) -> String {
    let request = Request::get("/read")
        .header("authorization", format!("DPoP {token}"))
        .header("dpop", proof);
    let request = request.body(Body::empty()).expect("a request");
    app.exchange(request).await.verdict()
}

async fn by_certificate(app: &Router, token: &str, shown: &TestCertificate) -> String {
    let request = Request::get("/read")
        .header("authorization", format!("Bearer {token}"))
        .extension(shown.certificate().clone());
    let request = request.body(Body::empty()).expect("a request");
    app.exchange(request).await.verdict()
}

#[tokio::test]
#[ignore = "needs oidc-provider from tests/interop/install"]
async fn dpop_tokens_of_oidc_provider_are_good_with_their_clients_key_alone() {
    let provider = Foreign::oidc_provider(0).await;
    let (owner, thief) = (DpopKey::generate(), DpopKey::generate());
    let url = format!("{API}/read");
    for (way, app, resource) in apps(&provider).await {
        let token = bound_to_key(&provider, resource, &owner).await;
        let confirmed = json!({"jkt": owner.thumbprint()});
        if resource == OPAQUE {
            let said = introspected(&provider, &token).await;
            assert_eq!(
                (text(&said, "token_type").as_str(), &said["cnf"]),
                ("DPoP", &confirmed)
            );
        } else {
            assert_eq!(opened(&token).1["cnf"], confirmed);
        }
        for _ in 0..2 {
            let proof = owner.proof("GET", &url).access_token(&token).sign();
            assert_eq!(by_proof(&app, &token, &proof).await, "200", "{way}");
            assert_eq!(
                by_proof(&app, &token, &proof).await,
                "401 invalid_dpop_proof proof_replayed",
                "{way}"
            );
        }
        let stolen = thief.proof("GET", &url).access_token(&token).sign();
        for refused in [
            by_proof(&app, &token, &stolen).await,
            app.get("/read", &token).await.verdict(),
        ] {
            assert_eq!(refused, "401 invalid_token binding", "{way}");
        }
        let unbound = machine(&provider, resource).await;
        assert_eq!(
            app.get("/read", &unbound).await.verdict(),
            "401 invalid_token binding",
            "{way}: unbound"
        );
    }
}

#[tokio::test]
#[ignore = "needs oidc-provider from tests/interop/install"]
async fn certificate_tokens_of_oidc_provider_are_good_with_their_clients_certificate_alone() {
    let provider = Foreign::oidc_provider(0).await;
    let owner = TestCertificate::self_signed("client");
    let thief = TestCertificate::self_signed("client");
    for (way, app, resource) in apps(&provider).await {
        let token = bound_to_certificate(&provider, resource, &owner).await;
        let confirmed = json!({"x5t#S256": owner.certificate().to_x5t_s256()});
        if resource == OPAQUE {
            let said = introspected(&provider, &token).await;
            assert_eq!(
                (text(&said, "token_type").as_str(), &said["cnf"]),
                ("Bearer", &confirmed)
            );
            assert!(names(&said).contains(&"aud"), "{said}");
        } else {
            assert_eq!(opened(&token).1["cnf"], confirmed);
        }
        for _ in 0..2 {
            assert_eq!(by_certificate(&app, &token, &owner).await, "200", "{way}");
        }
        for refused in [
            by_certificate(&app, &token, &thief).await,
            app.get("/read", &token).await.verdict(),
        ] {
            assert_eq!(refused, "401 invalid_token binding", "{way}");
        }
        // A DPoP proof is no certificate.
        let key = DpopKey::generate();
        let proof = key.proof("GET", &format!("{API}/read"));
        let proof = proof.access_token(&token).sign();
        assert_eq!(
            by_proof(&app, &token, &proof).await,
            "401 invalid_token binding",
            "{way}"
        );
    }
}
