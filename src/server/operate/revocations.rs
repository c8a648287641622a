//! The list of what is revoked, as applications see and change it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::logging;
use crate::model::decision::event::Event;
use crate::model::revocation::Revocation;
use crate::model::time::UnixTime;
use crate::runtime::revocation::entry::RevocationEntry;
use crate::runtime::revocation::text_format;
use crate::runtime::revocation::timed_entry::{MonotonicSpan, left};
use crate::runtime::util::excerpt::excerpt;
use crate::server::resource_server::ResourceServer;
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// The longest id that is held, in bytes; real ones have fewer than 100.
const MAX_ID_BYTES: usize = 1024;

/// How much of an unknown name is repeated, in characters.
const MAX_SHOWN: usize = 200;

/// How far ahead a moment may lie. More is a slip, such as milliseconds for seconds.
const FARTHEST_AHEAD: Duration = Duration::from_secs(300);

impl ResourceServer {
    /// The list of revocations, against which every request is checked. All clones of a server have
    /// one list; another server, in the same process too, has its own.
    #[must_use]
    pub fn revocations(&self) -> Revocations {
        Revocations(self.clone())
    }

    /// The policy of the issuer that is configured by this identifier.
    fn rules_of(&self, issuer: &str) -> Option<Arc<IssuerPolicy>> {
        let registry = self.0.registry.load();
        let members = registry.members();
        let mut named = members.filter(|member| &*member.rules.realm == issuer);
        // An introspected issuer is not among the authorities, and is found by its name.
        let authority = registry.authorities.get(issuer).or_else(|| named.next());
        authority.map(|authority| Arc::clone(&authority.rules))
    }
}

/// The list of revocations of one server: in memory, and gone with the process unless you keep a
/// [`snapshot`](Self::snapshot) and load it again. A new server gets the entries of an old one by
/// `new.revocations().load(&old.revocations().snapshot())`.
///
/// Cheap to clone; a clone keeps its server and the server's refresh tasks alive. When [`revoke`](Self::revoke) has returned, no request that comes after it is
/// admitted with what was revoked, in this process. See [the manual](crate::manual::revocation) for
/// what to revoke, and for several instances.
///
/// ```
/// use portcullis::revocation::Revocation;
/// use portcullis::time::{Clock as _, UnixTime};
/// use portcullis::ResourceServer;
/// use portcullis::test_util::{ManualClock, MockIssuer};
///
/// let issuer = MockIssuer::new();
/// let server = ResourceServer::builder("https://api.example.com").issuer(issuer.trusted()).build()?;
/// let revocations = server.revocations();
///
/// let now = UnixTime::from_secs(1_760_000_000);
/// let sign_out = Revocation::subject(&issuer.issuer(), "user-1", now);
/// revocations.revoke(sign_out.clone())?;
/// assert_eq!(revocations.list().len(), 1);
///
/// assert!(revocations.withdraw(&sign_out));
/// assert!(revocations.is_empty());
/// assert!(revocations.revoke(Revocation::token("https://else.example", "1")).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Revocations(ResourceServer);

/// Why something was not revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// No issuer is configured by this identifier.
    #[error("no issuer `{issuer}` is configured; name it as its tokens do")]
    #[non_exhaustive]
    UnknownIssuer {
        /// The issuer as it was named, escaped and shortened.
        issuer: String,
    },
    /// The id is empty or longer than 1024 bytes.
    #[error("the id must have 1 to 1024 bytes")]
    Id,
    /// The moment lies more than 5 minutes ahead.
    #[error("the moment lies ahead; give seconds since 1970, and no time to come")]
    Ahead,
    /// The list has as many entries as it may; see
    /// [`ResourceServerBuilder::most_revocations`](crate::ResourceServerBuilder::most_revocations).
    #[error(
        "the list has {most} entries and no room; set `most_revocations`, or revoke a whole issuer before now"
    )]
    #[non_exhaustive]
    Full {
        /// The most entries that it may have.
        most: usize,
    },
    /// The text is not a snapshot, or not all of one.
    #[error("not a snapshot of revocations, as line {line} shows")]
    #[non_exhaustive]
    Snapshot {
        /// The first line that is missing or was not understood, counted from 1.
        line: usize,
    },
}

impl Revocations {
    #[cfg(feature = "jwks")]
    pub(in crate::server) const fn of(server: ResourceServer) -> Self {
        Self(server)
    }

    /// Revokes something, at once and until every token that it concerns has expired: for the
    /// issuer's [`longest_token_life`](crate::Issuer::longest_token_life) and twice its leeway, from
    /// now or from the revocation's own moment where that is later. What is revoked already stays
    /// so for the longer of both, and up to the later moment.
    ///
    /// # Errors
    ///
    /// [`RevocationError`], and then nothing was revoked.
    pub fn revoke(&self, revocation: Revocation) -> Result<(), RevocationError> {
        self.revoke_as_of(revocation, self.now())
    }

