//! Server nonces (RFC 9449 sections 8 and 9), without state.
//!
//! 1. A nonce is the time at which it was issued, authenticated by a MAC. It cannot be predicted
//!    without the key, and the server stores none of them.
//! 2. The time is rounded down to an eighth of the lifetime, so many requests get the same nonce. A
//!    nonce lives for at least seven eighths of the lifetime after it was issued.
//! 3. The second half of its life is the time for renewal: the nonce is good, and the caller sends a
//!    fresh one with the response.
//! 4. Instances with one key accept each other's nonces. The first key signs and all keys verify, so a
//!    key is replaced by giving the new one first and the old one after it, for one lifetime.
//!
//! A nonce is 32 characters of base64url, all of them `NQCHAR`: one byte of version, seven bytes of
//! big-endian seconds, and 16 bytes of HMAC-SHA-256 over both.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::time::UnixTime;
use crate::verify::crypto::key_derivation::{KeyedHasher, RootKey, SHORT_TAG_BYTES};
use crate::verify::crypto::random::random_bytes;

/// The version of the format and of the derivation of keys.
const VERSION: u8 = 1;

const SALT: &[u8] = b"portcullis dpop nonce 1";

const LABEL: &str = "resource server nonce";

/// Version and time.
const HEAD_BYTES: usize = 8;

const NONCE_BYTES: usize = HEAD_BYTES + SHORT_TAG_BYTES;

const NONCE_CHARS: usize = 32;

/// The steps of the time of issue in one lifetime.
const STEPS: u64 = 8;

/// The largest difference between the clocks of instances.
const SKEW: Duration = Duration::from_secs(30);

/// What a nonce is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NonceCheck {
    /// In the first half of its life.
    Good,
    /// In the second half of its life: good, and the response carries a fresh one.
    Old,
    /// Expired, from the future, or not issued under one of the keys.
    Bad,
}

/// Issues and checks nonces.
pub(crate) struct DpopNonces {
    /// The first key signs.
    signing: KeyedHasher,
    /// The other keys verify too.
    previous: Vec<KeyedHasher>,
    lifetime: Duration,
}

impl DpopNonces {
    /// Nonces under a random key: another process, a restart and another server in this process make
    /// clients try once more. `None` when the cryptographic library fails or the system has no randomness.
    pub(crate) fn with_random_key(lifetime: Duration) -> Option<Self> {
        Self::under(&random_bytes()?, &[], lifetime)
    }

    /// Nonces under keys of 32 random bytes, the same on all instances. `signing` signs; it and
    /// `previous` verify. `None` when the cryptographic library fails.
    pub(crate) fn under(
        signing: &[u8; 32],
        previous: &[[u8; 32]],
        lifetime: Duration,
    ) -> Option<Self> {
        let hasher = |root: &[u8; 32]| RootKey::new(root, SALT).keyed_hasher(LABEL);
        Some(Self {
            signing: hasher(signing)?,
            previous: previous.iter().map(hasher).collect::<Option<_>>()?,
            lifetime,
        })
    }

    /// The nonce of this time, for the header `DPoP-Nonce`.
    pub(crate) fn issue(&self, now: UnixTime) -> Box<str> {
        let secs = u64::try_from(now.as_secs()).unwrap_or_default();
        let step = (self.lifetime.as_secs() / STEPS).max(1);
        let issued = secs - secs % step;
        let mut head = issued.to_be_bytes();
        let [version, ..] = &mut head;
        // Seven bytes hold the seconds of two billion years.
        *version = VERSION;
        let tag = self.signing.short_tag(&head);
        let mut nonce = [0; NONCE_BYTES];
        let parts = head.iter().chain(&tag);
        nonce
            .iter_mut()
            .zip(parts)
            .for_each(|(to, from)| *to = *from);
        URL_SAFE_NO_PAD.encode(nonce).into()
    }

    /// Checks the nonce of a proof.
    pub(crate) fn check(&self, nonce: &str, now: UnixTime) -> NonceCheck {
        let Some(issued) = self.issued_at(nonce) else {
            return NonceCheck::Bad;
        };
        let is_over = |life| now >= issued.saturating_add(life);
        if issued > now.saturating_add(SKEW) || is_over(self.lifetime) {
            NonceCheck::Bad
        } else if is_over(self.lifetime / 2) {
            NonceCheck::Old
        } else {
            NonceCheck::Good
        }
    }

