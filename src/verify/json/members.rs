//! The index of an object's members: spans in the text, a hash of each name, a hash table.
//!
//! 1. Hashes are compared before names. Equal names have equal hashes; equal hashes prove nothing.
//! 2. The table of a small object is made with a hash without a secret, and looks at a bounded number of
//!    places: beyond it, and in a larger object, duplicates are searched by a hash with a secret; see
//!    [`distinct`](super::distinct).
//! 3. Nothing is allocated for a name with escapes.

use std::borrow::Cow;

use crate::verify::json::distinct::{self, Named};
use crate::verify::json::unescape::{Unescaped, unescape};

/// Objects with more members than this have no table.
const FEW: usize = 64;

/// Up to so many members are compared with one another: less work than a table.
const VERY_FEW: usize = 6;

/// A byte range of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// `None` for offsets beyond `u32`.
    pub(in crate::verify) fn new(start: usize, end: usize) -> Option<Self> {
        Some(Self {
            start: start.try_into().ok()?,
            end: end.try_into().ok()?,
        })
    }

    /// The range of the text that was scanned.
    #[inline]
    pub(in crate::verify) fn of(self, text: &str) -> &str {
        // INVARIANT: a span starts and ends at character boundaries of the text that it is used on.
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    #[inline]
    pub(super) fn bytes_of(self, text: &str) -> &[u8] {
        let bytes = text.as_bytes();
        bytes
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// The kind of a value.
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

/// A well-formed value: its kind and its span.
#[derive(Clone, Copy, Debug)]
pub(in crate::verify) struct Scanned {
    pub(in crate::verify) kind: ValueKind,
    pub(in crate::verify) span: Span,
}

/// A member: its name and its value.
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
            escaped_name_hash(name.of(text))
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

    fn is(self, text: &str, name_hash: u32, name: &str) -> bool {
        self.name_hash == name_hash
            && if self.escaped {
                Unescaped::of(self.name.of(text)).eq(name.chars())
            } else {
                self.name.bytes_of(text) == name.as_bytes()
            }
    }
}

impl Named for Member {
    /// Whether both have the same name.
    fn has_name_of(self, text: &str, other: Self) -> bool {
        if self.name_hash != other.name_hash {
            return false;
        }
        match (self.escaped, other.escaped) {
            (false, false) => self.name.bytes_of(text) == other.name.bytes_of(text),
            _ => self.unescaped(text).eq(other.unescaped(text)),
        }
    }

    /// The characters of the name.
    fn unescaped(self, text: &str) -> Unescaped<'_> {
        Unescaped::of(self.name.of(text))
    }

    /// The name, where it has no escapes.
    fn plain_name(self, text: &str) -> Option<&[u8]> {
        (!self.escaped).then(|| self.name.bytes_of(text))
    }

    fn name(self, text: &str) -> Cow<'_, str> {
        let raw = self.name.of(text);
        if self.escaped {
            Cow::Owned(unescape(raw))
        } else {
            Cow::Borrowed(raw)
        }
    }
}

/// The members of one object, with an index of their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    pub(in crate::verify) list: Vec<Member>,
    /// `None` where names are searched one by one.
    names: Option<NameTable>,
    /// Whether a member that is `null`, an empty text or an empty list counts as absent.
    pub(super) skips_empty: bool,
}

impl Members {
    /// Builds the index of names; `false` where two members have the same name.
    pub(super) fn build_index(&mut self, text: &str) -> bool {
        let table = self.names.insert(NameTable::EMPTY);
        table.fill(text, &self.list).unwrap_or_else(|| {
            self.names = None;
            distinct::are_distinct(text, &self.list)
        })
    }

    /// The value of the member with exactly this name.
    #[inline] // The compiler then computes the hash of a constant name.
    pub(in crate::verify) fn find(&self, text: &str, name: &str) -> Option<Scanned> {
        let name_hash = name_hash(name.as_bytes());
        match &self.names {
            Some(table) if table.is_free(name_hash) => None,
            _ => self.find_hashed(text, name_hash, name),
        }
    }

