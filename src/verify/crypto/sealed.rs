//! Sealed values for a store that is not trusted: an AEAD envelope, and keyed names.
//!
//! 1. All keys come from one cluster key, each for one purpose (RFC 5869). What was sealed for
//!    one purpose does not open for another.
//! 2. A seal is bound to its purpose, to what it is about and to its end, by the additional data
//!    of an AEAD. Whatever differs in one of them does not open.
//! 3. An answer that has ended does not open, and neither does one that ends later than is allowed.
//!    A revocation opens at any time; the caller compares its end with more than one clock.
//! 4. Names are keyed digests: the store learns neither tokens nor ids, and cannot test a guess.
//! 5. A value that does not open counts as absent; there is no reason.
//!
//! A seal is one byte of version, the end as eight bytes of big-endian seconds, then nonce, hidden
//! text and tag of [`AeadCipher`].

use std::fmt;
use std::time::Duration;

use crate::model::time::UnixTime;
use crate::verify::crypto::aead::AeadCipher;
use crate::verify::crypto::key_derivation::{KeyedHasher, RootKey};

/// The version of the format, of the derivation of keys and of the names.
const VERSION: u8 = 1;

const SALT: &[u8] = b"portcullis shared store 1";

/// Version and end.
const HEAD_BYTES: usize = 9;

/// What a key is for. A purpose has keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An introspection response.
    Answer,
    /// A revocation.
    Revocation,
    /// A used DPoP proof. It has a name and no text.
    Proof,
    /// The copy of a key set.
    KeySet,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Revocation => "revocation",
            Self::Proof => "proof",
            Self::KeySet => "key set",
        }
    }
}

/// The secret that the instances of a cluster share, or that seals copies of key sets.
#[derive(Clone)]
pub(crate) struct ClusterKey([u8; 32]);

impl ClusterKey {
    pub(crate) const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Whether all bytes are equal: a forgotten placeholder.
    pub(crate) fn is_placeholder(&self) -> bool {
        let [first, rest @ ..] = &self.0;
        rest.iter().all(|byte| byte == first)
    }

    /// A short name of this key for names of keys in the store. Clusters with different keys do
    /// not meet there.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        let name = self.root().keyed_hasher("fingerprint")?.digest(b"");
        Some(name.into_iter().take(8).fold(String::new(), hex))
    }

    /// The seals for one purpose. `None` when the cryptographic library fails.
    pub(crate) fn seals(&self, purpose: Purpose) -> Option<SealedBox> {
        let (root, word) = (self.root(), purpose.as_str());
        Some(SealedBox {
            purpose,
            cipher: AeadCipher::derived(&root, &format!("{word} cipher"))?,
            hasher: root.keyed_hasher(&format!("{word} name"))?,
        })
    }

    fn root(&self) -> RootKey {
        RootKey::new(&self.0, SALT)
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterKey").finish_non_exhaustive()
    }
}

/// Seals and names for one purpose.
pub(crate) struct SealedBox {
    purpose: Purpose,
    cipher: AeadCipher,
    hasher: KeyedHasher,
}

impl fmt::Debug for SealedBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedBox")
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

/// In lower case.
pub(crate) fn to_hex(bytes: impl IntoIterator<Item = u8>) -> String {
    bytes.into_iter().fold(String::new(), hex)
}

impl SealedBox {
    /// Seals a text about this subject until `end`.
    pub(crate) fn seal(&self, about: &[&[u8]], end: UnixTime, text: &[u8]) -> Option<Vec<u8>> {
        let head = head(end);
        let hidden = self.cipher.seal(&self.context(&head, about), text)?;
        Some([&head[..], &hidden].concat())
    }

    /// The text and its end, if it was sealed about this subject, has not ended, and does not end
    /// later than `longest` from now.
    pub(crate) fn open(
        &self,
        about: &[&[u8]],
        sealed: &[u8],
        now: UnixTime,
        longest: Duration,
    ) -> Option<(Vec<u8>, UnixTime)> {
        let (_, end) = head_of(sealed)?;
        if end <= now || end > now.saturating_add(longest) {
            return None;
        }
        self.open_whenever(about, sealed)
    }

    /// The text and its end, if it was sealed about this subject, ended or not. The caller compares
    /// the end.
    pub(crate) fn open_whenever(
        &self,
        about: &[&[u8]],
        sealed: &[u8],
    ) -> Option<(Vec<u8>, UnixTime)> {
        let (head, end) = head_of(sealed)?;
        let (_, hidden) = sealed.split_at_checked(HEAD_BYTES)?;
        let text = self.cipher.open(&self.context(head, about), hidden)?;
        Some((text, end))
    }

    /// The name of what these parts say together.
    pub(crate) fn name(&self, parts: &[&[u8]]) -> String {
        let name = self.hasher.digest(&joined(parts));
        name.into_iter().fold(String::with_capacity(64), hex)
    }

    fn context(&self, head: &[u8; HEAD_BYTES], about: &[&[u8]]) -> Vec<u8> {
        let mut parts = vec![self.purpose.as_str().as_bytes(), &head[..]];
        parts.extend_from_slice(about);
        joined(&parts)
    }
}

