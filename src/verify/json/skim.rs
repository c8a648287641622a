//! Reads inside values that were scanned before, without a list of members.
//!
//! 1. The text is well formed, and no object in it names a member twice: the whole payload was scanned.
//!    So a value is passed by its brackets and quotes alone, and the first member with a name is the
//!    only one.
//! 2. A path is followed in one pass: an object on the way is entered where it begins, and not read to
//!    its end before.

use crate::verify::json::object::{JsonFault, Object, Quoted, Value};
use crate::verify::json::scanner::Scanner;

/// The value at a path of member names, from an object on.
enum Found<'a> {
    Value(Value<'a>),
    /// A name on the path is missing.
    Nothing,
    /// Something other than an object stands on the way.
    NoObject(Value<'a>),
}

/// The value of the member with exactly this name, in the text of an object.
pub(in crate::verify) fn found_in<'a>(object: &'a str, name: &str) -> Option<Value<'a>> {
    match follow(object, &[name]) {
        Found::Value(value) => Some(value),
        Found::Nothing | Found::NoObject(_) => None,
    }
}

/// Follows a path, which is not empty, from an object on.
fn follow<'a, S: AsRef<str>>(object: &'a str, path: &[S]) -> Found<'a> {
    let mut buffer = Vec::new();
    let mut scanner = Scanner::new(object, 0, &mut buffer);
    let mut path = path.iter();
    let Some(mut name) = path.next() else {
        return Found::Nothing;
    };
    scanner.at += 1; // The bracket of the first object.
    loop {
        let Some(stated) = scanner.skim_name() else {
            return Found::Nothing;
        };
        if !stated.is(name.as_ref()) {
            if scanner.skim().is_none() {
                return Found::Nothing;
            }
            continue;
        }
        let next = path.next();
        match next {
            Some(next) if scanner.peek() == Some(b'{') => {
                scanner.at += 1;
                name = next;
            }
            _ => {
                return match scanner.skim() {
                    None => Found::Nothing,
                    Some(value) if next.is_some() => Found::NoObject(value),
                    Some(value) => Found::Value(value),
                };
            }
        }
    }
}

impl<'a> Object<'a> {
    /// The value at a path of member names. Absent when a name on the path is missing;
    /// a path through something other than an object is a fault. The error is `Malformed`.
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
                let counts = |value: Value<'_>| !(self.skips_empty() && value.is_empty());
                match follow(text, rest) {
                    Found::Value(value) if counts(value) => Ok(Some(value)),
                    Found::NoObject(value) if counts(value) => Err(JsonFault::Malformed),
                    Found::Value(_) | Found::NoObject(_) | Found::Nothing => Ok(None),
                }
            }
            (Some(_), _) => Err(JsonFault::Malformed),
        }
    }
}

/// The members of an object, in order.
pub(in crate::verify) struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Members<'a> {
    pub(in crate::verify) const fn of(object: &'a str) -> Self {
        Self {
            text: object,
            at: 1,
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Quoted<'a>, Value<'a>);

    fn next(&mut self) -> Option<(Quoted<'a>, Value<'a>)> {
        let mut buffer = Vec::new();
        let mut scanner = Scanner::new(self.text, self.at, &mut buffer);
        let name = scanner.skim_name()?;
        let value = scanner.skim()?;
        self.at = scanner.at;
        Some((name, value))
    }
}