    #[inline(never)]
    fn find_hashed(&self, text: &str, name_hash: u32, name: &str) -> Option<Scanned> {
        let Some(table) = &self.names else {
            let mut list = self.list.iter();
            let found = list.find(|member| member.is(text, name_hash, name));
            return found.map(|member| member.value);
        };
        let mut at = NameTable::first_place(name_hash);
        loop {
            let number = *table.places.get(at)?;
            // A free place ends the search.
            let member = self.list.get(usize::from(number).checked_sub(1)?)?;
            if member.is(text, name_hash, name) {
                return Some(member.value);
            }
            at = NameTable::next_place(at);
        }
    }
}

/// A hash table of at most [`FEW`] names, with linear probing.
#[derive(Clone, Copy, Debug)]
struct NameTable {
    /// The number of a member plus one; 0 is a free place. At least half of them are free.
    places: [u8; Self::SIZE],
}

impl NameTable {
    const SIZE: usize = 2 * FEW;

    const EMPTY: Self = Self {
        places: [0; Self::SIZE],
    };

    /// The most taken places that filling a table passes. In a full table of names with random hashes it
    /// passes about 30; tokens that are made to share places end here.
    const MOST_PASSED: usize = FEW;

    /// Fills an empty table with the names of these members. Whether all of them differ; `None` where
    /// there are too many, or too many share their places.
    fn fill(&mut self, text: &str, members: &[Member]) -> Option<bool> {
        if members.len() > FEW {
            return None;
        }
        let mut passes_left = Self::MOST_PASSED;
        for (number, member) in (1_u8..).zip(members) {
            let mut at = Self::first_place(member.name_hash);
            loop {
                let place = self.places.get_mut(at)?;
                let Some(taken) = usize::from(*place).checked_sub(1) else {
                    *place = number;
                    break;
                };
                if members.get(taken)?.has_name_of(text, *member) {
                    return Some(false);
                }
                passes_left = passes_left.checked_sub(1)?;
                at = Self::next_place(at);
            }
        }
        Some(true)
    }

    /// Whether it is certain that no member has a name with this hash.
    #[inline]
    fn is_free(&self, name_hash: u32) -> bool {
        let place = self.places.get(Self::first_place(name_hash));
        place.copied().unwrap_or_default() == 0
    }

    #[inline]
    const fn first_place(name_hash: u32) -> usize {
        name_hash as usize % Self::SIZE
    }

    #[inline]
    const fn next_place(place: usize) -> usize {
        (place + 1) % Self::SIZE
    }
}

/// Whether the names of the members of a nested object differ.
pub(super) fn are_distinct(text: &str, members: &[Member]) -> bool {
    if members.len() > VERY_FEW {
        let mut table = NameTable::EMPTY;
        let are_distinct = table.fill(text, members);
        return are_distinct.unwrap_or_else(|| distinct::are_distinct(text, members));
    }
    members.iter().enumerate().all(|(place, member)| {
        let mut before = members.iter().take(place);
        !before.any(|other| other.has_name_of(text, *member))
    })
}

/// A hash of a name's length, first eight and last eight bytes.
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
    mixed(name.len(), first, last)
}

/// The same hash of a name with escapes.
#[cold]
fn escaped_name_hash(raw: &str) -> u32 {
    let (mut length, mut first, mut last) = (0_usize, 0_u64, 0_u64);
    let mut encoded = [0; 4];
    for character in Unescaped::of(raw) {
        for byte in character.encode_utf8(&mut encoded).bytes() {
            if length < 8 {
                first |= u64::from(byte) << (8 * length);
            }
            last = last << 8 | u64::from(byte);
            length += 1;
        }
    }
    match length {
        8.. => mixed(length, first, last.swap_bytes()),
        4..8 => mixed(
            length,
            first & u64::from(u32::MAX),
            (last << 32).swap_bytes(),
        ),
        _ => mixed(length, last, 0),
    }
}

