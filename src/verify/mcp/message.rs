//! The body of a request: one JSON-RPC message, or a batch of them, and what each asks for.
//!
//! 1. Strict JSON: no member twice at any depth, at most 64 levels, nothing behind the value.
//! 2. A message is a request, a notification or a response (JSON-RPC 2.0 sections 4 to 6); a batch is
//!    not empty.
//! 3. A member whose name differs from a known one in case alone is refused: some services would take it
//!    for the known one. `ſ` and `K` (the Kelvin sign) count as `s` and `k`, as in Go's `encoding/json`.
//! 4. One pass over the text of a single message.

use std::borrow::Cow;

use crate::verify::json::object::{JsonFault, Object, Value};
use crate::verify::mcp::method::{MethodClass, TargetKind};

/// A request with a longer `id` is answered without it.
const LONGEST_ID: usize = 256;

/// A message that is refused as such, and the JSON-RPC error that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageFault {
    pub(crate) error: JsonRpcError,
    /// For the client. Without any text of the request.
    pub(crate) message: &'static str,
    /// The `id` of the message as JSON, where it is known.
    pub(crate) id: Option<Box<str>>,
}

/// The errors of JSON-RPC 2.0 section 5.1, and one of MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonRpcError {
    /// Not JSON.
    Parse,
    /// No JSON-RPC message.
    InvalidRequest,
    /// The method does not exist here.
    MethodNotFound,
    /// A parameter that says what is asked for is missing or malformed.
    InvalidParams,
    /// Header fields and body differ, or a field is missing or malformed (MCP 2026-07-28, Streamable
    /// HTTP, Server Validation).
    HeaderMismatch,
    /// An answer of the service cannot be used.
    Internal,
}

impl JsonRpcError {
    pub(crate) const fn code(self) -> i32 {
        match self {
            Self::Parse => -32700,
            Self::InvalidRequest => -32600,
            Self::MethodNotFound => -32601,
            Self::InvalidParams => -32602,
            Self::Internal => -32603,
            Self::HeaderMismatch => -32020,
        }
    }
}

impl MessageFault {
    pub(crate) const fn new(error: JsonRpcError, message: &'static str) -> Self {
        Self {
            error,
            message,
            id: None,
        }
    }

    pub(crate) const fn headers(message: &'static str) -> Self {
        Self::new(JsonRpcError::HeaderMismatch, message)
    }

    /// Of the message with this `id`.
    #[must_use]
    pub(crate) fn of_message(mut self, id: Option<&str>) -> Self {
        self.id = id.filter(|id| id.len() <= LONGEST_ID).map(Into::into);
        self
    }

    /// The JSON-RPC error response.
    pub(crate) fn to_json(&self) -> String {
        let (code, message) = (self.error.code(), self.message);
        // INVARIANT: messages are texts of this file and its neighbours without `"` and `\`; an `id` is JSON.
        match &self.id {
            Some(id) => format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{message}"}}}}"#
            ),
            // MCP leaves the member out where JSON-RPC has `null`.
            None => {
                format!(r#"{{"jsonrpc":"2.0","error":{{"code":{code},"message":"{message}"}}}}"#)
            }
        }
    }
}

/// Something that a message names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target<'b> {
    pub(crate) kind: TargetKind,
    pub(crate) name: Cow<'b, str>,
}

/// A request or a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call<'b> {
    pub(crate) method: Cow<'b, str>,
    pub(crate) class: MethodClass,
    pub(crate) targets: Vec<Target<'b>>,
    /// `params._meta["io.modelcontextprotocol/protocolVersion"]`.
    pub(crate) protocol_version: Option<Cow<'b, str>>,
    pub(crate) is_notification: bool,
}

/// A JSON-RPC message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message<'b> {
    /// Its `id` as JSON.
    pub(crate) id: Option<Cow<'b, str>>,
    /// `None` for a response, which a client sends to a request of the server.
    pub(crate) call: Option<Call<'b>>,
}

/// All messages of a body: one, or the members of a batch where these are allowed.
pub(crate) fn read_body(body: &[u8], allows_batch: bool) -> Result<Vec<Message<'_>>, MessageFault> {
    let Ok(text) = std::str::from_utf8(body) else {
        return Err(fault_of(JsonFault::Malformed));
    };
    let first = text
        .bytes()
        .find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    if first != Some(b'[') {
        return Ok(vec![read_message(text)?]);
    }
    let batch = Value::parse_array(text).map_err(fault_of)?;
    if !allows_batch {
        return Err(invalid("this revision of the protocol has no batches"));
    }
    let messages: Result<Vec<_>, _> = batch
        .elements()
        .into_iter()
        .flatten()
        .map(|element| match element {
            Value::Object(text) => read_message(text),
            _ => Err(invalid("a member of the batch is no JSON-RPC message")),
        })
        .collect();
    match messages {
        Ok(messages) if messages.is_empty() => Err(invalid("the batch is empty")),
        messages => messages,
    }
}

fn read_message(text: &str) -> Result<Message<'_>, MessageFault> {
    let (message, params) = Object::parse_with_inner(text, "params").map_err(fault_of)?;
    let id = message.get("id");
    let raw_id = id.and_then(raw_id);
    read(&message, &params, id, raw_id.as_deref())
        .map(|call| Message {
            id: raw_id.clone(),
            call,
        })
        .map_err(|fault| fault.of_message(raw_id.as_deref()))
}

