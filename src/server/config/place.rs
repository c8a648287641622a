//! Values that stand elsewhere: in a file, or in a variable of the environment.

use std::fmt;
use std::fs::File;
use std::io::Read as _;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::server::config::error::NodeError;
use crate::server::config::setting::Setting;

/// The longest file that is read, in bytes: what is longer is no secret and no key set.
const LONGEST: u64 = 4 << 20;

/// Where a value stands: exactly one of the two.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `file` or `env`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(extend("minProperties" = 1, "maxProperties" = 1)))]
pub(in crate::server::config) struct ValuePlace {
    /// The path of a file, from the working directory where it is relative. One newline at its end is
    /// not a part of the value.
    file: Option<String>,
    /// The name of an environment variable.
    env: Option<String>,
}

impl ValuePlace {
    fn read(&self) -> Result<String, NodeError> {
        match (&self.file, &self.env) {
            (Some(path), None) => read_file(path).map_err(|error| error.within("file")),
            (None, Some(name)) => match std::env::var(name) {
                Ok(value) if !value.is_empty() => Ok(value),
                Ok(_) => Err(NodeError::new(format!("the variable `{name}` is empty"))),
                Err(std::env::VarError::NotPresent) => {
                    Err(NodeError::new(format!("there is no variable `{name}`")))
                }
                Err(std::env::VarError::NotUnicode(_)) => Err(NodeError::new(format!(
                    "the variable `{name}` is not UTF-8"
                ))),
            }
            .map_err(|error| error.within("env")),
            _ => Err(NodeError::new(
                "give either `file` or `env`, the place where the value is",
            )),
        }
    }
}

/// A text file without the newline at its end.
fn read_file(path: &str) -> Result<String, NodeError> {
    let unreadable = |error| NodeError::new(format!("the file `{path}` is not readable: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let read = file.take(LONGEST + 1).read_to_end(&mut bytes);
    if read.map_err(unreadable)? as u64 > LONGEST {
        return Err(NodeError::new(format!(
            "the file `{path}` is longer than {LONGEST} bytes"
        )));
    }
    // The error would quote the content.
    let text = String::from_utf8(bytes)
        .map_err(|_| NodeError::new(format!("the file `{path}` is not UTF-8")))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(NodeError::new(format!("the file `{path}` is empty")));
    }
    Ok(text.to_owned())
}

/// A secret, by the place where it is: `{ file = "/run/secrets/client" }` or `{ env = "CLIENT_SECRET" }`.
#[derive(Clone, Debug)]
pub(in crate::server::config) struct Secret(ValuePlace);

/// What is said of a secret in the configuration itself. It is not quoted.
const INLINE: &str = "a secret does not stand in the configuration itself; write `{ file = \"..\" }` or `{ env = \"..\" }` with the place where it is";

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlaceVisitor {
            expected: "a file or a variable, `{ file = \"..\" }` or `{ env = \"..\" }`",
            text: |_| Err(INLINE),
            place: Secret,
        })
    }
}

impl Setting for Secret {
    type Value = String;

    fn value(self) -> Result<String, NodeError> {
        self.0.read()
    }
}

/// A public key, a certificate or a key set: the text itself, or the place where it is.
#[derive(Clone, Debug)]
pub(in crate::server::config) enum PublicText {
    Text(String),
    At(ValuePlace),
}

impl<'de> Deserialize<'de> for PublicText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlaceVisitor {
            expected: "text, or a file or a variable, `{ file = \"..\" }` or `{ env = \"..\" }`",
            text: |text| {
                // A private key in the wrong place does not stay in memory or in a dump of it.
                if text.contains("PRIVATE KEY") {
                    return Err("it is a private key; public keys and certificates belong here");
                }
                Ok(Self::Text(text.to_owned()))
            },
            place: Self::At,
        })
    }
}

impl Setting for PublicText {
    type Value = String;

    fn value(self) -> Result<String, NodeError> {
        match self {
            Self::Text(text) => Ok(text),
            Self::At(place) => place.read(),
        }
    }
}

/// A URL that may hold a password: the URL itself if it does not, or the place where it is.
#[cfg(feature = "redis")]
#[derive(Clone, Debug)]
pub(in crate::server::config) enum StoreUrl {
    Text(String),
    At(ValuePlace),
}

#[cfg(feature = "redis")]
impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlaceVisitor {
            expected: "a URL, or a file or a variable, `{ file = \"..\" }` or `{ env = \"..\" }`",
            text: |text| {
                if text.contains('@') {
                    return Err(
                        "a URL with a user or a password does not stand in the configuration itself; write `{ file = \"..\" }` or `{ env = \"..\" }` with the place where it is",
                    );
                }
                Ok(Self::Text(text.to_owned()))
            },
            place: Self::At,
        })
    }
}

#[cfg(feature = "redis")]
impl Setting for StoreUrl {
    type Value = String;

    fn value(self) -> Result<String, NodeError> {
        match self {
            Self::Text(text) => Ok(text),
            Self::At(place) => place.read(),
        }
    }
}

/// Text, or a place. No error quotes what was found.
struct PlaceVisitor<T> {
    expected: &'static str,
    text: fn(&str) -> Result<T, &'static str>,
    place: fn(ValuePlace) -> T,
}

impl<'de, T> Visitor<'de> for PlaceVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.text)(text).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        ValuePlace::deserialize(MapAccessDeserializer::new(map)).map(self.place)
    }
}

#[cfg(test)]
mod schemas {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    #[cfg(feature = "redis")]
    use crate::server::config::place::StoreUrl;
    use crate::server::config::place::{PublicText, Secret, ValuePlace};

    impl JsonSchema for Secret {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Secret".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            generator.subschema_for::<ValuePlace>()
        }
    }

    macro_rules! text_or_place {
        ($($type:ident),*) => {$(
            impl JsonSchema for $type {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($type).into()
                }

                fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                    let place = generator.subschema_for::<ValuePlace>();
                    json_schema!({ "anyOf": [{ "type": "string" }, place] })
                }
            }
        )*};
    }

    text_or_place!(PublicText);
    #[cfg(feature = "redis")]
    text_or_place!(StoreUrl);
}
