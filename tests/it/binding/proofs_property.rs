//! Properties of proofs: whatever happens to a good one, no request panics, and a proof is accepted
//! only as its key has signed it.

use std::sync::LazyLock;

use http::{HeaderValue, StatusCode};
use portcullis::Algorithm;
use portcullis::binding::Dpop;
use portcullis::test_util::{DpopKey, MockIssuer};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::support::{API, Requests as _, TestApp, TestResponse, builder};

const URL: &str = "https://api.example.com/";

/// Keys and an API that all cases share; each proof has an id of its own.
struct Stage {
    app: TestApp,
    token: String,
    key: DpopKey,
    runtime: tokio::runtime::Runtime,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let issuer = MockIssuer::new();
    let dpop = Dpop::accepted().algorithms(Algorithm::all());
    let server = builder(&issuer).dpop(dpop).build().expect("sound settings");
    let key = DpopKey::generate();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    Stage {
        app: TestApp::new(&server),
        token: issuer.token().audience(API).bound_to_key(&key).sign(),
        key,
        runtime: runtime.build().expect("a runtime"),
    }
});

impl Stage {
    fn good(&self) -> String {
        self.key.proof("GET", URL).access_token(&self.token).sign()
    }

    /// The answer to a request with this proof; `None` where it is not a header field.
    fn answer(&self, proof: &[u8]) -> Option<TestResponse> {
        HeaderValue::from_bytes(proof).ok()?;
        let mut request = http::Request::get("/")
            .header("authorization", format!("DPoP {}", self.token))
            .body(axum::body::Body::empty())
            .expect("a request");
        let field = HeaderValue::from_bytes(proof).expect("a field");
        request.headers_mut().insert("dpop", field);
        Some(self.runtime.block_on(self.app.exchange(request)))
    }

    fn is_refused(&self, proof: &[u8]) -> Result<(), TestCaseError> {
        let Some(answer) = self.answer(proof) else {
            return Ok(());
        };
        let shown = String::from_utf8_lossy(proof);
        prop_assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", shown);
        prop_assert!(answer.challenge().starts_with("DPoP "), "{}", shown);
        Ok(())
    }

    fn is_accepted(&self, proof: &str) -> Result<(), TestCaseError> {
        let answer = self.answer(proof.as_bytes()).expect("a field");
        prop_assert_eq!(answer.verdict(), "200", "{}", proof);
        Ok(())
    }
}

/// A change of the text of a proof.
#[derive(Clone, Debug)]
enum Edit {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Cut(Index),
    Repeat(Index, Index),
    Swap(Index, Index),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let byte = prop_oneof![
        4 => prop::sample::select(&b"ABCDEFGHIJKLMNOPabcdefghijklmnop0123456789-_."[..]),
        1 => any::<u8>(),
    ];
    let edit = prop_oneof![
        4 => (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        2 => (any::<Index>(), byte).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        2 => any::<Index>().prop_map(Edit::Remove),
        1 => any::<Index>().prop_map(Edit::Cut),
        1 => any::<(Index, Index)>().prop_map(|(from, to)| Edit::Repeat(from, to)),
        2 => any::<(Index, Index)>().prop_map(|(one, other)| Edit::Swap(one, other)),
    ];
    prop::collection::vec(edit, 1..4)
}

fn edited(proof: &str, edits: &[Edit]) -> Vec<u8> {
    let mut bytes = proof.as_bytes().to_vec();
    for edit in edits {
        if bytes.is_empty() {
            break;
        }
        match edit {
            Edit::Replace(at, byte) => *at.get_mut(&mut bytes) = *byte,
            Edit::Insert(at, byte) => bytes.insert(at.index(bytes.len() + 1), *byte),
            Edit::Remove(at) => {
                bytes.remove(at.index(bytes.len()));
            }
            Edit::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Edit::Repeat(from, to) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                bytes.extend_from_within(from.min(to)..from.max(to));
            }
            Edit::Swap(one, other) => {
                let (one, other) = (one.index(bytes.len()), other.index(bytes.len()));
                bytes.swap(one, other);
            }
        }
    }
    bytes
}

/// JSON that is small, and near to what proofs have.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(
            &[
                "GET",
                "dpop+jwt",
                "ES256",
                "ML-DSA-44",
                "EC",
                "AKP",
                "P-256"
            ][..]
        )
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_edited_proof_is_refused_and_does_not_use_up_the_original(edits in edits()) {
        let stage = &*STAGE;
        let proof = stage.good();
        let other = edited(&proof, &edits);
        // RFC 9110 s5.5: spaces around a field's value are not part of it.
        if other.trim_ascii() != proof.as_bytes() {
            stage.is_refused(&other)?;
        }
        stage.is_accepted(&proof)?;
    }

    #[test]
    fn parts_of_two_good_proofs_do_not_make_a_third(take in 1_u8..7) {
        let stage = &*STAGE;
        let key = DpopKey::generate();
        let other = key.proof("GET", URL).access_token(&stage.token).sign();
        let proof = stage.good();
        let pairs = proof.split('.').zip(other.split('.')).enumerate();
        let mixed: Vec<&str> = pairs
            .map(|(at, (own, foreign))| if take & (1 << at) == 0 { own } else { foreign })
            .collect();
        stage.is_refused(mixed.join(".").as_bytes())?;
        stage.is_accepted(&proof)?;
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        STAGE.is_refused(&bytes)?;
    }

    /// Under a good signature: the parsers of the claims see the values.
    #[test]
    fn a_claim_of_another_value_is_refused(
        name in prop::sample::select(&["htm", "htu", "ath", "iat"][..]),
        value in values(),
    ) {
        let stage = &*STAGE;
        let proof = stage.key.proof("GET", URL).access_token(&stage.token);
        prop_assume!(name != "htm" || value != "GET");
        let other = proof.clone().claim(name, value).sign();
        stage.is_refused(other.as_bytes())?;
        stage.is_accepted(&proof.sign())?;
    }

    /// The signature is good and does not cover the key that is believed.
    #[test]
    fn a_header_parameter_of_another_value_is_refused(
        name in prop::sample::select(&["typ", "alg", "jwk", "crit", "b64", "zip"][..]),
        value in values(),
    ) {
        let stage = &*STAGE;
        let proof = stage.key.proof("GET", URL).access_token(&stage.token);
        prop_assume!((name, &value) != ("typ", &"dpop+jwt".into()));
        prop_assume!((name, &value) != ("alg", &"ES256".into()));
        let other = proof.clone().header(name, value).sign();
        stage.is_refused(other.as_bytes())?;
        stage.is_accepted(&proof.sign())?;
    }

    #[test]
    fn a_member_of_the_key_of_another_value_is_refused(
        name in prop::sample::select(&["kty", "crv", "x", "y", "d", "k", "priv"][..]),
        value in values(),
    ) {
        let stage = &*STAGE;
        let mut jwk = stage.key.jwk();
        prop_assume!(jwk.get(name) != Some(&value));
        jwk[name] = value;
        let proof = stage.key.proof("GET", URL).access_token(&stage.token);
        let other = proof.clone().header("jwk", jwk).sign();
        stage.is_refused(other.as_bytes())?;
        stage.is_accepted(&proof.sign())?;
    }
}
