//! The `act` claim: who acts with a token that is about another party (RFC 8693 section 4.1).
//!
//! 1. The outermost `act` is the current actor. Nested ones are read, and nothing decides by them.
//! 2. An `act` that cannot be read refuses the token: a guard against agents would miss the actor.
//! 3. A chain is read up to the issuer's limit and no further.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::model::claim_path::ClaimPath;
use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::model::ids::MAX_FOREIGN_ID_BYTES;
use crate::model::shared_str::HasTexts;
use crate::model::shared_str::{Arena, SharedStr};
use crate::verify::json::claim_error::{ClaimName as _, no_text, wrong_type};
use crate::verify::json::claims_reader::{is_blank, too_long, value_at};
use crate::verify::json::object::{Object, Value};
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// The member of an actor that holds the actor before it (RFC 8693 section 4.1).
const EARLIER: &str = "act";

/// The party that acts with a token, as its `act` claim states it (RFC 8693 section 4.1): an agent, or a
/// service that has exchanged a token. It comes from [`AccessToken::actor`](crate::AccessToken::actor).
///
/// It has a [`subject`](Self::subject), a [`client_id`](Self::client_id) or both, each 1 to 1024 bytes.
/// Other members of the claim are not read here; [`Claims`](crate::extract::Claims) reads them.
///
/// The issuer of the token vouches for all of it. `Clone` shares the texts that are kept of the token. `Debug` shows no id.
///
/// ```
/// use portcullis::AccessToken;
///
/// fn line_for_audit(token: &AccessToken) -> String {
///     match token.actor() {
///         None => "no agent".to_owned(),
///         Some(agent) => format!("{} of {}", agent.id(), agent.issuer()),
///     }
/// }
/// ```
#[doc(alias("act", "agent", "delegation", "token_exchange", "rfc8693"))]
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Actor {
    /// The configured issuer of the token.
    realm: Arc<str>,
    /// The actor's own `iss`, where it is no name of that issuer.
    foreign_issuer: Option<SharedStr>,
    subject: Option<SharedStr>,
    client_id: Option<SharedStr>,
    earlier: Option<Box<Self>>,
}

impl Actor {
    /// The issuer that names the actor: the `iss` inside `act`, or the configured issuer of the token
    /// where `act` has none or one of that issuer's names. The same subject of another issuer is another
    /// actor.
    #[doc(alias("iss"))]
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.foreign_issuer
            .as_ref()
            .map_or(&*self.realm, SharedStr::as_str)
    }

    /// The `sub` inside `act`.
    #[doc(alias("sub"))]
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_ref().map(SharedStr::as_str)
    }

    /// The `client_id` inside `act`. RFC 8693 does not demand it; some issuers write it beside `sub` or
    /// in its place.
    #[doc(alias("azp", "cid"))]
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_ref().map(SharedStr::as_str)
    }

    /// The id by which guards know the actor: its [`subject`](Self::subject), or its
    /// [`client_id`](Self::client_id) where it has no subject.
    #[must_use]
    pub fn id(&self) -> &str {
        // INVARIANT: one of them is there.
        self.subject().or(self.client_id()).unwrap_or_default()
    }

    /// The actors before this one, the latest first: the nested `act` members. For information alone:
    /// RFC 8693 section 4.1 says that they are not to be considered in access control, so no guard and no
    /// revocation of this library reads them. At most
    /// [`max_actors`](crate::Issuer::max_actors) in all.
    pub fn earlier(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(self.earlier.as_deref(), |actor| actor.earlier.as_deref())
    }

    /// Whether the issuer of the token names the actor itself.
    pub(crate) const fn is_of_the_tokens_issuer(&self) -> bool {
        self.foreign_issuer.is_none()
    }

    /// Reads the claim. Where it is absent, there is no actor; `null` counts as absent in an
    /// introspection response alone.
    #[inline]
    pub(in crate::verify) fn read(
        claims: &Object<'_>,
        rules: &IssuerPolicy,
        is_introspected: bool,
        share: impl Fn(&str) -> SharedStr,
    ) -> Result<Option<Box<Self>>, TokenError> {
        match stated(claims, rules)? {
            None => Ok(None),
            Some(Value::Null) if is_introspected => Ok(None),
            Some(outermost) => Self::read_chain(outermost, rules, is_introspected, share).map(Some),
        }
    }

    #[inline(never)]
    fn read_chain(
        outermost: Value<'_>,
        rules: &IssuerPolicy,
        is_introspected: bool,
        share: impl Fn(&str) -> SharedStr,
    ) -> Result<Box<Self>, TokenError> {
        let mut chain = Vec::new();
        let mut next = Some(outermost);
        while let Some(stated) = next {
            if chain.len() >= rules.max_actors {
                return Err(too_many(rules));
            }
            let Value::Object(text) = stated else {
                return Err(not_an_object(rules, stated));
            };
            // INVARIANT: the whole payload was parsed.
            let members = Object::parse_str(text).map_err(|_| TokenFault::Claims)?;
            let reader = ActorReader {
                members: &members,
                rules,
                is_introspected,
            };
            chain.push(reader.read(&share)?);
            next = reader.stated(EARLIER);
        }
        let linked = chain.into_iter().rev().fold(None, |earlier, actor| {
            Some(Box::new(Self { earlier, ..actor }))
        });
        // INVARIANT: the chain has the outermost.
        linked.ok_or_else(|| TokenFault::Claims.into())
    }

    /// Its memory in bytes beside the arena, its own among them.
    pub(in crate::verify) fn bytes(&self, arena: &Arc<Arena>) -> usize {
        let one = |actor: &Self| {
            let texts = [&actor.foreign_issuer, &actor.subject, &actor.client_id];
            let texts = texts.into_iter().flatten();
            size_of::<Self>() + texts.map(|text| text.bytes_beside(arena)).sum::<usize>()
        };
        one(self) + self.earlier().map(one).sum::<usize>()
    }
}

