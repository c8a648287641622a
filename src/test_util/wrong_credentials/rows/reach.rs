//! Good tokens that do not suffice for these routes: by scope, tenant, context and kind of caller.

use crate::test_util::wrong_credentials::expected::Expected::{Forbidden, InsufficientScope};
use crate::test_util::wrong_credentials::row::{Row, row};
use crate::test_util::wrong_credentials::sample::Sample;
use crate::test_util::wrong_credentials::step::Step;

pub(super) const ROWS: &[Row] = &[
    row("scope_missing", InsufficientScope, |s| {
        with_scope(s, |_| String::new())
    }),
    row("wrong_scope", InsufficientScope, |s| {
        with_scope(s, |_| "something:else".to_owned())
    }),
    // RFC 6749 s3.3: scope tokens are compared byte for byte, each as a whole.
    row("scope_longer_word", InsufficientScope, |s| {
        with_scope(s, |scope| scope.replace(' ', "x ") + "x")
    }),
    row("scope_in_other_case", InsufficientScope, |s| {
        with_scope(s, |scope| {
            let upper = scope.to_uppercase();
            if upper == scope {
                scope.to_lowercase()
            } else {
                upper
            }
        })
    }),
    row("wrong_workspace", Forbidden, |s| {
        let other = s
            .is_in_path("workspaceId")
            .then(|| s.good().workspace("somebody-elses"))?;
        s.token(&other)
    }),
    row("wrong_account", Forbidden, |s| {
        let other = s
            .is_in_path("accountId")
            .then(|| s.good().account("somebody-elses"))?;
        s.token(&other)
    }),
    row("workspace_missing", Forbidden, |s| {
        s.is_in_path("workspaceId")
            .then(|| s.token(&s.good().without("workspaceId")))?
    }),
    // A claim of the wrong type is no evidence of a tenant.
    row("workspace_as_list", Forbidden, |s| {
        let workspace = s
            .is_in_path("workspaceId")
            .then(|| s.check.good.text_claim("workspaceId"))??;
        s.token(&s.good().claim("workspaceId", [workspace]))
    }),
    row("wrong_context", Forbidden, |s| {
        let other = match s.check.good.text_claim("context")? {
            "app" => "dashboard",
            _ => "app",
        };
        s.token(&s.good().context(other))
    }),
    row("context_missing", Forbidden, |s| {
        s.check.good.text_claim("context")?;
        s.is_in_path("workspaceId")
            .then(|| s.token(&s.good().without("context")))?
    }),
    // Two kinds of callers at once are none.
    row("machine_with_a_user", Forbidden, |s| {
        let is_user = s.is_in_path("workspaceId") && s.check.good.text_claim("userId").is_some();
        is_user.then(|| s.token(&s.good().platform("m2m")))?
    }),
];

/// The good token with another scope, where the routes demand one.
fn with_scope(s: &Sample<'_>, change: impl Fn(&str) -> String) -> Option<Vec<Step>> {
    let scope = s.check.good.text_claim("scope")?;
    let demanded = s.check.demands_scope && !scope.is_empty();
    demanded.then(|| s.token(&s.good().scope(&change(scope))))?
}
