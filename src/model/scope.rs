//! Scopes: what a token allows, and what a route demands.
//!
//! 1. A scope is a set of case-sensitive tokens, written with single spaces (RFC 6749 section 3.3).
//! 2. A token is one or more of `%x21 / %x23-5B / %x5D-7E`; only the space separates.
//! 3. A requirement is one or more alternatives; each is a non-empty scope, met when the token has all of it.
//! 4. A requirement may name roles beside; any one of them meets it too.
//! 5. A requirement that is empty or malformed does not compile.

use std::fmt;
use std::sync::Arc;

use crate::model::shared_str::SharedStr;

/// One scope token, such as `orders:read`
/// ([RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeToken<'a>(&'a str);

impl<'a> ScopeToken<'a> {
    /// Reads one token.
    ///
    /// # Errors
    ///
    /// [`InvalidScope`] when `text` is empty or has a character outside the grammar.
    pub fn new(text: &'a str) -> Result<Self, InvalidScope> {
        if is_token(text.as_bytes()) {
            Ok(Self(text))
        } else {
            Err(InvalidScope(()))
        }
    }

    /// The token's text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl fmt::Display for ScopeToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A text that is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a scope: write one or more tokens of visible ascii without `\"` and `\\`, with single spaces between"
)]
pub struct InvalidScope(());

/// The scope of a token: a set of [`ScopeToken`]s.
///
/// ```
/// use portcullis::Scope;
///
/// let scope: Scope = "orders:read orders:write".parse()?;
/// assert!(scope.contains("orders:read"));
/// assert!(!scope.contains("orders"), "no prefix, no wildcard");
/// assert!(!scope.contains("ORDERS:READ"), "case-sensitive");
/// # Ok::<(), portcullis::error::InvalidScope>(())
/// ```
#[derive(Clone, Default)]
pub struct Scope(SharedStr);

impl Scope {
    /// Reads what an issuer wrote. Parts outside the grammar stay in the text, and equal nothing.
    pub(crate) const fn from_claim(text: SharedStr) -> Self {
        Self(text)
    }

    /// The memory that it takes beside this arena and beside itself.
    pub(crate) fn bytes_beside(&self, arena: &Arc<str>) -> usize {
        self.0.bytes_beside(arena)
    }

    /// Whether the set has exactly this token.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        self.iter().any(|held| held.as_str() == token)
    }

    /// The tokens, in the order in which the issuer wrote them. Text outside the grammar is left out.
    pub fn iter(&self) -> impl Iterator<Item = ScopeToken<'_>> {
        // RFC 6749 s3.3: only SP separates; a tab or a no-break space does not.
        self.0
            .as_str()
            .split(' ')
            .filter_map(|part| ScopeToken::new(part).ok())
    }

    /// Whether the set has no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl std::str::FromStr for Scope {
    type Err = InvalidScope;

    /// Strict: one or more tokens with single spaces between.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        if is_scope(text) {
            Ok(Self(SharedStr::new(text)))
        } else {
            Err(InvalidScope(()))
        }
    }
}

impl fmt::Debug for Scope {
    /// The number of tokens; what they are is a claim of somebody's token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({} tokens)", self.iter().count())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token.as_str())?;
        }
        Ok(())
    }
}

/// Two scopes are equal when they hold the same tokens, in whatever order.
impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.iter().all(|token| other.contains(token.as_str()))
            && other.iter().all(|token| self.contains(token.as_str()))
    }
}

impl Eq for Scope {}

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

/// How a token meets a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopeMatch {
    /// By this scope.
    Scope(&'static &'static str),
    Role,
}

/// How a token with this scope and these roles meets `R`. Fails to compile for a requirement that
/// is empty or malformed.
pub(crate) fn meets<'t, R: ScopeRequirement>(
    scope: &Scope,
    mut roles: impl Iterator<Item = &'t str>,
) -> Option<ScopeMatch> {
    const { assert_requirement(R::ALTERNATIVES, R::ROLES) };
    let is_held = |all_of: &&&str| all_of.split(' ').all(|token| scope.contains(token));
    if let Some(scope) = R::ALTERNATIVES.iter().find(is_held) {
        return Some(ScopeMatch::Scope(scope));
    }
    let has_role = !R::ROLES.is_empty() && roles.any(|role| R::ROLES.contains(&role));
    has_role.then_some(ScopeMatch::Role)
}

/// The tokens of all alternatives.
pub(crate) fn tokens_of<R: ScopeRequirement>() -> impl Iterator<Item = &'static str> {
    const { assert_requirement(R::ALTERNATIVES, R::ROLES) };
    R::ALTERNATIVES.iter().flat_map(|scope| scope.split(' '))
}

/// Adds the tokens of a scope that are not there yet.
pub(crate) fn add_tokens<'s>(tokens: &mut Vec<&'s str>, scope: &'s str) {
    for token in scope.split(' ') {
        if !token.is_empty() && !tokens.contains(&token) {
            tokens.push(token);
        }
    }
}

/// The scope that a challenge names: of several alternatives the first.
pub(crate) fn challenge_of<R: ScopeRequirement>() -> &'static str {
    const { assert_requirement(R::ALTERNATIVES, R::ROLES) };
    R::ALTERNATIVES.first().copied().unwrap_or_default()
}

/// Declares [`ScopeRequirement`]s, checked when the program is compiled.
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
/// An empty or malformed scope does not compile:
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

        const _: () =
            $crate::__private::assert_requirement(&[$first $(, $rest)*], &[$($role),*]);
    )+};
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

const fn is_scope(text: &str) -> bool {
    let mut rest = text.as_bytes();
    let mut token_open = false;
    while let [byte, tail @ ..] = rest {
        if is_scope_byte(*byte) {
            token_open = true;
        } else if *byte == b' ' && token_open {
            token_open = false;
        } else {
            return false;
        }
        rest = tail;
    }
    token_open
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_scope_byte)
}

// RFC 6749 s3.3: NQCHAR = %x21 / %x23-5B / %x5D-7E
const fn is_scope_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_spaces_separate_tokens() {
        for separator in ["\t", "\n", "\u{a0}", "\u{2003}", ","] {
            let scope = Scope::from_claim(SharedStr::new(&format!("a{separator}b")));
            assert!(
                !scope.contains("a") && !scope.contains("b"),
                "{separator:?}"
            );
        }
        let scope = Scope::from_claim(SharedStr::new(" a  b "));
        assert!(scope.contains("a") && scope.contains("b") && !scope.contains(""));
    }

    #[test]
    fn a_strict_scope_has_single_spaces_and_no_blank_ends() {
        for good in ["a", "a b", "https://x.example/a!b"] {
            assert!(good.parse::<Scope>().is_ok(), "{good:?}");
        }
        for bad in ["", " ", " a", "a ", "a  b", "a\"b", "a\\b", "a\tb", "ä"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn scopes_are_read_as_the_grammar_says(text in "[a-c\u{e9}:/!\"\\\\\t ]{0,8}") {
            // RFC 6749 s3.3, as a slow reader sees it.
            let sound = |part: &str| {
                !part.is_empty()
                    && part.chars().all(|one| one.is_ascii_graphic() && one != '"' && one != '\\')
            };
            prop_assert_eq!(text.parse::<Scope>().is_ok(), text.split(' ').all(sound));
            let lenient = Scope::from_claim(SharedStr::new(&text));
            let expected: Vec<&str> = text.split(' ').filter(|part| sound(part)).collect();
            let found: Vec<&str> = lenient.iter().map(ScopeToken::as_str).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
