//! Refusals on the wire: challenge, gRPC status, body.

pub(crate) mod body;
pub(crate) mod grpc;
pub(crate) mod challenge;
mod prepared_answers;
pub(crate) mod respond;
pub(crate) mod refusal;
pub(crate) mod refusal_log;
pub(crate) mod scope_challenge;
pub(crate) mod refusal_cause;
pub(crate) mod drain_body;
