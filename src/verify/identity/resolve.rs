//! Resolves the identity: an access token and its issuer's tenant rules become an `Identity`.
//!
//! 1. A kind that reaches a tenant needs complete evidence without contradiction.
//! 2. Otherwise the caller is a `Subject`: authenticated, and without a tenant.
//! 3. Without tenant rules a caller is a client without a workspace, or a subject.
//!
//! [`TenantClaims`] documents the rules of each kind.

use std::sync::Arc;

use crate::model::ids::PrincipalId;
use crate::model::reach::Reach;
use crate::model::shared_str::SharedStr;
use crate::verify::claims::verified_token::VerifiedToken;
use crate::verify::identity::evidence::{Evidence, accounts_at, id_text};
use crate::verify::identity::kinds::{Client, Identity, Principal, Subject, WorkspaceUser};
use crate::verify::identity::member::{Member, member};
use crate::verify::json::object::Object;
use crate::verify::policy::issuer_policy::IssuerPolicy;
use crate::verify::policy::tenant_claims::TenantClaims;
use crate::verify::policy::tenant_rules::{ContextsMeant, ReachRule};

/// An identity, and the API context that the token is for where it is known.
#[derive(Debug)]
pub(crate) struct Identified {
    pub(crate) identity: Identity,
    pub(crate) context: Option<SharedStr>,
    /// What it says about further workspaces, where the rules have memberships.
    pub(crate) member: Option<Box<Member>>,
}

/// Reads the evidence in a verified token.
pub(crate) fn identify(
    token: &VerifiedToken,
    claims: &Object<'_>,
    rules: &IssuerPolicy,
) -> Identified {
    let Some(tenant) = &rules.tenant else {
        return Identified {
            identity: without_rules(token, rules),
            context: None,
            member: None,
        };
    };
    // Separate from the evidence: a token with invalid evidence is still not good for another
    // context.
    let stated = tenant.context.as_ref().and_then(|rule| {
        let value = claims.at_path(rule.claim.members()).ok().flatten()?;
        let text = id_text(value, tenant)?;
        Some(token.share(&text))
    });
    let stated = match &tenant.contexts_meant {
        ContextsMeant::One(context) => Some(context.clone()),
        ContextsMeant::Unstated | ContextsMeant::Every => stated,
    };
    let Ok(evidence) = Evidence::read(token, claims, tenant, rules) else {
        return Identified {
            identity: subject(token, rules),
            context: stated,
            member: None,
        };
    };
    let member = if tenant.has_members() {
        member(token, claims, &evidence, tenant, rules)
    } else {
        Ok(None)
    };
    let Ok(member) = member else {
        return Identified {
            identity: subject(token, rules),
            context: stated,
            member: None,
        };
    };
    let identity = principal(token, claims, &evidence, tenant, rules)
        .or_else(|| client(token, &evidence, tenant))
        .or_else(|| user(token, &evidence, tenant, rules))
        .unwrap_or_else(|| subject(token, rules));
    let context = stated.or_else(|| match (&identity, evidence.mapped) {
        (Identity::Client(_), Some(mapped)) => mapped.context_text().cloned(),
        _ => None,
    });
    Identified {
        identity,
        context,
        member,
    }
}

fn without_rules(token: &VerifiedToken, rules: &IssuerPolicy) -> Identity {
    match token.client_id() {
        Some(client) if token.is_machine() => Identity::Client(Client {
            id: client.clone(),
            tenant: None,
        }),
        _ => subject(token, rules),
    }
}

fn subject(token: &VerifiedToken, rules: &IssuerPolicy) -> Identity {
    Identity::Subject(Subject {
        issuer: Arc::clone(&rules.realm),
        id: token.subject().cloned(),
        client: token.client_id().cloned(),
    })
}

/// A principal: all of the evidence, no contradiction; see [`TenantClaims`], rule 3.
fn principal(
    token: &VerifiedToken,
    claims: &Object<'_>,
    evidence: &Evidence<'_>,
    tenant: &TenantClaims,
    rules: &IssuerPolicy,
) -> Option<Identity> {
    let portal = tenant.context.as_ref()?.portal.as_ref()?;
    let in_portal = evidence.context.as_ref()?.as_str() == &**portal;
    let contradicted = evidence.user.is_some()
        || evidence.workspace.is_some()
        || evidence.account.is_some()
        || evidence.role.is_some()
        || evidence.has_machine_evidence(token, tenant);
    if !in_portal || !evidence.from_portal_client || contradicted {
        return None;
    }
    Some(Identity::Principal(Principal {
        id: PrincipalId::of(&rules.realm, evidence.principal.as_ref()?.clone()).ok()?,
        subject: token.subject()?.clone(),
        reach: reach(token, claims, tenant)?,
    }))
}

/// The reach of a principal; `None` where the claim that lists the accounts has another type.
fn reach(token: &VerifiedToken, claims: &Object<'_>, tenant: &TenantClaims) -> Option<Reach> {
    let granted = match tenant.reach.as_slice() {
        [] => Reach::default(),
        [ReachRule::EveryAccount] => Reach::EveryAccount,
        [ReachRule::Claim(path)] => Reach::Accounts(accounts_at(token, claims, path, tenant)?),
        // INVARIANT: valid rules have one source of reach, and this is the last kind.
        _ => Reach::Accounts(Arc::clone(&tenant.reach_list.accounts)),
    };
    Some(match &tenant.limit {
        Some(limit) => granted.among(&limit.accounts, |account| limit.contains(account)),
        None => granted,
    })
}

/// A client; see [`TenantClaims`], rule 2.
fn client(
    token: &VerifiedToken,
    evidence: &Evidence<'_>,
    rules: &TenantClaims,
) -> Option<Identity> {
    let contradicted = (evidence.user.is_some() && !rules.machine_claim_suffices)
        || evidence.principal.is_some()
        || evidence.in_groups
        || evidence.from_portal_client;
    if contradicted || !evidence.is_machine(token, rules) {
        return None;
    }
    let tenant = match evidence.mapped {
        Some(_) => evidence.mapped_tenant(rules)?,
        None => evidence.tenant(rules)?,
    };
    Some(Identity::Client(Client {
        id: token.client_id()?.clone(),
        tenant: Some(tenant),
    }))
}

/// A user; see [`TenantClaims`], rule 1.
fn user(
    token: &VerifiedToken,
    evidence: &Evidence<'_>,
    tenant: &TenantClaims,
    rules: &IssuerPolicy,
) -> Option<Identity> {
    let (user, subject) = evidence.user_ids(token, tenant, rules)?;
    Some(Identity::User(WorkspaceUser {
        user,
        subject,
        tenant: evidence.tenant(tenant)?,
        role: evidence.role.clone(),
    }))
}
