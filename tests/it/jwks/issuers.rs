//! Several issuers in one server keep apart; keys come from a set, a PEM or discovery.

use axum::routing::get;
use portcullis::error::ConnectError;
use portcullis::test_util::{Fault, MockIssuer};
use portcullis::{AccessToken, Algorithm, Issuer, ResourceServer};

use crate::support::{API, Requests as _, TestApp, trusting};

async fn issuer_of(token: AccessToken) -> String {
    token.issuer().to_owned()
}

fn app(server: &ResourceServer) -> TestApp {
    TestApp::behind(server.authenticate()).route("/", get(issuer_of))
}

#[tokio::test]
async fn the_same_key_id_at_two_issuers_is_two_keys() {
    let (one, two) = (
        MockIssuer::named("https://one.test"),
        MockIssuer::named("https://two.test"),
    );
    assert_eq!(one.key_ids(), two.key_ids());
    let app = app(&trusting([one.trusted(), two.trusted()]));
    for (token, expected) in [
        (one.token(), "200"),
        (two.token(), "200"),
        (
            one.token().issuer("https://two.test"),
            "401 invalid_token signature",
        ),
        (
            two.token().issuer("https://one.test"),
            "401 invalid_token signature",
        ),
        (one.token(), "200"),
    ] {
        assert_eq!(app.get("/", &token.sign()).await.verdict(), expected);
    }
}

#[tokio::test]
async fn audiences_algorithms_and_required_values_belong_to_one_issuer() {
    let (one, two) = (
        MockIssuer::named("https://one.test").with_algorithms([Algorithm::RS256, Algorithm::ES256]),
        MockIssuer::named("https://two.test").with_algorithms([Algorithm::RS256, Algorithm::ES256]),
    );
    let app = app(&trusting([
        one.trusted()
            .audience("a")
            .audience("b")
            .algorithms([Algorithm::RS256])
            .require_claim("tid", "t-1"),
        two.trusted()
            .audience("c")
            .algorithms([Algorithm::ES256])
            .require_header("signer", "arn:1"),
    ]));
    let rs = |issuer: &MockIssuer, aud| issuer.token().algorithm(Algorithm::RS256).audience(aud);
    let es = |issuer: &MockIssuer, aud| issuer.token().algorithm(Algorithm::ES256).audience(aud);
    for (name, token, expected) in [
        ("one", rs(&one, "a").claim("tid", "t-1"), "200"),
        (
            "one, its other audience",
            rs(&one, "b").claim("tid", "t-1"),
            "200",
        ),
        ("two", es(&two, "c").header("signer", "arn:1"), "200"),
        (
            "the resource, where audiences are named",
            rs(&one, API).claim("tid", "t-1"),
            "401 invalid_token audience",
        ),
        (
            "the other's audience",
            rs(&one, "c").claim("tid", "t-1"),
            "401 invalid_token audience",
        ),
        (
            "the other's algorithm",
            es(&one, "a").claim("tid", "t-1"),
            "401 invalid_token algorithm",
        ),
        (
            "another tenant",
            rs(&one, "a").claim("tid", "t-2"),
            "401 invalid_token required_value",
        ),
        (
            "no tenant",
            rs(&one, "a"),
            "401 invalid_token required_value",
        ),
        (
            "a tenant list",
            rs(&one, "a").claim("tid", ["t-1"]),
            "401 invalid_token required_value",
        ),
        (
            "no signer",
            es(&two, "c"),
            "401 invalid_token required_value",
        ),
        (
            "a signer in the payload",
            es(&two, "c").claim("signer", "arn:1"),
            "401 invalid_token required_value",
        ),
        (
            "a signer list",
            es(&two, "c").header("signer", ["arn:1"]),
            "401 invalid_token required_value",
        ),
    ] {
        assert_eq!(
            app.get("/", &token.sign()).await.verdict(),
            expected,
            "{name}"
        );
    }
}

#[tokio::test]
async fn claims_are_found_where_the_issuer_puts_them() {
    let issuer = MockIssuer::new();
    let trusted = issuer
        .trusted()
        .scope_claim("scp")
        .subject_claim("uid")
        .client_id_claim(["app", "id"])
        .audience_claim("resource");
    let app = TestApp::behind(trusting([trusted]).authenticate()).route(
        "/",
        get(|token: AccessToken| async move {
            format!(
                "{:?} {:?} {}",
                token.subject().map(ToString::to_string),
                token.client_id().map(ToString::to_string),
                token.scope()
            )
        }),
    );
    let token = issuer
        .token()
        .claim("scp", ["a", "b c", "d"])
        .claim("uid", "u")
        .claim("app", serde_json::json!({"id": "c"}))
        .claim("resource", API);
    assert_eq!(
        app.get("/", &token.sign()).await.body,
        r#"Some("u") Some("c") a d"#
    );
    let elsewhere = issuer
        .token()
        .claim("resource", "https://other.example.com")
        .sign();
    assert_eq!(
        app.get("/", &elsewhere).await.verdict(),
        "401 invalid_token audience"
    );
}

