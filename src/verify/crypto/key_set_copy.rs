//! The copy of a key set in a store that is not trusted.
//!
//! 1. It is sealed with all that says what it is: the issuer, the place that the set was fetched from,
//!    and the time of that fetch. No part of it can be exchanged without the key.
//! 2. It counts for the same issuer and place alone. A copy from the future, and one that is too old,
//!    is none.
//! 3. Each reason why a copy does not count has a name of its own, for the operator.
//!
//! A copy is a line of text with the version and the fingerprint of the key, and a seal of
//! [`sealed`](super::sealed) whose end is the last moment at which its writer would have used it.

use std::fmt;
use std::time::Duration;

use crate::model::time::UnixTime;
use crate::verify::crypto::sealed::{ClusterKey, Purpose, SealedBox, joined, to_hex};
use crate::verify::crypto::sha256::sha256;

/// How far the clock of the instance that wrote a copy may be ahead.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(60);

const VERSION: &str = "portcullis key set 1 ";

/// A key set as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeySetCopy {
    /// When the fetch started that brought or confirmed it.
    pub(crate) fetched: UnixTime,
    /// The address of the set.
    pub(crate) url: String,
    pub(crate) body: Vec<u8>,
}

/// Whose keys they are, and the configured place that they were fetched from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CopyOwner<'o> {
    pub(crate) issuer: &'o str,
    pub(crate) place: &'o str,
}

impl CopyOwner<'_> {
    /// A name for a file: lower-case letters and digits, the same in every process.
    pub(crate) fn name(&self) -> String {
        let digest = sha256(&joined(&[self.issuer.as_bytes(), self.place.as_bytes()]));
        to_hex(digest.into_iter().take(16))
    }
}

/// Why a copy is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyProblem {
    /// It is no copy of this version, or was changed.
    Altered,
    /// It was sealed with another key.
    OtherKey,
    /// It is another issuer's, or was fetched from another configured place.
    OtherIssuer,
    /// It was fetched later than the clock shows.
    FromTheFuture,
    /// It was fetched longer ago than copies are used.
    TooOld,
}

impl CopyProblem {
    /// A stable name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Altered => "altered",
            Self::OtherKey => "other_key",
            Self::OtherIssuer => "other_issuer",
            Self::FromTheFuture => "from_the_future",
            Self::TooOld => "too_old",
        }
    }
}

/// Seals and opens copies under one key.
pub(crate) struct CopySeal {
    seals: SealedBox,
    head: String,
}

/// Whether both have the same key.
impl PartialEq for CopySeal {
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head
    }
}

impl fmt::Debug for CopySeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopySeal").finish_non_exhaustive()
    }
}

impl CopySeal {
    /// `None` when the cryptographic library fails.
    pub(crate) fn of(key: &ClusterKey) -> Option<Self> {
        Some(Self {
            seals: key.seals(Purpose::KeySet)?,
            head: format!("{VERSION}{}\n", key.fingerprint()?),
        })
    }

    /// Seals a copy that is used for `most` after its fetch. `None` when the system has no randomness.
    pub(crate) fn seal(
        &self,
        owner: CopyOwner<'_>,
        copy: &KeySetCopy,
        most: Duration,
    ) -> Option<Vec<u8>> {
        let text = joined(&[
            owner.issuer.as_bytes(),
            owner.place.as_bytes(),
            &copy.fetched.as_secs().to_be_bytes(),
            copy.url.as_bytes(),
            &copy.body,
        ]);
        let end = copy.fetched.saturating_add(most);
        let sealed = self.seals.seal(&[], end, &text)?;
        Some([self.head.as_bytes(), &sealed].concat())
    }

    /// The copy and its age, if it counts for this owner now and is at most so old.
    pub(crate) fn open(
        &self,
        owner: CopyOwner<'_>,
        bytes: &[u8],
        now: UnixTime,
        most: Duration,
    ) -> Result<(KeySetCopy, Duration), CopyProblem> {
        let sealed = match bytes.strip_prefix(self.head.as_bytes()) {
            Some(sealed) => sealed,
            None if bytes.starts_with(VERSION.as_bytes()) => return Err(CopyProblem::OtherKey),
            None => return Err(CopyProblem::Altered),
        };
        let opened = self.seals.open_whenever(&[], sealed);
        let (text, end) = opened.ok_or(CopyProblem::Altered)?;
        let parts = split(&text).ok_or(CopyProblem::Altered)?;
        let [issuer, place, fetched, url, body] = parts;
        if issuer != owner.issuer.as_bytes() || place != owner.place.as_bytes() {
            return Err(CopyProblem::OtherIssuer);
        }
        let fetched = fetched.try_into().map_err(|_| CopyProblem::Altered)?;
        let fetched = UnixTime::from_secs(i64::from_be_bytes(fetched));
        if fetched > now.saturating_add(MAX_CLOCK_DIFFERENCE) {
            return Err(CopyProblem::FromTheFuture);
        }
        let age = now.as_secs().saturating_sub(fetched.as_secs());
        let age = Duration::from_secs(u64::try_from(age).unwrap_or_default());
        if age > most || now > end {
            return Err(CopyProblem::TooOld);
        }
        let url = String::from_utf8(url.to_vec()).map_err(|_| CopyProblem::Altered)?;
        let body = body.to_vec();
        Ok((KeySetCopy { fetched, url, body }, age))
    }
}

