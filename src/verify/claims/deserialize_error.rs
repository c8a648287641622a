//! A payload as the application's type, read without `serde_json`: why it does not fit, and where
//! names occur that `serde_json` takes for its own.
//!
//! 1. `serde_json` reads payloads. Where it fails, the payload is read once more by this reader,
//!    whose errors are made of types alone; what a message of `serde_json` quotes is never looked
//!    at.
//! 2. Names of members are shown where the application's type declares them. Others are the
//!    token's, and stand as `*`.
//! 3. An object whose first member has a private name of `serde_json` is taken for a raw value or a
//!    number by `serde_json::Value`. Here such a member is never the first where there are others.
//!    An object of nothing else is refused where any type of value would do.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::verify::json::object::{Elements, Object, Value};

/// What of the payload does not fit `T`.
#[cold]
pub(in crate::verify) fn misfit<T: DeserializeOwned>(payload: &str) -> TokenError {
    let detail = match T::deserialize(Reader(Value::Object(payload))) {
        Err(misfit) => misfit.detail(),
        // This reader and `serde_json` differ, such as about numbers that are too large.
        Ok(_) => RejectionDetail::new().with_problem(Problem::Malformed),
    };
    TokenError::new(TokenFault::CustomClaims, detail)
}

/// Whether a member has a name that `serde_json` takes for its own.
pub(in crate::verify) fn has_private_name(payload: &str) -> bool {
    // Names are written as they are, or with escapes.
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

/// The payload as a `T`, in which all names are ordinary.
pub(in crate::verify) fn read<T: DeserializeOwned + 'static>(
    payload: &str,
) -> Result<T, TokenError> {
    T::deserialize(Reader(Value::Object(payload)))
        .map_err(|misfit| TokenError::new(TokenFault::CustomClaims, misfit.detail()))
}

/// One step of the way to a value.
#[derive(Debug)]
enum PathStep {
    /// A member that the type declares.
    Member(&'static str),
    /// A member of the token's own naming.
    Other,
    Element(usize),
}

#[derive(Debug)]
struct DeserializeError {
    /// Innermost first.
    way: Vec<PathStep>,
    problem: Problem,
    expected: Option<String>,
    found: Option<&'static str>,
}

impl DeserializeError {
    const fn new(problem: Problem, expected: Option<String>, found: Option<&'static str>) -> Self {
        Self {
            way: Vec::new(),
            problem,
            expected,
            found,
        }
    }

    fn below(mut self, step: PathStep) -> Self {
        self.way.push(step);
        self
    }

    fn detail(self) -> RejectionDetail {
        let mut way = String::new();
        for step in self.way.iter().rev() {
            match step {
                PathStep::Element(place) => {
                    way.push('[');
                    way.push_str(&place.to_string());
                    way.push(']');
                    continue;
                }
                _ if way.is_empty() => {}
                _ => way.push('.'),
            }
            way.push_str(match step {
                PathStep::Member(name) => name,
                PathStep::Other | PathStep::Element(_) => "*",
            });
        }
        let mut detail = RejectionDetail::new().with_problem(self.problem);
        if !way.is_empty() {
            detail = detail.with_claim(way);
        }
        if let Some(expected) = self.expected {
            detail = detail.with_expected(expected);
        }
        match self.found {
            Some(found) => detail.with_found(found),
            None => detail,
        }
    }
}

impl fmt::Display for DeserializeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for DeserializeError {}

impl de::Error for DeserializeError {
    /// The application's own message may quote a value.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new(Problem::Malformed, None, None)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = type_of(&found);
        Self::new(Problem::WrongType, Some(expected.to_string()), Some(found))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = type_of(&found);
        Self::new(Problem::Malformed, Some(expected.to_string()), Some(found))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(Problem::Malformed, Some(expected.to_string()), None)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::Malformed, Some(expected.join(" | ")), None)
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        let only = format!("no member but {}", expected.join(", "));
        Self::new(Problem::Malformed, Some(only), None)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Problem::Missing, None, None).below(PathStep::Member(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(Problem::Contradicts, None, None).below(PathStep::Member(field))
    }
}

fn type_of(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "number",
        Unexpected::Char(_) | Unexpected::Str(_) => "string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "array",
        Unexpected::Map => "object",
        _ => "another type",
    }
}

/// Reads a value that is known to be well formed.
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
            .map_err(|misfit| misfit.below(PathStep::Element(place)))
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
            .map_err(|misfit: DeserializeError| misfit.below(PathStep::Other))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DeserializeError> {
        let Some((step, value)) = self.next.take() else {
            return Err(DeserializeError::new(Problem::Malformed, None, None));
        };
        seed.deserialize(Reader(value))
            .map_err(|misfit| misfit.below(step))
    }
}