fn read<'b>(
    message: &Object<'b>,
    params: &Object<'b>,
    id: Option<Value<'b>>,
    raw_id: Option<&str>,
) -> Result<Option<Call<'b>>, MessageFault> {
    check_case(
        message,
        &["jsonrpc", "id", "method", "params", "result", "error"],
    )?;
    let version = message.get("jsonrpc").and_then(Value::as_text);
    if version.as_deref() != Some("2.0") {
        return Err(invalid("no JSON-RPC 2.0 message"));
    }
    let is_answer = message.get("result").is_some() || message.get("error").is_some();
    if id.is_some() && raw_id.is_none() && !is_answer {
        return Err(invalid("the id is neither a string nor a number"));
    }
    let Some(method) = message.get("method") else {
        return if is_answer {
            Ok(None)
        } else {
            Err(invalid("the message has no method"))
        };
    };
    let Some(method) = method.as_text().filter(|_| !is_answer) else {
        return Err(invalid(
            "the method is no string, or the message is a response too",
        ));
    };
    let class = MethodClass::of(&method);
    if class != MethodClass::Unknown {
        if !matches!(message.get("params"), None | Some(Value::Object(_))) {
            return Err(invalid_params("the params are no object"));
        }
        check_case(params, &["name", "uri", "ref", "notifications", "_meta"])?;
    }
    let targets = targets(class, params)?;
    let protocol_version = protocol_version(params)?;
    Ok(Some(Call {
        method,
        class,
        targets,
        protocol_version,
        is_notification: id.is_none(),
    }))
}

fn targets<'b>(class: MethodClass, params: &Object<'b>) -> Result<Vec<Target<'b>>, MessageFault> {
    match class {
        MethodClass::NamesNothing | MethodClass::Unknown => Ok(Vec::new()),
        MethodClass::Names { kind, member, .. } => {
            let name = params.get(member).and_then(Value::as_text);
            let name = name.ok_or(invalid_params("what is asked for has no name"))?;
            Ok(vec![Target { kind, name }])
        }
        MethodClass::Completes => {
            let unnamed = invalid_params("the reference names no prompt and no resource");
            let Some(Value::Object(reference)) = params.get("ref") else {
                return Err(unnamed);
            };
            let reference = Object::parse_str(reference).map_err(fault_of)?;
            check_case(&reference, &["type", "name", "uri"])?;
            let text = |member| reference.get(member).and_then(Value::as_text);
            let (kind, name) = match text("type").as_deref() {
                Some("ref/prompt") => (TargetKind::Prompt, text("name")),
                Some("ref/resource") => (TargetKind::Resource, text("uri")),
                _ => return Err(unnamed),
            };
            let name = name.ok_or(unnamed)?;
            Ok(vec![Target { kind, name }])
        }
        MethodClass::Listens => {
            let filter = match params.get("notifications") {
                None => return Ok(Vec::new()),
                Some(Value::Object(filter)) => Object::parse_str(filter).map_err(fault_of)?,
                Some(_) => return Err(invalid_params("the notifications are no object")),
            };
            check_case(&filter, &["resourceSubscriptions"])?;
            let Some(uris) = filter.get("resourceSubscriptions") else {
                return Ok(Vec::new());
            };
            let uris = uris.elements();
            let uris = uris.ok_or(invalid_params("the subscriptions are no array"))?;
            uris.map(|uri| {
                let name = uri.as_text();
                let name = name.ok_or(invalid_params("a subscription is no string"))?;
                let kind = TargetKind::Resource;
                Ok(Target { kind, name })
            })
            .collect()
        }
    }
}

fn protocol_version<'b>(params: &Object<'b>) -> Result<Option<Cow<'b, str>>, MessageFault> {
    let Some(Value::Object(meta)) = params.get("_meta") else {
        return Ok(None);
    };
    let meta = Object::parse_str(meta).map_err(fault_of)?;
    match meta.get("io.modelcontextprotocol/protocolVersion") {
        None => Ok(None),
        Some(version) => {
            let version = version.as_text();
            let version = version.ok_or(invalid_params("the protocol version is no string"))?;
            Ok(Some(version))
        }
    }
}

/// The text of an `id`: a string or a number.
fn raw_id(id: Value<'_>) -> Option<Cow<'_, str>> {
    match id {
        Value::Number(text) => Some(Cow::Borrowed(text)),
        Value::String(quoted) => Some(Cow::Owned(format!("\"{}\"", quoted.raw()))),
        _ => None,
    }
}

/// Refuses names that differ from known ones in case alone.
fn check_case(object: &Object<'_>, known: &[&str]) -> Result<(), MessageFault> {
    let is_lookalike = |name: &str| {
        let name_folds_to = |known: &str| {
            let folded = name.chars().map(ascii_fold);
            folded.eq(known.chars().map(ascii_fold))
        };
        let mut known = known.iter();
        known.any(|known| name != *known && name_folds_to(known))
    };
    if object.members().any(|(name, _)| is_lookalike(&name)) {
        return Err(invalid("the name of a member has the wrong case"));
    }
    Ok(())
}

/// Simple case folding of Unicode, for the characters that fold to ASCII.
const fn ascii_fold(one: char) -> char {
    match one {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        one => one.to_ascii_lowercase(),
    }
}

const fn invalid(message: &'static str) -> MessageFault {
    MessageFault::new(JsonRpcError::InvalidRequest, message)
}

const fn invalid_params(message: &'static str) -> MessageFault {
    MessageFault::new(JsonRpcError::InvalidParams, message)
}

const fn fault_of(fault: JsonFault) -> MessageFault {
    match fault {
        JsonFault::Malformed | JsonFault::TooManyNames => MessageFault::new(
            JsonRpcError::Parse,
            "the body is no strict JSON, or too deep",
        ),
        JsonFault::Duplicate => MessageFault::new(JsonRpcError::Parse, "a member is repeated"),
    }
}

#[cfg(test)]
mod tests;
