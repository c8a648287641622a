//! Floor 2: rules. Pure and synchronous; the time is an argument.

pub(crate) mod crypto;

mod escape;

mod member;

mod scan;

pub(crate) mod json;
pub(crate) mod pem;

#[cfg(feature = "jwks")]
pub(crate) mod assertion;
#[cfg(feature = "redis")]
pub(crate) mod seal;

mod key;

mod jwk;

pub(crate) mod keyset;

mod claim_error;

mod typed;

pub(crate) mod names;

pub(crate) mod sources;

pub(crate) mod credential;
pub(crate) mod jws;
pub(crate) mod signature;

pub(crate) mod client_tenant;

pub(crate) mod delegate;

mod group;

pub(crate) mod tenancy;

mod tenant_forms;

mod soundness;

pub(crate) mod rules;

pub(crate) mod kind;

#[cfg_attr(not(feature = "jwks"), allow(dead_code))]
pub(crate) mod answer;

mod misfit;

mod custom;

mod revocable;

mod audience;

pub(crate) mod claims;

#[cfg(feature = "axum")]
pub(crate) mod logout;

#[cfg(all(feature = "axum", feature = "jwks"))]
pub(crate) mod user_info;

pub(crate) mod identity;

mod evidence;

pub(crate) mod identify;

pub(crate) mod footprint;
pub(crate) mod lacking;

pub(crate) mod access;

pub(crate) mod delegation;

#[cfg(test)]
mod vectors;
