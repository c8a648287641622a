//! What a token says of a user about further workspaces, by the tenant rules on memberships.
//!
//! 1. Evidence for a member is evidence for a user without the workspace; see
//!    [`TenantClaims::by_membership`].
//! 2. It is read once and remembered with the token. What a directory says is not remembered.

use std::sync::Arc;

use crate::model::error::rejection::RejectionKind;
use crate::model::ids::{AccountId, SubjectId, UserId, WorkspaceId};
use crate::model::shared_str::HasTexts;
use crate::model::shared_str::{Arena, SharedStr};
use crate::verify::claims::verified_token::VerifiedToken;
use crate::verify::identity::evidence::{Evidence, InvalidEvidence, id_text};
use crate::verify::identity::kinds::{Identity, Tenant, WorkspaceUser};
use crate::verify::json::object::{Object, Value};
use crate::verify::policy::issuer_policy::IssuerPolicy;
use crate::verify::policy::tenant_claims::TenantClaims;
use crate::verify::policy::tenant_rules::AccountRule;

/// The most workspaces that a token may list: a bound on memory and on comparing.
pub(in crate::verify) const MAX_LISTED_WORKSPACES: usize = 1024;

/// A user, the account that the token states, and the workspaces that it lists.
#[derive(Debug)]
pub(crate) struct Member {
    pub(in crate::verify) user: UserId,
    pub(in crate::verify) subject: SubjectId,
    pub(in crate::verify) account: Option<AccountId>,
    pub(in crate::verify) listed: Box<[WorkspaceId]>,
    /// The role that makes it an administrator of `account`.
    pub(in crate::verify) admin_role: Option<SharedStr>,
    /// How the rules find accounts, for what a directory says.
    accounts: MemberAccounts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemberAccounts {
    /// There are none.
    Absent,
    /// Every workspace has one.
    Required,
    /// The directory says it, or that there is none.
    FromDirectory,
}

#[cfg_attr(not(feature = "axum"), allow(dead_code))]
impl Member {
    /// Whether any workspace beside the token's own can be entered.
    pub(crate) fn has_grounds(&self, rules: &TenantClaims) -> bool {
        !self.listed.is_empty() || self.admin_role.is_some() || rules.needs_memberships()
    }

    pub(crate) const fn user(&self) -> &UserId {
        &self.user
    }

    /// Whether the token lists this workspace, of [`account`](Self::account). No where the rules have
    /// accounts and the token states none.
    pub(crate) fn lists(&self, workspace: &WorkspaceId) -> bool {
        let known = self.accounts == MemberAccounts::Absent || self.account.is_some();
        known && self.listed.contains(workspace)
    }

    /// The account that the token states.
    pub(crate) const fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// The account that an administrator manages, and the role.
    pub(crate) fn managed_account(&self) -> Option<(&AccountId, &SharedStr)> {
        self.account.as_ref().zip(self.admin_role.as_ref())
    }

    /// The account of a membership for which the directory states this one; there may be none.
    ///
    /// # Errors
    ///
    /// `WrongTenant` where that contradicts the rules.
    pub(crate) fn account_by_directory(
        &self,
        stated: Option<AccountId>,
        rules: &TenantClaims,
    ) -> Result<Option<AccountId>, RejectionKind> {
        let account = match (self.accounts, stated) {
            (MemberAccounts::Absent, None) => return Ok(None),
            (MemberAccounts::Absent, Some(_)) => return Err(RejectionKind::WrongTenant),
            (MemberAccounts::Required, None) => {
                let own = self.account.as_ref().ok_or(RejectionKind::WrongTenant)?;
                Some(own.clone())
            }
            (MemberAccounts::Required | MemberAccounts::FromDirectory, stated) => stated,
        };
        match (&rules.limit, &account) {
            (None, _) => Ok(account),
            (Some(limit), Some(one)) if limit.contains(one) => Ok(account),
            (Some(_), _) => Err(RejectionKind::WrongTenant),
        }
    }

    /// The user as one of this workspace.
    pub(in crate::verify) fn user_of(
        &self,
        account: Option<AccountId>,
        workspace: WorkspaceId,
        role: Option<SharedStr>,
    ) -> Identity {
        Identity::User(WorkspaceUser {
            user: self.user.clone(),
            subject: self.subject.clone(),
            tenant: Tenant { account, workspace },
            role,
        })
    }

