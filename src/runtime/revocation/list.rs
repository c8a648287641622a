//! The list of what is no longer good, in memory.
//!
//! 1. Every request looks at it, also with a token that was seen before. A look takes no lock and
//!    waits for nobody; a clean result is valid until something is added.
//! 2. An entry ends when no token that it concerns can outlive it, by the clock that tokens end by
//!    and by the monotonic clock as well.
//! 3. The list is bounded. What does not fit is an error, and never drives out an entry that has
//!    not ended. What other instances have revoked is taken in beyond the bound, and then the list
//!    is not complete until it is within its bound again.
//! 4. While something that must be in the list may be missing, no token is found clean. The same
//!    holds when a clock is set back to a time at which an entry counted that was given up since.

use std::cell::Cell;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::model::ids::ClientId;
use crate::model::revocation::Revocation;
use crate::model::time::UnixTime;
use crate::runtime::clock::Clock;
use crate::runtime::revocation::entry::RevocationEntry;
use crate::runtime::revocation::timed_entry::{ClockReading, MonotonicSpan, TimedEntry};
use crate::runtime::util::read_mostly_table::{ReadMostlyTable, WriterStats};
use crate::verify::claims::access_token::AccessToken;
use crate::verify::claims::revocation_rule::{concerns, subjects};
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// Stands for "something is missing" where a version belongs.
const INCOMPLETE: u64 = u64::MAX;

/// Where there is no entry.
const NEVER: UnixTime = UnixTime::from_secs(i64::MAX);

/// Texts of a token that a revocation can name: `jti`, `origin_jti`, `sid`, the configured
/// subject, `sub`, the client; and the issuer as a whole.
const NAMES: usize = 7;

/// How a token stands with the list. It belongs to what was made of the token once.
#[derive(Debug, Default)]
pub(crate) struct RevocationCheck {
    /// The version of the list that the token was found clean at. INVARIANT: only a clean result
    /// is remembered, and only where no entry concerns the token that has merely ended, and none
    /// was given up: such an entry counts again when a clock is set back. So nothing except an addition can make a clean
    /// token a revoked one, and every addition makes a new version.
    clean_at: AtomicU64,
    /// The hashes of the token's names; 0 is one that was not made yet.
    hashes: [AtomicU64; NAMES],
}

/// Why a token was not found clean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotClean {
    Revoked,
    /// It is not on the list, and the list is not complete.
    Unknown,
}

/// What was changed here, for whoever tells others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "redis"), allow(dead_code))]
pub(crate) enum Change {
    Added(RevocationEntry),
    /// Added from a snapshot, which may be older than a withdrawal.
    Loaded(RevocationEntry),
    Withdrawn(Revocation),
}

/// Hears of every change that was made here, in order; called under the list's lock, so it must
/// neither wait nor come back.
pub(crate) type ChangeListener = Box<dyn Fn(Change) + Send + Sync>;

/// The list has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListFull;

/// The list.
pub(crate) struct RevocationList {
    /// Grows with every addition, from 1, or `INCOMPLETE`.
    version: AtomicU64,
    /// From this second of the wall clock on the list counts as incomplete: what fills it has been
    /// silent for too long. On a suspended machine the monotonic clock stands still.
    complete_until: AtomicI64,
    table: ReadMostlyTable<TimedEntry>,
    hasher: RandomState,
    most: usize,
    clock: Arc<dyn Clock>,
    given_up: EarlyEviction,
    writer: Mutex<Writer>,
    listener: OnceLock<ChangeListener>,
}

/// What had to make room though one clock may still have had a reason to keep it.
#[derive(Debug)]
struct EarlyEviction {
    /// The latest end of such an entry, in seconds of the wall clock: earlier than that the list is
    /// not complete.
    before: AtomicI64,
    /// The same by the monotonic clock, in milliseconds.
    until: AtomicU64,
}

impl EarlyEviction {
    const fn nothing() -> Self {
        Self {
            before: AtomicI64::new(i64::MIN),
            until: AtomicU64::new(0),
        }
    }

    /// INVARIANT: before the entry goes, so that a look that misses it knows of this.
    fn note(&self, entry: &TimedEntry) {
        let end = entry.entry().ends_at().as_secs();
        self.before.fetch_max(end, Ordering::AcqRel);
        let until = entry.in_force_until().as_millis();
        let until = u64::try_from(until).unwrap_or(u64::MAX);
        self.until.fetch_max(until, Ordering::AcqRel);
    }

    /// Whether nothing was given up, so that what is found clean may be remembered.
    fn is_nothing(&self) -> bool {
        self.before.load(Ordering::Acquire) == i64::MIN
    }

