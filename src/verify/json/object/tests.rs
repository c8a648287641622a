use proptest::prelude::*;

use super::*;
use crate::verify::json::scanner::MAX_DEPTH;

fn fault(text: &str) -> JsonFault {
    Object::parse_str(text).expect_err(text)
}

#[test]
fn members_are_found_by_their_resolved_names() {
    let object = Object::parse_str(r#" {"a":1,"\u0062":"x\u00e9\n","c":{"d":[1,{"e":2}]}} "#)
        .expect("an object");
    assert_eq!(object.get("a"), Some(Value::Number("1")));
    assert_eq!(
        object.get("b").and_then(Value::as_text),
        Some("xé\n".into())
    );
    assert_eq!(object.get("A"), None);
    let array = object
        .at_path(&["c", "d"])
        .expect("a path")
        .expect("a value");
    assert_eq!(array.elements().expect("an array").count(), 2);
    assert_eq!(object.at_path(&["c", "x"]), Ok(None));
    assert_eq!(object.at_path(&["a", "x"]), Err(JsonFault::Malformed));
}

#[test]
fn a_repeated_name_is_a_fault_at_every_depth_and_in_disguise() {
    assert_eq!(fault(r#"{"exp":1,"\u0065xp":2}"#), JsonFault::Duplicate);
    assert_eq!(
        fault(r#"{"a":[{"b":{"c":1,"c":1}}]}"#),
        JsonFault::Duplicate
    );
    assert!(Object::parse_str(r#"{"a":{"b":1},"b":{"a":1,"c":{"a":1}}}"#).is_ok());
    let many: Vec<String> = (0..100).map(|n| format!("\"n{n}\":0")).collect();
    assert!(Object::parse_str(&format!("{{{}}}", many.join(","))).is_ok());
    assert_eq!(
        fault(&format!("{{{},\"n7\":0}}", many.join(","))),
        JsonFault::Duplicate
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
    assert!(Object::parse_str(&nested(MAX_DEPTH - 1)).is_ok());
    assert_eq!(fault(&nested(MAX_DEPTH)), JsonFault::Malformed);
    assert_eq!(fault(&"[".repeat(100_000)), JsonFault::Malformed);
    assert_eq!(fault(&"{\"a\":".repeat(100_000)), JsonFault::Malformed);
}

/// A slow reference: `serde_json`, with a search for duplicates in every object.
#[derive(Debug)]
enum Reference {
    Scalar(serde_json::Value),
    Array(Vec<Reference>),
    Object(Vec<(String, Reference)>),
}

impl<'de> serde::Deserialize<'de> for Reference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Reference;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("json")
            }
            fn visit_unit<E>(self) -> Result<Reference, E> {
                Ok(Reference::Scalar(serde_json::Value::Null))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Reference, E> {
                Ok(Reference::Scalar(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Reference, E> {
                Ok(Reference::Scalar(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Reference, E> {
                Ok(Reference::Scalar(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Reference, E> {
                Ok(Reference::Scalar(value.into()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Reference, E> {
                Ok(Reference::Scalar(value.into()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Reference, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Reference::Array(elements))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Reference, A::Error> {
                let mut members: Vec<(String, Reference)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Reference>()? {
                    if members.iter().any(|(held, _)| *held == name) {
                        return Err(serde::de::Error::custom("duplicate"));
                    }
                    members.push((name, value));
                }
                Ok(Reference::Object(members))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

fn same(ours: Value<'_>, reference: &Reference) -> bool {
    match (ours, reference) {
        (Value::Null, Reference::Scalar(serde_json::Value::Null)) => true,
        (Value::Bool(ours), Reference::Scalar(serde_json::Value::Bool(theirs))) => ours == *theirs,
        (Value::Number(ours), Reference::Scalar(serde_json::Value::Number(theirs))) => {
            serde_json::from_str::<serde_json::Number>(ours).is_ok_and(|ours| ours == *theirs)
        }
        (Value::String(ours), Reference::Scalar(serde_json::Value::String(theirs))) => {
            ours.text() == *theirs
        }
        (array @ Value::Array(_), Reference::Array(theirs)) => {
            let ours: Vec<_> = array.elements().into_iter().flatten().collect();
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| same(*ours, theirs))
        }
        (Value::Object(text), Reference::Object(theirs)) => {
            Object::parse_str(text).is_ok_and(|ours| same_object(&ours, theirs))
        }
        _ => false,
    }
}

fn same_object(ours: &Object<'_>, theirs: &[(String, Reference)]) -> bool {
    ours.members.get().list.len() == theirs.len()
        && theirs
            .iter()
            .all(|(name, value)| ours.get(name).is_some_and(|ours| same(ours, value)))
}

fn agree(text: &str) {
    let reference = serde_json::from_str::<Reference>(text);
    match (Object::parse_str(text), reference) {
        (Ok(ours), Ok(Reference::Object(theirs))) => {
            assert!(same_object(&ours, &theirs), "different values: {text:?}");
        }
        (Err(_), Ok(Reference::Scalar(_) | Reference::Array(_)) | Err(_)) => {}
        // A number that no f64 holds is still one by its grammar; who reads it decides.
        (Ok(_), Err(error)) if error.to_string().contains("out of range") => {}
        (ours, theirs) => panic!("{text:?}: {ours:?} against {theirs:?}"),
    }
}

fn json() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[a-e]{0,2}",
        Just("\\u0061".to_owned()),
        Just("\\ud83d\\ude00".to_owned()),
        Just("\\ud83d".to_owned()),
        Just("\\n\\\"".to_owned()),
        "\\PC{0,4}",
    ]
    .prop_map(|inner| format!("\"{inner}\""));
    let number = "-?(0|[1-9][0-9]{0,6})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        text.clone(),
        number,
    ];
    let value = leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|all| format!("[{}]", all.join(" , "))),
            prop::collection::vec((text.clone(), inner), 0..5).prop_map(|all| {
                let members: Vec<_> = all.iter().map(|(n, v)| format!("{n} :{v}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    value.prop_map(|value| format!("{{\"x\":{value}}}"))
}

/// The value at a path, where `null`, an empty text and an empty list are absent; an error
/// where the way leads through something that is no object.
fn without_empty<'v>(
    object: &'v [(String, Reference)],
    path: &[&str],
) -> Result<Option<&'v Reference>, ()> {
    let (first, rest) = path.split_first().ok_or(())?;
    let found = object.iter().find(|(name, _)| name == first);
    let found = found.map(|(_, value)| value).filter(|value| match value {
        Reference::Scalar(value) => !value.is_null() && value != "",
        Reference::Array(elements) => !elements.is_empty(),
        Reference::Object(_) => true,
    });
    match (found, rest) {
        (found, []) => Ok(found),
        (None, _) => Ok(None),
        (Some(Reference::Object(inner)), _) => without_empty(inner, rest),
        (Some(_), _) => Err(()),
    }
}

#[test]
fn empty_members_are_absent_at_every_depth_and_full_ones_stay() {
    let text = r#"{"n":null,"t":"","l":[ ],"o":{},"in":{"n":null,"l":[null],"s":" "}}"#;
    let plain = Object::parse_str(text).expect("an object");
    for name in ["n", "t", "l", "o"] {
        assert!(plain.get(name).is_some(), "{name} is there");
    }
    let object = plain.without_empty_members();
    for name in ["n", "t", "l"] {
        assert_eq!(object.get(name), None, "{name}");
        assert!(object.get_even_if_empty(name).is_some(), "{name}");
    }
    assert_eq!(object.get("o"), Some(Value::Object("{}")));
    assert_eq!(object.at_path(&["in", "n"]), Ok(None));
    assert_eq!(object.at_path(&["n", "x"]), Ok(None));
    assert_eq!(
        object.at_path(&["in", "l"]),
        Ok(Some(Value::Array("[null]")))
    );
    assert!(matches!(object.at_path(&["in", "s"]), Ok(Some(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8 * ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_objects_are_read_as_the_reference_reads_them(text in json()) {
        agree(&text);
    }

    #[test]
    fn empty_members_are_left_out_where_the_reference_leaves_them_out(
        text in json(),
        path in prop::collection::vec("[a-e]{0,1}", 0..3),
    ) {
        let path: Vec<&str> = ["x"].into_iter().chain(path.iter().map(String::as_str)).collect();
        if let (Ok(ours), Ok(Reference::Object(theirs))) =
            (Object::parse_str(&text), serde_json::from_str(&text))
        {
            let ours = ours.without_empty_members();
            match (ours.at_path(&path), without_empty(&theirs, &path)) {
                (Ok(None), Ok(None)) | (Err(_), Err(())) => {}
                (Ok(Some(ours)), Ok(Some(theirs))) => prop_assert!(same(ours, theirs)),
                (ours, theirs) => panic!("{text} at {path:?}: {ours:?} against {theirs:?}"),
            }
        }
    }

    #[test]
    fn damaged_objects_are_judged_as_the_reference_judges_them(
        text in json(),
        at in any::<prop::sample::Index>(),
        damage in "[\\[\\]{}\",:0-9eE+.\\\\ua \\t\u{0}tfn-]{0,3}",
        cut in 0_usize..3,
    ) {
        let chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        let end = (at + cut).min(chars.len());
        let damaged: String = chars[..at]
            .iter()
            .copied()
            .chain(damage.chars())
            .chain(chars[end..].iter().copied())
            .collect();
        agree(&damaged);
    }

    #[test]
    fn random_texts_are_judged_as_the_reference_judges_them(
        text in "[{}\\[\\]\",:0-9eE+.\\\\uadtrfnl \\n-]{0,24}",
    ) {
        agree(&text);
    }
}