/// The head of a seal of this version, and the end that it states.
fn head_of(sealed: &[u8]) -> Option<(&[u8; HEAD_BYTES], UnixTime)> {
    let (head, _) = sealed.split_first_chunk::<HEAD_BYTES>()?;
    let [version, end @ ..] = head;
    let end = UnixTime::from_secs(i64::from_be_bytes(*end));
    (*version == VERSION).then_some((head, end))
}

fn head(end: UnixTime) -> [u8; HEAD_BYTES] {
    let mut head = [VERSION; HEAD_BYTES];
    let [_, rest @ ..] = &mut head;
    *rest = end.as_secs().to_be_bytes();
    head
}

/// Each part with its length before it, so that no two lists of parts look alike.
pub(crate) fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut text = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
    for part in parts {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part);
    }
    text
}

fn hex(mut text: String, byte: u8) -> String {
    for nibble in [byte >> 4, byte & 15] {
        text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn seals(purpose: Purpose) -> SealedBox {
        ClusterKey::new(*b"0123456789abcdef0123456789abcdef")
            .seals(purpose)
            .expect("keys")
    }

    fn in_secs(secs: i64) -> UnixTime {
        UnixTime::from_secs(NOW.as_secs() + secs)
    }

    #[test]
    fn what_was_sealed_opens_for_the_same_purpose_and_subject_and_nowhere_else() {
        let answers = seals(Purpose::Answer);
        let about: &[&[u8]] = &[b"issuer", b"policy", b"digest"];
        let sealed = answers.seal(about, in_secs(60), b"active").expect("sealed");
        let opened = |seals: &SealedBox, about: &[&[u8]], sealed: &[u8], now| {
            seals.open(about, sealed, now, HOUR).map(|(text, _)| text)
        };
        assert_eq!(
            opened(&answers, about, &sealed, NOW).as_deref(),
            Some(&b"active"[..]),
            "the accepted twin"
        );
        assert!(opened(&seals(Purpose::Revocation), about, &sealed, NOW).is_none());
        for other in [
            &[&b"other"[..], b"policy", b"digest"][..],
            &[b"issuer", b"other", b"digest"],
            &[b"issuer", b"policy", b"other"],
            &[b"issuerpolicy", b"", b"digest"],
            &[b"issuer", b"policy"],
            &[],
        ] {
            assert!(opened(&answers, other, &sealed, NOW).is_none(), "{other:?}");
        }
        let other_cluster = ClusterKey::new([7; 32])
            .seals(Purpose::Answer)
            .expect("keys");
        assert!(opened(&other_cluster, about, &sealed, NOW).is_none());
    }

    #[test]
    fn no_altered_byte_and_no_shorter_seal_opens() {
        let seals = seals(Purpose::Revocation);
        let sealed = seals.seal(&[b"x"], in_secs(60), b"gone").expect("sealed");
        assert!(
            seals.open(&[b"x"], &sealed, NOW, HOUR).is_some(),
            "the accepted twin"
        );
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(
                seals.open(&[b"x"], &altered, NOW, HOUR).is_none(),
                "byte {at}"
            );
            assert!(
                seals.open(&[b"x"], &sealed[..at], NOW, HOUR).is_none(),
                "{at} bytes"
            );
        }
        let longer = [&sealed[..], b"x"].concat();
        assert!(seals.open(&[b"x"], &longer, NOW, HOUR).is_none());
    }

    #[test]
    fn a_seal_opens_until_its_end_which_is_not_too_far() {
        let seals = seals(Purpose::Answer);
        let sealed = seals.seal(&[], in_secs(60), b"").expect("sealed");
        let opens = |now, longest| seals.open(&[], &sealed, now, longest).is_some();
        assert!(opens(in_secs(59), HOUR));
        assert!(!opens(in_secs(60), HOUR), "ended");
        assert!(opens(NOW, Duration::from_secs(60)));
        assert!(
            !opens(NOW, Duration::from_secs(59)),
            "ends later than allowed"
        );
    }

    #[test]
    fn a_seal_shows_nothing_of_its_text_and_none_is_like_another() {
        let seals = seals(Purpose::Answer);
        let seal = || {
            seals
                .seal(&[], in_secs(60), b"a secret word")
                .expect("sealed")
        };
        let (one, two) = (seal(), seal());
        assert_ne!(one, two);
        assert!(!one.windows(6).any(|bytes| bytes == b"secret"));
    }

    #[test]
    fn names_depend_on_every_part_on_the_purpose_and_on_the_key() {
        let names = [
            seals(Purpose::Answer).name(&[b"a", b"bc"]),
            seals(Purpose::Answer).name(&[b"ab", b"c"]),
            seals(Purpose::Answer).name(&[b"abc"]),
            seals(Purpose::Revocation).name(&[b"a", b"bc"]),
            seals(Purpose::Proof).name(&[b"a", b"bc"]),
            ClusterKey::new([7; 32])
                .seals(Purpose::Answer)
                .expect("keys")
                .name(&[b"a", b"bc"]),
        ];
        for (at, name) in names.iter().enumerate() {
            assert_eq!(name.len(), 64);
            assert!(!names[..at].contains(name), "{at}");
        }
        assert_eq!(names[0], seals(Purpose::Answer).name(&[b"a", b"bc"]));
    }

    #[test]
    fn the_key_is_never_shown() {
        let key = ClusterKey::new([b'k'; 32]);
        assert!(key.is_placeholder());
        assert_eq!(format!("{key:?}"), "ClusterKey { .. }");
    }
}
