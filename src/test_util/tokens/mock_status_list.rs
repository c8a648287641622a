//! Token Status Lists of a mock issuer, signed and with faults.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::token_builder::TokenBuilder;
use crate::test_util::issuer::MockIssuer;
use crate::test_util::issuer::profile::Kind;
use crate::test_util::issuer::status_list_state::{ListState, StatusListFault, bomb};

/// A Token Status List of a [`MockIssuer`] (draft-ietf-oauth-status-list-21). Clones are the same list.
///
/// A [`ServedIssuer`](crate::test_util::ServedIssuer) serves it at
/// [`status_list_url`](crate::test_util::ServedIssuer::status_list_url), signed by the issuer's current
/// key at the time of its clock.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use portcullis::test_util::MockIssuer;
///
/// let issuer = MockIssuer::new().serve().await;
/// let token = issuer.token().status(issuer.status_list_url("1"), 17).sign();
/// // ... the token is accepted ...
/// issuer.status_list("1").set(17, 1);
/// // ... and refused from the next fetch of the list on.
/// # let _ = token;
/// # }
/// ```
#[derive(Clone)]
pub struct MockStatusList {
    issuer: MockIssuer,
    name: String,
}

impl MockIssuer {
    /// Its status list of this name: two bits for each of 1,024 tokens, all valid, a `ttl` of 5 minutes,
    /// and an `exp` of a day.
    #[must_use]
    pub fn status_list(&self, name: impl Into<String>) -> MockStatusList {
        MockStatusList {
            issuer: self.clone(),
            name: name.into(),
        }
    }
}

impl MockStatusList {
    /// Sets the status of a token. The list grows to the index where it is shorter, and to the bits that
    /// the status takes.
    pub fn set(&self, index: usize, status: u8) {
        self.change(|list| {
            if list.statuses.len() <= index {
                list.statuses.resize(index + 1, 0);
            }
            if let Some(place) = list.statuses.get_mut(index) {
                *place = status;
            }
            while list.bits < 8 && status >> list.bits > 0 {
                list.bits *= 2;
            }
        });
    }

    /// Sets the number of tokens; statuses beyond are lost.
    pub fn set_length(&self, length: usize) {
        self.change(|list| list.statuses.resize(length, 0));
    }

    /// Sets `ttl`; `None` leaves it out.
    pub fn set_ttl(&self, ttl: Option<Duration>) {
        self.change(|list| list.ttl = ttl);
    }

    /// Sets how long after its issue it expires; `None` leaves `exp` out.
    pub fn set_life(&self, life: Option<Duration>) {
        self.change(|list| list.life = life);
    }

    /// Serves it with this fault from now on.
    pub fn fail_with(&self, fault: StatusListFault) {
        if fault == StatusListFault::Bomb {
            bomb(); // Here, and not while a request waits.
        }
        self.change(|list| list.fault = Some(fault));
    }

    /// Serves it as it must be.
    pub fn recover(&self) {
        self.change(|list| list.fault = None);
    }

    /// The list token for this address, as a builder: sign it as it is, or change it.
    pub fn token(&self, uri: impl Into<String>) -> TokenBuilder {
        let list = self.state();
        let now = self.issuer.now();
        let mut claims = Map::new();
        let mut add = |name: &str, value: Value| drop(claims.insert(name.into(), value));
        add("iss", self.issuer.issuer().into());
        add("sub", uri.into().into());
        add("iat", now.as_secs().into());
        if let Some(life) = list.life {
            add("exp", now.saturating_add(life).as_secs().into());
        }
        if let Some(ttl) = list.ttl {
            add("ttl", ttl.as_secs().into());
        }
        let encoded = URL_SAFE_NO_PAD.encode(list.compressed());
        add("status_list", json!({"bits": list.bits, "lst": encoded}));
        TokenBuilder::new(
            self.issuer.clone(),
            Kind::Id,
            now,
            Some("statuslist+jwt"),
            claims,
        )
    }

    /// What is served at this address.
    pub(in crate::test_util) fn served(&self, uri: &str) -> String {
        use StatusListFault as Fault;
        let token = self.token(uri);
        let hour_ago = self.issuer.now().saturating_sub(Duration::from_secs(3600));
        match self.state().fault {
            None | Some(Fault::Bomb | Fault::Short | Fault::Truncated) => token.signed(),
            Some(Fault::WrongIssuer) => token.claim("iss", "https://other.example").signed(),
            Some(Fault::WrongSubject) => token.claim("sub", format!("{uri}/other")).signed(),
            Some(Fault::WrongType) => token.header("typ", "JWT").signed(),
            Some(Fault::Expired) => token.claim("exp", hour_ago.as_secs()).signed(),
            Some(Fault::NoIssueTime) => token.without("iat").signed(),
            Some(Fault::WrongBits) => token
                .claim("status_list", json!({"bits": 3, "lst": "eNrbuRgAAhcBXQ"}))
                .signed(),
            Some(Fault::WrongKey) => token.sign_with_wrong_key(),
            Some(Fault::AccessToken) => self.issuer.token().signed(),
        }
    }

    fn state(&self) -> ListState {
        self.issuer.list(&self.name, |list| list.clone())
    }

    fn change(&self, change: impl FnOnce(&mut ListState)) {
        self.issuer.list(&self.name, change);
    }
}

impl TokenBuilder {
    /// Names an entry of a status list: `status.status_list` with `idx` and `uri`
    /// (draft-ietf-oauth-status-list-21 section 6.2).
    pub fn status(self, uri: impl Into<String>, index: u64) -> Self {
        let (uri, idx): (String, _) = (uri.into(), index);
        self.claim("status", json!({"status_list": {"idx": idx, "uri": uri}}))
    }
}

impl fmt::Debug for MockStatusList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockStatusList")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
