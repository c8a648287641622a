//! What a route demands of a request with a good token: one value for guards, challenges and
//! documents.
//!
//! 1. A requirement is made of constants, and one that is malformed does not compile.
//! 2. Everything that it demands must hold; of several scopes, roles or `acr` values any one suffices.

use std::time::Duration;

use crate::model::requirement::binding::Binding;
use crate::model::requirement::required_actor::RequiredActor;
use crate::model::scope::ScopeRequirement;
use crate::model::scope::assert_requirement;
use crate::model::scope::value::is_scope;

/// What a route demands beside a good token: scopes, a role, the authentication of the user, a
/// binding, an actor, a tenant. Declared with [`requirements!`](crate::requirements); every
/// [`ScopeRequirement`] of [`scopes!`](crate::scopes) is one too.
///
/// Everything that is not the default is demanded, all of it together.
/// [`Authorized`](crate::extract::Authorized) checks it in a handler's arguments and
/// [`RequireLayer`](crate::layer::RequireLayer) on a group of routes; one refusal names all that is
/// missing. An implementation by hand is checked like one of the macro, where a guard first uses it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a requirement",
    label = "not declared with `requirements!` or `scopes!`",
    note = "declare it: `requirements! {{ pub {Self} {{ scope: \"resource/read\" }} }}`"
)]
#[doc(alias("step_up", "policy", "authorize", "acr_values", "max_age"))]
pub trait Requirement: Send + Sync + 'static {
    /// Scopes of which any one suffices; a scope suffices when the token has all of its tokens, or
    /// scopes that imply them. Default: none is demanded.
    const SCOPES: &'static [&'static str] = &[];

    /// Roles of which any one suffices in the place of [`SCOPES`](Self::SCOPES). Default: none.
    const ROLES_IN_PLACE_OF_SCOPES: &'static [&'static str] = &[];

    /// Roles of which the caller must have any one, beside the scope. Default: none is demanded.
    const ROLES: &'static [&'static str] = &[];

    /// Values of `acr` of which the token must have any one, in the order of preference (RFC 9470
    /// section 3). Default: none is demanded.
    const ACR_VALUES: &'static [&'static str] = &[];

    /// The greatest age of the user's authentication, by the token's `auth_time` (RFC 9470 section
    /// 3), in whole seconds: at least 1, less than 10 years. Default: any age.
    const MAX_AGE: Option<Duration> = None;

    /// The binding that the token must have, beside those that server, issuer and layer demand.
    /// Default: none.
    const BINDING: Option<Binding> = None;

    /// What the token must say about the actor: none, one, or a named one (RFC 8693 section 4.1).
    /// Default: any token, with an actor or without.
    const ACTOR: Option<RequiredActor> = None;

    /// Whether the caller must reach a tenant: a workspace or an account. Default: no.
    const TENANT: bool = false;
}

impl<R: ScopeRequirement> Requirement for R {
    const SCOPES: &'static [&'static str] = R::ALTERNATIVES;
    const ROLES_IN_PLACE_OF_SCOPES: &'static [&'static str] = R::ROLES;
}

/// What a [`Requirement`] demands, as a value: for documents and for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct RouteRequirement {
    pub(crate) scopes: &'static [&'static str],
    pub(crate) roles_in_place_of_scopes: &'static [&'static str],
    pub(crate) roles: &'static [&'static str],
    pub(crate) acr_values: &'static [&'static str],
    pub(crate) max_age: Option<Duration>,
    pub(crate) binding: Option<Binding>,
    pub(crate) actor: Option<RequiredActor>,
    pub(crate) needs_tenant: bool,
}

impl RouteRequirement {
    /// What `R` demands. Does not compile for a requirement that is malformed.
    pub const fn of<R: Requirement>() -> Self {
        const {
            assert_route_requirement(
                R::SCOPES,
                [R::ROLES_IN_PLACE_OF_SCOPES, R::ROLES],
                R::ACR_VALUES,
                R::MAX_AGE,
            );
        };
        Self {
            scopes: R::SCOPES,
            roles_in_place_of_scopes: R::ROLES_IN_PLACE_OF_SCOPES,
            roles: R::ROLES,
            acr_values: R::ACR_VALUES,
            max_age: R::MAX_AGE,
            binding: R::BINDING,
            actor: R::ACTOR,
            needs_tenant: R::TENANT,
        }
    }

