//! The evidence of tenancy in a verified token, before an identity is derived from it.
//!
//! 1. Each claim is absent or a string that is not empty. A claim with another type makes the whole
//!    evidence invalid; the caller is then a `Subject`.
//! 2. Two groups that fit the pattern make it invalid too.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::claim_path::ClaimPath;
use crate::model::ids::{AccountId, ClientId, SubjectId, UserId, WorkspaceId};
use crate::model::shared_str::SharedStr;
use crate::verify::claims::verified_token::VerifiedToken;
use crate::verify::identity::kinds::Tenant;
use crate::verify::json::object::{Object, Value};
use crate::verify::json::role_names::{NameForms, whole_number};
use crate::verify::policy::client_tenant::ClientTenant;
use crate::verify::policy::issuer_policy::IssuerPolicy;
use crate::verify::policy::tenant_claims::TenantClaims;
use crate::verify::policy::tenant_rules::{AccountRule, WorkspaceRule};

/// A configured claim has another type, or two values.
pub(super) struct InvalidEvidence;

pub(super) struct Evidence<'r> {
    pub(in crate::verify) account: Option<SharedStr>,
    pub(in crate::verify) workspace: Option<SharedStr>,
    pub(in crate::verify) user: Option<SharedStr>,
    pub(in crate::verify) principal: Option<SharedStr>,
    pub(in crate::verify) role: Option<SharedStr>,
    pub(in crate::verify) context: Option<SharedStr>,
    pub(super) in_groups: bool,
    /// The value of the machine claim, where one is configured.
    machine: Option<SharedStr>,
    pub(super) from_portal_client: bool,
    /// Whether the token has the claim that marks users.
    has_user_mark: bool,
    /// The configured tenant of this client.
    pub(in crate::verify) mapped: Option<&'r ClientTenant>,
}

impl<'r> Evidence<'r> {
    pub(in crate::verify) fn read(
        token: &VerifiedToken,
        claims: &Object<'_>,
        rules: &'r TenantClaims,
        issuer: &IssuerPolicy,
    ) -> Result<Self, InvalidEvidence> {
        let read = |path: Option<&ClaimPath>| match path {
            Some(path) => text_at(token, claims, path, rules),
            None => Ok(None),
        };
        let stated_account = match &rules.account {
            AccountRule::Claim(path) => read(Some(path))?,
            AccountRule::Absent | AccountRule::Undecided | AccountRule::Group => None,
        };
        let (account, workspace) = match &rules.workspace {
            WorkspaceRule::Claim(path) => (stated_account, read(Some(path))?),
            WorkspaceRule::Unnamed => (stated_account, None),
            WorkspaceRule::Group(path, pattern) => {
                let found = the_one_group(claims, path, &issuer.name_forms, |group| {
                    pattern.find(group).map(|found| {
                        (
                            found.account.map(|account| token.share(account)),
                            token.share(found.workspace),
                        )
                    })
                })?;
                match found {
                    Some((in_group, workspace)) => (in_group.or(stated_account), Some(workspace)),
                    None => (stated_account, None),
                }
            }
        };
        let client = token.client_id().map(ClientId::as_str);
        Ok(Self {
            account,
            workspace,
            user: read(rules.user.as_ref())?,
            principal: read(rules.principal.as_ref())?,
            role: read(rules.role.as_ref())?,
            context: read(rules.context.as_ref().map(|rule| &rule.claim))?,
            in_groups: is_in_groups(claims, &issuer.groups_claim),
            machine: read(rules.machine.as_ref().map(|(path, _)| path))?,
            from_portal_client: client
                .is_some_and(|client| rules.portal_clients.iter().any(|known| **known == *client)),
            has_user_mark: read(rules.user_mark.as_ref())?.is_some(),
            mapped: client.and_then(|client| rules.client_tenants.get(client)),
        })
    }

    /// Whether any evidence speaks of a machine. One piece excludes a user and a principal.
    pub(super) fn has_machine_evidence(&self, token: &VerifiedToken, rules: &TenantClaims) -> bool {
        token.is_machine() || self.is_marked(rules)
    }

    /// Whether the token has the claim that marks users, where one is configured.
    pub(super) fn is_marked_as_user(&self, rules: &TenantClaims) -> bool {
        self.has_user_mark || rules.user_mark.is_none()
    }

