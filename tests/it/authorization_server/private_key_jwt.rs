//! Clients that authenticate by a JWT of their own (RFC 7523, OpenID Connect Core 1.0 section 9).

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis::config::ClientAuthentication;
use portcullis::test_util::{
    Accounts, ManualClock, MockIssuer, ServedAuthorizationServer, TestClient, TokenBuilder,
};
use portcullis::time::Clock as _;
use portcullis::{Algorithm, Issuer, ResourceServer};
use serde_json::{Value, json};

use super::support::{Answer, basic, builder, get, http, post, posting, send};
use crate::support::{API, Requests as _, TestApp};

const TYPE: (&str, &str) = (
    "client_assertion_type",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
);
const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// A client whose keys are those of a mock issuer, which signs its assertions, and the server that knows it.
struct World {
    clock: ManualClock,
    keys: MockIssuer,
    server: ServedAuthorizationServer,
}

impl World {
    async fn new() -> Self {
        let clock = ManualClock::new();
        let keys = MockIssuer::new()
            .with_algorithms([Algorithm::ES256])
            .with_clock(clock.clone());
        let jwks: Value = serde_json::from_str(&keys.key_set()).expect("a key set");
        let by_jwt = |id: &str| {
            TestClient::public(id)
                .token_endpoint_auth_method("private_key_jwt")
                .grant_types(["client_credentials"])
                .jwks(&jwks)
        };
        let server = builder(&clock)
            .client(by_jwt("reports"))
            .client(by_jwt("other"))
            .client(TestClient::confidential("secret", "s").jwks(&jwks));
        let server = server.serve().await.expect("a free port");
        Self {
            clock,
            keys,
            server,
        }
    }

    fn token_url(&self) -> String {
        format!("{}/token", self.server.url())
    }

    /// A good assertion.
    fn assertion(&self) -> TokenBuilder {
        self.of("reports")
    }

    fn of(&self, client: &str) -> TokenBuilder {
        let token = self.keys.token().issuer(client).subject(client);
        let token = token.audience(&self.token_url()).without("client_id");
        token.expires_in(Duration::from_secs(60))
    }

    async fn ask(&self, assertion: &str) -> Answer {
        post(
            &self.token_url(),
            &[GRANT, TYPE, ("client_assertion", assertion)],
        )
        .await
    }
}

/// Status and error code; the code is empty for a success.
fn outcome(answer: &Answer) -> (u16, String) {
    answer.error()
}

fn accepted() -> (u16, String) {
    (200, String::new())
}

fn refused() -> (u16, String) {
    (401, "invalid_client".into())
}

