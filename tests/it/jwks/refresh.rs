//! Key sets that stay fresh: rotation, outage, strangers' key ids, and what operators see.

use std::sync::Arc;
use std::time::Duration;

use portcullis::status::KeySetState;
use portcullis::test_util::{Fault, ManualClock, MockIssuer, ServedIssuer};
use portcullis::{Algorithm, Issuer, ResourceServer};

use crate::support::{API, Requests as _, TestApp, trusting};

struct House {
    issuer: MockIssuer,
    served: ServedIssuer,
    clock: ManualClock,
    server: ResourceServer,
    app: TestApp,
}

async fn house() -> House {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let served = issuer.serve().await;
    let server = ResourceServer::builder(API)
        .issuer(Issuer::oidc(served.url()).key_set_url(served.key_set_url()))
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("a runtime");
    let app = TestApp::new(&server).public("/ready", server.readiness());
    House {
        issuer,
        served,
        clock,
        server,
        app,
    }
}

impl House {
    fn state(&self) -> KeySetState {
        self.server.key_set_status()[0].state()
    }
}

#[tokio::test]
async fn a_new_key_is_admitted_at_its_first_token_and_a_retired_one_ends_with_the_next_set() {
    let house = house().await;
    let old = house
        .issuer
        .token()
        .expires_in(Duration::from_secs(86_400))
        .sign();
    assert_eq!(house.app.verdict(&old).await, "200");
    house.issuer.rotate();
    let new = house.issuer.token().sign();
    assert_eq!(
        house.app.verdict(&new).await,
        "200",
        "after one refresh, inside the request"
    );
    assert_eq!(house.served.fetches(), 2);
    assert_eq!(house.app.verdict(&old).await, "200", "still published");
    house.issuer.retire_old_keys();
    house.clock.advance(Duration::from_secs(700));
    house.served.await_fetches(3).await;
    house.server.refresh_now().await.expect("the issuer is up");
    assert_eq!(
        house.app.verdict(&old).await,
        "401 invalid_token unknown_key"
    );
    assert_eq!(house.app.verdict(&house.issuer.token().sign()).await, "200");
}

#[tokio::test]
async fn algorithm_outside_the_allow_list_causes_no_fetch() {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::RS256, Algorithm::ES256]);
    let served = issuer.serve().await;
    let trusted = Issuer::oidc(served.url()).key_set_url(served.key_set_url());
    let server = trusting([trusted.algorithms([Algorithm::ES256])])
        .connect()
        .await
        .expect("a runtime");
    let app = TestApp::new(&server);
    let stranger = |algorithm| issuer.token().algorithm(algorithm).key_id("other").sign();
    let refused = app.get("/", &stranger(Algorithm::RS256)).await;
    assert_eq!(refused.verdict(), "401 invalid_token algorithm");
    assert_eq!(served.fetches(), 1);
    let looked_for = app.get("/", &stranger(Algorithm::ES256)).await;
    assert_eq!(looked_for.verdict(), "401 invalid_token unknown_key");
    assert_eq!(served.fetches(), 2, "the accepted twin is looked for");
}

#[tokio::test]
async fn the_same_key_id_with_other_material_is_another_key() {
    let house = house().await;
    let old = house.issuer.token().sign();
    let other = MockIssuer::named(house.issuer.issuer()).with_clock(house.clock.clone());
    assert_eq!(house.issuer.key_ids(), other.key_ids());
    let new = other.token().sign();
    assert_eq!(house.app.verdict(&old).await, "200");
    assert_eq!(house.app.verdict(&new).await, "401 invalid_token signature");
    assert_eq!(
        house.served.fetches(),
        1,
        "a bad signature under a known key causes no fetch"
    );
    house
        .served
        .break_key_set_with(Fault::Body(other.key_set().into()));
    house.server.refresh_now().await.expect("the issuer is up");
    assert_eq!(house.app.verdict(&new).await, "200");
    assert_eq!(house.app.verdict(&old).await, "401 invalid_token signature");
}

