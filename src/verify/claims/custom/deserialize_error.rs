//! Why a payload does not fit the application's type: a path, a problem and two types.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::model::error::rejection_detail::{Problem, RejectionDetail};

/// One step of the path to a value.
#[derive(Debug)]
pub(super) enum PathStep {
    /// A member that the type declares.
    Member(&'static str),
    /// A member that only the token names.
    Other,
    /// An element of an array, counted from 0.
    Element(usize),
}

/// Why a payload does not fit a type. It holds types and declared names, and no value of the token.
#[derive(Debug)]
pub(super) struct DeserializeError {
    /// The path to the value, innermost step first.
    path: Vec<PathStep>,
    problem: Problem,
    expected: Option<String>,
    found: Option<&'static str>,
}

impl DeserializeError {
    pub(super) const fn new(
        problem: Problem,
        expected: Option<String>,
        found: Option<&'static str>,
    ) -> Self {
        Self {
            path: Vec::new(),
            problem,
            expected,
            found,
        }
    }

    /// The same error of a value one step further in.
    pub(super) fn below(mut self, step: PathStep) -> Self {
        self.path.push(step);
        self
    }

    /// What the operator reads.
    pub(super) fn detail(self) -> RejectionDetail {
        let mut path = String::new();
        for step in self.path.iter().rev() {
            match step {
                PathStep::Element(place) => {
                    path.push('[');
                    path.push_str(&place.to_string());
                    path.push(']');
                    continue;
                }
                _ if path.is_empty() => {}
                _ => path.push('.'),
            }
            path.push_str(match step {
                PathStep::Member(name) => name,
                PathStep::Other | PathStep::Element(_) => "*",
            });
        }
        let mut detail = RejectionDetail::new().with_problem(self.problem);
        if !path.is_empty() {
            detail = detail.with_claim(path);
        }
        if let Some(expected) = self.expected {
            detail = detail.with_expected(expected);
        }
        match self.found {
            Some(found) => detail.with_found(found),
            None => detail,
        }
    }
}

impl fmt::Display for DeserializeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for DeserializeError {}

impl de::Error for DeserializeError {
    /// The application's own message may quote a value.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new(Problem::Malformed, None, None)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = type_of(&found);
        Self::new(Problem::WrongType, Some(expected.to_string()), Some(found))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = type_of(&found);
        Self::new(Problem::Malformed, Some(expected.to_string()), Some(found))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(Problem::Malformed, Some(expected.to_string()), None)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::Malformed, Some(expected.join(" | ")), None)
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        let only = format!("no member but {}", expected.join(", "));
        Self::new(Problem::Malformed, Some(only), None)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Problem::Missing, None, None).below(PathStep::Member(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(Problem::Contradicts, None, None).below(PathStep::Member(field))
    }
}

fn type_of(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "number",
        Unexpected::Char(_) | Unexpected::Str(_) => "string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "array",
        Unexpected::Map => "object",
        _ => "another type",
    }
}
