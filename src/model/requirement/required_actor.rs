//! What a route demands of the actor of a token (RFC 8693 section 4.1): one value for guards, layers and
//! documents.
//!
//! 1. An actor is known by its id and by the issuer that names it: one without the other is another actor.
//! 2. A demand is made of constants, and one that is malformed does not compile.

use std::fmt;

/// Actors of which any one suffices. Declared with [`actors!`](crate::actors).
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no actors",
    label = "not declared with `actors!`",
    note = "declare it: `actors! {{ pub {Self} = \"scheduler\"; }}`"
)]
#[doc(alias("agent", "act"))]
pub trait ActorRequirement: Send + Sync + 'static {
    /// Ids of which any one suffices, compared byte for byte with
    /// [`Actor::id`](crate::extract::Actor::id): the `sub` inside `act`, or its `client_id` where it has
    /// no `sub`.
    const ANY_OF: &'static [&'static str];

    /// The issuer of the actors, compared with [`Actor::issuer`](crate::extract::Actor::issuer). Default:
    /// the issuer of the token, whichever of the configured ones that is.
    const ISSUER: Option<&'static str> = None;
}

/// Declares [`ActorRequirement`](crate::extract::ActorRequirement)s, checked when the program is compiled.
///
/// Each names one id or several, and after `of` the issuer of the actors, which is the `iss` inside `act`.
/// Without it the actor must be named by the issuer of the token: write it where the server trusts
/// several issuers and one of them must not name this actor.
///
/// ```
/// portcullis::actors! {
///     /// Plans the week for a user.
///     pub Scheduler = "agent-scheduler";
///     pub Assistants = "agent-mail" | "agent-calendar";
///     pub Partner = "bot" of "https://agents.partner.example";
/// }
/// ```
///
/// ```compile_fail
/// portcullis::actors! { pub Empty = ""; }
/// ```
///
/// ```compile_fail
/// portcullis::actors! { pub OfNone = "bot" of ""; }
/// ```
#[macro_export]
macro_rules! actors {
    ($(
        $(#[$meta:meta])* $vis:vis $name:ident = $first:literal $(| $rest:literal)* $(of $issuer:literal)?
    );+ $(;)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        $vis struct $name;

        impl $crate::extract::ActorRequirement for $name {
            const ANY_OF: &'static [&'static str] = &[$first $(, $rest)*];
            $(const ISSUER: ::core::option::Option<&'static str> = ::core::option::Option::Some($issuer);)?
        }

        // Checked here too, so that actors that no guard uses are checked.
        const _: $crate::extract::RequiredActor = $crate::extract::RequiredActor::named::<$name>();
    )+};
}

/// What a route demands of the token's actor, for [`Requirement::ACTOR`](crate::extract::Requirement).
///
/// ```
/// portcullis::actors! { Scheduler = "agent-scheduler"; }
///
/// portcullis::requirements! {
///     /// Only a person's own client, without an agent.
///     ChangePassword { scope: "account:write", actor: absent() }
///     /// An agent of ours, with the authority of a user.
///     Plan { scope: "calendar:write", actor: named::<Scheduler>().for_user() }
/// }
/// ```
#[doc(alias("agent", "act", "on_behalf_of"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct RequiredActor {
    pub(crate) party: RequiredParty,
    pub(crate) needs_user: bool,
}

/// The party that must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequiredParty {
    /// None beside the subject or client of the token.
    NoActor,
    AnyActor,
    Named {
        any_of: &'static [&'static str],
        issuer: Option<&'static str>,
    },
}

impl RequiredActor {
    /// No actor: the subject, or the client, acts itself.
    pub const fn absent() -> Self {
        Self::of(RequiredParty::NoActor)
    }

    /// An actor, whichever it is.
    pub const fn any() -> Self {
        Self::of(RequiredParty::AnyActor)
    }

    /// One of the actors that `A` names. Does not compile where it names none.
    pub const fn named<A: ActorRequirement>() -> Self {
        const { assert_actors(A::ANY_OF, A::ISSUER) };
        Self::of(RequiredParty::Named {
            any_of: A::ANY_OF,
            issuer: A::ISSUER,
        })
    }

    /// The same, and the token is about a user: it has a subject that is neither a client nor the actor
    /// itself.
    pub const fn for_user(mut self) -> Self {
        self.needs_user = true;
        self
    }

    const fn of(party: RequiredParty) -> Self {
        Self {
            party,
            needs_user: false,
        }
    }
}

/// As a sentence for documents and for operators: names of the program's own.
impl fmt::Display for RequiredActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.party {
            RequiredParty::NoActor => f.write_str("no actor")?,
            RequiredParty::AnyActor => f.write_str("an actor")?,
            RequiredParty::Named { any_of, issuer } => {
                write!(f, "the actor {}", any_of.join(" | "))?;
                if let Some(issuer) = issuer {
                    write!(f, " of {issuer}")?;
                }
            }
        }
        if self.needs_user {
            f.write_str(", for a user")?;
        }
        Ok(())
    }
}

/// Stops the compiler on actors that cannot be.
///
/// # Panics
///
/// While compiling, when there is no id, or an empty id or issuer.
const fn assert_actors(mut ids: &[&str], issuer: Option<&str>) {
    assert!(!ids.is_empty(), "a demand for actors names at least one");
    while let [first, rest @ ..] = ids {
        assert!(!first.is_empty(), "an actor has an id");
        ids = rest;
    }
    if let Some(issuer) = issuer {
        assert!(!issuer.is_empty(), "an issuer has a name");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::actors! {
        Ours = "a" | "b";
        Theirs = "c" of "https://x.example";
    }

    #[test]
    fn demand_names_what_is_declared() {
        for (demand, text) in [
            (RequiredActor::absent(), "no actor"),
            (RequiredActor::absent().for_user(), "no actor, for a user"),
            (RequiredActor::any(), "an actor"),
            (RequiredActor::named::<Ours>(), "the actor a | b"),
            (
                RequiredActor::named::<Theirs>().for_user(),
                "the actor c of https://x.example, for a user",
            ),
        ] {
            assert_eq!(demand.to_string(), text);
        }
    }
}
