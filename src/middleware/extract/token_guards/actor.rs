//! Guards by the actor of a token: none, a named one, one that acts for a user (RFC 8693 section 4.1).

use std::fmt;
use std::ops::Deref;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::extract::macros::{guard, no_wiring};
use crate::middleware::require::actor_check::check_actor;
use crate::middleware::response::refusal::Refusal;
use crate::model::requirement::required_actor::{ActorRequirement, RequiredActor};
use crate::verify::claims::verified_token::AccessToken;

guard! {
    /// `T`, for requests whose token names an actor of `A` as the one that acts; others are refused with
    /// 403 [`WrongCaller`](crate::RejectionKind::WrongCaller), cause `actor`, those without an actor among
    /// them. `T` may be any extractor of request parts; it runs after the check. The outermost `act`
    /// decides (RFC 8693 section 4.1). See [the manual](crate::manual::agents).
    ///
    /// ```
    /// use portcullis::WorkspaceAccess;
    /// use portcullis::extract::ThroughActor;
    ///
    /// portcullis::actors! { Scheduler = "agent-scheduler"; }
    ///
    /// async fn plan(access: ThroughActor<Scheduler, WorkspaceAccess>) -> String {
    ///     format!("planned in {}", access.workspace())
    /// }
    /// # let _ = plan;
    /// ```
    #[doc(alias("agent", "act", "on_behalf_of", "require_agent"))]
    ThroughActor, ActorRequirement, no_wiring, check_named::<R>
}

#[allow(clippy::unused_async)] // like the checks of other guards
async fn check_named<A: ActorRequirement>(parts: &mut Parts) -> Result<(), Refusal> {
    check(parts, const { &RequiredActor::named::<A>() })
}

fn check(parts: &Parts, required: &RequiredActor) -> Result<(), Refusal> {
    check_actor(AuthContext::of(&parts.extensions)?, required)
}

/// Declares a guard `Name<T>` with a demand that has no parameter.
macro_rules! actor_guard {
    ($(#[$meta:meta])* $name:ident, $required:expr) => {
        $(#[$meta])*
        #[derive(Clone)]
        #[must_use]
        pub struct $name<T = AccessToken>(pub T);

        impl<T> Deref for $name<T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.0
            }
        }

        impl<T: fmt::Debug> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0).finish()
            }
        }

        impl<S, T> FromRequestParts<S> for $name<T>
        where
            S: Send + Sync,
            T: FromRequestParts<S>,
        {
            type Rejection = Response;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
                let checked = check(parts, const { &$required });
                checked.map_err(|refusal| refusal.for_request((&*parts).into()).into_response())?;
                match T::from_request_parts(parts, state).await {
                    Ok(value) => Ok(Self(value)),
                    Err(rejection) => Err(rejection.into_response()),
                }
            }
        }

        impl<S, T> OptionalFromRequestParts<S> for $name<T>
        where
            S: Send + Sync,
            T: FromRequestParts<S>,
        {
            type Rejection = Response;

            async fn from_request_parts(
                parts: &mut Parts,
                state: &S,
            ) -> Result<Option<Self>, Response> {
                let context = AuthContext::of(&parts.extensions).map_err(Refusal::into_response)?;
                if context.nothing_sent() {
                    return Ok(None);
                }
                let extracted = <Self as FromRequestParts<S>>::from_request_parts(parts, state);
                extracted.await.map(Some)
            }
        }
    };
}

actor_guard! {
    /// `T`, for requests in which the subject or the client acts itself: the token names no actor. Others
    /// are refused with 403 [`WrongCaller`](crate::RejectionKind::WrongCaller), cause `actor`. `T` may be
    /// any extractor of request parts; it runs after the check.
    ///
    /// ```
    /// use portcullis::WorkspaceUser;
    /// use portcullis::extract::WithoutActor;
    ///
    /// async fn change_password(user: WithoutActor<WorkspaceUser>) -> String {
    ///     format!("{} by itself", user.user())
    /// }
    /// # let _ = change_password;
    /// ```
    #[doc(alias("no_agent", "act", "forbid_agents"))]
    WithoutActor, RequiredActor::absent()
}

actor_guard! {
    /// `T`, for requests in which an agent acts for a user: the token names an actor, and its subject is
    /// neither a client nor the actor itself. Others are refused with 403
    /// [`WrongCaller`](crate::RejectionKind::WrongCaller), cause `actor`. `T` may be any extractor of
    /// request parts; it runs after the check: `UserThroughActor<ThroughActor<Scheduler>>` demands a
    /// certain agent too.
    ///
    /// ```
    /// use portcullis::extract::UserThroughActor;
    ///
    /// async fn draft(token: UserThroughActor) -> Option<String> {
    ///     let agent = token.actor()?.id();
    ///     Some(format!("{agent} for {}", token.subject()?))
    /// }
    /// # let _ = draft;
    /// ```
    #[doc(alias("agent", "act", "on_behalf_of"))]
    UserThroughActor, RequiredActor::any().for_user()
}
