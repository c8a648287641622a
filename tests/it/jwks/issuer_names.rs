//! An issuer's name is compared and never fetched, and an issuer may have several names.

use axum::routing::get;
use portcullis::config::ClientAuthentication;
use portcullis::revocation::Revocation;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::Clock as _;
use portcullis::{AccessToken, Algorithm, Issuer, ResourceServer};
use serde_json::json;

use crate::support::endpoint::Endpoint;
use crate::support::introspection::with as answer_with;
use crate::support::{API, Requests as _, TestApp, trusting};

fn app(server: &ResourceServer) -> TestApp {
    TestApp::behind(server.authenticate()).route(
        "/",
        get(|token: AccessToken| async move { token.issuer().to_owned() }),
    )
}

#[tokio::test]
async fn iss_over_plain_http_is_a_name_where_keys_come_from_elsewhere() {
    let adfs = "http://adfs.example.com/adfs/services/trust";
    let issuer = MockIssuer::named(adfs);
    let served = issuer.serve().await;
    let configured = || {
        Issuer::oidc(adfs)
            .audience("microsoft:identityserver:api-1")
            .scope_claim("scp")
            .client_id_claim("appid")
    };
    let by_url = trusting([configured().key_set_url(served.key_set_url())])
        .connect()
        .await
        .expect("up");
    let fixed = trusting([configured().key_set(issuer.key_set())]);
    let by_pem = trusting([configured().pem(issuer.public_key_pem())]);
    let token = issuer
        .token()
        .audience("microsoft:identityserver:api-1")
        .without("client_id")
        .claim("apptype", "Public")
        .claim("appid", "c1")
        .claim("auth_time", "2026-01-01T10:00:00.281Z")
        .claim("ver", "1.0")
        .claim("scp", "read openid");
    for server in [by_url, fixed, by_pem] {
        let answer = app(&server).get("/", &token.sign()).await;
        assert_eq!((answer.verdict(), &*answer.body), ("200".to_owned(), adfs));
        // Another name is another issuer, also one that differs in its scheme alone.
        let other = token.clone().issuer(&adfs.replace("http:", "https:"));
        assert_eq!(
            app(&server).get("/", &other.sign()).await.verdict(),
            "401 invalid_token unknown_issuer"
        );
    }
}

#[test]
fn iss_of_any_text_builds_where_it_is_not_fetched_and_is_a_mistake_where_it_is() {
    let keys = "https://id.example.com/keys";
    for name in [
        "http://adfs.example.com/adfs/services/trust",
        "HTTP://adfs.example.com/adfs/services/trust",
        "http://user@id.example.com/",
        "https://user:word@id.example.com/#part",
        "http:",
        "acme.com",
        "stytch.com/project-1",
        "spiffe://example.org",
        "urn:example:issuer",
        "a name with blanks",
        "\u{fc}ber",
    ] {
        let sound = Issuer::oidc(name).key_set_url(keys);
        assert!(
            ResourceServer::builder(API).issuer(sound).build().is_ok(),
            "{name}"
        );
        let fetched = Issuer::oidc(name);
        let refused = ResourceServer::builder(API).issuer(fetched).build();
        assert_eq!(refused.expect_err(name).setting(), "issuer", "{name}");
        // What is asked about tokens has a name and an address, too.
        let asked = |issuer: Issuer| {
            issuer.client_authentication(ClientAuthentication::basic("api", "word"))
        };
        let named = asked(Issuer::introspected("https://id.example.com/ask")).identified_as(name);
        assert!(
            ResourceServer::builder(API).issuer(named).build().is_ok(),
            "{name}"
        );
        let located = asked(Issuer::introspection_discovered(name));
        let refused = ResourceServer::builder(API).issuer(located).build();
        assert!(refused.is_err(), "{name}");
    }
    // The audience is a name as well.
    let audience = Issuer::oidc("https://id.example.com")
        .key_set_url(keys)
        .audience("http://api.example.com");
    let server = ResourceServer::builder("http://api.example.com").issuer(audience);
    assert!(server.build().is_ok());
    // Discovery that is not below the name needs no address for a name.
    let elsewhere = Issuer::oidc("acme.com")
        .discovery_url("https://id.example.com/.well-known/openid-configuration");
    assert!(
        ResourceServer::builder(API)
            .issuer(elsewhere)
            .build()
            .is_ok()
    );
}

