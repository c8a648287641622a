//! HTTP clients that issuers with equal options share: a client holds the parsed roots of the system.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::runtime::http::transport::http_client::HttpClient;

/// Clients that are kept. Options beyond them get clients of their own.
const MOST_CLIENTS: usize = 64;

/// The clients of one server, by their options. Clones are the same clients.
#[derive(Clone, Default)]
pub(crate) struct HttpClients(Arc<Mutex<Vec<SharedClient>>>);

struct SharedClient {
    kind: ClientKind,
    client: HttpClient,
}

/// What tells clients apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientKind {
    /// For each root certificate the hash of the bundle that it stands in, and its place there.
    pub(super) roots: Vec<([u8; 32], usize)>,
    pub(super) proxied: bool,
    /// Whether connections are kept.
    pub(super) pooled: bool,
}

impl HttpClients {
    /// The client of this kind.
    pub(super) fn get(
        &self,
        kind: ClientKind,
        build: impl FnOnce() -> Result<HttpClient, String>,
    ) -> Result<HttpClient, String> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clients.iter().find(|one| one.kind == kind) {
            return Ok(known.client.clone());
        }
        let client = build()?;
        if clients.len() < MOST_CLIENTS {
            clients.push(SharedClient {
                kind,
                client: client.clone(),
            });
        }
        Ok(client)
    }
}

impl fmt::Debug for HttpClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClients")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_one_kind_are_one_and_others_are_not() {
        let clients = HttpClients::default();
        let count = std::cell::Cell::new(0);
        let get = |proxied: bool, pooled: bool| {
            let kind = ClientKind {
                roots: Vec::new(),
                proxied,
                pooled,
            };
            let build = || {
                count.set(count.get() + 1);
                HttpClient::new(Vec::new(), proxied, pooled)
            };
            clients.get(kind, build).expect("a client");
            count.get()
        };
        assert_eq!(get(false, false), 1);
        assert_eq!(get(false, false), 1, "shared");
        assert_eq!(get(true, false), 2);
        assert_eq!(get(false, true), 3);
        assert_eq!([get(true, false), get(false, true)], [3, 3], "shared");
    }
}
