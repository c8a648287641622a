//! The scope of a token.
//!
//! 1. A scope is a set of case-sensitive tokens, separated by single spaces (RFC 6749 section 3.3).
//! 2. A token is one or more of `%x21 / %x23-5B / %x5D-7E`; only the space separates.

use std::borrow::Cow;
use std::fmt;
use std::str::{FromStr, Split};
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

use crate::model::shared_str::{Arena, SharedStr};
use crate::model::text_conversions::converts_to_text;

/// One scope token, such as `orders:read`
/// ([RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
///
/// It borrows its text. Serde writes the text and reads a borrowed string by the rules of
/// [`new`](Self::new).
#[doc(alias("permission", "scp"))]
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

impl<'a> TryFrom<&'a str> for ScopeToken<'a> {
    type Error = InvalidScope;

    fn try_from(text: &'a str) -> Result<Self, InvalidScope> {
        Self::new(text)
    }
}

converts_to_text!(ScopeToken<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for ScopeToken<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(<&str>::deserialize(deserializer)?).map_err(D::Error::custom)
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
/// It is made from text by `FromStr`, `TryFrom` and `Deserialize`: one or more tokens with single
/// spaces between. `Deserialize` reads an empty string as the empty scope, as `Serialize` writes it.
///
/// `Clone` is cheap: the scope of a token shares the texts that are kept of the token. For a scope that
/// outlives the request take [`detach`](Self::detach).
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
#[doc(alias("scp", "permissions"))]
pub struct Scope(Option<SharedStr>);

impl Scope {
    /// The scope as an issuer wrote it. Parts outside the grammar are ignored.
    pub(crate) const fn from_claim(text: SharedStr) -> Self {
        Self(Some(text))
    }

    /// A copy with memory of its own, which does not keep the other texts of a token in memory.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self(self.0.as_ref().map(SharedStr::detach))
    }

    /// The heap memory that it keeps alive in addition to `arena`, in bytes.
    pub(crate) fn bytes_beside(&self, arena: &Arc<Arena>) -> usize {
        self.0.as_ref().map_or(0, |text| text.bytes_beside(arena))
    }

    /// The text, to be moved into another buffer.
    pub(crate) const fn text_mut(&mut self) -> Option<&mut SharedStr> {
        self.0.as_mut()
    }

    /// Whether the set has exactly this token.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        // A text that is no token is not held, whatever the claim's text has.
        is_token(token.as_bytes()) && self.parts().any(|held| held == token)
    }

    /// The tokens, in the order in which the issuer wrote them. Text outside the grammar is left out.
    pub fn iter(&self) -> ScopeTokens<'_> {
        // RFC 6749 s3.3: only SP separates; a tab or a no-break space does not.
        ScopeTokens(self.parts())
    }

    /// The parts between spaces, of whatever characters.
    fn parts(&self) -> Split<'_, char> {
        self.0.as_ref().map_or("", SharedStr::as_str).split(' ')
    }

    /// The tokens in order, each once.
    fn sorted(&self) -> Vec<ScopeToken<'_>> {
        let mut tokens: Vec<ScopeToken<'_>> = self.iter().collect();
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }

    /// Whether the set has no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// The tokens of a [`Scope`]; see [`Scope::iter`].
#[derive(Clone)]
#[must_use]
pub struct ScopeTokens<'a>(Split<'a, char>);

impl fmt::Debug for ScopeTokens<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeTokens").finish_non_exhaustive()
    }
}

impl<'a> Iterator for ScopeTokens<'a> {
    type Item = ScopeToken<'a>;

    fn next(&mut self) -> Option<ScopeToken<'a>> {
        self.0.find_map(|part| ScopeToken::new(part).ok())
    }
}

impl<'a> IntoIterator for &'a Scope {
    type Item = ScopeToken<'a>;
    type IntoIter = ScopeTokens<'a>;

    fn into_iter(self) -> ScopeTokens<'a> {
        self.iter()
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    /// Strict: one or more tokens with single spaces between.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        if is_scope(text) {
            Ok(Self(Some(SharedStr::new(text))))
        } else {
            Err(InvalidScope(()))
        }
    }
}

impl TryFrom<&str> for Scope {
    type Error = InvalidScope;

    fn try_from(text: &str) -> Result<Self, InvalidScope> {
        text.parse()
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, InvalidScope> {
        text.parse()
    }
}

/// Serializes as its tokens with single spaces between.
impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.parse().map_err(D::Error::custom)
    }
}

impl fmt::Debug for Scope {
    /// The number of tokens, not the tokens: they are a claim, and `Debug` output reaches logs.
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

/// Two scopes are equal when they have the same tokens, in any order.
impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.sorted() == other.sorted()
    }
}

impl Eq for Scope {}

/// Whether a text is one or more tokens with single spaces between.
pub(crate) const fn is_scope(text: &str) -> bool {
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
mod tests;
