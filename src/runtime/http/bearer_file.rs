//! A bearer token in a file, for the documents of one issuer.
//!
//! 1. The file is read for each request, on a thread for blocking calls: whatever rotates the token, the
//!    present one is sent.
//! 2. The token is sent to configured origins alone.
//! 3. A file system that hangs, or a pipe that nothing writes to, holds one thread and no more: as long as
//!    a read has not ended there is no other one.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderValue;
use tokio::sync::Mutex;

use crate::model::url;

/// Longer than any token in use.
const MAX_TOKEN_BYTES: usize = 64 << 10;

/// The file, and the origins that its token is for.
#[derive(Debug)]
pub(crate) struct BearerFile {
    path: PathBuf,
    origins: Vec<String>,
    /// Held during a read.
    busy: Arc<Mutex<()>>,
}

/// Whether both are the same file, for the same origins.
impl PartialEq for BearerFile {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.origins == other.origins
    }
}

impl BearerFile {
    /// `urls` are addresses of these origins.
    pub(crate) fn new<'u>(path: &Path, urls: impl Iterator<Item = &'u str>) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            origins: urls.filter_map(url::origin).collect(),
            busy: Arc::default(),
        })
    }

    /// The value of `Authorization` for a request to this address; `None` for another origin. The error
    /// names the file, and nothing of its content.
    pub(super) async fn authorization(&self, url: &str) -> Result<Option<HeaderValue>, String> {
        let is_ours = url::origin(url).is_some_and(|origin| self.origins.contains(&origin));
        if !is_ours {
            return Ok(None);
        }
        let path = self.path.clone();
        // A caller that waits no longer leaves a read that hangs behind, and the lock with it.
        let busy = Arc::clone(&self.busy).lock_owned().await;
        let read = tokio::task::spawn_blocking(move || {
            let read = read_bounded(&path, MAX_TOKEN_BYTES);
            drop(busy);
            read
        });
        let read = read.await;
        let shown = self.path.display();
        let bytes = match read {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(format!("the bearer token file `{shown}`: {error}")),
            Err(_) => return Err(format!("the bearer token file `{shown}` was not read")),
        };
        let token = bytes.trim_ascii();
        if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
            return Err(format!("the bearer token file `{shown}` holds no token"));
        }
        let value = [b"Bearer ", token].concat();
        let mut value = HeaderValue::from_bytes(&value)
            .map_err(|_| format!("the bearer token file `{shown}` holds no token"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// The content of a file of at most so many bytes.
pub(super) fn read_bounded(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(io::Error::other(format!("it is longer than {most} bytes")));
    }
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    #[test]
    fn bearer_file_that_hangs_holds_one_thread_and_is_read_again_when_it_answers() {
        let name = format!("portcullis-bearer-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_file(&path);
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|made| made.success()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // The read that hangs, and one for all other calls.
            .max_blocking_threads(2)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let file = BearerFile::new(&path, ["https://api.example"].into_iter());
            let asked = async || {
                let read = file.authorization("https://api.example/keys");
                tokio::time::timeout(Duration::from_millis(20), read).await
            };
            for _ in 0..5 {
                assert!(asked().await.is_err(), "nothing writes to the pipe");
            }
            let other = tokio::task::spawn_blocking(|| ());
            let other = tokio::time::timeout(Duration::from_secs(10), other).await;
            assert!(other.is_ok(), "a thread is left for other calls");
            fs::write(&path, "one").expect("the pipe is read");
            fs::remove_file(&path).expect("a pipe");
            fs::write(&path, "two").expect("a file");
            let read = file.authorization("https://api.example/keys").await;
            let value = read.expect("a token").expect("for this origin");
            assert_eq!(value, "Bearer two");
        });
        let _ = fs::remove_file(&path);
    }
}