    /// The memory that it takes.
    pub(in crate::verify) fn bytes(&self, arena: &Arc<Arena>) -> usize {
        let listed = self.listed.iter().map(|id| id.bytes_beside(arena));
        size_of::<Self>()
            + size_of_val(&*self.listed)
            + listed.sum::<usize>()
            + self.user.bytes_beside(arena)
            + self.subject.bytes_beside(arena)
            + self.account.as_ref().map_or(0, |id| id.bytes_beside(arena))
            + self
                .admin_role
                .as_ref()
                .map_or(0, |role| role.bytes_beside(arena))
    }
}

impl HasTexts for Member {
    fn visit_texts(&mut self, visit: &mut dyn FnMut(&mut SharedStr)) {
        visit(self.user.text_mut());
        visit(self.subject.text_mut());
        if let Some(account) = &mut self.account {
            visit(account.text_mut());
        }
        self.admin_role.visit_texts(visit);
        self.listed.iter_mut().for_each(|id| visit(id.text_mut()));
    }
}

/// The bearer as a member of workspaces, where the rules have memberships and it is a user.
///
/// # Errors
///
/// The claim that lists workspaces is no list of at most 1,024 ids.
pub(super) fn member(
    token: &VerifiedToken,
    claims: &Object<'_>,
    evidence: &Evidence<'_>,
    tenant: &TenantClaims,
    rules: &IssuerPolicy,
) -> Result<Option<Box<Member>>, InvalidEvidence> {
    let listed = workspaces_listed(token, claims, tenant)?;
    Ok(evidence
        .user_ids(token, tenant, rules)
        .filter(|_| evidence.is_inside_workspaces(tenant))
        .and_then(|(user, subject)| {
            let account = match &evidence.account {
                Some(stated) => Some(AccountId::of(stated.clone()).ok()?),
                None => None,
            };
            if let (Some(limit), Some(account)) = (&tenant.limit, &account) {
                if !limit.contains(account) {
                    return None;
                }
            }
            Some(Box::new(Member {
                user,
                subject,
                admin_role: admin_role(token, evidence, tenant).filter(|_| account.is_some()),
                account,
                listed,
                accounts: match tenant.account {
                    AccountRule::Absent => MemberAccounts::Absent,
                    AccountRule::Undecided => MemberAccounts::FromDirectory,
                    AccountRule::Claim(_) | AccountRule::Group => MemberAccounts::Required,
                },
            }))
        }))
}

/// The workspaces that the claim lists; none where it is absent.
pub(super) fn workspaces_listed(
    token: &VerifiedToken,
    claims: &Object<'_>,
    tenant: &TenantClaims,
) -> Result<Box<[WorkspaceId]>, InvalidEvidence> {
    let Some(path) = &tenant.members.listed else {
        return Ok(Box::default());
    };
    let list = match claims.at_path(path.members()) {
        Ok(None) => return Ok(Box::default()),
        Ok(Some(list @ Value::Array(_))) => list.elements().ok_or(InvalidEvidence)?,
        Ok(Some(_)) | Err(_) => return Err(InvalidEvidence),
    };
    let mut listed = Vec::new();
    for one in list {
        if listed.len() == MAX_LISTED_WORKSPACES {
            return Err(InvalidEvidence);
        }
        let text = id_text(one, tenant).ok_or(InvalidEvidence)?;
        let text = token.share(&text);
        listed.push(WorkspaceId::of(text).map_err(|_| InvalidEvidence)?);
    }
    Ok(listed.into_boxed_slice())
}

/// The first role that makes an administrator.
fn admin_role(
    token: &VerifiedToken,
    evidence: &Evidence<'_>,
    tenant: &TenantClaims,
) -> Option<SharedStr> {
    let stated = evidence.role.as_ref();
    if let Some(role) = stated.filter(|role| tenant.is_admin_role(role.as_str())) {
        return Some(role.clone());
    }
    let mut roles = token.roles();
    let role = roles.find(|role| tenant.is_admin_role(role))?;
    Some(token.share(role))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member whose texts have buffers of their own, of the length that each of them has.
    fn member_of_texts() -> Member {
        let issuer: Arc<str> = "https://issuer.example.com".into();
        let text = |bytes: usize| SharedStr::new(&"a".repeat(bytes));
        let workspace = |bytes| WorkspaceId::of(text(bytes)).expect("an id");
        Member {
            user: UserId::of(&issuer, text(11)).expect("an id"),
            subject: SubjectId::of(&issuer, text(22)).expect("an id"),
            account: Some(AccountId::of(text(33)).expect("an id")),
            listed: Box::new([workspace(44), workspace(55)]),
            admin_role: Some(text(66)),
            accounts: MemberAccounts::Required,
        }
    }

    #[test]
    fn memory_counts_the_list_and_each_text_outside_the_arena() {
        let mut member = member_of_texts();
        let lists = size_of::<Member>() + 2 * size_of::<WorkspaceId>();
        let buffers = [11, 22, 33, 44, 55, 66].map(|bytes| Arena::new(&"a".repeat(bytes), None));
        let texts: usize = buffers.iter().map(|buffer| buffer.bytes()).sum();
        let arena = Arena::new("", None);
        assert_eq!(member.bytes(&arena), lists + texts);
        // One text that lies in the arena is counted with the arena.
        member.admin_role = Some(SharedStr::within(&buffers[5], buffers[5].text()));
        assert_eq!(
            member.bytes(&buffers[5]),
            lists + texts - buffers[5].bytes()
        );
    }

    #[test]
    fn every_text_is_visited_once() {
        let mut visited = Vec::new();
        member_of_texts().visit_texts(&mut |text| visited.push(text.as_str().len()));
        visited.sort_unstable();
        assert_eq!(visited, [11, 22, 33, 44, 55, 66]);
    }
}
