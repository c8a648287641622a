//! Why a request is refused, check by check. For operators only: never send it to a client.
//!
//! The chapter [why was this token refused](crate::manual::explain) has examples.

#[doc(inline)]
pub use crate::model::decision::explained_check::Check;
#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::server::diagnose::diagnosis::{Diagnosis, Finding, Severity};
#[doc(inline)]
pub use crate::server::explain::explanation::{Conclusion, Explanation, Step, StepOutcome};
