//! A layer that only observes: what it would have refused goes on, until a day.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::routing::get;
use portcullis::binding::{Binding, Dpop};
use portcullis::layer::RequireScopeLayer;
use portcullis::observe::{Observer, RequestDecision};
use portcullis::test_util::{DpopKey, ManualClock, MockIssuer};
use portcullis::time::Clock as _;
use portcullis::{AccessToken, ResourceServer, Scoped};

use super::Decisions;
use crate::support::logs::Logs;
use crate::support::{API, Requests as _, TestApp, builder};

portcullis::scopes! { Write = "missions/write"; }

const DAY: Duration = Duration::from_secs(24 * 3600);

struct Stage {
    clock: ManualClock,
    issuer: MockIssuer,
    server: ResourceServer,
    decisions: Decisions,
}

fn stage() -> Stage {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let decisions = Decisions::default();
    let server = builder(&issuer)
        .clock(clock.clone())
        .observer(decisions.clone())
        .build()
        .expect("sound settings");
    Stage {
        clock,
        issuer,
        server,
        decisions,
    }
}

fn app(stage: &Stage, days: u32) -> TestApp {
    let until = stage.clock.now().saturating_add(DAY * days);
    let layer = stage
        .server
        .authenticate()
        .danger()
        .observe_only_until(until);
    TestApp::behind(layer)
        .route(
            "/",
            get(async |token: Option<AccessToken>| {
                if token.is_some() {
                    "caller"
                } else {
                    "no caller"
                }
            }),
        )
        .route(
            "/scope",
            get(async || "in").route_layer(RequireScopeLayer::of::<Write>()),
        )
        .route("/extractor", get(async |_: Scoped<Write>| "in"))
}

#[tokio::test]
async fn observe_only_layer_passes_what_it_would_refuse_until_its_end() {
    let stage = stage();
    let app = app(&stage, 30);
    let good = stage.issuer.token().expires_in(DAY * 60).sign();
    let bad = stage.issuer.token().expires_in(DAY * 60);
    let bad = bad.tampered_signature();
    let body = async |token: &str| app.get("/", token).await.body_or_verdict();
    assert_eq!(body(&good).await, "caller");
    assert_eq!(stage.decisions.take(), ["admitted layer"]);
    assert_eq!(body(&bad).await, "no caller");
    assert_eq!(stage.decisions.take(), ["observed layer signature"]);
    assert_eq!(app.send("/", &[]).await.body, "no caller");
    assert_eq!(stage.decisions.take(), ["observed layer missing_token"]);
    let [status] = &stage.server.observe_only_status()[..] else {
        panic!("one layer");
    };
    assert_eq!((status.passed(), status.is_observing()), (2, true));
    assert_eq!(status.resource(), stage.server.resource());

    stage.clock.advance(DAY * 30);
    assert_eq!(body(&good).await, "caller");
    assert_eq!(stage.decisions.take(), ["admitted layer"]);
    assert_eq!(body(&bad).await, "401 invalid_token signature");
    assert_eq!(stage.decisions.take(), ["refused layer signature"]);
    let [status] = &stage.server.observe_only_status()[..] else {
        panic!("one layer");
    };
    assert_eq!((status.passed(), status.is_observing()), (2, false));
    drop(app);
}

#[tokio::test]
async fn observe_only_layer_passes_layers_that_require_and_not_extractors() {
    let stage = stage();
    let app = app(&stage, 1);
    let token = stage.issuer.token().expires_in(DAY * 2);
    let writer = token.clone().scope("missions/write").sign();
    let other = token.sign();
    let bad = stage.issuer.token().tampered_signature();
    for (path, sent, verdict, told) in [
        ("/scope", &writer, "in", "admitted layer"),
        ("/scope", &other, "in", "observed guard insufficient_scope"),
        ("/scope", &bad, "in", "observed layer signature"),
        ("/extractor", &writer, "in", "admitted layer"),
        (
            "/extractor",
            &other,
            "403 insufficient_scope",
            "refused guard insufficient_scope",
        ),
        // The cause is what the layer would have refused.
        (
            "/extractor",
            &bad,
            "401 missing_token",
            "refused layer signature",
        ),
    ] {
        assert_eq!(app.get(path, sent).await.body_or_verdict(), verdict);
        assert_eq!(stage.decisions.take(), [told], "{path}");
    }
    stage.clock.advance(DAY);
    let refused = app.get("/scope", &other).await;
    assert_eq!(refused.verdict(), "403 insufficient_scope");
    assert_eq!(app.get("/scope", &writer).await.body, "in");
}

