//! Settings of the stored copies of key sets.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::repeated_settings::RepeatedSettings;
use crate::server::settings::error::{ConfigError, check_once};
use crate::verify::crypto::key_set_copy::CopySeal;
use crate::verify::crypto::sealed::{ClusterKey, joined};

/// Stored copies of key sets, so that a new instance judges tokens while an issuer is down; for
/// [`ResourceServerBuilder::key_set_copies`](crate::ResourceServerBuilder::key_set_copies).
///
/// 1. Each key set that is fetched is written to a file of its own after a fetch that changed it, and at
///    most every five minutes after one that confirmed it.
/// 2. It is read where no keys are loaded and the fetch fails, or has not ended after three seconds. A set
///    that is fetched always replaces it. Its use is an event at `warn` and the state
///    [`FromCopy`](crate::status::KeySetState::FromCopy); its age counts from its fetch.
/// 3. The folder is not trusted: a copy is sealed (AES-256-GCM-SIV, RFC 8452) together with its issuer, its
///    place and the time of its fetch. One that was altered, sealed with another key, is another issuer's,
///    too old or from the future is not used, and an event says which.
/// 4. [`drop_keys`](crate::status::IssuerKeys::drop_keys) removes the copy too.
///
/// Several instances may share a folder. It must exist and be writable; a copy that cannot be written is an
/// event and no outage.
///
/// ```
/// use portcullis::config::KeySetCopies;
/// use portcullis::{Issuer, ResourceServer};
///
/// let copies = KeySetCopies::in_folder("/var/lib/api/key-sets")
///     // Of a secret manager: `openssl rand -base64 32`
///     .sealing_key_base64("rPUvQsdR1QmdZ+EAVhtK7aKIOhvYW2jNvK2dFEJTe2I=");
/// let server = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::oidc("https://id.example.com"))
///     .key_set_copies(copies)
///     .build()?;
///
/// let mistake = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::oidc("https://id.example.com"))
///     .key_set_copies(KeySetCopies::in_folder("/var/lib/api/key-sets"))
///     .build()
///     .unwrap_err();
/// assert!(mistake.to_string().contains("sealing key"));
/// # drop(server);
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
#[doc(alias("offline", "jwks_cache", "persistent_cache"))]
pub struct KeySetCopies {
    folder: PathBuf,
    sealing_key: Option<SealingKey>,
    max_age: Option<Duration>,
    /// The settings that hold one value.
    pub(in crate::server) once: RepeatedSettings,
}

/// The sealing key, in the form in which it was given.
#[derive(Clone)]
enum SealingKey {
    Bytes([u8; 32]),
    Text(String),
}

/// Never the key.
impl fmt::Debug for KeySetCopies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySetCopies")
            .field("folder", &self.folder)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}

impl KeySetCopies {
    /// Copies in files of this folder, which must exist: nothing creates it, and a missing one is an event at `warn`
    /// at the first write.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            sealing_key: None,
            max_age: None,
            once: RepeatedSettings::default(),
        }
    }

    /// The secret that the folder does not have: 32 random bytes. A holder of it can write copies with
    /// keys of its own, and so sign tokens. Default: none, which is a mistake.
    pub fn sealing_key(mut self, key: [u8; 32]) -> Self {
        // One key in two spellings is not compared.
        self.once.set("sealing_key", &key);
        self.sealing_key = Some(SealingKey::Bytes(key));
        self
    }

    /// The same in base64, as `openssl rand -base64 32` writes it.
    pub fn sealing_key_base64(mut self, key: impl Into<String>) -> Self {
        let key = key.into();
        self.once.set("sealing_key", &key);
        self.sealing_key = Some(SealingKey::Text(key));
        self
    }

    /// How long after their fetch the keys of a copy are used: 1 minute to 30 days, and never longer than
    /// the issuer's [`max_staleness`](crate::Issuer::max_staleness), which counts for its keys whatever
    /// brought them. Default: the issuer's `max_staleness`, since a copy is not worse than keys that a
    /// running instance holds as long.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.once.set("max_age", &age);
        self.max_age = Some(age);
        self
    }

    /// What is set, for comparison: it holds the key and is never shown.
    pub(in crate::server) fn identity(&self) -> Vec<u8> {
        let key = match &self.sealing_key {
            None => &[][..],
            Some(SealingKey::Bytes(bytes)) => bytes,
            Some(SealingKey::Text(text)) => text.as_bytes(),
        };
        let age = format!("{:?}", self.max_age);
        let folder = self.folder.as_os_str().as_encoded_bytes();
        joined(&[folder, age.as_bytes(), key])
    }

    /// Checks the settings.
    pub(in crate::server) fn check(&self) -> Result<CheckedCopies, ConfigError> {
        const SETTING: &str = "key_set_copies";
        let invalid = |problem: &str| Err(ConfigError::new(SETTING, problem));
        check_once(&self.once)?;
        if self.folder.as_os_str().is_empty() {
            return invalid("the folder is empty; name one that exists");
        }
        let key = match &self.sealing_key {
            None => {
                return Err(ConfigError::missing(
                    SETTING,
                    "the sealing key is missing; set `sealing_key_base64(..)`",
                ));
            }
            Some(SealingKey::Bytes(bytes)) => Some(*bytes),
            Some(SealingKey::Text(text)) => {
                let bytes = STANDARD.decode(text).ok();
                bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            }
        };
        let Some(key) = key.map(ClusterKey::new) else {
            return invalid(
                "the sealing key is not 32 bytes in base64; make one with `openssl rand -base64 32`",
            );
        };
        if key.is_placeholder() {
            return invalid(
                "the sealing key is one byte repeated; make one with `openssl rand -base64 32`",
            );
        }
        let bounds = Duration::from_secs(60)..=Duration::from_secs(30 * 24 * 3600);
        if self.max_age.is_some_and(|age| !bounds.contains(&age)) {
            return Err(ConfigError::out_of_bounds(
                SETTING,
                "`max_age` must be 1 minute to 30 days",
            ));
        }
        let seal = CopySeal::of(&key).ok_or_else(|| {
            ConfigError::unavailable(SETTING, "the cryptographic library gives no keys")
        })?;
        Ok(CheckedCopies {
            folder: self.folder.clone(),
            seal: Arc::new(seal),
            max_age: self.max_age,
        })
    }
}

/// Copies whose settings were checked.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::server) struct CheckedCopies {
    pub(in crate::server) folder: PathBuf,
    pub(in crate::server) seal: Arc<CopySeal>,
    pub(in crate::server) max_age: Option<Duration>,
}
