//! The state of a development authorization server.
//!
//! 1. Everything is in memory, and everything has an end or a greatest number.
//! 2. To end a grant ends its refresh token and its access tokens; to end a session ends its grants and its codes.

// In the order in which they may name each other.
mod grant;
mod refresh_token;
mod device;
mod proof_rules;

pub(super) use device::{Device, DeviceDecision};
pub(super) use grant::{Authentication, Code, Confirmation, Grant, Session};
pub(super) use proof_rules::{ProofFault, ProofRules};
pub(super) use refresh_token::RefreshTokenId;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::accounts::{Accounts, TestClient, TestUser};
use crate::test_util::expiring_map::ExpiringMap;
use crate::test_util::issuer::MockIssuer;
use crate::test_util::keys::random_bytes;
use crate::test_util::served::{Endpoint, Faults};
use crate::time::UnixTime;

/// The server: what all handlers share.
pub(super) struct Server {
    pub(super) issuer: MockIssuer,
    /// The base URL, without a slash at its end.
    pub(super) url: String,
    pub(super) settings: Settings,
    /// The key of the MACs in refresh tokens and login forms.
    pub(super) secret: Vec<u8>,
    /// How DPoP proofs are checked.
    pub(super) proofs: ProofRules,
    pub(super) faults: watch::Sender<Faults>,
    pub(super) requests: watch::Sender<BTreeMap<Endpoint, usize>>,
    state: Mutex<State>,
}

/// What the builder sets.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // Each is a switch of its own.
pub(super) struct Settings {
    pub(super) access_token_lifetime: Duration,
    pub(super) refresh_token_lifetime: Duration,
    pub(super) opaque_access_tokens: bool,
    pub(super) dpop_nonces: bool,
    pub(super) admin: bool,
    /// Requests may name any host.
    pub(super) any_host: bool,
}

/// What changes.
pub(super) struct State {
    pub(super) users: Vec<Arc<TestUser>>,
    pub(super) clients: HashMap<String, Arc<TestClient>>,
    /// Clients that registered themselves, and those of a document that was fetched, by their id.
    pub(super) registered_clients: ExpiringMap<String, Arc<TestClient>>,
    /// By `sid`, which is also the value of the cookie.
    pub(super) sessions: ExpiringMap<Arc<str>, Session>,
    /// By the digest of the code.
    pub(super) codes: ExpiringMap<Vec<u8>, Code>,
    pub(super) grants: ExpiringMap<u64, Grant>,
    /// By the digest of the device code.
    pub(super) devices: ExpiringMap<Vec<u8>, Device>,
    /// Client assertions that were used, by client and `jti`.
    used_assertions: ExpiringMap<(String, String), ()>,
    grants_begun: u64,
    access_token_lifetime: Duration,
}

/// RFC 6749 s4.1.2: at most 10 minutes; a browser needs seconds.
pub(super) const CODE_LIFETIME: Duration = Duration::from_secs(60);
/// How long a used code is remembered, so that a second use ends its tokens.
const USED_CODE_MEMORY: Duration = Duration::from_secs(600);
/// How long a browser stays signed in.
pub(super) const SESSION_LIFETIME: Duration = Duration::from_secs(12 * 3600);

const SECOND: Duration = Duration::from_secs(1);

const MAX_SESSIONS: usize = 20_000;
const MAX_CODES: usize = 10_000;
const MAX_DEVICES: usize = 1_000;
const MAX_USED_ASSERTIONS: usize = 100_000;
const MAX_GRANTS: usize = 50_000;
const MAX_REGISTERED_CLIENTS: usize = 1_000;

impl Server {
    pub(super) fn new(
        issuer: MockIssuer,
        url: String,
        settings: Settings,
        accounts: Accounts,
    ) -> Self {
        let clients = accounts.clients.into_iter();
        let mut clients: HashMap<_, _> = clients
            .map(|client| (client.id.clone(), Arc::new(client)))
            .collect();
        // `introspected()` names it.
        clients
            .entry(MockIssuer::RESOURCE_SERVER_ID.to_owned())
            .or_insert_with(|| {
                let (id, secret) = (
                    MockIssuer::RESOURCE_SERVER_ID,
                    MockIssuer::RESOURCE_SERVER_SECRET,
                );
                Arc::new(TestClient::confidential(id, secret).grant_types(NO_GRANTS))
            });
        let state = State {
            users: accounts.users.into_iter().map(Arc::new).collect(),
            clients,
            registered_clients: ExpiringMap::new(MAX_REGISTERED_CLIENTS),
            sessions: ExpiringMap::new(MAX_SESSIONS),
            codes: ExpiringMap::new(MAX_CODES),
            grants: ExpiringMap::new(MAX_GRANTS),
            devices: ExpiringMap::new(MAX_DEVICES),
            used_assertions: ExpiringMap::new(MAX_USED_ASSERTIONS),
            grants_begun: 0,
            access_token_lifetime: settings.access_token_lifetime,
        };
        Self {
            proofs: ProofRules::new(&url, settings.dpop_nonces),
            issuer,
            url,
            settings,
            secret: random_bytes(32),
            faults: watch::Sender::new(Faults::default()),
            requests: watch::Sender::new(BTreeMap::default()),
            state: Mutex::new(state),
        }
    }

