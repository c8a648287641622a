//! What a key set may hold: how many entries, how long, with which members, and what is said of
//! an entry that cannot be used.

use std::sync::LazyLock;

use portcullis::status::KeySetState;
use portcullis::test_util::{Fault, MockIssuer, ServedIssuer};
use portcullis::{Algorithm, Issuer, ResourceServer};
use serde_json::{Value, json};

use crate::support::logs::Logs;
use crate::support::{API, Requests as _, TestApp, trusting};

struct Set {
    served: ServedIssuer,
    server: ResourceServer,
    app: TestApp,
}

/// An issuer whose set is what a test says, and a server with these settings.
async fn set(body: impl Into<Vec<u8>>, settings: impl Fn(Issuer) -> Issuer) -> Set {
    let served = SIGNER.serve().await;
    served.break_key_set_with(Fault::Body(body.into()));
    let trusted = settings(Issuer::oidc(NAME).key_set_url(served.key_set_url()));
    let server = trusting([trusted]).connect().await.expect("a runtime");
    let app = TestApp::new(&server);
    Set {
        served,
        server,
        app,
    }
}

impl Set {
    async fn verdict(&self, key_id: &str) -> String {
        let token = self.served.token().key_id(key_id).sign();
        self.app.get("/", &token).await.verdict()
    }
}

const NAME: &str = "https://issuer.test";

/// One key for all tests.
static SIGNER: LazyLock<MockIssuer> =
    LazyLock::new(|| MockIssuer::named(NAME).with_algorithms([Algorithm::ES256]));

/// The entry of the issuer's one key, under another id.
fn entry(key_id: &str) -> Value {
    let set: Value = serde_json::from_str(&SIGNER.key_set()).expect("json");
    let mut entry = set["keys"][0].clone();
    entry["kid"] = key_id.into();
    entry
}

fn keys(entries: &[Value]) -> String {
    json!({ "keys": entries }).to_string()
}

/// So many copies of the key, under the ids `k0`, `k1`, ...
fn crowd(count: usize) -> Vec<Value> {
    (0..count).map(|at| entry(&format!("k{at}"))).collect()
}

#[tokio::test]
async fn key_set_with_more_entries_than_are_read_serves_those_that_are_and_names_the_rest() {
    let logs = Logs::default();
    let _listening = logs.listen();
    let set = set(keys(&crowd(103)), |issuer| issuer).await;
    assert_eq!(set.verdict("k0").await, "200");
    assert_eq!(set.verdict("k99").await, "200");
    let status = &set.server.key_set_status()[0];
    assert_eq!((status.state(), status.keys()), (KeySetState::Fresh, 100));
    let skipped = &status.skipped()[0];
    assert_eq!((status.skipped().len(), skipped.index()), (1, 100));
    assert_eq!(
        skipped.reason(),
        "it is beyond the 100 entries that are read, with 2 after it; raise `most_keys`"
    );
    assert!(logs.text().contains("raise `most_keys`"), "{}", logs.text());
    // The key of this one may be among those that were not read: our limit, no denial.
    assert_eq!(set.verdict("k100").await, "503 unavailable keys_not_read");
}

#[tokio::test]
async fn key_set_that_grows_beyond_the_limit_does_not_age_out() {
    let set = set(keys(&crowd(100)), |issuer| issuer).await;
    assert_eq!(set.server.key_set_status()[0].skipped().len(), 0);
    assert_eq!(
        set.verdict("unknown").await,
        "401 invalid_token unknown_key"
    );
    let grown = keys(&crowd(101)).into_bytes();
    set.served.break_key_set_with(Fault::Body(grown));
    set.server.refresh_now().await.expect("a good set");
    assert_eq!(set.server.key_set_status()[0].state(), KeySetState::Fresh);
    assert_eq!(set.verdict("k0").await, "200");
}

#[tokio::test]
async fn most_keys_and_key_set_bytes_raise_the_limits() {
    let raised = |issuer: Issuer| issuer.most_keys(101);
    let set_of_101 = set(keys(&crowd(101)), raised).await;
    assert_eq!(set_of_101.verdict("k100").await, "200");
    assert_eq!(set_of_101.server.key_set_status()[0].keys(), 101);

    let mut fat = entry("fat");
    fat["x5c"] = json!(["A".repeat(300 << 10)]);
    let body = keys(&[entry("k0"), fat]);
    let longer = set(body.clone(), |issuer| issuer.key_set_bytes(1 << 20)).await;
    assert_eq!(longer.verdict("fat").await, "200");
    let default = set(body, |issuer| issuer).await;
    let status = &default.server.key_set_status()[0];
    assert_eq!(status.state(), KeySetState::NeverLoaded);
    let error = status.last_error().expect("an error");
    assert!(
        error.contains("more than 262144 bytes; raise `key_set_bytes`"),
        "{error}"
    );
}

