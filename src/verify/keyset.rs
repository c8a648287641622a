//! Key sets: the bytes of a JWK Set become prepared keys, one by one.
//!
//! 1. The document is a JSON object with one array `keys`, of at most 100 entries
//!    (RFC 7517 section 5); anything else is a broken set.
//! 2. An entry that cannot be used is skipped and named; it costs no other entry.
//! 3. A key that states its `alg` is good for that algorithm alone; one that does not is good
//!    for those of the issuer's algorithms that fit its type and curve (RFC 8725 section 3.1).
//! 4. Keys for encryption, symmetric keys and entries that carry private parts are skipped.
//! 5. A key that names an issuer in a member `issuer`, exactly or with one place left open, is good
//!    for no other issuer's tokens of the same origin. Issuers that share a set, such as the
//!    tenants of Microsoft Entra ID, say in this way whose a key is.
//! 6. A set without one usable key is broken.

use std::collections::{HashMap, HashSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{
    EllipticCurve, EllipticCurveKeyParameters, OctetKeyPairParameters, RSAKeyParameters,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::crypto::{Curve, Material, PublicKey};
use super::json::{Object, Value};
use super::key::Key;
#[cfg(feature = "jwks")]
use super::key::are_alike;
use crate::model::algorithm::{Algorithm, AlgorithmSet};

/// More entries than any issuer publishes; a bound on the work of a refresh.
pub(crate) const MAX_KEYS: usize = 100;

/// Longest key id that is kept, and longest that a token may name, in bytes.
pub(crate) const MAX_KEY_ID_BYTES: usize = 256;

/// Most keys that are tried for one token.
const MAX_CANDIDATES: usize = 4;

/// What makes a whole key set unusable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetFault {
    #[error("the key set is not a json object with an array `keys`")]
    NotAKeySet,
    #[error("the key set has more than 100 entries")]
    TooManyKeys,
    #[error("the key set has no usable key{}", because(.0.as_ref()))]
    NoUsableKey(Option<SkippedKey>),
}

/// Of several reasons the first will do: whoever mends it comes back for the next.
fn because(first: Option<&SkippedKey>) -> String {
    let reason = first.map(|skipped| format!("; {skipped}"));
    reason.unwrap_or_default()
}

/// The keys of one issuer, ready to verify.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
    by_id: HashMap<Box<str>, Vec<usize>>,
    without_id: Vec<usize>,
    unusable_ids: HashSet<Box<str>>,
    skipped: Vec<SkippedKey>,
}

/// An entry of a key set that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    index: usize,
    reason: &'static str,
}

/// Many issuers publish such a key beside the others; nobody has to look after it.
const FOR_ENCRYPTION: &str = "it is for encryption";

impl SkippedKey {
    /// Whether an operator should hear of it unasked.
    #[cfg(feature = "tracing")]
    pub(crate) fn is_notable(&self) -> bool {
        self.reason != FOR_ENCRYPTION
    }

    /// The entry's place in the array `keys`, counted from 0.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Why it cannot be used.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {}", self.index, self.reason)
    }
}