#[tokio::test]
async fn strangers_key_ids_cause_one_fetch_in_the_cooldown_and_waste_no_rotation() {
    let house = house().await;
    let strange = |id: &str| house.issuer.token().key_id(id).sign();
    assert_eq!(
        house.app.verdict(&strange("a")).await,
        "401 invalid_token unknown_key"
    );
    assert_eq!(house.served.fetches(), 2);
    assert_eq!(
        house.app.verdict(&strange("a")).await,
        "401 invalid_token unknown_key",
        "known to be absent"
    );
    for n in 0..1000 {
        let answer = house.app.get("/", &strange(&format!("k{n}"))).await;
        assert_eq!(answer.verdict(), "503 unavailable key_unconfirmed");
        assert_eq!(answer.header("retry-after"), Some("30"));
    }
    assert_eq!(house.served.fetches(), 2);
    let rotated = {
        house.issuer.rotate();
        house.issuer.token().sign()
    };
    house.clock.advance(Duration::from_secs(12));
    let answer = house.app.get("/", &rotated).await;
    assert_eq!(answer.verdict(), "503 unavailable key_unconfirmed");
    assert_eq!(
        answer.header("retry-after"),
        Some("18"),
        "the rest of the cooldown"
    );
    house.clock.advance(Duration::from_secs(18));
    assert_eq!(house.app.verdict(&rotated).await, "200");
    assert_eq!(house.served.fetches(), 3);
}

#[tokio::test]
async fn many_first_requests_under_a_new_key_share_one_fetch() {
    let house = Arc::new(house().await);
    house.issuer.rotate();
    let token = house.issuer.token().sign();
    house.served.break_with(Fault::Hang);
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let (house, token) = (Arc::clone(&house), token.clone());
            tokio::spawn(async move { house.app.verdict(&token).await })
        })
        .collect();
    let gone = tokio::spawn({
        let (house, token) = (Arc::clone(&house), token.clone());
        async move { house.app.verdict(&token).await }
    });
    house.served.await_fetches(2).await;
    gone.abort(); // a client that disconnects cancels nothing
    assert_eq!(
        house.app.verdict(&token_under_the_old_key(&house)).await,
        "200",
        "known keys do not wait"
    );
    house.served.recover();
    for one in waiting {
        assert_eq!(one.await.expect("no panic"), "200");
    }
    assert_eq!(house.served.fetches(), 2);
}

fn token_under_the_old_key(house: &House) -> String {
    house.issuer.token().key_id("key-1").sign()
}

#[tokio::test]
async fn a_request_waits_two_seconds_of_the_servers_clock_and_no_longer() {
    let house = Arc::new(house().await);
    house.issuer.rotate();
    let token = house.issuer.token().sign();
    house.served.break_with(Fault::Hang);
    let waiting = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.app.verdict(&token).await }
    });
    house.served.await_fetches(2).await;
    house.clock.advance(Duration::from_secs(2));
    assert_eq!(
        waiting.await.expect("no panic"),
        "503 unavailable key_unconfirmed"
    );
}

#[tokio::test]
async fn an_outage_is_no_denial_and_ends_by_itself() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let served = issuer.serve().await;
    served.break_with(Fault::Status(500));
    let server = ResourceServer::builder(API)
        .issuer(served.trusted())
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("down is a status");
    let app = TestApp::new(&server).public("/ready", server.readiness());
    let token = issuer.token().sign();
    let answer = app.get("/", &token).await;
    assert_eq!(answer.verdict(), "503 unavailable keys_not_loaded");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(app.send("/ready", &[]).await.status, 503);
    let status = &server.key_set_status()[0];
    assert_eq!(status.state(), KeySetState::NeverLoaded);
    assert!(status.last_error().is_some() && status.is_failing());
    served.recover();
    clock.advance(Duration::from_secs(31));
    assert_eq!(app.get("/", &token).await.verdict(), "200");
    assert_eq!(app.send("/ready", &[]).await.status, 200);
    assert_eq!(server.key_set_status()[0].state(), KeySetState::Fresh);
    assert!(!server.key_set_status()[0].is_failing());
}

