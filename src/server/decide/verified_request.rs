//! The result of authentication: the token, the caller's identity, and the issuer's policy.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use http::HeaderMap;
#[cfg(feature = "axum")]
use serde::de::DeserializeOwned;

use crate::model::decision::event::CallerNames;
use crate::model::error::rejection_detail::RejectionDetail;
#[cfg(feature = "axum")]
use crate::model::error::token_error::TokenError;
use crate::model::ids::{ClientId, SubjectId};
use crate::model::requirement::resource_set::ResourceSet;
use crate::model::scope::ScopeToken;
use crate::model::shared_str::{COUNTS, SharedStr};
use crate::runtime::cache::token_cache::Cached;
use crate::runtime::revocation::list::RevocationCheck;
#[cfg(feature = "status-list")]
use crate::runtime::status_list::reference::StatusReference;
use crate::verify::claims::access_token::Validity;
use crate::verify::claims::verified_token::AccessToken;
use crate::verify::claims::verified_token::{TokenHolder, VerifiedToken};
use crate::verify::dpop::proof::ClientKey;
use crate::verify::identity::kinds::Identity;
use crate::verify::identity::member::Member;
use crate::verify::identity::memory_footprint::footprint;
use crate::verify::identity::missing_evidence::missing_evidence;
use crate::verify::identity::missing_evidence::unread_names;
use crate::verify::identity::resolve::Identified;
use crate::verify::policy::issuer_policy::IssuerPolicy;
use crate::verify::request::credential::Credential;
use crate::verify::request::sent_token::SentToken;

/// A verified request, shared with the cache that it was found in or kept in.
pub(crate) type SharedRequest = Arc<Cached<VerifiedRequest>>;

/// What authentication knows of a request: the token, the caller and the issuer's policy.
///
/// What each request reads comes first, so that a token that was seen before touches few cache lines.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct VerifiedRequest {
    pub(crate) validity: Validity,
    /// Those of the token's issuer.
    pub(crate) rules: Arc<IssuerPolicy>,
    /// A copy beside the token, for the layers' check on every request.
    pub(crate) resources: ResourceSet,
    /// Whether each request takes further checks: of its sender, since the token is bound or has to be,
    /// or of the token's status.
    pub(crate) needs_further_checks: bool,
    /// The cached result of the revocation check.
    pub(crate) revocation_check: RevocationCheck,
    /// Its entry in a status list. `None` where none is checked.
    #[cfg(feature = "status-list")]
    pub(crate) status: Option<StatusReference>,
    /// The client's key of a bound token, from its first proof on.
    pub(crate) client_key: OnceLock<Box<ClientKey>>,
    pub(crate) identified: Identified,
    pub(crate) token: VerifiedToken,
}

impl TokenHolder for Cached<VerifiedRequest> {
    fn token(&self) -> &VerifiedToken {
        &self.token
    }
}

/// A verified request with its token as it was sent, for what reads the payload again.
#[derive(Clone, Debug)]
pub(crate) struct SentRequest {
    pub(in crate::server) verified: SharedRequest,
    pub(in crate::server) sent: SentToken,
}

impl Deref for SentRequest {
    type Target = Cached<VerifiedRequest>;

    fn deref(&self) -> &Self::Target {
        &self.verified
    }
}

impl SentRequest {
    /// The request with its token, which outlives the request.
    pub(in crate::server) fn of(verified: &SharedRequest, credential: Credential<'_>) -> Self {
        Self {
            verified: Arc::clone(verified),
            sent: credential.to_sent(),
        }
    }

    pub(crate) const fn shared(&self) -> &SharedRequest {
        &self.verified
    }

    pub(crate) fn into_shared(self) -> SharedRequest {
        self.verified
    }

    /// The token as applications hold it.
    pub(crate) fn access_token(&self) -> AccessToken {
        AccessToken::new(
            Arc::<Cached<VerifiedRequest>>::clone(&self.verified),
            self.sent.clone(),
        )
    }

