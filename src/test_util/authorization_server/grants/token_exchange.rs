//! Token exchange (RFC 8693).
//!
//! 1. The subject token names the subject of the new token, the actor token its actor. With an actor, the new token has
//!    `act`, with the actors of the subject token nested in it (section 4.1). Without one it is impersonation, and
//!    earlier actors stay.
//! 2. Where the subject token has `may_act`, the actor must be the one that it names; without an actor token the
//!    client is the actor (section 4.4).
//! 3. The new token reaches no further than the subject token: no more scope, and it ends with the same grant.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::token_request::TokenRequest;
use crate::test_util::authorization_server::accounts::TestUser;
use crate::test_util::authorization_server::accounts::user::RESERVED;
use crate::test_util::authorization_server::issue::{
    Issuance, TokenResponse, access_token, granted_resources, granted_scope, has_scope, may_reach,
};
use crate::test_util::authorization_server::request::{AuthenticatedClient, OAuthError};
use crate::test_util::authorization_server::state::{Authentication, RefreshTokenId, Server};
use crate::time::UnixTime;

/// Section 3.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";

/// A chain of more actors is refused.
const MAX_ACTORS: usize = 8;

pub(super) fn exchange(
    server: &Server,
    client: &AuthenticatedClient,
    request: &TokenRequest<'_>,
) -> Result<TokenResponse, OAuthError> {
    let form = request.form;
    let issued = issued_type(server, form.get("requested_token_type"))?;
    let subject = form.required("subject_token")?;
    let subject_type = form.required("subject_token_type")?;
    let subject = Party::read(server, client, "subject_token", subject, subject_type)?;
    let actor = match (form.get("actor_token"), form.get("actor_token_type")) {
        (None, None) => None,
        (Some(token), Some(kind)) => Some(Party::read(server, client, "actor_token", token, kind)?),
        // Section 2.1.
        (Some(_), None) => return Err(OAuthError::missing("actor_token_type")),
        (None, Some(_)) => return Err(OAuthError::missing("actor_token")),
    };
    let act = acting(server, client, &subject, actor.as_ref())?;
    let scope = scope_within(client, &subject, form.get("scope"))?;
    let asked = form.all("resource").chain(form.all("audience"));
    let resources = granted_resources(|resource| may_reach(client, resource), asked)?;
    let user = subject.user();
    let authentication = subject.authentication();
    let issuance = Issuance {
        client,
        user: Some(&user),
        grant: subject.grant,
        session: subject.text("sid"),
        authentication: authentication.as_ref(),
        scope: &scope,
        resources: &resources,
        confirmation: request.confirmation.as_ref(),
        actor: act.as_ref(),
    };
    let now = server.now();
    // No grant ends between this and the new token.
    let state = server.state();
    let has_ended = subject
        .grant
        .is_some_and(|grant| state.grants.get(&grant, now).is_none());
    if has_ended {
        return Err(OAuthError::invalid_request(
            "the grant of `subject_token` has ended",
        ));
    }
    // Section 2.2.1.
    Ok(access_token(server, &issuance).with("issued_token_type", Some(issued)))
}

/// Section 2.1: the type of the new token.
fn issued_type(server: &Server, asked: Option<&str>) -> Result<&'static str, OAuthError> {
    match asked {
        None | Some(ACCESS_TOKEN) => Ok(ACCESS_TOKEN),
        Some(JWT) if !server.settings.opaque_access_tokens => Ok(JWT),
        Some(_) => Err(OAuthError::invalid_request(
            "no token of this `requested_token_type` is issued",
        )),
    }
}

/// What a token of a request says.
struct Party {
    claims: Map<String, Value>,
    /// The grant that it is from.
    grant: Option<u64>,
}

impl Party {
    /// Section 2.2.2: a token that is not good, or that this server does not take, is `invalid_request`.
    fn read(
        server: &Server,
        client: &AuthenticatedClient,
        parameter: &str,
        token: &str,
        kind: &str,
    ) -> Result<Self, OAuthError> {
        let is_jwt = token.bytes().filter(|byte| *byte == b'.').count() == 2;
        let found = match kind {
            ACCESS_TOKEN => Self::of_access_token(server, token),
            JWT if is_jwt => Self::of_access_token(server, token),
            JWT => None,
            ID_TOKEN => Self::of_id_token(server, client, token),
            REFRESH_TOKEN => Self::of_refresh_token(server, client, token),
            _ => {
                return Err(OAuthError::invalid_request(format!(
                    "tokens of this `{parameter}_type` are not taken"
                )));
            }
        };
        found.ok_or_else(|| {
            OAuthError::invalid_request(format!(
                "`{parameter}` is no token of this server of the type that `{parameter}_type` states, or it has ended"
            ))
        })
    }

    fn of_access_token(server: &Server, token: &str) -> Option<Self> {
        let (owned, told) = server.issuer.registered(|register, now| {
            (
                register.owned(token, now),
                register.introspection(token, now),
            )
        });
        let Value::Object(mut claims) = told else {
            return None;
        };
        let is_active = claims.remove("active") == Some(Value::Bool(true));
        claims.remove("token_type");
        let grant = owned.and_then(|(owner, _)| owner.grant);
        (is_active && claims.contains_key("sub")).then_some(Self { claims, grant })
    }