/// An enum's variant with content: an object of one member.
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
        read(Reader(self.1)).map_err(|misfit| misfit.below(self.0))
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
mod tests {
    use std::collections::HashMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct MetadataQuery {
        email: Option<String>,
        #[serde(default)]
        level: u8,
        #[serde(default)]
        nested: Option<Nested>,
        #[serde(default)]
        kind: Option<Kind>,
        #[serde(default)]
        labels: HashMap<String, u8>,
        #[serde(default, rename = "https://x.example/team")]
        team: Option<String>,
        #[serde(default)]
        own: Option<Own>,
        must: bool,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Nested {
        list: Vec<u8>,
        pair: Option<(u8, u8)>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    #[allow(dead_code)]
    enum Kind {
        Small,
        Large { size: u8 },
    }

    #[derive(Debug)]
    struct Own;

    impl<'de> Deserialize<'de> for Own {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Err(de::Error::custom(format!("bad value {text}")))
        }
    }

    fn told(payload: &str) -> String {
        assert!(
            serde_json::from_str::<MetadataQuery>(payload).is_err(),
            "{payload}"
        );
        let error = misfit::<MetadataQuery>(payload);
        let rejection = crate::model::error::rejection::Rejection::from(error);
        rejection
            .detail()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    #[test]
    fn private_names_of_serde_json_are_found_in_every_writing_and_at_every_depth() {
        for payload in [
            r#"{"$serde_json::private::RawValue":"1"}"#,
            r#"{"$serde_json::private::Number":"1"}"#,
            r#"{"a":[{"b":{"$serde_json::private::RawValue":"1"}}]}"#,
            r#"{"a":{"\u0024serde_json::private::RawValue":"1"}}"#,
            r#"{"a":{"$serde\u005fjson\u003a\u003aprivate::RawValue":"1"}}"#,
        ] {
            assert!(has_private_name(payload), "{payload}");
        }
        for payload in [
            r#"{"a":"$serde_json::private::RawValue"}"#,
            r#"{"serde_json::private::RawValue":"1"}"#,
            r#"{"a":"\u0024"}"#,
        ] {
            assert!(!has_private_name(payload), "{payload}");
        }
    }

    #[test]
    fn custom_claims_misfit_names_place_and_types_and_no_value() {
        for (payload, expected) in [
            ("{}", "claim=must problem=missing"),
            (
                r#"{"must":true,"email":5}"#,
                "claim=email problem=wrong_type expected=a string found=number",
            ),
            (
                r#"{"must":"secret"}"#,
                "claim=must problem=wrong_type expected=a boolean found=string",
            ),
            (
                r#"{"must":null}"#,
                "claim=must problem=wrong_type expected=a boolean found=null",
            ),
            (
                r#"{"must":true,"level":300}"#,
                "claim=level problem=malformed expected=u8 found=number",
            ),
            (
                r#"{"must":true,"level":-1.5}"#,
                "claim=level problem=wrong_type expected=u8 found=number",
            ),
            (
                r#"{"must":true,"nested":{"list":[1,2,"secret"]}}"#,
                "claim=nested.list[2] problem=wrong_type expected=u8 found=string",
            ),
            (
                r#"{"must":true,"nested":{"list":[],"pair":[1]}}"#,
                "claim=nested.pair problem=malformed expected=a tuple of size 2",
            ),
            (
                r#"{"must":true,"nested":{"secret":1}}"#,
                "claim=nested.* problem=malformed expected=no member but list, pair",
            ),
            (
                r#"{"must":true,"kind":"secret"}"#,
                "claim=kind problem=malformed expected=small | large",
            ),
            (
                r#"{"must":true,"kind":{"large":{"size":"secret"}}}"#,
                "claim=kind.large.size problem=wrong_type expected=u8 found=string",
            ),
            (
                r#"{"must":true,"labels":{"secret":"secret"}}"#,
                "claim=labels.* problem=wrong_type expected=u8 found=string",
            ),
            (
                r#"{"must":true,"https://x.example/team":{"secret":1}}"#,
                "claim=https://x.example/team problem=wrong_type expected=a string found=object",
            ),
            (
                r#"{"must":true,"own":"secret"}"#,
                "claim=own problem=malformed",
            ),
        ] {
            let told = told(payload);
            assert_eq!(told, expected, "{payload}");
            assert!(!told.contains("secret"), "{told}");
        }
    }
}