#[tokio::test]
async fn a_broken_set_never_replaces_a_good_one() {
    let house = house().await;
    let token = house
        .issuer
        .token()
        .expires_in(Duration::from_secs(90_000))
        .sign();
    let unchanged = house.issuer.key_set();
    let deep = format!(
        "{{\"keys\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let crowd = format!("{{\"keys\":[{}]}}", vec!["{}"; 101].join(","));
    for fault in [
        Fault::Refuse,
        Fault::Status(500),
        Fault::Status(404),
        Fault::Status(204),
        Fault::CutBody,
        Fault::Redirect(house.served.key_set_url()),
        Fault::Body(b"<html>".to_vec()),
        Fault::Body(b"{\"keys\":[]}".to_vec()),
        Fault::Body(b"{\"keys\":null}".to_vec()),
        Fault::Body(format!("{{\"keys\":[],\"keys\":{unchanged}}}").into_bytes()),
        Fault::Body(crowd.into_bytes()),
        Fault::Body(deep.into_bytes()),
        Fault::Body(vec![b' '; 300 * 1024]),
        Fault::Body(vec![0xff, 0xfe]),
    ] {
        house.served.break_with(fault.clone());
        assert!(house.server.refresh_now().await.is_err(), "{fault:?}");
        assert_eq!(house.app.verdict(&token).await, "200", "{fault:?}");
        assert_eq!(house.state(), KeySetState::Stale, "{fault:?}");
        assert!(house.server.ready(), "{fault:?}");
        house.served.recover();
        house.server.refresh_now().await.expect("recovered");
        assert_eq!(house.state(), KeySetState::Fresh);
    }
}

#[tokio::test]
async fn odd_entries_cost_themselves_alone() {
    let house = house().await;
    let good: serde_json::Value = serde_json::from_str(&house.issuer.key_set()).expect("json");
    let good = good["keys"][0].clone();
    let with = |change: serde_json::Value| {
        let mut entry = good.clone();
        let fields = entry.as_object_mut().expect("an object");
        fields.insert("kid".to_owned(), "odd".into());
        for (name, value) in change.as_object().expect("an object") {
            fields.insert(name.clone(), value.clone());
        }
        entry.to_string()
    };
    let odd = [
        "null".to_owned(),
        "7".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"kty":"RSA","kty":"RSA"}"#.to_owned(),
        r#"{"kty":"AKP","kid":"odd","alg":"ML-DSA-44","pub":"x"}"#.to_owned(),
        r#"{"kty":"oct","kid":"odd","k":"c2VjcmV0"}"#.to_owned(),
        r#"{"kty":"OKP","kid":"odd","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#.to_owned(),
        r#"{"kty":"EC","kid":"odd","crv":"secp256k1","x":"AA","y":"AA"}"#.to_owned(),
        r#"{"kty":"EC","kid":"odd","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}"#.to_owned(),
        with(serde_json::json!({"use": "enc"})),
        with(serde_json::json!({"use": 5})),
        with(serde_json::json!({"key_ops": ["encrypt"]})),
        with(serde_json::json!({"alg": "RSA-OAEP"})),
        with(serde_json::json!({"alg": "none"})),
        with(serde_json::json!({"alg": "HS256"})),
        with(serde_json::json!({"alg": 256})),
        with(serde_json::json!({"kid": 7})),
        with(serde_json::json!({"n": "!"})),
        with(serde_json::json!({"n": ""})),
        with(serde_json::json!({"n": 5})),
        with(serde_json::json!({"e": "AQ"})),
        with(serde_json::json!({"e": "AA"})),
        with(serde_json::json!({"d": "AQAB"})),
        with(serde_json::json!({"kty": 1})),
    ];
    for entry in &odd {
        let body = format!("{{\"keys\":[{entry},{good}],\"more\":1}}");
        house
            .served
            .break_key_set_with(Fault::Body(body.into_bytes()));
        house.server.refresh_now().await.expect("one key is good");
        assert_eq!(
            house.app.verdict(&house.issuer.token().sign()).await,
            "200",
            "{entry}"
        );
        let status = house.server.key_set_status();
        assert_eq!(
            (status[0].keys(), status[0].skipped().len()),
            (1, 1),
            "{entry}"
        );
        let named = house.issuer.token().key_id("odd").sign();
        assert_ne!(house.app.verdict(&named).await, "200", "{entry}");
    }
    // What is odd and usable is used.
    let twin = |change: serde_json::Value| {
        let mut entry = good.clone();
        for (name, value) in change.as_object().expect("an object") {
            entry[name] = value.clone();
        }
        entry
    };
    let mut bare = good.clone();
    for name in ["kid", "alg", "use"] {
        bare.as_object_mut().expect("an object").remove(name);
    }
    for entry in [
        bare,
        twin(serde_json::json!({"x5c": ["AAAA"], "x5t": "x", "extra": {"a": [1]}})),
        twin(serde_json::json!({"key_ops": ["verify", "encrypt"]})),
        // A large game publisher writes plain base64, padded, with a sign octet in front.
        twin(serde_json::json!({"n": plain_base64(&good["n"])})),
    ] {
        let body = format!("{{\"keys\":[{entry}]}}");
        house
            .served
            .break_key_set_with(Fault::Body(body.into_bytes()));
        house.server.refresh_now().await.expect("one key is good");
        assert_eq!(
            house.app.verdict(&house.issuer.token().sign()).await,
            "200",
            "{entry}"
        );
    }
}

fn plain_base64(modulus: &serde_json::Value) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let modulus = modulus.as_str().unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(modulus).expect("base64url");
    STANDARD.encode([vec![0], bytes].concat())
}

