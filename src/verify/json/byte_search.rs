//! Searches for the bytes that end a string of JSON, eight bytes at a time (SWAR).

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// Up to this many bytes the search by words is faster than `memchr`.
pub(super) const SHORT: usize = 40;

/// Whether a text has no escapes and no control characters, so that each quote begins or ends a string.
pub(in crate::verify) fn is_plain(text: &str) -> bool {
    // Without an early exit, so that the compiler vectorizes the loop.
    let special = |found, byte: &u8| found | u8::from(*byte < 0x20) | u8::from(*byte == b'\\');
    text.as_bytes().iter().fold(0, special) == 0
}

/// The position of the first quote.
#[inline]
pub(in crate::verify) fn first_quote(bytes: &[u8]) -> Option<usize> {
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    let mut left = bytes;
    for skipped in (0..SHORT).step_by(8) {
        let Some((first, more)) = left.split_first_chunk::<8>() else {
            let place = left.iter().position(|byte| *byte == b'"');
            return place.map(|place| skipped + place);
        };
        // SWAR, as in `first_special`.
        let others = u64::from_le_bytes(*first) ^ QUOTES;
        let found = others.wrapping_sub(ONES) & !others & HIGHS;
        if found != 0 {
            return Some(skipped + found.trailing_zeros() as usize / 8);
        }
        left = more;
    }
    memchr::memchr(b'"', left).map(|place| SHORT + place)
}

// RFC 8259 s7: what ends a string, starts an escape, or must not stand in a string as it is.
pub(super) const fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1F)
}

/// The position of the first special byte among eight.
#[inline]
pub(super) fn first_special(bytes: [u8; 8]) -> Option<usize> {
    let word = u64::from_le_bytes(bytes);
    // SWAR: sets the top bit of each byte below the limit. Borrows may set it in higher bytes too;
    // the lowest set bit is always right.
    let below =
        |limit: u8, word: u64| word.wrapping_sub(u64::from_ne_bytes([limit; 8])) & !word & HIGHS;
    let found = below(1, word ^ u64::from_ne_bytes([b'"'; 8]))
        | below(1, word ^ u64::from_ne_bytes([b'\\'; 8]))
        | below(0x20, word);
    (found != 0).then_some(found.trailing_zeros() as usize / 8)
}
