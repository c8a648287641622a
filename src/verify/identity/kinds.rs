//! The kinds of callers, cut by reach.

use crate::model::ids::{AccountId, ClientId, PrincipalId, SubjectId, UserId, WorkspaceId};
use crate::model::reach::Reach;
use crate::model::shared_str::SharedStr;

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
    /// A caller with a good token that names no tenant.
    Subject(Subject),
}

/// A user of exactly one workspace.
///
/// As an axum extractor it asks for a user, and looks at no path: on a route with
/// `{workspace_id}`, ask for [`WorkspaceAccess`](crate::WorkspaceAccess), which compares them.
/// A client that acts for a user is no user: see [`Delegation`](crate::tenant::Delegation).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceUser {
    pub(in crate::verify) user: UserId,
    pub(in crate::verify) subject: SubjectId,
    pub(in crate::verify) tenant: Tenant,
    pub(in crate::verify) role: Option<SharedStr>,
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
        self.role.as_ref().map(SharedStr::as_str)
    }

    pub(in crate::verify) const fn tenant(&self) -> &Tenant {
        &self.tenant
    }
}

/// A platform-level identity that may act across the accounts within its reach.
///
/// [`AccountAccess`](crate::tenant::AccountAccess) is the proof for one of them. It enters a workspace
/// only under a layer that says
/// [`admit_principals`](crate::AuthenticateLayer::admit_principals), and only when the
/// [`WorkspaceDirectory`](crate::tenant::WorkspaceDirectory) names an account within reach as its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub(in crate::verify) id: PrincipalId,
    pub(in crate::verify) subject: SubjectId,
    pub(in crate::verify) reach: Reach,
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

    /// The accounts in which the principal may act.
    #[must_use]
    pub const fn reach(&self) -> &Reach {
        &self.reach
    }
}

/// A machine client.
#[doc(alias = "m2m")]
#[doc(alias = "machine_to_machine")]
#[doc(alias = "service_account")]
#[doc(alias = "client_credentials")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub(in crate::verify) id: ClientId,
    pub(in crate::verify) tenant: Option<Tenant>,
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

    pub(in crate::verify) const fn tenant(&self) -> Option<&Tenant> {
        self.tenant.as_ref()
    }
}

/// A caller with a good token that names no tenant.
///
/// It reaches no tenant, except for workspaces of which it is a member where the tenant rules have
/// memberships: see [`TenantClaims::by_membership`](crate::TenantClaims::by_membership).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub(in crate::verify) id: Option<SubjectId>,
    pub(in crate::verify) client: Option<ClientId>,
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
pub(in crate::verify) struct Tenant {
    pub(in crate::verify) account: Option<AccountId>,
    pub(in crate::verify) workspace: WorkspaceId,
}

impl Tenant {
    pub(in crate::verify) fn share(&self) -> Self {
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
            role: self.role.as_ref().map(SharedStr::share),
        }
    }
}

impl Principal {
    pub(crate) fn share(&self) -> Self {
        Self {
            id: self.id.share(),
            subject: self.subject.share(),
            reach: self.reach.clone(),
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
