//! The macro `scopes!`, and its check of each literal when the program is compiled.
//!
//! A macro cannot read a literal. A const generic argument can: it selects a type, and a trait bound
//! on that type and the literal's type fails where the literal is malformed. The compiler reports
//! such a failure at the argument, which is the literal.

use crate::model::scope::value::is_scope;

/// A literal is a scope.
const SOUND: u8 = 0;
/// A literal is no scope.
const MALFORMED: u8 = 1;
/// A token of the literal ends with a comma.
const COMMA: u8 = 2;

/// What is wrong with a scope literal.
#[must_use]
pub const fn scope_fault(text: &str) -> u8 {
    if !is_scope(text) {
        MALFORMED
    } else if has_comma_at_an_end(text) {
        COMMA
    } else {
        SOUND
    }
}

const fn has_comma_at_an_end(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        if *byte == b',' && matches!(tail, [] | [b' ', ..]) {
            return true;
        }
        rest = tail;
    }
    false
}

/// A scope literal with this fault.
#[derive(Debug)]
pub struct Scope<const FAULT: u8>;

/// A role literal, empty or not.
#[derive(Debug)]
pub struct Role<const IS_EMPTY: bool>;

/// A scope literal that follows the grammar.
#[diagnostic::on_unimplemented(
    message = "this is not a scope: write one or more tokens of visible ascii without `\"` and `\\`, with single spaces between",
    label = "not a scope",
    note = "a token that needs all of several scopes: `\"app/read app/write\"`; any one of them: `\"app/read\" | \"app/write\"`"
)]
pub trait FollowsGrammar<Literal> {}

/// A scope literal whose tokens are not separated by commas.
#[diagnostic::on_unimplemented(
    message = "a scope ends with a comma: scopes are separated by spaces, not by commas",
    label = "has a comma behind a scope",
    note = "a token that needs all of several scopes: `\"app/read app/write\"`; any one of them: `\"app/read\" | \"app/write\"`"
)]
pub trait SeparatesBySpaces<Literal> {}

/// A role literal with a text.
#[diagnostic::on_unimplemented(
    message = "a role has a name: this one is empty",
    label = "empty role"
)]
pub trait HasName<Literal> {}

impl FollowsGrammar<Scope<SOUND>> for &'static str {}
impl FollowsGrammar<Scope<COMMA>> for &'static str {}
impl SeparatesBySpaces<Scope<SOUND>> for &'static str {}
impl SeparatesBySpaces<Scope<MALFORMED>> for &'static str {}
impl HasName<Role<false>> for &'static str {}

impl<const FAULT: u8> Scope<FAULT> {
    /// Compiles where the literal is a scope. A method without explicit generic arguments: only then
    /// does the compiler report an unmet bound at the argument.
    pub const fn check<Text>(self, _: Text)
    where
        Text: FollowsGrammar<Self> + SeparatesBySpaces<Self> + Copy,
    {
    }
}

impl<const IS_EMPTY: bool> Role<IS_EMPTY> {
    /// Compiles where the literal is a role's name.
    pub const fn check<Text: HasName<Self> + Copy>(self, _: Text) {}
}

/// Declares [`ScopeRequirement`](crate::extract::ScopeRequirement)s, checked when the program is compiled.
///
/// A literal with several tokens demands all of them; literals joined by `|` demand any one.
///
/// ```
/// portcullis::scopes! {
///     /// Read missions.
///     pub ReadMissions = "app/read";
///     pub EditMissions = "app/read app/write";
///     Audit = "dashboard/read" | "audit";
///     /// For issuers that write the permissions of applications as roles, such as Entra ID, which
///     /// has those of people in `scp` and those of daemons in `roles`.
///     pub ReadOrders = "orders.read" | role "Orders.Read.All";
/// }
/// ```
///
/// A literal behind `role` is a role of the issuer's roles claim, which meets the requirement too;
/// roles come last. The 403 names the first scope.
///
/// An empty or malformed scope does not compile, and the error marks the literal:
///
/// ```compile_fail
/// portcullis::scopes! { pub Nothing = ""; }
/// ```
///
/// ```compile_fail
/// portcullis::scopes! { pub TwoSpaces = "app/read  app/write"; }
/// ```
///
/// ```compile_fail
/// portcullis::scopes! { pub Quoted = "app/\"read"; }
/// ```
///
/// Scopes are separated by spaces; a comma at a token's end is an error. A scope that really ends with
/// a comma needs an implementation of [`ScopeRequirement`](crate::extract::ScopeRequirement) by hand.
///
/// ```compile_fail
/// portcullis::scopes! { pub Comma = "app/read, app/write"; }
/// ```
///
/// ```compile_fail
/// portcullis::scopes! { pub NoRole = "app/read" | role ""; }
/// ```
#[macro_export]
macro_rules! scopes {
    ($($(#[$meta:meta])* $vis:vis $name:ident = $first:literal $(| $rest:literal)* $(| role $role:literal)*);+ $(;)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        $vis struct $name;

        impl $crate::extract::ScopeRequirement for $name {
            const ALTERNATIVES: &'static [&'static str] = &[$first $(, $rest)*];
            const ROLES: &'static [&'static str] = &[$($role),*];
        }

        // One call a literal: the compiler marks the argument whose bound is not met.
        const _: fn() = || {
            $crate::__private::Scope::<{ $crate::__private::scope_fault($first) }>.check($first);
            $($crate::__private::Scope::<{ $crate::__private::scope_fault($rest) }>.check($rest);)*
            $($crate::__private::Role::<{ $role.is_empty() }>.check($role);)*
        };
    )+};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_at_a_tokens_end_is_told_from_a_malformed_scope() {
        for (text, fault) in [
            ("a", SOUND),
            ("a b", SOUND),
            ("a,b c", SOUND),
            (",a", SOUND),
            ("a, b", COMMA),
            ("a b,", COMMA),
            (",", COMMA),
            ("", MALFORMED),
            ("a,  b", MALFORMED),
            ("a\"b", MALFORMED),
        ] {
            assert_eq!(scope_fault(text), fault, "{text:?}");
        }
    }
}