    pub(super) fn now(&self) -> UnixTime {
        self.issuer.now()
    }

    /// The lock of the state. Take the time before, and lock nothing of this server beneath it.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // No code that could panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client of this id: a prepared one, one that registered itself, or one that publishes its metadata at
    /// that URL.
    pub(super) async fn client(&self, id: &str) -> Option<Arc<TestClient>> {
        let now = self.now();
        let known = {
            let state = self.state();
            let prepared = state.clients.get(id);
            let known = prepared.or_else(|| state.registered_clients.get(id, now));
            known.cloned()
        };
        match known {
            Some(client) => Some(client),
            None => self.client_by_document(id).await,
        }
    }

    /// Whether only a document vouches for this client. Any page can send a browser to the authorization endpoint
    /// with the address of such a document.
    pub(super) fn is_of_document(&self, id: &str) -> bool {
        is_url(id) && !self.state().clients.contains_key(id)
    }

    /// What clients that are not prepared may name as resources: what any prepared one may.
    pub(super) fn all_audiences(&self) -> Vec<String> {
        let mut all = vec![MockIssuer::AUDIENCE.to_owned()];
        let state = self.state();
        let mut prepared: Vec<_> = state.clients.values().collect();
        prepared.sort_by(|one, other| one.id.cmp(&other.id));
        for audience in prepared.iter().flat_map(|client| &client.audiences) {
            if !all.contains(audience) {
                all.push(audience.clone());
            }
        }
        all
    }

    /// The prepared user with this subject.
    pub(super) fn user(&self, subject: &str) -> Option<Arc<TestUser>> {
        let state = self.state();
        let mut users = state.users.iter();
        users.find(|user| user.subject == subject).cloned()
    }

    /// Ends grants: their refresh tokens and access tokens.
    pub(super) fn end_grants(&self, ended: &[u64]) {
        {
            let mut state = self.state();
            for grant in ended {
                state.grants.remove(grant);
            }
        }
        self.issuer
            .register(|register| register.revoke_grants(ended));
    }

    /// Ends a session and its grants; absent where there is none of this id.
    pub(super) fn end_session(&self, id: &str) -> Option<Session> {
        let now = self.now();
        let (session, ended) = {
            let mut state = self.state();
            let session = state.sessions.remove(id)?;
            // A code that is on its way would begin another grant. A used one stays, for a second use.
            state.codes.retain(|_, code| {
                let grant = code.grant.as_ref();
                grant.is_none_or(|grant| grant.session.as_deref() != Some(id))
            });
            let grants = state.grants.iter(now);
            let ended: Vec<u64> = grants
                .filter(|(_, grant)| grant.session.as_deref() == Some(id))
                .map(|(grant, _)| *grant)
                .collect();
            (session, ended)
        };
        self.end_grants(&ended);
        Some(session)
    }
}

/// Whether an id can be that of a client id metadata document; those of registered clients are no URLs.
pub(super) fn is_url(id: &str) -> bool {
    id.contains("://")
}

impl State {
    /// Remembers a grant until the last of its tokens ends; its id is the result.
    pub(super) fn begin_grant(&mut self, grant: Grant, now: UnixTime) -> u64 {
        self.grants_begun += 1;
        let id = self.grants_begun;
        let first_ends = now.saturating_add(self.access_token_lifetime.max(SECOND));
        let end = grant.refresh_expires_at.max(first_ends);
        self.grants.insert(id, grant, end, now);
        id
    }

    /// Remembers a client's assertion until its end. Whether it is used for the first time.
    pub(super) fn use_assertion(
        &mut self,
        client: &str,
        id: String,
        end: UnixTime,
        now: UnixTime,
    ) -> bool {
        let key = (client.to_owned(), id);
        let is_first = self.used_assertions.get(&key, now).is_none();
        if is_first {
            self.used_assertions.insert(key, (), end, now);
        }
        is_first
    }

    /// Remembers that a code was used for this grant.
    pub(super) fn use_code(&mut self, digest: &[u8], grant: u64, now: UnixTime) {
        if let Some(code) = self.codes.get_mut(digest, now) {
            code.used_for = Some(grant);
            self.codes
                .extend(digest, now.saturating_add(USED_CODE_MEMORY));
        }
    }
}

const NO_GRANTS: [&str; 0] = [];
