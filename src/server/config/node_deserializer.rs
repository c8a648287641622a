//! Reads settings out of a tree.
//!
//! 1. An error names the kinds of what is there and of what is expected, and never what is there:
//!    it could be a secret.
//! 2. One value counts as a list of one where a list is expected.

use std::fmt::Display;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::server::config::error::NodeError;
use crate::server::config::node::Node;

impl Error for NodeError {
    fn custom<T: Display>(problem: T) -> Self {
        Self::new(problem.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!(
            "it is {}, and {} is expected",
            kind_of(found),
            words(&expected.to_string())
        ))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!(
            "the value is out of range; {} is expected",
            words(&expected.to_string())
        ))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("`{variant}` is none of {}", listed(expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let feature = ABSENT.iter().find(|(name, _)| *name == field);
        if let Some((_, feature)) = feature {
            return Self::new(format!(
                "it needs the feature `{feature}` of the library; turn it on, or leave the member out"
            ));
        }
        let near = expected
            .iter()
            .map(|known| (distance(field, known), known))
            .min()
            .filter(|(distance, _)| *distance <= 2);
        Self::new(match near {
            Some((_, known)) => {
                format!("there is no member of this name; did you mean `{known}`?")
            }
            None => format!(
                "there is no member of this name; there are {}",
                listed(expected)
            ),
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("it is missing").within(field)
    }
}

/// Members that other features of the library add.
const ABSENT: &[(&str, &str)] = &[
    #[cfg(not(feature = "jwks"))]
    ("introspected", "jwks"),
    #[cfg(not(feature = "jwks"))]
    ("introspection_discovered", "jwks"),
    #[cfg(not(feature = "jwks"))]
    ("token_information", "jwks"),
    #[cfg(not(feature = "jwks"))]
    ("client_authentication", "jwks"),
    #[cfg(not(feature = "redis"))]
    ("shared_store", "redis"),
    #[cfg(not(feature = "ssf"))]
    ("ssf_transmitter", "ssf"),
    #[cfg(not(feature = "status-list"))]
    ("status_list", "status-list"),
];

fn listed(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

const fn kind_of(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number with a fraction",
        Unexpected::Char(_) | Unexpected::Str(_) => "text",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a table of members",
        _ => "of another kind",
    }
}

/// The names of Rust's types, for people who write no Rust.
fn words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number in its range",
        "a string" => "text",
        "a sequence" => "a list",
        other => other,
    }
}

/// How many characters are to be inserted, removed or replaced (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, one) in left.chars().enumerate() {
        let mut diagonal = at;
        let mut before = at + 1;
        for (other, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(one != *other);
            diagonal = *cell;
            before = replaced.min(*cell + 1).min(before + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

impl Node {
    fn kind(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Signed(value) => Unexpected::Signed(*value),
            Self::Unsigned(value) => Unexpected::Unsigned(*value),
            Self::Float(value) => Unexpected::Float(*value),
            Self::Text(value) | Self::Variable(value) => Unexpected::Str(value),
            Self::List(_) => Unexpected::Seq,
            Self::Members(_) => Unexpected::Map,
        }
    }

    /// Reads a number from a variable.
    fn number(self, kind: &str) -> Result<Self, NodeError> {
        match self {
            Self::Variable(text) => match (text.parse(), text.parse(), text.parse()) {
                (Ok(number), _, _) => Ok(Self::Unsigned(number)),
                (_, Ok(number), _) => Ok(Self::Signed(number)),
                (_, _, Ok(number)) => Ok(Self::Float(number)),
                _ => Err(NodeError::new(format!(
                    "the variable is text, and {kind} is expected"
                ))),
            },
            other => Ok(other),
        }
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
            self.number("a number")?.deserialize_any(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Node {
    type Error = NodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Signed(value) => visitor.visit_i64(value),
            Self::Unsigned(value) => visitor.visit_u64(value),
            Self::Float(value) => visitor.visit_f64(value),
            Self::Text(value) | Self::Variable(value) => visitor.visit_string(value),
            Self::List(nodes) => visitor.visit_seq(NodeList {
                nodes: nodes.into_iter(),
                place: 0,
            }),
            Self::Members(members) => visitor.visit_map(NodeMembers {
                members: members.into_iter(),
                value: None,
            }),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        match self {
            Self::Variable(text) => match text.as_str() {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                _ => Err(NodeError::new(
                    "the variable must be `true` or `false`, in lower case",
                )),
            },
            other => other.deserialize_any(visitor),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        match self {
            // A member that is null could be a mistake of what wrote the file.
            Self::Null => Err(NodeError::new(
                "it is null; give a value, or leave the member out",
            )),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        let nodes = match self {
            Self::List(nodes) => nodes,
            Self::Null => return Err(NodeError::new("it is null, and a list is expected")),
            alone => vec![alone],
        };
        visitor.visit_seq(NodeList {
            nodes: nodes.into_iter(),
            place: 0,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NodeError> {
        match self {
            Self::Text(name) | Self::Variable(name) => visitor.visit_enum(VariantName(name)),
            _ => Err(NodeError::new("a name is expected")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NodeError> {
        match self {
            Self::Members(_) => self.deserialize_any(visitor),
            // Serde reads the fields of a struct from a list too, by their order, which is no promise.
            other => Err(NodeError::invalid_type(other.kind(), &visitor)),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map
        identifier ignored_any
    }
}

struct NodeList {
    nodes: std::vec::IntoIter<Node>,
    place: usize,
}

impl<'de> SeqAccess<'de> for NodeList {
    type Error = NodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, NodeError> {
        let Some(node) = self.nodes.next() else {
            return Ok(None);
        };
        let place = self.place;
        self.place += 1;
        let value = seed.deserialize(node);
        value.map(Some).map_err(|error| error.at(place))
    }
}

struct NodeMembers {
    members: std::vec::IntoIter<(String, Node)>,
    value: Option<(String, Node)>,
}

impl<'de> MapAccess<'de> for NodeMembers {
    type Error = NodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, NodeError> {
        let Some((name, node)) = self.members.next() else {
            return Ok(None);
        };
        let (name, _) = self.value.insert((name, node));
        let text: StringDeserializer<NodeError> = name.clone().into_deserializer();
        let key = seed.deserialize(text);
        key.map(Some).map_err(|error| error.within(name))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, NodeError> {
        let Some((name, node)) = self.value.take() else {
            return Err(NodeError::new("a value without a name"));
        };
        let value = seed.deserialize(node);
        value.map_err(|error| error.within(&name))
    }
}

/// One of several names.
struct VariantName(String);

impl<'de> EnumAccess<'de> for VariantName {
    type Error = NodeError;
    type Variant = NoContent;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, NoContent), NodeError> {
        let text: StringDeserializer<NodeError> = self.0.into_deserializer();
        Ok((seed.deserialize(text)?, NoContent))
    }
}

struct NoContent;

impl<'de> VariantAccess<'de> for NoContent {
    type Error = NodeError;

    fn unit_variant(self) -> Result<(), NodeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, NodeError> {
        Err(no_content())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, NodeError> {
        Err(no_content())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, NodeError> {
        Err(no_content())
    }
}

fn no_content() -> NodeError {
    NodeError::new("a name is expected")
}