#[test]
fn most_keys_and_key_set_bytes_have_bounds() {
    let build = |issuer: Issuer| ResourceServer::builder(API).issuer(issuer).build();
    let id = || Issuer::oidc("https://id.example.com");
    for sound in [
        id().most_keys(1),
        id().most_keys(1000),
        id().key_set_bytes(16 << 10),
        id().key_set_bytes(4 << 20),
    ] {
        assert!(build(sound).is_ok());
    }
    for (bad, setting) in [
        (id().most_keys(0), "most_keys"),
        (id().most_keys(1001), "most_keys"),
        (id().key_set_bytes((16 << 10) - 1), "key_set_bytes"),
        (id().key_set_bytes((4 << 20) + 1), "key_set_bytes"),
        // A set that is given whole is cut in no silence.
        (id().key_set(keys(&crowd(101))), "key_set"),
    ] {
        assert_eq!(build(bad).expect_err(setting).setting(), setting);
    }
    let raised = id().key_set(keys(&crowd(101))).most_keys(101);
    assert!(build(raised).is_ok());
}

#[tokio::test]
async fn jwk_member_that_is_null_or_empty_is_one_that_is_not_there() {
    for (member, empty) in [
        ("alg", json!(null)),
        ("alg", json!("")),
        ("use", json!(null)),
        ("use", json!("")),
        ("key_ops", json!(null)),
        ("key_ops", json!([])),
        ("x5c", json!(null)),
        ("x5c", json!([])),
        ("x5t", json!(null)),
        ("x5u", json!("")),
        ("d", json!(null)),
        ("d", json!("")),
        ("p", json!(null)),
        ("q", json!(null)),
        ("k", json!(null)),
        ("n", json!(null)),
        ("e", json!(null)),
        ("issuer", json!(null)),
        ("issuer", json!("")),
    ] {
        let mut entry = entry("k0");
        entry[member] = empty;
        let shown = entry.to_string();
        let set = set(keys(&[entry]), |issuer| issuer).await;
        assert_eq!(set.verdict("k0").await, "200", "{shown}");
        assert!(
            set.server.key_set_status()[0].skipped().is_empty(),
            "{shown}"
        );
    }
    // A key without an id is for every id that no other key has.
    for empty in [json!(null), json!("")] {
        let mut entry = entry("k0");
        entry["kid"] = empty;
        let set = set(keys(&[entry]), |issuer| issuer).await;
        assert_eq!(set.verdict("any").await, "200");
    }
}

#[tokio::test]
async fn jwk_member_that_is_needed_must_be_there_and_one_that_says_no_counts() {
    for (member, value) in [
        ("kty", json!(null)),
        ("kty", json!("")),
        ("crv", json!(null)),
        ("crv", json!("")),
        ("x", json!(null)),
        ("x", json!("")),
        ("y", json!(null)),
        ("alg", json!(5)),
        ("alg", json!("none")),
        ("use", json!("enc")),
        ("use", json!(5)),
        ("key_ops", json!(["encrypt"])),
        ("key_ops", json!("verify")),
        ("d", json!("AQAB")),
        ("k", json!("AQAB")),
        ("kid", json!(7)),
        ("kid", json!([])),
    ] {
        let mut odd = entry("odd");
        odd[member] = value;
        if member == "kid" && odd["kid"] == json!([]) {
            odd["kid"] = json!([1]);
        }
        let shown = odd.to_string();
        let set = set(keys(&[odd, entry("k0")]), |issuer| issuer).await;
        assert_eq!(set.verdict("k0").await, "200", "{shown}");
        let status = &set.server.key_set_status()[0];
        assert_eq!((status.keys(), status.skipped().len()), (1, 1), "{shown}");
        assert_ne!(set.verdict("odd").await, "200", "{shown}");
    }
}

