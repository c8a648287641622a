//! The members of a scanned object: where they stand in the text, and a name_hash of each name.
//!
//! 1. Marks are compared before names. Equal name_hashes prove nothing; equal names have equal name_hashes.
//! 2. Marks need no secret: in an object of few members a collision costs one comparison of
//!    names, and larger ones are searched for duplicates by sorting.

use std::borrow::Cow;

use crate::verify::json::unescape::unescape;

/// Objects with more members than this are searched for duplicates by sorting.
const FEW: usize = 32;

/// A piece of a text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// `None` for a text that is longer than any that is read.
    pub(in crate::verify) fn new(start: usize, end: usize) -> Option<Self> {
        Some(Self {
            start: start.try_into().ok()?,
            end: end.try_into().ok()?,
        })
    }

    /// The piece of the text that was scanned.
    #[inline]
    pub(in crate::verify) fn of(self, text: &str) -> &str {
        // INVARIANT: spans are made at character boundaries of the text that they are used on.
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    #[inline]
    fn bytes_of(self, text: &str) -> &[u8] {
        let bytes = text.as_bytes();
        bytes
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// What kind of value stands somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify) enum ValueKind {
    Null,
    Bool(bool),
    Number,
    /// Without its quotes.
    String {
        escaped: bool,
    },
    Array,
    Object,
}

/// A value that is known to be well formed.
#[derive(Clone, Copy, Debug)]
pub(in crate::verify) struct Scanned {
    pub(in crate::verify) kind: ValueKind,
    pub(in crate::verify) span: Span,
}

/// A name, and the value that goes with it.
#[derive(Clone, Copy, Debug)]
pub(in crate::verify) struct Member {
    name: Span,
    escaped: bool,
    name_hash: u32,
    pub(in crate::verify) value: Scanned,
}

impl Member {
    #[inline]
    pub(in crate::verify) fn new(text: &str, name: Span, escaped: bool, value: Scanned) -> Self {
        let name_hash = if escaped {
            name_hash(unescape(name.of(text)).as_bytes())
        } else {
            name_hash(name.bytes_of(text))
        };
        Self {
            name,
            escaped,
            name_hash,
            value,
        }
    }

    pub(in crate::verify) fn name(self, text: &str) -> Cow<'_, str> {
        let raw = self.name.of(text);
        if self.escaped {
            Cow::Owned(unescape(raw))
        } else {
            Cow::Borrowed(raw)
        }
    }

    fn is(self, text: &str, name_hash: u32, name: &str) -> bool {
        self.name_hash == name_hash
            && if self.escaped {
                unescape(self.name.of(text)) == name
            } else {
                self.name.bytes_of(text) == name.as_bytes()
            }
    }
}

/// The members of one object, and which names it may have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    pub(in crate::verify) list: Vec<Member>,
    /// Those of the list, in its order.
    name_hashes: Vec<u32>,
    names: NameFilter,
    /// Whether a member that is `null`, an empty text or an empty list counts as absent.
    pub(super) skips_empty: bool,
}

impl Members {
    /// Gets the members that were listed ready to be found. `false` where two have one name.
    pub(super) fn build_index(&mut self, text: &str) -> bool {
        self.name_hashes.clear();
        self.name_hashes
            .extend(self.list.iter().map(|member| member.name_hash));
        self.names = NameFilter::default();
        self.names.are_distinct(text, &self.list)
    }

    /// The value of the member with exactly this name.
    #[inline] // The name_hash of a name that stands in the code is then reckoned by the compiler.
    pub(in crate::verify) fn find(&self, text: &str, name: &str) -> Option<Scanned> {
        let name_hash = name_hash(name.as_bytes());
        if !self.names.may_hold(name_hash) {
            return None;
        }
        self.find_hashed(text, name_hash, name)
    }

    fn find_hashed(&self, text: &str, name_hash: u32, name: &str) -> Option<Scanned> {
        let mut marked = self.name_hashes.iter().zip(&self.list);
        marked
            .find(|(held, member)| **held == name_hash && member.is(text, name_hash, name))
            .map(|(_, member)| member.value)
    }
}

