//! The header field by which a client names the user that it acts for.
//!
//! 1. The field counts only where an issuer's tenant rules switch delegation on.
//! 2. It holds one id: 1 to 128 visible ASCII characters without a comma, and it comes once.
//! 3. It is the client's claim and nothing more.

use http::header::{HeaderMap, HeaderName};

use crate::model::error::rejection::RequestFault;
use crate::model::scope::ScopeToken;

const MAX_USER_BYTES: usize = 128;

/// How an issuer's clients may act for users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DelegationRule {
    pub(in crate::verify) on: bool,
    /// `None`: what was given is no name of a field.
    header: Option<HeaderName>,
    /// The scope for a context, or for all that have none of their own.
    scopes: Vec<(Option<Box<str>>, Box<str>)>,
    /// Whether anything was set that a preset does not bring.
    was_set: bool,
}

impl Default for DelegationRule {
    fn default() -> Self {
        Self {
            on: false,
            header: Some(HeaderName::from_static("x-user-id")),
            scopes: Vec::new(),
            was_set: false,
        }
    }
}

impl DelegationRule {
    /// Makes the scopes that were set until now defaults, which demand nothing while the rule is
    /// off.
    pub(in crate::verify) const fn preset(&mut self) {
        self.was_set = false;
    }

    /// A demand for a context takes the place of a preset's.
    pub(in crate::verify) fn demand(&mut self, context: Option<String>, scope: String) {
        self.was_set = true;
        let context = context.map(String::into_boxed_str);
        self.scopes.retain(|(known, _)| *known != context);
        self.scopes.push((context, scope.into()));
    }

    pub(in crate::verify) fn rename(&mut self, name: &str) {
        self.was_set = true;
        self.header = HeaderName::try_from(name).ok();
    }

    /// What is wrong with the rule, and the way out.
    pub(in crate::verify) fn first_problem(
        &self,
        knows: impl Fn(&str) -> bool,
    ) -> Option<&'static str> {
        let Some(header) = &self.header else {
            return Some("the delegation header is no field name; write one such as `X-User-Id`");
        };
        if has_another_meaning(header) {
            return Some("the delegation header has another meaning; name a field of its own");
        }
        let mut scopes = self.scopes.iter();
        if scopes.any(|(_, scope)| ScopeToken::new(scope).is_err()) {
            return Some("the scope for delegation is not one scope token (RFC 6749 section 3.3)");
        }
        if !self.on {
            return self
                .was_set
                .then_some("delegation is set up and not switched on; add `delegation()`");
        }
        if self.scopes.is_empty() {
            return Some(
                "delegation is on and nobody may delegate; name the scope with `delegation_scope(..)`",
            );
        }
        let mut contexts = self
            .scopes
            .iter()
            .filter_map(|(context, _)| context.as_deref());
        if contexts.any(|context| !knows(context)) {
            return Some(
                "`delegation_scope_in(..)` names a context that `contexts(..)` does not; name one of these",
            );
        }
        None
    }

    /// Whether a request says that it is for a user, where that means anything.
    pub(crate) fn is_invoked(&self, headers: &HeaderMap) -> bool {
        let header = self.header.as_ref().filter(|_| self.on);
        header.is_some_and(|name| headers.contains_key(name))
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.on
    }

    /// The scope that a client needs in this context; none, and no client may act for a user.
    pub(in crate::verify) fn scope_in(&self, context: Option<&str>) -> Option<&str> {
        let of = |wanted: Option<&str>| {
            let mut scopes = self.scopes.iter();
            scopes.find(|(known, _)| known.as_deref() == wanted)
        };
        of(context).or_else(|| of(None)).map(|(_, scope)| &**scope)
    }

    /// The user that the request names.
    pub(in crate::verify) fn user<'h>(
        &self,
        headers: &'h HeaderMap,
    ) -> Result<&'h str, RequestFault> {
        let name = self.header.as_ref().ok_or(RequestFault::NoUser)?;
        let mut fields = headers.get_all(name).iter();
        let field = fields.next().ok_or(RequestFault::NoUser)?;
        if fields.next().is_some() {
            return Err(RequestFault::SeveralUsers);
        }
        // A comma would make a list of it on the way through a proxy (RFC 9110 s5.3).
        let visible = |byte: &u8| byte.is_ascii_graphic() && *byte != b',';
        let bytes = field.as_bytes();
        if bytes.is_empty() || bytes.len() > MAX_USER_BYTES || !bytes.iter().all(visible) {
            return Err(RequestFault::NotAUser);
        }
        field.to_str().map_err(|_| RequestFault::NotAUser)
    }
}

/// Fields that ordinary requests have: tenant guards would refuse all of them.
fn has_another_meaning(name: &HeaderName) -> bool {
    const PREFIXES: [&str; 6] = [
        "accept",
        "access-control-",
        "content-",
        "if-",
        "proxy-",
        "sec-",
    ];
    const NAMES: [&str; 26] = [
        "authorization",
        "cache-control",
        "connection",
        "cookie",
        "date",
        "dnt",
        "expect",
        "forwarded",
        "from",
        "host",
        "keep-alive",
        "max-forwards",
        "origin",
        "pragma",
        "priority",
        "range",
        "referer",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "upgrade-insecure-requests",
        "user-agent",
        "via",
    ];
    let name = name.as_str();
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<String, RequestFault> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value).expect("a value");
            headers.append("x-user-id", value);
        }
        let rule = DelegationRule::default();
        rule.user(&headers).map(ToOwned::to_owned)
    }

    #[test]
    fn one_visible_id_without_a_comma_is_a_user() {
        let longest = [b'u'; MAX_USER_BYTES];
        let too_long = [b'u'; MAX_USER_BYTES + 1];
        assert_eq!(read(&[b"user-1"]), Ok("user-1".to_owned()));
        assert_eq!(read(&[b"!\"#~;|{}"]), Ok("!\"#~;|{}".to_owned()));
        assert!(read(&[&longest]).is_ok());
        for (values, fault) in [
            (&[][..], RequestFault::NoUser),
            (&[&b"user-1"[..], b"user-1"], RequestFault::SeveralUsers),
            (&[b""], RequestFault::NotAUser),
            (&[b"user-1,user-2"], RequestFault::NotAUser),
            (&[b"user 1"], RequestFault::NotAUser),
            (&[b"user\t1"], RequestFault::NotAUser),
            (&["usér".as_bytes()], RequestFault::NotAUser),
            (&[&too_long], RequestFault::NotAUser),
        ] {
            assert_eq!(read(values), Err(fault), "{values:?}");
        }
    }

    #[test]
    fn a_context_may_have_a_scope_of_its_own() {
        let mut rule = DelegationRule::default();
        assert_eq!(rule.scope_in(Some("app")), None);
        rule.demand(None, "act".to_owned());
        rule.demand(Some("app".to_owned()), "app/write".to_owned());
        assert_eq!(rule.scope_in(Some("app")), Some("app/write"));
        assert_eq!(rule.scope_in(Some("dashboard")), Some("act"));
        assert_eq!(rule.scope_in(None), Some("act"));
    }
}