#[tokio::test]
async fn observe_only_layer_whose_end_is_far_away_enforces_and_says_so() {
    let stage = stage();
    let bad = stage.issuer.token().tampered_signature();
    for (days, verdict, message) in [
        (90, "no caller", "requests go on that it would refuse"),
        (91, "401 invalid_token signature", "more than 90 days away"),
        (0, "401 invalid_token signature", "its end is over"),
    ] {
        let logs = Logs::default();
        let listening = logs.listen();
        let app = app(&stage, days);
        let body = app.get("/", &bad).await.body_or_verdict();
        drop(listening);
        assert_eq!(body, verdict, "{days}");
        let text = logs.text();
        assert!(text.contains(message), "{text}");
        let went_on = text.contains("requests went on that it would have refused");
        assert_eq!(went_on, days == 90, "{text}");
    }
}

#[tokio::test]
async fn observe_only_layer_with_two_ends_answers_500() {
    let stage = stage();
    let now = stage.clock.now();
    let (day, two) = (now.saturating_add(DAY), now.saturating_add(DAY * 2));
    let layer = |ends: [_; 2]| {
        let layer = stage
            .server
            .authenticate()
            .danger()
            .observe_only_until(ends[0]);
        layer.danger().observe_only_until(ends[1])
    };
    let token = stage.issuer.token().sign();
    for (ends, verdict) in [
        ([day, day], "200"),
        ([day, two], "500 misconfigured layer_setting"),
    ] {
        let app = TestApp::behind(layer(ends)).route("/", get(async || {}));
        assert_eq!(app.verdict(&token).await, verdict);
    }
}

#[tokio::test]
async fn observe_only_layer_leaves_the_proof_of_a_request_to_the_layer_inside() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let key = DpopKey::generate().with_clock(clock.clone());
    let decisions = Decisions::default();
    let server = builder(&issuer)
        .clock(clock.clone())
        .dpop(Dpop::accepted())
        .observer(decisions.clone())
        .build()
        .expect("sound settings");
    let until = clock.now().saturating_add(DAY);
    let observing = server.authenticate().require_binding(Binding::MutualTls);
    let observing = observing.danger().observe_only_until(until);
    let inside = get(async |_: AccessToken| "in").route_layer(server.authenticate());
    let app = TestApp::behind(observing)
        .route("/inside", inside)
        .route("/alone", get(async |_: Option<AccessToken>| "in"));
    let token = issuer.token().audience(API).bound_to_key(&key).sign();
    let send = async |path: &str, proof: &str| {
        let authorization = format!("DPoP {token}");
        let fields = [("authorization", authorization.as_str()), ("dpop", proof)];
        app.send(path, &fields).await.verdict()
    };
    for path in ["/alone", "/inside"] {
        let proof = key.proof("GET", &format!("https://api.example.com{path}"));
        let proof = proof.access_token(&token).sign();
        assert_eq!(send(path, &proof).await, "200", "{path}");
        if path == "/inside" {
            let replayed = "401 invalid_dpop_proof proof_replayed";
            assert_eq!(send(path, &proof).await, replayed);
        }
    }
    let told = decisions.take();
    assert_eq!(
        told,
        [
            "observed layer binding",
            "admitted layer",
            "refused layer proof_replayed"
        ]
    );
}

#[tokio::test]
async fn observe_only_layer_records_the_caller_of_a_good_token_that_it_would_refuse() {
    let stage = stage();
    let seen = Callers::default();
    let server = builder(&stage.issuer)
        .clock(stage.clock.clone())
        .observer(seen.clone())
        .build()
        .expect("sound settings");
    let until = stage.clock.now().saturating_add(DAY);
    let layer = server.authenticate().require_binding(Binding::MutualTls);
    let observing = layer.clone().danger().observe_only_until(until);
    let token = stage.issuer.token().subject("user-1");
    let (good, bad) = (token.sign(), token.tampered_signature());
    for layer in [layer, observing] {
        let app = TestApp::behind(layer).route("/", get(async || {}));
        let _ = app.verdict(&good).await;
        let _ = app.verdict(&bad).await;
    }
    assert_eq!(
        *seen.0.lock().expect("no panic"),
        [
            "refused user-1",
            "refused -",
            "observed user-1",
            "observed -"
        ]
    );
}

/// Outcome and subject of each decision.
#[derive(Clone, Default)]
struct Callers(Arc<Mutex<Vec<String>>>);

impl Observer for Callers {
    fn decided(&self, decision: &RequestDecision<'_>) {
        let subject = decision.subject().map_or("-", |subject| subject.as_str());
        let line = format!("{} {subject}", decision.outcome().as_str());
        self.0.lock().expect("no panic").push(line);
    }
}
