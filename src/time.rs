//! Time: the clock that the server goes by, and moments.

#[doc(inline)]
pub use crate::model::time::UnixTime;
#[doc(inline)]
pub use crate::runtime::clock::{Clock, Sleep, SystemClock};
