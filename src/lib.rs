mod model;
mod source;
mod verify;

pub use model::algorithm::Algorithm;
pub use model::path::ClaimPath;
pub use model::rejection::{Outage, Rejection, RejectionKind, RequestFault, TokenFault, WiringFault};
pub use model::scope::{InvalidScope, Scope, ScopeRequirement, ScopeToken};
pub use model::time::UnixTime;
