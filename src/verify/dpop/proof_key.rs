//! The public key in the header of a proof, and its thumbprint (RFC 9449 section 4.3 numbers 5 to 7,
//! RFC 7638).
//!
//! 1. The key is a JWK of a type that is known here, with its members in strict base64url.
//! 2. A key with a private or symmetric member is refused, whatever the member's value.
//! 3. Other members, such as `kid` and `use`, are ignored: clients add them, and the thumbprint does
//!    not cover them. `alg` is one of them, except in an `AKP` key, which is for that algorithm alone.
//! 4. RSA keys have at most 4096 bits, so that the check of a stranger's key has a bounded cost.

use base64_simd::URL_SAFE_NO_PAD;

use crate::verify::crypto::public_key::{Curve, Material, MlDsa};
use crate::verify::crypto::sha256::sha256;
use crate::verify::json::object::{Object, Value};

/// The members of private and symmetric keys (RFC 7518 sections 6.2.2, 6.3.2 and 6.4, RFC 8037
/// section 2, RFC 9964 section 3).
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// The bytes of an RSA modulus of 4096 bits.
const MAX_RSA_BYTES: usize = 512;

/// The public key of a proof.
pub(in crate::verify) struct ProofKey {
    pub(in crate::verify) material: Material,
    /// RFC 7638 section 3.
    pub(in crate::verify) thumbprint: [u8; 32],
}

impl ProofKey {
    /// Reads the `jwk`.
    pub(in crate::verify) fn read(jwk: Value<'_>) -> Option<Self> {
        let Value::Object(text) = jwk else {
            return None;
        };
        let jwk = Object::parse_str(text).ok()?;
        if PRIVATE.iter().any(|name| jwk.get(name).is_some()) {
            return None;
        }
        let text = |name| jwk.get(name).and_then(Value::as_text);
        // The values that go into the thumbprint are base64url or fixed names, so that they are the
        // same in JSON.
        let (material, canonical) = match text("kty")?.as_ref() {
            "RSA" => {
                let (n, e) = (text("n")?, text("e")?);
                let material = Material::Rsa {
                    n: decode(&n).filter(|n| n.len() <= MAX_RSA_BYTES)?,
                    e: decode(&e)?,
                };
                (material, format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#))
            }
            "EC" => {
                let (crv, x, y) = (text("crv")?, text("x")?, text("y")?);
                let curve = Curve::from_name(&crv)?;
                // RFC 7518 s6.2.1.2: the full length of the field.
                let coordinate =
                    |text: &str| decode(text).filter(|all| all.len() == curve.coordinate_bytes());
                let material = Material::Ec {
                    curve,
                    x: coordinate(&x)?,
                    y: coordinate(&y)?,
                };
                let canonical = format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#);
                (material, canonical)
            }
            "OKP" if text("crv")?.as_ref() == "Ed25519" => {
                let x = text("x")?;
                let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
                (Material::Ed25519 { x: decode(&x)? }, canonical)
            }
            // RFC 9964 s6: the thumbprint covers `alg`.
            "AKP" => {
                let (alg, public) = (text("alg")?, text("pub")?);
                let material = Material::MlDsa {
                    parameters: MlDsa::from_name(&alg)?,
                    public: decode(&public)?,
                };
                let canonical = format!(r#"{{"alg":"{alg}","kty":"AKP","pub":"{public}"}}"#);
                (material, canonical)
            }
            _ => return None,
        };
        Some(Self {
            material,
            thumbprint: sha256(canonical.as_bytes()),
        })
    }
}

// RFC 7515 s2: no padding, no other alphabet, unused bits zero.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(jwk: &str) -> Option<ProofKey> {
        let header = format!(r#"{{"jwk":{jwk}}}"#);
        let header = Object::parse_str(&header).expect("json");
        ProofKey::read(header.get("jwk")?)
    }

    fn thumbprint(jwk: &str) -> Option<String> {
        read(jwk).map(|key| URL_SAFE_NO_PAD.encode_to_string(key.thumbprint))
    }

    /// RFC 7638 section 3.1.
    const RSA: &str = r#""kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB""#;

    /// RFC 9449 section 4.1, with the thumbprint of section 6.1.
    const EC: &str = r#""kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256""#;

    #[test]
    fn thumbprints_are_those_of_the_specifications() {
        let rsa = thumbprint(&format!("{{{RSA}}}"));
        assert_eq!(
            rsa.as_deref(),
            Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
        );
        let ec = thumbprint(&format!("{{{EC}}}"));
        assert_eq!(
            ec.as_deref(),
            Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I")
        );
        // RFC 8037 appendix A.3.
        let okp = thumbprint(
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        );
        assert_eq!(
            okp.as_deref(),
            Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
        );
    }

    #[test]
    fn members_that_the_thumbprint_does_not_cover_change_nothing() {
        let plain = thumbprint(&format!("{{{EC}}}"));
        for more in [
            r#""alg":"ES256""#,
            r#""kid":"a","use":"sig","key_ops":["verify"],"ext":true"#,
            r#""x5c":["AAAA"],"other":{"d":1}"#,
        ] {
            assert_eq!(thumbprint(&format!("{{{more},{EC}}}")), plain, "{more}");
        }
    }

    #[test]
    fn private_symmetric_unknown_and_malformed_keys_are_refused() {
        for name in PRIVATE {
            for value in ["\"AA\"", "null", "\"\""] {
                assert!(read(&format!(r#"{{"{name}":{value},{EC}}}"#)).is_none());
            }
        }
        for bad in [
            "null".to_owned(),
            "[]".to_owned(),
            "{}".to_owned(),
            r#"{"kty":"oct","k":"AAAA"}"#.to_owned(),
            format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, "A".repeat(684)),
            format!("{{{}}}", EC.replace("P-256", "secp256k1")),
            format!("{{{}}}", EC.replace("P-256", "P-384")),
            format!("{{{}}}", EC.replace("l8tF", "l8t")),
            format!("{{{}}}", EC.replace("BFs\"", "BFs=\"")),
            format!("{{{}}}", EC.replace("\"y\"", "\"z\"")),
            r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
                .to_owned(),
        ] {
            assert!(read(&bad).is_none(), "{bad}");
        }
    }
}
