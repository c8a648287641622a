//! One key of a set: what it verifies, and for whom.
//!
//! 1. It is ready for one algorithm or several, each prepared apart.
//! 2. One that names an issuer serves no other of the same origin.

use crate::model::algorithm::Algorithm;
#[cfg(feature = "jwks")]
use crate::model::algorithm::AlgorithmSet;
use crate::model::issuer_template::IssuerTemplate;
use crate::model::url::split_origin;
use crate::verify::crypto::public_key::{Material, PublicKey};

#[derive(Debug)]
pub(in crate::verify) struct VerificationKey {
    pub(in crate::verify) prepared: Vec<(Algorithm, PublicKey)>,
    /// To tell it from another one.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(in crate::verify) material: Material,
    /// Whose tokens it is good for; any of the set's issuers' where it does not say.
    pub(in crate::verify) issuer: Option<Box<str>>,
}

impl VerificationKey {
    /// Whether it verifies what another one verifies, and nothing else.
    #[cfg(feature = "jwks")]
    fn is_alike(&self, other: &Self) -> bool {
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

/// Whether two lists of keys verify the same, one by one.
#[cfg(feature = "jwks")]
pub(in crate::verify) fn are_alike<'k>(
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
