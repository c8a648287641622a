//! Whether the names of a large object differ: a table with open addressing, in one pass.
//!
//! 1. The places in the table depend on a secret of each search and on every byte of a name, so that a
//!    sender of tokens cannot choose names that share a place.
//! 2. Should a search look at too many places nevertheless, the names are sorted: work is bounded
//!    whatever the names are.
//! 3. One allocation for each search.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};

use crate::verify::json::unescape::Unescaped;

/// Sorts after so many looks at places for each name.
const MOST_LOOKS: usize = 8;

/// A member of an object in a text.
pub(super) trait Named: Copy {
    /// The name, where it has no escapes.
    fn plain_name(self, text: &str) -> Option<&[u8]>;
    /// The characters of the name.
    fn unescaped(self, text: &str) -> Unescaped<'_>;
    fn name(self, text: &str) -> Cow<'_, str>;
    fn has_name_of(self, text: &str, other: Self) -> bool;
}

/// Whether the names of these members differ.
#[inline(never)]
pub(super) fn are_distinct<M: Named>(text: &str, members: &[M]) -> bool {
    let secrets = RandomState::new();
    let secrets = [secrets.hash_one(1_u8), secrets.hash_one(2_u8)];
    search(text, members, |member| keyed_hash(text, member, secrets))
        .unwrap_or_else(|| are_distinct_when_sorted(text, members))
}

/// `None` where too many places were looked at.
fn search<M: Named>(text: &str, members: &[M], hash: impl Fn(M) -> u64) -> Option<bool> {
    let size = (members.len() * 2).next_power_of_two();
    // The numbers of the members plus one; 0 is a free place. At least half of them are free.
    let mut places = vec![0_u32; size];
    let mut looks = members.len() * MOST_LOOKS;
    for (number, member) in members.iter().enumerate() {
        #[allow(clippy::cast_possible_truncation)] // a few bits are wanted
        let mut at = hash(*member) as usize;
        loop {
            at %= size;
            let place = places.get_mut(at)?;
            let Some(taken) = (*place as usize).checked_sub(1) else {
                *place = u32::try_from(number + 1).ok()?;
                break;
            };
            if members.get(taken)?.has_name_of(text, *member) {
                return Some(false);
            }
            looks = looks.checked_sub(1)?;
            at += 1;
        }
    }
    Some(true)
}

/// A hash of every byte of a name. Escapes are resolved on the way.
fn keyed_hash<M: Named>(text: &str, member: M, [secret, other]: [u64; 2]) -> u64 {
    let mut state = secret;
    let mut length = 0_usize;
    if let Some(name) = member.plain_name(text) {
        length = name.len();
        let mut left = name;
        while let Some((word, more)) = left.split_first_chunk::<8>() {
            state = fold(state ^ u64::from_le_bytes(*word), other);
            left = more;
        }
        let rest = left.iter().rev();
        let word = rest.fold(0, |word, byte| word << 8 | u64::from(*byte));
        state = fold(state ^ word, other);
    } else {
        let (mut word, mut encoded) = (0_u64, [0; 4]);
        for character in member.unescaped(text) {
            for byte in character.encode_utf8(&mut encoded).bytes() {
                word |= u64::from(byte) << (8 * (length % 8));
                length += 1;
                if length % 8 == 0 {
                    state = fold(state ^ word, other);
                    word = 0;
                }
            }
        }
        state = fold(state ^ word, other);
    }
    fold(state ^ length as u64, secret | 1)
}

/// Both halves of a product.
#[allow(clippy::cast_possible_truncation)] // both halves are wanted
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

#[cold]
fn are_distinct_when_sorted<M: Named>(text: &str, members: &[M]) -> bool {
    let mut names: Vec<_> = members.iter().map(|member| member.name(text)).collect();
    names.sort_unstable();
    names.windows(2).all(|pair| pair.first() != pair.last())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::json::members::Member;
    use crate::verify::json::name_bounds::NameBounds;
    use crate::verify::json::object::{JsonFault, Members};
    use crate::verify::json::scanner::scan;

    fn members_of(names: &[String]) -> (String, Vec<Member>, Result<(), JsonFault>) {
        let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":0")).collect();
        let text = format!("{{{}}}", members.join(","));
        let mut members = Members::default();
        let outcome = scan(&text, &mut members, NameBounds::NONE);
        (text, members.list, outcome)
    }

    #[test]
    fn keyed_hash_of_a_name_with_escapes_is_that_of_its_text() {
        let plain: Vec<String> = (1..20).map(|length| "ab".repeat(length)).collect();
        let escape = |name: &String| name.replace('b', "\\u0062");
        let escaped: Vec<String> = plain.iter().map(escape).collect();
        let (text, members, _) = members_of(&plain);
        let (escaped_text, escaped_members, _) = members_of(&escaped);
        let secrets = [(3_u64 << 40) | 0x7, (5_u64 << 50) | 0xb];
        for (one, other) in members.iter().zip(&escaped_members) {
            assert_eq!(
                keyed_hash(&text, *one, secrets),
                keyed_hash(&escaped_text, *other, secrets)
            );
        }
    }

    #[test]
    fn names_of_every_length_are_spread_over_the_table() {
        let secrets = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];
        for before in ["", "name-", "https://id.example.com/claims/"] {
            let names: Vec<String> = (0..1_000).map(|n| format!("{before}{n}")).collect();
            let (text, members, _) = members_of(&names);
            let found = search(&text, &members, |it| keyed_hash(&text, it, secrets));
            assert_eq!(found, Some(true), "{before}");
        }
    }

    #[test]
    fn names_that_share_a_place_are_told_apart_by_sorting() {
        let mut names: Vec<String> = (0..100).map(|n| format!("name-{n}")).collect();
        let (text, members, _) = members_of(&names);
        assert_eq!(search(&text, &members, |_| 0), None, "it gives up");
        assert!(are_distinct_when_sorted(&text, &members));
        names.push("name-\\u0037".to_owned());
        let (text, members, outcome) = members_of(&names);
        assert!(!are_distinct_when_sorted(&text, &members));
        assert_eq!(outcome, Err(JsonFault::Duplicate));
    }
}
