//! Guards by what the token says beside its scope: its binding, and who acts with it.

mod actor;
mod sender_constrained;

pub use actor::{ThroughActor, UserThroughActor, WithoutActor};
pub use sender_constrained::SenderConstrained;