    /// The same for tokens that were issued up to `moment` at the latest: it ends as much earlier.
    pub(in crate::server) fn revoke_as_of(
        &self,
        revocation: Revocation,
        moment: UnixTime,
    ) -> Result<(), RevocationError> {
        let now = self.now();
        let rules = self.known(&revocation)?;
        if revocation
            .id()
            .is_some_and(|id| !(1..=MAX_ID_BYTES).contains(&id.len()))
        {
            return Err(RevocationError::Id);
        }
        let before = revocation.before().unwrap_or(moment);
        if before > now.saturating_add(FARTHEST_AHEAD) {
            return Err(RevocationError::Ahead);
        }
        let kind = revocation.kind();
        let end = end(&rules, moment.max(before));
        // By the monotonic clock as well: the wall clock may be behind, and set right later.
        let span = MonotonicSpan::lasting(left(end, now));
        let entry = RevocationEntry::new(revocation.in_realm(&rules.realm), end);
        let added = self.0.0.revocations.add(entry, span);
        added.map_err(|_| self.full())?;
        logging::emit(Event::Revoked {
            issuer: &rules.realm,
            kind: kind.as_str(),
        });
        Ok(())
    }

    /// Withdraws a revocation: its tokens are accepted again at once. A revocation up to a later
    /// time than the given one stays. Returns whether a revocation was withdrawn.
    #[allow(clippy::must_use_candidate)] // It changes the list.
    pub fn withdraw(&self, revocation: &Revocation) -> bool {
        let Some(rules) = self.0.rules_of(revocation.issuer()) else {
            return false;
        };
        let revocation = revocation.clone().in_realm(&rules.realm);
        self.0.0.revocations.withdraw(&revocation)
    }

    /// What is revoked now, in no order.
    #[must_use]
    pub fn list(&self) -> Vec<RevocationEntry> {
        self.0.0.revocations.live()
    }

    /// How many entries are in memory; some of them may have ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.0.revocations.len()
    }

    /// How many entries there may be: see
    /// [`most_revocations`](crate::ResourceServerBuilder::most_revocations).
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.0.revocations.most()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the list is complete, as far as this server can know. It is not while
    /// [`ResourceServerBuilder::load_revocations`](crate::ResourceServerBuilder::load_revocations) has something to load; then
    /// tokens that are not on it are answered 503. After [`replace`](ResourceServer::replace) has added
    /// issuers it is not complete until their revocations are there; then only tokens of these issuers are
    /// answered 503.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.0.0.revocations.is_complete_for_all()
    }

    /// What is revoked now, as text, for [`load`](Self::load). It contains ids of tokens, sessions
    /// and callers. Entries that had ended already when they were loaded are part of it as long as
    /// they are in memory, since the clock may be ahead.
    #[must_use]
    pub fn snapshot(&self) -> String {
        text_format::write(&self.0.0.revocations.worth_keeping())
    }

    /// Adds the entries of a snapshot, with the ends that they have there. Those of issuers that are
    /// not configured are left out, since their tokens are refused anyway. How many are in force.
    ///
    /// Entries that have ended are not in force. They take places that are left in memory for as
    /// long as tokens of their issuer live, and count again should the clock be set back: it may
    /// have been ahead when they were loaded.
    ///
    /// # Errors
    ///
    /// * [`RevocationError::Snapshot`]: nothing was added.
    /// * [`RevocationError::Full`]: the entries that fit were added.
    pub fn load(&self, snapshot: &str) -> Result<usize, RevocationError> {
        let entries = text_format::read(snapshot)
            .map_err(|text_format::NotASnapshot(line)| RevocationError::Snapshot { line })?;
        let now = self.now();
        let known = |entry: RevocationEntry| {
            let rules = self.0.rules_of(entry.revocation().issuer())?;
            let revocation = entry.revocation().clone().in_realm(&rules.realm);
            let (end, life) = (entry.ends_at(), rules.longest_revocation());
            let span = if now < end {
                MonotonicSpan::until(end, now, life)
            } else {
                MonotonicSpan::dormant(life)
            };
            Some((RevocationEntry::new(revocation, end), span))
        };
        let known: Vec<_> = entries.into_iter().filter_map(known).collect();
        let live = known.iter().filter(|(entry, _)| now < entry.ends_at());
        let count = live.count();
        let added = self.0.0.revocations.load(known);
        added.map(|()| count).map_err(|_| self.full())
    }

    fn known(&self, revocation: &Revocation) -> Result<Arc<IssuerPolicy>, RevocationError> {
        let issuer = revocation.issuer();
        let rules = self.0.rules_of(issuer);
        rules.ok_or_else(|| RevocationError::UnknownIssuer {
            issuer: excerpt(issuer, MAX_SHOWN),
        })
    }

    fn full(&self) -> RevocationError {
        RevocationError::Full {
            most: self.0.0.revocations.most(),
        }
    }

    fn now(&self) -> UnixTime {
        self.0.0.clock.now()
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("len", &self.len())
            .field("is_loaded", &self.is_loaded())
            .finish_non_exhaustive()
    }
}

/// When every token has expired that was issued up to a moment by a clock that may be off, and is
/// accepted past its `exp` by as much.
fn end(rules: &IssuerPolicy, moment: UnixTime) -> UnixTime {
    moment.saturating_add(rules.longest_revocation())
}
