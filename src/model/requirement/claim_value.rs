//! The value that a setting requires of a claim.

/// A value that [`Issuer::require_claim`](crate::Issuer::require_claim) requires: a text, or a
/// boolean. Each equals only a value of its own JSON type: `true` is not the text `"true"`.
///
/// ```
/// use portcullis::config::ClaimValue;
/// use portcullis::Issuer;
///
/// let push = Issuer::oidc("https://accounts.google.com")
///     .require_claim("email", "push@project.example")
///     .require_claim("email_verified", true);
/// assert_eq!(ClaimValue::from(true).to_string(), "true");
/// # let _ = push;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimValue(Value);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Text(Box<str>),
    Bool(bool),
}

impl ClaimValue {
    /// The text, where one is required.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.0 {
            Value::Text(text) => Some(text),
            Value::Bool(_) => None,
        }
    }

    /// The boolean, where one is required.
    pub(crate) const fn boolean(&self) -> Option<bool> {
        match self.0 {
            Value::Text(_) => None,
            Value::Bool(value) => Some(value),
        }
    }
}

impl std::fmt::Display for ClaimValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Value::Text(text) => f.write_str(text),
            Value::Bool(value) => value.fmt(f),
        }
    }
}

impl From<bool> for ClaimValue {
    fn from(value: bool) -> Self {
        Self(Value::Bool(value))
    }
}

macro_rules! from_text {
    ($($text:ty),+) => {$(
        impl From<$text> for ClaimValue {
            fn from(text: $text) -> Self {
                Self(Value::Text(text.into()))
            }
        }
    )+};
}

from_text!(&str, String, Box<str>, std::borrow::Cow<'_, str>);

impl From<&String> for ClaimValue {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}
