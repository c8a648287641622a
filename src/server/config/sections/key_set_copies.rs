//! Members of the stored copies of key sets.

use crate::server::config::duration_text::DurationText;
use crate::server::config::place::Secret;
use crate::server::config::section::section;
use crate::server::settings::key_set_copies::KeySetCopies;

section! {
    /// Copies of the issuers' key sets, so that a new instance judges tokens while an issuer is down.
    KeySetCopiesTable makes KeySetCopies;

    /// The folder of the copies, which must exist.
    make folder: String = |folder: String| KeySetCopies::in_folder(folder);
    /// The key that seals the copies: 32 bytes in base64. It is needed.
    one sealing_key_base64: Secret;
    /// How long after its fetch a copy is used: 1 min to 30 d. Default: the issuer's `max_staleness`.
    one max_age: DurationText;
}