impl HasTexts for Actor {
    fn visit_texts(&mut self, visit: &mut dyn FnMut(&mut SharedStr)) {
        let mut next = Some(self);
        while let Some(actor) = next {
            actor.foreign_issuer.visit_texts(visit);
            actor.subject.visit_texts(visit);
            actor.client_id.visit_texts(visit);
            next = actor.earlier.as_deref_mut();
        }
    }
}

/// No ids: they come from tokens, and `Debug` output reaches logs.
impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor")
            .field("has_subject", &self.subject.is_some())
            .field("has_client_id", &self.client_id.is_some())
            .field("earlier", &self.earlier().count())
            .finish_non_exhaustive()
    }
}

/// The claim at its configured path. An empty one of an introspection response counts too: an error in
/// it must not hide the actor.
#[inline]
fn stated<'c>(claims: &Object<'c>, rules: &IssuerPolicy) -> Result<Option<Value<'c>>, TokenError> {
    match rules.actor_claim.members() {
        [name] => Ok(claims.get_even_if_empty(name)),
        _ => stated_inside(claims, &rules.actor_claim),
    }
}

fn stated_inside<'c>(
    claims: &Object<'c>,
    path: &ClaimPath,
) -> Result<Option<Value<'c>>, TokenError> {
    let Some((last, way)) = path.members().split_last() else {
        return Ok(None);
    };
    match claims.at_path(way) {
        Ok(Some(Value::Object(text))) => {
            // INVARIANT: the whole payload was parsed.
            let members = Object::parse_str(text).map_err(|_| TokenFault::Claims)?;
            Ok(members.get_even_if_empty(last))
        }
        Ok(None | Some(Value::Null)) => Ok(None),
        // A fault of the way to it.
        _ => value_at(claims, path).map_err(|error| error.by_setting("actor_claim")),
    }
}

/// Reads the members of one actor.
struct ActorReader<'r, 'c> {
    members: &'r Object<'c>,
    rules: &'r IssuerPolicy,
    is_introspected: bool,
}

