//! Settings of an issuer about Token Status Lists.

use std::time::Duration;

use crate::model::repeated_settings::RepeatedSettings;

/// How the status of an issuer's tokens is checked in Token Status Lists
/// (draft-ietf-oauth-status-list-21); see [`Issuer::status_list`](crate::Issuer::status_list).
///
/// A list is fetched when the first token names it, verified with the keys and algorithms of the
/// issuer's tokens, decompressed under a bound, and fetched again after about four fifths of its fresh
/// time while tokens read it. Its fresh time is its `ttl`, 10 min where it states none; at least 10 s and
/// at most [`max_ttl`](Self::max_ttl), and never longer than its `exp`. The chapter
/// [`token_status_list`](crate::manual::token_status_list) has the rules.
///
/// ```
/// use portcullis::config::StatusListCheck;
/// use portcullis::{Issuer, ResourceServer};
/// use std::time::Duration;
///
/// let check = StatusListCheck::new()
///     .required()
///     .uri_prefix("https://status.example.com/lists/")
///     .last_known_for(Duration::from_secs(300));
/// let issuer = Issuer::rfc9068("https://id.example.com").status_list(check);
/// assert!(ResourceServer::builder("https://api.example.com").issuer(issuer).build().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct StatusListCheck {
    pub(in crate::server) is_required: bool,
    pub(in crate::server) prefixes: Vec<String>,
    pub(in crate::server) max_ttl: Duration,
    pub(in crate::server) last_known: Duration,
    pub(in crate::server) most_bytes: usize,
    pub(in crate::server) most_lists: usize,
    /// Beside `0`.
    pub(in crate::server) accepted: Vec<u8>,
    pub(in crate::server) once: RepeatedSettings,
}

impl StatusListCheck {
    /// Checks the tokens that name a list, and accepts the status 0 (`VALID`) alone.
    pub fn new() -> Self {
        Self {
            is_required: false,
            prefixes: Vec::new(),
            max_ttl: Duration::from_secs(12 * 3600),
            last_known: Duration::ZERO,
            most_bytes: 2 << 20,
            most_lists: 64,
            accepted: Vec::new(),
            once: RepeatedSettings::default(),
        }
    }

    /// Refuses tokens without `status.status_list`, 401. Default: they are not checked.
    pub fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// Fetches lists from this address and below it, such as an origin or a folder; call it once for
    /// each. A token that names another place is refused, 401, and nothing is fetched: the address in a
    /// token is a request of this server. Default: the origin of the issuer's identifier.
    #[doc(alias("ssrf", "status_list_uri"))]
    pub fn uri_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefixes.push(prefix.into());
        self
    }

    /// The longest `ttl` that counts: how long a list is used before a newer one is fetched, and so how
    /// late a change of a status is noticed. 10 s to 7 days. Default: 12 h.
    pub fn max_ttl(mut self, ttl: Duration) -> Self {
        self.once.set("max_ttl", &ttl);
        self.max_ttl = ttl;
        self
    }

    /// How long a list is used after its fresh time where no newer one can be fetched, at most 24 h, and
    /// never after its `exp`. Default: zero, so that an outage of the list is answered 503.
    #[doc(alias("stale_if_error", "fail_open"))]
    pub fn last_known_for(mut self, time: Duration) -> Self {
        self.once.set("last_known_for", &time);
        self.last_known = time;
        self
    }

    /// The bound on one list in bytes, decompressed: 1 KiB to 64 MiB. With one bit for each token 2 MiB
    /// are 16.7 million tokens. Default: 2 MiB.
    #[doc(alias("zip_bomb", "decompression"))]
    pub fn max_list_bytes(mut self, bytes: usize) -> Self {
        self.once.set("max_list_bytes", &bytes);
        self.most_bytes = bytes;
        self
    }

    /// How many lists are held at the same time, for each identifier of the issuer: 1 to 1,024. The one
    /// that was read longest ago is evicted. Default: 64.
    pub fn max_lists(mut self, lists: usize) -> Self {
        self.once.set("max_lists", &lists);
        self.most_lists = lists;
        self
    }

    /// Accepts tokens of this status too; call it once for each. 1 is `INVALID` and is refused as a
    /// setting; 2 is `SUSPENDED`; 3 and 12 to 15 are the application's own (section 7.1). Default: 0
    /// alone.
    pub fn accept_status(mut self, status: u8) -> Self {
        self.accepted.push(status);
        self
    }
}

impl Default for StatusListCheck {
    fn default() -> Self {
        Self::new()
    }
}
