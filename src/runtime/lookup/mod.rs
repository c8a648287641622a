//! Remote look-ups: single flight, circuit breaker, bounded waiting.

mod single_flight;
pub(crate) mod endpoint;
mod circuit_breaker;
mod failed_tokens;
pub(crate) mod status;
mod health;
pub(crate) mod engine;
