//! The scope that a 403 names (RFC 6750 section 3.1).
//!
//! Some clients ask for exactly the scope of the last challenge, in the place of what they had. With
//! two guards that each name their own demand such a client asks its user for consent for ever.
//!
//! 1. First what the guard demands, then what the guards before it demanded, then what the token
//!    has of the scopes that the server knows. No token twice.
//! 2. Every name comes from the configuration or from a guard; a token only chooses among them.

use crate::model::scope::add_tokens;

/// The most bytes that scopes of the token add to a challenge, so that a header stays a header.
const MOST_KEPT_BYTES: usize = 1024;

/// What the guards that a request has passed demanded; of more than these the first. Thin
/// references, since every admitted request carries this.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DemandedScopes([Option<&'static &'static str>; 2]);

impl DemandedScopes {
    pub(in crate::middleware) fn add(&mut self, scope: &'static &'static str) {
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(scope);
        }
    }
}

/// A scope of all that a client needs here, and of what it has already.
pub(in crate::middleware) fn challenge_scope<'s>(
    required: &'s str,
    demanded: DemandedScopes,
    kept: impl Iterator<Item = &'s str>,
) -> String {
    let mut tokens = Vec::new();
    add_tokens(&mut tokens, required);
    for scope in demanded.0.into_iter().flatten() {
        add_tokens(&mut tokens, scope);
    }
    let mut bytes_left = MOST_KEPT_BYTES;
    for token in kept {
        match bytes_left.checked_sub(token.len() + 1) {
            Some(rest) => bytes_left = rest,
            None => break,
        }
        add_tokens(&mut tokens, token);
    }
    tokens.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_of_a_challenge_has_no_token_twice_and_a_bounded_length() {
        let mut demanded = DemandedScopes::default();
        for scope in &["b a", "c", "beyond"] {
            demanded.add(scope);
        }
        let kept = ["k", "a", "c", "k"];
        let scope = challenge_scope("a d", demanded, kept.into_iter());
        assert_eq!(scope, "a d b c k");
        let long = "x".repeat(400);
        let others: Vec<String> = (0..9).map(|number| format!("{number}{long}")).collect();
        let kept = others.iter().map(String::as_str);
        let scope = challenge_scope("a", DemandedScopes::default(), kept);
        assert!(scope.len() <= MOST_KEPT_BYTES + 1, "{}", scope.len());
        assert_eq!(scope.split(' ').count(), 3);
    }
}
