//! Tests that take longer than all others: the corpus of requests, and floods of tokens. They
//! stand in a target of their own, so that `cargo test --test it` answers fast.

// Tests fail loudly, and their tables are long.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(
    clippy::large_stack_arrays,
    clippy::similar_names,
    clippy::too_many_lines
)]

mod corpus;
mod endpoint_floods;
mod stream_soak;
#[allow(dead_code)]
#[path = "../it/support/mod.rs"]
mod support;
mod unknown_key_floods;
