//! A token is good for the resources whose audiences it names, and for no other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use portcullis::error::Rejection;
use portcullis::layer::RefusalBody;
use portcullis::test_util::{DpopKey, ManualClock, MockIssuer};
use portcullis::{AccessToken, Issuer, Resource, ResourceServer, ResourceServerBuilder};
use serde_json::json;

use crate::support::endpoint::Endpoint;
use crate::support::introspection::{TOKEN, issuer, with};
use crate::support::{API, Requests as _, TestApp};

const MCP: &str = "https://api.example.com/mcp";
const GOOD: &str = "200";
const REFUSED: &str = "401 invalid_token audience";

fn two() -> ResourceServerBuilder {
    ResourceServer::builder(API).resource(MCP)
}

/// `/` is the API, `/mcp` the other resource.
fn app(server: &ResourceServer) -> Router {
    let mcp = server.authenticate_for(MCP).expect("a resource");
    let mcp = TestApp::behind(mcp).route("/mcp", get(async |_: AccessToken| {}));
    Router::from(TestApp::new(server)).merge(mcp)
}

/// The verdicts on this token at the API and at the other resource, each asked for twice, so that
/// the second is that of a cached token.
async fn verdicts(server: &ResourceServer, token: &str) -> [String; 2] {
    let app = app(server);
    let mut found = Vec::new();
    for path in ["/", "/mcp", "/", "/mcp"] {
        found.push(app.get(path, token).await.verdict());
    }
    assert_eq!(found[..2], found[2..], "a cached token is judged alike");
    [found.swap_remove(0), found.swap_remove(0)]
}

#[tokio::test]
async fn token_for_one_resource_is_refused_at_the_other() {
    for issuer in [MockIssuer::new(), MockIssuer::rfc9068("https://as.example")] {
        for cached in [true, false] {
            let builder = two().issuer(issuer.trusted());
            let builder = if cached {
                builder
            } else {
                builder.without_token_cache()
            };
            let server = builder.build().expect("sound");
            for (audiences, expected) in [
                (&[API][..], [GOOD, REFUSED]),
                (&[MCP], [REFUSED, GOOD]),
                (&[MCP, API], [GOOD, GOOD]),
                (&["https://other.example", MCP], [REFUSED, GOOD]),
                (&["https://other.example"], [REFUSED, REFUSED]),
                (&["https://api.example.com/mcp/"], [REFUSED, REFUSED]),
            ] {
                let token = issuer.token().audiences(audiences.iter().copied()).sign();
                assert_eq!(verdicts(&server, &token).await, expected, "{audiences:?}");
            }
        }
    }
}

#[tokio::test]
async fn one_cache_serves_all_resources() {
    let issuer = MockIssuer::new();
    let server = two().issuer(issuer.trusted()).build().expect("sound");
    let token = issuer.token().audience(MCP).sign();
    verdicts(&server, &token).await;
    let cache = server.token_cache_status().expect("a cache");
    // Refused at one resource, it is good all the same: its signature is checked once.
    assert_eq!((cache.misses(), cache.entries()), (1, 1));
}

#[tokio::test]
async fn resource_has_the_audiences_that_it_names_in_place_of_its_identifier() {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(Resource::new(API).audience("api").audience("missions"))
        .resource(Resource::new(MCP).audience("mcp"))
        .issuer(issuer.trusted())
        .build()
        .expect("sound");
    for (audience, expected) in [
        ("api", [GOOD, REFUSED]),
        ("missions", [GOOD, REFUSED]),
        ("mcp", [REFUSED, GOOD]),
        (API, [REFUSED, REFUSED]),
        (MCP, [REFUSED, REFUSED]),
    ] {
        let token = issuer.token().audience(audience).sign();
        assert_eq!(verdicts(&server, &token).await, expected, "{audience}");
    }
}

#[tokio::test]
async fn audience_of_an_issuer_replaces_that_of_its_default_resource_alone() {
    let issuer = MockIssuer::new();
    let own = || issuer.trusted().audience("client-7");
    for (trusted, expected) in [
        (
            own(),
            [[GOOD, REFUSED], [REFUSED, REFUSED], [REFUSED, GOOD]],
        ),
        (
            own().default_resource(MCP),
            [[REFUSED, GOOD], [GOOD, REFUSED], [REFUSED, REFUSED]],
        ),
    ] {
        let server = two().issuer(trusted).build().expect("sound");
        for (audience, expected) in ["client-7", API, MCP].into_iter().zip(expected) {
            let token = issuer.token().audience(audience).sign();
            assert_eq!(verdicts(&server, &token).await, expected, "{audience}");
        }
    }
}

