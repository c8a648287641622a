//! One entry of a key set: its use and its key (RFC 7517 section 4).
//!
//! 1. An optional member that is null or empty counts as absent: some servers write every member.
//! 2. A key with an `alg` is used for that algorithm only; a key without one for those of the issuer's
//!    algorithms that fit its type and curve (RFC 8725 section 3.1).
//! 3. Keys for encryption, symmetric keys and entries that carry private parts are not used.
//! 4. An `AKP` key must have an `alg`, since the type alone names no algorithm (RFC 9964 section 3).
//! 5. The reason why an entry is not used is a phrase. Names that the issuer chose are escaped and cut.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::model::algorithm::{Algorithm, AlgorithmSet};
use crate::verify::crypto::public_key::{Curve, Material, MlDsa};
use crate::verify::json::object::{Object, Value};

/// Longest key id that is kept, and longest that a token may name, in bytes.
pub(crate) const MAX_KEY_ID_BYTES: usize = 256;

/// The longest name of the issuer's that a reason shows.
const MAX_SHOWN_CHARS: usize = 32;

/// Many issuers publish encryption keys too; this reason is not logged.
pub(super) const FOR_ENCRYPTION: &str = "it is for encryption";

/// The bundle of a trust domain has its certificate authorities too; this reason is not logged.
pub(super) const FOR_CERTIFICATES: &str = "it is for the certificates of a trust domain";

/// A key that can be used.
pub(super) struct Jwk {
    pub(in crate::verify) id: Option<String>,
    pub(in crate::verify) issuer: Option<Box<str>>,
    pub(in crate::verify) algorithms: AlgorithmSet,
    pub(in crate::verify) material: Material,
}

/// Why an entry cannot be used.
type Reason = Cow<'static, str>;

impl Jwk {
    /// Reads an entry. A fault comes with the entry's id, where that could be read.
    pub(in crate::verify) fn read(
        entry: &str,
        allowed: AlgorithmSet,
    ) -> Result<Self, (Option<String>, Reason)> {
        let Ok(jwk) = Object::parse_str(entry) else {
            let reason = "it is not a json object, or names a member twice";
            return Err((None, reason.into()));
        };
        let id = match optional(&jwk, "kid") {
            None => None,
            Some(value) => match value.as_text() {
                Some(id) if id.len() <= MAX_KEY_ID_BYTES => Some(id.into_owned()),
                _ => {
                    let reason = "its `kid` is not a string of at most 256 bytes";
                    return Err((None, reason.into()));
                }
            },
        };
        let usable = algorithms_of(&jwk, allowed)
            .and_then(|algorithms| Ok((algorithms, material_of(&jwk)?)));
        match usable {
            Err(reason) => Err((id, reason)),
            Ok((algorithms, material)) => Ok(Self {
                id,
                issuer: issuer_of(&jwk),
                algorithms,
                material,
            }),
        }
    }
}

/// A member, unless it is null or empty.
fn optional<'a>(jwk: &Object<'a>, name: &str) -> Option<Value<'a>> {
    let value = jwk.get(name)?;
    let is_empty = match value {
        Value::Null => true,
        Value::String(quoted) => quoted.text().is_empty(),
        Value::Array(_) => value.elements()?.next().is_none(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    };
    (!is_empty).then_some(value)
}

/// The member `issuer`, where it is a URL. RFC 7517 s4: other values, such as a certificate's issuer,
/// are ignored like any unknown member.
fn issuer_of(jwk: &Object<'_>) -> Option<Box<str>> {
    let issuer = jwk.get("issuer").and_then(Value::as_text)?;
    let is_address = issuer.starts_with("https://") || issuer.starts_with("http://");
    is_address.then(|| issuer.into())
}

/// A name that the issuer chose, escaped and cut.
fn shown(name: &str) -> String {
    let mut cut: String = name.chars().take(MAX_SHOWN_CHARS).collect();
    if cut.len() < name.len() {
        cut.push('\u{2026}');
    }
    cut.escape_debug().to_string()
}

