//! The errors for a header or a payload that is not one strict JSON object.

use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::verify::json::object::JsonFault;

pub(super) static HEADER_FAULTS: JsonFaults = JsonFaults::expecting(
    "one strict JSON object as the header",
    "at most 64 names of members in the header",
);
pub(super) static PAYLOAD_FAULTS: JsonFaults = JsonFaults::expecting(
    "one strict JSON object as the payload",
    "at most 640 names of members in the payload, or one for every 20 bytes; 128 of them with escapes",
);

/// The faults of one part of a token.
pub(super) struct JsonFaults {
    malformed: RejectionDetail,
    duplicate: RejectionDetail,
    too_many_names: RejectionDetail,
}

impl JsonFaults {
    const fn expecting(expected: &'static str, most_names: &'static str) -> Self {
        Self {
            malformed: RejectionDetail::fixed(Problem::Malformed, expected, None),
            duplicate: RejectionDetail::fixed(Problem::Contradicts, expected, None),
            too_many_names: RejectionDetail::fixed(Problem::TooLong, most_names, None),
        }
    }

    #[cold]
    pub(super) fn error(&'static self, fault: JsonFault) -> TokenError {
        match fault {
            JsonFault::Malformed => TokenError::Fixed(TokenFault::Malformed, &self.malformed),
            JsonFault::Duplicate => TokenError::Fixed(TokenFault::DuplicateMember, &self.duplicate),
            JsonFault::TooManyNames => {
                TokenError::Fixed(TokenFault::Malformed, &self.too_many_names)
            }
        }
    }
}
