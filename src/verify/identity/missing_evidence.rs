//! The detail of a refusal for want of a tenant: which evidence is missing or contradicts.
//!
//! 1. It decides nothing: it reads the evidence again by the rules of [`identify`](super::resolve) and
//!    names the first rule that is not met.
//! 2. A claim is named by its configured path, with the type that was found; never its value.

use crate::model::claim_path::ClaimPath;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::ids::{AccountId, UserId, WorkspaceId};
use crate::model::shared_str::SharedStr;
use crate::verify::claims::verified_token::VerifiedToken;
use crate::verify::identity::evidence::{Evidence, accounts_at};
use crate::verify::identity::evidence_detail::{
    about, about_name, found, invalid_claim, unfit, unstated, workspace_claim, workspace_setting,
};
use crate::verify::json::claim_error::ClaimName as _;
use crate::verify::json::object::{Object, Value};
use crate::verify::policy::issuer_policy::IssuerPolicy;
use crate::verify::policy::tenant_claims::TenantClaims;
use crate::verify::policy::tenant_rules::{AccountRule, ReachRule};
use crate::verify::request::sent_token::SentToken;

/// Why the caller reaches no tenant. `None` where the rules give it one.
#[cold]
pub(crate) fn missing_evidence(
    token: &VerifiedToken,
    sent: &SentToken,
    rules: &IssuerPolicy,
) -> Option<RejectionDetail> {
    let Some(tenant) = &rules.tenant else {
        return Some(
            RejectionDetail::new()
                .with_problem(Problem::Missing)
                .with_setting("tenant_claims"),
        );
    };
    let payload = token.payload(sent).ok()?;
    let claims = Object::parse_str(&payload).ok()?;
    if let Some(odd) = invalid_claim(token, &claims, tenant, &rules.name_forms) {
        return Some(odd);
    }
    let Ok(evidence) = Evidence::read(token, &claims, tenant, rules) else {
        return Some(about(
            workspace_claim(tenant)?,
            workspace_setting(tenant),
            Problem::Contradicts,
        ));
    };
    let case = EvidenceCase {
        token,
        claims: &claims,
        tenant,
        rules,
        evidence: &evidence,
    };
    if evidence.from_portal_client || case.is_in_portal() {
        case.not_a_principal()
    } else if evidence.has_machine_evidence(token, tenant) || evidence.mapped.is_some() {
        case.not_a_client()
    } else {
        case.not_a_user()
    }
}

/// Why the claim of roles or groups has no names: it is absent, empty, or of another form.
#[cold]
pub(crate) fn unread_names(
    token: &VerifiedToken,
    sent: &SentToken,
    rules: &IssuerPolicy,
    (path, setting): (&ClaimPath, &'static str),
) -> RejectionDetail {
    let missing = || about(path, setting, Problem::Missing);
    let Ok(payload) = token.payload(sent) else {
        return missing();
    };
    let Ok(claims) = Object::parse_str(&payload) else {
        return missing();
    };
    let value = claims.at_path(path.members());
    let problem = match value {
        Ok(None | Some(Value::Null)) => return missing(),
        Ok(Some(value)) if rules.name_forms.read(value).is_some() => Problem::Empty,
        Ok(Some(_)) | Err(_) => Problem::WrongType,
    };
    let detail = found(about(path, setting, problem), &claims, path);
    let odd = value.ok().flatten().and_then(Value::elements);
    let odd = odd.and_then(|mut all| all.find(|one| !matches!(one, Value::String(_))));
    match odd {
        Some(odd) if problem == Problem::WrongType => {
            detail.with_found(format!("array with {}", odd.type_name()))
        }
        _ => detail,
    }
}

/// A token whose evidence could be read.
struct EvidenceCase<'t> {
    token: &'t VerifiedToken,
    claims: &'t Object<'t>,
    tenant: &'t TenantClaims,
    rules: &'t IssuerPolicy,
    evidence: &'t Evidence<'t>,
}