/// A set of names that says "no" for certain, and "yes" only perhaps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NameFilter([u64; Self::WORDS]);

impl NameFilter {
    const WORDS: usize = 8;

    /// Takes in the names of these members. Whether no two are the same.
    pub(super) fn are_distinct(&mut self, text: &str, members: &[Member]) -> bool {
        if members.len() > FEW {
            for member in members {
                self.add(member.name_hash);
            }
            return !repeats(members.iter().map(|member| member.name(text)).collect());
        }
        members.iter().enumerate().all(|(place, member)| {
            let is_new = self.add(member.name_hash);
            is_new || !stands_among(text, members.get(..place).unwrap_or_default(), *member)
        })
    }

    #[inline]
    fn may_hold(&self, name_hash: u32) -> bool {
        let word = self.0.get(Self::place(name_hash)).copied();
        word.unwrap_or_default() & Self::bit(name_hash) != 0
    }

    /// Whether it is certain that it was not there.
    #[inline]
    fn add(&mut self, name_hash: u32) -> bool {
        let Some(word) = self.0.get_mut(Self::place(name_hash)) else {
            return false;
        };
        let is_new = *word & Self::bit(name_hash) == 0;
        *word |= Self::bit(name_hash);
        is_new
    }

    const fn place(name_hash: u32) -> usize {
        (name_hash >> 6) as usize % Self::WORDS
    }

    const fn bit(name_hash: u32) -> u64 {
        1 << (name_hash % 64)
    }
}

#[cold]
fn stands_among(text: &str, others: &[Member], member: Member) -> bool {
    let name = member.name(text);
    let mut others = others.iter();
    others.any(|other| other.is(text, member.name_hash, &name))
}

fn repeats(mut names: Vec<Cow<'_, str>>) -> bool {
    names.sort_unstable();
    names.windows(2).any(|pair| pair.first() == pair.last())
}

/// A name_hash of a name, of its length and its ends.
#[inline]
fn name_hash(name: &[u8]) -> u32 {
    let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
            (Some(first), Some(last)) => (
                u32::from_le_bytes(*first).into(),
                u32::from_le_bytes(*last).into(),
            ),
            _ => (
                name.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
                0,
            ),
        },
    };
    let mixed = (first ^ (name.len() as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ last.wrapping_mul(0xc2b2_ae3d_27d4_eb4f).rotate_left(31);
    #[allow(clippy::cast_possible_truncation)] // the upper half is the mixed one
    let name_hash = (mixed.wrapping_mul(0x1656_67b1_9e37_79f9) >> 32) as u32;
    name_hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::json::object::{JsonFault, Object};

    fn object(names: &[String]) -> Result<(), JsonFault> {
        let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":0")).collect();
        Object::parse_str(&format!("{{{}}}", members.join(","))).map(|object| {
            for name in names {
                assert!(object.get(name).is_some(), "{name}");
            }
            assert!(object.get("none-of-them").is_none());
        })
    }

    #[test]
    fn names_with_one_mark_are_told_apart() {
        // A name_hash is of the ends of a name and its length; these differ in the middle alone.
        let alike = |n: usize| format!("aaaaaaaa{n:04}bbbbbbbb");
        assert_eq!(
            name_hash(alike(1).as_bytes()),
            name_hash(alike(2).as_bytes())
        );
        for count in [2, FEW, FEW + 1, 10 * FEW] {
            let mut names: Vec<String> = (0..count).map(alike).collect();
            assert_eq!(object(&names), Ok(()), "{count}");
            names.push(alike(count / 2));
            assert_eq!(object(&names), Err(JsonFault::Duplicate), "{count}");
        }
    }

    #[test]
    fn a_name_of_any_length_is_found() {
        let names: Vec<String> = (0..40).map(|length| "x".repeat(length)).collect();
        assert_eq!(object(&names), Ok(()));
        for few in names.chunks(7) {
            assert_eq!(object(few), Ok(()));
        }
    }
}
