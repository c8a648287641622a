//! The mock issuer: an authorization server inside the test.
//!
//! 1. Clones are one issuer: they share name, keys and clock.
//! 2. Keys are made when they are first needed. Current keys sign; current and old keys are
//!    published; retired keys are not, and still sign where a test names them.
//! 3. `issue.rs` issues tokens, and `serve.rs` serves the HTTP endpoints.
//! 4. It registers every valid token that it issues, signed or opaque, with its claims.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::profile::Profile;
use super::register::Register;
#[cfg(feature = "status-list")]
use super::status_list_state::ListState;
use crate::config::ClientAuthentication;
use crate::test_util::keys::SigningKey;
use crate::time::{Clock, Sleep, SystemClock, UnixTime};
use crate::{Algorithm, Issuer, presets};

/// An authorization server inside the test. Clones are the same issuer.
///
/// | | [`new`](Self::new), [`named`](Self::named) | [`rfc9068`](Self::rfc9068) | [`cognito`](Self::cognito) |
/// |---|---|---|---|
/// | `typ` | `JWT` | `at+jwt` | none |
/// | `aud` | [`AUDIENCE`](Self::AUDIENCE) | [`AUDIENCE`](Self::AUDIENCE) | none |
/// | beside `iss` `sub` `client_id` `iat` `exp` `jti` | nothing | nothing | `token_use` `username` `scope` `version` `auth_time` `origin_jti` `event_id` |
/// | trusted as | [`Issuer::oidc`] | [`Issuer::rfc9068`] | [`Issuer::cognito`] |
///
/// Other kinds have the claims of a vendor. Each is trusted as the preset of its name.
///
/// | | [`keycloak`](Self::keycloak) | [`entra`](Self::entra) | [`auth0`](Self::auth0) | [`okta`](Self::okta) |
/// |---|---|---|---|---|
/// | header `typ` | `JWT` | `JWT` | `JWT` | none |
/// | key id | 43 characters | 27, equal to `x5t` | 21 | 43 |
/// | key set at | `/realms/<realm>/protocol/openid-connect/certs` | `/<tenant>/discovery/v2.0/keys` | `/.well-known/jwks.json` | `/oauth2/<server>/v1/keys` |
/// | `aud` | [`AUDIENCE`](Self::AUDIENCE) and `account` | [`ENTRA_API`](Self::ENTRA_API) | [`AUDIENCE`](Self::AUDIENCE), for a user the userinfo address too | [`AUDIENCE`](Self::AUDIENCE) |
/// | client | `azp` | `azp` | `azp` | `cid` |
/// | scope | `scope` | `scp`, of users alone | `scope` | `scp`, a list |
/// | roles | `realm_access.roles` | `roles` | `permissions` | `roles` |
/// | `sub` of a machine | the id of its service account | its object id, as `oid` | `<client>@clients` | the client |
/// | token id | `jti` | `uti` | none | `jti`, from `AT.` on |
/// | mark of an ID token | `typ` in the payload | `aud` | `aud` | `at_hash` |
///
/// It signs with RS256 and a key of 2048 bits, `key-1`, unless configured otherwise. An RSA key
/// takes a tenth of a second to make, three times that where `aws-lc-sys` is built without
/// optimisation; [`with_algorithms`](Self::with_algorithms)`([Algorithm::ES256])` costs nothing.
#[derive(Clone)]
pub struct MockIssuer(Arc<Mutex<State>>);

struct State {
    name: String,
    /// Whether serving it leaves the name alone.
    named: bool,
    profile: Profile,
    clock: Arc<dyn Clock>,
    algorithms: Vec<Algorithm>,
    keys: Vec<(SigningKey, KeyState)>,
    register: Register,
    /// Its status lists by name.
    #[cfg(feature = "status-list")]
    lists: std::collections::BTreeMap<String, ListState>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyState {
    Current,
    Old,
    Retired,
}

impl MockIssuer {
    /// The audience of its tokens, those of Cognito and Entra apart: `https://api.example.com`.
    pub const AUDIENCE: &'static str = "https://api.example.com";

    /// The audience of the tokens of [`entra`](Self::entra), which is the application id of an API's
    /// registration: `11112222-bbbb-3333-cccc-4444dddd5555`.
    pub const ENTRA_API: &'static str = "11112222-bbbb-3333-cccc-4444dddd5555";

    /// The client that its tokens are issued to: `1example23456789`.
    pub const CLIENT_ID: &'static str = "1example23456789";

    /// The client of [`aworld_principal`](Self::aworld_principal): `7portal23456789`. Name it
    /// with [`TenantClaims::portal_client`](crate::TenantClaims::portal_client).
    pub const PORTAL_CLIENT_ID: &'static str = "7portal23456789";

    /// The subject of its users' tokens: `user-1`.
    pub const SUBJECT: &'static str = "user-1";

    /// The client id of a resource server for introspection: `api-1`.
    pub const RESOURCE_SERVER_ID: &'static str = "api-1";