impl EvidenceCase<'_> {
    fn is_in_portal(&self) -> bool {
        let portal = self
            .tenant
            .context
            .as_ref()
            .and_then(|rule| rule.portal.as_ref());
        match (portal, &self.evidence.context) {
            (Some(portal), Some(context)) => context.as_str() == &**portal,
            _ => false,
        }
    }

    /// The first of these claims that is present, which contradicts the kind of caller.
    fn contradicted_by(
        &self,
        claims: &[(&Option<SharedStr>, &Option<ClaimPath>, &'static str)],
    ) -> Option<RejectionDetail> {
        claims.iter().find_map(|(stated, path, setting)| {
            stated.as_ref()?;
            Some(self.stated(path.as_ref()?, setting, Problem::Contradicts))
        })
    }

    fn not_a_principal(&self) -> Option<RejectionDetail> {
        let (tenant, evidence) = (self.tenant, self.evidence);
        if !evidence.from_portal_client {
            return Some(self.client("portal_client", Problem::Differs));
        }
        let context = tenant.context.as_ref();
        if !self.is_in_portal() {
            let problem = match &evidence.context {
                None => Problem::Missing,
                Some(_) => Problem::Differs,
            };
            let path = &context?.claim;
            let detail = self.stated(path, "portal_context", problem);
            return Some(match context.and_then(|rule| rule.portal.as_ref()) {
                Some(portal) => detail.with_expected(portal.to_string()),
                None => detail,
            });
        }
        if evidence.workspace.is_some() {
            let path = workspace_claim(tenant)?;
            return Some(self.stated(path, workspace_setting(tenant), Problem::Contradicts));
        }
        let account = match &tenant.account {
            AccountRule::Claim(path) => Some(path.clone()),
            AccountRule::Undecided | AccountRule::Group | AccountRule::Absent => None,
        };
        self.contradicted_by(&[
            (&evidence.user, &tenant.user, "user_claim"),
            (&evidence.account, &account, "account_claim"),
            (&evidence.role, &tenant.role, "role_claim"),
        ])
        .or_else(|| self.machine_contradicts())
        .or_else(|| {
            unstated(
                evidence.principal.as_ref(),
                tenant.principal.as_ref(),
                "principal_claim",
            )
        })
        .or_else(|| self.no_subject())
        .or_else(|| match tenant.reach.as_slice() {
            [ReachRule::Claim(path)]
                if accounts_at(self.token, self.claims, path, tenant).is_none() =>
            {
                Some(
                    self.stated(path, "principals_reach_claim", Problem::WrongType)
                        .with_expected("an array of account ids"),
                )
            }
            _ => Some(unfit(tenant.principal.as_ref()?, "principal_claim")),
        })
    }

    /// Evidence of a machine, where the kind of caller excludes it.
    fn machine_contradicts(&self) -> Option<RejectionDetail> {
        if !self.evidence.has_machine_evidence(self.token, self.tenant) {
            return None;
        }
        Some(match &self.tenant.machine {
            Some((path, _)) if !self.token.is_machine() => {
                self.stated(path, "machine_claim", Problem::Contradicts)
            }
            _ => self.client("machine_claim", Problem::Contradicts),
        })
    }

    fn not_a_client(&self) -> Option<RejectionDetail> {
        let (tenant, evidence) = (self.tenant, self.evidence);
        let user = if tenant.machine_claim_suffices {
            &None
        } else {
            &tenant.user
        };
        let contradicted = self.contradicted_by(&[
            (&evidence.user, user, "user_claim"),
            (&evidence.principal, &tenant.principal, "principal_claim"),
        ]);
        if contradicted.is_some() {
            return contradicted;
        }
        if evidence.in_groups {
            let groups = &self.rules.groups_claim;
            return Some(self.stated(groups, "groups_claim", Problem::Contradicts));
        }
        if !evidence.is_machine(self.token, tenant) {
            return Some(self.no_machine());
        }
        match evidence.mapped {
            Some(_) if evidence.mapped_tenant(tenant).is_none() => {
                Some(self.client("client_tenant", Problem::Contradicts))
            }
            Some(_) => None,
            None => self.no_tenant(),
        }
    }

    fn no_machine(&self) -> RejectionDetail {
        if let (Some((path, mark)), None) = (&self.tenant.machine, self.evidence.mapped) {
            let stated = self.claims.at_path(path.members()).ok().flatten();
            let stated = stated.and_then(Value::as_text);
            if stated.as_deref() != Some(&**mark) {
                let problem = match stated {
                    None => Problem::Missing,
                    Some(_) => Problem::Differs,
                };
                let detail = self.stated(path, "machine_claim", problem);
                return detail.with_expected(mark.to_string());
            }
        }
        if let (Some(path), false) = (
            self.tenant.user_mark.as_ref(),
            self.evidence.is_unmarked_by_user(),
        ) {
            return self.stated(path, "user_mark", Problem::Contradicts);
        }
        if self.token.has_username() {
            return about_name("username", Problem::Contradicts);
        }
        self.client("machine_claim", Problem::Differs)
            .with_claim(self.rules.subject_claim.shown())
            .with_expected("the client id as the subject")
    }

    fn not_a_user(&self) -> Option<RejectionDetail> {
        let (tenant, evidence) = (self.tenant, self.evidence);
        if !evidence.is_marked_as_user(tenant) {
            let path = tenant.user_mark.as_ref()?;
            return Some(about(path, "user_mark", Problem::Missing));
        }
        self.no_subject()
            .or_else(|| unstated(evidence.user.as_ref(), tenant.user.as_ref(), "user_claim"))
            .or_else(|| {
                let subject = self.token.subject()?.as_str();
                let (path, setting, user) = match (&tenant.user, &evidence.user) {
                    (Some(path), Some(user)) => (path, "user_claim", user.as_str()),
                    _ => (&self.rules.subject_claim, "subject_claim", subject),
                };
                let fits = UserId::of(&self.rules.realm, SharedStr::new(user)).is_ok();
                (!fits).then(|| unfit(path, setting))
            })
            .or_else(|| self.no_tenant())
    }

    fn no_subject(&self) -> Option<RejectionDetail> {
        let path = &self.rules.subject_claim;
        let is_lacking = self.token.subject().is_none();
        is_lacking.then(|| about(path, "subject_claim", Problem::Missing))
    }

    /// The missing part of the tenant: context, account, workspace, or the issuer's right to assert it.
    fn no_tenant(&self) -> Option<RejectionDetail> {
        let (tenant, evidence) = (self.tenant, self.evidence);
        if let Some(rule) = &tenant.context {
            let known = |context: &SharedStr| {
                let mut inside = rule.workspace_contexts.iter();
                inside.any(|one| &**one == context.as_str())
            };
            let problem = match &evidence.context {
                None => Some(Problem::Missing),
                Some(context) => (!known(context)).then_some(Problem::Differs),
            };
            if let Some(problem) = problem {
                let expected = crate::verify::json::claim_error::listed(&rule.workspace_contexts);
                return Some(
                    self.stated(&rule.claim, "contexts", problem)
                        .with_expected(expected),
                );
            }
        }
        if let AccountRule::Claim(path) = &tenant.account {
            match &evidence.account {
                None => return Some(about(path, "account_claim", Problem::Missing)),
                Some(account) if AccountId::new(account.as_str()).is_err() => {
                    return Some(unfit(path, "account_claim"));
                }
                Some(_) => {}
            }
        }
        let setting = workspace_setting(tenant);
        let Some(path) = workspace_claim(tenant) else {
            return Some(
                RejectionDetail::new()
                    .with_problem(Problem::Missing)
                    .with_setting(setting),
            );
        };
        match &evidence.workspace {
            None => Some(about(path, setting, Problem::Missing)),
            Some(workspace) if WorkspaceId::new(workspace.as_str()).is_err() => {
                Some(unfit(path, setting))
            }
            // Both are there and of the right form: the issuer may not assert this account.
            Some(_) if evidence.tenant(tenant).is_none() => {
                Some(about(path, "only_accounts", Problem::Differs))
            }
            Some(_) => None,
        }
    }

    fn stated(&self, path: &ClaimPath, setting: &'static str, problem: Problem) -> RejectionDetail {
        found(about(path, setting, problem), self.claims, path)
    }

    fn client(&self, setting: &'static str, problem: Problem) -> RejectionDetail {
        match self.rules.client_id_claims.first() {
            Some(path) => about(path, setting, problem),
            None => about_name("client_id", problem).with_setting(setting),
        }
    }
}
