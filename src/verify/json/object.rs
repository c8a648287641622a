//! Strict JSON objects, read in one pass and without copying.
//!
//! 1. The text is UTF-8 and exactly one object (RFC 7519 section 7.2, RFC 8259); no byte-order
//!    mark, nothing behind it.
//! 2. No object at any depth names a member twice, escapes resolved (RFC 7515 section 4,
//!    RFC 7519 section 4).
//! 3. Every string is complete and sound: known escapes, paired surrogates, no raw control
//!    characters. Every number has the grammar of RFC 8259 section 6.
//! 4. At most 64 levels deep; work is linear in the text but for the search for duplicates
//!    in an object, which sorts.

use std::borrow::Cow;

pub(crate) use crate::verify::json::members::Members;
use crate::verify::json::members::{Member, Scanned, ValueKind};
pub(crate) use crate::verify::json::scanner::JsonFault;
use crate::verify::json::scanner::{Scanner, scan};
use crate::verify::json::unescape::unescape;

/// The members of an object, in order.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    text: &'a str,
    members: Storage<'a>,
}

/// Members of our own, or such as somebody keeps room for.
#[derive(Debug)]
enum Storage<'a> {
    Own(Box<Members>),
    Lent(&'a Members),
}

/// A value that is known to be well formed. Containers are kept as text and read on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    String(Quoted<'a>),
    Array(&'a str),
    Object(&'a str),
}

/// A string between its quotes, escapes unresolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoted<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Object<'a> {
    /// Reads one object from `bytes`.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, JsonFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| JsonFault::Malformed)?;
        Self::parse_str(text)
    }

    /// Reads one object from `text`.
    pub(crate) fn parse_str(text: &'a str) -> Result<Self, JsonFault> {
        let mut members = Members::default();
        scan(text, &mut members)?;
        Ok(Self {
            text,
            members: Storage::Own(Box::new(members)),
        })
    }

    /// Reads one object from `text` into room that was used before.
    pub(in crate::verify) fn parse_into(
        text: &'a str,
        members: &'a mut Members,
    ) -> Result<Self, JsonFault> {
        scan(text, members)?;
        Ok(Self {
            text,
            members: Storage::Lent(members),
        })
    }

    /// The same object in another copy of its text.
    pub(in crate::verify) fn within<'b>(&'b self, copy: &'b str) -> Object<'b> {
        debug_assert_eq!(self.text, copy);
        Object {
            text: copy,
            members: Storage::Lent(self.members.get()),
        }
    }

    /// The object whose members were listed in this text before.
    #[cfg(feature = "jwks")]
    pub(in crate::verify) const fn indexed(text: &'a str, members: &'a Members) -> Self {
        Self {
            text,
            members: Storage::Lent(members),
        }
    }

    /// The list of its members, which outlives the text together with a copy of it.
    #[cfg(feature = "jwks")]
    pub(in crate::verify) const fn index(&self) -> &Members {
        self.members.get()
    }

    /// The same object, in which a member that is `null`, an empty text or an empty list counts
    /// as absent, at every depth.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(in crate::verify) fn without_empty_members(self) -> Self {
        let mut members = match self.members {
            Storage::Own(members) => members,
            Storage::Lent(members) => Box::new(members.clone()),
        };
        members.skips_empty = true;
        Self {
            text: self.text,
            members: Storage::Own(members),
        }
    }

    /// The value of the member with exactly this name, empty or not.
    pub(in crate::verify) fn get_even_if_empty(&self, name: &str) -> Option<Value<'a>> {
        let found = self.members.get().find(self.text, name)?;
        Some(Value::at(self.text, found))
    }

    /// The text that it was read from.
    pub(in crate::verify) const fn text(&self) -> &'a str {
        self.text
    }

    /// The value of the member with exactly this name.
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        let members = self.members.get();
        let value = Value::at(self.text, members.find(self.text, name)?);
        if members.skips_empty && value.is_empty() {
            return None;
        }
        Some(value)
    }

    /// Names, escapes resolved, and values of the members, in order.
    pub(in crate::verify) fn members(
        &self,
    ) -> impl Iterator<Item = (Cow<'a, str>, Value<'a>)> + '_ {
        let text = self.text;
        let list = self.members.get().list.iter();
        list.map(move |member| (member.name(text), Value::at(text, member.value)))
    }

    /// The value at a path of member names. Absent when a name is missing on the way;
    /// a way that leads through something other than an object is a fault.
    pub(crate) fn at_path<S: AsRef<str>>(
        &self,
        path: &[S],
    ) -> Result<Option<Value<'a>>, JsonFault> {
        let Some((first, rest)) = path.split_first() else {
            return Ok(None);
        };
        match (self.get(first.as_ref()), rest) {
            (found, []) => Ok(found),
            (None, _) => Ok(None),
            (Some(Value::Object(text)), _) => {
                let inner = Self::parse_str(text)?;
                if self.members.get().skips_empty {
                    return inner.without_empty_members().at_path(rest);
                }
                inner.at_path(rest)
            }
            (Some(_), _) => Err(JsonFault::Malformed),
        }
    }
}

impl Storage<'_> {
    const fn get(&self) -> &Members {
        match self {
            Self::Own(members) => members,
            Self::Lent(members) => members,
        }
    }
}

impl<'a> Value<'a> {
    fn at(text: &'a str, Scanned { kind, span }: Scanned) -> Self {
        match kind {
            ValueKind::Null => Self::Null,
            ValueKind::Bool(value) => Self::Bool(value),
            ValueKind::Number => Self::Number(span.of(text)),
            ValueKind::String { escaped } => Self::String(Quoted {
                raw: span.of(text),
                escaped,
            }),
            ValueKind::Array => Self::Array(span.of(text)),
            ValueKind::Object => Self::Object(span.of(text)),
        }
    }

    /// Whether it is `null`, an empty text or an empty list.
    fn is_empty(self) -> bool {
        match self {
            Self::Null => true,
            Self::String(quoted) => quoted.raw.is_empty(),
            Self::Array(_) => self
                .elements()
                .is_some_and(|mut elements| elements.next().is_none()),
            Self::Bool(_) | Self::Number(_) | Self::Object(_) => false,
        }
    }

    /// The string, escapes resolved.
    pub(crate) fn as_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::String(quoted) => Some(quoted.text()),
            _ => None,
        }
    }

    /// The name of its type, for operators.
    pub(crate) const fn type_name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// The elements of an array.
    pub(crate) fn elements(self) -> Option<Elements<'a>> {
        match self {
            Self::Array(text) => Some(Elements {
                text,
                at: 1,
                room: Vec::new(),
            }),
            _ => None,
        }
    }
}

impl<'a> Quoted<'a> {
    /// The text that is meant. Borrowed unless it was written with escapes.
    pub(crate) fn text(self) -> Cow<'a, str> {
        if self.escaped {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }
}

/// The elements of an array that is known to be well formed.
pub(crate) struct Elements<'a> {
    text: &'a str,
    at: usize,
    room: Vec<Member>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let mut scanner = Scanner::new(self.text, self.at, &mut self.room);
        scanner.blanks();
        if scanner.peek() == Some(b',') {
            scanner.at += 1;
            scanner.blanks();
        }
        if scanner.peek() == Some(b']') {
            return None;
        }
        let found = scanner.value(0).ok()?;
        self.at = scanner.at;
        Some(Value::at(self.text, found))
    }
}

#[cfg(test)]
mod tests {
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
            (Value::Bool(ours), Reference::Scalar(serde_json::Value::Bool(theirs))) => {
                ours == *theirs
            }
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
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

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
}
