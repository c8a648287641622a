//! Public test vectors: Wycheproof, the examples of RFC 7515, RFC 8037 and RFC 9964, the IETF JOSE
//! cookbook, key sets of real issuers. Except the examples of RFC 9964 they are not part of this
//! repository; `PORTCULLIS_VECTORS` names the folder that holds them.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::model::algorithm::{Algorithm, AlgorithmSet};
use crate::verify::crypto::pem;
use crate::verify::crypto::public_key::{Material, PublicKey};
use crate::verify::dpop::proof_key::ProofKey;
use crate::verify::jose::jwk_set::{KeySet, Selection, select};
use crate::verify::json::object::{Object, Value as Claim};

fn folder() -> PathBuf {
    let folder = std::env::var_os("PORTCULLIS_VECTORS").map(PathBuf::from);
    folder.expect("PORTCULLIS_VECTORS names the folder of public test vectors")
}

fn json(file: &Path) -> Value {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn all() -> AlgorithmSet {
    AlgorithmSet::of(Algorithm::all())
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
        .collect()
}

/// The public part of a JWK, which our key sets want without the private one.
fn public(key: &Value) -> Value {
    let mut key = key.clone();
    let Some(fields) = key.as_object_mut() else {
        return key;
    };
    fields.retain(|name, _| {
        [
            "kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e", "pub",
        ]
        .contains(&name.as_str())
    });
    key
}

fn set_of(keys: &[Value]) -> Option<KeySet> {
    let body = serde_json::json!({ "keys": keys }).to_string();
    KeySet::parse(body.as_bytes(), all(), 100).ok()
}

/// Whether a compact JWS verifies, whatever its payload: key choice and signature check are the
/// gate's own; these payloads are no claims, so the steps around them cannot be.
fn verifies(jws: &str, keys: &KeySet) -> bool {
    let parts: Vec<&str> = jws.split('.').collect();
    if parts.len() != 3 {
        return false;
    }
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let (Some(header), Some(_), Some(signature)) =
        (bytes(parts[0]), bytes(parts[1]), bytes(parts[2]))
    else {
        return false;
    };
    let Ok(header) = Object::parse(&header) else {
        return false;
    };
    let read = |name: &str| header.get(name).and_then(Claim::as_text);
    let Some(algorithm) = read("alg").and_then(|name| Algorithm::from_name(&name)) else {
        return false;
    };
    let signed = format!("{}.{}", parts[0], parts[1]);
    match select(&[keys], read("kid").as_deref(), algorithm, "") {
        Selection::Keys { candidates, .. } => candidates
            .into_iter()
            .flatten()
            .any(|(_, key)| key.verifies(signed.as_bytes(), &signature)),
        _ => false,
    }
}

#[test]
#[ignore = "needs PORTCULLIS_VECTORS, the folder of public test vectors"]
fn wycheproof_signatures_verify_exactly_where_they_should() {
    let folder = folder();
    let mut checked = 0;
    for (file, algorithm) in [
        ("ecdsa_secp256r1_sha256_p1363_test.json", Algorithm::ES256),
        ("ecdsa_secp384r1_sha384_p1363_test.json", Algorithm::ES384),
        ("ecdsa_secp521r1_sha512_p1363_test.json", Algorithm::ES512),
        ("ed25519_test.json", Algorithm::EdDSA),
    ] {
        let vectors = json(&folder.join("wycheproof/testvectors_v1").join(file));
        for group in vectors["testGroups"].as_array().expect("groups") {
            let by_pem = pem::parse(text(group, "publicKeyPem")).expect("a supported key");
            let key = PublicKey::prepare(&by_pem, algorithm);
            if let Some(jwk) = group.get("publicKeyJwk") {
                let by_jwk = set_of(&[public(jwk)]);
                assert_eq!(key.is_some(), by_jwk.is_some(), "{file}: {jwk}");
            }
            let Some(key) = key else {
                let weak = matches!(by_pem, Material::Ed25519 { .. });
                assert!(weak, "{file}: a group whose key we refuse");
                continue;
            };
            for test in group["tests"].as_array().expect("tests") {
                let (message, signature) = (hex(text(test, "msg")), hex(text(test, "sig")));
                let expected = text(test, "result") == "valid";
                assert_eq!(
                    key.verifies(&message, &signature),
                    expected,
                    "{file} {}",
                    test["tcId"]
                );
                checked += 1;
            }
        }
    }
    let foreign =
        json(&folder.join("wycheproof/testvectors_v1/ecdsa_secp256k1_sha256_p1363_test.json"));
    for group in foreign["testGroups"].as_array().expect("groups") {
        assert!(
            pem::parse(text(group, "publicKeyPem")).is_err(),
            "secp256k1 is not ours"
        );
        assert!(set_of(&[public(&group["publicKeyJwk"])]).is_none());
    }
    println!("{checked} signatures");
    assert!(checked > 900, "{checked}");
}

#[test]
#[ignore = "needs PORTCULLIS_VECTORS, the folder of public test vectors"]
fn wycheproof_jws_never_verify_where_they_should_not() {
    let folder = folder();
    let (mut accepted, mut refused) = (0, 0);
    for file in [
        "json_web_signature_test.json",
        "json_web_key_test.json",
        "json_web_crypto_test.json",
    ] {
        let vectors = json(&folder.join("wycheproof/testvectors_v1").join(file));
        for group in vectors["testGroups"].as_array().expect("groups") {
            // The key as the verifier has it: public where one is given.
            let key = group
                .get("public")
                .filter(|key| !key.is_null())
                .unwrap_or(&group["private"]);
            let keys: Vec<Value> = match key["keys"].as_array() {
                Some(keys) => keys.iter().map(public).collect(),
                None => vec![public(key)],
            };
            let symmetric = keys.iter().all(|key| key["kty"] == "oct");
            let set = set_of(&keys);
            for test in group["tests"].as_array().expect("tests") {
                let Some(jws) = test.get("jws").and_then(Value::as_str) else {
                    continue;
                };
                let found = set.as_ref().is_some_and(|set| verifies(jws, set));
                let name = format!(
                    "{file} {} {} {}",
                    group["comment"], test["tcId"], test["comment"]
                );
                // A ROCA key has the form of any other; finding it out is its issuer's business.
                let roca = group["comment"] == "jws_rsa_roca_key";
                if text(test, "result") == "invalid" && !roca {
                    assert!(!found, "{name}");
                    refused += 1;
                } else if found {
                    accepted += 1;
                } else {
                    let flags = test["flags"].to_string();
                    println!("valid, refused: {name} {flags} symmetric={symmetric}");
                }
            }
        }
    }
    println!("{accepted} accepted, {refused} refused");
    assert!(
        accepted >= 20 && refused > 300,
        "{accepted} accepted, {refused} refused"
    );
}

#[test]
#[ignore = "needs PORTCULLIS_VECTORS, the folder of public test vectors"]
fn rfc_examples_verify() {
    let folder = folder();
    let examples = json(&folder.join("rfc/rfc7515_examples.json"));
    for example in examples["examples"].as_array().expect("examples") {
        let (id, algorithm) = (
            text(example, "id"),
            example["alg"].as_str().unwrap_or_default(),
        );
        let ours = Algorithm::from_name(algorithm).is_some();
        let set = set_of(&[public(&example["key"])]);
        let verified = example["jws"]
            .as_str()
            .zip(set)
            .is_some_and(|(jws, set)| verifies(jws, &set));
        // ES512's example signs a payload that is no text in A.4; all others are ours or symmetric.
        assert_eq!(
            verified,
            ours && !example["key"].is_null(),
            "RFC 7515 {id} {algorithm}"
        );
    }
    let ed = json(&folder.join("rfc/rfc8037_examples.json"));
    let key: Value = serde_json::from_str(text(&ed, "key_json")).expect("a key");
    let set = set_of(&[public(&key)]).expect("a key");
    assert!(verifies(text(&ed, "jws_serialization_compact"), &set));
    assert!(
        set_of(&[key]).is_none(),
        "a private key that was published is not used"
    );
}

#[test]
fn rfc_examples_of_ml_dsa_verify() {
    let examples: Value =
        serde_json::from_str(include_str!("rfc9964_examples.json")).expect("json");
    let examples = examples["examples"].as_array().expect("examples");
    for example in examples {
        let (key, jws) = (&example["jwk"], text(example, "jws"));
        let set = set_of(std::slice::from_ref(key)).expect("a key");
        assert!(verifies(jws, &set), "{}", key["alg"]);
        let (signed, signature) = jws.rsplit_once('.').expect("three parts");
        let forged = format!("{signed}.A{}", &signature[1..]);
        assert!(!verifies(&forged, &set), "{}", key["alg"]);
        let mut private = key.clone();
        private["priv"] = "A".repeat(43).into();
        assert!(
            set_of(&[private]).is_none(),
            "a private key that is published is not used"
        );
        // The `kid` of the examples is the thumbprint (RFC 9964 section 6).
        let header = serde_json::json!({ "jwk": key }).to_string();
        let header = Object::parse_str(&header).expect("json");
        let read = header.get("jwk").and_then(ProofKey::read).expect("a key");
        let thumbprint = URL_SAFE_NO_PAD.encode(read.thumbprint);
        assert_eq!(thumbprint, text(key, "kid"));
    }
    assert_eq!(examples.len(), 3);
}

#[test]
#[ignore = "needs PORTCULLIS_VECTORS, the folder of public test vectors"]
fn cookbook_signatures_verify() {
    let folder = folder();
    for (file, ours) in [
        ("jws/4_1.rsa_v15_signature.json", true),
        ("jws/4_2.rsa-pss_signature.json", true),
        ("jws/4_3.ecdsa_signature.json", true),
        ("jws/4_4.hmac-sha2_integrity_protection.json", false),
        ("curve25519/jws.json", true),
    ] {
        let vector = json(&folder.join("ietf-jose-cookbook").join(file));
        let set = set_of(&[public(&vector["input"]["key"])]);
        let jws = text(&vector["output"], "compact");
        assert_eq!(set.is_some_and(|set| verifies(jws, &set)), ours, "{file}");
    }
}

#[test]
#[ignore = "needs PORTCULLIS_VECTORS, the folder of public test vectors"]
fn a_key_of_microsofts_common_set_is_good_for_the_issuer_that_it_names() {
    let folder = folder();
    let file = folder.join("jwks-real/entra-common.jwks.json");
    let keys = KeySet::parse(&fs::read(file).expect("a file"), all(), 100).expect("a key set");
    let iss = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let consumers = iss("9188040d-6c67-4c5b-b112-36a304b66dad");
    let company = iss("72f988bf-86f1-41af-91ab-2d7cd011db47");
    for (key, issuer, good) in [
        ("Mc7l3Iz93g7uwgNeEmmw_WYGPko", &company, true),
        ("Mc7l3Iz93g7uwgNeEmmw_WYGPko", &consumers, true),
        ("8IIDH6M8c3cXoeojKme8Jvqsr2Y", &consumers, true),
        ("8IIDH6M8c3cXoeojKme8Jvqsr2Y", &company, false),
    ] {
        let selected = select(&[&keys], Some(key), Algorithm::RS256, issuer);
        match selected {
            Selection::Keys { .. } => assert!(good, "{key} {issuer}"),
            Selection::Foreign => assert!(!good, "{key} {issuer}"),
            _ => panic!("{key} {issuer}"),
        }
    }
}

#[test]
#[ignore = "needs PORTCULLIS_VECTORS, the folder of public test vectors"]
fn the_key_sets_of_real_issuers_load() {
    let folder = folder();
    let mut sets = 0;
    for name in ["jwks-real", "jwks-odd"] {
        for entry in fs::read_dir(folder.join(name)).expect("a folder") {
            let file = entry.expect("an entry").path();
            let shown = file.display().to_string();
            if !shown.ends_with(".jwks.json") {
                continue;
            }
            let body = fs::read(&file).expect("a file");
            match KeySet::parse(&body, all(), 100) {
                Ok(_) => sets += 1,
                Err(fault) => {
                    println!("{shown}: {fault}");
                    assert_eq!(name, "jwks-odd", "{shown}: {fault}");
                }
            }
        }
    }
    assert!(sets >= 33, "{sets}");
}
