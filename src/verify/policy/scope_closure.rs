//! The transitive closure of a scope hierarchy, computed once, and what the scope of a token implies by
//! it.
//!
//! 1. Each scope of the hierarchy has a number. What it implies is a row of bits; what a token implies is
//!    the union of the rows of its scope, made when the token is verified.
//! 2. A demand costs one look-up of its number and one bit, whatever the size of the hierarchy.

use std::sync::Arc;

use crate::model::scope::{Scope, ScopeHierarchy, ScopeToken};

/// The most scopes in a hierarchy. The rows of the greatest one take 512 KiB.
const MOST_SCOPES: usize = 2048;

/// A scope hierarchy, ready for tokens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ScopeClosure {
    names: Vec<Box<str>>,
    /// The numbers of the names plus one, at the places of their hashes or behind; 0 is a free place.
    /// Its length is a power of two, and at most half of the places are taken.
    places: Vec<u16>,
    /// For each scope in turn, a row of bits.
    rows: Vec<u64>,
    /// The words of a row.
    width: usize,
}

impl ScopeClosure {
    /// The closure of a hierarchy; `None` where it has no rule.
    ///
    /// # Errors
    ///
    /// What is wrong with the hierarchy, and the way out.
    pub(crate) fn of(hierarchy: &ScopeHierarchy) -> Result<Option<Self>, String> {
        if hierarchy.is_empty() {
            return Ok(None);
        }
        let mut names: Vec<Box<str>> = Vec::new();
        let mut numbers = std::collections::HashMap::new();
        let mut number_of = |name: &str| -> Result<usize, String> {
            if ScopeToken::new(name).is_err() {
                return Err(format!("`{}` is not a scope token", name.escape_debug()));
            }
            if let Some(number) = numbers.get(name) {
                return Ok(*number);
            }
            if names.len() == MOST_SCOPES {
                return Err(format!("it has more than {MOST_SCOPES} scopes"));
            }
            numbers.insert(name.to_owned(), names.len());
            names.push(name.into());
            Ok(names.len() - 1)
        };
        let mut implied: Vec<Vec<usize>> = Vec::new();
        for (wider, narrower) in &hierarchy.rules {
            let from = number_of(wider)?;
            for token in narrower.split(' ') {
                let to = number_of(token)?;
                implied.resize_with(implied.len().max(from.max(to) + 1), Vec::new);
                if let Some(list) = implied.get_mut(from) {
                    list.push(to);
                }
            }
        }
        let order = narrow_first(&implied).map_err(|cycle| {
            let path = cycle.into_iter().filter_map(|number| names.get(number));
            let path: Vec<&str> = path.map(|name| &**name).collect();
            format!(
                "a scope implies itself: {}; take out one of these steps",
                path.join(" -> ")
            )
        })?;
        let width = names.len().div_ceil(64);
        let mut rows = vec![0_u64; names.len() * width];
        for from in order {
            let mut row = vec![0_u64; width];
            for to in implied.get(from).into_iter().flatten() {
                if let Some(word) = row.get_mut(to / 64) {
                    *word |= 1 << (to % 64);
                }
                union(&mut row, row_of(&rows, width, *to));
            }
            if let Some(place) = rows.get_mut(from * width..(from + 1) * width) {
                place.copy_from_slice(&row);
            }
        }
        let places = vec![0; (names.len() * 2).next_power_of_two()];
        let mut closure = Self {
            names,
            places,
            rows,
            width,
        };
        closure.fill_places();
        Ok(Some(closure))
    }

    fn fill_places(&mut self) {
        for (number, name) in self.names.iter().enumerate() {
            let mut at = place_of(name, self.places.len());
            // INVARIANT: half of the places are free.
            while self.places.get(at).is_some_and(|taken| *taken != 0) {
                at = (at + 1) % self.places.len();
            }
            let number = u16::try_from(number + 1).unwrap_or_default();
            if let Some(place) = self.places.get_mut(at) {
                *place = number;
            }
        }
    }

    /// Whether the hierarchy has this scope.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.number_of(name).is_some()
    }

    /// Whether the scope `wider` implies the scope `narrower`.
    pub(crate) fn implies(&self, wider: &str, narrower: &str) -> bool {
        let numbers = self.number_of(wider).zip(self.number_of(narrower));
        numbers.is_some_and(|(from, to)| has_bit(row_of(&self.rows, self.width, from), to))
    }

    fn number_of(&self, name: &str) -> Option<usize> {
        let mut at = place_of(name, self.places.len());
        loop {
            let number = usize::from(*self.places.get(at)?).checked_sub(1)?;
            if self.names.get(number).is_some_and(|known| **known == *name) {
                return Some(number);
            }
            at = (at + 1) % self.places.len();
        }
    }
}

