//! Who is calling: an access token and its issuer's tenant rules become an identity.
//!
//! 1. Wider reach needs positive evidence, complete and without contradiction.
//! 2. Anything else is a subject, who is authenticated and reaches nothing.
//! 3. Without tenant rules a caller is a client without a workspace, or a subject.
//!
//! The rules for each kind stand at [`TenantClaims`].

use super::claims::AccessToken;
use super::json::{Object, Value};
use super::rules::Rules;
use super::tenancy::{AccountRule, TenantClaims};
use crate::model::path::ClaimPath;
use crate::model::tenant::{AccountId, ClientId, PrincipalId, SubjectId, UserId, WorkspaceId};
use crate::model::text::Text;

/// Who is calling, cut by reach.
///
/// A match on it names every kind: another kind would be a breaking change, because it would
/// be another answer to the question who may reach what.
///
/// An identity is not yet permission: see [`WorkspaceAccess`](crate::WorkspaceAccess).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A user of one workspace.
    User(WorkspaceUser),
    /// Somebody who may act across accounts.
    Principal(Principal),
    /// A machine: one workspace's, or none's where the issuer has no tenant rules.
    Client(Client),
    /// Somebody with a good token who reaches no tenant.
    Subject(Subject),
}

/// A user of exactly one workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceUser {
    user: UserId,
    subject: SubjectId,
    tenant: Tenant,
    role: Option<Text>,
}

impl WorkspaceUser {
    /// The application's id of the user.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// The subject of the token.
    #[must_use]
    pub const fn subject(&self) -> &SubjectId {
        &self.subject
    }

    /// The account; absent where the tenant rules declare that there are none.
    #[must_use]
    pub const fn account(&self) -> Option<&AccountId> {
        self.tenant.account.as_ref()
    }

    /// The workspace.
    #[must_use]
    pub const fn workspace(&self) -> &WorkspaceId {
        &self.tenant.workspace
    }

    /// The role in the workspace, as the tenant rules' role claim states it.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.role.as_ref().map(Text::as_str)
    }

    pub(super) const fn tenant(&self) -> &Tenant {
        &self.tenant
    }
}

/// A platform-level identity, for routes of the portal. It enters no workspace by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    id: PrincipalId,
    subject: SubjectId,
}

impl Principal {
    /// The platform's id of the principal.
    #[must_use]
    pub const fn id(&self) -> &PrincipalId {
        &self.id
    }

    /// The subject of the token.
    #[must_use]
    pub const fn subject(&self) -> &SubjectId {
        &self.subject
    }
}

/// A machine client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    id: ClientId,
    tenant: Option<Tenant>,
}

impl Client {
    /// The OAuth client.
    #[must_use]
    pub const fn id(&self) -> &ClientId {
        &self.id
    }

    /// The account; absent where there are none, or where the issuer has no tenant rules.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        self.tenant.as_ref()?.account.as_ref()
    }

    /// The workspace; absent where the issuer has no tenant rules.
    #[must_use]
    pub fn workspace(&self) -> Option<&WorkspaceId> {
        self.tenant.as_ref().map(|tenant| &tenant.workspace)
    }

    pub(super) const fn tenant(&self) -> Option<&Tenant> {
        self.tenant.as_ref()
    }
}

/// Somebody with a good token who reaches no tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    id: Option<SubjectId>,
    client: Option<ClientId>,
}

impl Subject {
    /// The subject; absent where the issuer wrote none.
    #[must_use]
    pub const fn id(&self) -> Option<&SubjectId> {
        self.id.as_ref()
    }

    /// The client that the token was issued to.
    #[must_use]
    pub const fn client(&self) -> Option<&ClientId> {
        self.client.as_ref()
    }
}

/// A workspace, and the account above it where there are accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tenant {
    pub(super) account: Option<AccountId>,
    pub(super) workspace: WorkspaceId,
}

impl Tenant {
    pub(super) fn share(&self) -> Self {
        Self {
            account: self.account.as_ref().map(AccountId::share),
            workspace: self.workspace.share(),
        }
    }
}

