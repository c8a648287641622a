//! The tokens that a mock issuer has issued, and its users.
//!
//! 1. The key is the SHA-256 of the whole text of a token; the value is its claims as issued, as JSON.
//! 2. It is active from its `nbf` until its `exp`, unless it was revoked. There is no leeway: the
//!    issuer's clock is its own.
//! 3. A claim `active` is copied into the response unchanged, so that a test can order a false
//!    response.
//! 4. It keeps the newest 100,000 tokens, and drops those that have expired.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::test_util::expiring_map::{ExpiringMap, NEVER};
use crate::test_util::keys::sha256;
use crate::time::UnixTime;

/// Tokens and users.
pub(in crate::test_util) struct Register {
    tokens: ExpiringMap<Vec<u8>, Known>,
    users: HashMap<String, Map<String, Value>>,
}

struct Known {
    claims: StoredClaims,
    owner: Option<TokenOwner>,
    revoked: bool,
}

/// Claims as they were issued.
enum StoredClaims {
    /// As JSON, which takes a fraction of the memory.
    Text(Box<str>),
    /// Nested so deeply that a parser refuses their text.
    Deep(Map<String, Value>),
}

impl StoredClaims {
    fn of(claims: &Map<String, Value>) -> Self {
        if claims.values().any(|value| is_deeper(value, MAX_DEPTH)) {
            return Self::Deep(claims.clone());
        }
        Self::Text(json!(claims).to_string().into())
    }

    fn read(&self) -> Option<Map<String, Value>> {
        match self {
            Self::Text(text) => serde_json::from_str(text).ok(),
            Self::Deep(claims) => Some(claims.clone()),
        }
    }
}

/// Levels that every parser of JSON takes; that of `serde_json` takes 127.
const MAX_DEPTH: usize = 100;

fn is_deeper(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else {
        return true;
    };
    match value {
        Value::Array(values) => values.iter().any(|value| is_deeper(value, below)),
        Value::Object(members) => members.values().any(|value| is_deeper(value, below)),
        _ => false,
    }
}

/// What a development authorization server issued a token for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::test_util) struct TokenOwner {
    /// The id of the client.
    pub(in crate::test_util) client: Arc<str>,
    /// The grant that the token is from; absent for a token of the client itself.
    pub(in crate::test_util) grant: Option<u64>,
}

const MAX_TOKENS: usize = 100_000;

impl Default for Register {
    fn default() -> Self {
        Self {
            tokens: ExpiringMap::new(MAX_TOKENS),
            users: HashMap::new(),
        }
    }
}

impl Register {
    pub(in crate::test_util) fn enter(
        &mut self,
        token: &str,
        claims: &Map<String, Value>,
        owner: Option<TokenOwner>,
        now: UnixTime,
    ) {
        let end = claims.get("exp").and_then(Value::as_i64);
        // Rule 3: the test decides whether such a token is active.
        let end = end.filter(|_| !claims.contains_key("active"));
        let known = Known {
            claims: StoredClaims::of(claims),
            owner,
            revoked: false,
        };
        let end = end.map_or(NEVER, UnixTime::from_secs);
        self.tokens
            .insert(sha256(token.as_bytes()), known, end, now);
    }

    /// RFC 7009 section 2.2: to revoke what is not known is no error.
    pub(in crate::test_util) fn revoke(&mut self, token: &str, now: UnixTime) {
        let digest = sha256(token.as_bytes());
        if let Some(known) = self.tokens.get_mut(&digest, now) {
            known.revoked = true;
        }
    }

    /// Revokes every token of these grants.
    pub(in crate::test_util) fn revoke_grants(&mut self, ended: &[u64]) {
        for known in self.tokens.values_mut() {
            let grant = known.owner.as_ref().and_then(|owner| owner.grant);
            known.revoked |= grant.is_some_and(|grant| ended.contains(&grant));
        }
    }

    /// What an active token was issued for, and its claims.
    pub(in crate::test_util) fn owned(
        &self,
        token: &str,
        now: UnixTime,
    ) -> Option<(TokenOwner, Map<String, Value>)> {
        let known = self.tokens.get(&sha256(token.as_bytes()), now)?;
        let claims = self.active(token, now)?;
        Some((known.owner.clone()?, claims))
    }

    /// The answer of RFC 7662 section 2.2.
    pub(in crate::test_util) fn introspection(&self, token: &str, now: UnixTime) -> Value {
        let Some(claims) = self.active(token, now) else {
            return json!({"active": false});
        };
        let mut answer = Map::new();
        answer.insert("active".into(), true.into());
        // RFC 9449 s6.2.
        let is_dpop = claims
            .get("cnf")
            .is_some_and(|keys| keys.get("jkt").is_some());
        let kind = if is_dpop { "DPoP" } else { "Bearer" };
        answer.insert("token_type".into(), kind.into());
        answer.extend(claims);
        Value::Object(answer)
    }

    /// The answer of a token information service; absent for a token that is not good.
    pub(in crate::test_util) fn information(&self, token: &str, now: UnixTime) -> Option<Value> {
        let claims = self.active(token, now)?;
        let mut answer = Map::new();
        let user = claims.get("username").or_else(|| claims.get("sub"));
        for (name, value) in [
            ("audience", claims.get("client_id")),
            ("user_id", user),
            ("scope", claims.get("scope")),
        ] {
            if let Some(value) = value {
                answer.insert(name.into(), value.clone());
            }
        }
        if let Some(end) = claims.get("exp").and_then(Value::as_i64) {
            answer.insert(
                "expires_in".into(),
                end.saturating_sub(now.as_secs()).into(),
            );
        }
        Some(Value::Object(answer))
    }

    /// The claims about the user of a token, and the client that it was issued to; absent for a
    /// token that is not good, and for one of no user.
    pub(in crate::test_util) fn user_info(
        &self,
        token: &str,
        now: UnixTime,
    ) -> Option<(Map<String, Value>, Option<Value>)> {
        let claims = self.active(token, now)?;
        let subject = claims.get("sub")?.as_str()?;
        let mut answer = Map::new();
        answer.insert("sub".into(), subject.into());
        if let Some(more) = self.users.get(subject) {
            answer.extend(more.clone());
        }
        Some((answer, claims.get("client_id").cloned()))
    }

    pub(in crate::test_util) fn set_user(&mut self, subject: &str, claims: Map<String, Value>) {
        self.users.insert(subject.into(), claims);
    }

    fn active(&self, token: &str, now: UnixTime) -> Option<Map<String, Value>> {
        let known = self.tokens.get(&sha256(token.as_bytes()), now)?;
        if known.revoked {
            return None;
        }
        let claims = known.claims.read()?;
        let time = |name| claims.get(name).and_then(Value::as_i64);
        let in_time = time("exp").is_none_or(|end| now.as_secs() < end)
            && time("nbf").is_none_or(|start| start <= now.as_secs());
        (in_time || claims.contains_key("active")).then_some(claims)
    }
}