    /// Scopes of which any one suffices; empty where none is demanded.
    #[must_use]
    pub const fn scopes(&self) -> &'static [&'static str] {
        self.scopes
    }

    /// Roles of which any one suffices in the place of a scope.
    #[must_use]
    pub const fn roles_in_place_of_scopes(&self) -> &'static [&'static str] {
        self.roles_in_place_of_scopes
    }

    /// Roles of which any one is demanded; empty where none is.
    #[must_use]
    pub const fn roles(&self) -> &'static [&'static str] {
        self.roles
    }

    /// Values of `acr` of which any one is demanded, the preferred one first; empty where none is.
    #[must_use]
    pub const fn acr_values(&self) -> &'static [&'static str] {
        self.acr_values
    }

    /// The greatest age of the user's authentication.
    #[must_use]
    pub const fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// The binding that the token must have.
    #[must_use]
    pub const fn binding(&self) -> Option<Binding> {
        self.binding
    }

    /// What the token must say about the actor.
    #[must_use]
    pub const fn actor(&self) -> Option<RequiredActor> {
        self.actor
    }

    /// Whether the caller must reach a tenant.
    #[must_use]
    pub const fn needs_tenant(&self) -> bool {
        self.needs_tenant
    }
}

/// Stops the compiler on a requirement that is malformed.
///
/// # Panics
///
/// While compiling, when a scope or an `acr` value is malformed, a role is empty, or the age is not a
/// whole number of seconds from 1 to 10 years.
const fn assert_route_requirement(
    scopes: &[&str],
    roles: [&[&str]; 2],
    mut acr_values: &[&str],
    max_age: Option<Duration>,
) {
    let [instead, beside] = roles;
    if scopes.is_empty() {
        assert!(
            instead.is_empty(),
            "roles in the place of a scope need a scope"
        );
    } else {
        assert_requirement(scopes, instead);
    }
    let mut beside = beside;
    while let [first, rest @ ..] = beside {
        assert!(!first.is_empty(), "a role has a name");
        beside = rest;
    }
    while let [first, rest @ ..] = acr_values {
        assert!(
            is_scope(first) && !has_space(first),
            "an `acr` value is visible ascii without spaces, `\"` and `\\`"
        );
        acr_values = rest;
    }
    if let Some(age) = max_age {
        assert!(
            age.subsec_nanos() == 0 && age.as_secs() > 0 && age.as_secs() < 10 * 366 * 86_400,
            "the age of an authentication is a whole number of seconds: at least 1, below 10 years"
        );
    }
}

const fn has_space(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        if *byte == b' ' {
            return true;
        }
        rest = tail;
    }
    false
}

