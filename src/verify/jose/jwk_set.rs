//! Key sets: the bytes of a JWK Set become prepared keys, one by one.
//!
//! 1. The document is a JSON object with one array `keys` (RFC 7517 section 5); anything else is a
//!    broken set.
//! 2. An entry that cannot be used is skipped and reported; the other entries are kept. Which entries
//!    can be used, and for what, is decided in [`jwk`](super::jwk).
//! 3. At most `most_keys` entries are read. A set with more is marked as cut: a key that is not found
//!    may be among the entries that were not read.
//! 4. A key that names an issuer in a member `issuer`, exactly or with one place left open, is not
//!    used for another issuer of the same origin. Issuers that share a set, such as the tenants of
//!    Microsoft Entra ID, assign keys in this way.
//! 5. A set without one usable key is broken.
//! 6. Several sets of one issuer are searched like one: the result depends neither on the set that has
//!    a key nor on the order of the sets.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::algorithm::{Algorithm, AlgorithmSet};
use crate::verify::crypto::public_key::{Material, PublicKey};
pub(crate) use crate::verify::jose::jwk::MAX_KEY_ID_BYTES;
use crate::verify::jose::jwk::{FOR_CERTIFICATES, FOR_ENCRYPTION, Jwk};
use crate::verify::jose::key_ids::KeyIds;
use crate::verify::jose::verification_key::VerificationKey;
#[cfg(feature = "jwks")]
use crate::verify::jose::verification_key::are_alike;

/// Most keys that are tried for one token.
const MAX_CANDIDATES: usize = 4;

/// What makes a whole key set unusable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetFault {
    #[error("the key set is not a json object with an array `keys`")]
    NotAKeySet,
    #[error("the key set has no usable key{}", first_reason(.0.as_ref()))]
    NoUsableKey(Option<SkippedKey>),
}

/// The first reason, as a suffix of the error message; one is enough to start with.
fn first_reason(first: Option<&SkippedKey>) -> String {
    let reason = first.map(|skipped| format!("; {skipped}"));
    reason.unwrap_or_default()
}

/// The keys of one issuer, ready to verify.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<VerificationKey>,
    by_id: KeyIds<Vec<usize>>,
    without_id: Vec<usize>,
    unusable_ids: KeyIds<()>,
    skipped: Vec<SkippedKey>,
    /// Whether it has entries that were not read.
    is_cut: bool,
}

/// An entry of a key set that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    index: usize,
    reason: Cow<'static, str>,
}

impl SkippedKey {
    /// Whether an operator is told: a key for encryption is no surprise.
    pub(crate) fn is_notable(&self) -> bool {
        self.reason != FOR_ENCRYPTION && self.reason != FOR_CERTIFICATES
    }

    /// The entry's place in the array `keys`, counted from 0. Entries beyond
    /// [`most_keys`](crate::Issuer::most_keys) are named by the first of them.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Why it cannot be used: a phrase such as "its curve `secp256k1` is not supported". Names
    /// that the issuer chose are escaped and cut.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {}", self.index, self.reason)
    }
}

/// Where a key stands: the index of its set among those that were searched, and its index there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyPlace {
    pub(crate) set: usize,
    pub(crate) index: usize,
}

/// Candidate keys, each with its place.
pub(super) type Candidates<'k> = [Option<(KeyPlace, &'k PublicKey)>; MAX_CANDIDATES];

