//! How a table of members becomes settings.

use crate::server::config::error::NodeError;
use crate::server::config::setting::{Setting, Several};

/// Declares a table of members that sets a value with setters.
///
/// Each member has the name of its setter and one of four forms:
///
/// * `make`: one of the ways to make the value; exactly one of them is given, unless there is a default;
/// * `flag`: a setter without an argument, called where the member is `true`;
/// * `one`: a setter that is called once, where the member is given;
/// * `each`: a setter that is called once for each value of a list.
///
/// `= |..| ..` replaces the call where the setter takes other arguments.
macro_rules! section {
    (
        $(#[$meta:meta])*
        $name:ident makes $target:ty $(, or $default:expr)?;
        $($(#[$member_meta:meta])* $form:ident $member:ident $(: $type:ty)? $(= $call:expr)?;)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields, expecting = "a table of members")]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[allow(clippy::struct_excessive_bools)] // each is a setter that is called or not
        pub(in crate::server::config) struct $name {
            $(
                $(#[$member_meta])*
                #[serde(default)]
                $member: $crate::server::config::section::member_type!($form $($type)?),
            )*
        }

        impl $crate::server::config::setting::Setting for $name {
            type Value = $target;

            #[allow(unused_doc_comments, unused_mut)]
            fn value(self) -> Result<$target, $crate::server::config::error::NodeError> {
                use $crate::server::config::section::{Maker, apply, make};
                let mut maker: Maker<$target> = Maker::new();
                $(
                    $(#[$member_meta])*
                    make!($form, maker, self, $target, $member $(, $call)?);
                )*
                let target = $crate::server::config::section::made!(maker $(, $default)?);
                $(
                    $(#[$member_meta])*
                    let target = apply!($form, target, self, $target, $member $(, $call)?);
                )*
                Ok(target)
            }
        }
    };
}

macro_rules! member_type {
    (flag) => { bool };
    (make $type:ty) => { Option<$type> };
    (one $type:ty) => { Option<$type> };
    (each $type:ty) => { $crate::server::config::setting::Several<$type> };
}

/// Makes the value from the members of the form `make`.
macro_rules! make {
    (make, $maker:ident, $self:ident, $target:ty, $member:ident) => {
        make!(make, $maker, $self, $target, $member, <$target>::$member)
    };
    (make, $maker:ident, $self:ident, $target:ty, $member:ident, $call:expr) => {
        $maker.take(stringify!($member), $self.$member, $call)?
    };
    ($form:ident, $maker:ident, $self:ident, $target:ty, $member:ident $(, $call:expr)?) => {};
}

macro_rules! made {
    ($maker:ident) => {
        $maker.made()?
    };
    ($maker:ident, $default:expr) => {
        $maker.made_or($default)
    };
}

/// Calls a setter where its member is given.
macro_rules! apply {
    (make, $value:ident, $self:ident, $target:ty, $member:ident $(, $call:expr)?) => {
        $value
    };
    (flag, $value:ident, $self:ident, $target:ty, $member:ident) => {
        apply!(flag, $value, $self, $target, $member, <$target>::$member)
    };
    (flag, $value:ident, $self:ident, $target:ty, $member:ident, $call:expr) => {
        $crate::server::config::section::set_flag($value, $self.$member, $call)
    };
    (one, $value:ident, $self:ident, $target:ty, $member:ident) => {
        apply!(one, $value, $self, $target, $member, <$target>::$member)
    };
    (one, $value:ident, $self:ident, $target:ty, $member:ident, $call:expr) => {
        $crate::server::config::section::set_one($value, stringify!($member), $self.$member, $call)?
    };
    (each, $value:ident, $self:ident, $target:ty, $member:ident) => {
        apply!(each, $value, $self, $target, $member, <$target>::$member)
    };
    (each, $value:ident, $self:ident, $target:ty, $member:ident, $call:expr) => {
        $crate::server::config::section::set_each(
            $value,
            stringify!($member),
            $self.$member,
            $call,
        )?
    };
}

pub(in crate::server::config) use {apply, made, make, member_type, section};

/// Makes a value in one of several ways.
pub(in crate::server::config) struct Maker<T> {
    made: Option<(&'static str, T)>,
    ways: Vec<&'static str>,
}

impl<T> Maker<T> {
    pub(in crate::server::config) const fn new() -> Self {
        Self {
            made: None,
            ways: Vec::new(),
        }
    }

    pub(in crate::server::config) fn take<M: Setting>(
        &mut self,
        member: &'static str,
        given: Option<M>,
        make: impl FnOnce(M::Value) -> T,
    ) -> Result<(), NodeError> {
        self.ways.push(member);
        let Some(given) = given else {
            return Ok(());
        };
        if let Some((other, _)) = &self.made {
            return Err(NodeError::new(format!(
                "`{other}` and `{member}` exclude each other; keep one of them"
            )));
        }
        let value = given.value().map_err(|error| error.within(member))?;
        self.made = Some((member, make(value)));
        Ok(())
    }

    pub(in crate::server::config) fn made(self) -> Result<T, NodeError> {
        match (self.made, self.ways.as_slice()) {
            (Some((_, made)), _) => Ok(made),
            (None, [only]) => Err(NodeError::new(format!("the member `{only}` is missing"))),
            (None, ways) => Err(NodeError::new(format!(
                "one of these members is needed: `{}`",
                ways.join("`, `")
            ))),
        }
    }

    pub(in crate::server::config) fn made_or(self, default: impl FnOnce() -> T) -> T {
        self.made.map_or_else(default, |(_, made)| made)
    }
}

pub(in crate::server::config) fn set_flag<T>(
    target: T,
    is_set: bool,
    call: impl FnOnce(T) -> T,
) -> T {
    if is_set { call(target) } else { target }
}

pub(in crate::server::config) fn set_one<T, M: Setting>(
    target: T,
    member: &str,
    given: Option<M>,
    call: impl FnOnce(T, M::Value) -> T,
) -> Result<T, NodeError> {
    Ok(match given {
        None => target,
        Some(given) => {
            let value = given.value().map_err(|error| error.within(member))?;
            call(target, value)
        }
    })
}

pub(in crate::server::config) fn set_each<T, M: Setting>(
    mut target: T,
    member: &str,
    given: Several<M>,
    call: impl Fn(T, M::Value) -> T,
) -> Result<T, NodeError> {
    for (place, item) in given.places() {
        let value = item.value();
        let value = value.map_err(|error| error.at(place).within(member))?;
        target = call(target, value);
    }
    Ok(target)
}