/// Declares [`Requirement`](crate::extract::Requirement)s, checked when the program is compiled.
///
/// Each part may be left out; those that stand are demanded together, and stand in this order. For
/// `scope`, `role` and `acr` any one of the literals joined by `|` suffices. `binding` is the name of a
/// [`Binding`](crate::binding::Binding), `actor` a constructor of
/// [`RequiredActor`](crate::extract::RequiredActor), `max_age` a constant [`Duration`].
///
/// ```
/// use std::time::Duration;
///
/// portcullis::requirements! {
///     /// Moves money: the scope, and a user who signed in by a second factor in the last 5 minutes.
///     pub Transfer {
///         scope: "payments:write",
///         acr: "urn:example:mfa" | "phr",
///         max_age: Duration::from_secs(300),
///     }
///     Close {
///         scope: "accounts:write" | "accounts:admin",
///         role: "owner",
///         tenant: true,
///         binding: Dpop,
///     }
/// }
/// ```
///
/// What is empty or malformed does not compile:
///
/// ```compile_fail
/// portcullis::requirements! { pub Quoted { scope: "app/\"read" } }
/// ```
///
/// ```compile_fail
/// portcullis::requirements! { pub TwoValues { acr: "phr mfa" } }
/// ```
///
/// ```compile_fail
/// portcullis::requirements! { pub NoRole { role: "" } }
/// ```
///
/// No token is 0 seconds old when it arrives:
///
/// ```compile_fail
/// portcullis::requirements! { pub Never { max_age: std::time::Duration::ZERO } }
/// ```
#[macro_export]
macro_rules! requirements {
    ($(
        $(#[$meta:meta])* $vis:vis $name:ident {
            $(scope: $scope:literal $(| $scopes:literal)* $(,)?)?
            $(role: $role:literal $(| $roles:literal)* $(,)?)?
            $(tenant: $tenant:literal $(,)?)?
            $(binding: $binding:ident $(,)?)?
            $(actor: $actor:ident $(::<$agent:ty>)? () $(.$for_user:ident())? $(,)?)?
            $(acr: $acr:literal $(| $acrs:literal)* $(,)?)?
            $(max_age: $age:expr $(,)?)?
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        $vis struct $name;

        impl $crate::extract::Requirement for $name {
            $(const SCOPES: &'static [&'static str] = &[$scope $(, $scopes)*];)?
            $(const ROLES: &'static [&'static str] = &[$role $(, $roles)*];)?
            $(const ACR_VALUES: &'static [&'static str] = &[$acr $(, $acrs)*];)?
            $(const MAX_AGE: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some($age);)?
            $(const BINDING: ::core::option::Option<$crate::binding::Binding> = ::core::option::Option::Some($crate::binding::Binding::$binding);)?
            $(const ACTOR: ::core::option::Option<$crate::extract::RequiredActor> = ::core::option::Option::Some($crate::extract::RequiredActor::$actor$(::<$agent>)?()$(.$for_user())?);)?
            $(const TENANT: bool = $tenant;)?
        }

        // Checked here too, so that a requirement that no guard uses is checked.
        const _: $crate::extract::RouteRequirement = $crate::extract::RouteRequirement::of::<$name>();
        $(
            const _: fn() = || {
                $crate::__private::Scope::<{ $crate::__private::scope_fault($scope) }>.check($scope);
                $($crate::__private::Scope::<{ $crate::__private::scope_fault($scopes) }>.check($scopes);)*
            };
        )?
    )+};
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::requirements! {
        Nothing {}
        Transfer {
            scope: "payments:write" | "payments:admin payments:read",
            role: "treasurer",
            tenant: true,
            binding: Dpop,
            actor: any().for_user(),
            acr: "phr" | "urn:example:mfa",
            max_age: Duration::from_secs(300),
        }
    }

    crate::scopes! { ReadOrders = "orders:read" | role "Orders.Read"; }

    #[test]
    fn requirement_has_what_is_declared_and_no_more() {
        let nothing = RouteRequirement::of::<Nothing>();
        assert!(nothing.scopes().is_empty() && nothing.roles().is_empty());
        assert!(nothing.acr_values().is_empty() && nothing.roles_in_place_of_scopes().is_empty());
        assert_eq!(
            (nothing.max_age(), nothing.binding(), nothing.needs_tenant()),
            (None, None, false)
        );
        let transfer = RouteRequirement::of::<Transfer>();
        assert_eq!(
            transfer.scopes(),
            ["payments:write", "payments:admin payments:read"]
        );
        assert_eq!(transfer.roles(), ["treasurer"]);
        assert_eq!(transfer.acr_values(), ["phr", "urn:example:mfa"]);
        assert_eq!(transfer.max_age(), Some(Duration::from_secs(300)));
        assert_eq!(transfer.binding(), Some(Binding::Dpop));
        assert_eq!(transfer.actor(), Some(RequiredActor::any().for_user()));
        assert_eq!(nothing.actor(), None);
        assert!(transfer.needs_tenant());
    }

    #[test]
    fn requirement_of_scopes_has_their_alternatives_and_roles() {
        let read = RouteRequirement::of::<ReadOrders>();
        assert_eq!(read.scopes(), ["orders:read"]);
        assert_eq!(read.roles_in_place_of_scopes(), ["Orders.Read"]);
        assert!(read.roles().is_empty());
    }
}