    /// Whether the token lacks the claim that marks users.
    pub(super) const fn is_unmarked_by_user(&self) -> bool {
        !self.has_user_mark
    }

    /// Whether all evidence speaks of a machine.
    pub(in crate::verify) fn is_machine(
        &self,
        token: &VerifiedToken,
        rules: &TenantClaims,
    ) -> bool {
        let claimed = match (&rules.machine, &self.machine, self.mapped) {
            (None, _, _) | (Some(_), None, Some(_)) => true,
            (Some(_), None, None) => false,
            (Some((_, mark)), Some(stated), _) => stated.as_str() == &**mark,
        };
        // Amazon Cognito: the `sub` of a machine is its client id, and no claim names a user.
        let named = if rules.machine_claim_suffices && self.is_marked(rules) {
            !token.has_username()
        } else {
            token.is_machine()
        };
        claimed && named && !self.has_user_mark
    }

    fn is_marked(&self, rules: &TenantClaims) -> bool {
        match (&rules.machine, &self.machine) {
            (Some((_, mark)), Some(stated)) => stated.as_str() == &**mark,
            _ => false,
        }
    }

    /// The ids of a user, if nothing speaks of another kind of caller.
    pub(in crate::verify) fn user_ids(
        &self,
        token: &VerifiedToken,
        tenant: &TenantClaims,
        rules: &IssuerPolicy,
    ) -> Option<(UserId, SubjectId)> {
        if self.has_machine_evidence(token, tenant)
            || self.from_portal_client
            || !self.is_marked_as_user(tenant)
        {
            return None;
        }
        let subject = token.subject()?;
        let user = match (&tenant.user, &self.user) {
            (None, _) => token.share(subject.as_str()),
            (Some(_), stated) => stated.as_ref()?.clone(),
        };
        Some((UserId::of(&rules.realm, user).ok()?, subject.clone()))
    }

    /// Whether the token is for a context inside a workspace, where the rules have contexts.
    pub(in crate::verify) fn is_inside_workspaces(&self, rules: &TenantClaims) -> bool {
        rules.context.as_ref().is_none_or(|rule| {
            let mut inside = rule.workspace_contexts.iter();
            self.context
                .as_ref()
                .is_some_and(|context| inside.any(|known| &**known == context.as_str()))
        })
    }

    /// The tenant, if the token names a whole one, is for a context inside a workspace, and its
    /// issuer may assert the account.
    pub(in crate::verify) fn tenant(&self, rules: &TenantClaims) -> Option<Tenant> {
        if !self.is_inside_workspaces(rules) {
            return None;
        }
        let account = match &rules.account {
            AccountRule::Claim(_) | AccountRule::Group => {
                Some(AccountId::of(self.account.as_ref()?.clone()).ok()?)
            }
            AccountRule::Absent => None,
            AccountRule::Undecided => return None,
        };
        let workspace = WorkspaceId::of(self.workspace.as_ref()?.clone()).ok()?;
        within_limit(Tenant { account, workspace }, rules)
    }

    /// The configured tenant of this client, unless the token contradicts it.
    pub(super) fn mapped_tenant(&self, rules: &TenantClaims) -> Option<Tenant> {
        let mapped = self.mapped?;
        let account = mapped.account_id().ok()?;
        let workspace = mapped.workspace_id().ok()?;
        let agrees = |stated: Option<&SharedStr>, known: Option<&str>| {
            stated.is_none_or(|stated| Some(stated.as_str()) == known)
        };
        let undisputed = agrees(self.workspace.as_ref(), Some(workspace.as_str()))
            && agrees(
                self.account.as_ref(),
                account.as_ref().map(AccountId::as_str),
            )
            && agrees(
                self.context.as_ref(),
                mapped.context_text().map(SharedStr::as_str),
            );
        if !undisputed {
            return None;
        }
        within_limit(Tenant { account, workspace }, rules)
    }
}