const POOL: &str = "us-east-1_AbCdEfGhI";

fn replica(region: &str) -> String {
    format!("https://cognito-idp.{region}.amazonaws.com/{POOL}")
}

#[tokio::test]
async fn iss_of_a_named_replica_region_is_the_pools_and_another_region_is_a_strangers() {
    let pool = MockIssuer::cognito("us-east-1", POOL);
    let clock = ManualClock::new();
    let pool = pool.with_clock(clock.clone());
    let server = ResourceServer::builder(API)
        .issuer(
            pool.trusted()
                .replica_region("us-west-2")
                .replica_region("eu-central-1"),
        )
        .clock(clock.clone())
        .build()
        .expect("sound");
    let app = app(&server);
    let from = |issuer: &str| pool.token().issuer(issuer).sign();
    let (home, west) = (replica("us-east-1"), replica("us-west-2"));
    for (issuer, expected) in [
        (home.clone(), "200"),
        (
            format!("https://issuer-cognito-idp.us-east-1.amazonaws.com/{POOL}"),
            "200",
        ),
        (west.clone(), "200"),
        (replica("eu-central-1"), "200"),
        (replica("eu-west-1"), "401 invalid_token unknown_issuer"),
        (format!("{west}/"), "401 invalid_token unknown_issuer"),
        (
            "https://cognito-idp.us-west-2.amazonaws.com/us-west-2_AbCdEfGhI".to_owned(),
            "401 invalid_token unknown_issuer",
        ),
    ] {
        let answer = app.get("/", &from(&issuer)).await;
        assert_eq!(answer.verdict(), expected, "{issuer}");
    }
    // A revocation under the pool's name reaches the tokens of every region.
    let subject = MockIssuer::SUBJECT;
    server
        .revocations()
        .revoke(Revocation::subject(&home, subject, clock.now()))
        .expect("room");
    for issuer in [&home, &west] {
        assert_eq!(
            app.get("/", &from(issuer)).await.verdict(),
            "401 invalid_token revoked"
        );
    }
    let other = pool.token().subject("user-2").issuer(&west).sign();
    assert_eq!(app.get("/", &other).await.verdict(), "200");
    // And one under a replica's name, those of the others.
    server
        .revocations()
        .revoke(Revocation::subject(&west, "user-2", clock.now()))
        .expect("room");
    let at_home = pool.token().subject("user-2").sign();
    assert_eq!(
        app.get("/", &at_home).await.verdict(),
        "401 invalid_token revoked"
    );
}

#[test]
fn replica_regions_are_other_regions_of_the_same_partition() {
    let pool = || Issuer::cognito("us-east-1", POOL).client_id("c");
    let build = |issuer: Issuer| ResourceServer::builder(API).issuer(issuer).build();
    assert!(build(pool().replica_region("us-west-2")).is_ok());
    assert!(
        build(
            pool()
                .replica_region("us-west-2")
                .replica_region("us-west-2")
        )
        .is_ok()
    );
    for bad in [
        "us-east-1",
        "",
        "west",
        "us-west-2.evil.example",
        "cn-north-1",
        "eusc-de-east-1",
    ] {
        let refused = build(pool().replica_region(bad)).expect_err(bad);
        assert_eq!(refused.setting(), "replica_region", "{bad}");
    }
    for (name, issuer) in [
        (
            "no pool",
            Issuer::oidc("https://id.example.com").replica_region("us-west-2"),
        ),
        (
            "an emulator",
            pool()
                .endpoint("http://127.0.0.1:9229")
                .replica_region("us-west-2"),
        ),
    ] {
        let refused = build(issuer).expect_err(name);
        assert_eq!(refused.setting(), "replica_region", "{name}");
    }
}

