//! Why a guard refused, in detail, for operators.
//!
//! 1. What the guard demands, as the program names it, and what there is of that kind: the token's
//!    scope and roles, the kind of caller, the JSON type of a claim. No other claim's value.
//! 2. Texts of a token are bounded and escaped.

use std::fmt::Write as _;

#[cfg(feature = "axum")]
use crate::model::path::ClaimPath;
use crate::model::rejection_detail::{Problem, RejectionDetail};
use crate::model::scope::ScopeRequirement;
use crate::server::admission::Admission;

/// The most bytes of a token's scope or roles that a detail holds.
const MOST_BYTES: usize = 256;

/// A scope that `R` demands, and the one that there is.
pub(super) fn lacking_scope<R: ScopeRequirement>(admission: &Admission) -> RejectionDetail {
    let mut expected = R::ALTERNATIVES.join(" | ");
    for role in R::ROLES {
        // Writing to a string cannot fail.
        let _ = write!(expected, " | role {role}");
    }
    let scope = admission.token.scope();
    let detail = RejectionDetail::new()
        .with_claim(admission.rules.scope_claim.to_string())
        .with_setting("scope_claim")
        .with_expected(expected);
    if scope.is_empty() {
        detail.with_problem(Problem::Missing)
    } else {
        let found = bounded(scope.iter().map(|token| token.as_str()));
        detail.with_problem(Problem::Differs).with_found(found)
    }
}

/// A role that is demanded, and what the roles claim is.
#[cfg(feature = "axum")]
pub(super) fn lacking_role(any_of: &[&str], admission: &Admission) -> RejectionDetail {
    let roles = bounded(admission.token.roles());
    let detail = list_detail(
        any_of,
        &admission.rules.roles_claim,
        admission,
        !roles.is_empty(),
    );
    let detail = detail.with_setting("roles_claim");
    if roles.is_empty() {
        detail
    } else {
        detail.with_found(roles)
    }
}

/// A group that is demanded, and what the groups claim is.
#[cfg(feature = "axum")]
pub(super) fn lacking_group(any_of: &[&str], admission: &Admission) -> RejectionDetail {
    let has_groups = admission.token.groups().next().is_some();
    list_detail(any_of, &admission.rules.groups_claim, admission, has_groups)
        .with_setting("groups_claim")
}

#[cfg(feature = "axum")]
fn list_detail(
    any_of: &[&str],
    path: &ClaimPath,
    admission: &Admission,
    is_list: bool,
) -> RejectionDetail {
    use serde_json::Value;

    let detail = RejectionDetail::new()
        .with_claim(path.to_string())
        .with_expected(any_of.join(" | "));
    if is_list {
        return detail.with_problem(Problem::Differs);
    }
    let payload: Value = serde_json::from_str(admission.token.payload_text()).unwrap_or_default();
    let mut found = Some(&payload);
    for member in path.members() {
        found = found.and_then(|value| value.get(&**member));
    }
    let (problem, kind) = match found {
        None | Some(Value::Null) => return detail.with_problem(Problem::Missing),
        Some(Value::Array(list)) if list.is_empty() => (Problem::Empty, "array"),
        Some(Value::Array(_)) => (Problem::WrongType, "array"),
        Some(Value::Object(_)) => (Problem::WrongType, "object"),
        Some(Value::String(_)) => (Problem::WrongType, "string"),
        Some(Value::Number(_)) => (Problem::WrongType, "number"),
        Some(Value::Bool(_)) => (Problem::WrongType, "boolean"),
    };
    detail.with_problem(problem).with_found(kind)
}

/// Another kind of caller than the one that is demanded.
pub(super) fn other_caller(expected: &'static str, admission: &Admission) -> RejectionDetail {
    RejectionDetail::new()
        .with_problem(Problem::Differs)
        .with_expected(expected)
        .with_found(admission.caller_kind())
}

/// A place of the path that is not the caller's. It names the parameter and no id.
#[cfg(feature = "axum")]
pub(super) fn other_place(parameter: &'static str, admission: &Admission) -> RejectionDetail {
    RejectionDetail::new()
        .with_problem(Problem::Differs)
        .with_expected(format!("the caller's own in the path's `{{{parameter}}}`"))
        .with_found(admission.caller_kind())
}

/// Names of a token in one line.
fn bounded<'t>(names: impl Iterator<Item = &'t str>) -> String {
    let mut text = String::new();
    for name in names {
        if text.len() > MOST_BYTES {
            text.push_str(" ...");
            break;
        }
        let space = if text.is_empty() { "" } else { " " };
        let cut: String = name.chars().take(MOST_BYTES).collect();
        let _ = write!(text, "{space}{}", cut.escape_debug());
    }
    text
}
