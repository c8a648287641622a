//! A fast hash of texts, for maps whose keys are configured.
//!
//! It has no secret. Texts of clients are only searched in such a map and never inserted, so that no
//! client decides which keys share a bucket.

use std::hash::{BuildHasherDefault, Hasher};

/// For maps with configured texts as keys.
pub(crate) type BuildTextHasher = BuildHasherDefault<TextHasher>;

/// Takes eight bytes at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TextHasher(u64);

impl TextHasher {
    /// An odd number with bits in no order: the golden ratio.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

    const fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(Self::FACTOR);
    }
}

impl Hasher for TextHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((word, more)) = rest.split_first_chunk::<8>() {
            self.add(u64::from_le_bytes(*word));
            rest = more;
        }
        if !rest.is_empty() {
            let last = rest.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            self.add(last ^ (rest.len() as u64) << 56);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(byte.into());
    }

    fn finish(&self) -> u64 {
        // A map takes the lowest and the highest bits, and a product is mixed in its upper half alone.
        self.0 ^ self.0 >> 32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher as _;

    use super::*;

    fn hash(text: &str) -> u64 {
        BuildTextHasher::default().hash_one(text)
    }

    #[test]
    fn text_hash_covers_every_byte_and_the_length() {
        let text = "https://issuer.example/tenants/5a0c/v2.0";
        for place in 0..text.len() {
            let other = format!("{}~{}", &text[..place], &text[place + 1..]);
            assert_ne!(hash(text), hash(&other), "{other}");
            assert_ne!(hash(text), hash(&text[..place]), "{place}");
        }
        assert_ne!(hash(""), hash("\0"));
        assert_ne!(hash("a"), hash("a\0"));
        assert_eq!(hash(text), hash(&[text, ""].concat()));
    }

    #[test]
    fn text_hash_spreads_issuers_that_differ_in_one_place() {
        let issuers = (0..4_096).map(|tenant| format!("https://login.example/{tenant:08}/v2.0"));
        let hashes: Vec<u64> = issuers.map(|issuer| hash(&issuer)).collect();
        // 4,096 of 65,536 places at random leave about 3,970 different ones.
        for shift in [0, 48] {
            let places: HashSet<u64> = hashes.iter().map(|hash| hash >> shift & 0xffff).collect();
            assert!(places.len() > 3_800, "{shift}: {}", places.len());
        }
    }
}
