//! Members of the check of Token Status Lists.

use crate::server::config::duration_text::DurationText;
use crate::server::config::section::section;
use crate::server::settings::status_list_check::StatusListCheck;

section! {
    /// How the status of tokens is checked in Token Status Lists.
    StatusListTable makes StatusListCheck, or StatusListCheck::new;

    /// Refuses tokens that name no list.
    flag required;
    /// Addresses of lists, and what lies below them. Default: the origin of the issuer.
    each uri_prefix: String;
    /// The longest `ttl` that counts: 10 s to 7 days. Default: 12 h.
    one max_ttl: DurationText;
    /// How long a list is used while no newer one can be fetched: at most 24 h. Default: 0 s.
    one last_known_for: DurationText;
    /// The bound on one list in bytes, decompressed: 1024 to 67108864. Default: 2097152.
    one max_list_bytes: usize;
    /// How many lists are held: 1 to 1024. Default: 64.
    one max_lists: usize;
    /// Statuses beside 0 that are accepted.
    each accept_status: u8;
}
