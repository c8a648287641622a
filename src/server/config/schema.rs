//! The JSON Schema of a configuration, made from the types of its members.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::model::algorithm::Algorithm;
use crate::model::claim_path::ClaimPath;
use crate::server::config::setting::{AlgorithmName, Chosen, RequiredValue, ScopeText, Several};

/// Schemas that stand where they are used.
macro_rules! inline_schemas {
    ($($type:ty => $schema:expr),* $(,)?) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

inline_schemas! {
    Chosen => json_schema!({ "const": true }),
    AlgorithmName => {
        let names: Vec<&str> = Algorithm::all().map(Algorithm::as_str).collect();
        json_schema!({ "enum": names })
    },
    RequiredValue => json_schema!({ "type": ["string", "boolean"] }),
    ScopeText => json_schema!({ "type": "string", "minLength": 1 }),
    ClaimPath => json_schema!({
        "anyOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1 },
        ]
    }),
}

impl<T: JsonSchema> JsonSchema for Several<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Several_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [item, { "type": "array", "items": item }] })
    }
}

/// The members are those of all features.
#[cfg(all(
    feature = "axum",
    feature = "jwks",
    feature = "redis",
    feature = "ssf",
    feature = "status-list"
))]
mod golden {
    use std::path::Path;

    use schemars::generate::SchemaSettings;
    use serde_json::Value;

    use crate::server::config::sections::server::ServerTable;

    /// Removes what says nothing: the `null` of members that may be absent, the formats of Rust's numbers,
    /// and the line breaks of comments.
    fn simplified(schema: &mut Value) {
        match schema {
            Value::Array(items) => items.iter_mut().for_each(simplified),
            Value::Object(members) => {
                if let Some(Value::Array(types)) = members.get_mut("type") {
                    types.retain(|one| one != "null");
                    if let [only] = types.as_slice() {
                        let only = only.clone();
                        members.insert("type".to_owned(), only);
                    }
                }
                let alone = match members.get_mut("anyOf") {
                    Some(Value::Array(choices)) => {
                        choices.retain(|one| one.get("type").is_none_or(|name| name != "null"));
                        match choices.as_slice() {
                            [only] => Some(only.clone()),
                            _ => None,
                        }
                    }
                    _ => None,
                };
                if let Some(Value::Object(only)) = alone {
                    members.remove("anyOf");
                    for (name, value) in only {
                        members.entry(name).or_insert(value);
                    }
                }
                members.remove("format");
                if members.get("default").is_some_and(Value::is_null) {
                    members.remove("default");
                }
                if let Some(Value::String(text)) = members.get_mut("description") {
                    *text = text.replace("\n ", " ");
                }
                members.values_mut().for_each(simplified);
            }
            _ => {}
        }
    }

    #[test]
    fn schema_of_a_configuration_is_the_one_in_docs() {
        let settings = SchemaSettings::draft2020_12();
        let schema = settings
            .into_generator()
            .into_root_schema_for::<ServerTable>();
        let mut schema = schema.to_value();
        simplified(&mut schema);
        schema["required"] = serde_json::json!(["resource", "issuer"]);
        schema["title"] = "portcullis configuration".into();
        // An editor finds the schema by this member.
        schema["properties"]["$schema"] = serde_json::json!({ "type": "string", "description": "Where this schema is; ignored." });
        let mut found = serde_json::to_string_pretty(&schema).expect("JSON");
        found.push('\n');
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.schema.json");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &found).expect("the schema is writable");
        }
        let written = std::fs::read_to_string(&file).expect("the schema");
        assert!(
            found == written,
            "docs/configuration.schema.json is not that of the types; if the change is meant, run with UPDATE_GOLDEN=1"
        );
    }
}