    /// The secret of [`RESOURCE_SERVER_ID`](Self::RESOURCE_SERVER_ID). It has characters that
    /// must be encoded (RFC 6749 section 2.3.1).
    pub const RESOURCE_SERVER_SECRET: &'static str = "100% secret: a+b&c=d";

    /// The key id of its first key: `key-1`. Later ones count on. Keys of [`keycloak`](Self::keycloak),
    /// [`entra`](Self::entra), [`auth0`](Self::auth0) and [`okta`](Self::okta) have random ids, in the form of
    /// the vendor: see [`key_ids`](Self::key_ids).
    pub const FIRST_KEY_ID: &'static str = "key-1";

    pub(in crate::test_util) fn make(name: String, named: bool, profile: Profile) -> Self {
        Self(Arc::new(Mutex::new(State {
            name,
            named,
            profile,
            clock: Arc::new(SystemClock::new()),
            algorithms: vec![Algorithm::RS256],
            keys: Vec::new(),
            register: Register::default(),
            #[cfg(feature = "status-list")]
            lists: std::collections::BTreeMap::default(),
        })))
    }

    /// Takes the time of tokens from this clock; builders made before keep theirs.
    /// Default: the machine's clock.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        self.state().clock = Arc::new(clock);
        self
    }

    /// Signs with the first of these algorithms, and publishes a key for each. An empty list
    /// changes nothing. Default: RS256, and any algorithm that a token builder names.
    /// A server that trusts it accepts the default list; name ML-DSA with
    /// [`Issuer::algorithms`] too.
    #[must_use]
    pub fn with_algorithms(self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let algorithms: Vec<_> = algorithms.into_iter().collect();
        if !algorithms.is_empty() {
            self.state().algorithms = algorithms;
        }
        self
    }