    /// The payload of the token.
    pub(in crate::server) fn payload(&self) -> Option<Cow<'_, str>> {
        self.token.payload(&self.sent).ok()
    }

    /// The payload of the token as the application's own type.
    #[cfg(feature = "axum")]
    pub(crate) fn read_claims<T>(&self) -> Result<Arc<T>, TokenError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.token.read_claims(&self.sent)
    }

    /// The evidence of tenancy that the token lacks or that contradicts, for an operator whose guard
    /// refuses the caller. `None` where the rules give it a tenant.
    #[cold]
    pub(crate) fn lacking_evidence(&self) -> Option<RejectionDetail> {
        match &self.identified.identity {
            Identity::Subject(_) => missing_evidence(&self.token, &self.sent, &self.rules),
            Identity::Client(client) if client.workspace().is_none() => {
                missing_evidence(&self.token, &self.sent, &self.rules)
            }
            Identity::Client(_) | Identity::User(_) | Identity::Principal(_) => None,
        }
    }

    /// Why the claim of roles has no name that is read, for an operator whose guard finds none.
    pub(crate) fn unread_roles(&self) -> RejectionDetail {
        unread_names(
            &self.token,
            &self.sent,
            &self.rules,
            (&self.rules.roles_claim, "roles_claim"),
        )
    }

    /// The same for groups.
    #[cfg(feature = "axum")]
    pub(crate) fn unread_groups(&self) -> RejectionDetail {
        unread_names(
            &self.token,
            &self.sent,
            &self.rules,
            (&self.rules.groups_claim, "groups_claim"),
        )
    }
}

impl VerifiedRequest {
    /// Whether the token may be used in this API context. A token without a context passes here; the
    /// guards decide about it.
    pub(crate) fn is_for(&self, context: Option<&str>) -> bool {
        match (self.context(), context) {
            (Some(stated), Some(named)) => stated == named,
            _ => true,
        }
    }

    /// The bytes that it takes in a cache, with everything that was read from the token.
    pub(crate) fn bytes(&self) -> usize {
        let own = COUNTS + size_of::<Cached<Self>>();
        let client_key = if self.token.is_bound() {
            ClientKey::MOST_BYTES
        } else {
            0
        };
        own + footprint(&self.token, &self.identified, &self.rules)
            + client_key
            + self.status_bytes()
    }

    #[cfg(feature = "status-list")]
    fn status_bytes(&self) -> usize {
        self.status.as_ref().map_or(0, |_| StatusReference::bytes())
    }

    #[cfg(not(feature = "status-list"))]
    #[allow(clippy::unused_self)]
    const fn status_bytes(&self) -> usize {
        0
    }

    /// The configured issuer of the token.
    pub(crate) fn realm(&self) -> &Arc<str> {
        &self.rules.realm
    }

    /// The configured claim that states the audience.
    #[cold]
    pub(crate) fn audience_claim(&self) -> String {
        self.rules.audience_claim.to_string()
    }

    pub(crate) const fn is_principal(&self) -> bool {
        matches!(self.identified.identity, Identity::Principal(_))
    }

    /// The API context that the token is for.
    pub(crate) fn context(&self) -> Option<&str> {
        self.identified.context.as_ref().map(SharedStr::as_str)
    }

    /// Whether the request names a user to act for, where the issuer's policy reads that.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn invokes_delegation(&self, headers: &HeaderMap) -> bool {
        let tenant = self.rules.tenant.as_ref();
        tenant.is_some_and(|rules| rules.delegation.is_invoked(headers))
    }

    /// What the token says about further workspaces, where the rules have memberships.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn member(&self) -> Option<&Member> {
        self.identified.member.as_deref()
    }

    pub(crate) const fn identity(&self) -> &Identity {
        &self.identified.identity
    }

    /// The scope token of the access token that meets a demand for `token`: the same, or the first that
    /// implies it.
    pub(crate) fn held_scope_for(&self, token: &str) -> Option<&str> {
        let hierarchy = self.rules.scope_hierarchy.as_deref();
        let implies =
            |held: &&str| hierarchy.is_some_and(|hierarchy| hierarchy.implies(held, token));
        let held = || self.token.scope().iter().map(ScopeToken::as_str);
        held()
            .find(|held| *held == token)
            .or_else(|| held().find(implies))
    }

    /// Whose authority it is and who acts with it, for an event.
    #[cold]
    pub(crate) fn caller_names(&self) -> CallerNames<'_> {
        let token = &self.token;
        CallerNames {
            subject: token.subject().map(SubjectId::as_str),
            client: token.client_id().map(ClientId::as_str),
            actor: token.actor().map(|actor| (actor.id(), actor.issuer())),
        }
    }

    /// The kind of caller, as a word for an event.
    pub(crate) const fn caller_kind(&self) -> &'static str {
        match self.identified.identity {
            Identity::User(_) => "user",
            Identity::Principal(_) => "principal",
            Identity::Client(_) => "client",
            Identity::Subject(_) => "subject",
        }
    }
}

