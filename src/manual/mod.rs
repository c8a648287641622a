//! The manual: what this library does, why, and by which numbers.
//!
//! | chapter | answers |
//! |---|---|
//! | [`architecture`] | which proofs a request collects on its way, and what waits for what |
//! | [`threats`] | which attack each rule stops, and what nothing here stops |
//! | [`defaults`] | every setting and every fixed limit: number, bounds, reason |
//! | [`tenancy`] | who may act where, by which evidence |
//! | [`opaque`] | which kind of token to use, how opaque ones are asked about, and how old an answer may be |
//! | [`doors`] | how refusals look, and by which other ways a token may come in |
//! | [`revocation`] | how tokens are taken back, for how long, and what a restart forgets |
//! | [`providers`] | settings for known authorization servers, symptoms and causes, and which test shows what |
//! | [`sharing`] | what instances share through Redis or Valkey, and what a store may do to them |
//! | [`testing`] | how an application tests its routes, and how this library is tested |
//! | [`performance`] | what a request costs, beside the goals and beside others, and how to measure it |
//! | [`changelog`] | what changed when |
//!
//! These modules hold prose and no code. Their examples are compiled and run as tests.

// Without a feature its items are absent, and links to them lead nowhere.
#![cfg_attr(
    not(all(
        feature = "axum",
        feature = "jwks",
        feature = "redis",
        feature = "test-util"
    )),
    allow(rustdoc::broken_intra_doc_links)
)]

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("threats.md")]
pub mod threats {}

#[doc = include_str!("defaults.md")]
pub mod defaults {}

#[doc = include_str!("tenancy.md")]
pub mod tenancy {}

#[doc = include_str!("opaque.md")]
pub mod opaque {}

#[doc = include_str!("doors.md")]
pub mod doors {}

#[doc = include_str!("revocation.md")]
pub mod revocation {}

#[doc = include_str!("providers.md")]
pub mod providers {}

#[doc = include_str!("sharing.md")]
pub mod sharing {}

#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("../../CHANGELOG.md")]
pub mod changelog {}