#[tokio::test]
async fn stale_keys_serve_until_the_maximum_and_then_count_as_none() {
    let house = house().await;
    let token = house
        .issuer
        .token()
        .expires_in(Duration::from_secs(200_000))
        .sign();
    house.served.break_with(Fault::Status(503));
    house.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(house.app.verdict(&token).await, "200");
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(
        house.app.verdict(&token).await,
        "503 unavailable keys_too_stale"
    );
    assert!(!house.server.ready());
    assert_eq!(house.state(), KeySetState::TooStale);
}

#[tokio::test]
async fn dropped_keys_are_gone_at_once_and_come_back_with_the_next_fetch() {
    let house = house().await;
    let token = house.issuer.token().sign();
    assert_eq!(house.app.verdict(&token).await, "200");
    house.served.break_with(Fault::Hang);
    let keys = house
        .server
        .issuer_keys(&house.issuer.issuer())
        .expect("configured");
    keys.drop_keys();
    assert!(!house.server.ready());
    assert_eq!(house.state(), KeySetState::Dropped);
    house.served.await_fetches(2).await;
    house.served.recover();
    assert_eq!(
        house.app.verdict(&token).await,
        "200",
        "waits for the fetch that was asked for"
    );
    assert!(house.server.issuer_keys("https://nobody.test").is_none());
}

#[tokio::test]
async fn a_set_that_has_not_changed_is_not_sent_again() {
    let house = house().await;
    house.served.offer_etag();
    house.server.refresh_now().await.expect("up");
    house.server.refresh_now().await.expect("up");
    assert_eq!(house.served.not_modified(), 1);
    assert_eq!(house.state(), KeySetState::Fresh);
    assert_eq!(house.app.verdict(&house.issuer.token().sign()).await, "200");
}

#[tokio::test]
async fn the_refresher_ends_with_the_last_handle() {
    let house = house().await;
    let House {
        served,
        clock,
        server,
        app,
        ..
    } = house;
    drop((server, app));
    // The refresher's timer lets go of the clock.
    clock.advance(Duration::from_secs(7000));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(clock.sleepers(), 0);
    assert_eq!(served.fetches(), 1);
}

