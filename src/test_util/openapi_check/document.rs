//! An OpenAPI document, as far as the check reads it: versions 3.0 to 3.2, as JSON.

use serde_json::{Map, Value};

/// How far references are followed.
const MOST_REFERENCES: usize = 16;

pub(super) struct Document(pub(super) Value);

/// One operation of a document.
#[derive(Clone)]
pub(super) struct Operation<'d> {
    /// In upper case.
    pub(super) method: String,
    pub(super) path: &'d str,
    item: &'d Map<String, Value>,
    value: &'d Map<String, Value>,
}

/// What the document states about who may call an operation.
pub(super) enum Access {
    /// Nothing is stated.
    Undeclared,
    /// No token is needed.
    Public,
    /// A token is needed: sets of scopes of which any one suffices.
    Guarded(Vec<Vec<String>>),
}

pub(super) struct Parameter<'d> {
    pub(super) name: &'d str,
    pub(super) place: &'d str,
    pub(super) is_required: bool,
    pub(super) value: &'d Value,
}

const METHODS: [&str; 9] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace", "query",
];

impl Operation<'_> {
    /// Whether the document has this status: itself, its range, or `default`.
    pub(super) fn has_status(&self, status: u16) -> bool {
        let range = format!("{}XX", status / 100);
        let names = [status.to_string(), range, "default".to_owned()];
        let responses = self.value.get("responses").and_then(Value::as_object);
        responses.is_some_and(|all| names.iter().any(|name| all.contains_key(name)))
    }
}

impl Document {
    /// All operations, by path and method.
    pub(super) fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.0.get("paths").and_then(Value::as_object);
        let mut operations = Vec::new();
        for (path, item) in paths.into_iter().flatten() {
            let Some(item) = self.resolve(item).as_object() else {
                continue;
            };
            let more = item.get("additionalOperations").and_then(Value::as_object);
            let fixed = METHODS.iter().filter_map(|name| item.get_key_value(*name));
            for (method, value) in fixed.chain(more.into_iter().flatten()) {
                if let Some(value) = value.as_object() {
                    operations.push(Operation {
                        method: method.to_uppercase(),
                        path,
                        item,
                        value,
                    });
                }
            }
        }
        operations
    }

    /// The value that a reference inside the document leads to; others lead to themselves.
    pub(super) fn resolve<'d>(&'d self, mut value: &'d Value) -> &'d Value {
        for _ in 0..MOST_REFERENCES {
            let reference = value.get("$ref").and_then(Value::as_str);
            let target = reference.and_then(|text| text.strip_prefix('#'));
            match target.and_then(|pointer| self.0.pointer(pointer)) {
                Some(target) => value = target,
                None => break,
            }
        }
        value
    }

    pub(super) fn access(&self, operation: &Operation<'_>) -> Access {
        let own = operation.value.get("security");
        let Some(alternatives) = own
            .or_else(|| self.0.get("security"))
            .and_then(Value::as_array)
        else {
            return Access::Undeclared;
        };
        let is_empty = |one: &Value| one.as_object().is_some_and(Map::is_empty);
        if alternatives.is_empty() || alternatives.iter().any(is_empty) {
            return Access::Public;
        }
        let scopes = |one: &Value| {
            let lists = one.as_object().into_iter().flat_map(Map::values);
            let texts = lists.filter_map(Value::as_array).flatten();
            texts
                .filter_map(Value::as_str)
                .map(ToOwned::to_owned)
                .collect()
        };
        Access::Guarded(alternatives.iter().map(scopes).collect())
    }

    /// The parameters of an operation and of its path.
    pub(super) fn parameters<'d>(&'d self, operation: &Operation<'d>) -> Vec<Parameter<'d>> {
        let mut all: Vec<Parameter<'d>> = Vec::new();
        for source in [operation.value, operation.item] {
            let list = source.get("parameters").and_then(Value::as_array);
            for value in list.into_iter().flatten() {
                let value = self.resolve(value);
                let text = |name| value.get(name).and_then(Value::as_str);
                let (Some(name), Some(place)) = (text("name"), text("in")) else {
                    continue;
                };
                if all.iter().any(|one| (one.name, one.place) == (name, place)) {
                    continue;
                }
                let is_required = value.get("required") == Some(&Value::Bool(true));
                all.push(Parameter {
                    name,
                    place,
                    is_required,
                    value,
                });
            }
        }
        all
    }

    /// The media type of the operation's body, of several JSON or else the first, and what is stated
    /// of it.
    pub(super) fn body<'d>(&'d self, operation: &Operation<'d>) -> Option<(&'d str, &'d Value)> {
        let body = self.resolve(operation.value.get("requestBody")?);
        let content = body.get("content")?.as_object()?;
        let json = content.iter().find(|(name, _)| name.contains("json"));
        let (name, value) = json.or_else(|| content.iter().next())?;
        Some((name, self.resolve(value)))
    }
}