/// The accounts that a claim lists; `None` where it is not an array of ids.
pub(super) fn accounts_at(
    token: &VerifiedToken,
    claims: &Object<'_>,
    path: &ClaimPath,
    rules: &TenantClaims,
) -> Option<Arc<[AccountId]>> {
    match claims.at_path(path.members()) {
        Ok(None) => Some(Arc::from([])),
        Ok(Some(list @ Value::Array(_))) => list
            .elements()?
            .map(|one| AccountId::of(token.share(&id_text(one, rules)?)).ok())
            .collect(),
        Ok(Some(_)) | Err(_) => None,
    }
}

fn within_limit(tenant: Tenant, rules: &TenantClaims) -> Option<Tenant> {
    match (&rules.limit, &tenant.account) {
        (None, _) => Some(tenant),
        (Some(limit), Some(account)) if limit.contains(account) => Some(tenant),
        (Some(_), _) => None,
    }
}

fn text_at(
    token: &VerifiedToken,
    claims: &Object<'_>,
    path: &ClaimPath,
    rules: &TenantClaims,
) -> Result<Option<SharedStr>, InvalidEvidence> {
    match claims.at_path(path.members()) {
        Ok(None) => Ok(None),
        Ok(Some(value)) => Ok(Some(token.share(&stated_text(value, rules)?))),
        Err(_) => Err(InvalidEvidence),
    }
}

/// The text of a claim that is present: an empty one is no evidence.
fn stated_text<'c>(
    value: Value<'c>,
    rules: &TenantClaims,
) -> Result<Cow<'c, str>, InvalidEvidence> {
    id_text(value, rules)
        .filter(|text| !text.is_empty())
        .ok_or(InvalidEvidence)
}

/// A string, or a whole number where the rules read one as an id.
pub(super) fn id_text<'c>(value: Value<'c>, rules: &TenantClaims) -> Option<Cow<'c, str>> {
    match value {
        Value::Number(text) if rules.numeric_ids => whole_number(text).map(Cow::Borrowed),
        other => other.as_text(),
    }
}

/// The one group that fits; two of them make the evidence invalid.
fn the_one_group<T>(
    claims: &Object<'_>,
    path: &ClaimPath,
    forms: &NameForms,
    fits: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, InvalidEvidence> {
    let groups = match claims.at_path(path.members()) {
        Ok(None) => return Ok(None),
        Ok(Some(value)) => forms.read(value).ok_or(InvalidEvidence)?,
        Err(_) => return Err(InvalidEvidence),
    };
    let mut found = None;
    for group in groups {
        match (fits(&group), &found) {
            (None, _) => {}
            (Some(_), Some(_)) => return Err(InvalidEvidence),
            (fitting, None) => found = fitting,
        }
    }
    Ok(found)
}

/// Whether the claim has a value other than an empty list.
fn is_in_groups(claims: &Object<'_>, groups: &ClaimPath) -> bool {
    match claims.at_path(groups.members()) {
        Ok(None) => false,
        Ok(Some(value)) => value
            .elements()
            .is_none_or(|mut groups| groups.next().is_some()),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_claim_is_not_empty_and_a_number_is_one_where_the_rules_say_so() {
        let rules = TenantClaims::by_workspace("workspace");
        let numeric = TenantClaims::by_workspace("workspace").numeric_ids();
        let claims =
            Object::parse_str(r#"{"text":"editor","empty":"","number":7,"list":["editor"]}"#);
        let claims = claims.expect("an object");
        let read = |name, rules| {
            let value = claims.get(name).expect("a member");
            stated_text(value, rules).ok().map(Cow::into_owned)
        };
        assert_eq!(read("text", &rules).as_deref(), Some("editor"));
        assert_eq!(read("number", &numeric).as_deref(), Some("7"));
        assert_eq!(read("empty", &rules), None);
        assert_eq!(read("number", &rules), None);
        assert_eq!(read("list", &rules), None);
    }

    #[test]
    fn token_is_unmarked_where_it_lacks_the_claim_that_marks_users() {
        for has_user_mark in [false, true] {
            let evidence = Evidence {
                account: None,
                workspace: None,
                user: None,
                principal: None,
                role: None,
                context: None,
                in_groups: false,
                machine: None,
                from_portal_client: false,
                has_user_mark,
                mapped: None,
            };
            assert_eq!(evidence.is_unmarked_by_user(), !has_user_mark);
        }
    }
}
