//! Signature algorithms that an issuer may use.

use std::str::FromStr;

use crate::model::text_conversions::{converts_from_text, converts_to_text};

/// An asymmetric JWS algorithm
/// ([RFC 7518 section 3](https://www.rfc-editor.org/rfc/rfc7518#section-3),
/// [RFC 8037](https://www.rfc-editor.org/rfc/rfc8037),
/// [RFC 9964](https://www.rfc-editor.org/rfc/rfc9964)).
///
/// `none` and the HMAC family do not exist here, so no configuration can admit them
/// (RFC 8725 section 3.1). The header's name is compared byte for byte, and must itself be
/// allowed: `EdDSA` and its fully specified name `Ed25519` (RFC 9864 section 2.2) sign alike and
/// are two entries of the allow-list. A key that states either is good for both.
///
/// `MlDsa44`, `MlDsa65` and `MlDsa87` are ML-DSA (FIPS 204), the post-quantum signature, with the
/// JOSE names `ML-DSA-44`, `ML-DSA-65` and `ML-DSA-87`. They are accepted where `algorithms(..)` names
/// them. Their tokens have 4 to 8 KB, which the header limits of some proxies do not admit.
///
/// `FromStr`, `TryFrom` and `Deserialize` read the JOSE name, case-sensitively; `Display`, `AsRef<str>`
/// and `Serialize` give it.
///
/// ```
/// use portcullis::Algorithm;
///
/// assert_eq!("ES256".parse(), Ok(Algorithm::ES256));
/// assert!("es256".parse::<Algorithm>().is_err());
/// assert!("HS256".parse::<Algorithm>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias("alg", "jwa", "rs256"))]
#[non_exhaustive]
#[allow(missing_docs)] // The names are the documentation: RFC 7518 section 3.1.
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
    Ed25519,
    #[doc(alias("ML-DSA-44", "AKP"))]
    MlDsa44,
    #[doc(alias("ML-DSA-65", "AKP"))]
    MlDsa65,
    #[doc(alias("ML-DSA-87", "AKP"))]
    MlDsa87,
}

impl Algorithm {
    const ALL: &'static [Self] = &[
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
        Self::Ed25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// The algorithms that [`Issuer::oidc`](crate::Issuer::oidc) and
    /// [`Issuer::rfc9068`](crate::Issuer::rfc9068) accept where
    /// [`algorithms`](crate::Issuer::algorithms) names none: RS256, RS384, RS512, PS256, PS384,
    /// PS512, ES256, ES384, ES512, EdDSA and Ed25519.
    ///
    /// The list is frozen. An algorithm that a later version can verify is in [`all`](Self::all) and
    /// not in this list, so an update does not widen a policy; name it with `algorithms(..)`.
    pub const DEFAULTS: &'static [Self] = &[
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
        Self::Ed25519,
    ];

    /// Every algorithm that this version verifies. A later version may have more; the default
    /// allow list is [`DEFAULTS`](Self::DEFAULTS).
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        Self::ALL.iter().copied()
    }

    /// The name in the JOSE header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }

    /// RFC 7515 s4.1.1: the name is case-sensitive. An allow-list; anything else is unknown.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|known| known.as_str() == name)
    }

    /// The algorithms that are this one under another name, and itself.
    pub(crate) const fn synonyms(self) -> &'static [Self] {
        match self {
            Self::RS256 => &[Self::RS256],
            Self::RS384 => &[Self::RS384],
            Self::RS512 => &[Self::RS512],
            Self::PS256 => &[Self::PS256],
            Self::PS384 => &[Self::PS384],
            Self::PS512 => &[Self::PS512],
            Self::ES256 => &[Self::ES256],
            Self::ES384 => &[Self::ES384],
            Self::ES512 => &[Self::ES512],
            Self::EdDSA | Self::Ed25519 => &[Self::EdDSA, Self::Ed25519],
            Self::MlDsa44 => &[Self::MlDsa44],
            Self::MlDsa65 => &[Self::MlDsa65],
            Self::MlDsa87 => &[Self::MlDsa87],
        }
    }

    /// Whether its keys and signatures take kilobytes.
    #[allow(clippy::unused_self)]
    pub(crate) const fn has_long_signatures(self) -> bool {
        matches!(self, Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A text that names no algorithm that this library verifies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a signature algorithm: write its JOSE name, such as `RS256`, `ES256` or `EdDSA`")]
pub struct InvalidAlgorithm(());

impl FromStr for Algorithm {
    type Err = InvalidAlgorithm;

    fn from_str(name: &str) -> Result<Self, InvalidAlgorithm> {
        Self::from_name(name).ok_or(InvalidAlgorithm(()))
    }
}

converts_to_text!(Algorithm);
converts_from_text!(Algorithm, InvalidAlgorithm);

/// A set of algorithms: an issuer's allow-list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AlgorithmSet(u16);

impl AlgorithmSet {
    pub(crate) const EMPTY: Self = Self(0);

    pub(crate) fn of(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        algorithms
            .into_iter()
            .fold(Self::EMPTY, |set, algorithm| Self(set.0 | algorithm.bit()))
    }

    pub(crate) const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & algorithm.bit() != 0
    }

    /// The intersection of both sets.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of its algorithms, in the order of [`Algorithm::all`].
    pub(crate) fn names(self, separator: &str) -> String {
        let names: Vec<&str> = Algorithm::all()
            .filter(|algorithm| self.contains(*algorithm))
            .map(Algorithm::as_str)
            .collect();
        names.join(separator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_algorithms_are_a_frozen_list() {
        // Never add to it: an issuer without a configured list would accept more after an update.
        const FROZEN: [&str; 11] = [
            "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
            "EdDSA", "Ed25519",
        ];
        let defaults: Vec<&str> = Algorithm::DEFAULTS.iter().map(|one| one.as_str()).collect();
        assert_eq!(defaults, FROZEN);
        let set = AlgorithmSet::of(Algorithm::DEFAULTS.iter().copied());
        let allowed: Vec<&str> = Algorithm::all()
            .filter(|one| set.contains(*one))
            .map(Algorithm::as_str)
            .collect();
        assert_eq!(allowed, FROZEN);
    }

    #[test]
    fn long_signatures_are_those_that_no_default_admits() {
        let long: Vec<&str> = Algorithm::all()
            .filter(|one| one.has_long_signatures())
            .map(Algorithm::as_str)
            .collect();
        assert_eq!(long, ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"]);
        assert!(
            Algorithm::DEFAULTS
                .iter()
                .all(|one| !one.has_long_signatures())
        );
    }

    #[test]
    fn a_name_stands_for_one_algorithm_and_each_has_a_bit_of_its_own() {
        for algorithm in Algorithm::all() {
            assert_eq!(Algorithm::from_name(algorithm.as_str()), Some(algorithm));
            let only = AlgorithmSet::of([algorithm]);
            for other in Algorithm::all() {
                assert_eq!(
                    only.contains(other),
                    other == algorithm,
                    "{algorithm} {other}"
                );
            }
        }
        for unknown in ["", "none", "HS256", "rs256", "RS256 "] {
            assert_eq!(Algorithm::from_name(unknown), None, "{unknown:?}");
        }
    }
}
