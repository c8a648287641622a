//! What settings and routes demand of a token: claims, a binding, an actor, a resource, and all that a route demands
//! as one value.

pub(crate) mod claim_value;
pub(crate) mod binding;
pub(crate) mod resource_set;
pub(crate) mod required_actor;
pub(crate) mod route_requirement;
