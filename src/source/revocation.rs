//! The list of what is no longer good, in memory.
//!
//! 1. Every request looks at it, also with a token that was seen before. A look takes no lock and
//!    waits for nobody; one that found a token clean holds until something is added.
//! 2. An entry ends when no token that it concerns can outlive it, by the clock that tokens end by.
//! 3. The list is bounded. What does not fit is an error, and never drives out another entry.
//! 4. While something that must be in the list may be missing, nobody is found clean.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::revoked::{RevocationEntry, subjects};
use super::table::{Fill, Table};
use crate::model::revocation::Revocation;
use crate::model::tenant::ClientId;
use crate::model::time::UnixTime;
use crate::verify::claims::AccessToken;
use crate::verify::rules::Rules;

/// Stands for "something is missing" where a version belongs.
const INCOMPLETE: u64 = u64::MAX;

/// So long an entry stays in memory beyond its end: a wall clock that is set back brings back
/// tokens, and what has revoked them must still be there.
const AFTERLIFE: Duration = Duration::from_secs(3600);

/// Where there is no entry.
const NEVER: UnixTime = UnixTime::from_secs(i64::MAX);

/// Texts of a token that a revocation can name: `jti`, `origin_jti`, `sid`, the configured
/// subject, `sub`, the client; and the issuer as a whole.
const NAMES: usize = 7;

/// How a token stands with the list. It belongs to what was made of the token once.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The version of the list that the token was found clean at. INVARIANT: only a clean verdict
    /// is remembered. Nothing but an addition can make a clean token a revoked one, and every
    /// addition makes a new version.
    clean_at: AtomicU64,
    /// The hashes of the token's names; 0 is one that was not made yet.
    hashes: [AtomicU64; NAMES],
}

/// Why a token was not found clean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unclean {
    Revoked,
    /// It is not on the list, and the list is not complete.
    Unknown,
}

/// What was changed here, for whoever tells others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "redis"), allow(dead_code))]
pub(crate) enum Change {
    Added(RevocationEntry),
    Withdrawn(Revocation),
}

/// Hears of every change that was made here, in order; called under the list's lock, so it must
/// neither wait nor come back.
pub(crate) type Listener = Box<dyn Fn(Change) + Send + Sync>;

/// The list has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The list.
pub(crate) struct RevocationList {
    /// Grows with every addition, from 1, or `INCOMPLETE`.
    version: AtomicU64,
    table: Table<RevocationEntry>,
    hasher: RandomState,
    most: usize,
    writer: Mutex<Writer>,
    listener: OnceLock<Listener>,
}

struct Writer {
    version: u64,
    /// How many know that something may be missing.
    holds: usize,
    fill: Fill,
    /// No entry ends before.
    earliest_end: UnixTime,
}

