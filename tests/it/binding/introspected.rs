//! Bound opaque tokens: the introspection response names the key or the certificate.

use axum::body::Body;
use axum::routing::get;
use http::Request;
use portcullis::binding::ClientCertificate;
use portcullis::test_util::{
    DpopKey, Endpoint, Fault, ManualClock, MockIssuer, ServedIssuer, TestCertificate,
};
use portcullis::{AccessToken, ResourceServer};

use crate::support::{API, Requests as _, TestApp};

const URL: &str = "https://api.example.com/";
const STOLEN: &str = "401 invalid_token binding";

/// An issuer that is asked about its tokens, a client's key, and an API.
struct Stage {
    served: ServedIssuer,
    key: DpopKey,
    app: TestApp,
}

impl Stage {
    async fn new() -> Self {
        let clock = ManualClock::new();
        let served = MockIssuer::new().with_clock(clock.clone()).serve().await;
        let server = ResourceServer::builder(API)
            .issuer(served.introspected())
            .clock(clock.clone())
            .build()
            .expect("sound settings");
        let bound = async |token: AccessToken| format!("{}", token.is_bound());
        Self {
            app: TestApp::behind(server.authenticate()).route("/", get(bound)),
            key: DpopKey::generate().with_clock(clock),
            served,
        }
    }

    /// The response to a request with this token and a proof by this key.
    async fn prove(&self, key: &DpopKey, token: &str) -> String {
        let request = Request::get("/").body(Body::empty()).expect("a request");
        let request = key.proof("GET", URL).authorize(request, token);
        self.app.exchange(request).await.body_or_verdict()
    }

    async fn with_certificate(
        &self,
        scheme: &str,
        token: &str,
        shown: Option<&ClientCertificate>,
    ) -> String {
        let request = Request::get("/").header("authorization", format!("{scheme} {token}"));
        let mut request = request.body(Body::empty()).expect("a request");
        if let Some(certificate) = shown {
            request.extensions_mut().insert(certificate.clone());
        }
        self.app.exchange(request).await.body_or_verdict()
    }
}

#[tokio::test]
async fn an_opaque_token_is_bound_by_the_response_whatever_its_token_type_says() {
    let stage = Stage::new().await;
    let thief = DpopKey::generate().with_clock(ManualClock::new());
    for kind in [
        None,
        Some("DPoP"),
        Some("dpop"),
        Some("Bearer"),
        Some("bearer"),
    ] {
        let token = stage.served.token().audience(API).bound_to_key(&stage.key);
        let token = match kind {
            None => token.issue(),
            Some(kind) => token.claim("token_type", kind).issue(),
        };
        // Twice each: asked about, and out of the cache.
        for _ in 0..2 {
            assert_eq!(stage.prove(&stage.key, &token).await, "true", "{kind:?}");
            assert_eq!(stage.prove(&thief, &token).await, STOLEN, "{kind:?}");
            assert_eq!(stage.app.verdict(&token).await, STOLEN, "{kind:?}");
        }
    }
    assert_eq!(stage.served.requests(Endpoint::Introspection), 5);
}

#[tokio::test]
async fn an_opaque_token_of_the_type_dpop_without_a_key_is_refused_and_an_unbound_one_is_a_bearer_token()
 {
    let stage = Stage::new().await;
    let token = |kind: &str| stage.served.token().audience(API).claim("token_type", kind);
    let nameless = token("DPoP").issue();
    assert_eq!(stage.app.verdict(&nameless).await, STOLEN);
    assert_eq!(stage.prove(&stage.key, &nameless).await, STOLEN);
    let certificate = TestCertificate::self_signed("client");
    let of_other_kind = token("DPoP")
        .bound_to_certificate(certificate.certificate())
        .issue();
    assert_eq!(stage.prove(&stage.key, &of_other_kind).await, STOLEN);
    let unbound = token("Bearer").issue();
    assert_eq!(stage.app.verdict(&unbound).await, "200");
    let verdict = stage.prove(&stage.key, &unbound).await;
    assert_eq!(verdict, "401 invalid_token scheme");
}

#[tokio::test]
async fn a_proof_for_an_opaque_token_is_used_up_after_introspection() {
    let stage = Stage::new().await;
    let token = stage
        .served
        .token()
        .audience(API)
        .bound_to_key(&stage.key)
        .issue();
    let proof = stage.key.proof("GET", URL).access_token(&token).sign();
    let authorization = format!("DPoP {token}");
    let fields = [("authorization", &*authorization), ("dpop", &*proof)];
    stage.served.break_with(Fault::Status(500));
    let down = stage.app.send("/", &fields).await;
    assert_eq!(down.status, 503, "{}", down.verdict());
    stage.served.recover();
    let mut verdicts = Vec::new();
    for _ in 0..2 {
        verdicts.push(stage.app.send("/", &fields).await.verdict());
    }
    assert_eq!(verdicts, ["200", "401 invalid_dpop_proof proof_replayed"]);
}

#[tokio::test]
async fn an_opaque_token_can_be_bound_to_a_certificate() {
    let stage = Stage::new().await;
    let (own, other) = (
        TestCertificate::self_signed("client"),
        TestCertificate::self_signed("client"),
    );
    let token = stage.served.token().audience(API);
    let token = token.bound_to_certificate(own.certificate()).issue();
    for _ in 0..2 {
        let shown = |certificate| stage.with_certificate("Bearer", &token, certificate);
        assert_eq!(shown(Some(own.certificate())).await, "true");
        assert_eq!(shown(Some(other.certificate())).await, STOLEN);
        assert_eq!(shown(None).await, STOLEN);
    }
    let dpop = stage.with_certificate("DPoP", &token, Some(own.certificate()));
    assert_eq!(dpop.await, "401 invalid_token scheme");
}