#[tokio::test]
async fn a_token_without_kid_finds_a_rotated_key_too() {
    let house = house().await;
    house.issuer.rotate();
    house.issuer.retire_old_keys();
    let token = house.issuer.token().without_header("kid").sign();
    assert_eq!(house.app.verdict(&token).await, "200");
    let forged = MockIssuer::named(house.issuer.issuer()).with_clock(house.clock.clone());
    let forged = forged.token().without_header("kid").sign();
    for _ in 0..20 {
        assert_eq!(
            house.app.verdict(&forged).await,
            "401 invalid_token signature"
        );
    }
    assert_eq!(house.served.fetches(), 2);
}

#[tokio::test]
async fn connecting_without_a_runtime_is_an_error_and_static_keys_need_none() {
    let outcome = std::thread::spawn(|| {
        let issuer = MockIssuer::new();
        let fetched = trusting([Issuer::oidc("https://id.example.com")]);
        let fixed = trusting([issuer.trusted()]);
        (
            poll_once(fetched.connect()).map(|end| end.is_err()),
            fixed.ready(),
        )
    })
    .join()
    .expect("no panic");
    assert_eq!(outcome, (Some(true), true));
}

fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn a_long_max_age_never_makes_a_healthy_issuers_keys_too_old() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let served = issuer.serve().await;
    served.max_age(Some(Duration::from_secs(3600)));
    let server = ResourceServer::builder(API)
        .issuer(served.trusted().max_staleness(Duration::from_secs(750)))
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("up");
    for round in 2..6 {
        clock.advance(Duration::from_secs(660)); // 750 * 4/5, and 10 % of jitter
        served.await_fetches(round).await;
        assert!(server.ready(), "round {round}");
        while server.key_set_status()[0].age() != Some(Duration::ZERO) {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_retired_key_is_refused_at_once_even_inside_the_cooldown() {
    let house = house().await;
    let old = house.issuer.token().sign();
    house.issuer.rotate();
    assert_eq!(
        house.app.verdict(&house.issuer.token().sign()).await,
        "200",
        "uses up the cooldown"
    );
    house.issuer.retire_old_keys();
    house.server.refresh_now().await.expect("up");
    assert_eq!(
        house.app.verdict(&old).await,
        "401 invalid_token unknown_key"
    );
    assert_eq!(house.app.verdict(&house.issuer.token().sign()).await, "200");
}

#[tokio::test]
async fn a_token_without_kid_is_not_denied_while_the_issuer_is_down() {
    let house = house().await;
    house.issuer.rotate();
    let token = house.issuer.token().without_header("kid").sign();
    house.served.break_with(Fault::Status(500));
    assert_eq!(
        house.app.verdict(&token).await,
        "503 unavailable key_unconfirmed"
    );
    assert_eq!(
        house.app.verdict(&token).await,
        "503 unavailable key_unconfirmed",
        "in the cooldown"
    );
    house.served.recover();
    assert_eq!(
        house.app.verdict(&token).await,
        "503 unavailable key_unconfirmed",
        "still"
    );
    house.clock.advance(Duration::from_secs(31));
    assert_eq!(house.app.verdict(&token).await, "200");
}

#[tokio::test]
async fn who_waits_for_an_issuer_holds_no_place_under_a_limit() {
    use tower::{Layer as _, Service as _, ServiceExt as _};

    let house = house().await;
    let inner = tower::service_fn(|_: http::Request<String>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    });
    let limit = tower::limit::GlobalConcurrencyLimitLayer::new(1);
    let service = house.server.authenticate().layer(limit.layer(inner));
    let request = |token: &str| {
        http::Request::get("/")
            .header("authorization", format!("Bearer {token}"))
            .body(String::new())
            .expect("a request")
    };
    let known = house.issuer.token().sign();
    house.issuer.rotate();
    house.served.break_with(Fault::Hang);
    let mut held = service.clone();
    let waiting = held
        .ready()
        .await
        .expect("ready")
        .call(request(&house.issuer.token().sign()));
    let waiting = tokio::spawn(waiting);
    house.served.await_fetches(2).await;
    let answer = service
        .clone()
        .oneshot(request(&known))
        .await
        .expect("never fails");
    assert_eq!(answer.status(), 200, "the only place is free");
    house.served.recover();
    let answer = waiting.await.expect("no panic").expect("never fails");
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_refresher_that_is_gone_shows_in_the_status() {
    let issuer = MockIssuer::new();
    let server =
        trusting([Issuer::oidc(issuer.issuer()).key_set_url("http://127.0.0.1:9/jwks.json")]);
    let status = server.key_set_status().remove(0);
    assert_eq!(status.next_attempt(), None);
    assert!(
        status
            .last_error()
            .is_some_and(|error| error.contains("connect()"))
    );
    assert!(server.refresh_now().await.is_err());
}

#[test]
fn static_keys_connect_and_refresh_anywhere() {
    let issuer = MockIssuer::new();
    let server = trusting([issuer.trusted()]);
    let connected = poll_once(server.connect())
        .expect("at once")
        .expect("nothing to do");
    assert!(poll_once(connected.refresh_now()).expect("at once").is_ok());
    let fetched = trusting([Issuer::oidc("https://id.example.com")]);
    assert!(poll_once(fetched.refresh_now()).expect("at once").is_err());
}

/// Some servers leave the leading zeros of a coordinate out, and some write a sign octet.
#[tokio::test]
async fn coordinates_of_another_length_that_mean_one_number_are_read() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::ES512] {
        let issuer = MockIssuer::new().with_algorithms([algorithm]);
        let set: serde_json::Value = serde_json::from_str(&issuer.key_set()).expect("json");
        let with = |change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
            let mut set = set.clone();
            for name in ["x", "y"] {
                let number = set["keys"][0][name].as_str().expect("a number");
                let bytes = URL_SAFE_NO_PAD.decode(number).expect("base64url");
                set["keys"][0][name] = URL_SAFE_NO_PAD.encode(change(bytes)).into();
            }
            set.to_string()
        };
        let verdict = async |set: String| {
            let built = ResourceServer::builder(API)
                .issuer(Issuer::oidc(issuer.issuer()).key_set(set))
                .build();
            let Ok(server) = built else {
                return "no key".to_owned();
            };
            let app = TestApp::new(&server);
            app.get("/", &issuer.token().sign()).await.verdict()
        };
        let bare = |bytes: Vec<u8>| bytes.into_iter().skip_while(|byte| *byte == 0).collect();
        assert_eq!(verdict(with(&|bytes| bytes)).await, "200");
        assert_eq!(verdict(with(&bare)).await, "200");
        assert_eq!(
            verdict(with(&|bytes| [vec![0], bytes].concat())).await,
            "200"
        );
        assert_eq!(
            verdict(with(&|bytes| [vec![1], bytes].concat())).await,
            "no key"
        );
        assert_eq!(
            verdict(with(&|bytes| bytes[..bytes.len() - 1].to_vec())).await,
            "no key"
        );
        assert_eq!(verdict(with(&|_| Vec::new())).await, "no key");
    }
}

#[test]
fn a_set_without_a_usable_key_says_why() {
    let built = ResourceServer::builder(API)
        .issuer(
            Issuer::oidc("https://id.example.com")
                .key_set(r#"{"keys":[{"kty":"RSA","kid":"a","use":"enc","n":"AQ","e":"AQAB"}]}"#),
        )
        .build();
    let said = built
        .err()
        .map(|mistake| mistake.to_string())
        .unwrap_or_default();
    assert!(
        said.contains("no usable key; entry 0: it is for encryption"),
        "{said}"
    );
}