#[inline]
fn mixed(length: usize, first: u64, last: u64) -> u32 {
    let mixed = (first ^ (length as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ last.wrapping_mul(0xc2b2_ae3d_27d4_eb4f).rotate_left(31);
    #[allow(clippy::cast_possible_truncation)] // the upper half is the best mixed
    let name_hash = (mixed.wrapping_mul(0x1656_67b1_9e37_79f9) >> 32) as u32;
    name_hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::json::name_bounds::NameBounds;
    use crate::verify::json::object::{JsonFault, Object, Value};
    use crate::verify::json::scanner::scan;

    fn object(names: &[String]) -> Result<(), JsonFault> {
        let members = names.iter().enumerate();
        let members: Vec<String> = members
            .map(|(place, name)| format!("\"{name}\":{place}"))
            .collect();
        Object::parse_str(&format!("{{{}}}", members.join(","))).map(|object| {
            for (place, name) in names.iter().enumerate() {
                let own = place.to_string();
                assert_eq!(object.get(name), Some(Value::Number(&own)), "{name}");
            }
            assert!(object.get("none-of-them").is_none());
        })
    }

    #[test]
    fn names_with_equal_hashes_are_told_apart() {
        // The hash covers the ends and the length; these names differ only in the middle.
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

    #[test]
    fn hash_of_a_name_with_escapes_is_that_of_its_text() {
        for length in 0..20 {
            let plain: String = "abcdefghijklmnopqrst\u{e9}"
                .chars()
                .rev()
                .take(length)
                .collect();
            let escape = |character: char| format!("\\u{:04x}", u32::from(character));
            let escaped = plain.chars().map(escape).collect::<Vec<_>>().concat();
            assert_eq!(
                escaped_name_hash(&escaped),
                name_hash(plain.as_bytes()),
                "{plain}"
            );
            let twice = format!("{{\"{plain}\":0,\"{escaped}\":0}}");
            let found = Object::parse_str(&twice).map(drop);
            assert_eq!(found, Err(JsonFault::Duplicate), "{twice}");
        }
    }

    #[test]
    fn names_with_escapes_are_told_apart_in_objects_of_every_size() {
        for count in [2, VERY_FEW + 1, FEW + 1, 500] {
            let escaped = |n: usize| format!("\\u0061{n}");
            let mut names: Vec<String> = (0..count).map(escaped).collect();
            for nested in [false, true] {
                let text = |names: &[String]| {
                    let members: Vec<_> =
                        names.iter().map(|name| format!("\"{name}\":0")).collect();
                    let object = format!("{{{}}}", members.join(","));
                    if nested {
                        format!("{{\"x\":[{object}]}}")
                    } else {
                        object
                    }
                };
                let read = |names: &[String]| Object::parse_str(&text(names)).map(drop);
                assert_eq!(read(&names), Ok(()), "{count}");
                for again in [0, count / 2, count - 1] {
                    names.push(format!("a{again}"));
                    assert_eq!(read(&names), Err(JsonFault::Duplicate), "{count}");
                    names.pop();
                }
            }
        }
    }

    #[test]
    fn names_that_share_places_in_the_table_end_its_use() {
        let names = |count: usize| -> Vec<String> {
            let alike = |n: usize| format!("aaaaaaaa{n:04}bbbbbbbb");
            (0..count).map(alike).collect()
        };
        let filled = |names: &[String]| {
            let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":0")).collect();
            let text = format!("{{{}}}", members.join(","));
            let mut members = Members::default();
            assert_eq!(
                scan(&text, &mut members, NameBounds::NONE),
                Ok(()),
                "{text}"
            );
            let mut table = NameTable::EMPTY;
            table.fill(&text, &members.list)
        };
        assert_eq!(filled(&names(10)), Some(true));
        assert_eq!(filled(&names(FEW)), None);
        let other: Vec<String> = (0..=FEW).map(|n| format!("name-{n}")).collect();
        assert_eq!(filled(&other[..FEW]), Some(true));
        assert_eq!(filled(&other), None);
    }
}