/// The algorithms that the entry is used for.
fn algorithms_of(jwk: &Object<'_>, allowed: AlgorithmSet) -> Result<AlgorithmSet, Reason> {
    // RFC 7517 s4.2: a key for encryption does not verify.
    if let Some(usage) = optional(jwk, "use") {
        match usage.as_text().as_deref() {
            // SPIFFE Trust Domain and Bundle s4.2.2: a key that signs JWT-SVIDs.
            Some("sig" | "jwt-svid") => {}
            Some("x509-svid") => return Err(FOR_CERTIFICATES.into()),
            Some("enc") => return Err(FOR_ENCRYPTION.into()),
            _ => return Err("its `use` is not `sig`".into()),
        }
    }
    // RFC 7517 s4.3
    if let Some(operations) = optional(jwk, "key_ops") {
        let verifies = operations
            .elements()
            .is_some_and(|mut all| all.any(|one| one.as_text().as_deref() == Some("verify")));
        if !verifies {
            return Err("its `key_ops` lacks `verify`".into());
        }
    }
    // RFC 7517 s9.2: a published private key proves nothing.
    if ["d", "p", "q", "k", "priv"]
        .iter()
        .any(|name| optional(jwk, name).is_some())
    {
        return Err("it carries private or symmetric key material".into());
    }
    // Before the algorithm: the reason is clearer where the curve is unknown too.
    check_type(jwk)?;
    match optional(jwk, "alg") {
        None => Ok(allowed),
        Some(Value::String(name)) => {
            let name = name.text();
            let stated = Algorithm::from_name(&name).map_or(AlgorithmSet::EMPTY, |algorithm| {
                AlgorithmSet::of(algorithm.synonyms().iter().copied())
            });
            let usable = stated.and(allowed);
            if usable.is_empty() {
                let name = shown(&name);
                Err(format!("its `alg` `{name}` is not allowed for this issuer").into())
            } else {
                Ok(usable)
            }
        }
        Some(_) => Err("its `alg` is not a string".into()),
    }
}

/// Whether its type and curve are known here (RFC 7518 section 6, RFC 8037 section 2,
/// RFC 9964 section 3).
fn check_type(jwk: &Object<'_>) -> Result<(), Reason> {
    let text = |name| jwk.get(name).and_then(Value::as_text);
    let is_known: fn(&str) -> bool = match text("kty").as_deref() {
        Some("RSA") => return Ok(()),
        Some("EC") => |curve| Curve::from_name(curve).is_some(),
        Some("OKP") => |curve| curve == ED25519,
        Some("AKP") if optional(jwk, "alg").is_some() => return Ok(()),
        Some("AKP") => return Err("it is an `AKP` key without `alg`".into()),
        Some(other) => {
            let other = shown(other);
            let reason = format!("its `kty` `{other}` is not `RSA`, `EC`, `OKP` or `AKP`");
            return Err(reason.into());
        }
        None => return Err("its `kty` is not `RSA`, `EC`, `OKP` or `AKP`".into()),
    };
    match text("crv").as_deref() {
        Some(curve) if is_known(curve) => Ok(()),
        Some(curve) => Err(format!("its curve `{}` is not supported", shown(curve)).into()),
        None => Err("its `crv` is missing or not a string".into()),
    }
}

const ED25519: &str = "Ed25519";

fn material_of(jwk: &Object<'_>) -> Result<Material, Reason> {
    const MALFORMED: Reason = Cow::Borrowed("its key parameters are missing or malformed");
    let text = |name| jwk.get(name).and_then(Value::as_text).ok_or(MALFORMED);
    let bytes = |name| decode(&text(name)?).ok_or(MALFORMED);
    match &*text("kty")? {
        "RSA" => Ok(Material::Rsa {
            n: bytes("n")?,
            e: bytes("e")?,
        }),
        "EC" => Ok(Material::Ec {
            curve: Curve::from_name(&text("crv")?).ok_or(MALFORMED)?,
            x: bytes("x")?,
            y: bytes("y")?,
        }),
        // INVARIANT: `check_type` has refused every other curve.
        "OKP" => Ok(Material::Ed25519 { x: bytes("x")? }),
        "AKP" => Ok(Material::MlDsa {
            parameters: MlDsa::from_name(&text("alg")?).ok_or(MALFORMED)?,
            public: bytes("pub")?,
        }),
        _ => Err(MALFORMED),
    }
}

/// base64url (RFC 7518 section 2). Some issuers write plain base64 with padding, which decodes to the
/// same bytes; the set comes from a trusted issuer.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    if text.contains(['+', '/']) {
        return STANDARD_NO_PAD.decode(text).ok();
    }
    URL_SAFE_NO_PAD.decode(text).ok()
}
