//! The stored copy of a key set: one file, for starts while the issuer is down.
//!
//! 1. It is written after fetches that brought or confirmed the set: at once where the set changed, else
//!    at most every five minutes. Another file is written and renamed, so that no reader sees a part.
//! 2. Files are read and written on threads for blocking calls, one call at a time and for a bounded time:
//!    a file system that hangs delays no request and no refresh.
//! 3. Once keys were dropped the file is removed, and no fetch that started before writes it again.
//! 4. What a copy is and when it counts is decided in
//!    [`key_set_copy`](crate::verify::crypto::key_set_copy).

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::runtime::clock::Now;
use crate::verify::crypto::key_set_copy::{CopyOwner, CopyProblem, CopySeal, KeySetCopy};
use crate::verify::crypto::random::random_u32;
use crate::verify::crypto::sha256::sha256;

/// How often an unchanged set is written at most.
const REWRITE_AFTER: Duration = Duration::from_secs(5 * 60);

/// Real time for one call of the file system.
const FILE_TIME: Duration = Duration::from_secs(2);

/// What a copy has beside the set: a head, issuer, addresses and the seal.
const MAX_EXTRA_BYTES: usize = 16 << 10;

/// The file of one key set.
pub(crate) struct CopyFile {
    path: PathBuf,
    issuer: Arc<str>,
    place: String,
    seal: Arc<CopySeal>,
    max_age: Duration,
    max_bytes: usize,
    state: Mutex<FileState>,
    /// Held during a call of the file system.
    busy: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct FileState {
    /// When it was last written, by the server's clock, and the hash of the set.
    written: Option<(Now, [u8; 32])>,
    /// Fetches up to this one are not written: an operator dropped the keys since.
    void: u64,
}

/// Why no copy was read or written.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// It was read, and does not count.
    Problem(CopyProblem),
    /// The file system's answer.
    File(String),
}

impl CopyError {
    /// A stable name.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Problem(problem) => problem.as_str(),
            Self::File(_) => "file",
        }
    }

    /// The file system's answer, where it is one.
    pub(super) fn detail(&self) -> &str {
        match self {
            Self::Problem(_) => "",
            Self::File(detail) => detail,
        }
    }
}

impl fmt::Debug for CopyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CopyFile").field(&self.path).finish()
    }
}

/// Whether both are the same copy, for the same time.
impl PartialEq for CopyFile {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
            && self.issuer == other.issuer
            && self.place == other.place
            && self.seal == other.seal
            && self.max_age == other.max_age
            && self.max_bytes == other.max_bytes
    }
}

impl CopyFile {
    /// The file in this folder for the set of this issuer at this place. Nothing is read or written.
    pub(crate) fn new(
        folder: &Path,
        seal: Arc<CopySeal>,
        issuer: Arc<str>,
        place: String,
        max_age: Duration,
        max_set_bytes: usize,
    ) -> Arc<Self> {
        let owner = CopyOwner {
            issuer: &issuer,
            place: &place,
        };
        Arc::new(Self {
            path: folder.join(format!("{}.keys", owner.name())),
            issuer,
            place,
            seal,
            max_age,
            max_bytes: max_set_bytes.saturating_add(MAX_EXTRA_BYTES),
            state: Mutex::default(),
            busy: Arc::default(),
        })
    }

    /// How long after their fetch the keys of a copy are used.
    pub(super) const fn max_age(&self) -> Duration {
        self.max_age
    }

    fn owner(&self) -> CopyOwner<'_> {
        CopyOwner {
            issuer: &self.issuer,
            place: &self.place,
        }
    }

    fn state(&self) -> MutexGuard<'_, FileState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the copy: `None` where there is none.
    pub(super) async fn read(
        self: &Arc<Self>,
        now: Now,
    ) -> Result<Option<(KeySetCopy, Duration)>, CopyError> {
        let file = Arc::clone(self);
        let Some(bytes) = self.blocking(move || file.read_file()).await? else {
            return Ok(None);
        };
        let opened = self.seal.open(self.owner(), &bytes, now.wall, self.max_age);
        opened.map(Some).map_err(CopyError::Problem)
    }

    fn read_file(&self) -> io::Result<Option<Vec<u8>>> {
        let file = match fs::File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let most = u64::try_from(self.max_bytes).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() > self.max_bytes {
            return Err(io::Error::other("the file is longer than any copy"));
        }
        Ok(Some(bytes))
    }

    /// Writes the set that this fetch brought or confirmed, if that is due.
    pub(super) async fn write(
        self: &Arc<Self>,
        fetch: u64,
        started: Now,
        url: &str,
        body: &[u8],
    ) -> Result<(), CopyError> {
        let hash = sha256(body);
        {
            let state = self.state();
            let is_due = state
                .written
                .is_none_or(|(at, before)| before != hash || at.elapsed(started) >= REWRITE_AFTER);
            if fetch <= state.void || !is_due {
                return Ok(());
            }
        }
        let copy = KeySetCopy {
            fetched: started.wall,
            url: url.to_owned(),
            body: body.to_vec(),
        };
        let sealed = self.seal.seal(self.owner(), &copy, self.max_age);
        let sealed = sealed.ok_or_else(|| CopyError::File("there is no randomness".to_owned()))?;
        let file = Arc::clone(self);
        self.blocking(move || file.write_file(fetch, started, hash, &sealed))
            .await
    }

    fn write_file(
        &self,
        fetch: u64,
        started: Now,
        hash: [u8; 32],
        sealed: &[u8],
    ) -> io::Result<()> {
        let other = self
            .path
            .with_extension(format!("{:08x}.tmp", random_u32()));
        let written = write_new(&other, sealed).and_then(|()| {
            let mut state = self.state();
            // INVARIANT: under the lock, so that keys that are dropped meanwhile are not written.
            if fetch > state.void {
                fs::rename(&other, &self.path)?;
                state.written = Some((started, hash));
                return Ok(());
            }
            fs::remove_file(&other)
        });
        if written.is_err() {
            let _ = fs::remove_file(&other);
        }
        written
    }

    /// Removes the copy of keys that an operator dropped, whatever wrote it: fetches up to `void` do not
    /// count any more.
    pub(super) fn remove(&self, void: u64) -> Result<(), CopyError> {
        let mut state = self.state();
        state.void = void;
        state.written = None;
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CopyError::File(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Runs a call of the file system on a thread for blocking calls.
    async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, CopyError> {
        let failed = |problem: &str| CopyError::File(problem.to_owned());
        let Ok(busy) = Arc::clone(&self.busy).try_lock_owned() else {
            return Err(failed("the call before has not ended"));
        };
        let call = tokio::task::spawn_blocking(move || {
            let outcome = call();
            drop(busy);
            outcome
        });
        match tokio::time::timeout(FILE_TIME, call).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error))) => Err(CopyError::File(error.to_string())),
            Ok(Err(_)) => Err(failed("the call was cut off")),
            Err(_) => Err(failed("the file system does not answer")),
        }
    }
}

/// A new file that its owner alone can read.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