#[tokio::test]
async fn cognito_client_that_stands_in_reaches_the_default_resource_alone() {
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    for (trusted, expected) in [
        (pool.trusted(), [GOOD, REFUSED]),
        (pool.trusted().default_resource(MCP), [REFUSED, GOOD]),
    ] {
        let server = two().issuer(trusted).build().expect("sound");
        let absent = pool.token().without("aud").sign();
        let client = pool.token().audience(MockIssuer::CLIENT_ID).sign();
        for token in [absent, client] {
            assert_eq!(verdicts(&server, &token).await, expected);
        }
        // What names a resource is for that one, whatever the default is.
        for (audience, expected) in [(API, [GOOD, REFUSED]), (MCP, [REFUSED, GOOD])] {
            let token = pool.token().audience(audience).sign();
            assert_eq!(verdicts(&server, &token).await, expected, "{audience}");
        }
    }
}

#[tokio::test]
async fn waived_audience_does_not_widen_the_reach_of_a_token() {
    let issuer = MockIssuer::new();
    let waived = || issuer.trusted().danger().accept_any_audience();
    for (trusted, expected) in [
        (waived(), [GOOD, REFUSED]),
        (waived().default_resource(MCP), [REFUSED, GOOD]),
    ] {
        let server = two().issuer(trusted).build().expect("sound");
        for token in [
            issuer.token().audience("https://other.example").sign(),
            issuer.token().without("aud").sign(),
        ] {
            assert_eq!(verdicts(&server, &token).await, expected);
        }
        let token = issuer.token().audience(MCP).sign();
        assert_eq!(verdicts(&server, &token).await, [REFUSED, GOOD]);
        let token = issuer.token().audience(API).sign();
        assert_eq!(verdicts(&server, &token).await, [GOOD, REFUSED]);
    }
}

#[tokio::test]
async fn introspected_token_is_for_the_resources_of_its_response() {
    type Change = fn(Issuer) -> Issuer;
    let clock = ManualClock::new();
    let plain = |issuer: Issuer| issuer;
    let where_stated = |issuer: Issuer| issuer.audience_where_stated();
    let mcp_by_default = |issuer: Issuer| issuer.audience_where_stated().default_resource(MCP);
    let cases: [(serde_json::Value, Change, [&str; 2]); 7] = [
        (json!(API), plain, [GOOD, REFUSED]),
        (json!(MCP), plain, [REFUSED, GOOD]),
        (json!([MCP, API]), plain, [GOOD, GOOD]),
        (json!(null), plain, [REFUSED, REFUSED]),
        (json!(null), where_stated, [GOOD, REFUSED]),
        (json!(MCP), where_stated, [REFUSED, GOOD]),
        (json!(null), mcp_by_default, [REFUSED, GOOD]),
    ];
    for (audience, change, expected) in cases {
        let endpoint = Endpoint::saying(with("aud", audience.clone())).await;
        let server = two()
            .issuer(change(issuer(&endpoint)))
            .clock(clock.clone())
            .build()
            .expect("sound");
        assert_eq!(verdicts(&server, TOKEN).await, expected, "{audience}");
        // The second resource finds the first one's response.
        assert_eq!(endpoint.questions().len(), 1, "{audience}");
    }
}

#[tokio::test]
async fn refusal_names_both_resources_to_the_operator() {
    let issuer = MockIssuer::new();
    let server = two().issuer(issuer.trusted()).build().expect("sound");
    let last: Arc<Mutex<Option<Rejection>>> = Arc::default();
    let kept = Arc::clone(&last);
    let layer = server.authenticate_for(MCP).expect("a resource").renderer(
        move |rejection: &Rejection, _: StatusCode| {
            *kept.lock().expect("no panic") = Some(rejection.clone());
            RefusalBody::new(http::HeaderValue::from_static("text/plain"), "")
        },
    );
    let app = TestApp::behind(layer).route("/", get(async |_: AccessToken| {}));
    assert_eq!(app.verdict(&issuer.token().sign()).await, REFUSED);
    let rejection = last.lock().expect("no panic").take().expect("a refusal");
    assert_eq!(
        rejection.detail().expect("a detail").to_string(),
        "claim=aud problem=differs setting=resource expected=https://api.example.com/mcp found=https://api.example.com"
    );
    assert_eq!(rejection.issuer(), Some("https://issuer.test"));
}

#[tokio::test]
async fn optional_layer_of_a_resource_lets_no_token_of_another_through() {
    let issuer = MockIssuer::new();
    let server = two().issuer(issuer.trusted()).build().expect("sound");
    let layer = server.authenticate_for(MCP).expect("a resource").optional();
    let app = TestApp::behind(layer).route("/", get(async |_: Option<AccessToken>| {}));
    assert_eq!(app.send("/", &[]).await.verdict(), GOOD);
    let token = issuer.token().audience(MCP).sign();
    assert_eq!(app.verdict(&token).await, GOOD);
    assert_eq!(app.verdict(&issuer.token().sign()).await, REFUSED);
}

