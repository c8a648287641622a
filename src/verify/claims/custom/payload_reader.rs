//! A `serde` deserializer of a payload that does not use `serde_json`.
//!
//! 1. `serde_json` reads payloads. Where it fails, this deserializer reads the payload again: its
//!    errors contain types only, and a message of `serde_json`, which quotes values, is not used.
//! 2. An error shows a member's name where the application's type declares it, and `*` otherwise.
//! 3. `serde_json::Value` takes an object whose first member has a private name of `serde_json` for
//!    a raw value or a number. This deserializer moves such a member behind another one. An object
//!    that has no other is refused where the type accepts any value.

use std::borrow::Cow;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::verify::claims::custom::deserialize_error::{DeserializeError, PathStep};
use crate::verify::json::object::{Elements, Object, Value};

/// Why the payload does not fit `T`.
#[cold]
pub(super) fn deserialize_error<T: DeserializeOwned>(payload: &str) -> TokenError {
    let detail = match T::deserialize(Reader(Value::Object(payload))) {
        Err(error) => error.detail(),
        // The two readers differ in some cases, such as numbers that are too large.
        Ok(_) => RejectionDetail::new().with_problem(Problem::Malformed),
    };
    TokenError::new(TokenFault::CustomClaims, detail)
}

/// Whether a member has a private name of `serde_json`.
pub(super) fn has_private_name(payload: &str) -> bool {
    // A name is written plainly or with escapes.
    let may = payload.contains("serde_json::private") || payload.contains("\\u");
    may && holds_private_name(Value::Object(payload))
}

fn holds_private_name(value: Value<'_>) -> bool {
    match value {
        Value::Object(text) => Object::parse_str(text).is_ok_and(|object| {
            let mut members = object.members();
            members.any(|(name, value)| is_private(&name) || holds_private_name(value))
        }),
        Value::Array(_) => value
            .elements()
            .is_some_and(|mut all| all.any(holds_private_name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_private(name: &str) -> bool {
    name.starts_with("$serde_json::private::")
}

/// The payload as a `T`, where a private name of `serde_json` has no meaning.
pub(in crate::verify) fn read<T: DeserializeOwned + 'static>(
    payload: &str,
) -> Result<T, TokenError> {
    T::deserialize(Reader(Value::Object(payload)))
        .map_err(|error| TokenError::new(TokenFault::CustomClaims, error.detail()))
}

/// A deserializer of a value that is well formed.
struct Reader<'de>(Value<'de>);

impl<'de> Reader<'de> {
    fn read<V: Visitor<'de>>(
        self,
        declared: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(text) => number(text, visitor),
            Value::String(quoted) => match quoted.text() {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Value::Array(_) => visitor.visit_seq(List {
                elements: self.0.elements(),
                place: 0,
            }),
            Value::Object(text) => visitor.visit_map(Fields::of(text, declared)?),
        }
    }
}

fn number<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, DeserializeError> {
    if let Ok(value) = text.parse::<u64>() {
        return visitor.visit_u64(value);
    }
    if let Ok(value) = text.parse::<i64>() {
        return visitor.visit_i64(value);
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => visitor.visit_f64(value),
        _ => Err(DeserializeError::new(
            Problem::Malformed,
            None,
            Some("number"),
        )),
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = DeserializeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        if let Value::Object(text) = self.0 {
            let fields = Fields::of(text, &[])?;
            if fields
                .members
                .as_slice()
                .first()
                .is_some_and(|(name, _)| is_private(name))
            {
                let expected = "a member whose name is not serde_json's".to_owned();
                return Err(DeserializeError::new(
                    Problem::Malformed,
                    Some(expected),
                    Some("object"),
                ));
            }
            return visitor.visit_map(fields);
        }
        self.read(&[], visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        self.read(&[], visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        self.read(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        match self.0 {
            Value::String(quoted) => {
                visitor.visit_enum(quoted.text().into_owned().into_deserializer())
            }
            Value::Object(text) => visitor.visit_enum(Variant(Fields::of(text, variants)?)),
            other => Err(DeserializeError::new(
                Problem::WrongType,
                Some("string or object".to_owned()),
                Some(other.type_name()),
            )),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct identifier
    }
}

struct List<'de> {
    elements: Option<Elements<'de>>,
    place: usize,
}

impl<'de> SeqAccess<'de> for List<'de> {
    type Error = DeserializeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DeserializeError> {
        let Some(value) = self.elements.as_mut().and_then(Iterator::next) else {
            return Ok(None);
        };
        let place = self.place;
        self.place += 1;
        let read = seed.deserialize(Reader(value));
        read.map(Some)
            .map_err(|error| error.below(PathStep::Element(place)))
    }
}

struct Fields<'de> {
    members: std::vec::IntoIter<(Cow<'de, str>, Value<'de>)>,
    declared: &'static [&'static str],
    next: Option<(PathStep, Value<'de>)>,
}

impl<'de> Fields<'de> {
    fn of(text: &'de str, declared: &'static [&'static str]) -> Result<Self, DeserializeError> {
        let object = Object::parse_str(text)
            .map_err(|_| DeserializeError::new(Problem::Malformed, None, Some("object")))?;
        let mut members: Vec<_> = object.members().collect();
        if members.first().is_some_and(|(name, _)| is_private(name)) {
            let ordinary = members.iter().position(|(name, _)| !is_private(name));
            members.swap(0, ordinary.unwrap_or_default());
        }
        Ok(Self {
            members: members.into_iter(),
            declared,
            next: None,
        })
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = DeserializeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DeserializeError> {
        let Some((name, value)) = self.members.next() else {
            return Ok(None);
        };
        let step = match self.declared.iter().find(|declared| name == **declared) {
            Some(declared) => PathStep::Member(declared),
            None => PathStep::Other,
        };
        self.next = Some((step, value));
        let key = match name {
            Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
            Cow::Owned(name) => seed.deserialize(StringDeserializer::new(name)),
        };
        key.map(Some)
            .map_err(|error: DeserializeError| error.below(PathStep::Other))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DeserializeError> {
        let Some((step, value)) = self.next.take() else {
            return Err(DeserializeError::new(Problem::Malformed, None, None));
        };
        seed.deserialize(Reader(value))
            .map_err(|error| error.below(step))
    }
}

/// A variant of an enum with content: an object of one member.
struct Variant<'de>(Fields<'de>);

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = DeserializeError;
    type Variant = Content<'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
    ) -> Result<(S::Value, Content<'de>), DeserializeError> {
        let one = || DeserializeError::new(Problem::Malformed, Some("one member".to_owned()), None);
        let variant = self.0.next_key_seed(seed)?.ok_or_else(one)?;
        let (step, value) = self.0.next.take().ok_or_else(one)?;
        match self.0.members.next() {
            None => Ok((variant, Content(step, value))),
            Some(_) => Err(one()),
        }
    }
}

struct Content<'de>(PathStep, Value<'de>);

impl<'de> Content<'de> {
    fn read<T>(
        self,
        read: impl FnOnce(Reader<'de>) -> Result<T, DeserializeError>,
    ) -> Result<T, DeserializeError> {
        read(Reader(self.1)).map_err(|error| error.below(self.0))
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = DeserializeError;

    fn unit_variant(self) -> Result<(), DeserializeError> {
        self.read(de::Deserialize::deserialize)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, DeserializeError> {
        self.read(|reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        self.read(|reader| reader.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        self.read(|reader| reader.read(fields, visitor))
    }
}

#[cfg(test)]
mod tests;