/// The numbers in an order in which each comes after all that it implies.
///
/// # Errors
///
/// A cycle: its numbers, the first one again at the end.
fn narrow_first(implied: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Visit {
        Not,
        Begun,
        Done,
    }
    let mut visits = vec![Visit::Not; implied.len()];
    let mut order = Vec::with_capacity(implied.len());
    for start in 0..implied.len() {
        if visits.get(start) != Some(&Visit::Not) {
            continue;
        }
        // Without recursion: a chain may have 2,048 steps. Each entry has the number of its next step.
        let mut path = vec![(start, 0)];
        while let Some((number, step)) = path.last_mut() {
            if let Some(visit) = visits.get_mut(*number) {
                *visit = Visit::Begun;
            }
            let next = implied.get(*number).and_then(|list| list.get(*step));
            *step += 1;
            match next.map(|next| (*next, visits.get(*next).copied())) {
                Some((next, Some(Visit::Not))) => path.push((next, 0)),
                Some((next, Some(Visit::Begun))) => {
                    let on_path = path.iter().map(|(number, _)| *number);
                    let cycle = on_path.skip_while(|number| *number != next);
                    return Err(cycle.chain([next]).collect());
                }
                Some(_) => {}
                None => {
                    if let Some(visit) = visits.get_mut(*number) {
                        *visit = Visit::Done;
                    }
                    order.push(*number);
                    path.pop();
                }
            }
        }
    }
    Ok(order)
}

fn row_of(rows: &[u64], width: usize, number: usize) -> &[u64] {
    rows.get(number * width..(number + 1) * width)
        .unwrap_or_default()
}

fn union(row: &mut [u64], other: &[u64]) {
    for (word, more) in row.iter_mut().zip(other) {
        *word |= more;
    }
}

fn has_bit(row: &[u64], number: usize) -> bool {
    row.get(number / 64)
        .is_some_and(|word| word & (1 << (number % 64)) != 0)
}

/// FNV-1a. The names in the table come from the configuration alone, so no sender chooses collisions.
fn place_of(name: &str, places: usize) -> usize {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    #[allow(clippy::cast_possible_truncation)] // The high bits are folded in.
    let folded = (hash ^ (hash >> 32)) as usize;
    folded & (places - 1)
}

/// What the scope of a token implies.
#[derive(Debug)]
pub(crate) struct ImpliedScopes {
    closure: Arc<ScopeClosure>,
    bits: Box<[u64]>,
}

impl ImpliedScopes {
    /// `None` where the scope implies nothing.
    pub(crate) fn of(closure: &Arc<ScopeClosure>, scope: &Scope) -> Option<Self> {
        let mut bits = vec![0_u64; closure.width];
        for token in scope {
            if let Some(number) = closure.number_of(token.as_str()) {
                union(&mut bits, row_of(&closure.rows, closure.width, number));
            }
        }
        bits.iter().any(|word| *word != 0).then(|| Self {
            closure: Arc::clone(closure),
            bits: bits.into(),
        })
    }

    pub(crate) fn contains(&self, token: &str) -> bool {
        let number = self.closure.number_of(token);
        number.is_some_and(|number| has_bit(&self.bits, number))
    }

