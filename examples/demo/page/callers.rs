//! The callers that the page offers, and what each sends.

use std::sync::{Mutex, PoisonError};

use portcullis::revocation::Revocation;
use portcullis::test_util::{DpopKey, MockIssuer};

use super::Stage;
use crate::Fault;

/// The revoked token of the list has this id.
const REVOKED: &str = "page-revoked";

/// A caller that the page can play.
pub(super) struct Caller {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// What stands in its token, in words.
    pub(super) about: &'static str,
}

/// Callers under one heading.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) callers: &'static [Caller],
}

const fn caller(id: &'static str, name: &'static str, about: &'static str) -> Caller {
    Caller { id, name, about }
}

pub(super) const GROUPS: &[Group] = &[
    Group {
        name: "Good tokens",
        callers: &[
            caller("user", "workspace user", "of acme-prod, context app"),
            caller("manager", "user of the dashboard", "context dashboard"),
            caller("principal", "principal", "reaches the account acme"),
            caller("client", "machine client", "client credentials"),
            caller("for-user", "machine client for a user", "X-User-Id: user-2"),
            caller("agent", "agent for a user", "act: assistant"),
            caller("opaque", "user, opaque token", "asked by introspection"),
            caller("bound", "client with a DPoP proof", "bound to its key"),
        ],
    },
    Group {
        name: "Good tokens that reach less",
        callers: &[
            caller("no-scope", "user without a scope", "a sign-in alone"),
            caller("read-only", "user who may only read", "scope app/read"),
            caller("other-agent", "another agent", "act: scraper"),
        ],
    },
    Group {
        name: "No token, or a bad one",
        callers: &[
            caller("none", "no token", "no Authorization field"),
            caller("expired", "expired token", "an hour ago"),
            caller("revoked", "revoked token", "by its jti, here"),
            caller("forged", "forged signature", "by another key"),
            caller("unsigned", "unsigned token", "alg: none"),
            caller("id-token", "ID token", "made for a client"),
            caller("refresh", "refresh token", "encrypted"),
            caller("issuer", "token of another issuer", "unknown iss"),
            caller("app", "token of another application", "unknown client"),
            caller("stolen", "stolen bound token", "without its proof"),
            caller("two", "two tokens at once", "two Authorization fields"),
        ],
    },
];

/// What a request sends.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) fields: Vec<(&'static str, String)>,
    /// The token to take apart; of two the first.
    pub(super) token: Option<String>,
}

impl Sent {
    pub(super) fn bearer(token: String) -> Self {
        Self {
            fields: vec![("authorization", format!("Bearer {token}"))],
            token: Some(token),
        }
    }

    fn and(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}

/// The client with a key: its key, and the nonce that the server gave it last.
pub(super) struct KeyHolder {
    key: DpopKey,
    nonce: Mutex<Option<String>>,
}

impl KeyHolder {
    pub(super) fn new() -> Self {
        Self {
            key: DpopKey::generate(),
            nonce: Mutex::default(),
        }
    }

    /// RFC 9449 s8.2: the newest nonce is the one to use.
    pub(super) fn take_nonce(&self, nonce: &str) {
        *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = Some(nonce.to_owned());
    }

    /// A token that is bound to the key.
    fn token(&self, pool: &MockIssuer) -> String {
        pool.aworld_user().bound_to_key(&self.key).sign()
    }

    fn proof(&self, method: &str, url: &str, token: &str) -> String {
        let proof = self.key.proof(method, url).access_token(token);
        let nonce = self.nonce.lock().unwrap_or_else(PoisonError::into_inner);
        match &*nonce {
            Some(nonce) => proof.nonce(nonce).sign(),
            None => proof.sign(),
        }
    }
}

/// What a caller sends with a request to this URL. `None` where there is no such caller.
pub(super) fn sent(
    demo: &Stage,
    caller: &str,
    method: &str,
    url: &str,
) -> Result<Option<Sent>, Fault> {
    let pool = &*demo.pool;
    let user = pool.aworld_user();
    let token = match caller {
        "user" => user.sign(),
        "manager" => user.context("dashboard").scope("dashboard/read").sign(),
        "principal" => pool.aworld_principal().scope("dashboard/read").sign(),
        "client" => pool.aworld_client().sign(),
        "for-user" => {
            let sent = Sent::bearer(pool.aworld_client().sign());
            return Ok(Some(sent.and("x-user-id", "user-2")));
        }
        "agent" => user.actor("assistant").sign(),
        "other-agent" => user.actor("scraper").sign(),
        "opaque" => demo.gateway.aworld_user().issue(),
        "bound" => {
            let token = demo.key_holder.token(pool);
            let proof = demo.key_holder.proof(method, url, &token);
            let sent = Sent {
                fields: vec![("authorization", format!("DPoP {token}"))],
                token: Some(token),
            };
            return Ok(Some(sent.and("dpop", proof)));
        }
        "stolen" => demo.key_holder.token(pool),
        "no-scope" => user.scope("aws.cognito.signin.user.admin").sign(),
        "read-only" => user.scope("app/read").sign(),
        "none" => return Ok(Some(Sent::default())),
        "expired" => user.expired().sign(),
        "revoked" => {
            let revocations = demo.server.revocations();
            revocations.revoke(Revocation::token(&pool.issuer(), REVOKED))?;
            user.claim("jti", REVOKED).sign()
        }
        "forged" => user.sign_with_wrong_key(),
        "unsigned" => user.unsigned(),
        "id-token" => pool.id_token().sign(),
        "refresh" => pool.refresh_token(),
        "issuer" => user.issuer("https://id.example.net").sign(),
        "app" => user.client("another-application").sign(),
        "two" => {
            let other = format!("Bearer {}", pool.aworld_client().sign());
            return Ok(Some(Sent::bearer(user.sign()).and("authorization", other)));
        }
        _ => return Ok(None),
    };
    Ok(Some(Sent::bearer(token)))
}
