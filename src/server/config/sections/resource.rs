//! Members of a protected resource.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::server::config::duration_text::DurationText;
use crate::server::config::error::NodeError;
use crate::server::config::place::Secret;
use crate::server::config::section::section;
use crate::server::config::setting::{BindingName, ScopeText, Setting, is_its_own_value};
use crate::server::settings::resource::value::Resource;

section! {
    /// A protected resource: its identifier, audiences, scopes and metadata (RFC 9728).
    ResourceTable makes Resource;

    /// Its identifier, usually its https URL.
    make identifier: String = Resource::new;
    /// Audiences of its tokens in place of the identifier.
    each audience: String;
    /// Its scopes, for `scopes_supported` and for challenges. Guards are declared in code.
    each scopes: ScopeText = |resource, scope: String| resource.configured_scope(&scope);
    /// Bindings that its tokens must have; several add up.
    each require_binding: BindingName;
    /// Its name (`resource_name`).
    one name: String;
    /// Its name in further languages.
    each localized_name: LocalizedName = |resource, one: LocalizedName| resource.localized_name(one.language, one.name);
    /// The URL of documentation for developers (`resource_documentation`).
    one documentation: String;
    /// The URL of the rules for the use of data (`resource_policy_uri`).
    one policy: String;
    /// The URL of the terms of service (`resource_tos_uri`).
    one terms_of_service: String;
    /// The URL of its own public keys (`jwks_uri`).
    one jwks_uri: String;
    /// Authorization servers in the metadata in place of the server's issuers.
    each authorization_server: String;
    /// Whether the metadata says that tokens which are bound to a certificate are accepted.
    flag accepts_certificate_bound_tokens;
    /// Further members of the metadata document.
    each member: MetadataMember = |resource, one: MetadataMember| resource.member(one.name, one.value);
    /// The private key in PEM that signs the metadata document.
    one sign_metadata: Secret;
    /// The `kid` of that key.
    one metadata_key_id: String;
    /// How long clients may keep the metadata document: up to 7 days. Default: 1 h.
    one metadata_max_age: DurationText;
}

/// A name in one language.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `language` and `name`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct LocalizedName {
    /// The language tag (BCP 47).
    language: String,
    name: String,
}

/// A member of the metadata document.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `name` and `value`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct MetadataMember {
    name: String,
    value: serde_json::Value,
}

is_its_own_value!(LocalizedName, MetadataMember);

/// A resource: its identifier alone, or a table.
#[derive(Clone, Debug)]
pub(in crate::server::config) enum ResourceMember {
    Identifier(String),
    Table(Box<ResourceTable>),
}

impl<'de> Deserialize<'de> for ResourceMember {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrTable;

        impl<'de> Visitor<'de> for TextOrTable {
            type Value = ResourceMember;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an identifier or a table of members")
            }

            fn visit_str<E: Error>(self, identifier: &str) -> Result<ResourceMember, E> {
                Ok(ResourceMember::Identifier(identifier.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ResourceMember, A::Error> {
                let table = ResourceTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ResourceMember::Table(Box::new(table)))
            }
        }

        deserializer.deserialize_any(TextOrTable)
    }
}

impl Setting for ResourceMember {
    type Value = Resource;

    fn value(self) -> Result<Resource, NodeError> {
        match self {
            Self::Identifier(identifier) => Ok(Resource::new(identifier)),
            Self::Table(table) => table.value(),
        }
    }
}

#[cfg(test)]
impl schemars::JsonSchema for ResourceMember {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Resource".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let table = generator.subschema_for::<ResourceTable>();
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, table] })
    }
}