#[tokio::test]
async fn client_assertion_that_is_wrong_is_refused_and_its_twin_is_not() {
    let world = World::new().await;
    let (url, issuer) = (world.token_url(), world.server.issuer());
    let hour = Duration::from_secs(3600);
    let second = Duration::from_secs(1);
    let good = || world.assertion();
    let id = |id: &str| good().claim("jti", id);
    let now = world.clock.now().as_secs();
    for (name, assertion, is_good) in [
        ("good", id("1").sign(), true),
        ("wrong key", id("2").sign_with_wrong_key(), false),
        ("unknown key", id("2").sign_with_unknown_key(), false),
        ("tampered", id("2").tampered_payload(), false),
        ("alg none", id("2").unsigned(), false),
        ("hmac", id("2").with_hmac_of_public_key(), false),
        ("the twin of these", id("2").sign(), true),
        ("the issuer as aud", id("3").audience(&issuer).sign(), true),
        (
            "several aud",
            id("4").audiences(["https://a.example", &url]).sign(),
            true,
        ),
        (
            "wrong aud",
            id("5").audience("https://a.example/token").sign(),
            false,
        ),
        (
            "aud of a longer path",
            id("5").audience(&format!("{url}/x")).sign(),
            false,
        ),
        ("no aud", id("5").without("aud").sign(), false),
        ("expired", id("5").expired().sign(), false),
        ("ends now", id("5").expires_in(Duration::ZERO).sign(), false),
        ("no exp", id("5").without("exp").sign(), false),
        ("text as exp", id("5").claim("exp", "soon").sign(), false),
        ("far exp", id("5").expires_in(hour + second).sign(), false),
        ("exp in an hour", id("5").expires_in(hour).sign(), true),
        (
            "exp with a fraction",
            id("6")
                .claim(
                    "exp",
                    json!(format!("{now}.5").parse::<f64>().expect("a number") + 30.0),
                )
                .sign(),
            true,
        ),
        (
            "not yet",
            id("7").not_before_in(Duration::from_secs(61)).sign(),
            false,
        ),
        (
            "a clock that is ahead",
            id("7").not_before_in(Duration::from_secs(60)).sign(),
            true,
        ),
        ("another sub", id("8").subject("other").sign(), false),
        ("no sub", id("8").without("sub").sign(), false),
        (
            "unknown client",
            id("8").issuer("x").subject("x").sign(),
            false,
        ),
        ("no jti", good().without("jti").sign(), false),
        ("empty jti", id("").sign(), false),
        ("no jwt", "words".into(), false),
        // It may authenticate by its secret alone.
        ("other method", world.of("secret").sign(), false),
        (
            "same jti of another client",
            world.of("other").claim("jti", "1").sign(),
            true,
        ),
    ] {
        let answer = world.ask(&assertion).await;
        let expected = if is_good { accepted() } else { refused() };
        assert_eq!(outcome(&answer), expected, "{name} {}", answer.body);
        if is_good {
            let again = world.ask(&assertion).await;
            assert_eq!(outcome(&again), refused(), "{name} again");
        }
    }
}

#[tokio::test]
async fn client_assertion_stands_alone_in_its_request() {
    let world = World::new().await;
    let url = world.token_url();
    let assertion = world.assertion().claim("jti", "1").sign();
    let stated = ("client_assertion", &*assertion);
    for (name, fields, expected) in [
        (
            "another client id",
            &[GRANT, TYPE, stated, ("client_id", "other")][..],
            refused(),
        ),
        (
            "a secret too",
            &[GRANT, TYPE, stated, ("client_secret", "s")],
            (400, "invalid_request".into()),
        ),
        ("no type", &[GRANT, stated], (400, "invalid_request".into())),
        (
            "a type alone",
            &[GRANT, TYPE],
            (400, "invalid_request".into()),
        ),
        (
            "another type",
            &[
                GRANT,
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
                ),
                stated,
            ],
            refused(),
        ),
        // It names itself, as a public client would.
        (
            "no assertion",
            &[GRANT, ("client_id", "reports")],
            refused(),
        ),
    ] {
        assert_eq!(outcome(&post(&url, fields).await), expected, "{name}");
    }
    let both = posting(&url, &[GRANT, TYPE, stated]).header("authorization", basic("secret", "s"));
    assert_eq!(outcome(&send(both).await), (400, "invalid_request".into()));
    // None of these has used it up.
    let named = [GRANT, TYPE, stated, ("client_id", "reports")];
    assert_eq!(outcome(&post(&url, &named).await), accepted());
}

#[tokio::test]
async fn client_assertion_is_remembered_until_it_ends() {
    let world = World::new().await;
    let assertion = world
        .assertion()
        .expires_in(Duration::from_secs(3600))
        .sign();
    assert_eq!(outcome(&world.ask(&assertion).await), accepted());
    world.clock.advance(Duration::from_secs(3599));
    let replayed = world.ask(&assertion).await;
    assert!(replayed.body.contains("used before"), "{}", replayed.body);
    world.clock.advance(Duration::from_secs(1));
    let ended = world.ask(&assertion).await;
    assert!(ended.body.contains("expired"), "{}", ended.body);
}

