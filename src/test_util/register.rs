//! The tokens that a mock issuer has issued, and its users.
//!
//! 1. The key is the whole text of a token; the value is its claims as issued.
//! 2. It is active from its `nbf` until its `exp`, unless it was revoked. There is no leeway: the
//!    issuer's clock is its own.
//! 3. A claim `active` is copied into the response unchanged, so that a test can order a false
//!    response.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::time::UnixTime;

/// Tokens and users.
#[derive(Default)]
pub(super) struct Register {
    tokens: HashMap<String, Known>,
    users: HashMap<String, Map<String, Value>>,
}

struct Known {
    claims: Map<String, Value>,
    revoked: bool,
}

impl Register {
    pub(super) fn enter(&mut self, token: String, claims: Map<String, Value>) {
        let known = Known {
            claims,
            revoked: false,
        };
        self.tokens.insert(token, known);
    }

    /// RFC 7009 section 2.2: to revoke what is not known is no error.
    pub(super) fn revoke(&mut self, token: &str) {
        if let Some(known) = self.tokens.get_mut(token) {
            known.revoked = true;
        }
    }

    /// The answer of RFC 7662 section 2.2.
    pub(super) fn introspection(&self, token: &str, now: UnixTime) -> Value {
        let Some(claims) = self.active(token, now) else {
            return json!({"active": false});
        };
        let mut answer = Map::new();
        answer.insert("active".into(), true.into());
        // RFC 9449 s6.2
        let is_dpop = claims
            .get("cnf")
            .is_some_and(|cnf| cnf.get("jkt").is_some());
        let kind = if is_dpop { "DPoP" } else { "Bearer" };
        answer.insert("token_type".into(), kind.into());
        answer.extend(claims.clone());
        Value::Object(answer)
    }

    /// The answer of a token information service; absent for a token that is not good.
    pub(super) fn information(&self, token: &str, now: UnixTime) -> Option<Value> {
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
    pub(super) fn user_info(
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

    pub(super) fn set_user(&mut self, subject: &str, claims: Map<String, Value>) {
        self.users.insert(subject.into(), claims);
    }

    fn active(&self, token: &str, now: UnixTime) -> Option<&Map<String, Value>> {
        let known = self.tokens.get(token).filter(|known| !known.revoked)?;
        let time = |name| known.claims.get(name).and_then(Value::as_i64);
        let in_time = time("exp").is_none_or(|end| now.as_secs() < end)
            && time("nbf").is_none_or(|start| start <= now.as_secs());
        (in_time || known.claims.contains_key("active")).then_some(&known.claims)
    }
}