    /// The time at which the nonce was issued under one of the keys.
    fn issued_at(&self, nonce: &str) -> Option<UnixTime> {
        if nonce.len() != NONCE_CHARS {
            return None;
        }
        let mut bytes = [0; NONCE_BYTES];
        // 32 characters are 24 bytes without unused bits, so each nonce has one spelling.
        let decoded = URL_SAFE_NO_PAD.decode_slice(nonce, &mut bytes).ok()?;
        let (head, tag) = bytes.get(..decoded)?.split_first_chunk::<HEAD_BYTES>()?;
        let tag = tag.first_chunk::<SHORT_TAG_BYTES>()?;
        let [version, secs @ ..] = head;
        if *version != VERSION {
            return None;
        }
        let mut keys = std::iter::once(&self.signing).chain(&self.previous);
        if !keys.any(|key| key.has_short_tag(head, tag)) {
            return None;
        }
        let secs = secs
            .iter()
            .fold(0, |secs, byte| secs << 8 | i64::from(*byte));
        Some(UnixTime::from_secs(secs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole number of steps.
    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const LIFETIME: Duration = Duration::from_secs(320);
    const KEY: [u8; 32] = *b"0123456789abcdef0123456789abcdef";
    const OTHER: [u8; 32] = *b"fedcba9876543210fedcba9876543210";

    fn nonces(signing: &[u8; 32], previous: &[[u8; 32]]) -> DpopNonces {
        DpopNonces::under(signing, previous, LIFETIME).expect("keys")
    }

    fn in_secs(secs: i64) -> UnixTime {
        UnixTime::from_secs(NOW.as_secs() + secs)
    }

    #[test]
    fn a_nonce_is_good_then_old_then_bad() {
        let nonces = nonces(&KEY, &[]);
        let nonce = nonces.issue(NOW);
        for (secs, expected) in [
            (0, NonceCheck::Good),
            (159, NonceCheck::Good),
            (160, NonceCheck::Old),
            (319, NonceCheck::Old),
            (320, NonceCheck::Bad),
            (1_000_000, NonceCheck::Bad),
            (-30, NonceCheck::Good),
            (-31, NonceCheck::Bad),
        ] {
            assert_eq!(nonces.check(&nonce, in_secs(secs)), expected, "{secs} s");
        }
    }

    #[test]
    fn requests_of_one_step_share_a_nonce_of_32_nqchars() {
        let nonces = nonces(&KEY, &[]);
        let nonce = nonces.issue(NOW);
        assert_eq!(nonce, nonces.issue(in_secs(39)));
        assert_ne!(nonce, nonces.issue(in_secs(40)));
        assert_ne!(nonce, nonces.issue(in_secs(-1)));
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(
            nonce.len() == 32 && nonce.bytes().all(is_base64url),
            "{nonce}"
        );
        let late = nonces.issue(in_secs(39));
        assert_eq!(
            nonces.check(&late, in_secs(39 + 280)),
            NonceCheck::Old,
            "7/8"
        );
    }

    #[test]
    fn no_altered_character_and_no_other_length_is_good() {
        let nonces = nonces(&KEY, &[]);
        let nonce = nonces.issue(NOW);
        assert_eq!(
            nonces.check(&nonce, NOW),
            NonceCheck::Good,
            "the accepted twin"
        );
        let bytes = URL_SAFE_NO_PAD.decode(&*nonce).expect("base64url");
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut altered = bytes.clone();
                altered[at] ^= 1 << bit;
                let altered = URL_SAFE_NO_PAD.encode(altered);
                assert_eq!(nonces.check(&altered, NOW), NonceCheck::Bad, "byte {at}");
            }
        }
        for end in 0..nonce.len() {
            assert_eq!(nonces.check(&nonce[..end], NOW), NonceCheck::Bad, "{end}");
            let replaced = format!("{}={}", &nonce[..end], &nonce[end + 1..]);
            assert_eq!(nonces.check(&replaced, NOW), NonceCheck::Bad, "{replaced}");
        }
        for other in [format!("{nonce}="), format!("{nonce}AAAA"), "é".repeat(16)] {
            assert_eq!(nonces.check(&other, NOW), NonceCheck::Bad, "{other}");
        }
    }

    #[test]
    fn instances_with_one_key_accept_each_others_nonces_and_no_others() {
        let (one, two, stranger) = (nonces(&KEY, &[]), nonces(&KEY, &[]), nonces(&OTHER, &[]));
        let nonce = one.issue(NOW);
        assert_eq!(nonce, two.issue(NOW));
        assert_eq!(two.check(&nonce, in_secs(10)), NonceCheck::Good);
        assert_eq!(stranger.check(&nonce, in_secs(10)), NonceCheck::Bad);
    }

    #[test]
    fn during_a_rotation_the_first_key_signs_and_both_verify() {
        let (before, between, after) = (
            nonces(&KEY, &[]),
            nonces(&OTHER, &[KEY]),
            nonces(&OTHER, &[]),
        );
        let (old, new) = (before.issue(NOW), between.issue(NOW));
        assert_eq!(new, after.issue(NOW));
        for (nonces, good_old, good_new) in [
            (&before, true, false),
            (&between, true, true),
            (&after, false, true),
        ] {
            assert_eq!(nonces.check(&old, NOW) == NonceCheck::Good, good_old);
            assert_eq!(nonces.check(&new, NOW) == NonceCheck::Good, good_new);
        }
    }

    #[test]
    fn each_server_has_a_random_key_of_its_own() {
        let nonces = || DpopNonces::with_random_key(LIFETIME).expect("randomness");
        let (one, other) = (nonces(), nonces());
        let nonce = one.issue(NOW);
        assert_eq!(one.check(&nonce, NOW), NonceCheck::Good);
        assert_eq!(other.check(&nonce, NOW), NonceCheck::Bad);
    }

    #[test]
    fn times_and_lifetimes_at_the_end_of_their_range_overflow_nothing() {
        for lifetime in [Duration::ZERO, Duration::from_secs(1), Duration::MAX] {
            let nonces = DpopNonces::under(&KEY, &[], lifetime).expect("keys");
            for secs in [i64::MIN, -1, 0, i64::MAX] {
                let now = UnixTime::from_secs(secs);
                let _ = nonces.check(&nonces.issue(now), now);
            }
        }
        let brief = DpopNonces::under(&KEY, &[], Duration::from_secs(1)).expect("keys");
        assert_ne!(brief.check(&brief.issue(NOW), NOW), NonceCheck::Bad);
    }
}
