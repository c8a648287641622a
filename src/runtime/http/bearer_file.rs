//! A bearer token in a file, for the documents of one issuer.
//!
//! 1. The file is read for each request, on a thread for blocking calls: whatever rotates the token, the
//!    present one is sent.
//! 2. The token is sent to configured origins alone.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderValue;

use crate::model::url;

/// Longer than any token in use.
const MAX_TOKEN_BYTES: usize = 64 << 10;

/// The file, and the origins that its token is for.
#[derive(Debug, PartialEq)]
pub(crate) struct BearerFile {
    path: PathBuf,
    origins: Vec<String>,
}

impl BearerFile {
    /// `urls` are addresses of these origins.
    pub(crate) fn new<'u>(path: &Path, urls: impl Iterator<Item = &'u str>) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            origins: urls.filter_map(url::origin).collect(),
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
        let read = tokio::task::spawn_blocking(move || read_bounded(&path, MAX_TOKEN_BYTES)).await;
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