    /// The `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.state().name.clone()
    }

    /// How a resource server trusts it: the kind of issuer that it is, with the keys that it
    /// publishes at this moment and no network. Keys that are made or retired later do not
    /// show; [`serve`](Self::serve) it where they should.
    ///
    /// For Cognito both [`CLIENT_ID`](Self::CLIENT_ID) and
    /// [`PORTAL_CLIENT_ID`](Self::PORTAL_CLIENT_ID) are accepted, for Entra the audiences
    /// [`ENTRA_API`](Self::ENTRA_API) and [`AUDIENCE`](Self::AUDIENCE). Tenant rules are not set.
    pub fn trusted(&self) -> Issuer {
        self.untied().key_set(self.key_set())
    }

    /// The same without keys.
    pub(in crate::test_util) fn untied(&self) -> Issuer {
        let state = self.state();
        match &state.profile {
            Profile::Oidc => Issuer::oidc(&state.name),
            Profile::Rfc9068 => Issuer::rfc9068(&state.name),
            Profile::Cognito { region, pool } => Issuer::cognito(region, pool)
                .client_id(Self::CLIENT_ID)
                .client_id(Self::PORTAL_CLIENT_ID),
            Profile::Keycloak { base_url, realm } => presets::keycloak(base_url, realm),
            Profile::Entra { tenant } => presets::entra(tenant)
                .audience(Self::ENTRA_API)
                .audience(Self::AUDIENCE),
            Profile::Auth0 { domain } => presets::auth0(domain),
            Profile::Okta { domain, server } => presets::okta(domain, server),
        }
    }

    /// The JWK Set that it publishes at this moment, as JSON.
    #[must_use]
    pub fn key_set(&self) -> String {
        let mut state = self.state();
        state.make_missing_keys();
        let jwks: Vec<Value> = state
            .published()
            .map(|key| state.profile.published(&state.name, key.jwk()))
            .collect();
        json!({ "keys": jwks }).to_string()
    }

    /// The ids of the keys that it publishes at this moment, oldest first.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        let mut state = self.state();
        state.make_missing_keys();
        state.published().map(|key| key.id().to_owned()).collect()
    }

    /// The public part of the key that signs by default, in PEM (`PUBLIC KEY`).
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        self.current_key(self.default_algorithm()).public_pem()
    }

    /// Makes a new key in place of each current one. Later signatures use it; the old ones stay
    /// published until [`retire_old_keys`](Self::retire_old_keys).
    pub fn rotate(&self) {
        let mut state = self.state();
        state.make_missing_keys();
        let mut algorithms = Vec::new();
        for (key, key_state) in &mut state.keys {
            if *key_state == KeyState::Current {
                *key_state = KeyState::Old;
                algorithms.push(key.algorithm());
            }
        }
        for algorithm in algorithms {
            state.make_key(algorithm);
        }
    }

    /// Publishes only the current keys from now on.
    pub fn retire_old_keys(&self) {
        for (_, key_state) in &mut self.state().keys {
            if *key_state == KeyState::Old {
                *key_state = KeyState::Retired;
            }
        }
    }

    /// Reads the register at the current time of the issuer's clock.
    pub(in crate::test_util) fn registered<T>(
        &self,
        look: impl FnOnce(&Register, UnixTime) -> T,
    ) -> T {
        let now = self.now();
        look(&self.state().register, now)
    }

    /// Changes the register.
    pub(in crate::test_util) fn register(&self, change: impl FnOnce(&mut Register)) {
        change(&mut self.state().register);
    }

    /// Looks at a status list, or changes it.
    #[cfg(feature = "status-list")]
    pub(in crate::test_util) fn list<T>(
        &self,
        name: &str,
        look: impl FnOnce(&mut ListState) -> T,
    ) -> T {
        look(self.state().lists.entry(name.to_owned()).or_default())
    }

    /// The path of its key set, once served.
    pub(in crate::test_util) fn key_set_path(&self) -> String {
        self.by_profile(Profile::key_set_path)
    }

    /// Takes the base URL as the name, unless it has one of its own.
    pub(in crate::test_util) fn moved_to(&self, url: &str) {
        let mut state = self.state();
        if !state.named {
            url.clone_into(&mut state.name);
        }
    }

    /// How a resource server trusts the introspection endpoint at this URL, as the client
    /// [`RESOURCE_SERVER_ID`](Self::RESOURCE_SERVER_ID).
    pub(in crate::test_util) fn introspected_at(&self, url: String) -> Issuer {
        let id = Self::RESOURCE_SERVER_ID;
        let ours = ClientAuthentication::basic(id, Self::RESOURCE_SERVER_SECRET);
        let issuer = Issuer::introspected(url)
            .identified_as(self.issuer())
            .client_authentication(ours);
        if self.is_cognito() {
            return issuer
                .audience_where_stated()
                .client_id(Self::CLIENT_ID)
                .client_id(Self::PORTAL_CLIENT_ID);
        }
        issuer
    }

    pub(in crate::test_util) fn is_cognito(&self) -> bool {
        matches!(self.state().profile, Profile::Cognito { .. })
    }

    /// Reads the kind of issuer that it is.
    pub(in crate::test_util) fn by_profile<T>(&self, look: impl FnOnce(&Profile) -> T) -> T {
        look(&self.state().profile)
    }

    /// The audience of its tokens, where its kind names one.
    pub(in crate::test_util) fn audience(&self) -> &'static str {
        match self.state().profile {
            Profile::Entra { .. } => Self::ENTRA_API,
            _ => Self::AUDIENCE,
        }
    }

    pub(in crate::test_util) fn default_algorithm(&self) -> Algorithm {
        let first = self.state().algorithms.first().copied();
        first.unwrap_or(Algorithm::RS256)
    }

    /// The key of this id, retired ones included.
    pub(in crate::test_util) fn key(&self, id: &str) -> Option<SigningKey> {
        let mut state = self.state();
        state.make_missing_keys();
        let mut keys = state.keys.iter().map(|(key, _)| key);
        keys.find(|key| key.id() == id).cloned()
    }

    /// The key that signs this algorithm now, made where there is none.
    pub(in crate::test_util) fn current_key(&self, algorithm: Algorithm) -> SigningKey {
        let mut state = self.state();
        state.make_missing_keys();
        match state.current(algorithm) {
            Some(key) => key.clone(),
            None => state.make_key(algorithm),
        }
    }

    pub(in crate::test_util) fn now(&self) -> UnixTime {
        let clock = Arc::clone(&self.state().clock);
        clock.now() // Outside the lock: the clock is the user's.
    }

    /// Its clock, for servers and keys that go by it.
    pub(in crate::test_util) fn clock(&self) -> IssuerClock {
        IssuerClock(Arc::clone(&self.state().clock))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock, in the making of a key, leaves the state as it was.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock of an issuer.
pub(in crate::test_util) struct IssuerClock(Arc<dyn Clock>);

impl Clock for IssuerClock {
    fn now(&self) -> UnixTime {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn sleep_until(&self, at: Duration) -> Sleep {
        self.0.sleep_until(at)
    }
}

impl Default for MockIssuer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MockIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockIssuer")
            .field("issuer", &self.issuer())
            .finish_non_exhaustive()
    }
}

impl State {
    fn published(&self) -> impl Iterator<Item = &SigningKey> {
        let published = self
            .keys
            .iter()
            .filter(|(_, key_state)| *key_state != KeyState::Retired);
        published.map(|(key, _)| key)
    }

    fn current(&self, algorithm: Algorithm) -> Option<&SigningKey> {
        let mut current = self
            .keys
            .iter()
            .filter(|(_, key_state)| *key_state == KeyState::Current);
        current
            .find(|(key, _)| key.algorithm() == algorithm)
            .map(|(key, _)| key)
    }

    fn make_missing_keys(&mut self) {
        for algorithm in self.algorithms.clone() {
            if self.current(algorithm).is_none() {
                self.make_key(algorithm);
            }
        }
    }

    fn make_key(&mut self, algorithm: Algorithm) -> SigningKey {
        let id = self.profile.key_id(self.keys.len() + 1);
        let key = SigningKey::generate(id, algorithm);
        self.keys.push((key.clone(), KeyState::Current));
        key
    }
}
