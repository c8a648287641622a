//! Values that fit a schema: the document's own examples, or the simplest of their type.

use serde_json::{Map, Value, json};

use crate::test_util::openapi_check::document::Document;

/// Schemas that contain each other end here.
const MOST_DEPTH: usize = 8;

impl Document {
    /// A value for a parameter, a body or whatever has a schema.
    pub(super) fn sample(&self, described: &Value) -> Value {
        if let Some(example) = self.example(described) {
            return example;
        }
        match described.get("schema") {
            Some(schema) => self.of_schema(schema, 0),
            None => Value::String("example".to_owned()),
        }
    }

    /// `example`, or the first of `examples`.
    fn example(&self, described: &Value) -> Option<Value> {
        if let Some(example) = described.get("example").filter(|one| !one.is_null()) {
            return Some(example.clone());
        }
        match described.get("examples")? {
            Value::Array(list) => list.first().cloned(),
            Value::Object(named) => self.resolve(named.values().next()?).get("value").cloned(),
            _ => None,
        }
    }

    fn of_schema(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.resolve(schema);
        if let Some(example) = self.example(schema) {
            return example;
        }
        for stated in ["const", "default"] {
            if let Some(value) = schema.get(stated).filter(|one| !one.is_null()) {
                return value.clone();
            }
        }
        let list = |name: &str| schema.get(name).and_then(Value::as_array);
        if let Some(first) = list("enum").and_then(|values| values.first()) {
            return first.clone();
        }
        if depth >= MOST_DEPTH {
            return Value::Null;
        }
        if let Some(parts) = list("allOf") {
            let mut whole = self.object(schema, depth);
            for part in parts {
                if let Value::Object(members) = self.of_schema(part, depth + 1) {
                    whole.extend(members);
                }
            }
            return Value::Object(whole);
        }
        for choice in ["oneOf", "anyOf"] {
            let is_null = |one: &&Value| one.get("type") != Some(&json!("null"));
            if let Some(first) = list(choice).and_then(|all| all.iter().find(is_null)) {
                return self.of_schema(first, depth + 1);
            }
        }
        match type_of(schema) {
            "object" => Value::Object(self.object(schema, depth)),
            "array" => {
                let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
                match schema.get("items").filter(|_| least > 0) {
                    Some(items) => json!([self.of_schema(items, depth + 1)]),
                    None => json!([]),
                }
            }
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
            "boolean" => json!(true),
            "null" => Value::Null,
            _ => json!(text_of(schema)),
        }
    }

    /// The members that must be there.
    fn object(&self, schema: &Value, depth: usize) -> Map<String, Value> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        let names = required.into_iter().flatten().filter_map(Value::as_str);
        names
            .map(|name| {
                let property = properties.and_then(|all| all.get(name));
                let value = property.map(|schema| self.of_schema(schema, depth + 1));
                (name.to_owned(), value.unwrap_or_default())
            })
            .collect()
    }
}

fn type_of(schema: &Value) -> &str {
    let stated = match schema.get("type") {
        Some(Value::String(one)) => Some(one.as_str()),
        Some(Value::Array(several)) => {
            let mut names = several.iter().filter_map(Value::as_str);
            names.find(|name| *name != "null")
        }
        _ => None,
    };
    let by_members = schema.get("properties").map(|_| "object");
    stated.or(by_members).unwrap_or("string")
}

fn text_of(schema: &Value) -> String {
    let format = schema.get("format").and_then(Value::as_str);
    let text = match format.unwrap_or_default() {
        "uuid" => "00000000-0000-4000-8000-000000000000",
        "date" => "2026-01-01",
        "date-time" => "2026-01-01T00:00:00Z",
        "email" => "someone@example.com",
        "uri" | "url" => "https://example.com/",
        "ipv4" => "192.0.2.1",
        _ => "example",
    };
    let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
    let least = usize::try_from(least).unwrap_or(0).min(10_000);
    format!("{text:x<least$}")
}

/// A value as it stands in a path, a query or a header.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