/// The keys that may verify a token.
pub(crate) enum Selection<'k> {
    /// One to four keys. `certain` when the token named them by id.
    Keys {
        candidates: Candidates<'k>,
        certain: bool,
    },
    /// The issuer publishes no key with the token's id.
    UnknownKey,
    /// The set has the key, and it does not fit the token's algorithm.
    Unfit,
    /// The set has the key, and it names another issuer than the token's.
    Foreign,
    /// More keys fit than are tried.
    TooMany,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl KeySet {
    /// Reads a JWK Set, at most `most` entries. Keys are prepared for `allowed` algorithms only.
    pub(crate) fn parse(
        bytes: &[u8],
        allowed: AlgorithmSet,
        most: usize,
    ) -> Result<Self, KeySetFault> {
        // RFC 8259 s8.1: the whole document is UTF-8, unused members included.
        let text = std::str::from_utf8(bytes).map_err(|_| KeySetFault::NotAKeySet)?;
        let document: Document<'_> =
            serde_json::from_str(text).map_err(|_| KeySetFault::NotAKeySet)?;
        let mut set = Self::default();
        for (index, entry) in document.keys.iter().take(most).enumerate() {
            set.add_entry(index, entry.get(), allowed);
        }
        let beyond = document.keys.len().saturating_sub(most);
        if beyond > 0 {
            set.is_cut = true;
            let reason = format!(
                "it is beyond the {most} entries that are read, with {} after it; raise `most_keys`",
                beyond - 1
            );
            set.skip(most, None, reason.into());
        }
        if set.keys.is_empty() {
            return Err(KeySetFault::NoUsableKey(set.skipped.into_iter().next()));
        }
        Ok(set)
    }

    /// Adds a key from elsewhere. `false` when it fits none of the algorithms.
    pub(crate) fn add(
        &mut self,
        id: Option<&str>,
        material: &Material,
        algorithms: AlgorithmSet,
    ) -> bool {
        self.insert(id, material, algorithms, None)
    }

    fn insert(
        &mut self,
        id: Option<&str>,
        material: &Material,
        algorithms: AlgorithmSet,
        issuer: Option<Box<str>>,
    ) -> bool {
        let prepared: Vec<_> = Algorithm::all()
            .filter(|algorithm| algorithms.contains(*algorithm))
            .filter_map(|algorithm| Some((algorithm, PublicKey::prepare(material, algorithm)?)))
            .collect();
        if prepared.is_empty() {
            return false;
        }
        let index = self.keys.len();
        match id {
            Some(id) => self.by_id.change(id, |indexes| indexes.push(index)),
            None => self.without_id.push(index),
        }
        self.keys.push(VerificationKey {
            prepared,
            material: material.clone(),
            issuer,
        });
        true
    }

    /// Adds all keys of another set.
    pub(crate) fn merge(&mut self, other: Self) {
        let base = self.keys.len();
        self.keys.extend(other.keys);
        for (id, indexes) in other.by_id.entries() {
            let moved = indexes.iter().map(|index| base + index);
            self.by_id.change(id, |indexes| indexes.extend(moved));
        }
        self.without_id
            .extend(other.without_id.into_iter().map(|index| base + index));
        for (id, ()) in other.unusable_ids.entries() {
            self.unusable_ids.change(id, |()| ());
        }
        self.skipped.extend(other.skipped);
        self.is_cut |= other.is_cut;
    }

    /// Whether it has entries that were not read, so that a missing key may be among them.
    pub(crate) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Whether a token that names this id finds a key, or an entry that cannot be used.
    #[cfg(feature = "jwks")]
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.by_id.get(id).is_some() || self.unusable_ids.get(id).is_some()
    }

    /// Whether a token that names this id may find a key: that key, one without an id, or one that was
    /// not read. An entry that cannot be used counts too.
    pub(crate) fn may_have(&self, id: &str) -> bool {
        self.is_cut
            || !self.without_id.is_empty()
            || self.by_id.get(id).is_some()
            || self.unusable_ids.get(id).is_some()
    }

    /// How many keys can be used.
    #[cfg(feature = "jwks")]
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The ids of this set's usable keys that another set does not have.
    #[cfg(feature = "jwks")]
    pub(crate) fn ids_missing_in<'k>(&'k self, other: &'k Self) -> impl Iterator<Item = &'k str> {
        self.ids().filter(|id| other.by_id.get(id).is_none())
    }

    /// The ids of its usable keys.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.entries().map(|(id, _)| id)
    }

    /// Whether a token with this `kid` finds the same keys in another set.
    #[cfg(feature = "jwks")]
    pub(crate) fn is_alike_under(&self, id: &str, other: &Self) -> bool {
        match (self.by_id.get(id), other.by_id.get(id)) {
            (Some(own), Some(others)) => {
                let keys = |(_, key)| key;
                are_alike(self.at(own).map(keys), other.at(others).map(keys))
            }
            _ => false,
        }
    }

    /// Whether every token finds the same keys in another set.
    #[cfg(feature = "jwks")]
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        self.by_id == other.by_id
            && self.without_id == other.without_id
            && self.unusable_ids == other.unusable_ids
            && are_alike(self.keys.iter(), other.keys.iter())
    }

    /// For each key of this set, in its order, the index of the same key under the same id in another
    /// set.
    #[cfg(feature = "jwks")]
    pub(crate) fn places_in<'k>(
        &'k self,
        other: &'k Self,
    ) -> impl Iterator<Item = Option<usize>> + 'k {
        let mut ids: Vec<Option<&str>> = vec![None; self.keys.len()];
        for (id, indexes) in self.by_id.entries() {
            for index in indexes {
                if let Some(place) = ids.get_mut(*index) {
                    *place = Some(id);
                }
            }
        }
        self.keys.iter().zip(ids).map(move |(key, id)| {
            let indexes = match id {
                Some(id) => other.by_id.get(id).map(Vec::as_slice).unwrap_or_default(),
                None => &other.without_id,
            };
            let is_it = |(_, candidate): &(usize, &VerificationKey)| candidate.is_alike(key);
            other.at(indexes).find(is_it).map(|(index, _)| index)
        })
    }

    /// The entries that cannot be used.
    pub(crate) fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// The keys at these indexes, with them.
    fn at<'k>(
        &'k self,
        indexes: &'k [usize],
    ) -> impl Iterator<Item = (usize, &'k VerificationKey)> {
        let keys = |index: &usize| Some((*index, self.keys.get(*index)?));
        indexes.iter().filter_map(keys)
    }

    fn add_entry(&mut self, index: usize, entry: &str, allowed: AlgorithmSet) {
        let jwk = match Jwk::read(entry, allowed) {
            Ok(jwk) => jwk,
            Err((id, reason)) => return self.skip(index, id, reason),
        };
        if !self.insert(jwk.id.as_deref(), &jwk.material, jwk.algorithms, jwk.issuer) {
            let reason = "the key is weak, malformed or fits no allowed algorithm";
            self.skip(index, jwk.id, reason.into());
        }
    }

    fn skip(&mut self, index: usize, id: Option<String>, reason: Cow<'static, str>) {
        if let Some(id) = id {
            self.unusable_ids.change(&id, |()| ());
        }
        self.skipped.push(SkippedKey { index, reason });
    }
}

