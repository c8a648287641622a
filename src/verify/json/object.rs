//! Strict JSON objects, parsed in one pass without copies.
//!
//! 1. The text is UTF-8 and exactly one object (RFC 7519 section 7.2, RFC 8259); no byte-order
//!    mark, nothing behind it.
//! 2. No object at any depth names a member twice, escapes resolved (RFC 7515 section 4,
//!    RFC 7519 section 4).
//! 3. Every string is complete and sound: known escapes, paired surrogates, no raw control
//!    characters. Every number has the grammar of RFC 8259 section 6.
//! 4. At most 64 levels deep; in a header at most 64 names of members, in a payload 640 or one for every 20 bytes,
//!    128 of them with escapes. Work is linear in the text, except for the search for duplicate names among many that were
//!    made to collide, which sorts.

use std::borrow::Cow;

use crate::verify::json::distinct::Named as _;
pub(crate) use crate::verify::json::json_fault::JsonFault;
pub(crate) use crate::verify::json::members::Members;
use crate::verify::json::members::{Member, Scanned, ValueKind};
use crate::verify::json::name_bounds::NameBounds;
#[cfg(feature = "mcp")]
use crate::verify::json::scanner::scan_with_inner;
use crate::verify::json::scanner::{Scanner, scan};
use crate::verify::json::unescape::{Unescaped, unescape};

/// The members of an object, in order.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    text: &'a str,
    members: Storage<'a>,
}

/// Owned members, or members in a reusable buffer of the caller.
#[derive(Debug)]
enum Storage<'a> {
    Own(Box<Members>),
    Lent(&'a Members),
}

/// A well-formed value. Containers are kept as text and parsed on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    String(Quoted<'a>),
    Array(&'a str),
    Object(&'a str),
}

/// A string between its quotes, escapes unresolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoted<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Object<'a> {
    /// Reads one object from `bytes`.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, JsonFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| JsonFault::Malformed)?;
        Self::parse_str(text)
    }

    /// Reads one object from `text`.
    pub(crate) fn parse_str(text: &'a str) -> Result<Self, JsonFault> {
        let mut members = Members::default();
        scan(text, &mut members, NameBounds::NONE)?;
        Ok(Self {
            text,
            members: Storage::Own(Box::new(members)),
        })
    }

    /// Reads one object and the object that is its member `inner`, in one pass. The second is empty
    /// where the member is absent or no object.
    #[cfg(feature = "mcp")]
    pub(in crate::verify) fn parse_with_inner(
        text: &'a str,
        inner: &str,
    ) -> Result<(Self, Self), JsonFault> {
        let (mut outer, mut within) = (Members::default(), Members::default());
        scan_with_inner(text, &mut outer, inner, &mut within)?;
        let of = |members| Self {
            text,
            members: Storage::Own(Box::new(members)),
        };
        Ok((of(outer), of(within)))
    }

    /// Reads one object of a token from `text` into a reusable buffer.
    pub(in crate::verify) fn parse_token_part(
        text: &'a str,
        members: &'a mut Members,
        bounds: NameBounds,
    ) -> Result<Self, JsonFault> {
        scan(text, members, bounds)?;
        Ok(Self::indexed(text, members))
    }

    /// The same object in another copy of its text.
    pub(in crate::verify) fn within<'b>(&'b self, copy: &'b str) -> Object<'b> {
        debug_assert_eq!(self.text, copy);
        Object {
            text: copy,
            members: Storage::Lent(self.members.get()),
        }
    }

    /// The object whose members were listed in this text before.
    pub(in crate::verify) const fn indexed(text: &'a str, members: &'a Members) -> Self {
        Self {
            text,
            members: Storage::Lent(members),
        }
    }

    /// The list of its members, which outlives the text together with a copy of it.
    #[cfg(feature = "jwks")]
    pub(in crate::verify) const fn index(&self) -> &Members {
        self.members.get()
    }

    /// The same object, in which a member that is `null`, an empty text or an empty list counts
    /// as absent, at every depth.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(in crate::verify) fn without_empty_members(self) -> Self {
        let mut members = match self.members {
            Storage::Own(members) => members,
            Storage::Lent(members) => Box::new(members.clone()),
        };
        members.skips_empty = true;
        Self {
            text: self.text,
            members: Storage::Own(members),
        }
    }

    /// The value of the member with exactly this name, even where an empty member counts as absent.
    pub(in crate::verify) fn get_even_if_empty(&self, name: &str) -> Option<Value<'a>> {
        let found = self.members.get().find(self.text, name)?;
        Some(Value::at(self.text, found))
    }

    /// The text that it was read from.
    pub(in crate::verify) const fn text(&self) -> &'a str {
        self.text
    }

    /// The value of the member with exactly this name.
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        let members = self.members.get();
        let value = Value::at(self.text, members.find(self.text, name)?);
        if members.skips_empty && value.is_empty() {
            return None;
        }
        Some(value)
    }

    /// Names, escapes resolved, and values of the members, in order.
    pub(crate) fn members(&self) -> impl Iterator<Item = (Cow<'a, str>, Value<'a>)> + '_ {
        let text = self.text;
        let list = self.members.get().list.iter();
        list.map(move |member| (member.name(text), Value::at(text, member.value)))
    }

    /// Whether a member that is `null`, an empty text or an empty list counts as absent.
    pub(super) const fn skips_empty(&self) -> bool {
        self.members.get().skips_empty
    }
}