/// Copies that live no longer than the request.
impl Identity {
    pub(crate) fn share(&self) -> Self {
        match self {
            Self::User(user) => Self::User(user.share()),
            Self::Principal(principal) => Self::Principal(principal.share()),
            Self::Client(client) => Self::Client(client.share()),
            Self::Subject(subject) => Self::Subject(subject.share()),
        }
    }
}

impl WorkspaceUser {
    pub(crate) fn share(&self) -> Self {
        Self {
            user: self.user.share(),
            subject: self.subject.share(),
            tenant: self.tenant.share(),
            role: self.role.as_ref().map(Text::share),
        }
    }
}

impl Principal {
    pub(crate) fn share(&self) -> Self {
        Self {
            id: self.id.share(),
            subject: self.subject.share(),
        }
    }
}

impl Client {
    pub(crate) fn share(&self) -> Self {
        Self {
            id: self.id.share(),
            tenant: self.tenant.as_ref().map(Tenant::share),
        }
    }
}

impl Subject {
    pub(crate) fn share(&self) -> Self {
        Self {
            id: self.id.as_ref().map(SubjectId::share),
            client: self.client.as_ref().map(ClientId::share),
        }
    }
}

/// An identity, and the API context that the token is for where it states one.
#[derive(Debug)]
pub(crate) struct Identified {
    pub(crate) identity: Identity,
    pub(crate) context: Option<Text>,
}

/// Reads the evidence in a verified token.
pub(crate) fn identify(token: &AccessToken, claims: &Object<'_>, rules: &Rules) -> Identified {
    let Some(tenant) = &rules.tenant else {
        let identity = match token.client_id() {
            Some(client) if token.is_machine() => Identity::Client(Client {
                id: client.share(),
                tenant: None,
            }),
            _ => subject(token),
        };
        return Identified {
            identity,
            context: None,
        };
    };
    let evidence = Evidence::read(token, claims, tenant, &rules.groups_claim);
    let identity = evidence
        .as_ref()
        .and_then(|evidence| {
            principal(token, evidence, tenant, rules)
                .or_else(|| client(token, evidence, tenant))
                .or_else(|| user(token, evidence, tenant, rules))
        })
        .unwrap_or_else(|| subject(token));
    // Read apart from the evidence: a token with contradictory claims is still not good for
    // another context.
    let context = tenant.context.as_ref().and_then(|rule| {
        let value = claims.at_path(rule.claim.members()).ok().flatten()?;
        Some(Text::within(token.payload_text(), &value.as_text()?))
    });
    Identified { identity, context }
}

fn subject(token: &AccessToken) -> Identity {
    Identity::Subject(Subject {
        id: token.subject().map(SubjectId::share),
        client: token.client_id().map(ClientId::share),
    })
}

/// What a token says about its tenant. Each is absent or a sound text.
struct Evidence {
    account: Option<Text>,
    workspace: Option<Text>,
    user: Option<Text>,
    principal: Option<Text>,
    role: Option<Text>,
    context: Option<Text>,
    in_groups: bool,
    says_machine: bool,
    from_portal_client: bool,
}

impl Evidence {
    /// `None` when a claim is present and is no text: that is contradiction, not absence.
    fn read(
        token: &AccessToken,
        claims: &Object<'_>,
        tenant: &TenantClaims,
        groups: &ClaimPath,
    ) -> Option<Self> {
        let read = |path: Option<&ClaimPath>| -> Option<Option<Text>> {
            let Some(path) = path else { return Some(None) };
            match claims.at_path(path.members()) {
                Ok(None) => Some(None),
                Ok(Some(Value::String(quoted))) => {
                    let text = quoted.text();
                    (!text.is_empty()).then(|| Some(Text::within(token.payload_text(), &text)))
                }
                Ok(Some(_)) | Err(_) => None,
            }
        };
        let account_claim = match &tenant.account {
            AccountRule::Claim(path) => Some(path),
            AccountRule::Absent | AccountRule::Undecided => None,
        };
        let machine = read(tenant.machine.as_ref().map(|(path, _)| path))?;
        let says_machine = match &tenant.machine {
            Some((_, value)) => machine.is_some_and(|found| found.as_str() == &**value),
            None => token.is_machine(),
        };
        let from_portal_client = token.client_id().is_some_and(|client| {
            tenant
                .portal_clients
                .iter()
                .any(|portal| &**portal == client.as_str())
        });
        // Whatever stands there but an empty list is a group, or something in its place.
        let in_groups = match claims.at_path(groups.members()) {
            Ok(None) => false,
            Ok(Some(value)) => value
                .elements()
                .is_none_or(|mut groups| groups.next().is_some()),
            Err(_) => true,
        };
        Some(Self {
            in_groups,
            account: read(account_claim)?,
            workspace: read(Some(&tenant.workspace))?,
            user: read(tenant.user.as_ref())?,
            principal: read(tenant.principal.as_ref())?,
            role: read(tenant.role.as_ref())?,
            context: read(tenant.context.as_ref().map(|rule| &rule.claim))?,
            says_machine,
            from_portal_client,
        })
    }