/// The keys that may verify a token.
pub(crate) enum Selection<'k> {
    /// One to four keys. `certain` when the token named them by id.
    Keys {
        candidates: [Option<&'k PublicKey>; MAX_CANDIDATES],
        certain: bool,
    },
    /// The issuer publishes no key with the token's id.
    UnknownKey,
    /// The key is there and is not good for the token's algorithm.
    Unfit,
    /// The key is there and names another issuer than the token's.
    Foreign,
    /// More keys fit than may be tried.
    TooMany,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl KeySet {
    /// Reads a JWK Set. Keys are prepared for `allowed` algorithms only.
    pub(crate) fn parse(bytes: &[u8], allowed: AlgorithmSet) -> Result<Self, KeySetFault> {
        // RFC 8259 s8.1: the whole document, also what nobody reads, is UTF-8.
        let text = std::str::from_utf8(bytes).map_err(|_| KeySetFault::NotAKeySet)?;
        let document: Document<'_> =
            serde_json::from_str(text).map_err(|_| KeySetFault::NotAKeySet)?;
        if document.keys.len() > MAX_KEYS {
            return Err(KeySetFault::TooManyKeys);
        }
        let mut set = Self::default();
        for (index, entry) in document.keys.iter().enumerate() {
            set.add_entry(index, entry.get(), allowed);
        }
        if set.keys.is_empty() {
            return Err(KeySetFault::NoUsableKey(set.skipped.into_iter().next()));
        }
        Ok(set)
    }

    /// Adds a key from elsewhere. `false` when it fits none of the algorithms.
    pub(crate) fn add(
        &mut self,
        id: Option<&str>,
        material: &Material,
        algorithms: AlgorithmSet,
    ) -> bool {
        self.insert(id, material, algorithms, None)
    }

    fn insert(
        &mut self,
        id: Option<&str>,
        material: &Material,
        algorithms: AlgorithmSet,
        issuer: Option<Box<str>>,
    ) -> bool {
        let prepared: Vec<_> = Algorithm::all()
            .filter(|algorithm| algorithms.contains(*algorithm))
            .filter_map(|algorithm| Some((algorithm, PublicKey::prepare(material, algorithm)?)))
            .collect();
        if prepared.is_empty() {
            return false;
        }
        let index = self.keys.len();
        match id {
            Some(id) => self.by_id.entry(id.into()).or_default().push(index),
            None => self.without_id.push(index),
        }
        self.keys.push(Key {
            prepared,
            material: material.clone(),
            issuer,
        });
        true
    }

    /// Takes in all keys of another set.
    pub(crate) fn merge(&mut self, other: Self) {
        let base = self.keys.len();
        self.keys.extend(other.keys);
        for (id, indexes) in other.by_id {
            self.by_id
                .entry(id)
                .or_default()
                .extend(indexes.into_iter().map(|index| base + index));
        }
        self.without_id
            .extend(other.without_id.into_iter().map(|index| base + index));
        self.unusable_ids.extend(other.unusable_ids);
        self.skipped.extend(other.skipped);
    }

    /// How many keys can be used.
    #[cfg(feature = "jwks")]
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The ids of this set's usable keys that another set has not.
    #[cfg(feature = "jwks")]
    pub(crate) fn ids_missing_in<'k>(&'k self, other: &'k Self) -> impl Iterator<Item = &'k str> {
        self.by_id
            .keys()
            .filter(|id| !other.by_id.contains_key(*id))
            .map(AsRef::as_ref)
    }

    /// The ids of its usable keys.
    #[cfg(feature = "jwks")]
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(AsRef::as_ref)
    }

    /// Whether a token that names this id finds the same keys in another set.
    #[cfg(feature = "jwks")]
    pub(crate) fn is_alike_under(&self, id: &str, other: &Self) -> bool {
        match (self.by_id.get(id), other.by_id.get(id)) {
            (Some(own), Some(others)) => are_alike(self.at(own), other.at(others)),
            _ => false,
        }
    }

    /// Whether every token finds the same keys in another set.
    #[cfg(feature = "jwks")]
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        self.by_id == other.by_id
            && self.without_id == other.without_id
            && self.unusable_ids == other.unusable_ids
            && are_alike(self.keys.iter(), other.keys.iter())
    }

    /// The entries that cannot be used.
    #[cfg(any(feature = "jwks", feature = "tracing"))]
    pub(crate) fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// The keys that may verify a token with this id and algorithm, of this issuer. The answer
    /// does not depend on the order of the set.
    pub(crate) fn select(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        issuer: &str,
    ) -> Selection<'_> {
        let serves = |key: &&Key| key.serves(issuer);
        let Some(id) = id else {
            // RFC 7515 s4.1.4: `kid` is optional. Every key that fits may be the one.
            let all = self.keys.iter().filter(serves);
            return gather(all, algorithm, false).unwrap_or(Selection::UnknownKey);
        };
        if let Some(indexes) = self.by_id.get(id) {
            let mut own = self.at(indexes).filter(serves).peekable();
            if own.peek().is_none() {
                return Selection::Foreign;
            }
            return gather(own, algorithm, true).unwrap_or(Selection::Unfit);
        }
        if self.unusable_ids.contains(id) {
            return Selection::Unfit;
        }
        let own = self.at(&self.without_id).filter(serves);
        gather(own, algorithm, false).unwrap_or(Selection::UnknownKey)
    }

    fn at<'k>(&'k self, indexes: &'k [usize]) -> impl Iterator<Item = &'k Key> {
        indexes.iter().filter_map(|index| self.keys.get(*index))
    }

    fn add_entry(&mut self, index: usize, entry: &str, allowed: AlgorithmSet) {
        let Ok(jwk) = Object::parse_str(entry) else {
            return self.skip(
                index,
                None,
                "it is not a json object, or names a member twice",
            );
        };
        let id = match jwk.get("kid") {
            None => None,
            Some(value) => match value.as_text() {
                Some(id) if id.len() <= MAX_KEY_ID_BYTES => Some(id.into_owned()),
                _ => {
                    return self.skip(
                        index,
                        None,
                        "its `kid` is not a string of at most 256 bytes",
                    );
                }
            },
        };
        // RFC 7517 s4: members that nobody understands are ignored, and so is one of this name
        // that holds something else, such as a certificate's issuer.
        let issuer = jwk.get("issuer").and_then(Value::as_text);
        let issuer = issuer
            .filter(|named| named.starts_with("https://") || named.starts_with("http://"))
            .map(Into::into);
        let usable = algorithms_of(&jwk, allowed)
            .and_then(|algorithms| Ok((algorithms, material_of(&jwk, entry)?)));
        match usable {
            Err(reason) => self.skip(index, id, reason),
            Ok((algorithms, material)) => {
                if !self.insert(id.as_deref(), &material, algorithms, issuer) {
                    self.skip(
                        index,
                        id,
                        "the key is weak, malformed or fits no allowed algorithm",
                    );
                }
            }
        }
    }

    fn skip(&mut self, index: usize, id: Option<String>, reason: &'static str) {
        if let Some(id) = id {
            self.unusable_ids.insert(id.into());
        }
        self.skipped.push(SkippedKey { index, reason });
    }
}

