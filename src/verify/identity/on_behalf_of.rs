//! Who acts for whom: one picture of both forms of delegation, that of a token (`act`, RFC 8693) and that
//! of a client that names a user in a header field.
//!
//! 1. The authority is that of the token's subject or client, or of the user that a client may act for.
//! 2. A request has at most one party between: the header field is refused beside an actor.

use crate::model::ids::{ClientId, SubjectId, UserId};
use crate::verify::claims::actor::Actor;
use crate::verify::claims::verified_token::AccessToken;
use crate::verify::identity::delegation::Delegation;
use crate::verify::identity::kinds::Identity;

/// Who acts for whom in a request: whose authority it has, and which agent or client uses it.
///
/// | [`acting`](Self::acting) | whose authority | who acts | how it is known |
/// |---|---|---|---|
/// | [`Direct`](Acting::Direct) | the user, or other subject, of the token | the same, through the client of the token | no `act` |
/// | [`ClientItself`](Acting::ClientItself) | the client | the client | a client's own token without `act` |
/// | [`ClientForUser`](Acting::ClientForUser) | the client, for one user | the client | the header field `X-User-Id`: see [`Delegation`] |
/// | [`AgentForUser`](Acting::AgentForUser) | the user, or other subject, of the token | the agent | `act` (RFC 8693 section 4.1) |
/// | [`AgentForClient`](Acting::AgentForClient) | the client | the agent | `act` in a client's own token |
///
/// As an axum extractor it requires a good token. Where the issuer's rules have
/// [`delegation`](crate::TenantClaims::delegation) on and the request has the header field, it requires
/// what [`Delegation`] requires, `{workspace_id}` in the route among it; with an actor in the token such a
/// request is refused with 403. It grants no tenant by itself: take
/// [`WorkspaceAccess`](crate::WorkspaceAccess), or [`delegation`](Self::delegation), for that.
///
/// `Clone` shares what is kept of the token. `Debug` shows no id.
#[doc(alias("delegation", "act", "agent", "x_user_id", "impersonation"))]
#[derive(Clone, Debug)]
#[must_use]
pub struct OnBehalfOf {
    identity: Identity,
    /// The token, for its subject, client and actor.
    token: AccessToken,
    delegation: Option<Delegation>,
}

/// How authority and acting party differ in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Acting {
    /// The subject of the token acts itself.
    Direct,
    /// A client acts by its own authority.
    ClientItself,
    /// A client acts for a user that it names.
    ClientForUser,
    /// An agent acts with the authority of the token's subject.
    AgentForUser,
    /// An agent acts with the authority of a client.
    AgentForClient,
}

impl Acting {
    /// A stable name: `direct`, `client_itself`, `client_for_user`, `agent_for_user` or
    /// `agent_for_client`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::ClientItself => "client_itself",
            Self::ClientForUser => "client_for_user",
            Self::AgentForUser => "agent_for_user",
            Self::AgentForClient => "agent_for_client",
        }
    }
}

impl OnBehalfOf {
    /// The picture of a token without a header field that counts.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn of_token(token: AccessToken, identity: &Identity) -> Self {
        Self {
            identity: identity.clone(),
            token,
            delegation: None,
        }
    }

    /// The picture of a client that acts for the user of its header field.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn of_delegation(
        token: AccessToken,
        identity: &Identity,
        delegation: Delegation,
    ) -> Self {
        Self {
            delegation: Some(delegation),
            ..Self::of_token(token, identity)
        }
    }

    /// How authority and acting party differ.
    #[must_use]
    pub fn acting(&self) -> Acting {
        let is_clients = match &self.identity {
            Identity::Client(_) => true,
            Identity::User(_) | Identity::Principal(_) => false,
            Identity::Subject(_) => self.token.verified().is_machine(),
        };
        match (&self.delegation, self.token.actor(), is_clients) {
            (Some(_), _, _) => Acting::ClientForUser,
            (None, None, true) => Acting::ClientItself,
            (None, None, false) => Acting::Direct,
            (None, Some(_), true) => Acting::AgentForClient,
            (None, Some(_), false) => Acting::AgentForUser,
        }
    }

    /// The caller by its tenants: whose authority the token has.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The subject of the token, as the issuer writes it. A client's own token has the client's id here,
    /// or nothing.
    #[doc(alias("sub"))]
    #[must_use]
    pub fn subject(&self) -> Option<&SubjectId> {
        self.token.subject()
    }

    /// The user of the application whose data this is about: the user of the token, or the one that the
    /// client acts for. `None` where the tenant rules find none.
    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        match (&self.delegation, &self.identity) {
            (Some(delegation), _) => Some(delegation.user()),
            (None, Identity::User(user)) => Some(user.user()),
            (None, Identity::Principal(_) | Identity::Client(_) | Identity::Subject(_)) => None,
        }
    }

    /// The OAuth client that the token was issued to.
    #[doc(alias("azp", "cid"))]
    #[must_use]
    pub fn client_id(&self) -> Option<&ClientId> {
        self.token.client_id()
    }

    /// The agent that acts, where the token names one.
    #[doc(alias("act", "agent"))]
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.token.actor()
    }

    /// The client's delegation, where the request names a user in the header field.
    #[must_use]
    pub const fn delegation(&self) -> Option<&Delegation> {
        self.delegation.as_ref()
    }
}
