//! Errors about claims, for operators: the claim's name and the JSON type that was found, never its
//! value. They are built only on refusal.

use std::borrow::Cow;

use crate::model::claim_path::ClaimPath;
use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::verify::json::object::Value;

/// The name of a claim: one of a specification, or a configured path.
pub(in crate::verify) trait ClaimName {
    fn shown(&self) -> Cow<'static, str>;
}

impl ClaimName for str {
    fn shown(&self) -> Cow<'static, str> {
        Cow::Owned(self.to_owned())
    }
}

impl ClaimName for ClaimPath {
    fn shown(&self) -> Cow<'static, str> {
        Cow::Owned(self.to_string())
    }
}

/// A fault of this claim: [`TokenFault::Claims`].
#[cold]
pub(in crate::verify) fn claim_error(
    name: &(impl ClaimName + ?Sized),
    problem: Problem,
    expected: &'static str,
) -> TokenError {
    let detail = RejectionDetail::new()
        .with_claim(name.shown())
        .with_problem(problem)
        .with_expected(expected);
    TokenError::new(TokenFault::Claims, detail)
}

/// Another type was found than the one that is expected.
#[cold]
pub(in crate::verify) fn wrong_type(
    name: &(impl ClaimName + ?Sized),
    expected: &'static str,
    found: Value<'_>,
) -> TokenError {
    let detail = RejectionDetail::new()
        .with_claim(name.shown())
        .with_problem(Problem::WrongType)
        .with_expected(expected)
        .with_found(found.type_name());
    TokenError::new(TokenFault::Claims, detail)
}

/// Why this is not the text that is demanded: absent, empty or of another type.
#[cold]
pub(in crate::verify) fn no_text(
    name: &(impl ClaimName + ?Sized),
    found: Option<Value<'_>>,
) -> TokenError {
    const EXPECTED: &str = "a string that is not empty";
    match found {
        None => claim_error(name, Problem::Missing, EXPECTED),
        Some(Value::String(_)) => claim_error(name, Problem::Empty, EXPECTED),
        Some(other) => wrong_type(name, EXPECTED, other),
    }
}

/// What is demanded of a claim or header parameter, by the configuration.
#[cold]
pub(in crate::verify) fn differs(
    fault: TokenFault,
    name: &(impl ClaimName + ?Sized),
    found: Option<Value<'_>>,
    expected: impl Into<Cow<'static, str>>,
) -> TokenError {
    let detail = RejectionDetail::new()
        .with_claim(name.shown())
        .with_expected(expected);
    let detail = match found {
        None => detail.with_problem(Problem::Missing),
        Some(value) => detail
            .with_problem(Problem::Differs)
            .with_found(value.type_name()),
    };
    TokenError::new(fault, detail)
}

/// Configured texts in one line, the first few of many.
pub(in crate::verify) fn listed(texts: &[Box<str>]) -> String {
    const MOST: usize = 8;
    let mut line = texts
        .iter()
        .take(MOST)
        .map(AsRef::as_ref)
        .collect::<Vec<&str>>()
        .join(" | ");
    if let Some(more) = texts.len().checked_sub(MOST).filter(|more| *more > 0) {
        line.push_str(" | and ");
        line.push_str(&more.to_string());
        line.push_str(" more");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claim_name_is_shown_as_it_is_configured() {
        assert_eq!(ClaimPath::from("urn:x:y").shown(), "urn:x:y");
        assert_eq!(
            ClaimPath::from(["realm_access", "roles"]).shown(),
            "[\"realm_access\", \"roles\"]"
        );
    }

    #[test]
    fn list_of_configured_texts_is_bounded() {
        let texts: Vec<Box<str>> = (0..10).map(|n| format!("c{n}").into()).collect();
        assert_eq!(
            listed(&texts),
            "c0 | c1 | c2 | c3 | c4 | c5 | c6 | c7 | and 2 more"
        );
        assert_eq!(listed(&texts[..1]), "c0");
    }
}
