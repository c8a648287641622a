//! SHA-256, for thumbprints and for the hash of an access token in a DPoP proof.

use aws_lc_rs::digest::{SHA256, digest};

/// The SHA-256 of these bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest(&SHA256, bytes);
    let mut hash = [0; 32];
    // The digest has 32 bytes.
    hash.iter_mut()
        .zip(digest.as_ref())
        .for_each(|(to, from)| *to = *from);
    hash
}
