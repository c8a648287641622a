//! The HTTP client of an issuer, which may trust certificates in files that change while it is used.
//!
//! 1. Such files are read when the client is needed and what was read is older than a minute, or a
//!    connection has failed since: the server may have a certificate of a new authority. A new client is
//!    made where the content has changed.
//! 2. Files that cannot be read do not take the client away that was made before; a read that hangs holds
//!    one thread, and no more.
//! 3. Reading and building are blocking, and run on a thread for such calls; concurrent callers share them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::runtime::http::bearer_file::read_bounded;
use crate::runtime::http::tls::{HttpOptions, RootCertificate};
use crate::runtime::http::transport::http_client::HttpClient;

/// How long what was read counts, in real time.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Real time for a read.
const READ_TIME: Duration = Duration::from_secs(2);

/// Longer than the bundle of any operating system.
const MAX_FILE_BYTES: usize = 1 << 20;

/// The client, which other issuers may share, or the files that say which certificates it trusts.
#[derive(Clone)]
pub(super) enum ClientSource {
    Fixed(HttpClient),
    Files(Arc<RootFiles>),
}

impl ClientSource {
    /// The client for these settings; where they name files, it is made when it is needed.
    pub(super) fn new(options: &HttpOptions, pool: Pool) -> Result<Self, String> {
        if options.root_files.is_empty() {
            let build = || build_client(options, pool, &[]);
            let kind = options.client_kind(pool == Pool::Kept);
            return options.clients.get(kind, build).map(Self::Fixed);
        }
        let (owned, paths) = (options.clone(), options.root_files.clone());
        let build = move |roots: &[RootCertificate]| build_client(&owned, pool, roots);
        Ok(Self::Files(Arc::new(RootFiles::new(
            paths,
            Arc::new(build),
        ))))
    }

    /// The error is a sentence that names the file.
    pub(super) async fn get(&self) -> Result<HttpClient, String> {
        match self {
            Self::Fixed(client) => Ok(client.clone()),
            Self::Files(files) => files.client().await,
        }
    }

    /// A connection has failed.
    pub(super) fn failed(&self) {
        if let Self::Files(files) = self {
            files.has_failed.store(true, Ordering::Relaxed);
        }
    }
}

/// Builds a client that trusts these certificates too.
type BuildClient = dyn Fn(&[RootCertificate]) -> Result<HttpClient, String> + Send + Sync;

/// The files, and the client that was made last.
pub(super) struct RootFiles {
    paths: Vec<PathBuf>,
    build: Arc<BuildClient>,
    current: Mutex<Option<Current>>,
    /// Held during a read, also by one that hangs and that nothing waits for any longer.
    busy: Arc<tokio::sync::Mutex<()>>,
    /// Whether a connection has failed since they were read.
    has_failed: AtomicBool,
}

#[derive(Clone)]
struct Current {
    read_at: Instant,
    contents: Vec<Vec<u8>>,
    client: HttpClient,
}

impl RootFiles {
    pub(super) fn new(paths: Vec<PathBuf>, build: Arc<BuildClient>) -> Self {
        Self {
            paths,
            build,
            current: Mutex::new(None),
            busy: Arc::default(),
            has_failed: AtomicBool::new(false),
        }
    }

    /// The client. The error names the file.
    pub(super) async fn client(&self) -> Result<HttpClient, String> {
        if let Some(client) = self.fresh() {
            return Ok(client);
        }
        let known = self.current().clone();
        let busy = match (Arc::clone(&self.busy).try_lock_owned(), &known) {
            (Ok(busy), _) => busy,
            (Err(_), Some(known)) => return Ok(known.client.clone()),
            (Err(_), None) => Arc::clone(&self.busy).lock_owned().await,
        };
        // Another caller may have read them meanwhile.
        if let Some(client) = self.fresh() {
            return Ok(client);
        }
        self.has_failed.store(false, Ordering::Relaxed);
        let (paths, build) = (self.paths.clone(), Arc::clone(&self.build));
        let contents = known.as_ref().map(|known| known.contents.clone());
        let read = tokio::task::spawn_blocking(move || {
            let read = read(&paths, contents.as_deref(), &*build);
            drop(busy);
            read
        });
        let read = match tokio::time::timeout(READ_TIME, read).await {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => Err("the root certificates were not read".to_owned()),
            Err(_) => Err(self.hangs()),
        };
        let next = match (read, known) {
            (Ok(Some((contents, client))), _) => Current {
                read_at: Instant::now(),
                contents,
                client,
            },
            (Ok(None) | Err(_), Some(known)) => Current {
                read_at: Instant::now(),
                ..known
            },
            (Err(error), None) => return Err(error),
            // INVARIANT: only what was read before can be unchanged.
            (Ok(None), None) => return Err("the root certificates were not read".to_owned()),
        };
        Ok(self.current().insert(next).client.clone())
    }

    /// The client, where the files need not be read.
    fn fresh(&self) -> Option<HttpClient> {
        let current = self.current();
        let known = current.as_ref()?;
        let is_fresh =
            !self.has_failed.load(Ordering::Relaxed) && known.read_at.elapsed() < READ_AGAIN_AFTER;
        is_fresh.then(|| known.client.clone())
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hangs(&self) -> String {
        let paths = self.paths.iter().map(|path| path.display().to_string());
        let paths: Vec<String> = paths.collect();
        format!(
            "the root certificate file `{}`: the file system does not answer",
            paths.join("`, `")
        )
    }
}

/// What the files hold, and a client that trusts it.
type TrustedFiles = (Vec<Vec<u8>>, HttpClient);

/// What the files hold, and a client that trusts it; `None` where it is what they held before.
fn read(
    paths: &[PathBuf],
    before: Option<&[Vec<u8>]>,
    build: &BuildClient,
) -> Result<Option<TrustedFiles>, String> {
    let mut contents = Vec::new();
    let mut roots = Vec::new();
    for path in paths {
        let failed = |problem: &str| {
            let shown = path.display();
            format!("the root certificate file `{shown}`: {problem}")
        };
        let bytes = read_bounded(path, MAX_FILE_BYTES);
        let bytes = bytes.map_err(|error| failed(&error.to_string()))?;
        let pem = std::str::from_utf8(&bytes).map_err(|_| failed("it is no pem"))?;
        let bundle = RootCertificate::bundle(pem);
        roots.extend(bundle.map_err(|problem| failed(&format!("it {problem}")))?);
        contents.push(bytes);
    }
    if before == Some(&*contents) {
        return Ok(None);
    }
    let client = build(&roots)?;
    Ok(Some((contents, client)))
}

/// Whether idle connections are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pool {
    None,
    Kept,
}

/// A client that trusts these certificates beside those of the options.
fn build_client(
    options: &HttpOptions,
    pool: Pool,
    more_roots: &[RootCertificate],
) -> Result<HttpClient, String> {
    let roots = options.roots.iter().chain(more_roots);
    let roots = roots.map(|root| root.certificate.clone()).collect();
    HttpClient::new(roots, options.proxied, pool == Pool::Kept)
}
