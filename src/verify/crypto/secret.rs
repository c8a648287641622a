//! A secret that a peer must show, compared in constant time.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::verify::crypto::sha256::sha256;

/// The hash of a secret; the secret itself is not kept.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretHash([u8; 32]);

impl SecretHash {
    pub(crate) fn of(secret: &[u8]) -> Self {
        Self(sha256(secret))
    }

    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are equal. Neither the secret's content nor its length shows in the time.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_matches_itself_alone() {
        let secret = SecretHash::of(b"Bearer secret");
        assert!(secret.matches(&SecretHash::of(b"Bearer secret")));
        for other in ["", "Bearer secre", "Bearer secreT", "Bearer secret "] {
            assert!(
                !secret.matches(&SecretHash::of(other.as_bytes())),
                "{other}"
            );
        }
        assert_eq!(format!("{secret:?}"), "SecretHash");
    }
}
