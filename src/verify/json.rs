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

/// Deepest nesting that is read. Real tokens stay below 8; the call stack stays small.
const MAX_DEPTH: usize = 64;

/// Objects with more members than this are searched for duplicates by sorting.
const FEW: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonFault {
    /// Not one strict JSON object.
    Malformed,
    /// An object names a member twice.
    Duplicate,
}

/// The members of an object, in order.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, Value<'a>)>,
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
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, JsonFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| JsonFault::Malformed)?;
        Self::parse_str(text)
    }

    /// Reads one object from `text`.
    pub(crate) fn parse_str(text: &'a str) -> Result<Self, JsonFault> {
        let mut scanner = Scanner {
            text,
            at: 0,
            names: Vec::new(),
        };
        let mut members = Vec::with_capacity(FEW + FEW);
        scanner.blanks();
        scanner.object(0, |_, name, value| members.push((name, value)))?;
        scanner.blanks();
        if scanner.at != text.len() {
            return Err(JsonFault::Malformed);
        }
        if has_duplicates(members.iter().map(|(name, _)| name)) {
            return Err(JsonFault::Duplicate);
        }
        Ok(Self { members })
    }

    /// The value of the member with exactly this name.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        self.members
            .iter()
            .find(|(held, _)| held == name)
            .map(|(_, value)| *value)
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
            (Some(Value::Object(text)), _) => Self::parse_str(text)?.at_path(rest),
            (Some(_), _) => Err(JsonFault::Malformed),
        }
    }
}

impl<'a> Value<'a> {
    /// The string, escapes resolved.
    pub(crate) fn as_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::String(quoted) => Some(quoted.text()),
            _ => None,
        }
    }

    /// The elements of an array.
    pub(crate) fn elements(self) -> Option<Elements<'a>> {
        match self {
            Self::Array(text) => Some(Elements {
                scanner: Scanner {
                    text,
                    at: 1,
                    names: Vec::new(),
                },
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
    scanner: Scanner<'a>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.scanner.blanks();
        if self.scanner.peek() == Some(b',') {
            self.scanner.at += 1;
            self.scanner.blanks();
        }
        if self.scanner.peek() == Some(b']') {
            return None;
        }
        self.scanner.value(0).ok()
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Names of the nested objects that are open, outermost first.
    names: Vec<Cow<'a, str>>,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn slice(&self, from: usize) -> Result<&'a str, JsonFault> {
        self.text.get(from..self.at).ok_or(JsonFault::Malformed)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonFault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(JsonFault::Malformed)
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, JsonFault> {
        if self.rest().starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(JsonFault::Malformed)
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, JsonFault> {
        let from = self.at;
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => {
                self.nested_object(depth)?;
                self.slice(from).map(Value::Object)
            }
            Some(b'[') => {
                self.array(depth)?;
                self.slice(from).map(Value::Array)
            }
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                self.slice(from).map(Value::Number)
            }
            _ => Err(JsonFault::Malformed),
        }
    }

    /// Reads an object and hands each member to `found`.
    fn object(
        &mut self,
        depth: usize,
        mut found: impl FnMut(&mut Self, Cow<'a, str>, Value<'a>),
    ) -> Result<(), JsonFault> {
        if depth >= MAX_DEPTH {
            return Err(JsonFault::Malformed);
        }
        self.expect(b'{')?;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let name = self.string()?.text();
            self.blanks();
            self.expect(b':')?;
            self.blanks();
            let value = self.value(depth + 1)?;
            found(self, name, value);
            self.blanks();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.blanks();
                }
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(JsonFault::Malformed),
            }
        }
    }

    /// Reads an object whose members nobody asked for yet, but for the search for duplicates.
    fn nested_object(&mut self, depth: usize) -> Result<(), JsonFault> {
        let mark = self.names.len();
        self.object(depth, |scanner, name, _| scanner.names.push(name))?;
        let repeated = has_duplicates(self.names.iter().skip(mark));
        self.names.truncate(mark);
        if repeated {
            Err(JsonFault::Duplicate)
        } else {
            Ok(())
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonFault> {
        if depth >= MAX_DEPTH {
            return Err(JsonFault::Malformed);
        }
        self.expect(b'[')?;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.blanks();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.blanks();
                }
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(JsonFault::Malformed),
            }
        }
    }

    fn string(&mut self) -> Result<Quoted<'a>, JsonFault> {
        self.expect(b'"')?;
        let from = self.at;
        let mut escaped = false;
        loop {
            let plain = self
                .rest()
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F))
                .ok_or(JsonFault::Malformed)?;
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    let raw = self.slice(from)?;
                    self.at += 1;
                    return Ok(Quoted { raw, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                _ => return Err(JsonFault::Malformed), // RFC 8259 s7: control characters are escaped
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonFault> {
        let kind = self.peek().ok_or(JsonFault::Malformed)?;
        self.at += 1;
        match kind {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.hex4()? {
                0xD800..=0xDBFF => {
                    // RFC 8259 s8.2: a lone surrogate means nothing that everybody agrees on.
                    self.expect(b'\\')?;
                    self.expect(b'u')?;
                    match self.hex4()? {
                        0xDC00..=0xDFFF => Ok(()),
                        _ => Err(JsonFault::Malformed),
                    }
                }
                0xDC00..=0xDFFF => Err(JsonFault::Malformed),
                _ => Ok(()),
            },
            _ => Err(JsonFault::Malformed),
        }
    }

    fn hex4(&mut self) -> Result<u32, JsonFault> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self
                .peek()
                .and_then(|byte| char::from(byte).to_digit(16))
                .ok_or(JsonFault::Malformed)?;
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        let count = self
            .rest()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.at += count;
        if count == 0 {
            Err(JsonFault::Malformed)
        } else {
            Ok(())
        }
    }
}

fn has_duplicates<'n, 'a: 'n>(
    names: impl ExactSizeIterator<Item = &'n Cow<'a, str>> + Clone,
) -> bool {
    if names.len() <= FEW {
        let mut left = names;
        while let Some(name) = left.next() {
            if left.clone().any(|other| other == name) {
                return true;
            }
        }
        return false;
    }
    let mut sorted: Vec<&str> = names.map(AsRef::as_ref).collect();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair.first() == pair.last())
}

/// Resolves the escapes of a string that the scanner found sound.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut units: Vec<u16> = Vec::new();
    let mut chars = raw.chars();
    while let Some(next) = chars.next() {
        let plain = if next == '\\' {
            match chars.next() {
                Some('u') => {
                    let unit = chars
                        .by_ref()
                        .take(4)
                        .filter_map(|digit| digit.to_digit(16))
                        .fold(0_u32, |unit, digit| unit * 16 + digit);
                    units.push(u16::try_from(unit).unwrap_or(u16::MAX));
                    continue;
                }
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(itself) => itself,
                None => break,
            }
        } else {
            next
        };
        flush(&mut units, &mut text);
        text.push(plain);
    }
    flush(&mut units, &mut text);
    text
}

fn flush(units: &mut Vec<u16>, text: &mut String) {
    text.extend(
        char::decode_utf16(units.drain(..)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)),
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        ours.members.len() == theirs.len()
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

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn generated_objects_are_read_as_the_reference_reads_them(text in json()) {
            agree(&text);
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
