//! The public status of a status list.

use std::sync::Arc;
use std::time::Duration;

/// The state of one status list that is held or fetched, at the time of the call.
///
/// All times are spans of the server's [`Clock`](crate::time::Clock).
#[derive(Clone, Debug)]
pub struct StatusListStatus {
    pub(super) issuer: Arc<str>,
    pub(super) uri: String,
    pub(super) is_usable: bool,
    pub(super) is_fresh: bool,
    pub(super) bits: Option<u8>,
    pub(super) bytes: usize,
    pub(super) age: Option<Duration>,
    pub(super) failures: u32,
    pub(super) last_error: Option<String>,
    pub(super) next_attempt: Option<Duration>,
}

impl StatusListStatus {
    /// The issuer whose tokens name it, as configured.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The address of the list, without its query, which may hold secrets.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Whether the status of tokens is read from it. Otherwise their requests are answered 503.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        self.is_usable
    }

    /// Whether it is as fresh as its `ttl` and `exp` demand. One that is usable and not fresh is used
    /// by [`last_known_for`](crate::config::StatusListCheck::last_known_for).
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// The bits of one status: 1, 2, 4 or 8; absent before the first fetch that succeeded.
    #[must_use]
    pub const fn bits(&self) -> Option<u8> {
        self.bits
    }

    /// The memory of the list in bytes; 0 before the first fetch that succeeded.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Time since the start of the last fetch that succeeded; absent before the first one.
    #[must_use]
    pub const fn age(&self) -> Option<Duration> {
        self.age
    }

    /// Attempts that have failed since the last success.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Why the last attempt failed; absent when it succeeded. It names addresses without their query,
    /// and never a token.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Time until the next attempt; zero while one is under way, absent when only a request causes one.
    #[must_use]
    pub const fn next_attempt(&self) -> Option<Duration> {
        self.next_attempt
    }
}
