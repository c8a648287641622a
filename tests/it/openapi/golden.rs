//! Golden documents, and what a version of OpenAPI allows.

use serde::Serialize;
use serde_json::Value;

use crate::support::golden;

/// The document, compared with the golden one of this name.
pub(crate) fn assert_golden(name: &str, document: &impl Serialize) {
    let value = serde_json::to_value(document).expect("JSON");
    let found = serde_json::to_string_pretty(&sorted(&value)).expect("JSON") + "\n";
    golden::assert_golden(&format!("openapi/{name}"), &found);
}

/// Members in the order of their names, whatever the feature `preserve_order` of another crate says.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            let members = names.into_iter();
            members
                .map(|name| (name.clone(), sorted(&value[name])))
                .collect()
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// Every scheme that an operation names exists, and every scope that it names is one of the scheme's.
pub(crate) fn assert_schemes_exist(document: &impl Serialize) {
    let document = serde_json::to_value(document).expect("JSON");
    let schemes = &document["components"]["securitySchemes"];
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            for requirement in operation["security"].as_array().into_iter().flatten() {
                for (name, scopes) in requirement.as_object().expect("a requirement") {
                    let scheme = &schemes[name];
                    assert!(scheme.is_object(), "{method} {path}: no scheme `{name}`");
                    let flows = scheme["flows"].as_object().into_iter().flatten();
                    for (flow, content) in flows {
                        for scope in scopes.as_array().expect("scopes") {
                            let scope = scope.as_str().expect("a scope");
                            assert!(content["scopes"][scope].is_string(), "{flow}: {scope}");
                        }
                    }
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 0, "no operation is guarded");
    assert!(!document.to_string().contains(":null"), "{document}");
}