impl RevocationList {
    /// An empty list of at most so many entries.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            version: AtomicU64::new(1),
            table: Table::new(),
            hasher: RandomState::new(),
            most,
            writer: Mutex::new(Writer {
                version: 1,
                holds: 0,
                fill: Fill::default(),
                earliest_end: NEVER,
            }),
            listener: OnceLock::new(),
        }
    }

    /// Whether a token is still good.
    #[inline]
    pub(crate) fn check(
        &self,
        standing: &Standing,
        token: &AccessToken,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<(), Unclean> {
        // INVARIANT: the version is read before the entries. An addition shows its entry first
        // and its version afterwards, so whoever reads a version sees every entry up to it, and
        // what was found clean at a version was held against all of them.
        let version = self.version.load(Ordering::Acquire);
        if standing.clean_at.load(Ordering::Relaxed) == version {
            return Ok(());
        }
        self.look_up(version, standing, token, rules, now)
    }

    fn look_up(
        &self,
        version: u64,
        standing: &Standing,
        token: &AccessToken,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<(), Unclean> {
        let reader = self.table.read();
        if !reader.is_new() {
            let applies = |entry: &RevocationEntry| entry.applies(token, rules, now);
            let hashes = self.hashes(standing, token, rules);
            let mut named = hashes.into_iter().filter(|hash| *hash != 0);
            if named.any(|hash| reader.find(hash, applies).is_some()) {
                return Err(Unclean::Revoked);
            }
        }
        if version == INCOMPLETE {
            return Err(Unclean::Unknown);
        }
        standing.clean_at.store(version, Ordering::Relaxed);
        Ok(())
    }

    /// The hashes of a token's names; 0 where it has none.
    fn hashes(&self, standing: &Standing, token: &AccessToken, rules: &Rules) -> [u64; NAMES] {
        let [.., whole] = &standing.hashes;
        // INVARIANT: every token has the last of them, which is stored last: who sees it sees all.
        if whole.load(Ordering::Acquire) != 0 {
            return standing
                .hashes
                .each_ref()
                .map(|hash| hash.load(Ordering::Relaxed));
        }
        let [origin, session] = token.sessions();
        let [configured, plain] = subjects(token);
        let client = token.client_id().map(ClientId::as_str);
        let names = [
            token.id(),
            origin,
            session,
            configured,
            plain,
            client,
            Some(""),
        ];
        let realm = self.realm(&rules.realm);
        let made = names.map(|name| name.map_or(0, |name| finished(realm.clone(), name)));
        for (place, hash) in standing.hashes.iter().zip(made) {
            place.store(hash, Ordering::Release);
        }
        made
    }

    /// Adds an entry, or makes a present one last longer; others are told.
    pub(crate) fn add(&self, entry: RevocationEntry, now: UnixTime) -> Result<(), Full> {
        let mut writer = self.writer();
        let changed = self.put(&mut writer, entry, now)?;
        self.show(&writer);
        self.tell(changed.map(Change::Added));
        Ok(())
    }

    /// The same for many, as one change. What was added before there was no room stays.
    pub(crate) fn add_all(
        &self,
        entries: impl ExactSizeIterator<Item = RevocationEntry>,
        now: UnixTime,
    ) -> Result<(), Full> {
        let mut writer = self.writer();
        let more = entries.len().min(self.most);
        self.table
            .reserve(more, &mut writer.fill, |entry| self.hash_of(entry));
        let mut outcome = Ok(());
        for entry in entries {
            match self.put(&mut writer, entry, now) {
                Ok(changed) => self.tell(changed.map(Change::Added)),
                Err(full) => outcome = Err(full),
            }
        }
        self.show(&writer);
        outcome
    }

    /// Adds an entry of another instance: like `add`, but nobody is told.
    #[cfg(feature = "redis")]
    pub(crate) fn take_in(&self, entry: RevocationEntry, now: UnixTime) -> Result<(), Full> {
        let mut writer = self.writer();
        self.put(&mut writer, entry, now)?;
        self.show(&writer);
        Ok(())
    }

    /// Takes out what is revoked up to no later moment than this; others are told. Whether it was
    /// there.
    pub(crate) fn withdraw(&self, revocation: &Revocation, now: UnixTime) -> bool {
        let mut writer = self.writer();
        let was_there = self.drop_entry(&mut writer, revocation, now);
        if was_there {
            self.tell(Some(Change::Withdrawn(revocation.clone())));
        }
        was_there
    }

    /// Takes out what another instance has withdrawn: like `withdraw`, but nobody is told; and not
    /// if it is kept, which is asked while nobody else can change the list.
    #[cfg(feature = "redis")]
    pub(crate) fn take_out(
        &self,
        revocation: &Revocation,
        now: UnixTime,
        is_kept: impl FnOnce() -> bool,
    ) -> bool {
        let mut writer = self.writer();
        !is_kept() && self.drop_entry(&mut writer, revocation, now)
    }

    /// The entries that have not ended.
    pub(crate) fn live(&self, now: UnixTime) -> Vec<Arc<RevocationEntry>> {
        let mut entries = self.table.values();
        entries.retain(|entry| now < entry.ends_at());
        entries
    }

    /// How many entries there are, some of which may have ended.
    pub(crate) fn len(&self) -> usize {
        self.writer().fill.live()
    }

    /// How many there may be.
    pub(crate) const fn most(&self) -> usize {
        self.most
    }

    /// Says that something may be missing, until as many have said that nothing is.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn hold(&self) {
        let mut writer = self.writer();
        writer.holds += 1;
        self.show(&writer);
    }

    /// Says that nothing is missing any more; once for each `hold`.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn release(&self) {
        let mut writer = self.writer();
        writer.holds = writer.holds.saturating_sub(1);
        self.show(&writer);
    }

    /// Whether nothing is missing, as far as anybody knows.
    pub(crate) fn is_complete(&self) -> bool {
        self.version.load(Ordering::Acquire) != INCOMPLETE
    }

    /// Who hears of every change that is made here from now on; the first one counts.
    #[cfg(feature = "redis")]
    pub(crate) fn listen(&self, listener: Listener) {
        let _ = self.listener.set(listener);
    }

    /// The entry as it now stands; `None` where it said nothing new.
    fn put(
        &self,
        writer: &mut Writer,
        entry: RevocationEntry,
        now: UnixTime,
    ) -> Result<Option<RevocationEntry>, Full> {
        let hash = self.hash_of(&entry);
        let is_it = |one: &RevocationEntry| one.is_about_the_same(&entry);
        let entry = match self.table.read().find(hash, is_it) {
            None => {
                self.make_room(writer, now)?;
                let added = Arc::new(entry.clone());
                let hash_of = |entry: &RevocationEntry| self.hash_of(entry);
                self.table.insert(hash, added, &mut writer.fill, hash_of);
                entry
            }
            Some(held) => {
                let both = if now < held.ends_at() {
                    held.joined(&entry)
                } else {
                    entry.clone()
                };
                if both == *held {
                    return Ok(None);
                }
                self.table.replace(hash, Arc::new(both.clone()), is_it);
                both
            }
        };
        writer.version += 1;
        writer.earliest_end = writer.earliest_end.min(entry.ends_at());
        Ok(Some(entry))
    }

    fn make_room(&self, writer: &mut Writer, now: UnixTime) -> Result<(), Full> {
        let is_over = |end: UnixTime| now >= end.saturating_add(AFTERLIFE);
        if writer.fill.live() >= self.most && is_over(writer.earliest_end) {
            self.table
                .retain(&mut writer.fill, |entry| !is_over(entry.ends_at()));
            let ends = self.table.values();
            let ends = ends.iter().map(|entry| entry.ends_at());
            writer.earliest_end = ends.min().unwrap_or(NEVER);
        }
        if writer.fill.live() < self.most {
            Ok(())
        } else {
            Err(Full)
        }
    }

    fn drop_entry(&self, writer: &mut Writer, revocation: &Revocation, now: UnixTime) -> bool {
        let hash = finished(
            self.realm(revocation.issuer()),
            revocation.id().unwrap_or_default(),
        );
        self.table.remove(hash, &mut writer.fill, |entry| {
            entry.revocation().is_about_the_same(revocation)
                && entry.revocation().before() <= revocation.before()
                && now < entry.ends_at()
        })
    }

    /// Shows readers the present version. INVARIANT: after the entries that it stands for.
    fn show(&self, writer: &Writer) {
        let version = if writer.holds > 0 {
            INCOMPLETE
        } else {
            writer.version
        };
        self.version.store(version, Ordering::Release);
    }

    fn tell(&self, change: Option<Change>) {
        if let (Some(listener), Some(change)) = (self.listener.get(), change) {
            listener(change);
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // Nothing that is done under the lock leaves it half done.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn realm(&self, realm: &str) -> DefaultHasher {
        let mut hasher = self.hasher.build_hasher();
        realm.hash(&mut hasher);
        hasher
    }

    fn hash_of(&self, entry: &RevocationEntry) -> u64 {
        let revocation = entry.revocation();
        finished(
            self.realm(revocation.issuer()),
            revocation.id().unwrap_or_default(),
        )
    }
}

fn finished(mut realm: DefaultHasher, name: &str) -> u64 {
    name.hash(&mut realm);
    // 0 stands for a name that is not there.
    realm.finish().max(1)
}