fn gather<'k>(
    keys: impl Iterator<Item = &'k Key>,
    algorithm: Algorithm,
    certain: bool,
) -> Option<Selection<'k>> {
    let mut candidates = [None; MAX_CANDIDATES];
    let mut places = candidates.iter_mut();
    let fitting = keys.filter_map(|key| {
        key.prepared
            .iter()
            .find(|(good_for, _)| *good_for == algorithm)
            .map(|(_, key)| key)
    });
    for key in fitting {
        match places.next() {
            Some(place) => *place = Some(key),
            None => return Some(Selection::TooMany),
        }
    }
    candidates.first()?.as_ref()?;
    Some(Selection::Keys {
        candidates,
        certain,
    })
}

/// What the entry says that it is for.
fn algorithms_of(jwk: &Object<'_>, allowed: AlgorithmSet) -> Result<AlgorithmSet, &'static str> {
    // RFC 7517 s4.2: a key for encryption does not verify.
    if let Some(usage) = jwk.get("use") {
        match usage.as_text().as_deref() {
            Some("sig") => {}
            Some("enc") => return Err(FOR_ENCRYPTION),
            _ => return Err("its `use` is not `sig`"),
        }
    }
    // RFC 7517 s4.3
    if let Some(operations) = jwk.get("key_ops") {
        let verifies = operations
            .elements()
            .is_some_and(|mut all| all.any(|one| one.as_text().as_deref() == Some("verify")));
        if !verifies {
            return Err("its `key_ops` lacks `verify`");
        }
    }
    // RFC 7517 s9.2: a private key in the open is nobody's key any more.
    if ["d", "p", "q", "k"]
        .iter()
        .any(|name| jwk.get(name).is_some())
    {
        return Err("it carries private or symmetric key material");
    }
    match jwk.get("alg") {
        None => Ok(allowed),
        Some(Value::String(name)) => {
            let stated = Algorithm::from_name(&name.text())
                .map_or(AlgorithmSet::EMPTY, |algorithm| {
                    AlgorithmSet::of(algorithm.synonyms().iter().copied())
                });
            let usable = stated.and(allowed);
            if usable.is_empty() {
                Err("its `alg` is not allowed for this issuer")
            } else {
                Ok(usable)
            }
        }
        Some(_) => Err("its `alg` is not a string"),
    }
}

fn material_of(jwk: &Object<'_>, entry: &str) -> Result<Material, &'static str> {
    const MALFORMED: &str = "its key parameters are missing or malformed";
    match jwk.get("kty").and_then(Value::as_text).as_deref() {
        Some("RSA") => {
            let key: RSAKeyParameters = serde_json::from_str(entry).map_err(|_| MALFORMED)?;
            Ok(Material::Rsa {
                n: decode(&key.n).ok_or(MALFORMED)?,
                e: decode(&key.e).ok_or(MALFORMED)?,
            })
        }
        Some("EC") => {
            let key: EllipticCurveKeyParameters =
                serde_json::from_str(entry).map_err(|_| MALFORMED)?;
            let curve = nist_curve(&key.curve).ok_or("its curve is not supported")?;
            Ok(Material::Ec {
                curve,
                x: decode(&key.x).ok_or(MALFORMED)?,
                y: decode(&key.y).ok_or(MALFORMED)?,
            })
        }
        Some("OKP") => {
            let key: OctetKeyPairParameters = serde_json::from_str(entry).map_err(|_| MALFORMED)?;
            if key.curve != EllipticCurve::Ed25519 {
                return Err("its curve is not supported");
            }
            Ok(Material::Ed25519 {
                x: decode(&key.x).ok_or(MALFORMED)?,
            })
        }
        _ => Err("its `kty` is not `RSA`, `EC` or `OKP`"),
    }
}

fn nist_curve(curve: &EllipticCurve) -> Option<Curve> {
    [
        (EllipticCurve::P256, Curve::P256),
        (EllipticCurve::P384, Curve::P384),
        (EllipticCurve::P521, Curve::P521),
    ]
    .into_iter()
    .find_map(|(named, known)| (named == *curve).then_some(known))
}

/// base64url (RFC 7518 section 2). Some issuers write plain base64 with padding; which bytes
/// they mean is never in doubt, and the set comes from an issuer that we trust.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    if text.contains(['+', '/']) {
        return STANDARD_NO_PAD.decode(text).ok();
    }
    URL_SAFE_NO_PAD.decode(text).ok()
}