#[tokio::test]
async fn jwk_of_a_curve_or_type_that_is_not_supported_is_named_as_such() {
    let ec = |curve: &str| json!({"kty": "EC", "kid": "odd", "crv": curve, "x": "AA", "y": "AA"});
    let okp = |curve: &str| json!({"kty": "OKP", "kid": "odd", "crv": curve, "x": "AA"});
    let with = |mut entry: Value, alg: &str| {
        entry["alg"] = alg.into();
        entry
    };
    for (odd, reason) in [
        (okp("Ed448"), "its curve `Ed448` is not supported"),
        (
            with(okp("Ed448"), "EdDSA"),
            "its curve `Ed448` is not supported",
        ),
        (
            with(okp("Ed448"), "Ed448"),
            "its curve `Ed448` is not supported",
        ),
        (okp("X25519"), "its curve `X25519` is not supported"),
        (okp("P-256"), "its curve `P-256` is not supported"),
        (ec("secp256k1"), "its curve `secp256k1` is not supported"),
        (
            with(ec("secp256k1"), "ES256K"),
            "its curve `secp256k1` is not supported",
        ),
        (ec("P-256K"), "its curve `P-256K` is not supported"),
        (ec("P-512"), "its curve `P-512` is not supported"),
        (ec("secp521r1"), "its curve `secp521r1` is not supported"),
        (ec("Ed25519"), "its curve `Ed25519` is not supported"),
        (
            ec("a\nb\u{7f}"),
            "its curve `a\\nb\\u{7f}` is not supported",
        ),
        (
            json!({"kty": "AKP", "kid": "odd", "alg": "ML-DSA-44", "pub": "AA"}),
            "its `alg` `ML-DSA-44` is not allowed for this issuer",
        ),
        (
            json!({"kty": "AKP", "kid": "odd", "pub": "AA"}),
            "it is an `AKP` key without `alg`",
        ),
        (
            json!({"kty": "LWE", "kid": "odd", "alg": "ML-DSA-44", "pub": "AA"}),
            "its `kty` `LWE` is not `RSA`, `EC`, `OKP` or `AKP`",
        ),
        (
            json!({"kty": "EC", "kid": "odd", "x": "AA", "y": "AA"}),
            "its `crv` is missing or not a string",
        ),
        (
            with(entry("odd"), "RSA-OAEP"),
            "its `alg` `RSA-OAEP` is not allowed for this issuer",
        ),
    ] {
        let set = set(keys(&[odd.clone(), entry("k0")]), |issuer| issuer).await;
        let status = &set.server.key_set_status()[0];
        assert_eq!(status.skipped()[0].reason(), reason, "{odd}");
        assert_eq!(set.verdict("k0").await, "200", "{odd}");
    }
    // A name that goes on and on is cut.
    let long = "x".repeat(10_000);
    let set = set(keys(&[ec(&long), entry("k0")]), |issuer| issuer).await;
    assert!(set.server.key_set_status()[0].skipped()[0].reason().len() < 100);
}

#[tokio::test]
async fn many_odd_entries_are_named_in_the_status_and_not_each_in_the_log() {
    let mut entries = vec![entry("k0")];
    entries.extend((0..90).map(|_| json!({"kty": "EC", "crv": "secp256k1"})));
    let logs = Logs::default();
    let _listening = logs.listen();
    let set = set(keys(&entries), |issuer| issuer).await;
    assert_eq!(set.server.key_set_status()[0].skipped().len(), 90);
    let lines = logs.text().matches("cannot be used").count();
    assert!((1..=20).contains(&lines), "{lines}");
}

#[tokio::test]
async fn metadata_member_that_is_null_or_empty_is_one_that_is_not_there() {
    let served = MockIssuer::new().serve().await;
    let document: Value = serde_json::from_str(&served.discovery_document()).expect("json");
    for (member, value, is_good) in [
        ("registration_endpoint", json!(null), true),
        ("scopes_supported", json!([]), true),
        ("userinfo_endpoint", json!(""), true),
        ("jwks_uri", json!(null), false),
        ("jwks_uri", json!(""), false),
        ("issuer", json!(null), false),
        ("issuer", json!(""), false),
    ] {
        let mut odd = document.clone();
        odd[member] = value;
        served.break_discovery_with(Fault::Body(odd.to_string().into_bytes()));
        let server = trusting([Issuer::oidc(served.url())])
            .connect()
            .await
            .expect("no mistake that stays");
        let status = &server.key_set_status()[0];
        assert_eq!(status.state() == KeySetState::Fresh, is_good, "{odd}");
        if !is_good {
            let error = status.last_error().expect("an error");
            assert!(
                error.contains(&format!("has no string `{member}`")),
                "{error}"
            );
        }
    }
}
