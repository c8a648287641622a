//! One key of a set: its algorithms, and the issuer that it belongs to.
//!
//! 1. It is prepared for each of its algorithms separately.
//! 2. A key that names an issuer is not used for another issuer of the same origin.

use crate::model::algorithm::Algorithm;
#[cfg(feature = "jwks")]
use crate::model::algorithm::AlgorithmSet;
use crate::model::url::issuer_template::IssuerTemplate;
use crate::model::url::split_origin;
use crate::verify::crypto::public_key::{Material, PublicKey};

#[derive(Debug)]
pub(super) struct VerificationKey {
    pub(in crate::verify) prepared: Vec<(Algorithm, PublicKey)>,
    /// For comparison with another key.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(in crate::verify) material: Material,
    /// The issuer that it names; `None` where it serves every issuer of the set.
    pub(in crate::verify) issuer: Option<Box<str>>,
}

impl VerificationKey {
    /// Whether it verifies exactly the same signatures as another key.
    #[cfg(feature = "jwks")]
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        let algorithms = |key: &Self| -> AlgorithmSet {
            AlgorithmSet::of(key.prepared.iter().map(|(algorithm, _)| *algorithm))
        };
        self.material == other.material
            && self.issuer == other.issuer
            && algorithms(self) == algorithms(other)
    }

    /// Whether it may verify this issuer's tokens.
    pub(in crate::verify) fn serves(&self, issuer: &str) -> bool {
        self.issuer.as_deref().is_none_or(|named| {
            named == issuer
                // Entra signs the tokens of its first version, which have an issuer of another
                // origin, with the keys that name those of the second.
                || !have_same_origin(named, issuer)
                || IssuerTemplate::parse(named).is_some_and(|template| template.gives(issuer))
        })
    }
}

fn have_same_origin(url: &str, other: &str) -> bool {
    let ((origin, _), (other, _)) = (split_origin(url), split_origin(other));
    origin.eq_ignore_ascii_case(other)
}

/// Whether two lists of keys are alike, one by one.
#[cfg(feature = "jwks")]
pub(super) fn are_alike<'k>(
    mut own: impl Iterator<Item = &'k VerificationKey>,
    mut other: impl Iterator<Item = &'k VerificationKey>,
) -> bool {
    loop {
        match (own.next(), other.next()) {
            (None, None) => return true,
            (Some(this), Some(that)) if this.is_alike(that) => {}
            _ => return false,
        }
    }
}
