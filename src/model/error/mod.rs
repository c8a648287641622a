//! Why a request was refused: the kinds, the detail for operators, the fault of a token.

pub(crate) mod faults;
pub(crate) mod rejection_detail;
pub(crate) mod rejection;
pub(crate) mod token_error;