    /// The tenant, if the token names a whole one and is for a context inside a workspace.
    fn tenant(&self, rules: &TenantClaims) -> Option<Tenant> {
        if let Some(rule) = &rules.context {
            let context = self.context.as_ref()?;
            let inside = rule
                .workspace_contexts
                .iter()
                .any(|known| &**known == context.as_str());
            if !inside {
                return None;
            }
        }
        let account = match &rules.account {
            AccountRule::Claim(_) => Some(AccountId::of(self.account.as_ref()?.share()).ok()?),
            AccountRule::Absent => None,
            AccountRule::Undecided => return None,
        };
        Some(Tenant {
            account,
            workspace: WorkspaceId::of(self.workspace.as_ref()?.share()).ok()?,
        })
    }
}

/// All of the evidence and none of the contradictions; see [`TenantClaims`], rule 3.
fn principal(
    token: &AccessToken,
    evidence: &Evidence,
    tenant: &TenantClaims,
    rules: &Rules,
) -> Option<Identity> {
    let portal = tenant.context.as_ref()?.portal.as_ref()?;
    let in_portal = evidence.context.as_ref()?.as_str() == &**portal;
    let contradicted = evidence.user.is_some()
        || evidence.workspace.is_some()
        || evidence.account.is_some()
        || evidence.role.is_some()
        || evidence.says_machine
        || token.is_machine();
    if !in_portal || !evidence.from_portal_client || contradicted {
        return None;
    }
    let subject = token.subject()?;
    Some(Identity::Principal(Principal {
        id: PrincipalId::of(&rules.realm, evidence.principal.as_ref()?.share()).ok()?,
        subject: subject.share(),
    }))
}

/// See [`TenantClaims`], rule 2.
fn client(token: &AccessToken, evidence: &Evidence, rules: &TenantClaims) -> Option<Identity> {
    let contradicted = evidence.user.is_some()
        || evidence.principal.is_some()
        || evidence.in_groups
        || evidence.from_portal_client;
    // `is_machine`: `sub` is the client id, and there is no `username`.
    if !evidence.says_machine || !token.is_machine() || contradicted {
        return None;
    }
    Some(Identity::Client(Client {
        id: token.client_id()?.share(),
        tenant: Some(evidence.tenant(rules)?),
    }))
}

/// See [`TenantClaims`], rule 1.
fn user(
    token: &AccessToken,
    evidence: &Evidence,
    tenant: &TenantClaims,
    rules: &Rules,
) -> Option<Identity> {
    if evidence.says_machine || token.is_machine() || evidence.from_portal_client {
        return None;
    }
    let subject = token.subject()?;
    let user = match (&tenant.user, &evidence.user) {
        (None, _) => Text::within(token.payload_text(), subject.as_str()),
        (Some(_), stated) => stated.as_ref()?.share(),
    };
    Some(Identity::User(WorkspaceUser {
        user: UserId::of(&rules.realm, user).ok()?,
        subject: subject.share(),
        tenant: evidence.tenant(tenant)?,
        role: evidence.role.as_ref().map(Text::share),
    }))
}
