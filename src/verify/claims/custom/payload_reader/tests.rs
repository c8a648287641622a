use std::collections::HashMap;

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct MetadataQuery {
    email: Option<String>,
    #[serde(default)]
    level: u8,
    #[serde(default)]
    nested: Option<Nested>,
    #[serde(default)]
    kind: Option<Kind>,
    #[serde(default)]
    labels: HashMap<String, u8>,
    #[serde(default, rename = "https://x.example/team")]
    team: Option<String>,
    #[serde(default)]
    own: Option<Own>,
    must: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Nested {
    list: Vec<u8>,
    pair: Option<(u8, u8)>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code)]
enum Kind {
    Small,
    Large { size: u8 },
}

#[derive(Debug)]
struct Own;

impl<'de> Deserialize<'de> for Own {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Err(de::Error::custom(format!("bad value {text}")))
    }
}

fn error_message(payload: &str) -> String {
    assert!(
        serde_json::from_str::<MetadataQuery>(payload).is_err(),
        "{payload}"
    );
    let error = deserialize_error::<MetadataQuery>(payload);
    let rejection = crate::model::error::rejection::Rejection::from(error);
    rejection
        .detail()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[test]
fn private_names_of_serde_json_are_found_in_every_writing_and_at_every_depth() {
    for payload in [
        r#"{"$serde_json::private::RawValue":"1"}"#,
        r#"{"$serde_json::private::Number":"1"}"#,
        r#"{"a":[{"b":{"$serde_json::private::RawValue":"1"}}]}"#,
        r#"{"a":{"\u0024serde_json::private::RawValue":"1"}}"#,
        r#"{"a":{"$serde\u005fjson\u003a\u003aprivate::RawValue":"1"}}"#,
    ] {
        assert!(has_private_name(payload), "{payload}");
    }
    for payload in [
        r#"{"a":"$serde_json::private::RawValue"}"#,
        r#"{"serde_json::private::RawValue":"1"}"#,
        r#"{"a":"\u0024"}"#,
    ] {
        assert!(!has_private_name(payload), "{payload}");
    }
}

#[test]
fn custom_claims_misfit_names_place_and_types_and_no_value() {
    for (payload, expected) in [
        ("{}", "claim=must problem=missing"),
        (
            r#"{"must":true,"email":5}"#,
            "claim=email problem=wrong_type expected=a string found=number",
        ),
        (
            r#"{"must":"secret"}"#,
            "claim=must problem=wrong_type expected=a boolean found=string",
        ),
        (
            r#"{"must":null}"#,
            "claim=must problem=wrong_type expected=a boolean found=null",
        ),
        (
            r#"{"must":true,"level":300}"#,
            "claim=level problem=malformed expected=u8 found=number",
        ),
        (
            r#"{"must":true,"level":-1.5}"#,
            "claim=level problem=wrong_type expected=u8 found=number",
        ),
        (
            r#"{"must":true,"nested":{"list":[1,2,"secret"]}}"#,
            "claim=nested.list[2] problem=wrong_type expected=u8 found=string",
        ),
        (
            r#"{"must":true,"nested":{"list":[],"pair":[1]}}"#,
            "claim=nested.pair problem=malformed expected=a tuple of size 2",
        ),
        (
            r#"{"must":true,"nested":{"secret":1}}"#,
            "claim=nested.* problem=malformed expected=no member but list, pair",
        ),
        (
            r#"{"must":true,"kind":"secret"}"#,
            "claim=kind problem=malformed expected=small | large",
        ),
        (
            r#"{"must":true,"kind":{"large":{"size":"secret"}}}"#,
            "claim=kind.large.size problem=wrong_type expected=u8 found=string",
        ),
        (
            r#"{"must":true,"labels":{"secret":"secret"}}"#,
            "claim=labels.* problem=wrong_type expected=u8 found=string",
        ),
        (
            r#"{"must":true,"https://x.example/team":{"secret":1}}"#,
            "claim=https://x.example/team problem=wrong_type expected=a string found=object",
        ),
        (
            r#"{"must":true,"own":"secret"}"#,
            "claim=own problem=malformed",
        ),
    ] {
        let message = error_message(payload);
        assert_eq!(message, expected, "{payload}");
        assert!(!message.contains("secret"), "{message}");
    }
}