#[cfg(all(test, feature = "test-util"))]
mod tests {
    #![allow(clippy::expect_used)] // in functions that tests share

    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::server::decide::decision::Decision;
    use crate::server::resource_server::ResourceServer;
    use crate::test_util::MockIssuer;
    use crate::verify::claims::actor::Actor;

    const API: &str = "https://api.example.com";

    static SITE: LazyLock<(MockIssuer, ResourceServer)> = LazyLock::new(|| {
        let issuer = MockIssuer::new();
        let trusted = issuer.trusted().roles_claim("roles").groups_claim("groups");
        let server = ResourceServer::builder(API).issuer(trusted).build();
        (issuer, server.expect("sound settings"))
    });

    /// Short, long, with escapes, and equal to others of the same token.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[a-c]", "x[a-z \"\\\\/\u{e9}]{0,20}", "x{60,200}"]
    }

    fn texts() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(prop_oneof![4 => text(), 1 => Just(String::new())], 0..24)
    }

    fn stated(list: &[String]) -> Vec<&str> {
        let texts = list.iter().map(String::as_str);
        texts.filter(|text| !text.is_empty()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn request_has_what_its_token_says_at_first_sight_and_later(
            ids in prop::collection::vec(text(), 5),
            (roles, groups, acr) in (texts(), texts(), texts()),
            scope in prop::collection::vec("[a-d:]{1,9}", 1..6),
            is_list in any::<bool>(),
            actors in prop::collection::vec(text(), 0..3),
            more in 0_usize..50,
        ) {
            let (issuer, server) = &*SITE;
            let [subject, client, id, session, other] = &*ids else { return Ok(()) };
            let joined = scope.join(" ");
            let act = actors.iter().rev().fold(None, |earlier: Option<Value>, actor| {
                let mut act = json!({ "sub": actor });
                if let Some(earlier) = earlier {
                    act["act"] = earlier;
                }
                Some(act)
            });
            let mut token = issuer.token().audience(API).subject(subject).client(client)
                .claim("jti", id).claim("sid", session)
                .claim("roles", &roles).claim("groups", &groups).claim("acr", &acr)
                .claim("scope", if is_list { json!(scope) } else { json!(joined) });
            for number in 0..more {
                token = token.claim(format!("more-{number}"), number);
            }
            if let Some(act) = &act {
                token = token.claim("act", act);
            }
            let token = token.sign();
            let between = issuer.token().audience(API).subject(other).sign();
            let seen = |token: &str| {
                let credential = Credential::bare(token.as_bytes()).expect("it is not empty");
                match server.authenticate_credential(credential) {
                    Ok(Decision::Done(verified)) => SentRequest::of(&verified, credential),
                    other => panic!("{:?}", other.err()),
                }
            };
            let first = seen(&token);
            let others = seen(&between);
            for request in [&first, &seen(&token)] {
                let token = request.access_token();
                prop_assert_eq!(token.issuer(), issuer.issuer());
                let held = token.subject().expect("a subject");
                prop_assert_eq!((held.as_str(), held.issuer()), (&**subject, token.issuer()));
                let held = token.client_id().map(ClientId::as_str);
                prop_assert_eq!(held, Some(&**client));
                prop_assert_eq!(token.id(), Some(&**id));
                prop_assert_eq!(token.session_ids().collect::<Vec<_>>(), [&**session]);
                prop_assert_eq!(token.roles().collect::<Vec<_>>(), stated(&roles));
                prop_assert_eq!(token.groups().collect::<Vec<_>>(), stated(&groups));
                prop_assert_eq!(token.acr_values().collect::<Vec<_>>(), stated(&acr));
                prop_assert_eq!(token.scope().to_string(), &*joined);
                let acting = token.actor();
                let acting = acting.into_iter().flat_map(|it| std::iter::once(it).chain(it.earlier()));
                let acting: Vec<_> = acting.filter_map(Actor::subject).collect();
                prop_assert_eq!(acting, actors.iter().map(String::as_str).collect::<Vec<_>>());
                let claims = token.claims::<Value>().expect("an object");
                prop_assert_eq!(&claims["roles"], &json!(roles));
                prop_assert_eq!(&claims["sub"], &json!(subject));
            }
            let token = others.access_token();
            prop_assert_eq!(token.subject().map(SubjectId::as_str), Some(&**other));
        }
    }
}