/// The parts that [`joined`] has put together.
fn split(mut text: &[u8]) -> Option<[&[u8]; 5]> {
    let mut parts = [&[][..]; 5];
    for part in &mut parts {
        let (length, rest) = text.split_first_chunk()?;
        let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
        (*part, text) = rest.split_at_checked(length)?;
    }
    text.is_empty().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const HOUR: Duration = Duration::from_secs(3600);
    const OWNER: CopyOwner<'_> = CopyOwner {
        issuer: "https://id.example.com",
        place: "https://id.example.com/keys",
    };

    fn seal(key: &[u8; 32]) -> CopySeal {
        CopySeal::of(&ClusterKey::new(*key)).expect("keys")
    }

    fn copy() -> KeySetCopy {
        KeySetCopy {
            fetched: NOW,
            url: "https://id.example.com/keys".to_owned(),
            body: b"{\"keys\":[]}".to_vec(),
        }
    }

    #[test]
    fn key_set_copy_opens_for_its_owner_while_it_is_young_and_for_no_other() {
        let good = seal(b"0123456789abcdef0123456789abcdef");
        let sealed = good.seal(OWNER, &copy(), HOUR).expect("sealed");
        let opened = |seal: &CopySeal, owner, now: UnixTime, most| {
            seal.open(owner, &sealed, now, most).map(|(_, age)| age)
        };
        let later = |secs| NOW.saturating_add(Duration::from_secs(secs));
        assert_eq!(
            good.open(OWNER, &sealed, NOW, HOUR).expect("good").0,
            copy()
        );
        assert_eq!(opened(&good, OWNER, later(3600), HOUR), Ok(HOUR));
        let minute = Duration::from_secs(60);
        assert_eq!(
            opened(&good, OWNER, NOW.saturating_sub(minute), HOUR),
            Ok(Duration::ZERO),
            "clocks differ a little"
        );
        for (expected, owner, now, most) in [
            (CopyProblem::TooOld, OWNER, later(3601), HOUR),
            (CopyProblem::TooOld, OWNER, later(3601), 2 * HOUR),
            (CopyProblem::TooOld, OWNER, later(61), minute),
            (
                CopyProblem::FromTheFuture,
                OWNER,
                NOW.saturating_sub(minute).saturating_sub(minute),
                HOUR,
            ),
            (
                CopyProblem::OtherIssuer,
                CopyOwner {
                    issuer: "https://other.example.com",
                    ..OWNER
                },
                NOW,
                HOUR,
            ),
            (
                CopyProblem::OtherIssuer,
                CopyOwner {
                    place: "https://id.example.com/other",
                    ..OWNER
                },
                NOW,
                HOUR,
            ),
        ] {
            assert_eq!(opened(&good, owner, now, most), Err(expected));
        }
        let other = seal(b"another key, another key, anothe");
        assert_eq!(opened(&other, OWNER, NOW, HOUR), Err(CopyProblem::OtherKey));
    }

    #[test]
    fn key_set_copy_with_an_altered_byte_or_a_shorter_one_does_not_open() {
        let seal = seal(b"0123456789abcdef0123456789abcdef");
        let sealed = seal.seal(OWNER, &copy(), HOUR).expect("sealed");
        assert!(seal.open(OWNER, &sealed, NOW, HOUR).is_ok(), "the twin");
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            let refused = seal.open(OWNER, &altered, NOW, HOUR);
            assert!(refused.is_err(), "byte {at}");
            assert!(seal.open(OWNER, &sealed[..at], NOW, HOUR).is_err(), "{at}");
        }
        let longer = [&sealed[..], b"x"].concat();
        assert!(seal.open(OWNER, &longer, NOW, HOUR).is_err());
        assert!(seal.open(OWNER, b"", NOW, HOUR).is_err());
    }

    #[test]
    fn key_set_copy_shows_neither_issuer_nor_keys_and_its_name_tells_owners_apart() {
        let sealed = seal(b"0123456789abcdef0123456789abcdef").seal(OWNER, &copy(), HOUR);
        let sealed = sealed.expect("sealed");
        for text in [&b"example"[..], b"keys\""] {
            assert!(!sealed.windows(text.len()).any(|bytes| bytes == text));
        }
        let other = CopyOwner {
            issuer: OWNER.place,
            place: OWNER.issuer,
        };
        assert_eq!(OWNER.name(), OWNER.name());
        assert_ne!(OWNER.name(), other.name());
        assert_eq!(OWNER.name().len(), 32);
    }
}
