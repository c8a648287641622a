//! Why a text is no acceptable object.

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonFault {
    /// Not one strict JSON object.
    Malformed,
    /// An object names a member twice.
    Duplicate,
    /// A header or a payload has more names than it may have.
    TooManyNames,
}
