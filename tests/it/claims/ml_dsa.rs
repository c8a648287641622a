//! Tokens and keys of ML-DSA (RFC 9964), which an issuer's `algorithms` must name.

use http::StatusCode;
use portcullis::test_util::{Fault, MockIssuer};
use portcullis::{Algorithm, Issuer, ResourceServer};
use serde_json::{Value, json};

use crate::support::{API, Requests as _, TestApp, trusting};

const ML_DSA: [Algorithm; 3] = [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87];

/// An issuer with a key of each algorithm of ML-DSA and a key for ES256, which signs by default.
fn mixed() -> MockIssuer {
    let algorithms = [&[Algorithm::ES256], &ML_DSA[..]].concat();
    MockIssuer::new().with_algorithms(algorithms)
}

fn app(issuer: Issuer) -> TestApp {
    TestApp::new(&trusting([issuer]))
}

#[tokio::test]
async fn tokens_of_ml_dsa_are_refused_until_the_issuers_algorithms_name_it() {
    let issuer = mixed();
    let default = app(issuer.trusted());
    for algorithm in ML_DSA {
        let token = issuer.token().algorithm(algorithm);
        assert_eq!(
            default.verdict(&token.sign()).await,
            "401 invalid_token algorithm",
            "{algorithm}"
        );
        let named = app(issuer.trusted().algorithms([Algorithm::ES256, algorithm]));
        assert_eq!(named.verdict(&token.sign()).await, "200", "{algorithm}");
        for forged in [
            token.tampered_payload(),
            token.tampered_signature(),
            token.sign_with_wrong_key(),
        ] {
            assert_eq!(
                named.verdict(&forged).await,
                "401 invalid_token signature",
                "{algorithm}"
            );
        }
        for other in ML_DSA.into_iter().filter(|other| *other != algorithm) {
            let token = issuer.token().algorithm(other).sign();
            assert_eq!(
                named.verdict(&token).await,
                "401 invalid_token algorithm",
                "{other} where {algorithm} is named"
            );
        }
    }
    // The keys do not disturb the others of the set.
    assert_eq!(default.verdict(&issuer.token().sign()).await, "200");
}

#[tokio::test]
async fn keys_of_ml_dsa_in_a_fetched_set_are_skipped_by_name_and_the_others_serve() {
    let served = mixed().serve().await;
    let server = trusting([served.trusted()])
        .connect()
        .await
        .expect("a runtime");
    let status = &server.key_set_status()[0];
    assert_eq!((status.keys(), status.skipped().len()), (1, 3));
    for (skipped, algorithm) in status.skipped().iter().zip(ML_DSA) {
        let reason = format!("its `alg` `{algorithm}` is not allowed for this issuer");
        assert_eq!(skipped.reason(), reason);
    }
    let app = TestApp::new(&server);
    assert_eq!(app.verdict(&served.token().sign()).await, "200");

    let all = served.trusted().algorithms(Algorithm::all());
    let server = trusting([all]).connect().await.expect("a runtime");
    let status = &server.key_set_status()[0];
    assert_eq!((status.keys(), status.skipped().len()), (4, 0));
    let app = TestApp::new(&server);
    for algorithm in ML_DSA {
        let token = served.token().algorithm(algorithm).sign();
        assert_eq!(app.verdict(&token).await, "200", "{algorithm}");
    }
}

/// A change of a JWK.
type Change = fn(&mut Value);

#[tokio::test]
async fn keys_of_ml_dsa_with_faults_are_skipped_and_named() {
    const MALFORMED: &str = "its key parameters are missing or malformed";
    const UNFIT: &str = "the key is weak, malformed or fits no allowed algorithm";
    let issuer = MockIssuer::new().with_algorithms([Algorithm::MlDsa65, Algorithm::ES256]);
    let served = issuer.serve().await;
    let body = served.key_set();
    let cases: [(&str, Option<&str>, Change); 14] = [
        ("the accepted twin", None, |_| {}),
        ("a member that is empty", None, |key| {
            key["priv"] = "".into();
        }),
        ("padded base64", None, |key| {
            key["pub"] = format!("{}=", text(key, "pub")).into();
        }),
        (
            "no `alg`",
            Some("it is an `AKP` key without `alg`"),
            |key| {
                key["alg"] = Value::Null;
            },
        ),
        ("the algorithm of another type", Some(MALFORMED), |key| {
            key["alg"] = "ES256".into();
        }),
        ("another parameter set", Some(UNFIT), |key| {
            key["alg"] = "ML-DSA-87".into();
        }),
        (
            "a name that is unknown",
            Some("its `alg` `ML-DSA-66` is not allowed for this issuer"),
            |key| key["alg"] = "ML-DSA-66".into(),
        ),
        ("a key that is short", Some(UNFIT), |key| {
            key["pub"] = text(key, "pub")[4..].into();
        }),
        ("a key that is long", Some(UNFIT), |key| {
            key["pub"] = format!("{}AAAA", text(key, "pub")).into();
        }),
        ("no key", Some(MALFORMED), |key| key["pub"] = Value::Null),
        ("not base64url", Some(MALFORMED), |key| {
            key["pub"] = "!".into();
        }),
        ("not a string", Some(MALFORMED), |key| {
            key["pub"] = json!([1]);
        }),
        (
            "a private key",
            Some("it carries private or symmetric key material"),
            |key| key["priv"] = "A".repeat(43).into(),
        ),
        ("for encryption", Some("it is for encryption"), |key| {
            key["use"] = "enc".into();
        }),
    ];
    for (what, reason, change) in cases {
        let mut set: Value = serde_json::from_str(&body).expect("json");
        change(&mut set["keys"][0]);
        served.break_key_set_with(Fault::Body(set.to_string().into_bytes()));
        let server = trusting([served.trusted().algorithms(Algorithm::all())])
            .connect()
            .await
            .expect("a runtime");
        let status = &server.key_set_status()[0];
        let skipped = status
            .skipped()
            .first()
            .map(|entry| entry.reason().to_owned());
        assert_eq!(skipped.as_deref(), reason, "{what}");
        let app = TestApp::new(&server);
        let answer = app.get("/", &served.token().sign()).await;
        assert_eq!(answer.status == StatusCode::OK, reason.is_none(), "{what}");
        let other = served.token().algorithm(Algorithm::ES256).sign();
        assert_eq!(app.verdict(&other).await, "200", "{what}");
    }
}

fn text<'k>(key: &'k Value, name: &str) -> &'k str {
    key[name].as_str().expect("text")
}

#[tokio::test]
async fn a_pem_of_ml_dsa_serves_where_its_algorithm_is_named() {
    for algorithm in ML_DSA {
        let issuer = MockIssuer::new().with_algorithms([algorithm]);
        let by_pem = || Issuer::oidc(issuer.issuer()).pem(issuer.public_key_pem());
        let named = app(by_pem().algorithms([algorithm]));
        let token = issuer.token();
        assert_eq!(named.verdict(&token.sign()).await, "200", "{algorithm}");
        assert_eq!(
            named.verdict(&token.sign_with_wrong_key()).await,
            "401 invalid_token unknown_key",
            "{algorithm}"
        );
        let default = ResourceServer::builder(API).issuer(by_pem()).build();
        assert!(default.is_err(), "a key that no algorithm allows");
    }
}
