//! Details about claims of tenancy: the claim's path, the setting, the problem and the type found.

use crate::model::claim_path::ClaimPath;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::shared_str::SharedStr;
use crate::verify::claims::verified_token::VerifiedToken;
use crate::verify::identity::evidence::id_text;
use crate::verify::identity::member::{MAX_LISTED_WORKSPACES, workspaces_listed};
use crate::verify::json::claim_error::ClaimName as _;
use crate::verify::json::object::Object;
use crate::verify::json::role_names::NameForms;
use crate::verify::policy::tenant_claims::TenantClaims;
use crate::verify::policy::tenant_rules::{AccountRule, WorkspaceRule};

/// The claims that must be strings where they are present, and the settings that name them.
fn text_claims(tenant: &TenantClaims) -> impl Iterator<Item = (&ClaimPath, &'static str)> {
    let account = match &tenant.account {
        AccountRule::Claim(path) => Some(path),
        AccountRule::Undecided | AccountRule::Group | AccountRule::Absent => None,
    };
    let workspace = match &tenant.workspace {
        WorkspaceRule::Claim(path) => Some(path),
        WorkspaceRule::Group(..) | WorkspaceRule::Unnamed => None,
    };
    [
        (workspace, "by_workspace"),
        (account, "account_claim"),
        (tenant.user.as_ref(), "user_claim"),
        (tenant.principal.as_ref(), "principal_claim"),
        (tenant.role.as_ref(), "role_claim"),
        (tenant.context.as_ref().map(|rule| &rule.claim), "contexts"),
        (
            tenant.machine.as_ref().map(|(path, _)| path),
            "machine_claim",
        ),
        (tenant.user_mark.as_ref(), "user_mark"),
    ]
    .into_iter()
    .filter_map(|(path, setting)| Some((path?, setting)))
}

/// The first claim that is present and is not a string, or is empty.
pub(super) fn invalid_claim(
    token: &VerifiedToken,
    claims: &Object<'_>,
    tenant: &TenantClaims,
    forms: &NameForms,
) -> Option<RejectionDetail> {
    for (path, setting) in text_claims(tenant) {
        let problem = match claims.at_path(path.members()) {
            Ok(None) => continue,
            Ok(Some(value)) => match id_text(value, tenant) {
                Some(text) if !text.is_empty() => continue,
                Some(_) => Problem::Empty,
                None => Problem::WrongType,
            },
            Err(_) => Problem::WrongType,
        };
        let expected = if tenant.numeric_ids {
            "string | whole number"
        } else {
            "string"
        };
        return Some(found(about(path, setting, problem), claims, path).with_expected(expected));
    }
    if let (Some(path), Err(_)) = (
        &tenant.members.listed,
        workspaces_listed(token, claims, tenant),
    ) {
        let detail = about(path, "workspaces_claim", Problem::WrongType);
        return Some(found(detail, claims, path).with_expected(format!(
            "an array of at most {MAX_LISTED_WORKSPACES} workspace ids"
        )));
    }
    let WorkspaceRule::Group(path, _) = &tenant.workspace else {
        return None;
    };
    let is_list = match claims.at_path(path.members()) {
        Ok(None) => true,
        Ok(Some(value)) => forms.read(value).is_some(),
        Err(_) => false,
    };
    (!is_list).then(|| {
        found(about(path, "by_group", Problem::WrongType), claims, path)
            .with_expected(forms.expected())
    })
}

/// The claim that names the workspace, or that lists several.
pub(super) const fn workspace_claim(tenant: &TenantClaims) -> Option<&ClaimPath> {
    match &tenant.workspace {
        WorkspaceRule::Claim(path) | WorkspaceRule::Group(path, _) => Some(path),
        WorkspaceRule::Unnamed => tenant.members.listed.as_ref(),
    }
}

pub(super) const fn workspace_setting(tenant: &TenantClaims) -> &'static str {
    match &tenant.workspace {
        WorkspaceRule::Claim(_) => "by_workspace",
        WorkspaceRule::Group(..) => "by_group",
        WorkspaceRule::Unnamed if tenant.members.listed.is_some() => "workspaces_claim",
        WorkspaceRule::Unnamed => "memberships_from_directory",
    }
}

pub(super) fn about(path: &ClaimPath, setting: &'static str, problem: Problem) -> RejectionDetail {
    RejectionDetail::new()
        .with_claim(path.shown())
        .with_problem(problem)
        .with_setting(setting)
}

pub(super) fn about_name(name: &'static str, problem: Problem) -> RejectionDetail {
    RejectionDetail::new()
        .with_claim(name)
        .with_problem(problem)
}

/// A claim that a rule requires and the token does not have.
pub(super) fn unstated(
    stated: Option<&SharedStr>,
    path: Option<&ClaimPath>,
    setting: &'static str,
) -> Option<RejectionDetail> {
    let path = path.filter(|_| stated.is_none())?;
    Some(about(path, setting, Problem::Missing))
}

pub(super) fn unfit(path: &ClaimPath, setting: &'static str) -> RejectionDetail {
    about(path, setting, Problem::Malformed)
        .with_expected("1 to 256 bytes without control characters")
}

pub(super) fn found(
    detail: RejectionDetail,
    claims: &Object<'_>,
    path: &ClaimPath,
) -> RejectionDetail {
    match claims.at_path(path.members()) {
        Ok(Some(value)) => detail.with_found(value.type_name()),
        Ok(None) | Err(_) => detail,
    }
}
