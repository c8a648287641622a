//! A client that trusts the certificates in files, which may change while it is used.
//!
//! 1. The files are read when the client is needed and their content is older than a minute. A new client
//!    is made where it has changed.
//! 2. Files that cannot be read do not take the client away that was made before.
//! 3. Reading and building are blocking, and run on a thread for such calls; concurrent callers share them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::runtime::http::bearer_file::read_bounded;
use crate::runtime::http::tls::RootCertificate;

/// How long what was read counts, in real time.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Longer than the bundle of any operating system.
const MAX_FILE_BYTES: usize = 1 << 20;

/// Builds a client that trusts these certificates too.
pub(super) type BuildClient =
    dyn Fn(&[RootCertificate]) -> Result<reqwest::Client, String> + Send + Sync;

/// The files, and the client that was made last.
pub(super) struct RootFiles {
    paths: Vec<PathBuf>,
    build: Arc<BuildClient>,
    current: Mutex<Option<Current>>,
}

#[derive(Clone)]
struct Current {
    read_at: Instant,
    contents: Vec<Vec<u8>>,
    client: reqwest::Client,
}

impl RootFiles {
    pub(super) fn new(paths: Vec<PathBuf>, build: Arc<BuildClient>) -> Self {
        Self {
            paths,
            build,
            current: Mutex::new(None),
        }
    }

    /// The client. The error names the file.
    pub(super) async fn client(&self) -> Result<reqwest::Client, String> {
        let mut current = self.current.lock().await;
        let known = current.clone();
        if let Some(known) = &known {
            if known.read_at.elapsed() < READ_AGAIN_AFTER {
                return Ok(known.client.clone());
            }
        }
        let (paths, build) = (self.paths.clone(), Arc::clone(&self.build));
        let contents = known.as_ref().map(|known| known.contents.clone());
        let read = move || read(&paths, contents.as_deref(), &*build);
        let read = tokio::task::spawn_blocking(read).await;
        let read = read.unwrap_or_else(|_| Err("the root certificates were not read".to_owned()));
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
        Ok(current.insert(next).client.clone())
    }
}

/// What the files hold, and a client that trusts it; `None` where it is what they held before.
fn read(
    paths: &[PathBuf],
    before: Option<&[Vec<u8>]>,
    build: &BuildClient,
) -> Result<Option<(Vec<Vec<u8>>, reqwest::Client)>, String> {
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
