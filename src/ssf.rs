//! Security events that revoke: the receiver of the Shared Signals Framework (SSF 1.0, CAEP 1.0, RISC
//! 1.0), by push (RFC 8935) and by poll (RFC 8936). See [the manual](crate::manual::shared_signals).

#[doc(inline)]
pub use crate::middleware::services::ssf_push::SsfPush;
#[doc(inline)]
pub use crate::runtime::ssf::subject_mapper::{SubjectMapper, SubjectMapperFn, subject_mapper_fn};
#[doc(inline)]
pub use crate::server::operate::ssf::status::{
    PollStatus, SsfStatus, SsfTransmitterStatus, StreamStatus, VerificationEvent,
};
#[doc(inline)]
pub use crate::server::settings::ssf::{EventEffect, SsfTransmitter};
#[doc(inline)]
pub use crate::verify::ssf::event::SecurityEvent;
#[doc(inline)]
pub use crate::verify::ssf::event_type::EventType;
#[doc(inline)]
pub use crate::verify::ssf::subject::SubjectIdentifier;