impl Storage<'_> {
    const fn get(&self) -> &Members {
        match self {
            Self::Own(members) => members,
            Self::Lent(members) => members,
        }
    }
}

impl<'a> Value<'a> {
    fn at(text: &'a str, Scanned { kind, span }: Scanned) -> Self {
        match kind {
            ValueKind::Null => Self::Null,
            ValueKind::Bool(value) => Self::Bool(value),
            ValueKind::Number => Self::Number(span.of(text)),
            ValueKind::String { escaped } => Self::String(Quoted {
                raw: span.of(text),
                escaped,
            }),
            ValueKind::Array => Self::Array(span.of(text)),
            ValueKind::Object => Self::Object(span.of(text)),
        }
    }

    /// Whether it is `null`, an empty text or an empty list.
    pub(super) fn is_empty(self) -> bool {
        match self {
            Self::Null => true,
            Self::String(quoted) => quoted.raw.is_empty(),
            Self::Array(_) => self
                .elements()
                .is_some_and(|mut elements| elements.next().is_none()),
            Self::Bool(_) | Self::Number(_) | Self::Object(_) => false,
        }
    }

    /// The string, escapes resolved.
    pub(crate) fn as_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::String(quoted) => Some(quoted.text()),
            _ => None,
        }
    }

    /// The name of its type, for operators.
    pub(crate) const fn type_name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// The well-formed array that is the whole of a text, blanks around it aside.
    #[cfg(feature = "mcp")]
    pub(in crate::verify) fn parse_array(text: &'a str) -> Result<Self, JsonFault> {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        let mut buffer = Vec::new();
        let mut scanner = Scanner::new(text, 0, &mut buffer);
        let found = scanner.value(0)?;
        if scanner.at != text.len() || found.kind != ValueKind::Array {
            return Err(JsonFault::Malformed);
        }
        Ok(Self::at(text, found))
    }

    /// The elements of an array.
    pub(crate) fn elements(self) -> Option<Elements<'a>> {
        match self {
            Self::Array(text) => Some(Elements {
                text,
                at: 1,
                buffer: Vec::new(),
            }),
            _ => None,
        }
    }
}

impl<'a> Quoted<'a> {
    pub(super) const fn new(raw: &'a str, escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// Whether it means exactly this text.
    #[inline]
    pub(super) fn is(self, text: &str) -> bool {
        if self.escaped {
            Unescaped::of(self.raw).eq(text.chars())
        } else {
            self.raw == text
        }
    }

    /// The text between the quotes, escapes unresolved.
    #[cfg(feature = "mcp")]
    pub(in crate::verify) const fn raw(self) -> &'a str {
        self.raw
    }

    /// The text with escapes resolved; borrowed where it has none.
    pub(crate) fn text(self) -> Cow<'a, str> {
        if self.escaped {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }
}

/// The elements of a well-formed array.
pub(crate) struct Elements<'a> {
    text: &'a str,
    at: usize,
    buffer: Vec<Member>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let mut scanner = Scanner::new(self.text, self.at, &mut self.buffer);
        scanner.skim_comma();
        if scanner.peek() == Some(b']') {
            return None;
        }
        let found = scanner.skim()?;
        self.at = scanner.at;
        Some(found)
    }
}

#[cfg(test)]
mod tests;
