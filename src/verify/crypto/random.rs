//! Random values that no other process can predict.

/// 128 random bits. `None` when the system has no randomness.
#[cfg(feature = "redis")]
pub(crate) fn random_u128() -> Option<u128> {
    random_bytes().map(u128::from_be_bytes)
}

/// 32 random bits, for jitter. 0 when the system has no randomness, which costs only the jitter.
#[cfg(feature = "jwks")]
pub(crate) fn random_u32() -> u32 {
    random_bytes().map(u32::from_ne_bytes).unwrap_or_default()
}

/// So many random bytes. `None` when the system has no randomness.
pub(crate) fn random_bytes<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "redis")]
    #[test]
    fn random_numbers_of_128_bits_differ() {
        let next = || random_u128().expect("a random source");
        assert_ne!(next(), next());
    }

    #[cfg(feature = "jwks")]
    #[test]
    fn random_numbers_of_32_bits_differ() {
        let first = random_u32();
        assert!((0..8).any(|_| random_u32() != first));
    }

    #[test]
    fn random_bytes_differ() {
        let next = || random_bytes::<16>().expect("a random source");
        assert_ne!(next(), next());
    }
}
