//! Layers, guards and extractors; refusals on the wire; token sources.

mod browsers;
mod challenges;
mod grpc;
mod guards;
mod refusal_details;
mod rejection_cause;
mod rendering;
mod scope_challenges;
mod spans;
mod token_sources;
mod unread_bodies;
mod websockets;
