//! Remote look-ups: single flight, circuit breaker, bounded waiting.

pub(crate) mod single_flight;
pub(crate) mod endpoint;
pub(crate) mod circuit_breaker;
pub(crate) mod failed_tokens;
pub(crate) mod status;
pub(crate) mod engine;
