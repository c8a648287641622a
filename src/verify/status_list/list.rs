//! A status list: an array of bits, several for each token, that comes compressed
//! (draft-ietf-oauth-status-list-21 section 4).
//!
//! 1. The decompressed bytes are counted as they come, so that a small body cannot fill the memory.
//! 2. The stream is complete: its end is reached, its checksum is right, and nothing follows it.

use flate2::{Decompress, FlushDecompress, Status};

/// How much the buffer grows at a time.
const STEP: usize = 64 * 1024;

/// The statuses of many tokens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StatusList {
    /// Bits of one status: 1, 2, 4 or 8.
    bits: u8,
    bytes: Box<[u8]>,
}

/// Why compressed bytes are no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecompressError {
    /// It is no zlib stream, or it is damaged.
    Malformed,
    /// It ends before the end of the stream.
    Truncated,
    /// Bytes follow the stream.
    Trailing,
    /// More than so many bytes.
    TooLarge(usize),
}

impl StatusList {
    /// Decompresses a list of `bits` bits for each token, 1, 2, 4 or 8.
    pub(crate) fn decompress(
        bits: u8,
        compressed: &[u8],
        most_bytes: usize,
    ) -> Result<Self, DecompressError> {
        let bytes = inflate(compressed, most_bytes)?.into_boxed_slice();
        Ok(Self { bits, bytes })
    }

    /// The status at an index; `None` beyond the list. s4.1: the first status is in the least
    /// significant bits of the first byte.
    pub(crate) fn get(&self, index: u64) -> Option<u8> {
        let in_a_byte = u64::from(8 / self.bits);
        let place = usize::try_from(index / in_a_byte).ok()?;
        let byte = *self.bytes.get(place)?;
        let shift = u8::try_from(index % in_a_byte).ok()? * self.bits;
        let mask = u8::MAX >> (8 - self.bits);
        Some(byte >> shift & mask)
    }

    /// The bits of one status.
    pub(crate) const fn bits(&self) -> u8 {
        self.bits
    }

    /// The memory of the list.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

fn inflate(compressed: &[u8], most_bytes: usize) -> Result<Vec<u8>, DecompressError> {
    let mut stream = Decompress::new(true);
    let mut bytes = Vec::new();
    loop {
        if bytes.len() > most_bytes {
            return Err(DecompressError::TooLarge(most_bytes));
        }
        // One byte more than is allowed, so that more is noticed.
        bytes.reserve_exact(STEP.min(most_bytes.saturating_sub(bytes.len()) + 1));
        let consumed = usize::try_from(stream.total_in()).unwrap_or(usize::MAX);
        let rest = compressed.get(consumed..).unwrap_or_default();
        let before = bytes.len();
        let status = stream
            .decompress_vec(rest, &mut bytes, FlushDecompress::None)
            .map_err(|_| DecompressError::Malformed)?;
        let consumed_now = usize::try_from(stream.total_in()).unwrap_or(usize::MAX);
        match status {
            Status::StreamEnd if bytes.len() > most_bytes => {
                return Err(DecompressError::TooLarge(most_bytes));
            }
            Status::StreamEnd if consumed_now < compressed.len() => {
                return Err(DecompressError::Trailing);
            }
            Status::StreamEnd => return Ok(bytes),
            Status::Ok | Status::BufError => {
                let stands_still = consumed_now == consumed && bytes.len() == before;
                if stands_still {
                    return Err(DecompressError::Truncated);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    /// The examples of s4.1 and the test vectors of the specification.
    #[test]
    fn status_list_of_the_specification_has_its_statuses() {
        let text = include_str!("vectors.json");
        let vectors: serde_json::Value = serde_json::from_str(text).expect("json");
        let lists = vectors["lists"].as_array().expect("lists");
        assert_eq!(lists.len(), 6);
        for vector in lists {
            let number = |value: &serde_json::Value| value.as_u64().expect("a number");
            let bits = u8::try_from(number(&vector["bits"])).expect("small");
            let encoded = vector["lst"].as_str().expect("text");
            let stream = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(encoded);
            let list = StatusList::decompress(bits, &stream.expect("base64url"), 1 << 20);
            let list = list.expect("a list");
            let stated = vector["statuses"].as_array().expect("statuses");
            let stated: HashMap<u64, u64> = stated
                .iter()
                .map(|pair| (number(&pair[0]), number(&pair[1])))
                .collect();
            let entries = number(&vector["entries"]);
            for index in 0..entries {
                let expected = stated.get(&index).copied().unwrap_or_default();
                assert_eq!(list.get(index).map(u64::from), Some(expected), "{index}");
            }
            assert_eq!((list.get(entries), list.get(u64::MAX)), (None, None));
        }
    }

    #[test]
    fn status_of_every_size_is_read_at_its_place() {
        let bytes: Vec<u8> = (0..=255).collect();
        for bits in [1, 2, 4, 8] {
            let list = StatusList::decompress(bits, &compressed(&bytes), 256).expect("a list");
            assert_eq!((list.bits(), list.bytes()), (bits, 256));
            let in_a_byte = u64::from(8 / bits);
            for index in 0..256 * in_a_byte {
                let byte = bytes[usize::try_from(index / in_a_byte).expect("small")];
                let shift = u32::try_from(index % in_a_byte).expect("small") * u32::from(bits);
                let expected = u16::from(byte) >> shift & ((1 << bits) - 1);
                assert_eq!(list.get(index).map(u16::from), Some(expected));
            }
            assert_eq!(list.get(256 * in_a_byte), None);
        }
    }

    #[test]
    fn list_is_as_large_as_the_bound_and_no_larger() {
        for size in [0, 1, 1000, STEP - 1, STEP, STEP + 1, 3 * STEP] {
            let stream = compressed(&vec![7; size]);
            assert!(StatusList::decompress(8, &stream, size).is_ok(), "{size}");
            if let Some(less) = size.checked_sub(1) {
                let refused = StatusList::decompress(8, &stream, less);
                assert_eq!(refused, Err(DecompressError::TooLarge(less)), "{size}");
            }
        }
        let bomb = compressed(&vec![0; 64 << 20]);
        assert!(bomb.len() < 70_000, "{}", bomb.len());
        let refused = StatusList::decompress(1, &bomb, 1 << 20);
        assert_eq!(refused, Err(DecompressError::TooLarge(1 << 20)));
    }

    #[test]
    fn stream_that_is_damaged_cut_or_followed_by_bytes_is_refused() {
        let noise: Vec<u8> = (0..4000_u32).map(|n| (n * n % 251) as u8).collect();
        let stream = compressed(&noise);
        assert!(StatusList::decompress(8, &stream, 4000).is_ok());
        for end in 0..stream.len() {
            let refused = StatusList::decompress(8, &stream[..end], 4000);
            assert_eq!(refused, Err(DecompressError::Truncated), "{end}");
        }
        let longer = [&stream[..], b"x"].concat();
        let refused = StatusList::decompress(8, &longer, 4000);
        assert_eq!(refused, Err(DecompressError::Trailing));
        // The last four bytes are the checksum.
        let mut wrong = stream.clone();
        *wrong.last_mut().expect("bytes") ^= 1;
        let refused = StatusList::decompress(8, &wrong, 4000);
        assert_eq!(refused, Err(DecompressError::Malformed));
        let raw_deflate = &stream[2..stream.len() - 4];
        for other in [b"no zlib at all".as_slice(), b"\x1f\x8b\x08", raw_deflate] {
            assert!(StatusList::decompress(8, other, 4000).is_err());
        }
    }
}