    /// An ID token that was issued to the client, until its end, that of its session or that of its grant.
    fn of_id_token(server: &Server, client: &AuthenticatedClient, token: &str) -> Option<Self> {
        let claims = server.issuer.id_token_claims(token)?;
        let is_its_own = claims.get("aud").and_then(Value::as_str) == Some(&*client.id);
        let end = claims.get("exp").and_then(Value::as_i64)?;
        let now = server.now();
        let session = claims.get("sid").and_then(Value::as_str);
        let grant = match session {
            Some(sid) => Some(Self::grant_of_session(server, client, sid)?),
            None => None,
        };
        (is_its_own && now.as_secs() < end).then_some(Self { claims, grant })
    }

    /// The newest grant of a client in a session that goes on.
    fn grant_of_session(server: &Server, client: &AuthenticatedClient, sid: &str) -> Option<u64> {
        let now = server.now();
        let state = server.state();
        state.sessions.get(sid, now)?;
        let grants = state.grants.iter(now);
        let own = grants.filter(|(_, grant)| {
            grant.client.id == client.id && grant.session.as_deref() == Some(sid)
        });
        own.map(|(id, _)| *id).max()
    }

    /// A refresh token that was issued to the client.
    fn of_refresh_token(
        server: &Server,
        client: &AuthenticatedClient,
        token: &str,
    ) -> Option<Self> {
        let sent = RefreshTokenId::read(token, &server.secret)?;
        let now = server.now();
        let state = server.state();
        let grant = state.grants.get(&sent.grant, now)?;
        if grant.client.id != client.id || !grant.is_refreshed_by(sent.generation, now) {
            return None;
        }
        let mut claims = grant.user.claims.clone();
        claims.insert("sub".into(), json!(grant.user.subject));
        claims.insert("scope".into(), json!(grant.scope));
        claims.insert(
            "auth_time".into(),
            grant.authentication.time.as_secs().into(),
        );
        if let Some(session) = &grant.session {
            claims.insert("sid".into(), json!(**session));
        }
        Some(Self {
            claims,
            grant: Some(sent.grant),
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// The subject, with its claims except those about the token.
    fn user(&self) -> Arc<TestUser> {
        let mut user = TestUser::new(self.text("sub").unwrap_or_default());
        let own = self.claims.iter();
        let own = own.filter(|(name, _)| !RESERVED.contains(&&***name) && *name != "may_act");
        user.claims = own
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Arc::new(user)
    }

    fn authentication(&self) -> Option<Authentication> {
        let time = self.claims.get("auth_time").and_then(Value::as_i64)?;
        Some(Authentication {
            time: UnixTime::from_secs(time),
            acr: self.text("acr").map(Into::into),
        })
    }
}

/// The `act` of the new token.
fn acting(
    server: &Server,
    client: &AuthenticatedClient,
    subject: &Party,
    actor: Option<&Party>,
) -> Result<Option<Value>, OAuthError> {
    let earlier = subject.claims.get("act");
    let allowed = subject.claims.get("may_act");
    let acts = match (actor, allowed) {
        (Some(actor), _) => actor.text("sub").unwrap_or_default(),
        (None, Some(_)) => &client.id,
        (None, None) => return Ok(earlier.cloned()),
    };
    // Section 4.4: the members identify the one party that may act.
    if let Some(allowed) = allowed {
        let named = |name: &str| {
            allowed
                .get(name)
                .map(|value| value.as_str().unwrap_or_default())
        };
        let issuer = server.issuer.issuer();
        let is_allowed = named("sub") == Some(acts) && named("iss").is_none_or(|iss| iss == issuer);
        if !is_allowed {
            return Err(OAuthError::invalid_request(
                "`may_act` of the subject token names another party",
            ));
        }
    }
    let act = match earlier {
        Some(earlier) => json!({ "sub": acts, "act": earlier }),
        None => json!({ "sub": acts }),
    };
    let depth = std::iter::successors(Some(&act), |act| act.get("act")).count();
    if depth > MAX_ACTORS {
        return Err(OAuthError::invalid_request(format!(
            "the chain has more than {MAX_ACTORS} actors"
        )));
    }
    Ok(Some(act))
}

/// Section 2.1: what was asked for, within the subject token's and the client's scope. Without a question, what
/// both have. ID tokens have no scope, so that the client's counts alone.
fn scope_within(
    client: &AuthenticatedClient,
    subject: &Party,
    asked: Option<&str>,
) -> Result<String, OAuthError> {
    let of_client = granted_scope(client, asked)?;
    let Some(of_subject) = subject.text("scope") else {
        // An access token without scope gives none.
        let is_id_token = subject.claims.contains_key("at_hash");
        return match asked {
            _ if is_id_token => Ok(of_client),
            Some(_) => Err(wider()),
            None => Ok(String::new()),
        };
    };
    if asked.is_some() {
        let is_wider = of_client
            .split(' ')
            .any(|scope| !has_scope(of_subject, scope));
        return if is_wider {
            Err(wider())
        } else {
            Ok(of_client)
        };
    }
    let both = of_subject.split(' ');
    let both = both.filter(|scope| client.scopes.is_empty() || has_scope(&of_client, scope));
    Ok(both.collect::<Vec<_>>().join(" "))
}

fn wider() -> OAuthError {
    OAuthError::invalid_scope("the scope is wider than the subject token's")
}