impl<'a> Scanner<'a, '_> {
    /// Passes what separates members or elements.
    pub(super) fn skim_comma(&mut self) {
        self.blanks();
        if self.peek() == Some(b',') {
            self.at += 1;
            self.blanks();
        }
    }

    /// Passes the name of the next member; `None` at the end of the object.
    fn skim_name(&mut self) -> Option<Quoted<'a>> {
        self.skim_comma();
        if self.peek() != Some(b'"') {
            return None;
        }
        let (span, escaped) = self.string().ok()?;
        self.blanks();
        self.at += 1; // The colon.
        self.blanks();
        Some(Quoted::new(span.of(self.text()), escaped))
    }

    /// Passes a value.
    pub(super) fn skim(&mut self) -> Option<Value<'a>> {
        let from = self.at;
        match self.peek()? {
            b'"' => {
                let (span, escaped) = self.string().ok()?;
                Some(Value::String(Quoted::new(span.of(self.text()), escaped)))
            }
            open @ (b'{' | b'[') => {
                self.skim_brackets()?;
                let text = self.text().get(from..self.at)?;
                Some(if open == b'{' {
                    Value::Object(text)
                } else {
                    Value::Array(text)
                })
            }
            b't' => Some(self.skim_word(4, Value::Bool(true))),
            b'f' => Some(self.skim_word(5, Value::Bool(false))),
            b'n' => Some(self.skim_word(4, Value::Null)),
            _ => {
                let is_end =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                let length = self.rest().iter().position(is_end);
                self.at += length.unwrap_or_else(|| self.rest().len());
                Some(Value::Number(self.text().get(from..self.at)?))
            }
        }
    }

    const fn skim_word(&mut self, length: usize, value: Value<'a>) -> Value<'a> {
        self.at += length;
        value
    }

    /// Passes everything up to the bracket that closes the one here.
    fn skim_brackets(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string().ok()?;
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = concat!(
        r#" { "a" : { "x":"}\"", "b":{"c\u0064":[1,{"e":"]"}], "n" :null}} ,"#,
        r#""l":[ "p", "\u0071", -1.5e3 ,true,false, null,[],{} ], "t":true}"#
    );

    #[test]
    fn skim_finds_what_a_scan_finds() {
        let object = Object::parse_str(TEXT).expect("well formed");
        let at = |path: &[&str]| {
            object
                .at_path(path)
                .map(|found| found.map(Value::type_name))
        };
        assert_eq!(at(&["a", "b", "cd"]), Ok(Some("array")));
        assert_eq!(at(&["a", "b", "n"]), Ok(Some("null")));
        assert_eq!(at(&["a", "x"]), Ok(Some("string")));
        assert_eq!(at(&["a", "b", "missing"]), Ok(None));
        assert_eq!(at(&["a", "missing", "cd"]), Ok(None));
        assert!(at(&["a", "x", "deeper"]).is_err());
        assert!(at(&["t", "deeper"]).is_err());
        assert_eq!(at(&["missing", "deeper"]), Ok(None));
        let found = object
            .at_path(&["a", "x"])
            .expect("objects")
            .and_then(Value::as_text);
        assert_eq!(found.as_deref(), Some("}\""));
    }

    #[test]
    fn skim_gives_every_element_and_member() {
        let object = Object::parse_str(TEXT).expect("well formed");
        let list = object.get("l").and_then(Value::elements).expect("a list");
        let types: Vec<&str> = list.map(Value::type_name).collect();
        assert_eq!(
            types,
            [
                "string", "string", "number", "boolean", "boolean", "null", "array", "object"
            ]
        );
        let Some(Value::Object(text)) = object.get("a") else {
            panic!("an object");
        };
        let names: Vec<_> = Members::of(text).map(|(name, _)| name.text()).collect();
        assert_eq!(names, ["x", "b"]);
        assert_eq!(Members::of("{ }").count(), 0);
    }

    /// Follows a path by a scan of each object on the way.
    fn at_scanned_path<'a>(
        object: &Object<'a>,
        path: &[&str],
    ) -> Result<Option<Value<'a>>, JsonFault> {
        let Some((first, rest)) = path.split_first() else {
            return Ok(None);
        };
        match (object.get(first), rest) {
            (found, []) => Ok(found),
            (None, _) => Ok(None),
            (Some(Value::Object(text)), _) => {
                let inner = Object::parse_str(text)?;
                if object.skips_empty() {
                    return at_scanned_path(&inner.without_empty_members(), rest);
                }
                at_scanned_path(&inner, rest)
            }
            (Some(_), _) => Err(JsonFault::Malformed),
        }
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("-0.5e+2".to_owned()),
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("[]".to_owned()),
            Just("\"\"".to_owned()),
            Just(r#""\"}\\""#.to_owned()),
            Just(r#""a""#.to_owned()),
        ];
        let name = prop_oneof![
            Just("a"),
            Just("b"),
            Just("\\u0061"),
            Just("\\u0062"),
            Just("")
        ];
        leaf.prop_recursive(4, 48, 4, move |inner| {
            let blank = prop_oneof![Just(""), Just(" "), Just("\t\n")];
            let member =
                (name.clone(), blank.clone(), inner.clone()).prop_map(|(name, blank, value)| {
                    format!("{blank}\"{name}\"{blank}:{blank}{value}{blank}")
                });
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|all| format!("[{}]", all.join(" ,"))),
                (blank, prop::collection::vec(member, 0..4))
                    .prop_map(|(blank, all)| format!("{{{blank}{}}}", all.join(","))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 8 * ProptestConfig::default().cases,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn skim_follows_a_path_as_a_scan_of_each_object_does(
            inner in json(),
            path in prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("")], 0..4),
            skips_empty in any::<bool>(),
        ) {
            let text = format!("{{\"a\":{inner}}}");
            let Ok(mut object) = Object::parse_str(&text) else { return Ok(()) };
            if skips_empty {
                object = object.without_empty_members();
            }
            let path: Vec<&str> = std::iter::once("a").chain(path).collect();
            let shown = |found: Result<Option<Value<'_>>, JsonFault>| format!("{found:?}");
            let (skimmed, scanned) = (object.at_path(&path), at_scanned_path(&object, &path));
            prop_assert_eq!(shown(skimmed), shown(scanned), "{} {:?}", text, path);
        }
    }
}