#[tokio::test]
async fn azp_stands_in_for_the_client_id_where_there_is_none() {
    let issuer = MockIssuer::new();
    let app = app(&trusting([issuer.trusted().client_id("good")]));
    let by_azp = |azp| issuer.token().without("client_id").claim("azp", azp).sign();
    assert_eq!(app.get("/", &by_azp("good")).await.verdict(), "200");
    assert_eq!(
        app.get("/", &by_azp("bad")).await.verdict(),
        "401 invalid_token client_id"
    );
    let both = issuer.token().client("bad").claim("azp", "good").sign();
    assert_eq!(
        app.get("/", &both).await.verdict(),
        "401 invalid_token client_id"
    );
    let none = issuer.token().without("client_id").sign();
    assert_eq!(
        app.get("/", &none).await.verdict(),
        "401 invalid_token client_id"
    );
}

#[tokio::test]
async fn a_pem_serves_tokens_without_kid_and_a_named_one_its_own_kid() {
    for algorithm in [
        Algorithm::RS256,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::EdDSA,
    ] {
        let issuer = MockIssuer::new().with_algorithms([algorithm]);
        let (name, pem) = (issuer.issuer(), issuer.public_key_pem());
        let by_id = app(&trusting([
            Issuer::oidc(name.clone()).pem_with_key_id("key-1", pem.clone())
        ]));
        let without = app(&trusting([Issuer::oidc(name).pem(pem)]));
        let token = issuer.token();
        assert_eq!(
            by_id.get("/", &token.sign()).await.verdict(),
            "200",
            "{algorithm}"
        );
        assert_eq!(
            without.get("/", &token.sign()).await.verdict(),
            "200",
            "{algorithm}"
        );
        let other = token.clone().key_id("key-2");
        assert_eq!(
            by_id.get("/", &other.sign()).await.verdict(),
            "401 invalid_token unknown_key",
            "{algorithm}"
        );
        assert_eq!(
            without
                .get("/", &token.sign_with_wrong_key())
                .await
                .verdict(),
            "401 invalid_token unknown_key",
            "{algorithm}"
        );
    }
}

#[tokio::test]
async fn discovery_must_name_the_issuer_that_the_tokens_have() {
    let issuer = MockIssuer::new();
    let served = issuer.serve().await;
    let good = trusting([served.trusted()]).connect().await.expect("sound");
    assert_eq!(
        app(&good).get("/", &issuer.token().sign()).await.verdict(),
        "200"
    );
    assert!(good.ready());

    let slash = format!("{}/", served.url());
    let server = trusting([Issuer::oidc(slash.clone()).discovery_url(served.discovery_url())]);
    let kept = server.clone();
    match server.connect().await {
        Err(ConnectError::IssuerMismatch {
            configured, found, ..
        }) => {
            assert_eq!(
                (configured, found),
                (slash.clone(), served.url().to_owned())
            );
        }
        other => panic!("{other:?}"),
    }
    // Whoever goes on all the same gets no token past.
    let token = issuer.token().issuer(&slash).sign();
    assert_eq!(app(&kept).get("/", &token).await.status, 503);
    assert!(!kept.ready());
    // The same keys by their own url, with the name that the tokens have.
    let by_url = trusting([Issuer::oidc(slash).key_set_url(served.key_set_url())])
        .connect()
        .await
        .expect("sound");
    assert_eq!(app(&by_url).get("/", &token).await.verdict(), "200");
}

#[tokio::test]
async fn rfc_8414_metadata_is_the_second_place_to_look() {
    let issuer = MockIssuer::new();
    let served = issuer.serve().await;
    let path = format!("{}/.well-known/oauth-authorization-server", served.url());
    let server = trusting([Issuer::rfc9068(served.url())
        .discovery_url(path)
        .accept_type("JWT")]);
    let server = server.connect().await.expect("sound");
    assert_eq!(
        app(&server)
            .get("/", &issuer.token().sign())
            .await
            .verdict(),
        "200"
    );
}

#[tokio::test]
async fn the_second_form_of_a_pool_is_loaded_on_its_first_token_and_never_counts_before() {
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let served = pool.serve().await;
    let trusted = Issuer::cognito("eu-west-1", "eu-west-1_AbCdEf")
        .client_id(MockIssuer::CLIENT_ID)
        .key_set_url(served.key_set_url());
    let server = trusting([trusted]).connect().await.expect("sound");
    let app = app(&server);
    assert_eq!(served.fetches(), 1, "the original form alone");
    assert!(server.ready());
    assert_eq!(server.key_set_status().len(), 1);
    let updated = "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf";
    assert_eq!(app.get("/", &pool.token().sign()).await.verdict(), "200");
    served.break_with(Fault::Status(404));
    assert_eq!(
        app.get("/", &pool.token().issuer(updated).sign())
            .await
            .status,
        503
    );
    assert!(server.ready(), "a form that may not exist does not count");
    assert_eq!(server.key_set_status().len(), 1);
    assert_eq!(app.get("/", &pool.token().sign()).await.verdict(), "200");
}
