//! The detail of a guard's refusal, for operators.
//!
//! 1. What the guard demands, as the program names it, and what there is of that kind: the token's
//!    scope and roles, the kind of caller, the JSON type of a claim. No other claim's value.
//! 2. Texts of a token are bounded and escaped.

use std::fmt::Write as _;

use crate::model::claim_path::ClaimPath;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::requirement::route_requirement::RouteRequirement;
use crate::model::scope::ScopeToken;
use crate::server::decide::verified_request::{SentRequest, VerifiedRequest};

/// The most bytes of a token's scope or roles that a detail holds.
const MOST_BYTES: usize = 256;

/// A scope that a route demands, and the one that there is.
pub(in crate::middleware) fn lacking_scope(
    demand: &RouteRequirement,
    verified: &VerifiedRequest,
) -> RejectionDetail {
    let mut expected = demand.scopes.join(" | ");
    for role in demand.roles_in_place_of_scopes {
        // Writing to a string cannot fail.
        let _ = write!(expected, " | role {role}");
    }
    let scope = verified.token.scope();
    let detail = RejectionDetail::new()
        .with_claim(verified.rules.scope_claim.to_string())
        .with_setting("scope_claim")
        .with_expected(expected);
    if scope.is_empty() {
        detail.with_problem(Problem::Missing)
    } else {
        let found = bounded(scope.iter().map(ScopeToken::as_str));
        detail.with_problem(Problem::Differs).with_found(found)
    }
}

/// A role that is demanded, and what the roles claim is.
pub(in crate::middleware) fn lacking_role(
    any_of: &[&str],
    verified: &SentRequest,
) -> RejectionDetail {
    let roles = bounded(verified.token.roles());
    if roles.is_empty() {
        no_name(any_of, verified.unread_roles())
    } else {
        other_names(any_of, &verified.rules.roles_claim, "roles_claim").with_found(roles)
    }
}

/// A group that is demanded, and what the groups claim is.
#[cfg(feature = "axum")]
pub(in crate::middleware) fn lacking_group(
    any_of: &[&str],
    verified: &SentRequest,
) -> RejectionDetail {
    if verified.token.groups().next().is_none() {
        no_name(any_of, verified.unread_groups())
    } else {
        other_names(any_of, &verified.rules.groups_claim, "groups_claim")
    }
}

/// The claim has no name that is read, for this reason.
fn no_name(any_of: &[&str], reason: RejectionDetail) -> RejectionDetail {
    reason.with_expected(any_of.join(" | "))
}

/// The claim has names, and none of those that are demanded.
fn other_names(any_of: &[&str], path: &ClaimPath, setting: &'static str) -> RejectionDetail {
    RejectionDetail::new()
        .with_claim(path.to_string())
        .with_setting(setting)
        .with_expected(any_of.join(" | "))
        .with_problem(Problem::Differs)
}

/// Another kind of caller than the one that is demanded.
pub(in crate::middleware) fn other_caller(
    expected: &'static str,
    verified: &VerifiedRequest,
) -> RejectionDetail {
    RejectionDetail::new()
        .with_problem(Problem::Differs)
        .with_expected(expected)
        .with_found(verified.caller_kind())
}

/// A path parameter that differs from the caller's tenant. It names the parameter and no id.
#[cfg(feature = "axum")]
pub(in crate::middleware) fn other_place(
    parameter: &str,
    verified: &VerifiedRequest,
) -> RejectionDetail {
    RejectionDetail::new()
        .with_problem(Problem::Differs)
        .with_expected(format!("the caller's own in the path's `{{{parameter}}}`"))
        .with_found(verified.caller_kind())
}

/// Names of a token in one line.
fn bounded<'t>(names: impl Iterator<Item = &'t str>) -> String {
    let mut text = String::new();
    for name in names {
        let space = (!text.is_empty()).then_some(' ');
        for character in space.into_iter().chain(name.chars()) {
            // What is counted is what is written: an escape is ten times as long as its character.
            if text.len() >= MOST_BYTES {
                text.push_str("...");
                return text;
            }
            text.extend(character.escape_debug());
        }
    }
    text
}