#[tokio::test]
async fn replicas_keys_are_fetched_when_its_first_token_comes() {
    // Nothing answers there; what counts is that nothing is fetched before a token comes, and the 503 after it.
    let server = trusting([Issuer::cognito("us-east-1", POOL)
        .client_id("c")
        .replica_region("us-west-2")]);
    let status = server.key_set_status();
    assert_eq!(
        status.len(),
        1,
        "the others are loaded on their first token"
    );
    assert_eq!(
        status[0].address(),
        Some(
            "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEfGhI/.well-known/jwks.json"
        )
    );
}

#[tokio::test]
async fn iss_that_is_an_alias_is_the_same_issuer() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::named("https://id.example.com")
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone());
    let old = "http://old.example.com/auth";
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().also_named(old).also_named("acme"))
        .clock(clock.clone())
        .build()
        .expect("sound");
    let app = app(&server);
    let from = |name: &str| issuer.token().issuer(name).sign();
    for (name, expected) in [
        ("https://id.example.com", "200"),
        (old, "200"),
        ("acme", "200"),
        ("ACME", "401 invalid_token unknown_issuer"),
    ] {
        assert_eq!(
            app.get("/", &from(name)).await.verdict(),
            expected,
            "{name}"
        );
    }
    for name in ["https://id.example.com", old, "acme"] {
        assert!(server.issuer_keys(name).is_some(), "{name}");
    }
    server
        .revocations()
        .revoke(Revocation::subject(
            "acme",
            MockIssuer::SUBJECT,
            clock.now(),
        ))
        .expect("room");
    assert_eq!(
        app.get("/", &from(old)).await.verdict(),
        "401 invalid_token revoked"
    );
}

#[tokio::test]
async fn iss_of_an_introspection_answer_may_be_an_alias() {
    for (named, expected) in [
        ("https://as.example", "200"),
        ("http://as.internal", "200"),
        ("https://other.example", "401 invalid_token unknown_issuer"),
    ] {
        let endpoint = Endpoint::saying(answer_with("iss", json!(named))).await;
        let issuer =
            crate::support::introspection::issuer(&endpoint).also_named("http://as.internal");
        let server = crate::support::introspection::server(issuer, &ManualClock::new());
        let app = crate::support::introspection::app(&server);
        let answer = app.get("/", crate::support::introspection::TOKEN).await;
        assert_eq!(answer.verdict(), expected, "{named}");
    }
}

#[test]
fn aliases_are_other_names_and_belong_to_one_issuer() {
    let id = || Issuer::oidc("https://id.example.com").key_set_url("https://id.example.com/keys");
    let build = |issuers: Vec<Issuer>| {
        let builder = ResourceServer::builder(API);
        issuers
            .into_iter()
            .fold(builder, portcullis::ResourceServerBuilder::issuer)
            .build()
    };
    assert!(build(vec![id().also_named("other").also_named("other")]).is_ok());
    for (name, issuers, setting) in [
        (
            "its own name",
            vec![id().also_named("https://id.example.com")],
            "also_named",
        ),
        ("no name", vec![id().also_named("")], "issuer"),
        (
            "the name of another issuer",
            vec![
                id().also_named("acme.com"),
                Issuer::oidc("acme.com").key_set_url("https://a.example/k"),
            ],
            "issuer",
        ),
        (
            "tenants",
            vec![
                Issuer::oidc_tenants("https://l.example/{t}/v2.0", "tid", ["t-1"])
                    .key_set_url("https://l.example/keys")
                    .also_named("acme.com"),
            ],
            "also_named",
        ),
    ] {
        assert_eq!(build(issuers).expect_err(name).setting(), setting, "{name}");
    }
}