    /// Its memory in bytes, without the closure that tokens share.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn implied(rules: &[(&str, &str)], scope: &str) -> ImpliedOrNone {
        let hierarchy = rules
            .iter()
            .fold(ScopeHierarchy::new(), |all, (wider, narrower)| {
                all.implies(*wider, *narrower)
            });
        let closure = ScopeClosure::of(&hierarchy)
            .expect("no cycle")
            .map(Arc::new);
        let scope: Scope = scope.parse().expect("a scope");
        ImpliedOrNone(closure.and_then(|closure| ImpliedScopes::of(&closure, &scope)))
    }

    struct ImpliedOrNone(Option<ImpliedScopes>);

    impl ImpliedOrNone {
        fn contains(&self, token: &str) -> bool {
            self.0
                .as_ref()
                .is_some_and(|implied| implied.contains(token))
        }
    }

    #[test]
    fn scope_implies_what_is_below_it_and_nothing_beside_or_above() {
        let rules = [("admin", "write delete"), ("write", "read"), ("other", "x")];
        let admin = implied(&rules, "admin");
        for (token, expected) in [
            ("write", true),
            ("delete", true),
            ("read", true),
            ("admin", false),
            ("x", false),
            ("unknown", false),
            ("", false),
            ("READ", false),
        ] {
            assert_eq!(admin.contains(token), expected, "{token}");
        }
        let write = implied(&rules, "write unknown");
        assert!(write.contains("read"));
        assert!(!write.contains("delete") && !write.contains("admin"));
        assert!(implied(&rules, "read").0.is_none());
        assert!(implied(&[], "read").0.is_none());
        let hierarchy = ScopeHierarchy::new()
            .implies("admin", "write")
            .implies("write", "read");
        let closure = ScopeClosure::of(&hierarchy).expect("no cycle");
        let closure = closure.expect("rules");
        assert!(closure.implies("admin", "read") && !closure.implies("read", "admin"));
        assert!(!closure.implies("admin", "admin") && !closure.implies("admin", "x"));
        assert!(closure.has("read") && !closure.has("x"));
        let both = implied(&rules, "other write");
        assert!(both.contains("x") && both.contains("read"));
    }

    #[test]
    fn hierarchy_with_a_cycle_or_a_malformed_name_is_refused_and_named() {
        for (rules, problem) in [
            (&[("a", "a")][..], "a -> a"),
            (&[("a", "b"), ("b", "a")], "a -> b -> a"),
            (
                &[("x", "a"), ("a", "b c"), ("c", "d"), ("d", "a")],
                "a -> c -> d -> a",
            ),
            (&[("a b", "c")], "`a b`"),
            (&[("a", "")], "``"),
            (&[("a", "b  c")], "``"),
            (&[("", "b")], "``"),
            (&[("a", "b\"")], "is not a scope token"),
        ] {
            let hierarchy = rules
                .iter()
                .fold(ScopeHierarchy::new(), |all, (wider, narrower)| {
                    all.implies(*wider, *narrower)
                });
            let error = ScopeClosure::of(&hierarchy).expect_err(problem);
            assert!(error.contains(problem), "{error}");
        }
        // A diamond has no cycle.
        let diamond = [("a", "b c"), ("b", "d"), ("c", "d")];
        assert!(implied(&diamond, "a").contains("d"));
    }

    #[test]
    fn hierarchy_is_bounded_and_a_long_chain_is_followed_to_its_end() {
        let chain = |steps: usize| {
            (0..steps).fold(ScopeHierarchy::new(), |all, step| {
                all.implies(format!("s{step}"), format!("s{}", step + 1))
            })
        };
        let longest = ScopeClosure::of(&chain(MOST_SCOPES - 1)).expect("at the bound");
        let longest = Arc::new(longest.expect("rules"));
        let scope: Scope = "s0".parse().expect("a scope");
        let implied = ImpliedScopes::of(&longest, &scope).expect("it implies all");
        assert!(implied.contains("s2047") && !implied.contains("s0"));
        let error = ScopeClosure::of(&chain(MOST_SCOPES)).expect_err("beyond the bound");
        assert_eq!(error, "it has more than 2048 scopes");
    }

    proptest! {
        // A step leads to a greater number, so there is no cycle.
        #[test]
        fn closure_is_that_of_a_slow_search(
            steps in prop::collection::vec((0_u8..80, 0_u8..80), 1..120),
            held in prop::collection::vec(0_u8..80, 1..5),
        ) {
            let steps: Vec<(u8, u8)> = steps
                .into_iter()
                .filter(|(from, to)| from != to)
                .map(|(from, to)| (from.min(to), from.max(to)))
                .collect();
            let name = |number: u8| format!("scope:{number}");
            let hierarchy = steps.iter().fold(ScopeHierarchy::new(), |all, (from, to)| {
                all.implies(name(*from), name(*to))
            });
            let scope = held.iter().map(|one| name(*one)).collect::<Vec<_>>().join(" ");
            let scope: Scope = scope.parse().expect("a scope");
            let closure = ScopeClosure::of(&hierarchy).expect("no cycle").map(Arc::new);
            let implied = closure.and_then(|closure| ImpliedScopes::of(&closure, &scope));
            let mut reached: Vec<u8> = held.clone();
            let mut at = 0;
            let mut below = Vec::new();
            while let Some(from) = reached.get(at).copied() {
                for (_, to) in steps.iter().filter(|(start, _)| *start == from) {
                    below.push(*to);
                    if !reached.contains(to) {
                        reached.push(*to);
                    }
                }
                at += 1;
            }
            for number in 0..80 {
                let found = implied.as_ref().is_some_and(|implied| implied.contains(&name(number)));
                prop_assert_eq!(found, below.contains(&number), "{}", number);
            }
        }
    }
}
