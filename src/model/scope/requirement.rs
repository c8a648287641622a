//! What a route demands of a token's scope.
//!
//! 1. A requirement is one or more alternatives; each is a non-empty scope, met when the token has
//!    every token of it.
//! 2. A requirement may name roles too; any one of them meets it.
//! 3. A requirement that is empty or malformed does not compile.

use crate::model::scope::value::is_scope;

/// What a route demands of a token's scope. Declared with [`scopes!`](crate::scopes).
///
/// An implementation written by hand is checked like one made by the macro, where a guard
/// first uses it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a scope requirement",
    label = "not declared with `scopes!`",
    note = "declare it: `scopes! {{ pub {Self} = \"resource/read\"; }}`"
)]
pub trait ScopeRequirement: Send + Sync + 'static {
    /// Scopes of which any one suffices; a scope suffices when all of its tokens are held.
    const ALTERNATIVES: &'static [&'static str];

    /// Roles of which any one suffices too, compared byte for byte with the token's
    /// [`roles`](crate::AccessToken::roles). None unless named.
    const ROLES: &'static [&'static str] = &[];
}

/// The tokens of all alternatives.
pub(crate) fn tokens_of<R: ScopeRequirement>() -> impl Iterator<Item = &'static str> {
    const { assert_requirement(R::ALTERNATIVES, R::ROLES) };
    R::ALTERNATIVES.iter().flat_map(|scope| scope.split(' '))
}

/// Appends the tokens of a scope that `tokens` does not contain.
pub(crate) fn add_tokens<'s>(tokens: &mut Vec<&'s str>, scope: &'s str) {
    for token in scope.split(' ') {
        if !token.is_empty() && !tokens.contains(&token) {
            tokens.push(token);
        }
    }
}

/// The scope that a challenge names: the first alternative.
pub(crate) fn challenge_of<R: ScopeRequirement>() -> &'static str {
    const { assert_requirement(R::ALTERNATIVES, R::ROLES) };
    R::ALTERNATIVES.first().copied().unwrap_or_default()
}

/// Stops the compiler on a requirement that is empty or malformed.
///
/// # Panics
///
/// While compiling, when there is no scope, a malformed one or an empty role.
pub const fn assert_requirement(mut alternatives: &[&str], mut roles: &[&str]) {
    assert!(
        !alternatives.is_empty(),
        "a scope requirement needs at least one scope"
    );
    while let [first, rest @ ..] = alternatives {
        assert!(
            is_scope(first),
            "a scope is one or more tokens of visible ascii without `\"` and `\\`, with single spaces between"
        );
        alternatives = rest;
    }
    while let [first, rest @ ..] = roles {
        assert!(!first.is_empty(), "a role has a name");
        roles = rest;
    }
}
