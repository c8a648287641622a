//! Values of members, and the values of the setters that they become.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

use crate::model::algorithm::Algorithm;
use crate::model::claim_path::ClaimPath;
use crate::model::requirement::binding::Binding;
use crate::model::requirement::claim_value::ClaimValue;
use crate::model::scope::value::is_scope;
use crate::server::config::duration_text::DurationText;
use crate::server::config::error::NodeError;

/// A member that becomes the argument of a setter.
pub(in crate::server::config) trait Setting {
    type Value;

    /// The value. Files and variables are read here.
    ///
    /// # Errors
    ///
    /// What cannot be read, or contradicts itself.
    fn value(self) -> Result<Self::Value, NodeError>;
}

/// Members that need no change.
macro_rules! is_its_own_value {
    ($($type:ty),*) => {$(
        impl $crate::server::config::setting::Setting for $type {
            type Value = Self;

            fn value(self) -> Result<Self, $crate::server::config::error::NodeError> {
                Ok(self)
            }
        }
    )*};
}

pub(in crate::server::config) use is_its_own_value;

is_its_own_value!(String, u8, u16, usize, ClaimPath);

impl Setting for DurationText {
    type Value = Duration;

    fn value(self) -> Result<Duration, NodeError> {
        Ok(self.0)
    }
}

impl<T: Setting> Setting for Option<T> {
    type Value = Option<T::Value>;

    fn value(self) -> Result<Self::Value, NodeError> {
        self.map(Setting::value).transpose()
    }
}

/// A list, or one value that stands for a list of one.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(transparent)]
pub(in crate::server::config) struct Several<T>(Vec<T>);

impl<T> Default for Several<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Several<T> {
    pub(in crate::server::config) fn into_vec(self) -> Vec<T> {
        self.0
    }

    /// The values with their places.
    pub(in crate::server::config) fn places(self) -> impl Iterator<Item = (usize, T)> {
        self.0.into_iter().enumerate()
    }
}

impl<T: Setting> Setting for Several<T> {
    type Value = Vec<T::Value>;

    fn value(self) -> Result<Self::Value, NodeError> {
        self.places()
            .map(|(place, item)| item.value().map_err(|error| error.at(place)))
            .collect()
    }
}

/// Something that is chosen by `true`.
#[derive(Clone, Copy, Debug)]
pub(in crate::server::config) struct Chosen;

impl<'de> Deserialize<'de> for Chosen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if bool::deserialize(deserializer)? {
            return Ok(Self);
        }
        Err(D::Error::custom(
            "it is chosen by `true`; leave the member out where it is not",
        ))
    }
}

is_its_own_value!(Chosen);

/// Values that are written as one of several names.
macro_rules! names {
    ($(#[$meta:meta])* $name:ident: $value:ty { $($(#[$variant_meta:meta])* $variant:ident = $written:literal => $given:expr),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, serde::Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub(in crate::server::config) enum $name {
            $($(#[$variant_meta])* #[serde(rename = $written)] $variant),*
        }

        impl $crate::server::config::setting::Setting for $name {
            type Value = $value;

            fn value(self) -> Result<$value, $crate::server::config::error::NodeError> {
                Ok(match self {
                    $(Self::$variant => $given),*
                })
            }
        }
    };
}
pub(in crate::server::config) use names;

names! {
    /// The binding that a token must have.
    BindingName: Binding {
        /// To a DPoP key or to a client certificate.
        Any = "any" => Binding::Any,
        /// To a DPoP key (RFC 9449).
        Dpop = "dpop" => Binding::Dpop,
        /// To a client certificate (RFC 8705).
        MutualTls = "mutual_tls" => Binding::MutualTls,
    }
}

/// The JOSE name of an algorithm.
#[derive(Clone, Copy, Debug)]
pub(in crate::server::config) struct AlgorithmName(Algorithm);

impl<'de> Deserialize<'de> for AlgorithmName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Algorithm::from_name(&name).map(Self).ok_or_else(|| {
            let all: Vec<&str> = Algorithm::all().map(Algorithm::as_str).collect();
            D::Error::custom(format!("`{name}` is none of {}", all.join(", ")))
        })
    }
}

impl Setting for AlgorithmName {
    type Value = Algorithm;

    fn value(self) -> Result<Algorithm, NodeError> {
        Ok(self.0)
    }
}

/// Text, or the boolean.
#[derive(Clone, Debug)]
pub(in crate::server::config) struct RequiredValue(ClaimValue);

impl<'de> Deserialize<'de> for RequiredValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrBool;

        impl Visitor<'_> for TextOrBool {
            type Value = RequiredValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, `true` or `false`")
            }

            fn visit_bool<E>(self, value: bool) -> Result<RequiredValue, E> {
                Ok(RequiredValue(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<RequiredValue, E> {
                Ok(RequiredValue(value.into()))
            }
        }

        deserializer.deserialize_any(TextOrBool)
    }
}

impl Setting for RequiredValue {
    type Value = ClaimValue;

    fn value(self) -> Result<ClaimValue, NodeError> {
        Ok(self.0)
    }
}

/// One or more scope tokens with single spaces between them.
#[derive(Clone, Debug)]
pub(in crate::server::config) struct ScopeText(String);

impl<'de> Deserialize<'de> for ScopeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if is_scope(&text) {
            return Ok(Self(text));
        }
        Err(D::Error::custom(format!(
            "`{text}` is no scope (RFC 6749 section 3.3); give its tokens with single spaces between"
        )))
    }
}

impl Setting for ScopeText {
    type Value = String;

    fn value(self) -> Result<String, NodeError> {
        Ok(self.0)
    }
}