/// The keys of these sets that may verify a token with this id and algorithm, of this issuer. The
/// answer does not depend on the order of the sets, nor on that inside a set.
pub(crate) fn select<'k>(
    sets: &[&'k KeySet],
    id: Option<&str>,
    algorithm: Algorithm,
    issuer: &str,
) -> Selection<'k> {
    let serves = |(_, key): &(KeyPlace, &'k VerificationKey)| key.serves(issuer);
    let numbered = |set: usize| {
        move |(index, key): (usize, &'k VerificationKey)| (KeyPlace { set, index }, key)
    };
    let sets = || sets.iter().copied().enumerate();
    let Some(id) = id else {
        // RFC 7515 s4.1.4: `kid` is optional. Every key that fits is a candidate.
        let all = sets().flat_map(|(place, set)| set.keys.iter().enumerate().map(numbered(place)));
        return find_candidates(all.filter(serves), algorithm, false)
            .unwrap_or(Selection::UnknownKey);
    };
    let named = sets().flat_map(|(place, set)| {
        let indexes = set.by_id.get(id).map(Vec::as_slice).unwrap_or_default();
        set.at(indexes).map(numbered(place))
    });
    let mut named = named.peekable();
    if named.peek().is_some() {
        let mut own = named.filter(serves).peekable();
        if own.peek().is_none() {
            return Selection::Foreign;
        }
        return find_candidates(own, algorithm, true).unwrap_or(Selection::Unfit);
    }
    if sets().any(|(_, set)| set.unusable_ids.get(id).is_some()) {
        return Selection::Unfit;
    }
    let unnamed = sets().flat_map(|(place, set)| set.at(&set.without_id).map(numbered(place)));
    find_candidates(unnamed.filter(serves), algorithm, false).unwrap_or(Selection::UnknownKey)
}

fn find_candidates<'k>(
    keys: impl Iterator<Item = (KeyPlace, &'k VerificationKey)>,
    algorithm: Algorithm,
    certain: bool,
) -> Option<Selection<'k>> {
    let mut candidates: Candidates<'k> = [None; MAX_CANDIDATES];
    let mut places = candidates.iter_mut();
    let fitting = keys.filter_map(|(place, key)| {
        let mut prepared = key.prepared.iter();
        let (_, key) = prepared.find(|(good_for, _)| *good_for == algorithm)?;
        Some((place, key))
    });
    for key in fitting {
        match places.next() {
            Some(place) => *place = Some(key),
            None => return Some(Selection::TooMany),
        }
    }
    candidates.first()?.as_ref()?;
    Some(Selection::Keys {
        candidates,
        certain,
    })
}