#[tokio::test]
async fn layers_of_two_resources_demand_both() {
    let issuer = MockIssuer::new();
    let server = two().issuer(issuer.trusted()).build().expect("sound");
    let inner = TestApp::behind(server.authenticate_for(MCP).expect("a resource"))
        .route("/", get(async |_: AccessToken| {}));
    let app = TestApp::behind(server.authenticate()).routes(inner.into());
    for (audiences, expected) in [
        (&[API, MCP][..], GOOD),
        (&[API], REFUSED),
        (&[MCP], REFUSED),
    ] {
        let token = issuer.token().audiences(audiences.iter().copied()).sign();
        assert_eq!(app.verdict(&token).await, expected, "{audiences:?}");
    }
}

#[tokio::test]
async fn binding_that_a_resource_demands_is_not_that_of_the_others() {
    let issuer = MockIssuer::new();
    let bound = Resource::new(MCP).require_binding(portcullis::binding::Binding::Dpop);
    let server = ResourceServer::builder(API)
        .resource(bound)
        .issuer(issuer.trusted())
        .build()
        .expect("sound");
    let token = issuer.token().audiences([API, MCP]).sign();
    let expected = [GOOD, "401 invalid_token binding"];
    assert_eq!(verdicts(&server, &token).await, expected);
    let key = DpopKey::generate();
    let token = issuer.token().audience(MCP).bound_to_key(&key).sign();
    let request = Request::get("/mcp").body(Body::empty()).expect("a request");
    let request = key.proof("GET", MCP).authorize(request, &token);
    assert_eq!(app(&server).exchange(request).await.verdict(), GOOD);
}

#[tokio::test]
async fn proof_names_the_origin_of_the_resource_that_it_is_for() {
    const TOOLS: &str = "https://tools.example.com/mcp";
    const OTHER: &str = "401 invalid_dpop_proof proof_uri";
    let issuer = MockIssuer::new();
    let clock = ManualClock::new();
    let key = DpopKey::generate().with_clock(clock.clone());
    let issuer = issuer.with_clock(clock.clone());
    let build = || {
        ResourceServer::builder(API)
            .resource(TOOLS)
            .resource("api://opaque")
            .issuer(issuer.trusted())
            .clock(clock.clone())
    };
    let verdict = async |server: &ResourceServer, resource: &str, url: &str| {
        let layer = server.authenticate_for(resource).expect("a resource");
        let app = TestApp::behind(layer).route("/mcp", get(async |_: AccessToken| {}));
        let token = issuer.token().audience(resource).bound_to_key(&key).sign();
        let request = Request::get("/mcp").body(Body::empty()).expect("a request");
        let request = key.proof("GET", url).authorize(request, &token);
        app.exchange(request).await.verdict()
    };
    let (api, tools) = ("https://api.example.com/mcp", TOOLS);
    let server = build().build().expect("sound");
    for (resource, url, expected) in [
        (API, api, GOOD),
        (API, tools, OTHER),
        (TOOLS, tools, GOOD),
        (TOOLS, api, OTHER),
        // Without a URL of its own it is reached under the first one's.
        ("api://opaque", api, GOOD),
        ("api://opaque", tools, OTHER),
    ] {
        assert_eq!(
            verdict(&server, resource, url).await,
            expected,
            "{resource} {url}"
        );
    }
    let server = build().public_origin("https://gateway.example").build();
    let server = server.expect("sound");
    for resource in [API, TOOLS, "api://opaque"] {
        let (url, own) = ("https://gateway.example/mcp", tools);
        assert_eq!(verdict(&server, resource, url).await, GOOD, "{resource}");
        assert_eq!(verdict(&server, resource, own).await, OTHER, "{resource}");
    }
}

#[tokio::test]
async fn token_that_waits_for_its_key_is_judged_by_the_layer_too() {
    let issuer = MockIssuer::new();
    let served = issuer.serve().await;
    for (path, expected) in [("/", REFUSED), ("/mcp", GOOD)] {
        let trusted = Issuer::oidc(served.url()).key_set_url(served.key_set_url());
        let server = two().issuer(trusted).build().expect("sound");
        let app = app(&server.connect().await.expect("a runtime"));
        issuer.rotate();
        let token = issuer.token().audience(MCP).sign();
        let verdict = tokio::time::timeout(Duration::from_secs(30), app.get(path, &token)).await;
        assert_eq!(verdict.expect("in time").verdict(), expected);
    }
}
