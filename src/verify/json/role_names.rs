//! Names of roles and groups, in the forms in which issuers write them.
//!
//! 1. An array of strings is always read. Every other form is read where a setting says so; else it
//!    grants nothing.
//! 2. A list grants as a whole or not at all: one element of another form, and none of it counts.

use std::borrow::Cow;

use crate::verify::json::object::Value;
use crate::verify::json::skim::{Members, found_in};

/// The forms that are read beside an array of strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NameForms {
    /// A lone name in place of an array.
    pub(crate) lone: bool,
    /// The names of an object's members.
    pub(crate) members: bool,
    /// Objects in an array, each with its name in this member.
    pub(crate) named_by: Option<Box<str>>,
    /// Whole numbers, by their digits.
    pub(crate) numbers: bool,
}

impl NameForms {
    /// The names that stand there; `None` where something else does.
    pub(in crate::verify) fn read<'c>(&self, value: Value<'c>) -> Option<Vec<Cow<'c, str>>> {
        let mut names = Vec::new();
        self.each(value, |name| names.push(name))?;
        Some(names)
    }

    /// Gives each of the names to `take`; `None` where something else stands there, and then what was
    /// given does not count.
    #[inline]
    pub(in crate::verify) fn each<'c>(
        &self,
        value: Value<'c>,
        mut take: impl FnMut(Cow<'c, str>),
    ) -> Option<()> {
        match value {
            Value::Array(_) => {
                for element in value.elements()? {
                    take(self.element(element)?);
                }
            }
            Value::String(_) | Value::Number(_) if self.lone => take(self.name(value)?),
            Value::Object(text) if self.members => {
                let members = Members::of(text).filter(|(_, value)| counts_as_true(*value));
                members.for_each(|(name, _)| take(name.text()));
            }
            _ => return None,
        }
        Some(())
    }

    fn name<'c>(&self, value: Value<'c>) -> Option<Cow<'c, str>> {
        match value {
            Value::String(quoted) => Some(quoted.text()),
            Value::Number(text) if self.numbers => whole_number(text).map(Cow::Borrowed),
            _ => None,
        }
    }

    fn element<'c>(&self, value: Value<'c>) -> Option<Cow<'c, str>> {
        match (value, &self.named_by) {
            (Value::Object(text), Some(member)) => self.name(found_in(text, member)?),
            _ => self.name(value),
        }
    }

    /// What is read, for operators.
    pub(in crate::verify) fn expected(&self) -> String {
        let mut expected = "an array of strings".to_owned();
        let mut or = |is_read: bool, form: &str| {
            if is_read {
                expected.push_str(" | ");
                expected.push_str(form);
            }
        };
        or(self.lone, "one string");
        or(self.numbers, "whole numbers");
        or(self.named_by.is_some(), "objects with a name");
        or(self.members, "an object of names");
        expected
    }
}

/// Whether a member with this value counts: `null`, `false`, zero and empty values do not count.
fn counts_as_true(value: Value<'_>) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => value,
        Value::Number(text) => text.parse::<f64>().is_ok_and(|number| number != 0.0),
        Value::String(quoted) => !quoted.text().is_empty(),
        Value::Array(_) => value.elements().is_some_and(|mut all| all.next().is_some()),
        Value::Object(text) => Members::of(text).next().is_some(),
    }
}

/// The digits of a whole number that is written as one. Other ways to write it are other texts, and
/// would be other names.
pub(in crate::verify) fn whole_number(text: &str) -> Option<&str> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_whole = digits.bytes().all(|byte| byte.is_ascii_digit()) && text != "-0";
    is_whole.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::json::object::Object;

    fn read(forms: &NameForms, value: &str) -> Option<Vec<String>> {
        let text = format!("{{\"r\":{value}}}");
        let object = Object::parse_str(&text).expect("an object");
        let names = forms.read(object.get("r").expect("a member"))?;
        Some(names.into_iter().map(Cow::into_owned).collect())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn role_names_are_read_in_the_forms_that_are_set_and_in_no_other() {
        let none = NameForms::default();
        let all = NameForms {
            lone: true,
            members: true,
            named_by: Some("name".into()),
            numbers: true,
        };
        let map = r#"{"admin":{"223":"acme.example"},"user":{"223":"acme.example"},"a":null,"b":false,"c":0,"d":"","e":[],"f":{},"g":true}"#;
        for (value, expected) in [
            (r#"["a","b"]"#, Some(names(&["a", "b"]))),
            ("[]", Some(names(&[]))),
            (r#"["a",5]"#, None),
            (r#""a""#, None),
            ("7", None),
            ("[7]", None),
            (map, None),
            (r#"[{"name":"a"}]"#, None),
            ("null", None),
        ] {
            assert_eq!(read(&none, value), expected, "{value}");
        }
        for (value, expected) in [
            (r#"["a","b"]"#, Some(names(&["a", "b"]))),
            (r#"["a",5]"#, Some(names(&["a", "5"]))),
            (r#"["a",5.0]"#, None),
            (r#"["a",-0]"#, None),
            (r#"["a",5e0]"#, None),
            (r#"["a",null]"#, None),
            (r#""a""#, Some(names(&["a"]))),
            ("7", Some(names(&["7"]))),
            ("true", None),
            (map, Some(names(&["admin", "user", "g"]))),
            (r#"[{"id":1,"name":"a"},"b"]"#, Some(names(&["a", "b"]))),
            (r#"[{"name":7}]"#, Some(names(&["7"]))),
            (r#"[{"id":1}]"#, None),
            (r#"[{"name":null}]"#, None),
            (r#"[["a"]]"#, None),
            ("null", None),
        ] {
            assert_eq!(read(&all, value), expected, "{value}");
        }
    }
}
