//! The check of a token against the list.

use std::cell::Cell;

use super::{INCOMPLETE, RevocationList};
#[cfg(feature = "jwks")]
use crate::model::revocation::{Revocation, RevocationKind};
use crate::model::time::UnixTime;
#[cfg(feature = "jwks")]
use crate::runtime::revocation::check::NAMES;
use crate::runtime::revocation::check::{RevocationCheck, RevocationCheckError};
use crate::runtime::revocation::entry::RevocationEntry;
use crate::runtime::revocation::timed_entry::TimedEntry;
use crate::runtime::util::sync::Ordering;
use crate::verify::claims::revocation_rule;
use crate::verify::claims::verified_token::VerifiedToken;
use crate::verify::policy::issuer_policy::IssuerPolicy;

impl RevocationList {
    /// Checks a token.
    #[inline]
    pub(crate) fn check(
        &self,
        check: &RevocationCheck,
        token: &VerifiedToken,
        rules: &IssuerPolicy,
        now: UnixTime,
    ) -> Result<(), RevocationCheckError> {
        let hashes = || self.hasher.of_token(check, token, rules);
        let concerns =
            |entry: &RevocationEntry| revocation_rule::concerns(entry.revocation(), token, rules);
        let is_unloaded = || self.unloaded.contains(&rules.realm);
        self.check_by(check, hashes, concerns, is_unloaded, now)
    }

    #[inline]
    pub(super) fn check_by<H: IntoIterator<Item = u64>>(
        &self,
        check: &RevocationCheck,
        hashes: impl FnOnce() -> H,
        concerns: impl Fn(&RevocationEntry) -> bool,
        is_unloaded: impl FnOnce() -> bool,
        now: UnixTime,
    ) -> Result<(), RevocationCheckError> {
        // INVARIANT: the version is read before the entries. An addition stores its entry first and
        // its version afterwards, so a check that reads a version sees every entry up to it.
        let version = self.version.load(Ordering::Acquire);
        if check.has_passed_at(version) && !self.is_silent(now) {
            return Ok(());
        }
        self.look_up(version, check, hashes, concerns, is_unloaded, now)
    }

    fn look_up<H: IntoIterator<Item = u64>>(
        &self,
        version: u64,
        check: &RevocationCheck,
        hashes: impl FnOnce() -> H,
        concerns: impl Fn(&RevocationEntry) -> bool,
        is_unloaded: impl FnOnce() -> bool,
        now: UnixTime,
    ) -> Result<(), RevocationCheckError> {
        let monotonic = || self.clock.monotonic();
        // INVARIANT: read before the entries, so that all of an issuer that waits no longer are seen.
        let is_unloaded = is_unloaded();
        let has_ended = Cell::new(false);
        if !self.entries.is_unused() {
            let applies = |listed: &TimedEntry| {
                let concerns = concerns(listed.entry());
                let applies = concerns && listed.is_in_force(now, monotonic);
                has_ended.set(has_ended.get() || (concerns && !applies));
                applies
            };
            let named = hashes().into_iter().filter(|hash| *hash != 0);
            if self.entries.any(named, applies) {
                return Err(RevocationCheckError::Revoked);
            }
        }
        if version == INCOMPLETE
            || is_unloaded
            || self.is_silent(now)
            || self.early_evictions.would_count(now, monotonic)
        {
            return Err(RevocationCheckError::Unknown);
        }
        if !has_ended.get() && self.early_evictions.is_none() {
            check.mark_passed(version);
        }
        Ok(())
    }

    /// The hashes of a token's names, and of what tells callers apart beside them.
    #[cfg(feature = "jwks")]
    pub(crate) fn names_of(
        &self,
        check: &RevocationCheck,
        token: &VerifiedToken,
        rules: &IssuerPolicy,
    ) -> ([u64; NAMES], u64) {
        let names = self.hasher.of_token(check, token, rules);
        (names, self.hasher.beside_names(token))
    }

    /// The kind of an entry that is in force, has one of these hashes and concerns the token.
    #[cfg(feature = "jwks")]
    pub(in crate::runtime) fn find_revoking(
        &self,
        names: [u64; NAMES],
        concerns: impl Fn(u64, &Revocation) -> bool,
    ) -> Option<RevocationKind> {
        if self.entries.is_unused() {
            return None;
        }
        let now = self.now();
        let revoking = |hash: u64| {
            let applies = |listed: &TimedEntry| {
                concerns(hash, listed.entry().revocation())
                    && listed.is_in_force(now.wall, || now.monotonic)
            };
            self.entries.find(hash, applies)
        };
        let mut present = names.into_iter().filter(|hash| *hash != 0);
        let found = present.find_map(revoking)?;
        Some(found.entry().revocation().kind())
    }
}