    /// Whether such an entry would count at this moment.
    fn counts(&self, wall: UnixTime, monotonic: impl FnOnce() -> Duration) -> bool {
        let until = self.until.load(Ordering::Acquire);
        wall.as_secs() < self.before.load(Ordering::Acquire)
            || (until > 0 && monotonic() < Duration::from_millis(until))
    }
}

struct Writer {
    version: u64,
    /// How many know that something may be missing.
    holds: usize,
    fill: WriterStats,
    /// No place can be given to another before.
    earliest_end: UnixTime,
}

/// Where an entry belongs.
struct Bucket {
    hash: u64,
    held: Option<Arc<TimedEntry>>,
}

impl Bucket {
    const fn is_empty(&self) -> bool {
        self.held.is_none()
    }
}

impl RevocationList {
    /// An empty list of at most so many entries.
    pub(crate) fn new(most: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            version: AtomicU64::new(1),
            complete_until: AtomicI64::new(i64::MAX),
            table: ReadMostlyTable::new(),
            hasher: RandomState::new(),
            most,
            clock,
            given_up: EarlyEviction::nothing(),
            writer: Mutex::new(Writer {
                version: 1,
                holds: 0,
                fill: WriterStats::default(),
                earliest_end: NEVER,
            }),
            listener: OnceLock::new(),
        }
    }

    /// Whether a token is still good.
    #[inline]
    pub(crate) fn check(
        &self,
        standing: &RevocationCheck,
        token: &AccessToken,
        rules: &IssuerPolicy,
        now: UnixTime,
    ) -> Result<(), NotClean> {
        // INVARIANT: the version is read before the entries. An addition shows its entry first
        // and its version afterwards, so whoever reads a version sees every entry up to it, and
        // what was found clean at a version was held against all of them.
        let version = self.version.load(Ordering::Acquire);
        if standing.clean_at.load(Ordering::Relaxed) == version && !self.is_silent(now) {
            return Ok(());
        }
        self.look_up(version, standing, token, rules, now)
    }

    fn look_up(
        &self,
        version: u64,
        standing: &RevocationCheck,
        token: &AccessToken,
        rules: &IssuerPolicy,
        now: UnixTime,
    ) -> Result<(), NotClean> {
        let reader = self.table.read();
        let monotonic = || self.clock.monotonic();
        let has_ended = Cell::new(false);
        if !reader.is_new() {
            let applies = |listed: &TimedEntry| {
                let is_concerned = concerns(listed.entry().revocation(), token, rules);
                let applies = is_concerned && listed.is_in_force(now, monotonic);
                has_ended.set(has_ended.get() || (is_concerned && !applies));
                applies
            };
            let hashes = self.hashes(standing, token, rules);
            let mut named = hashes.into_iter().filter(|hash| *hash != 0);
            if named.any(|hash| reader.find(hash, applies).is_some()) {
                return Err(NotClean::Revoked);
            }
        }
        if version == INCOMPLETE || self.is_silent(now) || self.given_up.counts(now, monotonic) {
            return Err(NotClean::Unknown);
        }
        if !has_ended.get() && self.given_up.is_nothing() {
            standing.clean_at.store(version, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The hashes of a token's names; 0 where it has none.
    fn hashes(
        &self,
        standing: &RevocationCheck,
        token: &AccessToken,
        rules: &IssuerPolicy,
    ) -> [u64; NAMES] {
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
    pub(crate) fn add(&self, entry: RevocationEntry, span: MonotonicSpan) -> Result<(), ListFull> {
        let now = self.now();
        let mut writer = self.writer();
        let place = self.place_of(&entry);
        if place.is_empty() {
            self.make_room(&mut writer, now)?;
        }
        let changed = self.put(&mut writer, place, TimedEntry::new(entry, span, now), now);
        self.show(&writer);
        self.tell(changed, Change::Added);
        Ok(())
    }

    /// Adds many that were written down before, as one change. What has ended by the wall clock
    /// takes only places that are left. What was added before there was no room stays.
    pub(crate) fn load(
        &self,
        mut entries: Vec<(RevocationEntry, MonotonicSpan)>,
    ) -> Result<(), ListFull> {
        let now = self.now();
        let mut writer = self.writer();
        // Those that hold longest first.
        entries.sort_by_key(|(entry, _)| std::cmp::Reverse(entry.ends_at()));
        let more = entries.len().min(self.most);
        self.table
            .reserve(more, &mut writer.fill, |entry| self.hash_of(entry));
        let mut outcome = Ok(());
        for (entry, span) in entries {
            let listed = TimedEntry::new(entry, span, now);
            let is_dormant = listed.was_dormant();
            let place = self.place_of(listed.entry());
            if place.is_empty() && writer.fill.live() >= self.most {
                if is_dormant {
                    self.given_up.note(&listed);
                    writer.version += 1;
                    continue;
                }
                if let Err(full) = self.make_room(&mut writer, now) {
                    outcome = Err(full);
                    continue;
                }
            }
            let changed = self.put(&mut writer, place, listed, now);
            if !is_dormant {
                self.tell(changed, Change::Loaded);
            }
        }
        self.show(&writer);
        outcome
    }

    /// Adds an entry of another instance: like `add`, but no listener is told, and it always has
    /// room. While there are more entries than there may be, the list is not complete.
    #[cfg(feature = "redis")]
    pub(crate) fn add_remote(&self, entry: RevocationEntry, span: MonotonicSpan) {
        let now = self.now();
        let mut writer = self.writer();
        let place = self.place_of(&entry);
        if place.is_empty() {
            let _ = self.make_room(&mut writer, now);
        }
        self.put(&mut writer, place, TimedEntry::new(entry, span, now), now);
        self.show(&writer);
    }

    /// Looks for places of entries that have ended, if there are more than there may be. Whether
    /// there still are.
    #[cfg(feature = "redis")]
    pub(crate) fn is_overfull(&self) -> bool {
        let now = self.now();
        let mut writer = self.writer();
        if writer.fill.live() > self.most {
            let _ = self.make_room(&mut writer, now);
            self.show(&writer);
        }
        writer.fill.live() > self.most
    }

    /// Takes out what is revoked up to no later moment than this; others are told. Whether it was
    /// there and in force.
    pub(crate) fn withdraw(&self, revocation: &Revocation) -> bool {
        let now = self.now();
        let mut writer = self.writer();
        let dropped = self.drop_entry(&mut writer, revocation);
        self.show(&writer);
        if let (Some(_), Some(listener)) = (&dropped, self.listener.get()) {
            listener(Change::Withdrawn(revocation.clone()));
        }
        dropped.is_some_and(|one| one.is_in_force(now.wall, || now.monotonic))
    }

    /// Takes out what another instance has withdrawn: like `withdraw`, but no listener is told; and
    /// not if it is kept, which is asked while nothing else can change the list.
    #[cfg(feature = "redis")]
    pub(crate) fn remove_remote(&self, revocation: &Revocation, is_kept: impl FnOnce() -> bool) {
        let mut writer = self.writer();
        if !is_kept() {
            self.drop_entry(&mut writer, revocation);
            self.show(&writer);
        }
    }

    /// The entries that are in force.
    pub(crate) fn live(&self) -> Vec<RevocationEntry> {
        let now = self.now();
        self.entries(|listed| listed.is_in_force(now.wall, || now.monotonic))
    }

    /// The entries that a snapshot must bring back: those that are in force, and those that the
    /// wall clock alone has ended, since it may be ahead.
    pub(crate) fn worth_keeping(&self) -> Vec<RevocationEntry> {
        let now = self.now();
        self.entries(|listed| {
            let in_force = listed.is_in_force(now.wall, || now.monotonic);
            in_force || (listed.was_dormant() && !listed.is_over(now))
        })
    }

    fn entries(&self, is_wanted: impl Fn(&TimedEntry) -> bool) -> Vec<RevocationEntry> {
        let listed = self.table.values();
        let wanted = listed.iter().filter(|listed| is_wanted(listed));
        wanted.map(|listed| listed.entry().clone()).collect()
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
    pub(crate) fn mark_incomplete(&self) {
        let mut writer = self.writer();
        writer.holds += 1;
        self.show(&writer);
    }

    /// Says that nothing is missing any more; once for each `hold`.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn mark_complete(&self) {
        let mut writer = self.writer();
        writer.holds = writer.holds.saturating_sub(1);
        self.show(&writer);
    }

    /// Whether nothing is missing, as far as is known.
    pub(crate) fn is_complete(&self) -> bool {
        let now = self.now();
        self.version.load(Ordering::Acquire) != INCOMPLETE
            && !self.is_silent(now.wall)
            && !self.given_up.counts(now.wall, || now.monotonic)
    }

    /// The list is complete before this second of the wall clock, unless it is confirmed again.
    #[cfg(feature = "redis")]
    pub(crate) fn complete_until(&self, end: UnixTime) {
        self.complete_until.store(end.as_secs(), Ordering::Relaxed);
    }

    /// Whether what fills the list has been silent for too long, by the wall clock.
    pub(crate) fn is_silent(&self, now: UnixTime) -> bool {
        now.as_secs() >= self.complete_until.load(Ordering::Relaxed)
    }

    /// Who hears of every change that is made here from now on; the first one counts.
    #[cfg(feature = "redis")]
    pub(crate) fn listen(&self, listener: ChangeListener) {
        let _ = self.listener.set(listener);
    }

    /// Where an entry belongs, and what is there about the same.
    fn place_of(&self, entry: &RevocationEntry) -> Bucket {
        let hash = self.hash_of_entry(entry);
        let is_it = |one: &TimedEntry| one.entry().is_about_the_same(entry);
        Bucket {
            hash,
            held: self.table.read().find(hash, is_it),
        }
    }

    /// The entry as it now stands; `None` where it said nothing new. There must be room.
    fn put(
        &self,
        writer: &mut Writer,
        place: Bucket,
        listed: TimedEntry,
        now: ClockReading,
    ) -> Option<Arc<TimedEntry>> {
        let Bucket { hash, held } = place;
        let both = match &held {
            Some(held) if !self.is_replaced(held, &listed, now) => held.joined(&listed),
            _ => listed,
        };
        if held.as_deref() == Some(&both) {
            return None;
        }
        writer.earliest_end = writer.earliest_end.min(both.replaceable_at());
        let added = Arc::new(both);
        let value = Arc::clone(&added);
        let says_more = if let Some(held) = held {
            let is_it = |one: &TimedEntry| one.entry().is_about_the_same(added.entry());
            self.table.replace(hash, value, is_it);
            held.entry() != added.entry()
        } else {
            let hash_of = |entry: &TimedEntry| self.hash_of(entry);
            self.table.insert(hash, value, &mut writer.fill, hash_of);
            true
        };
        // What merely lasts longer concerns no token that was found clean.
        writer.version += u64::from(says_more);
        says_more.then_some(added)
    }

    /// Whether a new entry stands alone since the present one has ended, and reached further: a
    /// subject that is revoked up to an earlier moment than before.
    fn is_replaced(&self, held: &TimedEntry, new: &TimedEntry, now: ClockReading) -> bool {
        let in_force = held.is_in_force(now.wall, || now.monotonic);
        let before = |listed: &TimedEntry| listed.entry().revocation().before();
        let is_replaced = !in_force && before(held) > before(new);
        // A new version follows.
        if is_replaced {
            self.given_up.note(held);
        }
        is_replaced
    }

    /// Finds a place where there is none: first of entries that are over, then of those that are
    /// over by the wall clock alone. What the latter would have refused is unknown from then on.
    fn make_room(&self, writer: &mut Writer, now: ClockReading) -> Result<(), ListFull> {
        let has_room = |writer: &Writer| writer.fill.live() < self.most;
        if !has_room(writer) && now.wall >= writer.earliest_end {
            self.table
                .retain(&mut writer.fill, |listed| !listed.is_over(now));
            if !has_room(writer) {
                writer.version += 1;
                self.table.retain(&mut writer.fill, |listed| {
                    let is_kept = now.wall < listed.replaceable_at();
                    if !is_kept {
                        self.given_up.note(listed);
                    }
                    is_kept
                });
            }
            let ends = self.table.values();
            let ends = ends.iter().map(|listed| listed.replaceable_at());
            writer.earliest_end = ends.min().unwrap_or(NEVER);
        }
        if has_room(writer) {
            Ok(())
        } else {
            Err(ListFull)
        }
    }

    fn drop_entry(&self, writer: &mut Writer, revocation: &Revocation) -> Option<Arc<TimedEntry>> {
        let id = revocation.id().unwrap_or_default();
        let hash = finished(self.realm(revocation.issuer()), id);
        let is_meant = |listed: &TimedEntry| {
            listed.entry().revocation().is_about_the_same(revocation)
                && listed.entry().revocation().before() <= revocation.before()
        };
        let found = self.table.read().find(hash, is_meant)?;
        self.table.remove(hash, &mut writer.fill, is_meant);
        Some(found)
    }

    /// Shows readers the present version. INVARIANT: after the entries that it stands for.
    fn show(&self, writer: &Writer) {
        let version = if writer.holds > 0 || writer.fill.live() > self.most {
            INCOMPLETE
        } else {
            writer.version
        };
        self.version.store(version, Ordering::Release);
    }

    fn tell(&self, changed: Option<Arc<TimedEntry>>, change: fn(RevocationEntry) -> Change) {
        if let (Some(listener), Some(listed)) = (self.listener.get(), changed) {
            listener(change(listed.entry().clone()));
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

    fn now(&self) -> ClockReading {
        ClockReading {
            wall: self.clock.now(),
            monotonic: self.clock.monotonic(),
        }
    }

    fn hash_of(&self, listed: &TimedEntry) -> u64 {
        self.hash_of_entry(listed.entry())
    }

    fn hash_of_entry(&self, entry: &RevocationEntry) -> u64 {
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
