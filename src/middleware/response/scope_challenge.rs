//! The scope that challenges of guards name (RFC 6750 section 3.1).
//!
//! Some clients ask for exactly the scope of the last challenge, in the place of what they had. With
//! two guards that each name their own demand such a client asks its user for consent for ever.
//!
//! 1. First what the guard demands, then what the guards before it demanded, then in a 401 what a session
//!    needs, then what the token has of the scopes that the server knows. No token twice.
//! 2. For a demand that the token meets by a wider scope, that scope stands in its place.
//! 3. Every name comes from the configuration or from a guard; a token only chooses among them.

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

    pub(in crate::middleware) fn tokens(self) -> impl Iterator<Item = &'static str> {
        let scopes = self.0.into_iter().flatten();
        scopes.flat_map(|scope| scope.split(' '))
    }
}

/// Adds what the token has already.
pub(in crate::middleware) fn add_kept_tokens<'s>(
    tokens: &mut Vec<&'s str>,
    kept: impl Iterator<Item = &'s str>,
) {
    let mut bytes_left = MOST_KEPT_BYTES;
    for token in kept {
        match bytes_left.checked_sub(token.len() + 1) {
            Some(rest) => bytes_left = rest,
            None => break,
        }
        add_tokens(tokens, token);
    }
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
        let mut tokens = Vec::new();
        add_tokens(&mut tokens, "a d");
        demanded
            .tokens()
            .for_each(|token| add_tokens(&mut tokens, token));
        add_kept_tokens(&mut tokens, ["k", "a", "c", "k"].into_iter());
        assert_eq!(tokens.join(" "), "a d b c k");
        let long = "x".repeat(400);
        let others: Vec<String> = (0..9).map(|number| format!("{number}{long}")).collect();
        let mut tokens = vec!["a"];
        add_kept_tokens(&mut tokens, others.iter().map(String::as_str));
        assert_eq!(tokens.len(), 3);
        assert!(tokens.join(" ").len() <= MOST_KEPT_BYTES + 1);
    }
}