#[tokio::test]
async fn token_endpoint_auth_signing_alg_values_supported_has_no_symmetric_algorithm() {
    let world = World::new().await;
    let url = format!("{}/.well-known/openid-configuration", world.server.url());
    let document = get(&url).await.json();
    for endpoint in ["token", "revocation", "introspection"] {
        let member = |end: &str| document[format!("{endpoint}_endpoint_auth_{end}")].clone();
        let methods = member("methods_supported");
        assert!(
            methods
                .as_array()
                .expect("a list")
                .contains(&json!("private_key_jwt"))
        );
        let algorithms = member("signing_alg_values_supported");
        let algorithms = algorithms.as_array().expect("a list").clone();
        assert!(algorithms.contains(&json!("ES256")), "{endpoint}");
        for one in algorithms {
            let name = one.as_str().expect("a name");
            assert!(!name.starts_with("HS") && name != "none", "{name}");
        }
    }
}

#[tokio::test]
async fn jwks_without_a_usable_key_is_a_mistake_in_the_accounts() {
    let accounts = |jwks: Value| {
        let client = json!({
            "id": "a", "grant_types": ["client_credentials"], "jwks": jwks,
            "token_endpoint_auth_method": "private_key_jwt",
        });
        Accounts::from_json(&json!({"clients": [client]}).to_string())
    };
    let keys = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .key_set();
    assert!(accounts(serde_json::from_str(&keys).expect("a key set")).is_ok());
    let symmetric = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}]});
    for wrong in [Value::Null, json!({}), json!({"keys": []}), symmetric] {
        let error = accounts(wrong).expect_err("no usable key").to_string();
        assert!(error.contains("jwks"), "{error}");
    }
}

#[tokio::test]
async fn private_key_jwt_of_a_client_that_registered_itself_is_accepted() {
    let world = World::new().await;
    let register = async |jwks: Value| {
        let metadata = json!({
            "grant_types": ["client_credentials"], "response_types": [], "jwks": jwks,
            "token_endpoint_auth_method": "private_key_jwt",
        });
        let request = http().post(format!("{}/register", world.server.url()));
        let request = request.header("content-type", "application/json");
        send(request.body(metadata.to_string())).await
    };
    let unusable = register(json!({"keys": []})).await;
    assert_eq!(unusable.error(), (400, "invalid_client_metadata".into()));
    let keys = serde_json::from_str(&world.keys.key_set()).expect("a key set");
    let client = register(keys).await.json();
    assert_eq!(client.get("client_secret"), None);
    let id = client["client_id"].as_str().expect("an id");
    let wrong = world.ask(&world.of(id).sign_with_wrong_key()).await;
    assert_eq!(outcome(&wrong), refused());
    let good = world.ask(&world.of(id).sign()).await;
    assert_eq!(outcome(&good), accepted(), "{}", good.body);
}

#[tokio::test]
async fn private_key_jwt_of_a_resource_server_introspects() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let der = pair.to_pkcs8v1().expect("der");
    let pem = |der: &[u8]| {
        let base64 = STANDARD.encode(der);
        format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n")
    };
    let point = pair.public_key().as_ref();
    let part = |range| URL_SAFE_NO_PAD.encode(&point[range]);
    let jwks = json!({"keys": [
        {"kty": "EC", "crv": "P-256", "kid": "k1", "x": part(1..33), "y": part(33..65)},
    ]});
    let clock = ManualClock::new();
    let api = TestClient::public("orders-api")
        .token_endpoint_auth_method("private_key_jwt")
        .grant_types(Vec::<String>::new())
        .jwks(jwks);
    let served = builder(&clock).client(api).serve().await.expect("a port");
    let foreign =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let foreign = foreign.expect("a key");
    for (key, verdict) in [(der.as_ref(), "200"), (foreign.as_ref(), "503")] {
        let ours = ClientAuthentication::private_key_jwt("orders-api", pem(key)).with_key_id("k1");
        let issuer = Issuer::introspected(format!("{}/introspect", served.url()))
            .identified_as(served.issuer())
            .client_authentication(ours);
        let server = ResourceServer::builder(API)
            .issuer(issuer)
            .clock(clock.clone())
            .build()
            .expect("sound settings");
        let server = server.connect().await.expect("a runtime");
        let app = TestApp::new(&server);
        // Each question has an assertion of its own.
        for _ in 0..2 {
            let token = served.token().audience(API).issue();
            let found = app.verdict(&token).await;
            assert!(found.starts_with(verdict), "{found}");
        }
    }
}
