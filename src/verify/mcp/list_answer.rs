//! An answer to a list method without the entries that a caller cannot use.
//!
//! The text is cut and otherwise left as it is.

use crate::verify::json::object::{JsonFault, Object, Value};
use crate::verify::mcp::method::TargetKind;

/// The lists in results, what they hold, and the member that names an entry.
const LISTS: [(&str, TargetKind, &str); 4] = [
    ("tools", TargetKind::Tool, "name"),
    ("prompts", TargetKind::Prompt, "name"),
    ("resources", TargetKind::Resource, "uri"),
    ("resourceTemplates", TargetKind::Resource, "uriTemplate"),
];

/// The JSON-RPC response, or the batch of them, without the entries of lists that `allows` refuses.
/// Entries without a name go too.
///
/// # Errors
///
/// The text is no strict JSON object or array.
pub(crate) fn without_hidden(
    text: &str,
    allows: &dyn Fn(TargetKind, &str) -> bool,
) -> Result<String, JsonFault> {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    if !text.starts_with('[') {
        return one(text, allows);
    }
    let batch = Value::parse_array(text)?;
    let answers: Result<Vec<String>, JsonFault> = batch
        .elements()
        .into_iter()
        .flatten()
        .map(|element| match element {
            Value::Object(text) => one(text, allows),
            _ => Err(JsonFault::Malformed),
        })
        .collect();
    Ok(format!("[{}]", answers?.join(",")))
}

fn one(text: &str, allows: &dyn Fn(TargetKind, &str) -> bool) -> Result<String, JsonFault> {
    let (_, result) = Object::parse_with_inner(text, "result")?;
    let mut out = String::with_capacity(text.len());
    let mut written = 0;
    for (name, value) in result.members() {
        let list = LISTS.iter().find(|(list, ..)| *list == name);
        let (Some((_, kind, member)), Value::Array(array)) = (list, value) else {
            continue;
        };
        // The array is a part of the text.
        let start = (array.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
        out.push_str(text.get(written..start).ok_or(JsonFault::Malformed)?);
        written = start + array.len();
        let kept: Vec<&str> = value
            .elements()
            .into_iter()
            .flatten()
            .filter_map(|entry| match entry {
                Value::Object(entry) => Some(entry),
                _ => None,
            })
            .filter(|entry| {
                let entry = Object::parse_str(entry).ok();
                let named = entry.and_then(|entry| entry.get(member)?.as_text());
                named.is_some_and(|name| allows(*kind, &name))
            })
            .collect();
        out.push('[');
        out.push_str(&kept.join(","));
        out.push(']');
    }
    out.push_str(text.get(written..).ok_or(JsonFault::Malformed)?);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(text: &str) -> Result<String, JsonFault> {
        without_hidden(text, &|_, name| name.contains("ok"))
    }

    #[test]
    fn entries_that_are_refused_are_cut_and_the_rest_stays_byte_for_byte() {
        let text = r#" {"jsonrpc": "2.0", "id":1,"result":{ "tools" : [ {"name":"ok1","x":[1, 2]}, {"name":"no"},{"name":"o\u006b2"} ],"nextCursor":"c", "prompts":[{"name":"no"}]}}"#;
        let expected = r#"{"jsonrpc": "2.0", "id":1,"result":{ "tools" : [{"name":"ok1","x":[1, 2]},{"name":"o\u006b2"}],"nextCursor":"c", "prompts":[]}}"#;
        assert_eq!(filtered(text).as_deref(), Ok(expected));
        let resources = r#"{"result":{"resources":[{"uri":"no:1"},{"uri":"ok:1"}],"resourceTemplates":[{"uriTemplate":"ok:{id}"},{"uriTemplate":"no:{id}"}]}}"#;
        let expected = r#"{"result":{"resources":[{"uri":"ok:1"}],"resourceTemplates":[{"uriTemplate":"ok:{id}"}]}}"#;
        assert_eq!(filtered(resources).as_deref(), Ok(expected));
    }

    #[test]
    fn other_messages_stay_as_they_are() {
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"name":"no"}]}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"tools":[{"name":"no"}]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m"}}"#,
            r#"{"result":{"tools":"no"}}"#,
        ] {
            assert_eq!(filtered(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn batch_is_filtered_member_by_member() {
        let batch = r#"[{"id":1,"result":{"tools":[{"name":"no"}]}}, {"id":2,"result":{}}]"#;
        let expected = r#"[{"id":1,"result":{"tools":[]}},{"id":2,"result":{}}]"#;
        assert_eq!(filtered(batch).as_deref(), Ok(expected));
    }

    #[test]
    fn entries_without_a_name_are_cut_and_what_is_no_json_is_an_error() {
        let text = r#"{"result":{"tools":[{"title":"ok"},"ok",{"name":1}]}}"#;
        assert_eq!(filtered(text).as_deref(), Ok(r#"{"result":{"tools":[]}}"#));
        for text in ["", "nonsense", "[1]", r#"{"result":{"tools":[]}"#, r#"{"a":1,"a":2}"#] {
            assert!(filtered(text).is_err(), "{text}");
        }
    }
}
