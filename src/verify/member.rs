//! The members of a scanned object: where they stand in the text, and a mark of each name.
//!
//! 1. Marks are compared before names. Equal marks prove nothing; equal names have equal marks.
//! 2. Marks need no secret: in an object of few members a collision costs one comparison of
//!    names, and larger ones are searched for duplicates by sorting.

use std::borrow::Cow;

use super::escape::unescape;

/// Objects with more members than this are searched for duplicates by sorting.
const FEW: usize = 32;

/// A piece of a text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// `None` for a text that is longer than any that is read.
    pub(super) fn new(start: usize, end: usize) -> Option<Self> {
        Some(Self {
            start: start.try_into().ok()?,
            end: end.try_into().ok()?,
        })
    }

    /// The piece of the text that was scanned.
    pub(super) fn of(self, text: &str) -> &str {
        // INVARIANT: spans are made at character boundaries of the text that they are used on.
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// What kind of value stands somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
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
pub(super) struct Scanned {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// A name, and the value that goes with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    name: Span,
    escaped: bool,
    mark: u32,
    pub(super) value: Scanned,
}

impl Member {
    pub(super) fn new(text: &str, name: Span, escaped: bool, value: Scanned) -> Self {
        let raw = name.of(text);
        let mark = if escaped {
            mark(unescape(raw).as_bytes())
        } else {
            mark(raw.as_bytes())
        };
        Self {
            name,
            escaped,
            mark,
            value,
        }
    }

    fn name(self, text: &str) -> Cow<'_, str> {
        let raw = self.name.of(text);
        if self.escaped {
            Cow::Owned(unescape(raw))
        } else {
            Cow::Borrowed(raw)
        }
    }

    fn is(self, text: &str, mark: u32, name: &str) -> bool {
        self.mark == mark
            && if self.escaped {
                unescape(self.name.of(text)) == name
            } else {
                self.name.of(text) == name
            }
    }
}

/// The members of one object, and which names it may have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    pub(super) list: Vec<Member>,
    pub(super) names: Names,
}

impl Members {
    /// The value of the member with exactly this name.
    pub(super) fn find(&self, text: &str, name: &str) -> Option<Scanned> {
        let mark = mark(name.as_bytes());
        if !self.names.may_hold(mark) {
            return None;
        }
        self.list
            .iter()
            .find(|member| member.is(text, mark, name))
            .map(|member| member.value)
    }
}

/// A set of names that says "no" for certain, and "yes" only perhaps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Names([u64; 4]);

impl Names {
    /// The names of these members; `None` where two have the same.
    pub(super) fn of(text: &str, members: &[Member]) -> Option<Self> {
        let mut names = Self::default();
        let is_long = members.len() > FEW;
        for (place, member) in members.iter().enumerate() {
            if names.add(member.mark) && !is_long {
                let before = members.get(..place).unwrap_or_default();
                let name = member.name(text);
                if before
                    .iter()
                    .any(|other| other.is(text, member.mark, &name))
                {
                    return None;
                }
            }
        }
        if is_long && repeats(members.iter().map(|member| member.name(text)).collect()) {
            return None;
        }
        Some(names)
    }

    fn may_hold(self, mark: u32) -> bool {
        self.word(mark) & Self::bit(mark) != 0
    }

    /// Whether it seems to be there already.
    fn add(&mut self, mark: u32) -> bool {
        let was_there = self.may_hold(mark);
        if let Some(word) = self.0.get_mut(Self::place(mark)) {
            *word |= Self::bit(mark);
        }
        was_there
    }

    fn word(self, mark: u32) -> u64 {
        self.0.get(Self::place(mark)).copied().unwrap_or_default()
    }

    const fn place(mark: u32) -> usize {
        (mark >> 6) as usize % 4
    }

    const fn bit(mark: u32) -> u64 {
        1 << (mark % 64)
    }
}

fn repeats(mut names: Vec<Cow<'_, str>>) -> bool {
    names.sort_unstable();
    names.windows(2).any(|pair| pair.first() == pair.last())
}

/// A mark of a name, of its length and its ends.
#[inline]
fn mark(name: &[u8]) -> u32 {
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
    let mark = (mixed.wrapping_mul(0x1656_67b1_9e37_79f9) >> 32) as u32;
    mark
}

#[cfg(test)]
mod tests {
    use super::super::json::{JsonFault, Object};
    use super::*;

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
        // A mark is of the ends of a name and its length; these differ in the middle alone.
        let alike = |n: usize| format!("aaaaaaaa{n:04}bbbbbbbb");
        assert_eq!(mark(alike(1).as_bytes()), mark(alike(2).as_bytes()));
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
