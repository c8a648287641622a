//! The conversions of types that are a checked text, written once.

/// `AsRef<str>`, `Display` and `Serialize` of a type with `as_str`.
macro_rules! converts_to_text {
    ($name:ident $(<$life:lifetime>)?) => {
        impl $(<$life>)? AsRef<str> for $name $(<$life>)? {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl $(<$life>)? std::fmt::Display for $name $(<$life>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        /// Serializes as its text.
        impl $(<$life>)? serde::Serialize for $name $(<$life>)? {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

/// `TryFrom<&str>`, `TryFrom<String>` and `Deserialize` of a type with `FromStr`, by its rules.
macro_rules! converts_from_text {
    ($name:ident, $error:ident) => {
        impl TryFrom<&str> for $name {
            type Error = $error;

            fn try_from(text: &str) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        /// Deserializes from a string, by the rules of its `FromStr`.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use {converts_from_text, converts_to_text};
