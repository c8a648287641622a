//! The kinds of callers, by the tenants that they reach.

use std::fmt;
use std::sync::Arc;

use crate::model::ids::{AccountId, ClientId, PrincipalId, SubjectId, UserId, WorkspaceId};
use crate::model::reach::Reach;
use crate::model::shared_str::SharedStr;

/// The caller, by the tenants that it reaches.
///
/// A match on it names every kind: another kind would be a breaking change, because it would change
/// which callers reach which tenants. For logs and audit, [`kind`](Self::kind),
/// [`issuer`](Self::issuer), [`subject`](Self::subject) and [`client_id`](Self::client_id) need no
/// match.
///
/// An identity is not yet permission: see [`WorkspaceAccess`](crate::WorkspaceAccess).
///
/// `Clone` is cheap: it shares the texts that are kept of the token. `Debug` shows the kind and
/// the shape, and no id.
#[doc(alias("user", "caller", "principal", "m2m"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A user of one workspace.
    #[doc(alias("end_user"))]
    User(WorkspaceUser),
    /// A platform-level identity that may act across accounts.
    Principal(Principal),
    /// A machine client: of one workspace, or of none where the issuer has no tenant rules.
    #[doc(alias("m2m", "service_account", "client_credentials"))]
    Client(Client),
    /// A caller with a good token that reaches no tenant.
    Subject(Subject),
}

impl Identity {
    /// The kind, for logs, metrics and comparisons.
    #[must_use]
    pub const fn kind(&self) -> IdentityKind {
        match self {
            Self::User(_) => IdentityKind::User,
            Self::Principal(_) => IdentityKind::Principal,
            Self::Client(_) => IdentityKind::Client,
            Self::Subject(_) => IdentityKind::Subject,
        }
    }

    /// The configured issuer that vouches for it.
    #[doc(alias("iss"))]
    #[must_use]
    pub fn issuer(&self) -> &str {
        match self {
            Self::User(user) => user.subject.issuer(),
            Self::Principal(principal) => principal.subject.issuer(),
            Self::Client(client) => client.id.issuer(),
            Self::Subject(subject) => &subject.issuer,
        }
    }

    /// The subject of the token. `None` for a client, whose id is [`client_id`](Self::client_id), and
    /// for a subject whose token has no `sub`.
    #[doc(alias("sub", "user_id"))]
    #[must_use]
    pub const fn subject(&self) -> Option<&SubjectId> {
        match self {
            Self::User(user) => Some(&user.subject),
            Self::Principal(principal) => Some(&principal.subject),
            Self::Client(_) => None,
            Self::Subject(subject) => subject.id.as_ref(),
        }
    }

    /// The OAuth client, of a client or a subject. `None` for a user or a principal: the client that
    /// their token was issued to is [`AccessToken::client_id`](crate::AccessToken::client_id).
    #[doc(alias("azp", "cid", "appid"))]
    #[must_use]
    pub const fn client_id(&self) -> Option<&ClientId> {
        match self {
            Self::User(_) | Self::Principal(_) => None,
            Self::Client(client) => Some(&client.id),
            Self::Subject(subject) => subject.client.as_ref(),
        }
    }
}

/// The kind of an [`Identity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentityKind {
    /// [`Identity::User`].
    User,
    /// [`Identity::Principal`].
    Principal,
    /// [`Identity::Client`].
    Client,
    /// [`Identity::Subject`].
    Subject,
}

impl IdentityKind {
    /// A stable name: `user`, `principal`, `client` or `subject`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Principal => "principal",
            Self::Client => "client",
            Self::Subject => "subject",
        }
    }
}

impl fmt::Display for IdentityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A user of exactly one workspace.
///
/// As an axum extractor it requires a user and does not read the path: on a route with
/// `{workspace_id}` take [`WorkspaceAccess`](crate::WorkspaceAccess), which compares them.
/// A client that acts for a user is not a user: see [`Delegation`](crate::tenant::Delegation).
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
    pub(in crate::verify) issuer: Arc<str>,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer() -> Arc<str> {
        "https://issuer.example.com".into()
    }

    fn client_id() -> ClientId {
        ClientId::of(&issuer(), SharedStr::new("reports")).expect("an id")
    }

    #[test]
    fn client_states_its_tenant_and_none_without_tenant_rules() {
        let (account, workspace) = (AccountId::new("acme"), WorkspaceId::new("acme-prod"));
        let (account, workspace) = (account.expect("an id"), workspace.expect("an id"));
        let inside = Client {
            id: client_id(),
            tenant: Some(Tenant {
                account: Some(account.clone()),
                workspace: workspace.clone(),
            }),
        };
        assert_eq!(inside.account(), Some(&account));
        assert_eq!(inside.workspace(), Some(&workspace));
        let outside = Client {
            tenant: None,
            ..inside
        };
        assert_eq!((outside.account(), outside.workspace()), (None, None));
    }

    #[test]
    fn subject_states_its_subject_and_its_client_where_the_token_does() {
        let id = SubjectId::of(&issuer(), SharedStr::new("alice")).expect("an id");
        let both = Subject {
            issuer: issuer(),
            id: Some(id.clone()),
            client: Some(client_id()),
        };
        assert_eq!(both.id(), Some(&id));
        assert_eq!(both.client(), Some(&client_id()));
        let neither = Subject {
            id: None,
            client: None,
            ..both
        };
        assert_eq!((neither.id(), neither.client()), (None, None));
    }
}