impl<'c> ActorReader<'_, 'c> {
    fn read(&self, share: impl Fn(&str) -> SharedStr) -> Result<Actor, TokenError> {
        let issuer = self.text("iss")?;
        let subject = self.text("sub")?;
        let client_id = self.text("client_id")?;
        if subject.is_none() && client_id.is_none() {
            return Err(no_name(self.rules));
        }
        let share = |text: Cow<'_, str>| share(&text);
        Ok(Actor {
            realm: Arc::clone(&self.rules.realm),
            foreign_issuer: issuer.filter(|name| !self.is_own(name)).map(share),
            subject: subject.map(share),
            client_id: client_id.map(share),
            earlier: None,
        })
    }

    fn is_own(&self, issuer: &str) -> bool {
        let mut names = self.rules.names.iter();
        *self.rules.realm == *issuer || names.any(|name| **name == *issuer)
    }

    /// The member, where it counts as stated.
    fn stated(&self, name: &str) -> Option<Value<'c>> {
        let value = self.members.get(name);
        value.filter(|value| !(self.is_introspected && *value == Value::Null))
    }

    fn text(&self, name: &'static str) -> Result<Option<Cow<'c, str>>, TokenError> {
        let shown = || format!("{}.{name}", self.rules.actor_claim);
        match self.stated(name) {
            None => Ok(None),
            Some(Value::String(quoted)) if !is_blank(&quoted.text()) => {
                let text = quoted.text();
                if text.len() > MAX_FOREIGN_ID_BYTES {
                    return Err(too_long(&*shown()));
                }
                Ok(Some(text))
            }
            found => Err(no_text(&*shown(), found)),
        }
    }
}

#[cold]
fn not_an_object(rules: &IssuerPolicy, found: Value<'_>) -> TokenError {
    wrong_type(&rules.actor_claim, "object", found).by_setting("actor_claim")
}

#[cold]
fn no_name(rules: &IssuerPolicy) -> TokenError {
    let detail = RejectionDetail::new()
        .with_claim(rules.actor_claim.shown())
        .with_problem(Problem::Missing)
        .with_setting("actor_claim")
        .with_expected("sub | client_id")
        .with_found("neither");
    TokenError::new(TokenFault::Claims, detail)
}

#[cold]
fn too_many(rules: &IssuerPolicy) -> TokenError {
    let detail = RejectionDetail::new()
        .with_claim(rules.actor_claim.shown())
        .with_problem(Problem::TooLong)
        .with_setting("max_actors")
        .with_expected(format!("at most {} actors", rules.max_actors));
    TokenError::new(TokenFault::Claims, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An actor and an earlier one, whose texts have buffers of their own.
    fn two_actors() -> Actor {
        let text = |bytes: usize| Some(SharedStr::new(&"a".repeat(bytes)));
        let realm: Arc<str> = "https://issuer.example.com".into();
        Actor {
            realm: Arc::clone(&realm),
            foreign_issuer: text(11),
            subject: text(22),
            client_id: text(33),
            earlier: Some(Box::new(Actor {
                realm,
                foreign_issuer: None,
                subject: text(44),
                client_id: text(55),
                earlier: None,
            })),
        }
    }

    #[test]
    fn memory_counts_each_actor_and_each_text_outside_the_arena() {
        let buffers = [11, 22, 33, 44, 55].map(|bytes| Arena::new(&"a".repeat(bytes), None));
        let texts: usize = buffers.iter().map(|buffer| buffer.bytes()).sum();
        let arena = Arena::new("", None);
        assert_eq!(two_actors().bytes(&arena), 2 * size_of::<Actor>() + texts);
    }

    #[test]
    fn nested_claim_that_is_empty_counts_as_stated() {
        let text = r#"{"app":{"act":"","of":{"sub":"agent-1"}},"none":null}"#;
        let claims = Object::parse_str(text).expect("an object");
        let claims = claims.without_empty_members();
        let stated = |path: [&str; 2]| {
            let value = stated_inside(&claims, &ClaimPath::from(path)).ok();
            value.expect("no fault").map(Value::type_name)
        };
        assert_eq!(stated(["app", "act"]), Some("string"));
        assert_eq!(stated(["app", "of"]), Some("object"));
        assert_eq!(stated(["app", "other"]), None);
        assert_eq!(stated(["none", "act"]), None);
    }

    #[test]
    fn texts_of_every_actor_are_visited_once() {
        let mut visited = Vec::new();
        two_actors().visit_texts(&mut |text| visited.push(text.as_str().len()));
        assert_eq!(visited, [11, 22, 33, 44, 55]);
    }
}
